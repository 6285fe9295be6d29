"""Tables of findings as finished cells: numbers become words here, and nothing is computed."""

import math
from typing import NamedTuple

import pandas as pd

from analysis.compare import signed
from analysis.findings import Findings
from analysis.held_out import KS
from analysis.statistics import NOT_A_COMPARISON
from analysis.tables import held_out_table

DASH = "–"


class Table(NamedTuple):
    """A header and rows of finished cells; the first ``labels`` columns are text, the others numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1


def chains_table(f: Findings) -> Table:
    """Every chain's state."""
    frame = f.study.history.frame
    last = frame.groupby(["arm", "seed"])["step"].max().to_dict()
    rows = tuple(
        (
            c.arm,
            str(c.seed),
            c.status,
            f"{last.get((c.arm, c.seed), 0)} of {c.target_steps or '?'}",
            str(len(c.links)),
            str(len(c.saved_steps)),
            c.tier,
        )
        for c in f.study.chains
    )
    return Table(("arm", "seed", "status", "steps", "links", "checkpoints", "sandbox tier"), rows, 3)


def differing_table(f: Findings) -> Table:
    """Every config field in which arms differ."""
    table = f.differences.table
    rows = tuple(tuple(str(value) for value in row) for row in table.itertuples(index=False))
    return Table(tuple(table.columns), rows, len(table.columns))


def picks_cells(f: Findings) -> Table:
    """Selection score beside the held-out score of the same checkpoint."""
    own = ("arm", "seed", "pick", "selection score", "noise sd", "optimism")
    header = (*own, "validation solved", "test solved", "test pass ratio", "ships")
    rows = tuple(
        (
            row["arm"],
            str(row["seed"]),
            str(row["step"]),
            number(row["score"]),
            number(row["noise_sd"]),
            f"{number(row['optimism'])} ({row['optimism_sd']:.2f} sd)",
            percent(row["validation_solved"], row["validation_solved_se"]),
            percent(row["test_solved"], row["test_solved_se"]),
            percent(row["test_pass_ratio"], row["test_pass_ratio_se"]),
            "ships" if row["ships"] else "",
        )
        for row in f.picks_table.to_dict("records")
    )
    return Table(header, rows)


def rules_cells(f: Findings) -> Table:
    """Which step the other rules pick."""
    table = f.rules_table
    rows = tuple(
        tuple(DASH if pd.isna(value) else str(value) for value in row) for row in table.itertuples(index=False)
    )
    return Table(tuple(str(column) for column in table.columns), rows)


def held_out_cells(f: Findings, split: str) -> Table:
    """Base, picks and last checkpoints on one split, in per cent with task-clustered standard errors."""
    table = held_out_table(f.study, f.picks, f.held_out, split)
    greedy = bool(table["greedy"].notna().any())
    ks = [k for k in KS if table[f"pass_at_{k}"].notna().any()]
    header = ("arm", "seed", "step", "role", "tasks", "samples", "solved", "pass ratio")
    rows = tuple(
        (
            "base" if row["kind"] == "base" else row["arm"],
            DASH if pd.isna(row["seed"]) else str(row["seed"]),
            DASH if pd.isna(row["step"]) else str(row["step"]),
            row["role"],
            str(row["tasks"]),
            str(row["samples"]) + (f" ({row['unscored']} unscored)" if row["unscored"] else ""),
            percent(row["solved"], row["solved_se"]),
            percent(row["pass_ratio"], row["pass_ratio_se"]),
            *(percent(row[f"pass_at_{k}"], row[f"pass_at_{k}_se"]) for k in ks),
            *([percent(row["greedy"], math.nan)] if greedy else []),
        )
        for row in table.to_dict("records")
    )
    return Table((*header, *(f"pass@{k}" for k in ks), *(["greedy solved"] if greedy else [])), rows)


def over_seeds_cells(f: Findings) -> Table:
    """Arm differences paired by seed, in percentage points."""
    rows = tuple(
        (
            f"{c.arm_b} − {c.arm_a}",
            c.checkpoint,
            c.metric.replace("_", " "),
            str(c.difference.n),
            points(c.difference.mean),
            NOT_A_COMPARISON if c.obstacle else interval(c.difference.low, c.difference.high),
            DASH if c.obstacle else number(c.p_holm),
            ", ".join(f"{seed}: {points(value)}" for seed, value in c.difference.pairs.items()),
        )
        for c in f.comparisons
    )
    header = ("difference", "checkpoint", "score", "seeds", "points", "95 % interval", "p (Holm)", "by seed")
    return Table(header, rows, 3)


def by_task_cells(f: Findings) -> Table:
    """Two given checkpoints over the same tasks, in percentage points."""
    rows = tuple(
        (
            f"{row['arm_b']} − {row['arm_a']}",
            row["metric"].replace("_", " "),
            str(row["seed"]),
            str(row["tasks"]),
            points(row["difference"]),
            points(row["se"]).lstrip("+"),
            interval(row["low"], row["high"]),
        )
        for row in f.by_task.to_dict("records")
    )
    return Table(("difference", "score", "seed", "tasks", "points", "SE", "95 % interval"), rows, 2)


def number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else DASH


def percent(value: float, error: float) -> str:
    """A rate in per cent, with its standard error when there is one."""
    if not math.isfinite(value):
        return DASH
    return f"{100 * value:.1f}" + (f" ± {100 * error:.1f}" if math.isfinite(error) else "")


def points(value: float) -> str:
    return signed(value) if math.isfinite(value) else DASH


def interval(low: float, high: float) -> str:
    return f"{points(low)} to {points(high)}" if math.isfinite(low) else "none"
