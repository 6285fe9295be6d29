"""What the Python of a task says: which module the candidate becomes, and what it must define."""

import ast
from collections.abc import Collection, Iterable
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import NamedTuple

from ablation.tasks.audit.source import definitions, names_used_of, parse, required_imports, top_level_names
from ablation.tasks.reading import TaskError

MODULE = "solution"


class Source(NamedTuple):
    """A file of tests; the tree is None where it does not parse."""

    text: str
    tree: ast.Module | None


def asked_module(tests: Iterable[Source], provided: Collection[str], written: Collection[str]) -> str:
    """The module that ``tests`` import and the task does not provide, ``solution`` where none is.

    Args:
        provided: modules that come with the task.
        written: modules that its solution writes.

    Raises:
        TaskError: several modules could be meant.
    """
    imported = {name for source in tests if source.tree for name in required_imports(source.tree)}
    lacking = {name for name in imported if name not in provided and not _known(name.partition(".")[0])}
    for known in ({MODULE}, lacking & set(written), lacking):
        if len(found := known & lacking) == 1:
            return found.pop()
    if lacking:
        raise TaskError(
            f"the tests import {', '.join(sorted(lacking))}, which neither the task nor this Python has; expected one "
            "module for the candidate: install the others"
        )
    return next(iter(written)) if len(written) == 1 else MODULE


def asked_name(module: str, tests: Iterable[Source], reference: str | None) -> str:
    """The name of ``module`` that the tests use first, else the first that the reference defines. Raises TaskError."""
    tests = list(tests)
    if name := _first_used(module, tests, set()):
        return name  # most tests name what they import, which spares parsing the reference
    defined = parse(reference)
    if name := _first_used(module, tests, top_level_names(defined)):
        return name
    if named := definitions(defined):
        return next(iter(named))
    raise TaskError(
        "neither its tests nor its reference say what the candidate must define; expected tests in Python that import "
        f"a name from {module}"
    )


def _first_used(module: str, tests: Iterable[Source], defined: set[str]) -> str | None:
    for text, tree in tests:
        if tree and (used := names_used_of(module, tree, defined)):
            return min(used, key=lambda name: (text.find(name), name))
    return None


@lru_cache(maxsize=1000)
def _known(package: str) -> bool:
    return package in ("pytest", "unittest") or PathFinder.find_spec(package) is not None or package in _BUILT_IN


_BUILT_IN = frozenset(__import__("sys").stdlib_module_names)
