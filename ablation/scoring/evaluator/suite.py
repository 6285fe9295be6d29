"""Which tests a file defines: pytest's own collection, kept so that the items can be run again and again."""

import copy
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config import Config, _prepareconfig
from _pytest.main import Session
from _pytest.runner import SetupState
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

from ablation.scoring.evaluator.direct import all_direct
from ablation.scoring.evaluator.guards import EVALUATING

_OFF = (
    *("cacheprovider", "stepwise", "junitxml", "pastebin", "logging", "faulthandler", "unraisableexception"),
    *("threadexception", "debugging", "setuponly", "setupplan", "doctest", "legacypath"),
)
MAX_ITEMS = 5000  # of one task


_NO_FIXTURES = SimpleNamespace(name2fixturedefs={})


class CollectError(Exception):
    """The tests of a task cannot be collected; the message says why."""


class Suite:
    """The collected tests of one file."""

    def __init__(self, folder: Path, items: list[pytest.Item], module: Any) -> None:
        self.folder = folder
        self.module = module  # of the tests; None when there is none
        self.items = {_name(item): item for item in items}  # of equal names the last, as a second definition hides
        self.skipped = {name for name, item in self.items.items() if _never_counts(item)}
        self.direct = all_direct(item for name, item in self.items.items() if name not in self.skipped)
        self._params = {
            name: params for name, item in self.items.items() if (params := getattr(item, "callspec", None)) is not None
        }
        self._pristine = {name: _copied(spec.params) for name, spec in self._params.items()}

    @property
    def parameters(self) -> list[tuple[str, Any]]:
        """Name and value of every parameter of its tests."""
        return [(name, value) for spec in self._params.values() for name, value in spec.params.items()]

    def renew(self) -> None:
        """Give the tests parameters and fixtures that no earlier candidate has seen."""
        for name, spec in self._params.items():
            spec.params.clear()
            spec.params.update(_copied(self._pristine[name]))
        for item in self.items.values():
            for definitions in getattr(item, "_fixtureinfo", _NO_FIXTURES).name2fixturedefs.values():
                for definition in definitions:  # one that a candidate left half set up would be used again
                    definition.cached_result = None
                    definition._finalizers.clear()


class Pytest:
    """One pytest session for many files. ``folder`` takes the tests, ``temporary`` what they write.

    ``rewrite`` lets failed assertions say what was compared, which takes time.
    """

    def __init__(self, folder: Path, temporary: Path, rewrite: bool = False) -> None:
        self._folder = folder
        self._count = 0
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        arguments = [
            "--import-mode=importlib",
            f"--assert={'rewrite' if rewrite else 'plain'}",
            "--capture=no",
            "-q",
            "--color=no",
        ]
        arguments += [f"--rootdir={folder}", f"--confcutdir={folder}", "-c", os.devnull, f"--basetemp={temporary}"]
        arguments += [part for name in _OFF for part in ("-p", f"no:{name}")]
        self._problems: list[str] = []
        config: Config = _prepareconfig(arguments, [self])
        config._do_configure()
        self.session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=self.session)

    @property
    def state(self) -> SetupState:
        """What is set up at the moment."""
        return self.session._setupstate

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Hook: remember why something could not be collected."""
        if report.failed:
            self._problems.append(_last_line(str(report.longrepr)))

    def collect(self, source: str, stem: str) -> Suite:
        """The tests in ``source``, the text of a file that would be called ``stem``.py. Raises CollectError."""
        self._count += 1
        folder = self._folder / f"t{self._count}"
        folder.mkdir()
        path = folder / f"{stem}.py"
        self._problems = []
        try:
            path.write_text(source, encoding="utf-8")
            items = list(self.session.perform_collect([str(path)]))
        except (UnicodeEncodeError, pytest.UsageError, SystemExit, pytest.exit.Exception) as error:
            raise CollectError(f"the tests cannot be collected: {type(error).__name__}: {error}") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if self._problems:
            raise CollectError(f"the tests cannot be collected: {self._problems[0]}")
        if not items:
            raise CollectError("the tests define no test")
        if len(items) > MAX_ITEMS:
            raise CollectError(f"the tests define {len(items):,} tests, {MAX_ITEMS:,} are possible")
        parent = items[0].getparent(pytest.Module)
        if parent is not None:
            for name, guard in EVALUATING.items():
                vars(parent.obj).setdefault(name, guard)
        return Suite(folder, items, parent.obj if parent is not None else None)

    def forget(self, suite: Suite) -> None:
        """Drop what pytest keeps of a suite."""
        sys.modules.pop(getattr(suite.module, "__name__", ""), None)


def _copied(params: dict[str, Any]) -> dict[str, Any]:
    try:
        return copy.deepcopy(params)
    except Exception:  # what cannot be copied is no plain data, and not looked at twice: see inline.py
        return dict(params)


def _name(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[2]


def _never_counts(item: pytest.Item) -> bool:
    """Whether a mark or decorator says that the outcome of this test is not to count."""
    holders: Iterable[Any] = (getattr(item, "obj", None), getattr(item, "cls", None))
    if any(getattr(holder, "__unittest_skip__", False) for holder in holders):
        return True
    if getattr(getattr(item, "obj", None), "__unittest_expecting_failure__", False):
        return True
    return evaluate_skip_marks(item) is not None or evaluate_xfail_marks(item) is not None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (said or lines or ["no reason given"])[-1]
