"""How often each kind of 95 % interval really covers, as ``benchmarks/bench_coverage.py`` measured it.

An interval is printed only where the lowest of the measured coverages is at least `LEAST`. The table is
``coverage.csv`` beside this module; its settings and how they are drawn stand in the benchmark.
"""

import csv
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

LEAST = 0.93  # of the 95 % that are claimed
T_OVER_SEEDS = "t over seeds"  # n: paired seeds
T_OVER_TASKS = "t over tasks"  # n: the least number of tasks in which the two checkpoints differ
BOOTSTRAP_OF_IQM = "bootstrap of IQM"  # n: seeds of the smaller arm


class Measured(NamedTuple):
    """One measured coverage; settings that are not ``usual`` show where an interval fails and decide nothing."""

    method: str
    setting: str
    usual: bool
    n: int
    intervals: int
    coverage: float


@cache
def table() -> tuple[Measured, ...]:
    """Every measured coverage, as it is stored."""
    with Path(__file__).with_name("coverage.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Measured(
                r["method"], r["setting"], r["usual"] == "yes", int(r["n"]), int(r["intervals"]), float(r["coverage"])
            )
            for r in csv.DictReader(file)
        )


@cache
def measured(method: str, n: int) -> float:
    """The lowest coverage over the usual settings at ``n``; NaN below the least n that was measured.

    Between two measured sizes the lower of both counts, beyond the largest that of the largest.
    """
    lowest: dict[int, float] = {}
    for row in table():
        if row.method == method and row.usual:
            lowest[row.n] = min(row.coverage, lowest.get(row.n, 1.0))
    below, above = [size for size in lowest if size <= n], [size for size in lowest if size >= n]
    if not below:
        return math.nan
    return min(lowest[max(below)], lowest[min(above, default=max(below))])


def holds(method: str, n: int) -> bool:
    """Whether a 95 % interval of this kind may be printed at ``n``."""
    return measured(method, n) >= LEAST


def least(method: str) -> int:
    """The smallest n from which on the intervals of this kind hold at every measured size; 0 when at none."""
    sizes = sorted({row.n for row in table() if row.method == method})
    failing = [size for size in sizes if not holds(method, size)]
    kept = [size for size in sizes if not failing or size > failing[-1]]
    return kept[0] if kept else 0
