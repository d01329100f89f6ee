"""The figures of differences to a reference: where the intervals leave 0, methods differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from mpnn.compare.report.figure_style import (
    BOTTOM,
    FIGURE_INCHES,
    HEIGHT,
    INK,
    LABEL_POINTS,
    LEFT,
    add_tips,
    draw_lines,
    log_ticks,
    new_figure,
    room_left,
    shorten,
)
from mpnn.compare.report.palette import Look
from mpnn.compare.report.series import (
    Series,
    Summary,
    overall_differences,
    paired_differences,
    summarize,
)

__all__ = ["difference_figure", "overall_difference_figure"]

ROW_INCHES = 0.27


def difference_figure(looks: Mapping[str, Look], lines: Sequence[Series], reference: Series) -> Figure | None:
    """Draw differences to a reference against shots, with 95% intervals; None of a single number of shots."""
    shots = sorted(reference.rows)
    others = [series for series in lines if series.label != reference.label]
    found = {series.label: _by_shots(series, reference, shots) for series in others}
    others = [series for series in others if found[series.label]]
    if len(shots) < 2 or not others:
        return None
    bounds = (LEFT + 0.03, BOTTOM, 0.8, HEIGHT)  # room for a sign before two digits
    figure, axes = new_figure("training examples per class", "difference, points", bounds=bounds)
    log_ticks(axes, shots)
    axes.axhline(0.0, color=INK, linewidth=1.0)

    def draw(series: Series, style: dict[str, Any]) -> tuple[float, float]:
        counts, summaries = zip(*found[series.label].items(), strict=True)
        means = [summary.mean for summary in summaries]
        halves = [summary.half_width or 0.0 for summary in summaries]
        axes.plot(counts, means, **style)
        axes.fill_between(
            counts,
            [mean - half for mean, half in zip(means, halves, strict=True)],
            [mean + half for mean, half in zip(means, halves, strict=True)],
            **{"color": style["color"], "gid": style["gid"], "alpha": 0.13, "linewidth": 0},
        )
        texts = [
            f"{series.label}, {count} per class: {_words(found[series.label][count])}" for count in counts
        ]
        add_tips(axes, looks[series.name], counts, means, texts)
        return counts[-1], means[-1]

    draw_lines(axes, looks, others, draw, leaders=True)
    return figure


def overall_difference_figure(
    looks: Mapping[str, Look], lines: Sequence[Series], reference: Series
) -> Figure | None:
    """Draw differences to a reference over all shots, one row a method, best on top; None without others."""
    others = [series for series in lines if series.label != reference.label]
    found = [
        (summary, series)
        for series in others
        if (summary := summarize(overall_differences(series, reference))) is not None
    ]
    if not found:
        return None
    rows = [*found, (Summary(0.0, None, None, 1), reference)]
    rows.sort(key=lambda row: -row[0].mean)
    height = 0.8 + ROW_INCHES * len(rows)
    left = room_left([series.label for _, series in rows])
    bounds = (left, 0.62 / height, 0.97 - left, 1 - 0.7 / height)
    figure, axes = new_figure("difference, points", "", bounds=bounds, grid="x")
    figure.set_size_inches(FIGURE_INCHES[0], height)
    axes.axvline(0.0, color=INK, linewidth=1.0)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    for place, (summary, series) in enumerate(rows):
        look = looks[series.name]
        style = look.style
        half = summary.half_width or 0.0
        axes.plot(
            [summary.mean - half, summary.mean + half],
            [place] * 2,
            color=style["color"],
            linewidth=2.4,
            alpha=0.55,
            solid_capstyle="butt",
            gid=look.gid,
        )
        face = "none" if series.prediction == "bayes" else style["color"]
        axes.plot([summary.mean], [place], markersize=6, markerfacecolor=face, **style)
        axes.annotate(
            shorten(series.label),
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
            gid=look.gid,
        )
        text = "the reference" if series is reference else _words(summary)
        add_tips(axes, look, [summary.mean], [place], [f"{series.label}: {text}"])
    return figure


def _by_shots(series: Series, reference: Series, shots: Sequence[int]) -> dict[int, Summary]:
    return {
        count: summary
        for count in shots
        if (summary := summarize(paired_differences(series, reference, count))) is not None
    }


def _words(summary: Summary) -> str:
    interval = f" ± {summary.half_width:.1f}" if summary.half_width is not None else ""
    return f"{summary.mean:+.1f}{interval} points"
