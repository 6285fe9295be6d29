"""Tables of findings as finished cells: numbers become words here, and nothing is computed."""

import math
from typing import Any, NamedTuple

import pandas as pd

from analysis.compare import Comparison, robust_words, signed, spoken
from analysis.cost import PARTS
from analysis.findings import Findings
from analysis.statistics import NOT_A_COMPARISON
from analysis.tables import held_out_table

DASH = "–"
_MOST = 24  # rows of a table that grows with pairs of arms or with chains; its csv has all


class Table(NamedTuple):
    """A header and rows of finished cells; the first ``labels`` columns are text, the others numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    left_out: int = 0  # rows that only the csv has


def chains_table(f: Findings) -> Table:
    """Every chain's state; of many an arm a row."""
    frame = f.study.history.frame
    last = frame.groupby(["arm", "seed"])["step"].max().to_dict()
    if len(f.study.chains) > _MOST:
        return _arms_table(f, last)
    if f.foreign:
        steps = ((c, str(last.get((c.arm, c.seed), 0))) for c in f.study.chains)
        of_runs = tuple((c.arm, str(c.seed), c.run_id, c.trainer or "unknown", c.status, step) for c, step in steps)
        return Table(("arm", "seed", "run", "trainer", "status", "last step"), of_runs, 5)
    rows = tuple(
        (
            c.arm,
            str(c.seed),
            c.status,
            f"{last.get((c.arm, c.seed), 0)} of {c.target_steps or '?'}",
            str(len(c.links)),
            str(len(c.saved_steps)) if c.folder else DASH,
            c.tier,
        )
        for c in f.study.chains
    )
    return Table(("arm", "seed", "status", "steps", "links", "checkpoints", "sandbox tier"), rows, 3)


def _arms_table(f: Findings, last: dict[Any, Any]) -> Table:
    rows = []
    for arm in f.study.arms:
        chains = [c for c in f.study.chains if c.arm == arm]
        steps = [last.get((arm, c.seed), 0) for c in chains]
        states = ", ".join(sorted({f"{sum(o.status == c.status for o in chains)} {c.status}" for c in chains}))
        links = sum(len(c.links) for c in chains)
        rows.append(
            (arm, states, str(len(chains)), _span(steps), str(links), ", ".join(sorted({c.tier for c in chains})))
        )
    return Table(("arm", "status", "seeds", "steps", "links", "sandbox tier"), tuple(rows), 2)


def _span(values: list[int]) -> str:
    return str(min(values)) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"


def differing_table(f: Findings) -> Table:
    """Every config field in which arms differ."""
    table = f.differences.table
    rows = tuple(tuple(str(value) for value in row) for row in table.itertuples(index=False))
    return Table(tuple(table.columns), rows[:80], len(table.columns), max(0, len(rows) - 80))


def cost_cells(f: Findings) -> Table:
    """What each arm cost; nothing where no chain logged the time of its steps."""
    table = f.cost.dropna(subset="step_s")
    rows = []
    for arm, chains in table.groupby("arm", sort=False):
        shares = [_share(chains[part].mean()) for part in PARTS]
        sums = [_or_dash(chains[name].sum(min_count=len(chains)), ".2f") for name in ("hours", "gpu_hours")]
        rates = [_or_dash(chains[name].median(), form) for name, form in _RATES.items()]
        rows.append((str(arm), str(len(chains)), *sums, *rates, *shares))
    header = ("arm", "chains", "hours", "GPU hours", "seconds a step", "tokens generated a second", "MFU", *PARTS)
    return Table(header, tuple(rows))


_RATES = {"step_s": ".2f", "tokens_generated_per_s": ",.0f", "mfu": ".1%"}


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if math.isfinite(value) else DASH


def _or_dash(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else DASH


def picks_cells(f: Findings) -> Table:
    """Selection score beside the held-out score of the same checkpoint."""
    own = ("arm", "seed", "pick", "selection score", "noise sd", "optimism")
    held_out = () if f.foreign else ("validation solved", "test solved", "test pass ratio", "ships")
    rows = tuple(
        (
            row["arm"],
            str(row["seed"]),
            str(row["step"]),
            number(row["score"]),
            number(row["noise_sd"]),
            f"{number(row['optimism'])} ({row['optimism_sd']:.2f} sd)",
            *(
                ()
                if f.foreign
                else (
                    percent(row["validation_solved"], row["validation_solved_se"]),
                    percent(row["test_solved"], row["test_solved_se"]),
                    percent(row["test_pass_ratio"], row["test_pass_ratio_se"]),
                    "ships" if row["ships"] else "",
                )
            ),
        )
        for row in f.picks_table.head(_MOST).to_dict("records")
    )
    return Table((*own, *held_out), rows, left_out=max(0, len(f.picks_table) - _MOST))


def rules_cells(f: Findings) -> Table:
    """Which step the other rules pick."""
    table = f.rules_table.dropna(axis=1, how="all") if f.foreign else f.rules_table
    rows = tuple(
        tuple(DASH if pd.isna(value) else str(value) for value in row)
        for row in table.head(_MOST).itertuples(index=False)
    )
    return Table(tuple(str(column) for column in table.columns), rows, left_out=max(0, len(table) - _MOST))


def held_out_cells(f: Findings, split: str) -> Table:
    """Base, picks and last checkpoints on one split, in per cent with task-clustered standard errors."""
    table = held_out_table(f.study, f.picks, f.held_out, split)
    greedy = bool(table["greedy"].notna().any())
    names = [name for name in table.columns if name.startswith("pass_at_") and not name.endswith("_se")]
    names = [name for name in names if table[name].notna().any()]
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
            *(percent(row[name], row[f"{name}_se"]) for name in names),
            *([percent(row["greedy"], math.nan)] if greedy else []),
        )
        for row in table.head(_MOST).to_dict("records")
    )
    return Table(
        (*header, *(spoken(name) for name in names), *(["greedy solved"] if greedy else [])),
        rows,
        left_out=max(0, len(table) - _MOST),
    )


def over_seeds_cells(f: Findings) -> Table:
    """Arm differences paired by seed on held-out scores, in percentage points; of many those that are claimed first."""
    return _comparisons(f.comparisons)


def curves_cells(f: Findings) -> Table:
    """The same of training curves: areas and fixed steps."""
    return _comparisons(f.curves.comparisons)


def health_cells(f: Findings) -> Table:
    """The same of lengths, entropy and the like."""
    return _comparisons(f.health)


def _comparisons(comparisons: tuple[Comparison, ...]) -> Table:
    chosen = sorted(comparisons, key=lambda c: not c.claims) if len(comparisons) > _MOST else comparisons
    rows = tuple(
        (
            f"{c.arm_b} − {c.arm_a}",
            c.checkpoint,
            spoken(c.metric),
            str(c.difference.n),
            points(c.difference.mean, c.scale[0]),
            NOT_A_COMPARISON if c.obstacle else interval(c.difference.low, c.difference.high, c.scale[0]),
            DASH if c.obstacle else p_value(c.p_holm),
            _by_seed(c),
        )
        for c in chosen[:_MOST]
    )
    p = "p (Holm)" if any(c.pairs_of_arms > 1 for c in chosen) else "p"
    unit = "points" if all(c.scale[1] for c in chosen) else "difference in the score's unit"
    header = ("arms", "at", "score", "seeds", unit, "95 % interval", p, "by seed")
    return Table(header, rows, 3, max(0, len(comparisons) - _MOST))


def _by_seed(c: Comparison) -> str:
    shown = [f"{seed}: {points(value, c.scale[0])}" for seed, value in c.difference.pairs.items()]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")


def robust_cells(f: Findings) -> Table:
    """Differences of interquartile means over seeds, of the picks; none below four seeds, where they are means."""
    chosen = [c for c in f.comparisons if c.checkpoint == "pick" and c.robust and c.robust.n >= 4]
    rows = tuple((f"{c.arm_b} − {c.arm_a}", spoken(c.metric), robust_words(c)) for c in chosen[:_MOST])
    return Table(("difference", "score", "interquartile means"), rows, 3, max(0, len(chosen) - _MOST))


def levels_cells(f: Findings) -> Table:
    """How many steps each arm's EMA of a shared score needs to a level, and in how many seeds it gets there."""
    table = f.curves.table
    table = table[table["measure"].str.startswith("steps to")] if len(table) else table
    rows = []
    for (metric, measure), of_level in table.groupby(["metric", "measure"], sort=False):
        for arm in f.study.arms:
            steps = of_level[of_level["arm"] == arm]["value"]
            reached, median = steps.dropna(), float(steps.fillna(math.inf).median())  # never is later than any step
            shown = f"{median:g}" if math.isfinite(median) else DASH
            rows.append((str(metric), str(measure), arm, f"{len(reached)} of {len(steps)}", shown, _range(reached)))
    header = ("metric", "level", "arm", "seeds that reach it", "median step", "range")
    return Table(header, tuple(rows[: 2 * _MOST]), 3, max(0, len(rows) - 2 * _MOST))


def _range(steps: "pd.Series[float]") -> str:
    return f"{steps.min():.0f} to {steps.max():.0f}" if len(steps) else DASH


def by_task_cells(f: Findings) -> Table:
    """Two given checkpoints over the same tasks, in percentage points."""
    rows = tuple(
        (
            f"{row['arm_b']} − {row['arm_a']}",
            spoken(row["metric"]),
            str(row["seed"]),
            str(row["tasks"]),
            str(row["moved"]),
            points(row["difference"]),
            points(row["se"]).lstrip("+"),
            interval(row["low"], row["high"]),
        )
        for row in f.by_task.head(_MOST).to_dict("records")
    )
    header = ("difference", "score", "seed", "tasks", "that differ", "points", "SE", "95 % interval")
    return Table(header, rows, 2, max(0, len(f.by_task) - _MOST))


def reasons_cells(f: Findings) -> Table:
    """What the rollouts of an arm come to, means over its chains."""
    table = f.reasons_table
    if table.empty:
        return Table(("arm",), ())
    means = table.groupby("arm").mean(numeric_only=True).drop(columns="seed")
    means = means.dropna(axis=1, how="all")
    of_arms = means.loc[:, (means != 0).any()].to_dict("index")
    names = list(dict.fromkeys(str(name) for values in of_arms.values() for name in values))
    rows = tuple(
        (_spoken_reason(name), *(_reason(name, of_arms.get(arm, {}).get(name, math.nan)) for arm in f.study.arms))
        for name in names
    )
    return Table(("mean over chains", *f.study.arms), rows)


def _spoken_reason(name: str) -> str:
    what, _, of = name.partition(":")
    a, _, b = of.partition(",")
    known = {
        "flat": f"groups without signal under {a}",
        "both": f"groups with a signal under {a} and {b}",
        "correlation": f"correlation of advantages under {a} and {b} there",
        "opposite": "samples with advantages of opposite signs there",
        "partial first": "some tests passed, first steps",
        "partial last": "some tests passed, last steps",
    }
    text = known.get(what, what.replace("_", " "))
    return text.replace(" first", ", first steps").replace(" last", ", last steps") if what not in known else text


def _reason(name: str, value: float) -> str:
    if not math.isfinite(value):
        return DASH
    if name.startswith(("correlation", "entropy")):
        return f"{value:.2f}"
    return f"{value:.0f}" if name.startswith("characters") else f"{100 * value:.1f} %"


def number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else DASH


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)


def percent(value: float, error: float) -> str:
    """A rate in per cent, with its standard error when there is one."""
    if not math.isfinite(value):
        return DASH
    return f"{100 * value:.1f}" + (f" ± {100 * error:.1f}" if math.isfinite(error) else "")


def points(value: float, scale: int = 100) -> str:
    return signed(value, scale) if math.isfinite(value) else DASH


def interval(low: float, high: float, scale: int = 100) -> str:
    return f"{points(low, scale)} to {points(high, scale)}" if math.isfinite(low) else "none"
