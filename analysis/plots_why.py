"""The pictures of the rollouts: signal and agreement of rewards, outcomes, lengths, tasks."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.figures import COLOURS, WIDTH, Look, legend, look, panels
from analysis.history import by_chain
from analysis.reasons import ENTROPY
from analysis.why import PASSED, Why

_SHADES = ("#f0f0f0", "#d0dce8", "#a6bddb", "#74a9cf", "#2b8cbe", "#045a8d")  # light to dark: none to all passed
_HATCHES = ("", "", "..", "", "//", "")
_UNSOLVED = ("no_code", "syntax_error", "timeout", "crashed", "violation", "unsupported", "infrastructure")


def agreement(why: Why, arms: Sequence[str]) -> Figure:
    """For the first pair of rewards: where both have a signal, and how their advantages agree there."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    table = why.agreement
    a, b = table[["reward_a", "reward_b"]].iloc[0] if len(table) else ("one reward", "another")
    pair = table[(table["reward_a"] == a) & (table["reward_b"] == b)]
    groups = pair[["groups", "only_a", "only_b", "neither"]].sum(axis=1)
    pair = pair.assign(both=pair["groups"] / groups)
    titles = {
        "both": "Signal under both",
        "correlation": "Correlation of advantages there",
        "opposite": "Opposite signs there",
    }
    for axes, (name, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
        for index, arm in enumerate(arms):
            _over_seeds(axes, pair[pair["arm"] == arm], name, arm, look(index))
        axes.set_title(title)
        axes.set_ylim((-1.05, 1.05) if name == "correlation" and (pair[name] < 0).any() else (0, 1.05))
        _steps(axes)
    legend(figure, figure.axes[0])
    figure.supxlabel(f"{a} and {b} on the same rollouts; strong: mean over seeds, thin: each seed", fontsize=8.5)
    return figure


def outcomes(why: Why, arms: Sequence[str]) -> Figure:
    """How many of its tests a scored sample passes, over the steps, an arm a panel."""
    figure, axes_of = panels(len(arms), 2.6)
    for axes, arm in zip(axes_of, arms, strict=False):
        rows = why.passed[why.passed["arm"] == arm]
        shares = rows.groupby(["until", "tests"])["share"].mean().unstack().reindex(columns=list(PASSED)).fillna(0)
        if len(shares):
            layers = axes.stackplot(shares.index, shares.T.to_numpy(), colors=_SHADES, labels=PASSED, edgecolor="white")
            for layer, hatch in zip(layers, _HATCHES, strict=True):
                layer.set_hatch(hatch)
        axes.set_title(f"{arm} (N = {rows['seed'].nunique()})")
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _steps(axes)
    legend(figure, axes_of[0])
    figure.supxlabel("tests passed by scored samples, mean over seeds; from none (light) to all (dark)", fontsize=8.5)
    return figure


def failures(why: Why, arms: Sequence[str]) -> Figure:
    """Samples that could not be run to a score, by kind, an arm a panel."""
    figure, axes_of = panels(len(arms), 2.6)
    top = 0.0
    for axes, arm in zip(axes_of, arms, strict=False):
        rows = why.kinds[(why.kinds["arm"] == arm) & why.kinds["kind"].isin(_UNSOLVED)]
        for kind, of_kind in rows.groupby("kind"):
            curve = of_kind.groupby("until")["share"].mean()
            shape = look(_UNSOLVED.index(str(kind)))
            axes.plot(
                curve.index,
                curve,
                color=shape.colour,
                linestyle=shape.line,
                marker=shape.marker,
                label=str(kind),
                markersize=4,
            )
            top = max(top, float(curve.max()))
        axes.set_title(arm)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        _steps(axes)
        if rows.empty:
            axes.text(0.5, 0.5, "every sample was scored", transform=axes.transAxes, ha="center", color="#777777")
    for axes in axes_of:
        axes.set_ylim(0, 1.1 * top or 1)
    handles = max(axes_of, key=lambda axes: len(axes.get_legend_handles_labels()[0]))
    legend(figure, handles)
    figure.supxlabel("share of all samples, mean over seeds", fontsize=8.5)
    return figure


def lengths(why: Why, history: pd.DataFrame, arms: Sequence[str]) -> Figure:
    """Mean length of a completion, and the entropy that TRL logs, over the steps."""
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    entropy = by_chain(history, ENTROPY)
    size = max(1, int(why.lengths["until"].min())) if len(why.lengths) else 1
    binned = [
        {"arm": arm, "seed": seed, "until": -(-step // size) * size, "entropy": value}
        for (arm, seed), curve in entropy.items()
        for step, value in curve.items()
    ]
    of_entropy = pd.DataFrame(binned, columns=["arm", "seed", "until", "entropy"])
    of_entropy = of_entropy.groupby(["arm", "seed", "until"]).agg(entropy=("entropy", "mean")).reset_index()
    for index, arm in enumerate(arms):
        _over_seeds(left, why.lengths[why.lengths["arm"] == arm], "characters", arm, look(index))
        _over_seeds(right, of_entropy[of_entropy["arm"] == arm], "entropy", arm, look(index))
    left.set_title("Characters a completion")
    right.set_title("Entropy of the policy (train/entropy)")
    for axes in (left, right):
        _steps(axes)
    if of_entropy.empty:
        right.text(0.5, 0.5, "not logged", transform=right.transAxes, ha="center", color="#777777")
    legend(figure, left)
    return figure


def movement(table: pd.DataFrame, arms: Sequence[str]) -> Figure:
    """Every test task's solved rate in the picks of two arms, a panel for each of the first six pairs."""
    pairs = list(combinations(arms, 2))[:6]
    figure, axes_of = panels(len(pairs), 3.4)
    for axes, (a, b) in zip(axes_of, pairs, strict=False):
        both = table[[a, b]].dropna()
        counts = both.value_counts().reset_index()
        axes.scatter(
            counts[a],
            counts[b],
            s=14 * counts["count"].clip(upper=20),
            color=COLOURS[0],
            alpha=0.55,
            edgecolors="white",
        )
        axes.plot([0, 1], [0, 1], color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        axes.set(
            xlabel=f"{a}: solved rate of a task", ylabel=f"{b}", xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), aspect="equal"
        )
        axes.set_title(f"{len(both)} test tasks: {(both[b] > both[a]).sum()} above, {(both[b] < both[a]).sum()} below")
    return figure


def _over_seeds(axes: Axes, rows: pd.DataFrame, column: str, arm: str, kind: Look) -> None:
    table = rows.pivot(index="until", columns="seed", values=column) if len(rows) else pd.DataFrame()
    if table.empty:
        return
    if table.shape[1] <= 8:
        axes.plot(table.index, table, color=kind.colour, linewidth=0.7, alpha=0.4)
    label = f"{arm} (N = {table.shape[1]})"
    axes.plot(
        table.index,
        table.mean(axis=1),
        color=kind.colour,
        linestyle=kind.line,
        marker=kind.marker,
        markersize=5,
        linewidth=2,
        label=label,
    )


def _steps(axes: Axes) -> None:
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
