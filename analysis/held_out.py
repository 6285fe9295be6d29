"""Held-out scores of every evaluated subject: means, task-clustered errors, pass@k. Pure."""

import math
from collections.abc import Sequence

import pandas as pd

from analysis.statistics import clustered_se, pass_at_k

KS = (1, 2, 4)  # for which pass@k is shown, where more samples than k were drawn
SCORES = ("solved", "pass_ratio")
SUBJECT = ["split", "subject", "kind", "arm", "seed", "step", "roles", "mode"]


def subject_scores(frame: pd.DataFrame, ks: Sequence[int] = KS) -> pd.DataFrame:
    """One row for each subject and mode: how many tasks, samples and unscored samples, and the scores.

    Means are over scored samples, ``*_se`` cluster by task; ``pass_at_<k>`` is the mean over tasks with more
    than k scored samples, NaN without one.
    """
    rows = []
    for key, group in frame.groupby(SUBJECT, dropna=False, sort=True):
        scored = group[group["solved"].notna()]
        row = dict(zip(SUBJECT, key, strict=True))
        row |= {
            "tasks": group["task_id"].nunique(),
            "samples": len(group),
            "unscored": len(group) - len(scored),
        }
        for name in SCORES:
            row[name] = float(scored[name].mean()) if len(scored) else math.nan
            row[f"{name}_se"] = clustered_se(scored[name].tolist(), scored["task_id"].tolist())
        row |= pass_at_ks(scored, ks)
        rows.append(row)
    columns = [*SUBJECT, "tasks", "samples", "unscored", *(f"{n}{e}" for n in SCORES for e in ("", "_se"))]
    return pd.DataFrame(rows, columns=[*columns, *(f"pass_at_{k}{e}" for k in ks for e in ("", "_se"))])


def pass_at_ks(scored: pd.DataFrame, ks: Sequence[int]) -> dict[str, float]:
    """{pass_at_<k>: mean over tasks, pass_at_<k>_se: its standard error} of one subject's samples."""
    counts = scored.groupby("task_id")["solved"].agg(["size", "sum"])
    result: dict[str, float] = {}
    for k in ks:
        enough = counts[counts["size"] > k]
        values = [pass_at_k(int(n), int(c), k) for n, c in zip(enough["size"], enough["sum"], strict=True)]
        result[f"pass_at_{k}"] = sum(values) / len(values) if values else math.nan
        result[f"pass_at_{k}_se"] = clustered_se(values, enough.index.tolist())
    return result


def chosen(scores: pd.DataFrame, split: str, arm: str, seed: int, step: int, mode: str = "sampled") -> pd.Series | None:
    """The row of one checkpoint in a `subject_scores` table; None when it was not evaluated."""
    of_arm = (scores["arm"] == arm) & (scores["split"] == split) & (scores["mode"] == mode)
    rows = scores[of_arm & (scores["seed"] == seed).fillna(False) & (scores["step"] == step).fillna(False)]
    return rows.iloc[0] if len(rows) else None


def task_means(frame: pd.DataFrame, arm: str, seed: int, step: int, metric: str) -> dict[str, float]:
    """{task: mean of its scored samples} of one checkpoint, mode sampled."""
    same = (frame["arm"] == arm) & (frame["mode"] == "sampled")
    rows = frame[same & (frame["seed"] == seed).fillna(False) & (frame["step"] == step).fillna(False)]
    return {str(task): float(value) for task, value in rows.groupby("task_id")[metric].mean().dropna().items()}
