"""Good tasks of the second set: other problems, other ways to ask and to test."""

import datetime
import random
import re
import sys
import types
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from ablation.tasks.task import Task

from ..words import Words
from .classes import CLASSES
from .functions import FUNCTIONS, Family, Piece

T = TypeVar("T")


class Made(NamedTuple):
    """A task with what it is made of."""

    task: Task
    piece: Piece
    cases: list[tuple[str, Any]]


def halved(variants: Sequence[T], held_out: bool) -> Sequence[T]:
    """The half that the audit was mended with, or the half that was kept from it."""
    half = (len(variants) + 1) // 2
    return variants[half:] if held_out and len(variants) > 1 else variants[:half]


def good_tasks(number: int, seed: int, held_out: bool) -> list[Task]:
    """So many good tasks, all different."""
    chance = random.Random(f"good {seed} {held_out}")
    words = Words(chance)
    families = (*halved(FUNCTIONS, held_out), *halved(CLASSES, held_out))
    return [made(chance, words, f"good-{index:05d}", families).task for index in range(number)]


def made(chance: random.Random, words: Words, task_id: str, families: Sequence[Family], plain: bool = False) -> Made:
    """One good task; ``plain`` has one function for each test and prose for a prompt."""
    while True:
        piece = chance.choice(families)(chance, words)
        cases = [(call, value_of(piece, call)) for call in piece.calls]
        if not cases or len({repr(value) for _, value in cases}) > 2:
            break
    test = plain_tests if plain else chance.choice((plain_tests, _several, _unittest, _parametrised, _set_up))
    ask = _prose if plain else chance.choice((_prose, _headed, _docstring, _story))
    task = Task(task_id, ask(chance, words, piece, cases), piece.name, test(piece, cases), piece.code)
    return Made(task, piece, cases)


def space_of(piece: Piece) -> dict[str, Any]:
    """The names of the reference, as those of a module."""
    module = types.ModuleType("solution_of_a_benchmark")
    sys.modules[module.__name__] = module
    exec(piece.code, vars(module))
    return vars(module)


def value_of(piece: Piece, call: str) -> Any:
    return eval(call, space_of(piece) | {"datetime": datetime, "Fraction": Fraction})


def _prose(chance: random.Random, words: Words, piece: Piece, cases: list[tuple[str, Any]]) -> str:
    asked = "" if piece.signature.startswith("class") else f"Implement `{piece.signature[4:-1]}` in Python. "
    return f"{asked}{piece.says}\n"


def _headed(chance: random.Random, words: Words, piece: Piece, cases: list[tuple[str, Any]]) -> str:
    shown = "".join(f"\n    {call}\n    => {value!r}\n" for call, value in cases[:1])
    sentences = re.split(r"(?<=\.) (?=[A-Z])", piece.says)
    points = piece.says if "```" in piece.says else "\n".join(f"- {sentence}" for sentence in sentences)
    return (
        f"# {words.noun().title()} {words.noun()}\n\n## Task\n\nComplete this in `solution.py`:\n\n```python\n"
        f"{piece.signature}\n    ...\n```\n\n## Requirements\n\n{points}\n{'## Example' if shown else ''}{shown}\n"
    )


def _docstring(chance: random.Random, words: Words, piece: Piece, cases: list[tuple[str, Any]]) -> str:
    shown = "".join(f"\n    >>> {call}\n    {value!r}" for call, value in cases[:2])
    says = piece.says.replace("\n", "\n    ")
    return f'{piece.signature}\n    """{says}\n{shown}\n    """\n'


def _story(chance: random.Random, words: Words, piece: Piece, cases: list[tuple[str, Any]]) -> str:
    return (
        f"Our {words.place()} would like to replace a spreadsheet about the {words.text(2)}. The first thing "
        f"we need is `{piece.name}`.\n\n{piece.says}\n\nIts head: `{piece.signature}`. Errors that are "
        f"not mentioned need no care. "
        "Thank you!\n"
    )


def _head(piece: Piece, *more: str) -> str:
    lines = [*more, *(line for line in piece.imports if line.startswith("import") and line not in more)]
    lines += [f"from solution import {piece.name}"]
    return "\n".join([*lines, *(line for line in piece.imports if line.startswith("from"))]) + "\n"


def _rest(piece: Piece) -> str:
    """The further tests, with what they expect put in."""
    parts = []
    for part in re.split(r"\n(?=def test)", piece.more):
        if "EXPECT" in part:
            body, _, asked = part.rpartition("EXPECT ")
            space = space_of(piece)
            lines = body.partition("\n")[2]
            exec("if True:\n" + lines, space)
            part = f"{body}assert {asked.strip()} == {eval(asked, space)!r}\n"
        parts.append(part.strip("\n"))
    return "".join(f"\n\n{part}\n" for part in parts if part)


def plain_tests(piece: Piece, cases: list[tuple[str, Any]]) -> str:
    tests = [
        f"\n\ndef test_{n}():\n    result = {call}\n    assert result == {value!r}\n"
        for n, (call, value) in enumerate(cases)
    ]
    return _head(piece) + "".join(tests) + _rest(piece)


def _several(piece: Piece, cases: list[tuple[str, Any]]) -> str:
    """Two assertions a test, with messages."""
    body = _head(piece)
    for n in range(0, len(cases), 2):
        asserts = "".join(f"    assert {call} == {value!r}, 'case {n}'\n" for call, value in cases[n : n + 2])
        body += f"\n\ndef test_behaviour_{'abc'[n // 2]}():\n    # typical use\n{asserts}"
    return body + _rest(piece)


def _unittest(piece: Piece, cases: list[tuple[str, Any]]) -> str:
    body = _head(piece, "import unittest")
    if cases:
        body += "\n\nclass Behaviour(unittest.TestCase):\n    def setUp(self):\n        self.maxDiff = None\n"
        for n, (call, value) in enumerate(cases):
            body += f"\n    def test_{n}(self):\n        got = {call}\n        self.assertEqual(got, {value!r})\n"
    return body + _rest(piece)


def _parametrised(piece: Piece, cases: list[tuple[str, Any]]) -> str:
    rows = "".join(
        f"    pytest.param(lambda: {call}, {value!r}, id='case{n}'),\n" for n, (call, value) in enumerate(cases)
    )
    body = _head(piece, "import pytest")
    if cases:
        body += f"\nCASES = [\n{rows}]\n\n\n@pytest.mark.parametrize('ask, expected', CASES)\n"
        body += "def test_case(ask, expected):\n    assert ask() == expected\n"
    return body + _rest(piece)


def _set_up(piece: Piece, cases: list[tuple[str, Any]]) -> str:
    body = _head(piece)
    if cases:
        expected = [value for _, value in cases]
        body += f"\n\ndef check(got, number):\n    expected = {expected!r}\n    assert got == expected[number]\n"
        body += "\n\nclass TestAll:\n    def setup_method(self):\n        self.seen = []\n"
        for n, (call, _) in enumerate(cases):
            body += f"\n    def test_{n}(self):\n        self.seen.append({call})\n"
            body += f"        check(self.seen[-1], {n})\n        assert len(self.seen) == 1\n"
    return body + _rest(piece)
