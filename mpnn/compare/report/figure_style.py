"""Style of figures: colours, axes, labels beside the lines, and file formats.

In the page a figure is inline SVG whose colours are CSS variables, so that it follows the reader's
light or dark theme; beside the Markdown it is a PNG on white.
"""

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from mpnn.compare.report.series import Series

__all__ = [
    "AXES",
    "COLOURS",
    "FIGURE_INCHES",
    "GRID",
    "INK",
    "draw_lines",
    "line_style",
    "log_ticks",
    "new_figure",
    "render_png",
    "render_svg",
    "round_ticks",
    "shorten",
]

# Told apart by readers with any colour vision (after Okabe and Ito), and by markers beside that. The
# page replaces them by --series-1, --series-2 ... and the ink by the colour of its text.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#8a6d00", "#596673", "#2a9fd6", "#a0522d")
MARKERS = "os^DvPX*"
INK, GRID = "#1b1f23", "#d4d7db"
FIGURE_INCHES = (6.2, 3.8)
AXES = (0.112, 0.14, 0.453, 0.83)  # left, bottom, width, height; the names stand right of it
LABEL_GAP = 12.0  # points between the middles of neighbouring labels
LABEL_LENGTH = 31

_STYLE: Any = {
    "font.size": 10.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "svg.fonttype": "none",
}


def new_figure(
    xlabel: str,
    ylabel: str = "test accuracy, %",
    *,
    bounds: tuple[float, float, float, float] = AXES,
    grid: Literal["x", "y"] = "y",
) -> tuple[Figure, Axes]:
    """Return an empty figure with one pair of axes, and room for names on its right."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=FIGURE_INCHES)
        axes = figure.add_axes(bounds)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(axis=grid)
        axes.set_axisbelow(True)
    return figure, axes


def log_ticks(axes: Axes, ticks: Sequence[float]) -> None:
    """Make the x axis logarithmic, with plain numbers at these ticks."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def round_ticks(values: Sequence[float]) -> list[float]:
    """Return at most seven round numbers between the least and the largest of positive values."""
    low, high = min(values) / 1.1, max(values) * 1.1
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    choices = ((3, (1,)), (2, (1,)), (1, (1,)), (1, (1, 3)), (1, (1, 2, 5)), (1, (1, 1.5, 2, 3, 5, 7)))
    for stride, steps in choices:
        finer = [step * 10.0**power for power in powers if power % stride == 0 for step in steps]
        finer = [tick for tick in finer if low <= tick <= high]
        if len(finer) > 7:
            break
        ticks = finer
    return ticks


def render_svg(figure: Figure, name: str) -> str:
    """Return inline SVG in the page's own colours; `name` keeps the ids of several figures apart."""
    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name, "svg.id": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if f"#{match[1]}" in svg else "", svg)
    svg = svg.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    for number, colour in enumerate(COLOURS, start=1):
        svg = svg.replace(colour, f"var(--series-{number})")
    return svg


def render_png(figure: Figure) -> bytes:
    """Return the figure as PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()


_METADATA = ("Creator", "Date", "Format", "Type")


def draw_lines(
    axes: Axes,
    names: Sequence[str],
    lines: Sequence[Series],
    draw: Callable[[Series, dict[str, Any]], tuple[float, float]],
    *,
    leaders: bool,
) -> None:
    """Draw each line in its method's colour, dashed if Bayesian, and write its name beside its end."""
    height = max(FIGURE_INCHES[1], LABEL_GAP * len(lines) / 72 / AXES[3])  # as high as the column of names
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.set_size_inches(FIGURE_INCHES[0], height)
    ends = []
    for series in lines:
        style = line_style(names, series.name) | {
            "markersize": 4.2,
            "linewidth": 1.6,
            "linestyle": "--" if series.prediction == "bayes" else "-",
        }
        # a plain name is the vote's: a dashed line says that it is Bayesian
        label = series.name if series.prediction == "vote" else series.label
        ends.append((*draw(series, style), style, label))
    axes.margins(x=0.05, y=0.06)
    _label_ends(axes, ends, leaders, gap=LABEL_GAP / (AXES[3] * height * 72))


def line_style(names: Sequence[str], name: str) -> dict[str, Any]:
    """Return colour and marker of a method by its place in `names`."""
    place = names.index(name)
    turn = place // len(COLOURS)  # after the last colour the first one returns, with another marker
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[(place + turn) % len(MARKERS)]}


def shorten(label: str, length: int = LABEL_LENGTH) -> str:
    """Return a label that fits beside the axes."""
    return label if len(label) <= length else label[: length - 1] + "…"


def _label_ends(
    axes: Axes, ends: list[tuple[float, float, dict[str, Any], str]], leaders: bool, gap: float
) -> None:
    """Write the names in a column right of the axes, spread so that none overlaps.

    Each is joined to the end of its line by a leader, or has the line's marker before it.
    """
    wished = [axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1] for x, y, *_ in ends]
    places = _spread(wished, gap)
    for (x, y, style, label), place in zip(ends, places, strict=True):
        colour = style["color"]
        arrow = {
            "arrowstyle": "-",
            "color": colour,
            "linewidth": 0.7,
            "alpha": 0.6,
            "shrinkB": 4,
            "relpos": (0.0, 0.5),  # to the label's left edge, not through its text
        }
        axes.annotate(
            shorten(label),
            (x, y),
            xytext=(1.075, place),
            textcoords="axes fraction",
            color=colour,
            va="center",
            annotation_clip=False,
            arrowprops=arrow if leaders else None,
        )
        if not leaders:
            axes.plot([1.04], [place], **style, transform=axes.transAxes, clip_on=False)


def _spread(wished: list[float], gap: float) -> list[float]:
    """Return places in [0, 1] at least `gap` apart, in the same order, near the wished ones."""
    order = sorted(range(len(wished)), key=wished.__getitem__)
    places = dict.fromkeys(order, 0.0)
    floor = 0.0
    for rank in order:
        places[rank] = max(wished[rank], floor)
        floor = places[rank] + gap
    ceiling = max(1.0, gap * (len(order) - 1))
    for rank in reversed(order):
        places[rank] = min(places[rank], ceiling)
        ceiling = places[rank] - gap
    return [places[rank] for rank in range(len(wished))]
