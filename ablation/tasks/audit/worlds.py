"""Where and how often an audit looks at a task: how looks differ, so that what depends on it is seen.

A *world* is what processes start in: a hash seed and a clock. Every task is looked at in the first ``BASE`` worlds.
A task whose text has to do with chance, time or the order of a set is looked at in all of them.
"""

import ast
from functools import lru_cache

from ablation.scoring.environment import World
from ablation.scoring.examination import Run
from ablation.tasks.audit.source import parse
from ablation.tasks.task import Task

BASE = 3
MAX_WORLDS = 10
MORE_RUNS = 2  # of the reference in each further world
# Ten such steps go through all weekdays, hours and seconds evenly, and over a year's end.
STEP_S = ((41 * 24 + 7) * 60 + 11) * 60 + 37

_MODULES = {"random", "secrets", "uuid", "threading", "asyncio", "concurrent", "multiprocessing", "tempfile", "numpy"}
_CALLS = {"set", "frozenset", "hash", "id", "urandom", "now", "today", "utcnow", "time", "time_ns", "localtime"}
_CALLS |= {"gmtime", "ctime", "strftime", "monotonic", "perf_counter", "process_time", "getpid", "sleep", "listdir"}
_CALLS |= {"intersection", "union", "difference", "symmetric_difference", "keys"}


def worlds(repeats: int) -> list[World]:
    """The worlds of an audit with so many looks."""
    return [World(number, number * STEP_S) for number in range(min(repeats, MAX_WORLDS))]


def runs_in(world: int, repeats: int) -> tuple[Run, ...]:
    """What is run in the world of that number: over the base worlds ``repeats`` runs, no two in the same way."""
    base = min(BASE, repeats)
    if world < base:
        return tuple(Run(number, number) for number in range(world, repeats, base))
    first = repeats + MORE_RUNS * (world - base)
    return tuple(Run(number, number) for number in range(first, first + MORE_RUNS))


def is_sensitive(task: Task) -> bool:
    """Whether tests or reference have to do with chance, time, threads, hashes or sets."""
    return any(map(_has_sensitive, (task.tests, task.reference)))


@lru_cache(maxsize=1 << 16)  # asked in every world; an answer is small
def _has_sensitive(text: str | None) -> bool:
    tree = parse(text)
    return tree is not None and any(map(_is_sensitive, ast.walk(tree)))


def _is_sensitive(node: ast.AST) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in _MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in _MODULES
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in _CALLS
    return False
