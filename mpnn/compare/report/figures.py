"""The figures of a comparison. Colour and marker of a method are the same in all of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mpnn.compare.report.figure_style import (
    BOTTOM,
    FIGURE_INCHES,
    GRID,
    INK,
    LABEL_POINTS,
    LEFT,
    add_axes,
    add_tips,
    bytes_text,
    draw_lines,
    log_ticks,
    new_figure,
    room_left,
    round_ticks,
    shorten,
)
from mpnn.compare.report.palette import Look
from mpnn.compare.report.series import Series, is_few_bit, model_bytes, removed_share, summarize
from mpnn.compare.report.significance import Ranking

__all__ = [
    "accuracy_figure",
    "links_figure",
    "ranks_figure",
    "reliability_figure",
    "robustness_figure",
    "seconds_figure",
    "size_figure",
]

# Bins of fewer examples than this say nothing about calibration.
LEAST_IN_BIN = 20


def accuracy_figure(looks: Mapping[str, Look], lines: Sequence[Series]) -> Figure:
    """Draw test accuracy against shots, with 95% intervals of the mean as bands."""
    figure, axes = new_figure("training examples per class")
    log_ticks(axes, sorted({count for series in lines for count in series.rows}))

    def draw(series: Series, style: dict[str, Any]) -> tuple[float, float]:
        counts = sorted(series.rows)
        values = [series.values(count) for count in counts]
        heads = [f"{series.label}, {count} per class" for count in counts]
        return _draw_band(axes, looks[series.name], counts, values, heads, style)

    draw_lines(axes, looks, lines, draw, leaders=True)
    return figure


def seconds_figure(
    looks: Mapping[str, Look], lines: Sequence[Series], field: str = "train_seconds"
) -> Figure:
    """Draw test accuracy against training seconds; one point a number of shots, joined in order."""
    figure, axes = new_figure("training, s" if field == "train_seconds" else "training, processor s")

    def seconds(series: Series, count: int) -> float:
        return max(series.train_seconds(count, field) or 0.0, 1e-4)

    log_ticks(axes, round_ticks([seconds(series, count) for series in lines for count in series.rows]))
    draw_lines(axes, looks, lines, _path(axes, looks, seconds, lambda value: f"{value:.2g} s"), leaders=False)
    return figure


def size_figure(looks: Mapping[str, Look], lines: Sequence[Series]) -> Figure | None:
    """Draw test accuracy against the bytes of the model; None of fewer than two sizes.

    None, too, if there are few-bit networks and no size of any: the others alone are no comparison.
    """
    sized = [series for series in lines if all(model_bytes(series, count) for count in series.rows)]
    few_bit = [series for series in lines if is_few_bit(series)]
    if len(sized) < 2 or (few_bit and not any(is_few_bit(series) for series in sized)):
        return None
    figure, axes = new_figure("bytes of the model")

    def size(series: Series, count: int) -> float:
        return model_bytes(series, count) or 1.0

    sizes = [size(series, count) for series in sized for count in series.rows]
    log_ticks(axes, round_ticks(sizes), bytes_text)
    draw_lines(axes, looks, sized, _path(axes, looks, size, bytes_text), leaders=False)
    return figure


def links_figure(looks: Mapping[str, Look], lines: Sequence[Series]) -> Figure | None:
    """Draw test accuracy against the share of weights that are 0; None if no method has such weights.

    Predictions from marginals are left out: they do not come from the discrete weights.
    """
    sparse = [series for series in lines if series.prediction != "bayes" and _removes_links(series)]
    if not sparse:
        return None
    figure, axes = new_figure("weights that are zero, %")
    draw_lines(
        axes,
        looks,
        sparse,
        _path(
            axes,
            looks,
            lambda series, count: series.median_fact(count, removed_share) or 0.0,
            lambda value: f"{value:.0f} % zero",
        ),
        leaders=False,
    )
    return figure


def robustness_figure(looks: Mapping[str, Look], lines: Sequence[Series], kind: str) -> Figure | None:
    """Draw test accuracy against the size of one kind of disturbance; None if none was measured."""
    shots = max(count for series in lines for count in series.rows)
    measured = [series for series in lines if len(_sizes(series, shots, kind)) > 1]
    if not measured:
        return None
    words = {
        "noise": "noise, share of the range",
        "flips": "share of features mirrored",
        "worst": "largest change of a feature, 255ths of its range",
        "certified": "largest change of a feature, 255ths of its range",
    }
    figure, axes = new_figure(words[kind])

    def draw(series: Series, style: dict[str, Any]) -> tuple[float, float]:
        sizes = _sizes(series, shots, kind)
        heads = [f"{series.label}, {kind} {size:g}" for size in sizes]
        return _draw_band(axes, looks[series.name], list(sizes), list(sizes.values()), heads, style)

    draw_lines(axes, looks, measured, draw, leaders=True)
    return figure


def reliability_figure(looks: Mapping[str, Look], bins: Sequence[tuple[Series, NDArray]]) -> Figure | None:
    """Draw accuracy against confidence, bin by bin, of predictions with probabilities; None without any.

    Each comes with its bins [bins, 3]: examples, sum of confidences, number right. On the diagonal a
    prediction is right as often as its confidence. Below stand the shares of the examples in each bin.
    """
    if not bins:
        return None
    figure, axes = new_figure("", "examples right, %", bounds=(LEFT, 0.36, 0.8, 0.61))
    below = add_axes(figure, (LEFT, BOTTOM, 0.8, 0.17), "confidence, %", "share, %")
    axes.tick_params(labelbottom=False)
    axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
    counts_of = {series.label: counts for series, counts in bins}

    def draw(series: Series, style: dict[str, Any]) -> tuple[float, float]:
        counts = counts_of[series.label]
        edges = np.linspace(0, 100, len(counts) + 1)
        shares = 100 * counts[:, 0] / max(counts[:, 0].sum(), 1)
        outline = {key: style[key] for key in ("color", "linestyle", "gid")}
        below.stairs(shares, edges, linewidth=1.4, **outline)
        kept = counts[counts[:, 0] >= LEAST_IN_BIN]
        if len(kept) == 0:
            return 100.0, 100.0
        confidence, right = 100 * kept[:, 1] / kept[:, 0], 100 * kept[:, 2] / kept[:, 0]
        axes.plot(confidence, right, **style)
        texts = [
            f"{series.label}: {hits:.0f} % right at {sure:.0f} % confidence, {number:.0f} examples"
            for hits, sure, number in zip(right, confidence, kept[:, 0], strict=True)
        ]
        add_tips(axes, looks[series.name], confidence, right, texts)
        return confidence[-1], right[-1]

    draw_lines(axes, looks, [series for series, _ in bins], draw, leaders=True)
    for own in (axes, below):
        own.set_xlim(0, 102)
    axes.set_ylim(0, 102)
    below.set_ylim(0, None)
    return figure


def ranks_figure(looks: Mapping[str, Look], ranking: Ranking) -> Figure:
    """Draw average ranks, best on top; bars join methods that Nemenyi's test does not separate."""
    count = len(ranking.labels)
    width, height = FIGURE_INCHES[0], 0.8 + 0.24 * count
    names = room_left(ranking.labels)
    bounds = (names, 0.5 / height, 0.97 - names, 1 - 0.6 / height)
    figure, axes = new_figure("average rank", "", bounds=bounds, grid="x")
    figure.set_size_inches(width, height)
    axes.spines["left"].set_visible(False)
    left, gap = 1 - 0.03 * count, 0.03 * count
    axes.set_xlim(left, count + 2 * gap)
    axes.set_ylim(count - 0.5, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
    axes.set_yticks([])
    for place, (name, label, rank) in enumerate(
        zip(ranking.names, ranking.labels, ranking.ranks, strict=True)
    ):
        style = looks[name].style
        axes.plot([left, rank], [place, place], color=GRID, linewidth=0.8, zorder=1)
        axes.plot([rank], [place], **style, markersize=6)
        add_tips(axes, looks[name], [rank], [place], [f"{label}: average rank {rank:.2f}"])
        axes.annotate(
            shorten(label),
            (0, place),
            xytext=(-6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=style["color"],
            fontsize=LABEL_POINTS,
            ha="right",
            va="center",
            annotation_clip=False,
            parse_math=False,
            gid=style["gid"],
        )
    for first, last in ranking.groups:
        # right of the dots that it joins
        axes.plot([ranking.ranks[last] + gap] * 2, [first - 0.2, last + 0.2], color=INK, linewidth=2.2)
    return figure


def _draw_band(
    axes: Axes,
    look: Look,
    places: Sequence[float],
    values: Sequence[Sequence[float]],
    heads: Sequence[str],
    style: dict[str, Any],
) -> tuple[float, float]:
    """Draw means of accuracies in % with 95% bands; return the last point."""
    summaries = [summary for found in values if (summary := summarize(found))]
    means = [100 * summary.mean for summary in summaries]
    halves = [100 * (summary.half_width or 0.0) for summary in summaries]
    axes.plot(places, means, **style)
    low = [max(mean - half, 0.0) for mean, half in zip(means, halves, strict=True)]
    high = [min(mean + half, 100.0) for mean, half in zip(means, halves, strict=True)]
    axes.fill_between(places, low, high, color=style["color"], alpha=0.13, linewidth=0, gid=style["gid"])
    texts = [
        f"{head}: {mean:.1f} %" + (f" ± {half:.1f}" if half else "")
        for head, mean, half in zip(heads, means, halves, strict=True)
    ]
    add_tips(axes, look, places, means, texts)
    return places[-1], means[-1]


def _path(
    axes: Axes,
    looks: Mapping[str, Look],
    measure: Callable[[Series, int], float],
    text: Callable[[float], str],
) -> Callable[[Series, dict[str, Any]], tuple[float, float]]:
    """Return what draws mean accuracy against a measure, one point a number of shots, joined in order."""

    def draw(series: Series, style: dict[str, Any]) -> tuple[float, float]:
        counts = sorted(series.rows)
        places = [measure(series, count) for count in counts]
        means = [100 * summary.mean for count in counts if (summary := series.summary(count))]
        axes.plot(places, means, **style)
        texts = [
            f"{series.label}, {count} per class: {mean:.1f} %, {text(place)}"
            for count, mean, place in zip(counts, means, places, strict=True)
        ]
        add_tips(axes, looks[series.name], places, means, texts)
        return places[-1], means[-1]

    return draw


def _removes_links(series: Series) -> bool:
    return any(series.median_fact(count, removed_share) for count in series.rows)


def _sizes(series: Series, shots: int, kind: str) -> dict[float, list[float]]:
    """Return accuracies over draws by the size of the disturbance, from 0, the inputs as they are."""
    scores = [row["scores"][series.prediction] for row in series.rows.get(shots, [])]
    sizes = {0.0: [score["accuracy"] for score in scores]}
    for score in scores:
        for name, accuracy in score.get("robustness", {}).items():
            found, size = name.split()
            if found == kind and float(size) > 0:
                sizes.setdefault(float(size), []).append(accuracy)
    return dict(sorted(sizes.items()))
