"""What a candidate server gives up for itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.scoring.containment.paths import PACKAGE

CONFINE = """
import os, sys
from pathlib import Path
from ablation.scoring.containment.confine import confine_server
from ablation.scoring.containment.tiers import named
report = os.dup(1)
high = os.dup2(1, 700)
confine_server(named(sys.argv[1]), [Path(path) for path in sys.argv[3:]], Path(sys.argv[2]))
"""


def confined(
    tier: str, work: Path, then: str = "", readable: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", CONFINE + then, tier, str(work), *readable],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        check=False,
    )


def test_a_readable_path_that_is_missing_is_an_error(tmp_path: Path) -> None:
    ended = confined("landlock+seccomp", tmp_path, readable=("/absent",))

    if "Function not implemented" in ended.stderr:
        pytest.skip("no Landlock here")
    assert ended.stderr.splitlines()[-1] == "FileNotFoundError: [Errno 2] No such file or directory: '/absent'"


def test_privileges_are_given_up_for_good(tmp_path: Path) -> None:
    ended = confined("seccomp", tmp_path, "os.write(report, open('/proc/self/status', 'rb').read())")

    status = dict(line.split(":", 1) for line in ended.stdout.splitlines())
    kinds = ("CapEff", "CapPrm", "CapInh", "NoNewPrivs")
    assert [int(status[kind], 16) for kind in kinds] == [0, 0, 0, 1]


def test_descriptors_above_the_limit_are_closed(tmp_path: Path) -> None:
    ended = confined(
        "seccomp", tmp_path, "os.write(report, str(sorted(os.listdir('/proc/self/fd'), key=int)).encode())"
    )

    assert "'700'" not in ended.stdout
    assert "'0', '1', '2', '3'" in ended.stdout


def test_standard_descriptors_that_were_closed_become_the_null_device_too(tmp_path: Path) -> None:
    then = "os.write(report, str([os.fstat(fd).st_rdev == os.makedev(1, 3) for fd in range(3)]).encode())"
    ended = subprocess.run(
        [sys.executable, "-c", CONFINE.replace("high =", "os.close(0); high =") + then, "seccomp", str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        check=False,
    )

    assert ended.stdout == "[True, True, True]"
