"""Procedurally made tasks in the spirit of PyMethods2Test: signature and docstring -> body.

Every kata has three branches and six tests, two for each branch, so that a candidate with one or two right
branches passes a part of them. The same generator with noise in the bodies makes the corpus that the tiny
base model is pre-trained on.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import CodeType
from typing import Any

from ablation.tasks.kata_language import NAMES, VOCABULARIES, Phrase
from ablation.tasks.task import Task

TESTS_PER_BRANCH = 2
_ATTEMPTS_PER_KATA = 200


@dataclass(frozen=True)
class Kata:
    """What one kata says. ``conditions`` is None when the branches are chosen by the argument ``k``."""

    name: str
    type_name: str
    expressions: tuple[Phrase, Phrase, Phrase]
    conditions: tuple[Phrase, Phrase] | None

    @property
    def docstring(self) -> str:
        tests = self.conditions or (Phrase("k is 0", ""), Phrase("k is 1", ""))
        first, second, third = (expression.words for expression in self.expressions)
        return f"Return {first} if {tests[0].words}, {second} if {tests[1].words}, otherwise {third}."

    @property
    def prompt(self) -> str:
        arguments = "x" if self.conditions else "x, k"
        return f'def {self.name}({arguments}):\n    """{self.docstring}"""\n'

    @property
    def body(self) -> str:
        first, second, third = (expression.code for expression in self.expressions)
        tests = [test.code for test in self.conditions] if self.conditions else ["k == 0", "k == 1"]
        return (
            f"    if {tests[0]}:\n        return {first}\n"
            f"    if {tests[1]}:\n        return {second}\n"
            f"    return {third}\n"
        )


def draw_kata(rng: random.Random) -> Kata:
    """Returns a kata of three different expressions over one type."""
    type_name = rng.choice(sorted(VOCABULARIES))
    vocabulary = VOCABULARIES[type_name]
    first, second, third = rng.sample(vocabulary.expressions, 3)
    conditions = None
    if rng.random() < 0.5:
        one, other = rng.sample(vocabulary.conditions, 2)
        conditions = (one, other)
    return Kata(rng.choice(NAMES), type_name, (first, second, third), conditions)


def make_task(kata: Kata, task_id: str, rng: random.Random) -> Task | None:
    """Returns the kata as a task, or None if its inputs cannot tell its branches apart."""
    calls = _calls(kata, rng)
    if calls is None:
        return None
    tests = [
        f"def test_branch_{branch}_case_{case}():\n    assert {kata.name}({arguments}) == {expected!r}\n"
        for branch, case, arguments, expected in calls
    ]
    return Task(
        task_id=task_id,
        prompt=kata.prompt,
        entry_point=kata.name,
        tests="\n\n".join([f"from solution import {kata.name}\n", *tests]),
        reference=kata.prompt + kata.body,
    )


def _calls(kata: Kata, rng: random.Random) -> list[tuple[int, int, str, Any]] | None:
    """Returns (branch, case, arguments, expected value) of each test.

    An input is used only where the three expressions and the bare argument give four different values, so
    that neither a wrong branch nor a stub passes the test by accident.
    """
    inputs: list[Any] = list(VOCABULARIES[kata.type_name].inputs)
    rng.shuffle(inputs)
    chosen: dict[int, list[tuple[str, Any]]] = {0: [], 1: [], 2: []}
    for value in inputs:
        results = [_evaluate(expression.code, value) for expression in kata.expressions]
        if len({repr(result) for result in [*results, value]}) < 4:
            continue
        if kata.conditions is None:
            branch = min(chosen, key=lambda b: len(chosen[b]))
            arguments = f"{value!r}, {branch}"
        else:
            hits = [bool(_evaluate(condition.code, value)) for condition in kata.conditions]
            branch = hits.index(True) if any(hits) else 2
            arguments = repr(value)
        if len(chosen[branch]) < TESTS_PER_BRANCH:
            chosen[branch].append((arguments, results[branch]))
        if all(len(cases) == TESTS_PER_BRANCH for cases in chosen.values()):
            return [(branch, case, *call) for branch, cases in chosen.items() for case, call in enumerate(cases)]
    return None


def _evaluate(code: str, x: Any) -> Any:
    return eval(_compiled(code), {"x": x})  # our own expressions only


@cache
def _compiled(code: str) -> CodeType:
    return compile(code, "<kata>", "eval")


def make_splits(sizes: dict[str, int], seed: int) -> dict[str, list[Task]]:
    """Returns tasks by split; no docstring occurs twice, within a split or across splits.

    Raises ValueError when the language is too small for the sizes asked for.
    """
    rng = random.Random(f"katas-{seed}")
    seen: set[str] = set()
    splits: dict[str, list[Task]] = {}
    for split, size in sizes.items():
        tasks: list[Task] = []
        for _ in range(size * _ATTEMPTS_PER_KATA):
            if len(tasks) == size:
                break
            kata = draw_kata(rng)
            task = make_task(kata, f"kata-{split}-{len(tasks):04d}", rng)
            if task is not None and kata.docstring not in seen:
                seen.add(kata.docstring)
                tasks.append(task)
        if len(tasks) < size:
            raise ValueError(
                f"tasks.{split}={size} katas were asked for, but only {len(tasks)} different ones could be "
                f"made; ask for at most tasks.{split}={len(tasks)}."
            )
        splits[split] = tasks
    return splits


def corpus(held_out: set[str], noise: float, seed: int) -> Iterator[tuple[str, str]]:
    """Yields (prompt, body) pairs without end for pre-training.

    Each part of a body (condition, expression, branch) is replaced with probability ``noise`` by another of
    its kind, and 4 % of the bodies are broken: ``noise`` is the dial for the strength of the base model.
    Prompts in ``held_out`` (those of the validation and test split) never occur, under any function name.
    """
    rng = random.Random(f"corpus-{seed}")
    # Those of another set may have none; then no kata is one of them.
    held_out_docstrings = {docstring for prompt in held_out for docstring in prompt.split('"""')[1:2]}
    while True:
        kata = draw_kata(rng)
        if kata.docstring in held_out_docstrings:
            continue
        body = _corrupt(kata, noise, rng).body
        if rng.random() < 0.04:
            cut = rng.randrange(8, len(body))
            body = body[:cut] + rng.choice(("(", "))", ":", " return", "")) + "\n"
        yield kata.prompt, body


def _corrupt(kata: Kata, noise: float, rng: random.Random) -> Kata:
    vocabulary = VOCABULARIES[kata.type_name]

    def blur(phrase: Phrase, kinds: tuple[Phrase, ...]) -> Phrase:
        return rng.choice(kinds) if rng.random() < noise else phrase

    first, second, third = (blur(expression, vocabulary.expressions) for expression in kata.expressions)
    conditions = kata.conditions
    if conditions:
        # A wrong condition spoils two branches, so conditions are blurred less than expressions.
        one, other = (blur(c, vocabulary.conditions) if rng.random() < 0.5 else c for c in conditions)
        conditions = (one, other)
    return replace(kata, expressions=(first, second, third), conditions=conditions)
