"""Tools that take a good task apart and put a spoilt one together."""

import random
from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent, indent

from ablation.tasks.task import Task

from .good import Made, plain_tests

Variant = Callable[[Made, random.Random], Task]


def calls(made: Made) -> list[tuple[str, str]]:
    """Each call with the source of what it gives."""
    return [(call, repr(value)) for call, value in made.cases]


def code(made: Made) -> str:
    return made.piece.code


def with_code(made: Made, source: str, before: str = "") -> Task:
    return replace(made.task, reference=before + source)


def first_lines(made: Made, lines: str) -> str:
    """The reference with lines at the beginning of its function's body."""
    head, colon, body = code(made).partition(f"{made.piece.signature.split(' ->')[0].split('(')[0]}(")
    rest, _, after = body.partition(":\n")
    return f"{head}{colon}{rest}:\n{indent(dedent(lines).strip(), '    ')}\n{after}"


def tested(made: Made, tests: str) -> Task:
    """The task with other tests, below the import of what is asked for; NAME stands for it."""
    body = dedent(tests).strip("\n").replace("NAME", made.piece.name)
    return replace(made.task, tests=f"from solution import {made.piece.name}\n\n\n{body}\n")


def further(made: Made, tests: str, imports: str = "") -> Task:
    """The task with further tests; NAME stands for what is asked for, CALL and VALUE for the first case."""
    call, value = calls(made)[0]
    more = dedent(tests).strip("\n").replace("NAME", made.piece.name).replace("CALL", call).replace("VALUE", value)
    return replace(made.task, tests=f"{imports}{plain_tests(made.piece, made.cases)}\n\n{more}\n")


def own(made: Made, parameters: str, says: str, body: str, tests: str, before: str = "") -> Task:
    """A task of another problem under the same name; NAME stands for it."""
    name = made.piece.name
    reference = f"{dedent(before).lstrip()}def {name}({parameters}):\n{indent(dedent(body).strip(), '    ')}\n"
    return replace(
        made.task,
        prompt=f"Please write the function `{name}({parameters})` in plain Python. {says}\n",
        reference=reference.replace("NAME", name),
        tests=f"from solution import {name}\n\n\n{dedent(tests).strip()}\n".replace("NAME", name),
    )
