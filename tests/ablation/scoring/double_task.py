"""The task that the tests of scoring ask."""

import psutil

from ablation.tasks.task import Task

TESTS = """\
from solution import double


def test_zero():
    assert double(0) == 0


def test_one():
    assert double(1) == 2


def test_text():
    assert double("a") == "aa"
"""
DOUBLE = Task("double", 'def double(x):\n    """Twice x."""\n', "double", TESTS, "def double(x):\n    return x + x\n")
SOLVED = {"test_zero": "passed", "test_one": "passed", "test_text": "passed"}


def is_worker(process: psutil.Process) -> bool:
    """Whether a process is an evaluator, which is what the pool starts."""
    return "ablation.scoring.evaluator" in process.cmdline()
