"""Arms compared on held-out test tasks, and what may be said of it in words. Pure."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from analysis.held_out import SCORES, chosen, task_means
from analysis.progress import Progress, uneven
from analysis.statistics import MIN_SEEDS, NOT_A_COMPARISON, Difference, conditional, holm, paired_seeds

Steps = Mapping[tuple[str, int], int]  # {(arm, seed): step of the checkpoint that is compared}
Progresses = Mapping[tuple[str, int], Progress]
_UNKNOWN: Progresses = MappingProxyType({})
NAMES = {"solved": "solved rate", "pass_ratio": "pass ratio"}


class Comparison(NamedTuple):
    """b - a on one held-out score; with ``obstacle`` set the numbers must not be read as a comparison."""

    checkpoint: str  # "pick" or "last"
    metric: str
    arm_a: str
    arm_b: str
    mean_a: float  # over the paired seeds, as is mean_b
    mean_b: float
    difference: Difference
    p_holm: float  # adjusted over the pairs of arms for this score and kind of checkpoint
    pairs_of_arms: int
    obstacle: str = ""

    @property
    def claims(self) -> bool:
        """Whether a difference may be claimed at the 5 % level."""
        return not self.obstacle and self.difference.excludes_zero and self.p_holm < 0.05


def compare_arms(
    test: pd.DataFrame,
    scores: pd.DataFrame,
    arms: Sequence[str],
    steps: Steps,
    checkpoint: str,
    progress: Progresses = _UNKNOWN,
) -> list[Comparison]:
    """Every pair of arms on every held-out score of the test split, paired by seed.

    Args:
        test: held-out rows of the test split (`analysis.sources.held_out.load_test`).
        scores: `analysis.held_out.subject_scores` of them.
        steps: the checkpoint of every chain; chains that were not evaluated there are left out.
        checkpoint: its name, "pick" or "last".
        progress: how far every chain has trained; chains that are not named are not judged by it.
    """
    result: list[Comparison] = []
    for metric in SCORES:
        by_arm = {arm: _by_seed(scores, steps, arm, metric) for arm in arms}
        pairs = list(combinations(arms, 2))
        found = [paired_seeds(by_arm[a], by_arm[b]) for a, b in pairs]
        for (a, b), difference, p in zip(pairs, found, holm([d.p for d in found]), strict=True):
            pairs_of_seeds = [(arm, seed) for arm in (a, b) for seed in difference.pairs]
            unequal = uneven([progress[key] for key in pairs_of_seeds if key in progress])
            obstacle = "; ".join(reason for reason in (_obstacle(test, steps, a, b, difference), unequal) if reason)
            mean_a, mean_b = (_mean(by_arm[arm], difference) for arm in (a, b))
            result.append(Comparison(checkpoint, metric, a, b, mean_a, mean_b, difference, p, len(pairs), obstacle))
    return result


def _by_seed(scores: pd.DataFrame, steps: Steps, arm: str, metric: str) -> dict[int, float]:
    rows = {seed: chosen(scores, "test", arm, seed, step) for (name, seed), step in steps.items() if name == arm}
    return {seed: float(row[metric]) for seed, row in rows.items() if row is not None}


def _mean(by_seed: Mapping[int, float], difference: Difference) -> float:
    return sum(by_seed[seed] for seed in difference.pairs) / difference.n if difference.n else math.nan


def _obstacle(test: pd.DataFrame, steps: Steps, a: str, b: str, difference: Difference) -> str:
    if difference.n == 0:
        return "no seed of both arms has test scores"
    tasks = {
        frozenset(task_means(test, arm, seed, steps[arm, seed], "solved"))
        for arm in (a, b)
        for seed in difference.pairs
    }
    if len(tasks) > 1:
        return "the checkpoints were not scored on the same test tasks"
    if difference.n < MIN_SEEDS:
        seeds = "1 paired seed" if difference.n == 1 else f"{difference.n} paired seeds"
        return f"{seeds}, and at least {MIN_SEEDS} are needed"
    return "" if difference.has_interval else "equal differences in every seed, so their spread is unknown"


def sentence(comparison: Comparison) -> str:
    """One comparison in plain words, with its uncertainty; differences are in percentage points."""
    c, d = comparison, comparison.difference
    name = NAMES[c.metric].capitalize()
    if d.n == 0:
        return f"{name} of {c.arm_b} and {c.arm_a}: {NOT_A_COMPARISON} ({c.obstacle})."
    levels = f"{c.arm_b} {100 * c.mean_b:.1f} %, {c.arm_a} {100 * c.mean_a:.1f} %"
    size = f"{name}: {levels}, difference {signed(d.mean)} points"
    if c.obstacle:
        return f"{size}; {NOT_A_COMPARISON} ({c.obstacle})."
    interval = f"95 % t interval {signed(d.low)} to {signed(d.high)} over {d.n} paired seeds"
    if not d.excludes_zero:
        return f"{size} ({interval}). The interval includes 0, so no difference is shown."
    if not c.claims:
        return f"{size} ({interval}), but none after Holm's correction over {c.pairs_of_arms} pairs of arms."
    better, worse = (c.arm_b, c.arm_a) if d.mean > 0 else (c.arm_a, c.arm_b)
    return f"{size} ({interval}). Here {better} is better than {worse}."


def answer(comparisons: Sequence[Comparison]) -> list[str]:
    """What may be said of the picks: a sentence for every pair with scores, one for all pairs without."""
    of_picks = [c for c in comparisons if c.checkpoint == "pick"]
    said = [sentence(c) for c in of_picks if c.difference.n]
    silent = list(dict.fromkeys(f"{c.arm_b} and {c.arm_a}" for c in of_picks if not c.difference.n))
    if silent:
        said.append(f"{'; '.join(silent)}: {NOT_A_COMPARISON}, for no seed of both has test scores of its pick.")
    return said


def signed(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def conditional_table(test: pd.DataFrame, arms: Sequence[str], steps: Steps) -> pd.DataFrame:
    """Two given checkpoints over the same test tasks, seed by seed: this says nothing about other seeds.

    Columns seed, arm_a, arm_b, metric, tasks, difference, se, low, high.
    """
    rows: list[dict[str, Any]] = []
    for a, b in combinations(arms, 2):
        for seed in sorted({seed for arm, seed in steps if arm == a} & {seed for arm, seed in steps if arm == b}):
            for metric in SCORES:
                of_a, of_b = (task_means(test, arm, seed, steps[arm, seed], metric) for arm in (a, b))
                d = conditional(of_a, of_b)
                values = (seed, a, b, metric, d.n, d.mean, d.se, d.low, d.high)
                if d.n:
                    rows.append(dict(zip(_CONDITIONAL, values, strict=True)))
    return pd.DataFrame(rows, columns=_CONDITIONAL)


_CONDITIONAL = ["seed", "arm_a", "arm_b", "metric", "tasks", "difference", "se", "low", "high"]


def comparison_table(comparisons: Sequence[Comparison], by_task: pd.DataFrame) -> pd.DataFrame:
    """Everything of ``comparison.csv``: paired over seeds, then conditional on two given checkpoints."""
    rows = [
        {
            "kind": "paired over seeds",
            "checkpoint": c.checkpoint,
            "metric": c.metric,
            "arm_a": c.arm_a,
            "arm_b": c.arm_b,
            "n": c.difference.n,
            "mean_a": c.mean_a,
            "mean_b": c.mean_b,
            "difference": c.difference.mean,
            "se": c.difference.se,
            "low": c.difference.low,
            "high": c.difference.high,
            "p": c.difference.p,
            "p_holm": c.p_holm,
            "claims": c.claims,
            "per_seed": " ".join(f"{seed}:{value:+.6f}" for seed, value in c.difference.pairs.items()),
            "words": sentence(c),
        }
        for c in comparisons
    ]
    conditionals = by_task.rename(columns={"tasks": "n"}).assign(
        kind="two checkpoints over tasks", checkpoint="pick", words="says nothing about other seeds"
    )
    table = pd.DataFrame(rows)
    return pd.concat([table, conditionals], ignore_index=True) if len(conditionals) else table
