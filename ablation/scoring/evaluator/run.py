"""Run collected tests again: pytest's set-up and tear-down around each, without its reports."""

import random
import unittest
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from _pytest.outcomes import Skipped, XFailed
from _pytest.runner import SetupState
from _pytest.tmpdir import tmppath_result_key
from _pytest.unittest import TestCaseFunction

from ablation.scoring.evaluator import direct
from ablation.scoring.evaluator.suite import Pytest, Suite
from ablation.scoring.verdict import Outcome

MAX_DETAIL_CHARS = 300


class TestResult(NamedTuple):
    """What one test said."""

    name: str
    outcome: Outcome
    detail: str = ""


TestResult.__test__ = False  # type: ignore[attr-defined]


class UncleanError(Exception):
    """Something of a run could not be torn down: these tests cannot be run in this process again."""


def run(
    pytest_: Pytest, suite: Suite, over: Callable[[], bool], before: Callable[[str], None], order: int = 0
) -> Iterator[TestResult]:
    """The result of each test in turn, until ``over`` says that the candidate can answer no more.

    ``before`` is told the name of each test before it runs; ``order`` is as in ``Run``.

    Raises:
        UncleanError: when all results are out, the set-up state is still not empty.
    """
    state = pytest_.state
    names = ordered([name for name in suite.items if name not in suite.skipped], order)
    try:
        for index, name in enumerate(names):
            following = suite.items[names[index + 1]] if index + 1 < len(names) else None
            before(name)
            item = suite.items[name]
            result = _call_one(name, item) if suite.direct else _run_one(state, name, item, following)
            if over():
                yield TestResult(name, "timeout")
                return
            yield result
    finally:
        _empty(state)


def ordered(names: list[str], order: int) -> list[str]:
    """The names as they are (0), from last to first (1), or shuffled by ``order``; those of a class stay together."""
    if order < 2:
        return names[::-1] if order else names
    classes: dict[str, list[str]] = {}
    for name in names:
        classes.setdefault(name.rpartition("::")[0], []).append(name)
    chance = random.Random(order)
    groups = list(classes.values())
    chance.shuffle(groups)
    for group in groups:
        chance.shuffle(group)
    return [name for group in groups for name in group]


def _run_one(state: SetupState, name: str, item: pytest.Item, following: pytest.Item | None) -> TestResult:
    if hasattr(item, "_initrequest"):
        item._initrequest()
    item.stash[tmppath_result_key] = {}
    outcome, detail = _phase(lambda: state.setup(item), "error")
    if outcome == "passed":
        outcome, detail = _phase(lambda: _call(item), "failed")
    left, why = _phase(lambda: state.teardown_exact(following), "error")
    if left == "error":
        outcome, detail = "error", detail or why
    return TestResult(name, outcome, detail)


def _call_one(name: str, item: pytest.Item) -> TestResult:
    if isinstance(item, TestCaseFunction):
        return TestResult(name, *_phase(lambda: _run_case(direct.test_case(item)), "failed"))
    assert isinstance(item, pytest.Function)
    return TestResult(name, *_phase(lambda: direct.call(item), "failed"))


def _phase(action: Callable[[], Any], otherwise: Outcome) -> tuple[Outcome, str]:
    try:
        action()
    except (Skipped, XFailed, unittest.SkipTest):
        return "skipped", ""
    except BaseException as error:  # SystemExit and the like are failures of the test
        return otherwise, describe(error)
    return "passed", ""


def _call(item: pytest.Item) -> None:
    if not isinstance(item, TestCaseFunction):
        item.runtest()
        return
    _run_case(item.instance)


def _run_case(case: unittest.TestCase) -> None:
    result = _Result()
    case(result)
    if result.problem is not None:
        raise result.problem


class _Result(unittest.TestResult):
    """Keeps the first problem of a TestCase as an exception; formats nothing."""

    problem: BaseException | None = None

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self.problem = self.problem or err[1]

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self.problem = self.problem or err[1]

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        if err is not None:
            self.problem = self.problem or err[1]

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        self.problem = self.problem or unittest.SkipTest(reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self.problem = self.problem or unittest.SkipTest("expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        self.problem = self.problem or AssertionError("unexpected success")


def _empty(state: SetupState) -> None:
    """Tear down whatever an abandoned test has left set up."""
    for _ in range(len(state.stack) + 1):
        if not state.stack:
            return
        try:
            state.teardown_exact(None)
        except BaseException:  # a finalizer that asks a candidate which is gone
            continue
    if state.stack:
        raise UncleanError("a test could not be torn down")


def describe(error: BaseException) -> str:
    """One line about an exception whose class may be odd."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    return " ".join(text[:MAX_DETAIL_CHARS].split())
