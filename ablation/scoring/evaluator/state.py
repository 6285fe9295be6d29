"""What a test file keeps between its tests, put back before each candidate.

Tests that are collected once run again for candidate after candidate. What one of them leaves behind in a
global, a class or a parameter must not reach the next: plain data is copied afresh, what was rebound is
bound back, and a file that holds anything else is not kept at all.
"""

import copy
import datetime
import enum
import re
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from _pytest.fixtures import FixtureFunctionDefinition

_CONSTANT = (
    *(type(None), bool, int, float, complex, str, bytes, range, Decimal, Fraction, type(Ellipsis)),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, re.Pattern, PurePath, enum.Enum),
    *(types.ModuleType, types.MethodDescriptorType, types.WrapperDescriptorType, types.GenericAlias),
)
_MUTABLE = (list, dict, set, bytearray, Counter, OrderedDict, defaultdict, deque)
_OWN = frozenset(["__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__qualname__", "pytestmark"])


class StatefulError(Exception):
    """A test file keeps something that cannot be put back; the message says what."""


class State:
    """The globals and classes of a test module as they were after its import."""

    def __init__(
        self, module: types.ModuleType, bound: frozenset[str], parameters: Iterable[tuple[str, Any]] = ()
    ) -> None:
        """``bound`` are the globals that come from the candidate, ``parameters`` those of tests by name.

        Raises StatefulError.
        """
        self._bound = bound
        self._module = module
        self._spaces: list[tuple[Any, dict[str, Any]]] = []  # owner and its pristine content
        self._data: list[tuple[Any, str, Any]] = []  # owner, name, pristine mutable data
        self._classes: set[type] = set()
        self._note(module, {name: value for name, value in vars(module).items() if name not in bound})
        for name, value in parameters:  # copied afresh for each candidate, which goes for plain data alone
            self._plain(value, name)

    def restore(self) -> None:
        """Put everything back."""
        for owner, pristine in self._spaces:
            space = vars(owner)
            if len(space) == len(pristine) + (len(self._bound) if owner is self._module else 0) and all(
                space.get(name) is value for name, value in pristine.items()
            ):
                continue
            for name in [name for name in space if name not in pristine and name not in self._bound]:
                if not name.startswith("__"):
                    delattr(owner, name)
            for name, value in pristine.items():
                if space.get(name) is not value:
                    setattr(owner, name, value)
        for owner, name, value in self._data:
            fresh = copy.deepcopy(value)
            setattr(owner, name, fresh)
            next(space for one, space in self._spaces if one is owner)[name] = fresh

    def _note(self, owner: Any, space: dict[str, Any]) -> None:
        self._spaces.append((owner, dict(space)))
        for name, value in space.items():
            if name in _OWN or (owner is self._module and name.startswith("__")):
                continue
            if isinstance(value, _MUTABLE):
                self._plain(value, name)
                self._data.append((owner, name, copy.deepcopy(value)))
            else:
                self._immutable(value, name)

    def _immutable(self, value: Any, name: str) -> None:
        if isinstance(value, tuple | frozenset):
            for item in value:
                self._immutable(item, name)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.MethodType):
            self._immutable(value.__self__, name)
        elif isinstance(value, types.BuiltinFunctionType):
            if not isinstance(value.__self__, types.ModuleType | type | None):
                self._immutable(value.__self__, name)
        elif (function := _function_of(value)) is not None:
            self._spaces.append((function, dict(vars(function))))
            for kept in _kept_by(function):
                self._immutable(kept, name)
        elif not isinstance(value, _CONSTANT):
            raise StatefulError(
                f"{name} is a {type(value).__name__} that one candidate could leave changed for the next"
            )

    def _class(self, kind: type) -> None:
        if kind.__module__ == self._module.__name__ and kind not in self._classes:
            self._classes.add(kind)
            self._note(kind, dict(vars(kind)))

    def _plain(self, value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                self._plain(key, name)
                self._plain(item, name)
        elif isinstance(value, list | tuple | set | frozenset | deque):
            for item in value:
                self._plain(item, name)
        else:
            self._immutable(value, name)


def _function_of(value: Any) -> types.FunctionType | None:
    """The function behind a function, method, property, fixture or the like."""
    if isinstance(value, types.FunctionType):
        return value
    # Others that wrap a function may keep what it once returned.
    if isinstance(value, staticmethod | classmethod | property | FixtureFunctionDefinition):
        for attribute in ("__func__", "fget", "_fixture_function"):
            inner = getattr(value, attribute, None)
            if isinstance(inner, types.FunctionType):
                return inner
    return None


def _kept_by(function: Callable[..., Any]) -> Iterator[Any]:
    """What a function keeps between calls."""
    assert isinstance(function, types.FunctionType)
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from (value for name, value in vars(function).items() if name not in ("pytestmark", "__wrapped__"))
    for cell in function.__closure__ or ():
        yield cell.cell_contents
