"""What the evaluator cannot do by the kernel's word, should a candidate ever make it do something.

Tests are code that runs there, so that a task whose tests try through the C library, which no guard of Python sees,
says what would become of it.
"""

import os
import tempfile
from pathlib import Path

import pytest
from tiers_here import require

from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.tiers import TIERS, named
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task

SOLUTION = "def f(x):\n    return x + 1\n"
TESTS = """
import ctypes, os
from solution import f

def test_f(tmp_path):
    assert f(1) == 2

def test_walls(tmp_path):
    libc = ctypes.CDLL(None, use_errno=True)
    assert {expression}
"""
DEEDS = {
    "start": "libc.system(b'exit 0') == 0",
    "connect": "libc.socket(1, 1, 0) >= 0",
    "write": "libc.open({outside!r}, 65, 0o600) >= 0",
    "read": "libc.open({secret!r}, 0) >= 0",
}
# The tier that is seccomp alone does not look at the paths of the evaluator.
WALLS = [(tier.name, deed) for tier in TIERS for deed in DEEDS if tier.landlock or deed in ("start", "connect")]
OWN = "libc.open(os.fsencode(tmp_path / 'x'), 65, 0o600) >= 0 and libc.open(os.fsencode(os.__file__), 0) >= 0"


def verdict(tier: str, expression: str) -> Verdict:
    task = Task("walls", "def f(x):\n", "f", TESTS.format(expression=expression), SOLUTION)
    with ScoringPool(1, tier) as pool:
        return pool.score([Submission(task, SOLUTION)])[0]


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "secret").write_text("secret")
    return {"outside": os.fsencode(tmp_path / "new"), "secret": os.fsencode(tmp_path / "secret")}


@pytest.mark.parametrize(("tier", "deed"), WALLS, ids=str)
def test_the_evaluator_starts_reaches_writes_and_reads_nothing_outside(tier, deed, outside):
    require(named(tier))
    held = verdict(tier, f"not ({DEEDS[deed].format(**outside)})")
    assert (held.status, held.detail) == ("scored", "")
    assert held.solved
    assert not Path(os.fsdecode(outside["outside"])).exists()


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_it_still_reads_libraries_and_writes_what_tests_write(tier):
    require(tier)
    assert verdict(tier.name, OWN).solved


def test_the_same_deeds_succeed_unconfined(outside):
    for deed in DEEDS.values():
        assert verdict("none", deed.format(**outside)).solved


def test_nothing_is_left_of_its_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verdict(choose().tier.name, OWN)
    assert list(tmp_path.iterdir()) == []
