"""The choice of the tier, on machines that lack one layer after the other."""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.scoring.containment import choose as choosing
from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.paths import PACKAGE
from ablation.scoring.containment.syscalls import native
from ablation.scoring.containment.tiers import SandboxError

CHOOSE = """
import json
from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.tiers import SandboxError
try:
    choice = choose(WANTED)
    print(json.dumps([choice.tier.name, list(choice.refused)]))
except SandboxError as error:
    print(json.dumps(["error", [str(error)]]))
"""


def chosen(before: str = "", wanted: str | None = None, command: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """What a fresh process chooses after running the code ``before``, and why not something stronger."""
    source = f"{before}\nWANTED = {wanted!r}\n{CHOOSE}"
    python = [sys.executable] if not command else []
    ended = subprocess.run(
        [*command, *python, "-c", source],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
    )
    name, why = json.loads(ended.stdout)
    return name, why


def without(*names: str) -> str:
    """Code after which the kernel says that it does not know these system calls."""
    architecture = native()
    assert architecture is not None
    load, equal, answer = 0x20, 0x15, 0x06
    rules = [(load, 0, 0, 0)]
    for name in names:
        rules += [(equal, 0, 1, architecture.numbers.get(name, 444)), (answer, 0, 0, 0x00050000 | 38)]
    if "seccomp" in names:  # prctl(PR_SET_SECCOMP) is EINVAL then
        prctl = architecture.numbers["prctl"]
        rules += [(equal, 0, 3, prctl), (load, 0, 0, 16), (equal, 0, 1, 22), (answer, 0, 0, 0x00050000 | 22)]
    rules += [(answer, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("<HBBI", *rule) for rule in rules)
    return f"""
import ctypes
libc, program = ctypes.CDLL(None), ctypes.create_string_buffer({program!r})
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter({len(rules)}, ctypes.addressof(program)))) == 0
"""


def test_the_strongest_tier_that_holds_is_chosen() -> None:
    if shutil.which("bwrap") is None and "bubblewrap" not in os.environ.get("ABLATION_REQUIRE", ""):
        pytest.skip("bubblewrap is not installed")

    assert chosen() == ("bubblewrap+landlock+seccomp", [])


def test_without_bubblewrap_the_next_one_is_chosen_and_the_reason_kept() -> None:
    name, why = chosen("import os; os.environ['PATH'] = ''")

    assert name == "landlock+seccomp"
    assert why == ["bubblewrap+landlock+seccomp: the program bwrap was not found; install the package bubblewrap"]


def test_without_user_namespaces_the_next_one_is_chosen() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    shell = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    name, why = chosen(command=("unshare", "-Ur", "sh", "-c", shell, "sh", sys.executable))

    assert name == "landlock+seccomp"
    assert len(why) == 1
    assert "namespace" in why[0]


def test_without_landlock_seccomp_is_chosen() -> None:
    name, why = chosen(without("landlock_create_ruleset"))

    assert name == "seccomp"
    assert ["Function not implemented" in reason for reason in why] == [True, True]


def test_without_seccomp_nothing_is_chosen_and_the_way_out_is_said() -> None:
    name, why = chosen(without("seccomp"))

    assert name == "error"
    assert why[0].startswith("no containment of candidates holds on this machine (bubblewrap+landlock+seccomp: ")
    assert why[0].endswith("scoring.sandbox=none")


def test_a_tier_that_is_asked_for_is_not_replaced_by_a_weaker_one() -> None:
    name, why = chosen(without("landlock_create_ruleset"), wanted="landlock+seccomp")

    assert name == "error"
    assert "scoring.sandbox=landlock+seccomp does not hold on this machine" in why[0]


def test_no_sandbox_is_chosen_only_when_named() -> None:
    assert chosen(without("seccomp"), wanted="none") == ("none", [])


def test_a_mistyped_tier_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(SandboxError, match="did you mean 'seccomp'"):
        choose("secomp")


def test_it_is_tried_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = choose("seccomp")
    monkeypatch.setattr(choosing, "_fault", lambda tier: "tried again")

    assert choose("seccomp") is first


def test_an_ordinary_user_has_the_same_tiers() -> None:
    if os.getuid() != 0:
        pytest.skip("the other tests are run by an ordinary user already")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    for python in (sys.executable, "/usr/bin/python3"):
        check = "import subprocess, sys, ablation.scoring.containment.choose; assert sys.version_info >= (3, 11)"
        command = (*nobody, python, "-c", f"{check}; subprocess.run([sys.executable, '-c', ''], check=True)")
        env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
        if subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("no Python here that an ordinary user can reach")

    mine = chosen(command=(*nobody, python))
    assert mine == chosen(), mine


@pytest.mark.skipif(not Path("/proc/sys/user/max_user_namespaces").exists(), reason="Linux only")
def test_the_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    chosen(f"import tempfile; tempfile.tempdir = {str(tmp_path)!r}")

    assert list(tmp_path.iterdir()) == []
