"""Why arms differ, from the stored rollouts of a chain: signal, agreement of rewards, outcomes, lengths. Pure.

Every chain is summarised on its own and its rows let go, so that memory is that of the longest chain.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

WINDOWS = 16  # at most, of equal numbers of steps
GROUP = ["step", "group"]
PASSED = ("none", "up to a quarter", "up to half", "up to three quarters", "nearly all", "all")
_EDGES = np.array([0.0, 0.25, 0.5, 0.75])


class Why(NamedTuple):
    """Tables over chains; each has arm, seed and (but for ``tasks``) ``until``, the last step of its window.

    signal: reward, groups, flat (groups whose scored samples all earn the same, or of which fewer than two are scored).
    agreement: reward_a, reward_b, groups with signal under both, only_a, only_b, neither; over the samples of the
    groups with both: samples, correlation of advantages, opposite (share whose advantages have opposite signs).
    passed: tests (one of `PASSED`), samples, share of scored samples. kinds: kind, samples, share of all samples.
    lengths: samples, characters (mean of a completion). tasks: task_id, half (first, second), samples, solved.
    """

    signal: pd.DataFrame
    agreement: pd.DataFrame
    passed: pd.DataFrame
    kinds: pd.DataFrame
    lengths: pd.DataFrame
    tasks: pd.DataFrame

    @property
    def empty(self) -> bool:
        return self.signal.empty and self.kinds.empty


def width(last_step: int) -> int:
    """Steps of a window, so that ``last_step`` steps make at most `WINDOWS`."""
    return max(1, math.ceil(last_step / WINDOWS))


def summarise(rows: pd.DataFrame, rewards: Sequence[str], width: int) -> Why:
    """One chain's rollouts [samples], as `analysis.sources.rollouts.read_rollouts` gives them.

    ``rewards`` are the names of those that are set against each other; those without a column are left out.
    """
    rows = rows.assign(until=np.ceil(rows["step"] / width).astype(int) * width)
    rows["until"] = rows["until"].clip(upper=int(rows["step"].max()) if len(rows) else 0)
    known = [name for name in rewards if f"reward/{name}" in rows]
    advantages = {name: _advantages(rows, f"reward/{name}") for name in known}
    return Why(
        _signal(rows, advantages),
        _agreement(rows, advantages),
        _passed(rows),
        _kinds(rows),
        rows.groupby("until")["characters"].agg(samples="size", characters="mean").reset_index(),
        _tasks(rows),
    )


def join(parts: Iterable[tuple[str, int, Why]]) -> Why:
    """The tables of many chains, each row with its arm and seed."""
    labelled = [[table.assign(arm=arm, seed=seed) for table in why] for arm, seed, why in parts]
    joined = [pd.concat(tables, ignore_index=True) for tables in zip(*labelled, strict=True)]
    if not joined:
        return Why(*(pd.DataFrame(columns=["arm", "seed"]) for _ in Why._fields))
    return Why(*(table[["arm", "seed", *(c for c in table if c not in ("arm", "seed"))]] for table in joined))


def _advantages(rows: pd.DataFrame, column: str) -> pd.Series:
    """(r - mean) / sd within each group [samples], as GRPO scales it; 0 in a group without signal, NaN unscored."""
    values = rows[column].astype(float)
    grouped = values.groupby([rows[key] for key in GROUP])
    centred, sd = values - grouped.transform("mean"), grouped.transform("std", ddof=0)
    return centred.where(values.isna(), np.where(sd > 1e-12, centred / sd.where(sd > 1e-12, 1.0), 0.0))


def _signal(rows: pd.DataFrame, advantages: dict[str, pd.Series]) -> pd.DataFrame:
    found = []
    for name, advantage in advantages.items():
        flat = _of_groups(rows, advantage.fillna(0) == 0, "all")
        found.append(flat.groupby("until")["value"].agg(groups="size", flat="sum").reset_index().assign(reward=name))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["until", "groups", "flat", "reward"])


def _agreement(rows: pd.DataFrame, advantages: dict[str, pd.Series]) -> pd.DataFrame:
    found = []
    for a, b in combinations(advantages, 2):
        frame = pd.DataFrame({"until": rows["until"], "a": advantages[a], "b": advantages[b]}).fillna(0.0)
        has_a, has_b = (frame[x].ne(0).groupby([rows[key] for key in GROUP]).transform("any") for x in "ab")
        groups = _of_groups(rows, has_a * 2 + has_b, "max")
        both = frame[has_a & has_b].dropna()
        for until, of_window in groups.groupby("until")["value"]:
            x, y = (both.loc[both["until"] == until, name].to_numpy(float) for name in "ab")
            spread = len(x) > 1 and x.std() > 0 and y.std() > 0
            found.append(
                {
                    "until": until,
                    "reward_a": a,
                    "reward_b": b,
                    "groups": int((of_window == 3).sum()),
                    "only_a": int((of_window == 2).sum()),
                    "only_b": int((of_window == 1).sum()),
                    "neither": int((of_window == 0).sum()),
                    "samples": len(x),
                    "correlation": float(np.corrcoef(x, y)[0, 1]) if spread else math.nan,
                    "opposite": float(np.mean(x * y < 0)) if len(x) else math.nan,
                }
            )
    return pd.DataFrame(found, columns=_AGREEMENT)


_AGREEMENT = [
    "until",
    "reward_a",
    "reward_b",
    "groups",
    "only_a",
    "only_b",
    "neither",
    "samples",
    "correlation",
    "opposite",
]


def _of_groups(rows: pd.DataFrame, values: pd.Series, how: str) -> pd.DataFrame:
    """One value for each group, with its window."""
    table = pd.DataFrame({"until": rows["until"], "value": values, **{key: rows[key] for key in GROUP}})
    return table.groupby(GROUP).agg(until=("until", "first"), value=("value", how)).reset_index()


def _passed(rows: pd.DataFrame) -> pd.DataFrame:
    scored = rows[rows["pass_ratio"].notna()]
    place = np.searchsorted(_EDGES, scored["pass_ratio"].to_numpy(float))  # 0: none; 1 to 4: by quarters
    place = np.where(scored["solved"].to_numpy(float) == 1, len(PASSED) - 1, place)
    table = _shares(scored["until"], pd.Series(place, index=scored.index), range(len(PASSED)), "tests")
    return table.assign(tests=[PASSED[index] for index in table["tests"]])


def _kinds(rows: pd.DataFrame) -> pd.DataFrame:
    """What became of every sample: its status, and of scored ones whether it solves its task."""
    outcome = np.select(
        [rows["solved"].eq(1), rows["status"].eq("scored") & rows["pass_ratio"].gt(0), rows["status"].eq("scored")],
        ["solved", "some tests passed", "no test passed"],
        rows["status"],
    )
    return _shares(rows["until"], pd.Series(outcome, index=rows.index), sorted(set(outcome)), "kind")


def _shares(until: pd.Series, what: pd.Series, levels: Iterable[object], name: str) -> pd.DataFrame:
    counts = pd.crosstab(until, what).reindex(columns=list(levels), fill_value=0)
    table = counts.rename_axis(columns=name).stack().reset_index()
    table.columns = pd.Index([str(until.name), name, "samples"])
    return table.assign(share=table["samples"] / table.groupby("until")["samples"].transform("sum"))


def _tasks(rows: pd.DataFrame) -> pd.DataFrame:
    middle = (rows["step"].min() + rows["step"].max()) / 2
    half = np.where(rows["step"] <= middle, "first", "second")
    grouped = rows.assign(half=half)[rows["solved"].notna()].groupby(["task_id", "half"])["solved"]
    return grouped.agg(samples="size", solved="sum").reset_index()
