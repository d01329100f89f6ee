"""Style of figures: colours, axes, labels beside the lines, and file formats.

In the page a figure is inline SVG whose colours are CSS variables, so that it follows the reader's
light or dark theme; beside the Markdown it is a PNG on white.
"""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from mpnn.compare.report.palette import COLOURS, Look
from mpnn.compare.report.series import Series

__all__ = [
    "BOTTOM",
    "FIGURE_INCHES",
    "GRID",
    "HEIGHT",
    "INK",
    "LABEL_POINTS",
    "LEFT",
    "add_axes",
    "add_tips",
    "Name",
    "bytes_text",
    "draw_lines",
    "label_share",
    "log_ticks",
    "names_beside",
    "new_figure",
    "render_png",
    "render_svg",
    "room_left",
    "round_ticks",
    "shorten",
]

INK, GRID = "#1b1f23", "#d4d7db"
FIGURE_INCHES = (5.6, 3.5)
LEFT, BOTTOM, HEIGHT = 0.125, 0.15, 0.82  # of the axes; the names stand right of them
LABEL_GAP = 13.0  # points between the middles of neighbouring labels
LABEL_LENGTH = 36
LABEL_POINTS = 9.5
MARKER_PLACE, LABEL_PLACE = 0.018, 0.034  # right of the axes, as shares of the figure
LETTER = 0.56  # of its height that a letter takes in width, on average
RIGHT_OF_AXES = 0.03  # of the figure's width, for half of the last tick's number
NARROW_AXIS = 140.0  # points of an axis beside long names

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
    bounds: tuple[float, float, float, float] = (LEFT, BOTTOM, 0.98 - LEFT, HEIGHT),
    grid: Literal["x", "y"] = "y",
) -> tuple[Figure, Axes]:
    """Return an empty figure with one pair of axes."""
    figure = Figure(figsize=FIGURE_INCHES)
    return figure, add_axes(figure, bounds, xlabel, ylabel, grid)


def add_axes(
    figure: Figure,
    bounds: tuple[float, float, float, float],
    xlabel: str,
    ylabel: str,
    grid: Literal["x", "y"] = "y",
) -> Axes:
    """Return new axes of a figure in the house's style."""
    with matplotlib.rc_context(_STYLE):
        axes = figure.add_axes(bounds)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.grid(axis=grid)
        axes.set_axisbelow(True)
    return axes


def log_ticks(
    axes: Axes, ticks: Sequence[float], text: Callable[[float], str] = lambda value: f"{value:g}"
) -> None:
    """Make the x axis logarithmic, with numbers at these ticks as far as there is room for them."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(FixedLocator(_apart(ticks, text)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def _apart(ticks: Sequence[float], text: Callable[[float], str]) -> list[float]:
    """Return the ticks from the largest down whose texts do not touch on a narrow logarithmic axis."""
    if not ticks:
        return []
    widest = (max(len(text(tick)) for tick in ticks) + 1) * LETTER * _STYLE["font.size"]
    least = (max(ticks) / min(ticks)) ** (widest / NARROW_AXIS)
    kept: list[float] = []
    for tick in sorted(ticks, reverse=True):
        if not kept or kept[-1] / tick >= least:
            kept.append(tick)
    return kept[::-1]


def bytes_text(value: float) -> str:
    """Return bytes for people: 900 B, 7.5 kB, 2 MB, in steps of a thousand."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


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


def add_tips(axes: Axes, look: Look, xs: Sequence[float], ys: Sequence[float], texts: Sequence[str]) -> None:
    """Add what the page says of points that the reader points at; they are invisible in other formats."""
    lines = "\n".join(text.replace("\n", " ") for text in texts)
    axes.plot(xs, ys, "o", markersize=12, alpha=0.0, gid=f"tips-{look.number}: {lines}")


def render_svg(figure: Figure, name: str) -> str:
    """Return inline SVG in the page's own colours; `name` keeps the ids of several figures apart."""
    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name, "svg.id": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    used = set(re.findall(r"#([\w.-]+)", svg))
    # only tags are rewritten: a name in the figure's text may look like anything
    return re.sub(r"<[^>]*>", lambda tag: _page_tag(tag[0], used), svg)


def _page_tag(tag: str, used: set[str]) -> str:
    """Return a tag of SVG in the page's colours, with the page's attributes in place of unused ids."""
    tag = re.sub(r' id="tips-(\d+): ([^"]*)"', r' class="tips" data-series="\1" data-tips="\2"', tag)
    tag = re.sub(r' id="end-(\d+)"', r' class="end" data-series="\1"', tag)
    tag = re.sub(r' id="series-(\d+)"', r' data-series="\1"', tag)
    tag = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", tag)
    tag = tag.replace(INK, "currentColor").replace(GRID, "var(--grid)")
    for number, colour in enumerate(COLOURS, start=1):
        tag = tag.replace(colour, f"var(--series-{number})")
    return tag


def render_png(figure: Figure) -> bytes:
    """Return the figure as PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor="white")
    return buffer.getvalue()


_METADATA = ("Creator", "Date", "Format", "Type")


def draw_lines(
    axes: Axes,
    looks: Mapping[str, Look],
    lines: Sequence[Series],
    draw: Callable[[Series, dict[str, Any]], tuple[float, float]],
    *,
    leaders: bool,
) -> None:
    """Draw each line in its method's colour, dashed if Bayesian, and write its name right of the axes."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    labels = [series.label for series in lines]
    height = max(FIGURE_INCHES[1], LABEL_GAP * len(lines) / 72 / HEIGHT)  # as high as the column of names
    figure.set_size_inches(FIGURE_INCHES[0], height)
    for own in figure.axes:
        left, bottom, _, share = own.get_position().bounds
        own.set_position((left, bottom, 0.95 - left - label_share(labels), share))
    ends = []
    for series, label in zip(lines, labels, strict=True):
        style = looks[series.name].style | {
            "markersize": 4.6,
            "linewidth": 1.7,
            "linestyle": "--" if series.prediction == "bayes" else "-",
        }
        ends.append((*draw(series, style), style, label))
    axes.margins(x=0.05, y=0.06)
    points = axes.get_position().height * height * 72
    _label_ends(axes, ends, leaders, gap=LABEL_GAP / points)


def label_share(labels: Sequence[str]) -> float:
    """Return the share of a figure's width that the longest of these labels takes, as far as it is shown."""
    longest = max((min(len(label), LABEL_LENGTH) for label in labels), default=0)
    return longest * LETTER * LABEL_POINTS / (72 * FIGURE_INCHES[0])


def room_left(labels: Sequence[str]) -> float:
    """Return the share of a figure's width for names left of its axes; narrow screens enlarge them."""
    return 1.1 * label_share(labels) + 0.02


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
    width = axes.get_position().width
    for (x, y, style, label), place in zip(ends, places, strict=True):
        colour, end = style["color"], style["gid"].replace("series", "end")
        arrow = {
            "arrowstyle": "-",
            "color": colour,
            "linewidth": 0.7,
            "alpha": 0.6,
            "gid": end,
            "shrinkB": 4,
            "relpos": (0.0, 0.5),  # to the label's left edge, not through its text
        }
        axes.annotate(
            shorten(label),
            (x, y),
            xytext=(1 + LABEL_PLACE / width, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=LABEL_POINTS,
            va="center",
            annotation_clip=False,
            arrowprops=arrow if leaders else None,
            parse_math=False,
            gid=end,
        )
        if not leaders:
            mark = style | {"gid": end}
            axes.plot([1 + MARKER_PLACE / width], [place], **mark, transform=axes.transAxes, clip_on=False)


class Name(NamedTuple):
    """A name right of the axes: its text, the number of its method, and the place of its colour."""

    text: str
    number: int
    colour: int


def names_beside(figure: Figure) -> tuple[tuple[Name, ...], float]:
    """Return the names right of a figure's axes, from top to bottom, and the width that is left of them.

    The width is a share of the figure's; 1 where there are no names.
    """
    texts = [text for axes in figure.axes for text in axes.texts if str(text.get_gid()).startswith("end-")]
    texts.sort(key=lambda text: -text.get_position()[1])
    names = (
        Name(text.get_text(), int(str(text.get_gid()).removeprefix("end-")), COLOURS.index(text.get_color()))
        for text in texts
    )
    right = max(axes.get_position().x1 for axes in figure.axes) + RIGHT_OF_AXES
    return tuple(names), right if texts else 1.0


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
