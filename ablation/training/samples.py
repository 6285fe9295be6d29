"""What a step's samples say: one record a completion, and the metrics of design over all of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ablation import metrics
from ablation.scoring.verdict import STATUSES, Status, Verdict

_STATUS_METRICS: dict[Status, str] = {
    "no_code": metrics.NO_CODE,
    "syntax_error": metrics.SYNTAX_ERROR,
    "timeout": metrics.TIMEOUT,
    "crashed": metrics.CRASHED,
    "violation": metrics.VIOLATION,
    "unsupported": metrics.UNSUPPORTED,
    "infrastructure": metrics.INFRASTRUCTURE,
}
assert set(_STATUS_METRICS) == set(STATUSES) - {"scored"}


@dataclass(frozen=True)
class Sample:
    """One completion and what it earned under every reward (None: could not be scored)."""

    group: int  # index of the prompt within the step's global batch
    sample: int  # index of the completion within its group
    prompt: str  # all that the model read, as text
    completion: str
    verdict: Verdict
    rewards: dict[str, float | None]
    train_reward: float | None  # of the arm


def step_metrics(samples: Sequence[Sample]) -> dict[str, float | None]:
    """Returns the reward, the shared scores and the signal of one step; None where nothing was scored.

    Means are over scored samples; the shares of statuses are over all samples; the shares of groups are over
    all groups, and a group with fewer than two scored samples counts as one without signal.
    """
    groups: dict[int, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    values: dict[str, float | None] = {
        metrics.REWARD_TRAIN: _mean([sample.train_reward for sample in samples]),
        metrics.PASS_RATIO: _mean([sample.verdict.pass_ratio for sample in samples]),
        metrics.SOLVED: _mean([sample.verdict.solved for sample in samples]),
        metrics.ANY_SOLVED: _mean([_any_solved(group) for group in groups.values()]),
        metrics.ZERO_STD_BINARY: _mean([_is_flat(group, "binary") for group in groups.values()]),
        metrics.ZERO_STD_SHAPED: _mean([_is_flat(group, "shaped") for group in groups.values()]),
    }
    for status, metric in _STATUS_METRICS.items():
        values[metric] = _mean([sample.verdict.status == status for sample in samples])
    return values


def _mean(values: Sequence[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _any_solved(group: Sequence[Sample]) -> bool | None:
    known = [sample.verdict.solved for sample in group if sample.verdict.solved is not None]
    return any(known) if known else None


def _is_flat(group: Sequence[Sample], reward: str) -> bool:
    values = {sample.rewards[reward] for sample in group} - {None}
    return len(values) < 2
