"""Nothing of a candidate outlives its end, nor that of its server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confined import SERVER, Sandbox, started

from ablation.scoring.containment.paths import PACKAGE
from ablation.scoring.containment.tiers import NONE, Tier

FAMILY = """
import uuid
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        say('daemon ')
        time.sleep(600)
    os._exit(0)
if os.fork() == 0:
    say('child ')
    time.sleep(600)
time.sleep(600)
"""


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true; the wait is only for a machine that is busy."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_familys_members_all_end_without_a_sandbox(tmp_path: Path) -> None:
    with started(NONE, tmp_path) as sandbox:
        ended = sandbox.run(FAMILY, seconds=2)

        assert sorted(ended.said.split()) == ["child", "daemon"]
        assert ended.exit_code == -signal.SIGKILL
        assert descendants(sandbox.process.pid) == []


def test_no_process_and_no_zombie_is_left_in_any_tier(sandbox: Sandbox) -> None:
    sandbox.run("say('the server has started')")
    before = [process.pid for process in descendants(sandbox.process.pid)]
    for source in ("say('x')", "os._exit(3)", "os.kill(1, 9)", "ctypes.string_at(0)", "raise SystemExit"):
        sandbox.run(source)

    assert [process.pid for process in descendants(sandbox.process.pid)] == before


def test_the_exit_code_is_the_childs_own(sandbox: Sandbox) -> None:
    assert sandbox.run("os._exit(3)").exit_code == 3


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGTERM])
def test_a_candidate_dies_with_its_server(tier: Tier, tmp_path: Path, killed: signal.Signals) -> None:
    with started(tier, tmp_path) as sandbox:
        assert sandbox.process.stdin is not None
        sandbox.run("say('warm')")
        sandbox.process.stdin.write('{"source": "time.sleep(600)", "cpu_s": 60, "seconds": 600}\n')
        sandbox.process.stdin.flush()
        depth = 3 if tier.bubblewrap else 1  # bubblewrap's first process, the server, the candidate
        assert eventually(lambda: len(descendants(sandbox.process.pid)) == depth)
        family = descendants(sandbox.process.pid)
        sandbox.process.send_signal(killed)

        assert eventually(lambda: not any(process.is_running() for process in family))


def test_a_server_that_would_lose_its_socket_says_so(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ended = subprocess.run(
            [sys.executable, "-c", SERVER.replace("os.dup2(1, 11)", "0"), "none", str(tmp_path)],
            stdin=theirs.fileno(),
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
            check=False,
        )

    assert ended.stderr.splitlines()[-1].startswith("ValueError: descriptor 0 is a socket, which would be lost")
