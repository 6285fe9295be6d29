"""Older kernels' Landlock: each version is asked for by its number, in a process of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.scoring.containment import landlock
from ablation.scoring.containment.paths import PACKAGE

TRY = """
import os, socket, sys
from pathlib import Path
from ablation.scoring.containment import kernel, landlock
work, outside, abi = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
kernel.forgo_privileges()
landlock.restrict([], work, abi)
def tried(action):
    try: action()
    except OSError as error: return type(error).__name__
    return "done"
(work / "a").mkdir()
(work / "f").write_text("x")
print(tried(outside.read_bytes), tried(lambda: outside.write_text("x")), tried(lambda: list(outside.parent.iterdir())),
      tried(lambda: (work / "f").rename(work / "g")), tried(lambda: (work / "g").rename(work / "a" / "g")),
      tried(lambda: os.truncate(outside, 0)),
      tried(lambda: socket.socket().bind(("127.0.0.1", 0))),
      tried(lambda: socket.socket(socket.AF_UNIX).connect("\\0" + sys.argv[4])),
      tried(lambda: os.kill(os.getppid(), 0)))
"""


@pytest.mark.parametrize("abi", range(1, 8))
def test_each_version_withholds_what_it_knows(tmp_path: Path, abi: int) -> None:
    try:
        here = landlock.version()
    except OSError as error:
        pytest.skip(f"no Landlock here: {error}")
    if here < abi:
        pytest.skip(f"this kernel has version {here}")
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.write_text("secret")

    with socket.socket(socket.AF_UNIX) as listening:
        name = f"ablation-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        listening.listen()
        ended = subprocess.run(
            [sys.executable, "-c", TRY, str(work), str(outside), str(abi), name],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
            check=True,
        )

    refused = "PermissionError"
    between_folders = "OSError" if abi == 1 else "done"  # EXDEV
    cut = "done" if abi < 3 else refused  # for which seccomp is there
    tcp = "done" if abi < 4 else refused
    scoped = "done" if abi < 6 else refused  # abstract sockets, signals
    assert ended.stdout.split() == [refused, refused, refused, "done", between_folders, cut, tcp, scoped, scoped]


def test_a_newer_version_is_used_as_the_newest_known_one() -> None:
    assert landlock.handled(7) == ((1 << 16) - 1, 3, 3)
    assert landlock.handled(1) == ((1 << 13) - 1, 0, 0)
