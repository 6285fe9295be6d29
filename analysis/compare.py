"""Arms compared on one score for each chain, and what may be said of it in words. Pure.

Scores are held-out ones of the test split, or read off the training curves of a shared metric.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from analysis.coverage import BOOTSTRAP_OF_IQM, LEAST, T_OVER_SEEDS, least, measured
from analysis.held_out import SCORES, by_checkpoint, pass_columns, task_means
from analysis.progress import Progress, uneven
from analysis.statistics import (
    MIN_SEEDS,
    NOT_A_COMPARISON,
    Difference,
    Robust,
    conditional,
    holm,
    paired_seeds,
    robust,
)

Steps = Mapping[tuple[str, int], int]  # {(arm, seed): step of the checkpoint that is compared}
Values = Mapping[tuple[str, int], float]  # {(arm, seed): score}
Progresses = Mapping[tuple[str, int], Progress]
_UNKNOWN: Progresses = MappingProxyType({})
FEW_PAIRS = 3  # of arms; up to here every pair has a sentence of its own


class Comparison(NamedTuple):
    """b - a on one score; with ``obstacle`` set the numbers must not be read as a comparison."""

    checkpoint: str  # "pick", "last" or "step 40"; of curves what is read off them
    metric: str
    arm_a: str
    arm_b: str
    mean_a: float  # over the paired seeds, as is mean_b
    mean_b: float
    difference: Difference
    p_holm: float  # adjusted over the pairs of arms for this score and kind of checkpoint
    pairs_of_arms: int
    obstacle: str = ""
    robust: Robust | None = None  # over all seeds of either arm

    @property
    def claims(self) -> bool:
        """Whether a difference may be claimed at the 5 % level."""
        return not self.obstacle and self.difference.excludes_zero and self.p_holm < 0.05

    @property
    def scale(self) -> tuple[int, str]:
        """What values are multiplied with in words, and the unit of differences: shares are in per cent."""
        share = self.metric in SCORES or self.metric.startswith(("pass_at_", "score/"))
        return (100, " points") if share else (1, "")

    @property
    def better(self) -> str:
        return self.arm_b if self.difference.mean > 0 else self.arm_a

    @property
    def worse(self) -> str:
        return self.arm_a if self.difference.mean > 0 else self.arm_b


def spoken(metric: str) -> str:
    """A score's name in sentences."""
    known = {"solved": "solved rate", "pass_ratio": "pass ratio"}
    return known.get(metric, f"pass@{metric.removeprefix('pass_at_')}" if metric.startswith("pass_at_") else metric)


def compare_values(
    values: Values, arms: Sequence[str], metric: str, checkpoint: str, obstacles: Mapping[tuple[str, str], str]
) -> list[Comparison]:
    """Every pair of ``arms`` on one score, paired by seed; ``obstacles`` says of a pair why it must not be read."""
    by_arm = {arm: {seed: value for (name, seed), value in values.items() if name == arm} for arm in arms}
    pairs = list(combinations(arms, 2))
    found = [paired_seeds(by_arm[a], by_arm[b]) for a, b in pairs]
    result: list[Comparison] = []
    for (a, b), difference, p in zip(pairs, found, holm([d.p for d in found]), strict=True):
        obstacle = "; ".join(reason for reason in (_too_few(difference), obstacles.get((a, b), "")) if reason)
        mean_a, mean_b = (_mean(by_arm[arm], difference) for arm in (a, b))
        iqms = robust(by_arm[a], by_arm[b])
        result.append(Comparison(checkpoint, metric, a, b, mean_a, mean_b, difference, p, len(pairs), obstacle, iqms))
    return result


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
        checkpoint: its name, "pick", "last" or "step 40".
        progress: how far every chain has trained; chains that are not named are not judged by it.
    """
    rows = scores[(scores["split"] == "test") & (scores["mode"] == "sampled") & scores["arm"].notna()]
    evaluated = by_checkpoint(rows)
    at = {key: (*key, step) for key, step in steps.items() if ("test", *key, step) in evaluated}
    tasks = {place: frozenset(of_task) for place, of_task in task_means(test, "solved").items()}
    obstacles = {(a, b): _obstacle(at, tasks, progress, a, b) for a, b in combinations(arms, 2)}
    result: list[Comparison] = []
    for metric in (*SCORES, *pass_columns(rows)):
        values = {key: float(evaluated["test", *place][metric]) for key, place in at.items()}
        result += compare_values(values, arms, metric, checkpoint, obstacles)
    return result


def _mean(by_seed: Mapping[int, float], difference: Difference) -> float:
    return sum(by_seed[seed] for seed in difference.pairs) / difference.n if difference.n else math.nan


def _too_few(difference: Difference) -> str:
    if difference.n == 0:
        return "no seed of both arms has test scores"
    seeds = "1 paired seed" if difference.n == 1 else f"{difference.n} paired seeds"
    if difference.n < MIN_SEEDS:
        return f"{seeds}, and at least {MIN_SEEDS} are needed"
    if difference.has_interval:
        return ""
    if measured(T_OVER_SEEDS, difference.n) < LEAST:
        return f"{seeds}, where the interval was measured to cover {measured(T_OVER_SEEDS, difference.n):.1%} only"
    return "equal differences in every seed, so their spread is unknown"


def _obstacle(
    at: Mapping[tuple[str, int], tuple[str, int, int]],
    tasks: Mapping[tuple[str, int, int], frozenset[str]],
    progress: Progresses,
    a: str,
    b: str,
) -> str:
    seeds = {seed for arm, seed in at if arm == a} & {seed for arm, seed in at if arm == b}
    pairs = [(arm, seed) for arm in (a, b) for seed in sorted(seeds)]
    other = "the checkpoints were not scored on the same test tasks"
    unlike = other if len({tasks.get(at[key], frozenset()) for key in pairs}) > 1 else ""
    unequal = uneven([progress[key] for key in pairs if key in progress])
    return "; ".join(reason for reason in (unlike, unequal) if reason)


def sentence(comparison: Comparison) -> str:
    """One comparison in plain words, with its uncertainty; differences of shares are in percentage points."""
    c, d = comparison, comparison.difference
    scale, unit = c.scale
    name = spoken(c.metric)
    name = name[0].upper() + name[1:]
    if d.n == 0:
        return f"{name} of {c.arm_b} and {c.arm_a}: {NOT_A_COMPARISON} ({c.obstacle})."
    levels = f"{c.arm_b} {level(c.mean_b, scale)}, {c.arm_a} {level(c.mean_a, scale)}"
    size = f"{name}: {levels}, difference {signed(d.mean, scale)}{unit}"
    if c.obstacle:
        return f"{size}; {NOT_A_COMPARISON} ({c.obstacle})."
    interval = f"95 % t interval {signed(d.low, scale)} to {signed(d.high, scale)} over {d.n} paired seeds"
    if not d.excludes_zero:
        return f"{size} ({interval}). The interval includes 0, so no difference is shown."
    if not c.claims:
        return f"{size} ({interval}), but none after Holm's correction over {c.pairs_of_arms} pairs of arms."
    if scale == 1:  # what is better is not known of it
        return f"{size} ({interval}). Here {c.better} is above {c.worse}."
    return f"{size} ({interval}). Here {c.better} is better than {c.worse}."


def answer(comparisons: Sequence[Comparison], checkpoint: str = "pick") -> list[str]:
    """What may be said of one kind of checkpoint: a sentence for each pair of few arms, one for each score of many.

    Of pass@k only the largest k is spoken of.
    """
    chosen = [c for c in comparisons if c.checkpoint == checkpoint]
    largest = next((c.metric for c in reversed(chosen) if c.metric.startswith("pass_at_")), "")
    chosen = [c for c in chosen if not c.metric.startswith("pass_at_") or c.metric == largest]
    if len({(c.arm_a, c.arm_b) for c in chosen}) > FEW_PAIRS:
        of_scores = {c.metric: [other for other in chosen if other.metric == c.metric] for c in chosen}
        return [_of_many(metric, of_score) for metric, of_score in of_scores.items()]
    said = [sentence(c) for c in chosen if c.difference.n]
    silent = list(dict.fromkeys(f"{c.arm_b} and {c.arm_a}" for c in chosen if not c.difference.n))
    if silent:
        said.append(
            f"{'; '.join(silent)}: {NOT_A_COMPARISON}, for no seed of both has test scores of its {checkpoint}."
        )
    return said


def _of_many(metric: str, pairs: Sequence[Comparison]) -> str:
    name = spoken(metric)
    claimed = sorted((c for c in pairs if c.claims), key=lambda c: -abs(c.difference.mean))
    barred = [c for c in pairs if c.obstacle]
    shown = "; ".join(
        f"{c.better} above {c.worse} by {signed(abs(c.difference.mean), c.scale[0])[1:]}{c.scale[1]} "
        f"({signed(c.difference.low, c.scale[0])} to {signed(c.difference.high, c.scale[0])} for {c.arm_b} − {c.arm_a})"
        for c in claimed[:5]
    )
    more = f"; and {len(claimed) - 5} more" if len(claimed) > 5 else ""
    if len(barred) == len(pairs):
        return (
            f"{name[0].upper()}{name[1:]}: none of {len(pairs)} pairs of arms is a comparison ({barred[0].obstacle})."
        )
    text = f"{name[0].upper()}{name[1:]}: of {len(pairs)} pairs of arms {len(claimed)} differ after Holm's correction"
    text += f", by 95 % t intervals over seeds: {shown}{more}." if claimed else "."
    if barred:
        reasons = list(dict.fromkeys(c.obstacle for c in barred))
        text += (
            f" {len(barred)} are {NOT_A_COMPARISON} ({reasons[0]}{', and other reasons' if len(reasons) > 1 else ''})."
        )
    return text


def robust_words(comparison: Comparison) -> str:
    """The difference of interquartile means in words, or why it has no interval."""
    r = comparison.robust
    assert r is not None
    size = f"{comparison.arm_b} {100 * r.b:.1f} %, {comparison.arm_a} {100 * r.a:.1f} %, {signed(r.difference)} points"
    if math.isfinite(r.low):
        return f"{size} (95 % bootstrap interval {signed(r.low)} to {signed(r.high)})"
    needed, covers = least(BOOTSTRAP_OF_IQM), measured(BOOTSTRAP_OF_IQM, r.n)
    why = (
        f"it was measured to cover {covers:.1%} at {r.n} seeds" if math.isfinite(covers) else f"{r.n} seeds are too few"
    )
    return f"{size} (no interval: {why}" + (f"; from {needed} seeds on it holds)" if needed > r.n else ")")


def signed(share: float, scale: int = 100) -> str:
    """A difference with its sign: of shares in percentage points, of other values as it is."""
    text = f"{100 * share:+.1f}" if scale == 100 else f"{share:+.3g}"
    return text.replace("-", "−")


def level(value: float, scale: int = 100) -> str:
    """A score: a share in per cent, another value as it is."""
    return f"{100 * value:.1f} %" if scale == 100 else f"{value:.3g}"


def conditional_table(test: pd.DataFrame, arms: Sequence[str], steps: Steps) -> pd.DataFrame:
    """Two given checkpoints over the same test tasks, seed by seed: this says nothing about other seeds.

    Columns seed, arm_a, arm_b, metric, tasks, moved (tasks that differ), difference, se, low, high.
    """
    rows: list[dict[str, Any]] = []
    for metric in SCORES:
        means = task_means(test, metric)
        of_chain = {key: means[*key, step] for key, step in steps.items() if (*key, step) in means}
        for a, b in combinations(arms, 2):
            for seed in sorted({seed for arm, seed in of_chain if arm == a} & {s for arm, s in of_chain if arm == b}):
                d = conditional(of_chain[a, seed], of_chain[b, seed])
                moved = sum(value != 0 for value in d.pairs.values())
                values = (seed, a, b, metric, d.n, moved, d.mean, d.se, d.low, d.high)
                if d.n:
                    rows.append(dict(zip(_CONDITIONAL, values, strict=True)))
    table = pd.DataFrame(rows, columns=_CONDITIONAL)
    return table.sort_values(["arm_a", "arm_b", "seed"], kind="stable", ignore_index=True)


_CONDITIONAL = ["seed", "arm_a", "arm_b", "metric", "tasks", "moved", "difference", "se", "low", "high"]


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
            **({f"iqm_{name}": getattr(c.robust, name) for name in ("a", "b", "low", "high")} if c.robust else {}),
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
