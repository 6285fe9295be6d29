"""The pictures of held-out scores: checkpoints beside the base, and pass@k over k."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from analysis.figures import WIDTH, Look, legend, look
from analysis.findings import Findings

_BASE = Look("#555555", "*", (0, (1, 1)))
_TITLES = {
    "solved": "Solved rate (all expected tests pass)",
    "pass_ratio": "Pass ratio (mean fraction of expected tests)",
}


def held_out(findings: Findings) -> Figure:
    """Test scores of base, picks and last checkpoints: a point for each seed, a bar for their mean."""
    many = len(findings.study.arms) > 4
    figure = Figure(figsize=(WIDTH, 7.0 if many else 3.8), layout="constrained")
    test = _sampled(findings)
    grid = figure.subplots(2 if many else 1, 1 if many else 2, squeeze=False).ravel()
    for axes, name in zip(grid, _TITLES, strict=True):
        _held_out_panel(axes, test, findings, name)
        axes.set_title(_TITLES[name])
        axes.set(ylabel=f"test {name}")
        axes.grid(axis="x", visible=False)
    seeds = len({chain.seed for chain in findings.study.chains})
    figure.supxlabel(
        f"one point for each seed (N = {seeds}), with its task-clustered standard error; bar: their mean",
        fontsize=8.5,
    )
    return figure


def pass_at(findings: Findings) -> Figure:
    """Test pass@k of the base and of every arm's picks, over k below the number of samples."""
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    axes = figure.add_subplot()
    test = _sampled(findings)
    names = [name for name in test.columns if name.startswith("pass_at_") and not name.endswith("_se")]
    ks = {name: int(name.removeprefix("pass_at_")) for name in names if test[name].notna().any()}
    shapes = [(arm, _picked(test, findings, arm), look(index)) for index, arm in enumerate(findings.study.arms)]
    for label, rows, kind in [("base", test[test["kind"] == "base"], _BASE), *shapes]:
        if rows.empty or not ks:
            continue
        table = rows[list(ks)].to_numpy(float)
        if 1 < len(rows) <= 8:
            axes.plot(list(ks.values()), table.T, color=kind.colour, linewidth=0.7, alpha=0.4)
        style: dict[str, Any] = {"color": kind.colour, "linestyle": kind.line, "marker": kind.marker, "linewidth": 2}
        shown = label if label == "base" else f"{label} (N = {len(rows)})"
        axes.plot(list(ks.values()), np.nanmean(table, axis=0), label=shown, **style)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(ks.values()) or [1]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_title("pass@k on the test split, 1 − C(n−c, k) / C(n, k), k < n")
    axes.set(xlabel="k      (strong: mean over the seeds' picks; thin: each seed)", ylabel="pass@k")
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def _sampled(findings: Findings) -> pd.DataFrame:
    scores = findings.held_out
    return scores[(scores["split"] == "test") & (scores["mode"] == "sampled")]


def _picked(test: pd.DataFrame, findings: Findings, arm: str) -> pd.DataFrame:
    steps = {seed: picked.step for (name, seed), picked in findings.picks.by_chain.items() if name == arm}
    of_arm = test[test["arm"] == arm]
    return of_arm[of_arm["step"] == of_arm["seed"].map(steps)]


def _held_out_panel(axes: Axes, test: pd.DataFrame, findings: Findings, score: str) -> None:
    arms = findings.study.arms
    places, labels = [0.0], ["base"]
    _points(axes, 0.0, test[test["kind"] == "base"], score, _BASE)
    for index, arm in enumerate(arms):
        last = {c.seed: c.saved_steps[-1] for c in findings.study.chains if c.arm == arm and c.saved_steps}
        of_arm = test[test["arm"] == arm]
        at_last = of_arm[of_arm["step"] == of_arm["seed"].map(last)]
        for offset, (role, rows) in enumerate((("pick", _picked(test, findings, arm)), ("last", at_last))):
            place = 1.2 + index * 2.3 + offset
            _points(axes, place, rows, score, look(index))
            places.append(place)
            labels.append(f"{arm} {role}" if len(arms) > 4 else f"{arm}\n{role}")
    turned: dict[str, Any] = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"} if len(arms) > 4 else {}
    axes.set_xticks(places, labels, fontsize=9 if len(places) < 6 else 7.5, **turned)
    axes.set_xlim(-0.6, places[-1] + 0.6)
    axes.set_ylim(bottom=0)


def _points(axes: Axes, place: float, rows: pd.DataFrame, score: str, kind: Look) -> None:
    if rows.empty:
        axes.text(place, 0, "  no scores", rotation=90, ha="center", va="bottom", color="#777777")
        return
    spread = np.linspace(-0.3, 0.3, len(rows)) if len(rows) > 1 else np.zeros(1)
    style: dict[str, Any] = {
        "fmt": kind.marker,
        "color": kind.colour,
        "markersize": 6 if len(rows) <= 6 else 3.5,
        "elinewidth": 1 if len(rows) <= 6 else 0.5,
        "alpha": 0.85,
    }
    axes.errorbar(place + spread, rows[score], yerr=rows[f"{score}_se"].fillna(0), **style)
    axes.hlines(rows[score].mean(), place - 0.42, place + 0.42, color=kind.colour, linewidth=2)
