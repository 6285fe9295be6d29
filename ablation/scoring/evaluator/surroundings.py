"""What tests replace around a candidate: what is read, printed and opened, the clock, chance, the environment.

A test that patches ``builtins.input`` or ``time.time`` does so in its own process. What it put there is shown
to the candidate's process before the next request: functions and objects of the tests as such, call-only.
"""

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

from ablation.scoring.operations import PATCHABLE

_ORIGINAL = {target: getattr(sys.modules[target[0]], target[1]) for target in PATCHABLE}


class Surroundings:
    """What the candidate's process was last told."""

    def __init__(self) -> None:
        self._stdin = sys.stdin
        self._told = dict(_ORIGINAL)
        self._told_stdin, self._told_environment = sys.stdin, dict(_raw_environment())
        self.seed: tuple[Any, ...] | None = None  # of a call of random.seed that the candidate was not told of

    def changes(self) -> tuple[Any, ...] | None:
        """The arguments of ``surround``, when something is not as the candidate's process was told."""
        changed = {}
        for target, told in self._told.items():
            now = getattr(sys.modules[target[0]], target[1], None)
            if now is not told:
                changed[target] = now
        same = sys.stdin is self._told_stdin and _raw_environment() == self._told_environment
        if not changed and same and self.seed is None:
            return None
        self._told |= changed
        self._told_stdin, self._told_environment = sys.stdin, dict(_raw_environment())
        seed, self.seed = self.seed, None
        patches = [(*target, None if now is _ORIGINAL[target] else now) for target, now in changed.items()]
        stdin = None if sys.stdin is self._stdin else sys.stdin
        return tuple(patches), stdin, dict(os.environ), seed


def _raw_environment() -> dict[Any, Any]:
    return os.environ._data  # type: ignore[attr-defined]  # a plain dict: compared before each request


@contextlib.contextmanager
def watching(surroundings: Surroundings) -> Iterator[None]:
    """Notice seeds of ``random`` as well."""
    seed = random.seed

    def seeded(*args: Any, **kwargs: Any) -> None:
        seed(*args, **kwargs)
        surroundings.seed = args or tuple(kwargs.values()) or (None,)

    random.seed = seeded
    try:
        yield
    finally:
        random.seed = seed
