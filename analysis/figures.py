"""How figures look and how they become bytes: the same input gives the same file."""

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.forked import working

# Okabe and Ito's palette, for every kind of colour vision; markers and line styles differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))

WIDTH = 9.0  # inches
DOTS_PER_INCH = 160  # of the PNG
_PNG = {"compress_level": 3}  # the usual 6 takes longer and makes no smaller files of such pictures

_NOT_IN_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # which the name of an arm may hold

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ablation",
    "svg.fonttype": "none",
    "hatch.linewidth": 0.4,
    "text.parse_math": False,  # an arm's name may hold a dollar sign
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.edgecolor": "#555555",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.dpi": 100,
}


class Look(NamedTuple):
    """Colour, marker and line style of one arm or seed."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]


def look(index: int) -> Look:
    """The look of the ``index``-th arm (or seed, in the figure of one arm)."""
    return Look(COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], LINES[index % len(LINES)])


def panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels (one at least), at most three in a row, each ``height`` inches high."""
    columns = min(3, max(1, count))
    rows = max(1, math.ceil(count / columns))
    figure = Figure(figsize=(WIDTH, height * rows + 0.5), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for unused in grid[max(1, count) :]:
        unused.set_visible(False)
    return figure, grid[: max(1, count)]


def legend(figure: Figure, axes: Axes) -> None:
    """One legend above all panels, of what ``axes`` shows; a word in its place when that is nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = min(len(labels), max(2, int(110 / (max(map(len, labels)) + 8))))
        figure.legend(handles, labels, loc="outside upper center", ncols=columns)
    else:
        axes.text(0.5, 0.5, "nothing logged", transform=axes.transAxes, ha="center", color="#777777")


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within this; nothing outside is touched."""
    with matplotlib.rc_context(_STYLE):
        yield


class Rendered(NamedTuple):
    """One figure as two files' bytes: SVG without a date, PNG."""

    svg: bytes
    png: bytes


def render(figure: Figure) -> Rendered:
    """Both files of a figure, laid out once; ``savefig`` would draw it once more for each, to lay it out."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    figure.set_layout_engine("none")
    svg, png = io.BytesIO(), io.BytesIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})
    figure.set_dpi(DOTS_PER_INCH)
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None}, pil_kwargs=_PNG)
    return Rendered(_NOT_IN_XML.sub(b"?", svg.getvalue()), png.getvalue())


Drawing = Callable[[], Figure]


@contextmanager
def rendering(named: Mapping[str, Drawing]) -> Iterator[Iterator[tuple[str, Rendered]]]:
    """Every drawing's name and files, drawn while the caller does other work, where forked processes can do that."""
    with working(lambda drawing: render(drawing()), list(named.values())) as rendered:
        yield zip(named, rendered, strict=True)


def inline(document: bytes, name: str) -> str:
    """An SVG ready to stand inside HTML: no prologue, no metadata, ids that begin with ``name``."""
    text = document.decode("utf-8")
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'\b(xlink:href|href)="#', rf'\1="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
