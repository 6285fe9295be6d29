"""What the evaluator cannot do by the kernel's word, should a candidate ever make it do something.

Tests are code that runs there, so that a task whose tests try through the C library, which no guard of Python sees,
says what would become of it.
"""

import os
import socket
import struct
import tempfile
from pathlib import Path

import pytest
from tiers_here import require

from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.tiers import TIERS
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks.task import Task

SOLUTION = "def f(x):\n    return x + 1\n"
HEAD = """
import ctypes, os
from solution import f

libc, pair = ctypes.CDLL(None, use_errno=True), (ctypes.c_int * 2)()

def test_f(tmp_path):
    assert f(1) == 2
"""
DEEDS = {
    "start": "libc.system(b'exit 0') == 0",
    "connect": "libc.socket(1, 1, 0) >= 0",
    "send": "libc.socketpair(1, 2, 0, pair) == 0 and libc.sendto(pair[0], b'x', 1, 0, {address!r}, {length}) == 1",
    "limit": "libc.prlimit(os.getppid(), 4, None, (ctypes.c_uint64 * 2)()) == 0",
    "slow": "libc.setpriority(0, os.getppid(), libc.getpriority(0, os.getppid())) == 0",
    "leave": "libc.semctl(libc.semget(0, 1, 0o600), 0, 0) == 0",
    "write": "libc.open({outside!r}, 65, 0o600) >= 0",
    "read": "libc.open({secret!r}, 0) >= 0",
    "forge": "libc.open(os.fsencode(os.path.dirname(os.getcwd()) + '/scripts'), 0o20200002, 0o600) >= 0",
}
PATHS = {"write", "read", "forge"}  # at which the tier that is seccomp alone does not look
OWN = "libc.open(os.fsencode(tmp_path / 'x'), 65, 0o600) >= 0 and libc.open(os.fsencode(os.__file__), 0) >= 0"


def outcomes(tier: str, expressions: dict[str, str]) -> dict[str, str]:
    """What becomes of a test of each expression."""
    tests = [f"def test_{name}(tmp_path):\n    assert {expression}\n" for name, expression in expressions.items()]
    task = Task("walls", "def f(x):\n", "f", "\n".join([HEAD, *tests]), SOLUTION)
    with ScoringPool(1, tier) as pool:
        verdict = pool.score([Submission(task, SOLUTION)])[0]
    assert (verdict.status, verdict.detail) == ("scored", "")
    return {name.removeprefix("test_"): outcome for name, outcome in verdict.tests.items() if name != "test_f"}


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "secret").write_text("secret")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "listener"))
        address = struct.pack("H", socket.AF_UNIX) + os.fsencode(tmp_path / "listener") + b"\0"
        yield {
            "outside": os.fsencode(tmp_path / "new"),
            "secret": os.fsencode(tmp_path / "secret"),
            "address": address,
            "length": len(address),
        }


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_the_evaluator_does_nothing_outside_and_still_reads_libraries_and_writes_what_tests_write(tier, outside):
    require(tier)
    deeds = {name: deed for name, deed in DEEDS.items() if tier.landlock or name not in PATHS}
    held = outcomes(tier.name, {name: f"not ({deed.format(**outside)})" for name, deed in deeds.items()} | {"own": OWN})
    assert held == dict.fromkeys([*deeds, "own"], "passed")
    assert not Path(os.fsdecode(outside["outside"])).exists()


def test_the_same_deeds_succeed_unconfined(outside):
    done = outcomes("none", {name: deed.format(**outside) for name, deed in DEEDS.items()})
    assert done == dict.fromkeys(DEEDS, "passed")


def test_nothing_is_left_of_its_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcomes(choose().tier.name, {"own": OWN})
    assert list(tmp_path.iterdir()) == []
