"""Held-out scores of every evaluated subject: means, task-clustered errors, pass@k. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.statistics import clustered_se, pass_at_k

KS = (1, 2, 4)  # for which pass@k is always given, where more samples than k were drawn
SCORES = ("solved", "pass_ratio")
SUBJECT = ["split", "subject", "kind", "arm", "seed", "step", "roles", "mode"]


TaskMeans = Mapping[tuple[str, int, int], Mapping[str, float]]  # {(arm, seed, step): {task: mean of its samples}}


def ks_of(frame: pd.DataFrame) -> tuple[int, ...]:
    """`KS` and the further powers of two below the largest number of samples that some task has."""
    sampled = frame[frame["mode"] == "sampled"]
    most = sampled.groupby(["subject", "split", "task_id"], observed=True).size().max() if len(sampled) else 0
    return (*KS, *(2**power for power in range(3, 12) if 2**power < most))


def pass_columns(scores: pd.DataFrame) -> list[str]:
    """The columns of pass@k, k above 1, of which some subject in a `subject_scores` table has a value."""
    named = [name for name in scores.columns if name.startswith("pass_at_") and not name.endswith("_se")]
    return [name for name in named if name != "pass_at_1" and scores[name].notna().any()]


def subject_scores(frame: pd.DataFrame, ks: Sequence[int] | None = None) -> pd.DataFrame:
    """One row for each subject and mode: how many tasks, samples and unscored samples, and the scores.

    Means are over scored samples, ``*_se`` cluster by task; ``pass_at_<k>`` is the mean over tasks with more
    than k scored samples, NaN without one. ``ks`` are `ks_of` the frame by default.
    """
    rows = []
    ks = ks_of(frame) if ks is None else ks
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
    counts = scored.groupby("task_id")["solved"].agg(["size", "sum"]).astype(int)
    of_tasks = list(zip(counts.index, counts["size"], counts["sum"], strict=True))
    result: dict[str, float] = {}
    for k in ks:
        # Many tasks have equal counts.
        known = {(n, c): pass_at_k(n, c, k) for n, c in {(n, c) for _, n, c in of_tasks if n > k}}
        values = {task: known[n, c] for task, n, c in of_tasks if n > k}
        result[f"pass_at_{k}"] = sum(values.values()) / len(values) if values else math.nan
        result[f"pass_at_{k}_se"] = clustered_se(list(values.values()), list(values))
    return result


def by_checkpoint(scores: pd.DataFrame) -> dict[tuple[str, str, int, int], Mapping[Any, Any]]:
    """{(split, arm, seed, step): its row of mode sampled} of a `subject_scores` table, without the base."""
    rows = scores[(scores["mode"] == "sampled") & scores["arm"].notna()].to_dict("records")
    return {(row["split"], row["arm"], int(row["seed"]), int(row["step"])): row for row in rows}


def task_means(frame: pd.DataFrame, metric: str) -> TaskMeans:
    """Every checkpoint's mean score of each task over its scored samples, mode sampled, without the base."""
    rows = frame[(frame["mode"] == "sampled") & frame[metric].notna() & frame["arm"].notna()]
    found: dict[tuple[str, int, int], dict[str, float]] = {}
    means = rows.groupby(["arm", "seed", "step", "task_id"])[metric].mean().reset_index()
    for arm, seed, step, task, value in means.itertuples(index=False, name=None):
        found.setdefault((str(arm), int(seed), int(step)), {})[str(task)] = float(value)
    return found
