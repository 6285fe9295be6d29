"""A good task for the tests of the audit to spoil."""

from dataclasses import replace
from typing import Any

from ablation.tasks.task import Task

TESTS = """\
from solution import clamp


def test_inside():
    assert clamp(5, 2, 9) == 5


def test_below():
    assert clamp(-4, 2, 9) == 2


def test_above():
    assert clamp(12, 2, 9) == 9
"""
PROMPT = 'def clamp(value, low, high):\n    """Return value, or the bound that it lies beyond."""\n'
REFERENCE = "def clamp(value, low, high):\n    return max(low, min(high, value))\n"


def clamp(**changes: Any) -> Task:
    """The good task with some fields changed."""
    return replace(Task("clamp", PROMPT, "clamp", TESTS, REFERENCE), **changes)
