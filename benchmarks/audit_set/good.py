"""Good tasks: a problem, written down in one of many ways and tested in one of many ways."""

import datetime
import random
import textwrap
from collections.abc import Sequence
from typing import Any

from ablation.tasks.task import Task

from .problems import KINDS, Kind, Problem
from .words import Words

_OPENINGS = (
    "Please write Python code for a {place}.",
    "You are asked to help with the software of a {place}.",
    "This exercise comes from the records of a {place}.",
    "A {place} keeps its books in plain Python.",
)
_CLOSINGS = (
    "Do not read files and do not print anything.",
    "Only the standard library is at hand.",
    "Inputs are as described and need not be checked any further.",
    "Short and plain code is preferred.",
)


def good_tasks(number: int, seed: int = 0) -> list[Task]:
    """So many good tasks, all different."""
    chance = random.Random(seed)
    words = Words(chance)
    return [good_task(chance, words, f"good-{index:05d}") for index in range(number)]


def good_task(
    chance: random.Random, words: Words, task_id: str, kinds: Sequence[Kind] = KINDS, plain: bool = False
) -> Task:
    """One good task, whose expected values are those that its reference gives, with at least two different ones.

    ``plain``: tests as functions with one assertion each.
    """
    while True:
        problem = chance.choice(kinds)(chance, words)
        expected = [_value(problem, call) for call in problem.calls]
        if len({repr(value) for value in expected}) > 2 and len(set(problem.calls)) == len(problem.calls):
            break
    return Task(
        task_id,
        _prompt(chance, words, problem, expected),
        problem.name,
        _tests(chance, problem, expected, plain),
        problem.code,
    )


def _value(problem: Problem, call: str) -> Any:
    space: dict[str, Any] = {"datetime": datetime}
    exec(problem.code, space)
    return eval(call, space)


def _prompt(chance: random.Random, words: Words, problem: Problem, expected: list[Any]) -> str:
    """A signature with a docstring, or prose; short or long; with an example or two or without."""
    shown = list(zip(problem.calls, expected, strict=True))[: chance.choice((0, 0, 1, 2))]
    if problem.about_class or chance.random() < 0.5:
        what = "" if problem.about_class else f"Write a function `{problem.signature[4:-1]}`. "
        parts = [chance.choice(_OPENINGS).format(place=words.place()), what + problem.says]
        if shown:
            parts.append("For example:\n\n```python\n" + "\n".join(f"{c}  # {v!r}" for c, v in shown) + "\n```")
        if chance.random() < 0.5:
            parts += [
                chance.choice(_CLOSINGS),
                f"It will be used for the {words.text(3)}, together with {words.text(4)}.",
            ]
        return "\n\n".join(parts if chance.random() < 0.8 else parts[1:]) + "\n"
    doc = "\n".join([textwrap.fill(problem.says, 90), *(f"\n>>> {call}\n{value!r}" for call, value in shown)])
    return f'{problem.signature}\n    """{textwrap.indent(doc, "    ").strip()}\n    """\n'


def _tests(chance: random.Random, problem: Problem, expected: list[Any], plain: bool) -> str:
    imports = [f"from solution import {problem.name}"]
    if any("datetime." in call for call in problem.calls):
        imports.insert(0, "import datetime")
    styles = (_plain, _plain, _unittest, _unittest, _parametrised, _fixture, _grouped)
    style = _plain if plain else chance.choice(styles)
    return style(imports, problem, list(zip(problem.calls, expected, strict=True)))


def _claim(call: str, value: Any) -> str:
    if isinstance(value, float):
        return f"abs({call} - {value!r}) < 1e-6"
    return f"{call} == {value!r}" if not isinstance(value, bool) and value is not None else f"{call} is {value!r}"


def _plain(imports: list[str], problem: Problem, pairs: list[tuple[str, Any]]) -> str:
    tests = [f"def test_{problem.name.lower()}_{n}():\n    assert {_claim(*pair)}\n" for n, pair in enumerate(pairs, 1)]
    if problem.raising:
        imports = ["import pytest", *imports]
        call, error = problem.raising
        tests.append(f"def test_out_of_range():\n    with pytest.raises({error}, match='level'):\n        {call}\n")
    return "\n".join(imports) + "\n\n\n" + "\n\n".join(tests)


def _unittest(imports: list[str], problem: Problem, pairs: list[tuple[str, Any]]) -> str:
    methods = []
    for n, (call, value) in enumerate(pairs):
        claim = f"assert{'AlmostEqual' if isinstance(value, float) else 'Equal'}({call}, {value!r})"
        methods.append(f"    def test_case_{n}(self):\n        self.{claim}\n")
    if problem.raising:
        call, error = problem.raising
        methods.append(f"    def test_refusal(self):\n        with self.assertRaises({error}):\n            {call}\n")
    head = "\n".join(["import unittest", *imports])
    return f"{head}\n\n\nclass Test{problem.name.title().replace('_', '')}(unittest.TestCase):\n" + "\n".join(methods)


def _parametrised(imports: list[str], problem: Problem, pairs: list[tuple[str, Any]]) -> str:
    if problem.about_class:
        return _grouped(imports, problem, pairs)
    rows = "".join(f"        (({call[len(problem.name) + 1 : -1]},), {value!r}),\n" for call, value in pairs)
    head = "\n".join(["import pytest", *imports])
    return (
        f"{head}\n\n\n@pytest.mark.parametrize(\n    ('arguments', 'expected'),\n    [\n{rows}    ],\n)\n"
        f"def test_answers(arguments, expected):\n    assert {problem.name}(*arguments) == expected\n"
    )


def _fixture(imports: list[str], problem: Problem, pairs: list[tuple[str, Any]]) -> str:
    head = "\n".join(["import pytest", *imports])
    body = f"{head}\n\n\n@pytest.fixture\ndef expected():\n    return {[value for _, value in pairs]!r}\n"
    for n, (call, _) in enumerate(pairs):
        body += f"\n\ndef test_number_{n}(expected):\n    assert {call} == expected[{n}]\n"
    return body


def _grouped(imports: list[str], problem: Problem, pairs: list[tuple[str, Any]]) -> str:
    half = len(pairs) // 2
    body = "\n".join(imports) + "\n"
    for name, part in (("First", pairs[:half]), ("Second", pairs[half:])):
        body += f"\n\nclass Test{name}:\n"
        body += "\n".join(f"    def test_{n}(self):\n        assert {_claim(*pair)}\n" for n, pair in enumerate(part))
    return body
