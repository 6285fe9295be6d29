"""The plots of an audit's page: svg text for HTML, the same for the same input."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

# Of Okabe and Ito's palette, for every kind of colour vision.
REJECTS, WARNS, NEUTRAL = "#D55E00", "#E69F00", "#0072B2"
SIZE = (5.4, 3.0)  # inches
BINS = 20

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "audit",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "axes.edgecolor": "#555555",
}


def findings_bars(counts: Mapping[str, int], rejecting: Sequence[str]) -> str:
    """How many tasks have each kind of finding; kinds without one are left out."""
    shown = [(kind, count) for kind, count in counts.items() if count]

    def draw(axes: Axes) -> None:
        kinds, numbers = [kind for kind, _ in shown], [count for _, count in shown]
        colours = [REJECTS if kind in rejecting else WARNS for kind in kinds]
        bars = axes.barh(kinds, numbers, color=colours, height=0.7)
        axes.bar_label(bars, padding=3, fmt="{:,.0f}")
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if not shown:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no finding", transform=axes.transAxes, ha="center", color="#777777")

    return _drawn("findings", "Tasks with each finding", "tasks", draw, (SIZE[0], max(1.4, 0.55 + 0.3 * len(shown))))


def tests_histogram(tests: Sequence[int], least: int) -> str:
    """How many tests tasks have; those with fewer than ``least`` in the colour of rejection."""

    def draw(axes: Axes) -> None:
        top = max(tests, default=1)
        width = max(1, -(-top // 40))
        edges = [edge - 0.5 for edge in range(0, top + width + 1, width)]
        _, _, patches = axes.hist(tests, bins=edges, color=NEUTRAL, rwidth=0.9)
        for edge, patch in zip(edges, patches, strict=False):  # type: ignore[arg-type]
            if edge + 0.5 < least:
                patch.set_facecolor(REJECTS)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))

    return _drawn("tests", "Tests per task", "tests that count", draw)


def floor_histogram(floors: Sequence[float]) -> str:
    """The largest share of its tests that a stub passes, of each task."""

    def draw(axes: Axes) -> None:
        _, edges, patches = axes.hist(floors, bins=[n / BINS for n in range(BINS + 1)], color=NEUTRAL, rwidth=0.9)
        for edge, patch in zip(edges, patches, strict=False):  # type: ignore[arg-type]
            if edge > 1 - 1.5 / BINS:
                patch.set_facecolor(REJECTS)
            elif edge > 0.5 / BINS:
                patch.set_facecolor(WARNS)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))

    return _drawn("floor", "Stub floor", "tests that the best stub passes", draw)


def time_histogram(seconds: Sequence[float], slow: float) -> str:
    """How long references take, on a logarithmic axis, with a line where they count as slow."""

    def draw(axes: Axes) -> None:
        values = [max(value, 1e-4) for value in seconds]
        low, high = min(values, default=1e-3), max([slow, *values])
        bins = [low * (high * 1.05 / low) ** (n / (2 * BINS)) for n in range(2 * BINS + 1)]
        axes.hist(values, bins=bins, color=NEUTRAL, rwidth=0.9)
        axes.set_xscale("log")
        axes.axvline(slow, color=WARNS, linewidth=1.5)
        axes.text(slow, axes.get_ylim()[1], "slow ", color="#8a5a00", va="top", ha="right")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:g} s" if s >= 1 else f"{1000 * s:g} ms"))

    return _drawn("time", "Time per task", "one run of the reference, median", draw)


def _drawn(name: str, title: str, label: str, draw: Any, size: tuple[float, float] = SIZE) -> str:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set(xlabel=label)
        if not axes.get_title(loc="left"):
            axes.set_title(title)
        if name != "findings":
            axes.set_ylabel("tasks")
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        out = io.BytesIO()
        figure.savefig(out, format="svg")
    return _inline(out.getvalue().decode("utf-8"), name)


def _inline(text: str, name: str) -> str:
    """Ready to stand inside HTML: no prologue, no metadata, ids that begin with ``name``."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'\b(xlink:href|href)="#', rf'\1="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
