"""Tests for which pytest would set nothing up: they are called, which takes a tenth of the time."""

import unittest
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from _pytest.compat import is_async_function
from _pytest.fixtures import FixtureDef
from _pytest.python import DirectParamFixtureDef
from _pytest.unittest import TestCaseFunction

_AT_CLASS = "_unittest_setUpClass_fixture_"  # of every TestCase, and it asks for request
_DEFAULT = {name: getattr(unittest.TestCase, name).__func__ for name in ("setUpClass", "tearDownClass")}


def all_direct(items: Iterable[pytest.Item]) -> bool:
    """Whether none of the items has a fixture, or anything else that is set up before it or torn down after it.

    Plain parameters, and setUp and tearDown of a TestCase, belong to the call.
    """
    return all(_is_direct(item) for item in items)


def call(item: pytest.Function) -> None:
    """Run the test of a direct item that is no TestCase, with an instance of its own if it is a method."""
    parent = item.parent
    owner = parent.newinstance() if isinstance(parent, pytest.Class) else parent.obj  # type: ignore[union-attr]
    params = item.callspec.params if hasattr(item, "callspec") else {}
    result = getattr(owner, item.originalname)(**{name: params[name] for name in item._fixtureinfo.argnames})
    if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
        pytest.fail("a test may not be asynchronous")


def test_case(item: TestCaseFunction) -> unittest.TestCase:
    """The instance that runs the test of a direct item which is one of a TestCase."""
    made: unittest.TestCase = item.parent.obj(item.name)  # type: ignore[union-attr]
    return made


test_case.__test__ = False  # type: ignore[attr-defined]


def _is_direct(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or is_async_function(item.obj):
        return False
    if isinstance(item, TestCaseFunction):
        kind = item.cls
        assert kind is not None
        default = all(_function(getattr(kind, name, None)) is plain for name, plain in _DEFAULT.items())
        return default and all(name == "request" or name.startswith(_AT_CLASS) for name in item.fixturenames)
    known = item._fixtureinfo.name2fixturedefs
    return all(_is_parameter(known.get(name)) for name in item.fixturenames)


def _is_parameter(definitions: Iterable[FixtureDef[Any]] | None) -> bool:
    return definitions is not None and all(isinstance(one, DirectParamFixtureDef) for one in definitions)


def _function(method: Any) -> Callable[..., Any] | None:
    return getattr(method, "__func__", None)
