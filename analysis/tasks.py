"""Which held-out tasks one arm solves and another does not. Pure."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from analysis.held_out import TaskMeans


def task_table(
    test: pd.DataFrame, means: TaskMeans, steps: dict[tuple[str, int], int], arms: Sequence[str]
) -> pd.DataFrame:
    """``tasks.csv``: task_id, base (its solved rate) and for each arm the mean over the seeds' compared checkpoints.

    NaN where an arm was not scored on a task.
    """
    base = test[(test["kind"] == "base") & (test["mode"] == "sampled")].groupby("task_id")["solved"].mean()
    columns = {"base": base}
    for arm in arms:
        of_seeds = [
            pd.Series(means[a, seed, step])
            for (a, seed), step in steps.items()
            if a == arm and (a, seed, step) in means
        ]
        columns[arm] = pd.concat(of_seeds, axis=1).mean(axis=1) if of_seeds else pd.Series(dtype=float)
    return pd.DataFrame(columns).rename_axis("task_id").sort_index().reset_index()


def task_words(table: pd.DataFrame, arms: Sequence[str]) -> list[str]:
    """For every pair of arms, how many tasks only one of them ever solved: it describes, and claims nothing."""
    said = []
    for a, b in combinations(arms, 2):
        both = table[[a, b]].dropna()
        if both.empty:
            continue
        solved_a, solved_b = both[a] > 0, both[b] > 0
        said.append(
            f"Of {len(both)} test tasks the picks of {b} solve {(solved_b & ~solved_a).sum()} at least once that those "
            f"of {a} never do in any sample of any seed, {a} {(solved_a & ~solved_b).sum()} that {b} never does, both "
            f"{(solved_a & solved_b).sum()}, neither {(~solved_a & ~solved_b).sum()}."
        )
    return said
