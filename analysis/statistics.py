"""Differences between arms with honest intervals, and the estimators of held-out scores. Pure.

An interval over seeds speaks about training runs; one over tasks speaks about two given checkpoints only.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats takes seconds to import

MIN_SEEDS = 3  # below, no interval is printed
MIN_TASKS = 20  # below, or with fewer than MIN_MOVED tasks that differ, no interval over tasks is printed
MIN_MOVED = 10
NOT_A_COMPARISON = "not a comparison"


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


def paired_seeds(a: Mapping[int, float], b: Mapping[int, float], level: float = 0.95) -> Difference:
    """b - a over the seeds that both arms have, with the t interval over seeds from `MIN_SEEDS` seeds on.

    Simulated coverage of the 95 % interval, per-seed means of 100 tasks x 8 samples that cluster by task,
    with skewed seed effects in [0, 1] near .05 and .125: .95 at 3 seeds, .95 at 5, .94 at 10 (tests/analysis/
    test_statistics.py measures it again). When the differences do not vary at all there is no interval.
    """
    return _paired(a, b, level, MIN_SEEDS)


def conditional(a: Mapping[str, float], b: Mapping[str, float], level: float = 0.95) -> Difference:
    """b - a between two given checkpoints over the same held-out tasks: d_i per task, SE = sd(d_i) / sqrt(n).

    Miller 2024, arXiv 2411.00640, section on paired differences; the interval uses t with n - 1 degrees of
    freedom. It says nothing about another seed of the same arms.

    Simulated coverage of the 95 % interval, 8 samples a task: on tasks that are solved fairly often .95 from
    20 tasks on, but .70 at 20 and .90 at 100 where few tasks are ever solved. It is therefore given only when
    at least `MIN_MOVED` of at least `MIN_TASKS` tasks differ: .94-.96 in all these cases.
    """
    return _paired(a, b, level, MIN_TASKS, MIN_MOVED)


def _paired(a: Mapping[Any, float], b: Mapping[Any, float], level: float, minimum: int, moved: int = 0) -> Difference:
    keys = sorted(key for key in a.keys() & b.keys() if math.isfinite(a[key]) and math.isfinite(b[key]))
    pairs = {key: b[key] - a[key] for key in keys}
    d = np.array(list(pairs.values()), dtype=float)
    mean = float(d.mean()) if len(d) else math.nan
    spread = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    # Equal differences leave rounding errors of this size, not exactly zero.
    if len(d) < minimum or np.count_nonzero(d) < moved or spread < 1e-12:
        return Difference(len(d), mean, math.nan, math.nan, math.nan, math.nan, pairs)
    se = spread / math.sqrt(len(d))
    half = float(stdtrit(len(d) - 1, 0.5 + level / 2)) * se
    p = float(2 * stdtr(len(d) - 1, -abs(mean) / se))
    return Difference(len(d), mean, se, mean - half, mean + half, p, pairs)


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
