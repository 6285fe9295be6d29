"""What tests may leave changed in their process, put back before the next candidate.

A test that patches the clock and means to put it back does not get there when the candidate raises.
"""

import decimal
import logging
import os
import sys
import warnings
from importlib import import_module
from operator import is_, itemgetter
from typing import Any

_MODULES = ("builtins", "time", "random", "math", "datetime", "json", "secrets", "uuid")
_OF_OS: tuple[str, ...] = (
    "getcwd",
    "chdir",
    "listdir",
    "scandir",
    "walk",
    "stat",
    "mkdir",
    "makedirs",
    "remove",
    "unlink",
    "rename",
)
_OF_OS += ("rmdir", "getenv", "environ", "path", "urandom", "getpid", "system", "open", "cpu_count", "name", "sep")
_OF_SYS = ("stdin", "stdout", "stderr", "argv", "displayhook", "excepthook", "settrace", "setprofile", "exit")


class Interpreter:
    """This interpreter as it is now. Looked over before every candidate, so nothing here may take long."""

    def __init__(self) -> None:
        spaces = [(vars(import_module(name)), None) for name in _MODULES] + [(vars(os), _OF_OS), (vars(sys), _OF_SYS)]
        self._spaces = [
            _Space(space, [name for name in names or space if _counts(space.get(name))]) for space, names in spaces
        ]
        self._environment = dict(os.environ)
        self._raw_environment = dict(_raw(os.environ))
        self._context = decimal.getcontext().copy()
        self._depth = sys.getrecursionlimit()
        self._filters = list(warnings.filters)

    def restore(self) -> None:
        """Put everything back."""
        for space in self._spaces:
            space.restore()
        if _raw(os.environ) != self._raw_environment:
            os.environ.clear()
            os.environ.update(self._environment)
        if _settings(decimal.getcontext()) != _settings(self._context):
            decimal.setcontext(self._context.copy())
        if sys.getrecursionlimit() != self._depth:
            sys.setrecursionlimit(self._depth)
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
        if logging.root.manager.disable:
            logging.disable(logging.NOTSET)


class _Space:
    """Names of a module, and what they stood for."""

    def __init__(self, space: dict[str, Any], names: list[str]) -> None:
        self._space, self._names = space, names
        self._get = itemgetter(*names)
        self._values = self._get(space)

    def restore(self) -> None:
        try:
            same = all(map(is_, self._get(self._space), self._values))
        except KeyError:
            same = False
        if not same:
            self._space.update(zip(self._names, self._values, strict=True))


def _counts(value: Any) -> bool:
    """Whether tests replace such a thing: no numbers, which are many, and no exceptions."""
    return not isinstance(value, int | float) and not (isinstance(value, type) and issubclass(value, BaseException))


def _raw(environment: Any) -> dict[Any, Any]:
    return environment._data  # a plain dict


def _settings(context: decimal.Context) -> tuple[Any, ...]:
    return (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, context.traps)
