"""The pictures of a report. Every one says its N; an arm's own reward has a figure of its own.

Arms' own training rewards are on different scales, so they never share an axis: only shared scores do.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from itertools import chain, count
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ablation import metrics
from analysis import plots_why
from analysis.ema import ema, formula
from analysis.figures import WIDTH, Drawing, Look, legend, look, panels
from analysis.findings import Findings
from analysis.foreign import health
from analysis.history import by_chain
from analysis.picks import Picks, metric_of
from analysis.plots_held_out import held_out, pass_at

Curve = Mapping[int, float]
_POINTS = 500  # of a line: more cannot be seen
_FEW_SEEDS = 8  # more are drawn in one colour and not named
_FEW_ARMS = 6  # of more, seeds are not drawn beside the means
_TITLES = {
    metrics.SOLVED: "Solved rate (all expected tests pass)",
    metrics.PASS_RATIO: "Pass ratio (mean fraction of expected tests)",
    metrics.EVAL_SOLVED: "Solved rate of a few validation tasks",
    metrics.EVAL_PASS_RATIO: "Pass ratio of a few validation tasks",
    metrics.ZERO_STD_BINARY: "No signal under the binary reward",
    metrics.ZERO_STD_SHAPED: "No signal under the shaped reward",
}


def drawings(findings: Findings) -> dict[str, Drawing]:
    """{file name without suffix: what draws it}, for `analysis.figures.rendering`."""
    f = findings
    frame, arms, span = f.study.history.frame, f.study.arms, f.picks.rule.span
    known = [chain for chain in f.study.chains if chain.folder or chain.reward]
    own = {chain.arm: metric_of(chain, f.picks.rule) for chain in reversed(known)}
    curves = cache(lambda metric: by_chain(frame, metric))

    def of_arm(arm: str) -> Figure:
        return arm_curve(curves(own[arm]), arm, own[arm], f.picks)

    def of_all(*names: str) -> Figure:
        return shared({name: curves(name) for name in names}, arms, span)

    drawn: dict[str, Drawing] = {name: partial(of_arm, arm) for arm, name in curve_names(arms).items() if arm in own}
    if f.shared:
        drawn["shared-scores"] = partial(of_all, *f.shared[:6])
    if f.foreign:
        of_health = health(f.study)
        return drawn | ({"health": partial(shared, of_health, arms, span)} if of_health else {})
    if curves(metrics.EVAL_SOLVED):
        at_saves = {name: curves(name) for name in (metrics.EVAL_SOLVED, metrics.EVAL_PASS_RATIO)}
        drawn["validation"] = partial(shared, at_saves, arms, 1)
    drawn["signal"] = partial(of_all, metrics.ZERO_STD_BINARY, metrics.ZERO_STD_SHAPED)
    drawn["held-out"] = partial(held_out, f)
    drawn["pass-at-k"] = partial(pass_at, f)
    if not f.why.empty:
        drawn["agreement"] = partial(plots_why.agreement, f.why, arms)
        drawn["outcomes"] = partial(plots_why.outcomes, f.why, arms)
        drawn["failures"] = partial(plots_why.failures, f.why, arms)
        drawn["lengths"] = partial(plots_why.lengths, f.why, frame, arms)
    if len(arms) > 1 and f.tasks[list(arms)].notna().any(axis=None):
        drawn["tasks"] = partial(plots_why.movement, f.tasks, arms)
    return drawn


def arm_curve(of_chains: Mapping[tuple[str, int], Curve], arm: str, metric: str, picks: Picks) -> Figure:
    """One arm's own training reward: every seed thin, its EMA strong, its pick marked and named."""
    span = picks.rule.span
    curves = {seed: curve for (name, seed), curve in of_chains.items() if name == arm}
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    few = len(curves) <= _FEW_SEEDS
    for index, (seed, curve) in enumerate(curves.items()):
        kind = look(index if few else 0)
        steps, values = np.array(list(curve)), np.array(list(curve.values()))
        drawn = _thinned(len(steps))
        if few and len(drawn) == len(steps):
            axes.plot(steps, values, color=kind.colour, linewidth=0.8, alpha=0.35)
        picked = picks.by_chain.get((arm, seed))
        label = f"seed {seed}" + (f": pick step {picked.step}, EMA {picked.score:.3f}" if picked else ": no pick")
        style: dict[str, Any] = {"color": kind.colour, "linestyle": kind.line if few else "-"}
        smooth = np.array(ema(values.tolist(), span))
        axes.plot(steps[drawn], smooth[drawn], linewidth=2 if few else 0.9, alpha=1 if few else 0.6, **style)
        axes.lines[-1].set_label(label if few else "_seed")
        if picked:
            style = {"marker": kind.marker, "color": kind.colour, "markersize": 10 if few else 6}
            style |= {"markeredgecolor": "black", "linestyle": "none", "zorder": 5}
            axes.plot([picked.step], [picked.score], **style)
    if not few:
        chosen = sorted(p.step for (name, _), p in picks.by_chain.items() if name == arm)
        at = (
            f"; picks at steps {chosen[0]} to {chosen[-1]}, half of them by {chosen[len(chosen) // 2]}"
            if chosen
            else ""
        )
        axes.lines[0].set_label(f"{len(curves)} seeds, each its EMA{at}")
    axes.set_title(f"{arm}: {metric}, N = {len(curves)} seed{'s' if len(curves) != 1 else ''}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    thin = "thin: unsmoothed; " if few and all(len(_thinned(len(c))) == len(c) for c in curves.values()) else ""
    axes.set(xlabel=f"step      ({formula(span)}; {thin}marker: pick)", ylabel=metric)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=9 if len(curves) < 5 else 7.5)
    else:
        axes.text(0.5, 0.5, "nothing logged", transform=axes.transAxes, ha="center", color="#777777")
    return figure


def shared(curves: Mapping[str, Mapping[tuple[str, int], Curve]], arms: Sequence[str], span: float) -> Figure:
    """Metrics that mean the same in every arm, a panel each: seeds' EMAs thin, the mean over seeds strong."""
    figure, axes_of = panels(len(curves), 3.4)
    for axes, (name, of_chains) in zip(axes_of, curves.items(), strict=True):
        for index, arm in enumerate(arms):
            of_arm = {seed: curve for (found, seed), curve in of_chains.items() if found == arm and len(curve)}
            if of_arm:
                _mean_and_seeds(axes, of_arm, arm, look(index), span, few=len(arms) <= _FEW_ARMS)
        axes.set_title(_TITLES.get(name, name), fontsize=10.5 if len(curves) < 3 else 9)
        axes.set(xlabel="step", ylabel=name if len(curves) < 3 else "")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    legend(figure, max(axes_of, key=lambda axes: len(axes.get_legend_handles_labels()[0])))
    smoothing, seeds = ("not smoothed", "each seed") if span == 1 else (formula(span), "each seed's EMA")
    thin = f"thin: {seeds}; " if len(arms) <= _FEW_ARMS else ""
    figure.supxlabel(f"{smoothing}; {thin}strong: mean over seeds, where every seed has the step", fontsize=8.5)
    return figure


def _mean_and_seeds(axes: Axes, curves: Mapping[int, Curve], arm: str, kind: Look, span: float, *, few: bool) -> None:
    smooth = pd.DataFrame({seed: pd.Series(ema(c.values(), span), index=list(c)) for seed, c in curves.items()})
    smooth = smooth.sort_index()
    if few and len(curves) <= _FEW_SEEDS:
        thin = smooth.iloc[_thinned(len(smooth))]
        axes.plot(thin.index, thin, color=kind.colour, linewidth=0.8, alpha=0.45)
    mean = smooth.dropna().mean(axis=1)
    mean = mean.iloc[_thinned(len(mean))]
    style: dict[str, Any] = {"marker": kind.marker, "markevery": max(1, len(mean) // 8), "markersize": 6}
    label = f"{arm} (N = {len(curves)})"
    axes.plot(mean.index, mean, color=kind.colour, linestyle=kind.line, linewidth=2.2, label=label, **style)


def _thinned(count: int) -> list[int]:
    """At most `_POINTS` places of ``count``, evenly, the last one among them."""
    every = max(1, math.ceil(count / _POINTS))
    return sorted({*range(0, count, every), count - 1} - {-1})


def curve_names(arms: Sequence[str]) -> dict[str, str]:
    """{arm: the name of its figure}, safe as a file's name and unique."""
    names: dict[str, str] = {}
    for arm in arms:
        name = "curve-" + "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in arm)
        free = (f"{name}{end}" for end in chain([""], (f"-{number}" for number in count(2))))
        names[arm] = next(one for one in free if one not in names.values())
    return names
