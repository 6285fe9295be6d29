"""What the rollouts say of why arms differ: one row for each chain, and sentences with their uncertainty. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import pandas as pd

from analysis.history import by_chain
from analysis.statistics import paired_seeds
from analysis.why import Why

ENTROPY = "train/entropy"  # as TRL logs it
FEW_ARMS = 3  # up to here every arm and pair has sentences


def chain_reasons(why: Why, history: pd.DataFrame) -> pd.DataFrame:
    """``rollouts_chains.csv``: arm, seed and what its tables come to; "first" and "last" are windows of steps.

    flat:<reward> is the share of groups without signal; correlation:<a>,<b> and opposite:<a>,<b> are over the
    samples of groups with signal under both; partial and solved are shares of scored samples.
    """
    if why.empty:
        return pd.DataFrame(columns=["arm", "seed"])
    entropy = by_chain(history, ENTROPY)
    rows = []
    for (arm, seed), kinds in why.kinds.groupby(["arm", "seed"]):
        signal, agreement, passed, lengths = (
            table[(table["arm"] == arm) & (table["seed"] == seed)]
            for table in (why.signal, why.agreement, why.passed, why.lengths)
        )
        row: dict[str, object] = {"arm": arm, "seed": seed}
        for reward, of_reward in signal.groupby("reward"):
            row[f"flat:{reward}"] = of_reward["flat"].sum() / of_reward["groups"].sum()
        for (a, b), pair in agreement.groupby(["reward_a", "reward_b"]):
            weights = pair["samples"]
            groups = pair[["groups", "only_a", "only_b", "neither"]].sum()
            row |= {f"{name}:{a},{b}": _weighted(pair[name], weights) for name in ("correlation", "opposite")}
            row |= {f"both:{a},{b}": groups["groups"] / groups.sum()}
        partial = passed[~passed["tests"].isin(["none", "all"])].groupby("until")["share"].sum()
        row |= _ends("partial", partial) | _ends("solved", _of(passed, "tests", "all"))
        for kind in sorted(set(kinds["kind"]) - {"solved", "some tests passed", "no test passed"}):
            row |= _ends(kind, _of(kinds, "kind", kind))
        row |= _ends("characters", lengths.set_index("until")["characters"])
        until = sorted(lengths["until"])
        curve = pd.Series(entropy.get((str(arm), int(str(seed))), {}), dtype=float)
        row |= {"entropy first": curve[curve.index <= until[0]].mean()}
        row |= {"entropy last": curve[curve.index > (until[-2] if len(until) > 1 else 0)].mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def reasons(table: pd.DataFrame, arms: Sequence[str], own: Mapping[str, str]) -> list[str]:
    """Sentences on a `chain_reasons` table; ``own`` is {arm: the name of the reward that it trains on}.

    Of more than `FEW_ARMS` arms only each arm's signal is spoken of: the table has the rest.
    """
    if table.empty:
        return []
    shown = [arm for arm in arms if arm in set(table["arm"])]
    said = [sentence for arm in shown for sentence in _of_arm(table[table["arm"] == arm], arm, len(arms) <= FEW_ARMS)]
    if len(shown) <= FEW_ARMS:
        said += [sentence for a, b in combinations(shown, 2) for sentence in _between(table, a, b, own)]
    return said


def _of_arm(rows: pd.DataFrame, arm: str, whole: bool) -> list[str]:
    said: list[str] = []
    named = [name for name in map(str, rows.columns) if name.startswith("flat:") and rows[name].notna().any()]
    flat = [name.removeprefix("flat:") for name in named]
    for a, b in combinations(flat, 2):
        apart = _paired(rows, f"flat:{b}", rows, f"flat:{a}", 100, "points")
        said.append(
            f"On the rollouts of {arm}, {rows[f'flat:{a}'].mean():.1%} of groups have no signal under {a} and "
            f"{rows[f'flat:{b}'].mean():.1%} under {b} ({apart})."
        )
        of_pair = f":{a},{b}"
        if whole and rows.get(f"correlation{of_pair}", pd.Series(dtype=float)).notna().any():
            opposite = _range(rows[f"opposite{of_pair}"], "{:.1%}")
            said.append(
                f"In the {rows[f'both{of_pair}'].mean():.1%} of its groups where both have one, advantages under {a} "
                f"and {b} correlate at {_range(rows[f'correlation{of_pair}'], '{:.2f}')} and have opposite signs in "
                f"{opposite} of samples."
            )
    if whole:
        said.append(
            f"Over training, {arm} goes from {_moved(rows, 'partial', '{:.1%}')} of samples that pass some tests but "
            f"not all, from {_moved(rows, 'solved', '{:.1%}')} that pass all, and from "
            f"{_moved(rows, 'characters', '{:.0f}')} characters a completion."
        )
    return said


def _between(table: pd.DataFrame, a: str, b: str, own: Mapping[str, str]) -> list[str]:
    of_a, of_b = (table[table["arm"] == arm] for arm in (a, b))
    said = []
    columns = [f"flat:{own.get(arm, arm)}" for arm in (a, b)]
    if all(column in table for column in columns):
        share_a, share_b = 1 - of_a[columns[0]].mean(), 1 - of_b[columns[1]].mean()
        apart = _paired(of_a, columns[0], of_b, columns[1], -100, "points")
        said.append(
            f"Under the reward that it trains on, {share_b:.1%} of the groups of {b} have a signal and {share_a:.1%} "
            f"of those of {a} ({apart})."
        )
    for column, what, scale, unit in (
        ("characters last", "completions at the end", 1, "characters"),
        ("entropy last", "entropy at the end", 1, ""),
    ):
        if table[column].notna().any():
            levels = [rows[column].mean() for rows in (of_b, of_a)]
            shown = " and ".join(f"{level:.3g} in {arm}" for level, arm in zip(levels, (b, a), strict=True))
            said.append(f"{what[0].upper()}{what[1:]}: {shown} ({_paired(of_a, column, of_b, column, scale, unit)}).")
    return said


def _paired(a: pd.DataFrame, of_a: str, b: pd.DataFrame, of_b: str, scale: float, unit: str) -> str:
    """``of_b`` of b minus ``of_a`` of a, by seed, in words."""
    values = [
        {int(seed): scale * float(value) for seed, value in zip(rows["seed"], rows[column], strict=True)}
        for rows, column in ((a, of_a), (b, of_b))
    ]
    found = paired_seeds(*values)
    if not found.n:
        return "no seed of both"
    size = f"difference {_signed(found.mean)} {unit}".rstrip()
    seeds = f"{found.n} seed{'s' if found.n > 1 else ''}"
    if not found.has_interval:
        return f"{size} over {seeds}, without an interval"
    return f"{size}, 95 % t interval {_signed(found.low)} to {_signed(found.high)} over {seeds}"


def _signed(value: float) -> str:
    digits = 1 if abs(value) >= 1 else 3
    return f"{value:+.{digits}f}".replace("-", "−")


def _ends(name: str, curve: pd.Series) -> dict[str, float]:
    values = curve.sort_index()
    first, last = (float(values.iloc[at]) if len(values) else math.nan for at in (0, -1))
    return {f"{name} first": first, f"{name} last": last}


def _of(table: pd.DataFrame, column: str, level: str) -> pd.Series:
    return table[table[column] == level].set_index("until")["share"]


def _weighted(values: pd.Series, weights: pd.Series) -> float:
    known = values.notna() & weights.gt(0)
    return float((values[known] * weights[known]).sum() / weights[known].sum()) if known.any() else math.nan


def _range(values: pd.Series, form: str) -> str:
    show: Callable[[float], str] = form.format
    known = values.dropna()
    if len(known) == 1:
        return show(known.iloc[0])
    return f"{show(known.mean())} (seeds {show(known.min())} to {show(known.max())})"


def _moved(rows: pd.DataFrame, name: str, form: str) -> str:
    return f"{form.format(rows[f'{name} first'].mean())} to {form.format(rows[f'{name} last'].mean())}"
