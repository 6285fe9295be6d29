"""Differences between arms with honest intervals, and the estimators of held-out scores. Pure.

An interval over seeds speaks about training runs; one over tasks speaks about two given checkpoints only.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes seconds to import

from analysis.coverage import BOOTSTRAP_OF_IQM, T_OVER_SEEDS, T_OVER_TASKS, holds, least

MIN_SEEDS = 3  # below, nothing is called a comparison
MIN_TASKS = 20  # below, no interval over tasks is printed
NOT_A_COMPARISON = "not a comparison"
LEVEL = 0.95
_RESAMPLES = 1000

Floats = npt.NDArray[np.float64]


class Difference(NamedTuple):
    """Mean of paired differences b - a; ``se``, ``low``, ``high``, ``p`` are NaN without an interval."""

    n: int
    mean: float
    se: float
    low: float
    high: float
    p: float
    pairs: dict[Any, float]  # the differences themselves, by seed or task

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low)

    @property
    def excludes_zero(self) -> bool:
        return self.has_interval and (self.low > 0 or self.high < 0)


class Robust(NamedTuple):
    """Difference b - a of interquartile means; ``low`` and ``high`` are NaN where the interval does not hold."""

    n: int  # seeds of the smaller arm
    a: float
    b: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.b - self.a


def paired_seeds(a: Mapping[int, float], b: Mapping[int, float]) -> Difference:
    """b - a over the seeds that both arms have, with the 95 % t interval over seeds where it holds.

    It holds where `analysis.coverage` has measured it for per-seed means of samples that cluster by task, with
    skewed seed effects. When the differences do not vary at all there is no interval.
    """
    pairs = _pairs(a, b)
    return _difference(pairs, len(pairs) >= MIN_SEEDS and holds(T_OVER_SEEDS, len(pairs)))


def conditional(a: Mapping[str, float], b: Mapping[str, float]) -> Difference:
    """b - a between two given checkpoints over the same held-out tasks: d_i per task, SE = sd(d_i) / sqrt(n).

    Miller 2024, arXiv 2411.00640, section on paired differences; the interval uses t with n - 1 degrees of
    freedom. It says nothing about another seed of the same arms. Where few tasks differ it covers far less than
    it claims, whatever the number of tasks, so the number of tasks that differ decides whether it is given.
    """
    pairs = _pairs(a, b)
    moved = sum(value != 0 for value in pairs.values())
    return _difference(pairs, len(pairs) >= MIN_TASKS and moved >= (least(T_OVER_TASKS) or math.inf))


def robust(a: Mapping[int, float], b: Mapping[int, float]) -> Robust:
    """The interquartile means over the seeds of two arms, with the interval of `iqm_interval` where it holds."""
    of_a, of_b = (np.array([value for value in x.values() if math.isfinite(value)]) for x in (a, b))
    n = min(len(of_a), len(of_b))
    low, high = iqm_interval(of_a, of_b) if holds(BOOTSTRAP_OF_IQM, n) else (math.nan, math.nan)
    means = [float(iqm(x)) if n else math.nan for x in (of_a, of_b)]
    return Robust(n, means[0], means[1], float(low), float(high))


def t_interval(differences: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """(low, high) of the t interval about the mean of ``differences`` [..., n], over the last axis."""
    n = differences.shape[-1]
    half = stdtrit(n - 1, 0.5 + level / 2) * differences.std(axis=-1, ddof=1) / math.sqrt(n)
    mean = differences.mean(axis=-1)
    return mean - half, mean + half


def iqm(values: Floats) -> Floats:
    """The interquartile mean over the last axis: without the lowest and the highest quarter of n, rounded down.

    Agarwal et al. 2021, arXiv 2108.13264; equals ``scipy.stats.trim_mean(values, 0.25, axis=-1)``.
    """
    n = values.shape[-1]
    kept = np.sort(values, axis=-1)[..., n // 4 : n - n // 4]
    return np.asarray(kept.mean(axis=-1), dtype=np.float64)


def iqm_interval(a: Floats, b: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """(low, high) for iqm(b) - iqm(a), [..., seeds] each: percentile bootstrap that resamples whole runs of each arm.

    The arms are the strata (Agarwal et al. 2021). The seed is fixed: equal arguments, equal result.
    """
    drawn = iqm(b[..., _draws(b.shape[-1], 1)]) - iqm(a[..., _draws(a.shape[-1], 0)])  # [..., resamples]
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=-1)
    return low, high


@cache
def _draws(n: int, stratum: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng([n, stratum]).integers(0, n, (_RESAMPLES, n))


def _pairs(a: Mapping[Any, float], b: Mapping[Any, float]) -> dict[Any, float]:
    keys = sorted(key for key in a.keys() & b.keys() if math.isfinite(a[key]) and math.isfinite(b[key]))
    return {key: b[key] - a[key] for key in keys}


def _difference(pairs: dict[Any, float], covers: bool) -> Difference:
    d = np.array(list(pairs.values()), dtype=float)
    mean = float(d.mean()) if len(d) else math.nan
    spread = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    # Equal differences leave rounding errors of this size, not exactly zero.
    if not covers or spread < 1e-12:
        return Difference(len(d), mean, math.nan, math.nan, math.nan, math.nan, pairs)
    se = spread / math.sqrt(len(d))
    low, high = (float(bound) for bound in t_interval(d))
    p = float(2 * stdtr(len(d) - 1, -abs(mean) / se))
    return Difference(len(d), mean, se, low, high, p, pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given; NaN stays NaN and does not count as a test."""
    order = sorted((p, index) for index, p in enumerate(p_values) if math.isfinite(p))
    adjusted = [math.nan] * len(p_values)
    running = 0.0
    for rank, (p, index) in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p))
        adjusted[index] = running
    return adjusted


def clustered_se(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Standard error of the mean of ``values`` [samples] that cluster by task.

    sqrt(G / (G - 1) * sum_g (sum_{i in g} (x_i - mean))²) / n (Miller 2024, with the small-sample factor);
    with equally many samples a task it equals the sd of task means / sqrt(G). NaN below two tasks.
    """
    x = np.asarray(values, dtype=float)
    _, index = np.unique(np.asarray([str(cluster) for cluster in clusters]), return_inverse=True)
    groups = int(index.max()) + 1 if len(x) else 0
    if groups < 2:
        return math.nan
    sums = np.bincount(index, weights=x - x.mean())
    return float(math.sqrt(groups / (groups - 1) * float(np.sum(sums**2))) / len(x))


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased pass@k of one task with ``c`` solved of ``n`` samples: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, arXiv 2107.03374.

    Raises:
        ValueError: k is not below n (at k = n the estimate is just "any sample solved"), or c is not in 0..n.
    """
    if not 1 <= k < n:
        raise ValueError(f"pass@{k} from {n} samples a task: k must be at least 1 and below n, so sample more")
    if not 0 <= c <= n:
        raise ValueError(f"{c} solved of {n} samples: expected between 0 and {n}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)
