"""Rewards: pure functions from a verdict to a score in [0, 1].

A reward is None exactly when the verdict has no score (``unsupported``, ``infrastructure``): TRL drops such
a sample from the baseline of its group, where a 0 would poison it.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial as bind
from typing import TypeVar

from ablation.scoring.suggest import did_you_mean
from ablation.scoring.verdict import Verdict

Reward = Callable[[Verdict], float | None]
F = TypeVar("F", bound=Callable[..., float | None])
REWARDS: dict[str, Callable[..., float | None]] = {}


def _named(function: F) -> F:
    REWARDS[function.__name__] = function
    return function


@_named
def binary(verdict: Verdict) -> float | None:
    """1 when every expected test passes, else 0."""
    return None if verdict.solved is None else float(verdict.solved)


@_named
def shaped(verdict: Verdict) -> float | None:
    """The fraction of expected tests that pass."""
    return verdict.pass_ratio


@_named
def threshold(verdict: Verdict, *, minimum: float = 0.5) -> float | None:
    """1 when at least the fraction ``minimum`` of the expected tests passes, else 0."""
    return None if verdict.pass_ratio is None else float(verdict.pass_ratio >= minimum)


@_named
def binary_partial(verdict: Verdict, *, partial_from: float = 0.9, partial: float = 0.5) -> float | None:
    """1 when solved, ``partial`` when at least the fraction ``partial_from`` of the tests passes, else 0."""
    if verdict.pass_ratio is None:
        return None
    if verdict.solved:
        return 1.0
    return partial if verdict.pass_ratio >= partial_from else 0.0


def reward_function(name: str, params: Mapping[str, float]) -> Reward:
    """The reward ``name`` with ``params`` bound, all of them numbers in [0, 1].

    Raises:
        ValueError: the reward or a parameter is unknown, or a parameter is not a number in [0, 1].
    """
    if name not in REWARDS:
        raise ValueError(f"reward is {name!r}; expected one of {_listed(REWARDS)}{did_you_mean(name, REWARDS)}")
    function = REWARDS[name]
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key, value in params.items():
        if key not in known:
            raise ValueError(
                f"reward {name!r} has no parameter {key!r}; expected {_listed(known) or 'none'}"
                f"{did_you_mean(key, known)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"parameter {key!r} of reward {name!r} is {value!r}; expected a number from 0 to 1")
    return bind(function, **params)


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(sorted(names))
