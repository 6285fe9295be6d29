"""What is read off the training curve of a metric that has one scale in every arm. Pure.

The area under a curve is its mean over the steps that every chain has; a curve at a fixed step is its EMA there,
whatever was picked; steps to a level are counted until the EMA first reaches it.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from analysis.compare import Comparison, Progresses, compare_values
from analysis.history import by_chain
from analysis.progress import uneven
from analysis.selection import smoothed

AREA = "area under the curve"
QUARTERS = (0.25, 0.5, 0.75, 1.0)  # of the steps that every chain has
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Curves = Mapping[tuple[str, int], Mapping[int, float]]


class CurveScores(NamedTuple):
    """``table`` has a row for each chain, metric and measure: arm, seed, metric, measure, value (NaN: not reached)."""

    table: pd.DataFrame
    comparisons: tuple[Comparison, ...]
    common_steps: int  # 0 without a curve


def curve_scores(
    frame: pd.DataFrame, arms: Sequence[str], metrics: Sequence[str], span: float, progress: Progresses
) -> CurveScores:
    """Area and fixed-step values of every metric, compared between arms, and the steps to `LEVELS` for shares."""
    rows: list[tuple[str, int, str, str, float]] = []
    comparisons: list[Comparison] = []
    lengths: list[int] = []
    obstacles = {(a, b): _uneven(progress, a, b) for a, b in combinations(arms, 2)}
    for metric in metrics:
        curves: Curves = {key: curve for key, curve in by_chain(frame, metric).items() if len(curve)}
        if not curves:
            continue
        common = min(max(curve) for curve in curves.values())
        lengths.append(common)
        averages = {key: smoothed(curve, span) for key, curve in curves.items()}
        measures = {AREA: {key: _area(curve, common) for key, curve in curves.items()}}
        for step in dict.fromkeys(max(1, round(common * share)) for share in QUARTERS):
            measures[f"EMA at step {step}"] = {key: _at(average, step) for key, average in averages.items()}
        for measure, values in measures.items():
            comparisons += compare_values(values, arms, metric, measure, obstacles)
        if all(0 <= value <= 1 for curve in curves.values() for value in curve.values() if value == value):
            measures |= _steps_to(averages)
        rows += [(*key, metric, measure, value) for measure, of in measures.items() for key, value in of.items()]
    table = pd.DataFrame(rows, columns=["arm", "seed", "metric", "measure", "value"])
    return CurveScores(table, tuple(comparisons), min(lengths, default=0))


def _uneven(progress: Progresses, a: str, b: str) -> str:
    return uneven([found for (arm, _), found in progress.items() if arm in (a, b)])


def _area(curve: Mapping[int, float], common: int) -> float:
    return float(pd.Series([value for step, value in curve.items() if step <= common]).mean())


def _at(average: Mapping[int, float], step: int) -> float:
    """The EMA at the last logged step that is not after ``step``."""
    before = [logged for logged in average if logged <= step]
    return average[max(before)] if before else float("nan")


def _steps_to(averages: Curves) -> dict[str, dict[tuple[str, int], float]]:
    """{steps to a level: {chain: first step whose EMA has it}}, for levels that only some curves have at once."""
    reached: dict[str, dict[tuple[str, int], float]] = {}
    for level in LEVELS:
        first = {
            key: next((float(step) for step, value in curve.items() if value >= level), float("nan"))
            for key, curve in averages.items()
        }
        begun = {key: min(curve) for key, curve in averages.items()}
        if any(step == step and step > begun[key] for key, step in first.items()):
            reached[f"steps to {level:.0%}"] = first
    return reached
