"""What is around tests while they are collected and run: the module that they import, and the alarm."""

import contextlib
import signal
import sys
import types
from collections.abc import Iterator
from time import monotonic  # by name: tests replace what is in the module
from typing import Any

from ablation.scoring.evaluator.here import Nobody
from ablation.scoring.evaluator.peer import EvaluatorPeer


class Placeholders(types.ModuleType):
    """Stands for the candidate's module while tests are collected without one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Placeholder()


class _Placeholder:
    """Stands for a name of a candidate; good for nothing."""


@contextlib.contextmanager
def importable(name: str, module: types.ModuleType) -> Iterator[None]:
    """``module`` importable as ``name``, below empty packages."""
    parts = name.split(".")
    names = [".".join(parts[: index + 1]) for index in range(len(parts))]
    saved = {one: sys.modules.get(one) for one in names}
    for one in names[:-1]:
        package = types.ModuleType(one)
        package.__path__ = []
        sys.modules[one] = package
    if len(parts) > 1:
        vars(sys.modules[names[-2]])[parts[-1]] = module
    sys.modules[name] = module
    try:
        yield
    finally:
        for one, before in saved.items():
            if before is None:
                sys.modules.pop(one, None)
            else:
                sys.modules[one] = before


@contextlib.contextmanager
def alarm(peer: EvaluatorPeer | Nobody) -> Iterator[None]:
    """Interrupt even tests that do not ask the candidate anything when its time is over."""

    armed = True

    def ring(*_: Any) -> None:
        if armed:
            raise peer.over("timeout", "the deadline passed")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(peer.deadline - monotonic(), 0.001), 0.05)
    try:
        yield
    finally:
        armed = False  # first: it may ring at any line
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
