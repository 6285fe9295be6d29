"""The pictures of a report. Every one says its N; an arm's own reward has a figure of its own.

Arms' own training rewards are on different scales, so they never share an axis: only shared scores do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablation import metrics
from analysis.ema import ema, formula
from analysis.figures import Look, look
from analysis.findings import Findings
from analysis.history import by_seed
from analysis.picks import Picks

WIDTH = 9.0  # inches
_TITLES = {
    metrics.SOLVED: "Solved rate (all expected tests pass)",
    metrics.PASS_RATIO: "Pass ratio (mean fraction of expected tests)",
    metrics.ZERO_STD_BINARY: "No signal under the binary reward",
    metrics.ZERO_STD_SHAPED: "No signal under the shaped reward",
}


def draw(findings: Findings) -> dict[str, Figure]:
    """{file name without suffix: figure}; call and save within `analysis.figures.style`."""
    frame, arms = findings.study.history.frame, findings.study.arms
    figures = {name: arm_curve(frame, arm, findings.picks) for arm, name in curve_names(arms).items()}
    span = findings.picks.rule.span
    figures["shared-scores"] = shared(frame, arms, (metrics.SOLVED, metrics.PASS_RATIO), span)
    figures["signal"] = shared(frame, arms, (metrics.ZERO_STD_BINARY, metrics.ZERO_STD_SHAPED), span)
    figures["held-out"] = held_out(findings)
    return figures


def arm_curve(frame: pd.DataFrame, arm: str, picks: Picks) -> Figure:
    """One arm's own training reward: every seed thin, its EMA strong, its pick marked and named."""
    rule = picks.rule
    table = by_seed(frame, arm, rule.metric)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for index, seed in enumerate(int(seed) for seed in table.columns):
        of_seed = table[seed].dropna()
        kind, steps = look(index), of_seed.index.to_numpy()
        axes.plot(steps, of_seed, color=kind.colour, linewidth=0.8, alpha=0.35)
        smooth = ema(of_seed.tolist(), rule.span)
        picked = picks.by_chain.get((arm, seed))
        label = f"seed {seed}" + (f": pick step {picked.step}, EMA {picked.score:.3f}" if picked else ": no pick")
        axes.plot(steps, smooth, color=kind.colour, linestyle=kind.line, linewidth=2, label=label)
        if picked:
            style: dict[str, Any] = {
                "marker": kind.marker,
                "color": kind.colour,
                "markersize": 10,
                "markeredgecolor": "black",
            }
            axes.plot([picked.step], [picked.score], linestyle="none", zorder=5, **style)
    count = table.shape[1]
    axes.set_title(f"{arm}: {rule.metric}, N = {count} seed{'s' if count != 1 else ''}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=f"step      ({formula(rule.span)}; thin: unsmoothed; marker: pick)", ylabel=rule.metric)
    _legend(axes)
    return figure


def shared(frame: pd.DataFrame, arms: Sequence[str], names: Sequence[str], span: float) -> Figure:
    """Metrics on the same scale in every arm, a panel each: seeds' EMAs thin, the mean over seeds strong."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for index, arm in enumerate(arms):
            table = by_seed(frame, arm, name)
            if len(table):
                _mean_and_seeds(axes, table, arm, look(index), span)
        axes.set_title(_TITLES[name])
        axes.set(xlabel="step", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes)
    figure.supxlabel(
        f"{formula(span)}; thin: each seed's EMA; strong: mean over seeds, where every seed has the step",
        fontsize=8.5,
    )
    return figure


def _mean_and_seeds(axes: Axes, table: pd.DataFrame, arm: str, kind: Look, span: float) -> None:
    smooth = pd.DataFrame({seed: ema(values.tolist(), span) for seed, values in table.items()}, index=table.index)
    smooth = smooth.where(table.notna())
    axes.plot(smooth.index, smooth, color=kind.colour, linewidth=0.8, alpha=0.45)
    mean = smooth.dropna().mean(axis=1)
    style: dict[str, Any] = {"marker": kind.marker, "markevery": max(1, len(mean) // 8), "markersize": 6}
    label = f"{arm} (N = {table.shape[1]})"
    axes.plot(mean.index, mean, color=kind.colour, linestyle=kind.line, linewidth=2.2, label=label, **style)


def held_out(findings: Findings) -> Figure:
    """Test scores of base, picks and last checkpoints: a point for each seed, a bar for their mean."""
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    scores = findings.held_out
    test = scores[(scores["split"] == "test") & (scores["mode"] == "sampled")]
    for axes, name in zip(figure.subplots(1, 2), (metrics.SOLVED, metrics.PASS_RATIO), strict=True):
        _held_out_panel(axes, test, findings, name.removeprefix("score/"))
        axes.set_title(_TITLES[name])
        axes.set(ylabel=f"test {name.removeprefix('score/')}")
        axes.grid(axis="x", visible=False)
    seeds = len({chain.seed for chain in findings.study.chains})
    figure.supxlabel(
        f"one point for each seed (N = {seeds}), with its task-clustered standard error; bar: their mean",
        fontsize=8.5,
    )
    return figure


def _held_out_panel(axes: Axes, test: pd.DataFrame, findings: Findings, score: str) -> None:
    base = test[test["kind"] == "base"]
    places, labels = [0.0], ["base"]
    _points(axes, 0.0, base, score, Look("#555555", "*", "-"))
    for index, arm in enumerate(findings.study.arms):
        of_arm = test[test["arm"] == arm]
        steps = {seed: picked.step for (name, seed), picked in findings.picks.by_chain.items() if name == arm}
        last = {c.seed: c.saved_steps[-1] for c in findings.study.chains if c.arm == arm and c.saved_steps}
        for offset, (role, chosen) in enumerate((("pick", steps), ("last", last))):
            place = 1.2 + index * 2.3 + offset
            rows = of_arm[of_arm["step"] == of_arm["seed"].map(chosen)]
            _points(axes, place, rows, score, look(index))
            places.append(place)
            labels.append(f"{arm}\n{role}")
    axes.set_xticks(places, labels, fontsize=9 if len(places) < 6 else 7)
    axes.set_xlim(-0.6, places[-1] + 0.6)
    axes.set_ylim(bottom=0)


def _points(axes: Axes, place: float, rows: pd.DataFrame, score: str, kind: Look) -> None:
    if rows.empty:
        axes.text(place, 0, "  no scores", rotation=90, ha="center", va="bottom", color="#777777")
        return
    spread = np.linspace(-0.18, 0.18, len(rows)) if len(rows) > 1 else np.zeros(1)
    style: dict[str, Any] = {
        "fmt": kind.marker,
        "color": kind.colour,
        "markersize": 6,
        "elinewidth": 1,
        "alpha": 0.85,
    }
    axes.errorbar(place + spread, rows[score], yerr=rows[f"{score}_se"].fillna(0), **style)
    axes.hlines(rows[score].mean(), place - 0.32, place + 0.32, color=kind.colour, linewidth=2)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")
    else:
        axes.text(0.5, 0.5, "nothing logged", transform=axes.transAxes, ha="center", color="#777777")


def curve_names(arms: Sequence[str]) -> dict[str, str]:
    """{arm: the name of its figure}, safe as a file's name and unique."""
    names: dict[str, str] = {}
    for arm in arms:
        name = "curve-" + "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in arm)
        names[arm] = name if name not in names.values() else f"{name}-{len(names)}"
    return names
