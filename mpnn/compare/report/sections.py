"""The sections of a report, one a data set: the answer, tables and figures."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from numpy.typing import NDArray

from mpnn.atomic_files import write_atomically
from mpnn.compare.report import difference_figures as differences
from mpnn.compare.report import figures as plots
from mpnn.compare.report.answer import Answer, find_answer
from mpnn.compare.report.artifacts import (
    Confusion,
    WeightPictures,
    read_confusion,
    read_reliability,
    read_weights,
)
from mpnn.compare.report.cells import Table
from mpnn.compare.report.figure_style import Name, names_beside, render_png, render_svg
from mpnn.compare.report.paired_tables import overall_table, paired_table
from mpnn.compare.report.palette import Look
from mpnn.compare.report.series import Series, list_series, with_intervals
from mpnn.compare.report.tables import (
    cost_table,
    headline_table,
    label_status_table,
    model_table,
    robustness_table,
)
from mpnn.data.cells import counted
from mpnn.runs.rows import Row

__all__ = ["Drawn", "Section", "keep_figure", "make_section"]

# Figures with more lines than this leave out the Bayesian predictions of all methods but the first.
MOST_LINES = 12
DISTURBANCES = {
    "noise": "accuracy against input noise",
    "flips": "accuracy against flips",
    "worst": "accuracy under the worst change found",
    "certified": "certified accuracy",
}


class Drawn(NamedTuple):
    """A figure in the page, and the file beside the Markdown that shows the same.

    Parameters
    ----------
    file : str
        Path of the PNG, relative to the report.
    caption : str
        What the figure shows.
    svg : str
        The figure inline.
    names : tuple of Name
        Names right of the axes, for which a narrow screen has no room.
    width : float in (0, 1]
        Share of the figure's width that is left of them.
    """

    file: str
    caption: str
    svg: str
    names: tuple[Name, ...]
    width: float


class Section(NamedTuple):
    """The report's section on one data set.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    anchor : str
        Its anchor in the page, and how the names of its figures begin.
    answer : Answer or None
        What was found, in a sentence.
    opening : tuple of Drawn
        The figures that show it.
    headlines : tuple of Table
        The first tables of the section.
    tables : tuple of Table
        Tables of the section.
    figures : tuple of Drawn
        Figures of the section.
    confusions : tuple of Confusion
        Confusion matrices of the section.
    weights : tuple of WeightPictures
        Pictures of weights.
    """

    dataset: str
    anchor: str
    answer: Answer | None
    opening: tuple[Drawn, ...]
    headlines: tuple[Table, ...]
    tables: tuple[Table, ...]
    figures: tuple[Drawn, ...]
    confusions: tuple[Confusion, ...]
    weights: tuple[WeightPictures, ...]


def make_section(
    folder: Path, rows: Sequence[Row], looks: Mapping[str, Look], dataset: str, place: int, clock: str
) -> Section:
    """Return the section on one data set, and write the figures that the Markdown shows.

    Parameters
    ----------
    folder : path
        Output folder of the run.
    rows : sequence of Row
        Rows of all data sets.
    looks : dict of Look
        Of the methods that figures show.
    dataset : str
        Name of the data set.
    place : int >= 0
        Its place among the data sets.
    clock : str
        Field of the rows that holds training seconds.
    """
    anchor = _anchor(place, dataset)
    lines = list_series(rows, dataset)
    tables = [
        paired_table(rows, dataset),
        robustness_table(rows, dataset),
        *((cost_table(rows, dataset), model_table(rows, dataset)) if lines else ()),
        label_status_table(rows, dataset),
    ]
    headlines = (overall_table(rows, dataset, clock), headline_table(rows, dataset))
    curves = _curves(lines, looks)
    voters = [series for series in curves if series.prediction == "vote"]
    drawn = _figures(folder, lines, looks, dataset, anchor, clock)
    opening = drawn[: 2 if len(lines) > 1 else 1]
    return Section(
        dataset,
        anchor,
        find_answer(rows, dataset),
        opening,
        tuple(table for table in headlines if table),
        tuple(table for table in tables if table),
        drawn[len(opening) :],
        tuple(found for series in curves if (found := read_confusion(series, folder))),
        tuple(shown for series in voters if (shown := read_weights(series, folder))),
    )


Plan = list[tuple[str, str, Figure | None]]  # kind, caption, figure


def _figures(
    folder: Path, lines: Sequence[Series], looks: Mapping[str, Look], dataset: str, anchor: str, clock: str
) -> tuple[Drawn, ...]:
    """Draw what the rows of a data set have, what answers the question first."""
    curves = _curves(lines, looks)
    if not curves:
        return ()
    judged = [series for series in lines if series.name in looks]
    bins = [(line, found) for line in judged if (found := read_reliability(line, folder)) is not None]
    drawn = _comparisons(curves, looks) + _costs(curves, looks, clock) + _trust(curves, looks, bins)
    return tuple(
        keep_figure(folder, f"{anchor}_{kind}", f"{dataset}: {caption}", figure)
        for kind, caption, figure in drawn
        if figure is not None
    )


def _comparisons(curves: Sequence[Series], looks: Mapping[str, Look]) -> Plan:
    reference = curves[0]
    minus = f"accuracy minus that of {reference.label}"
    bands = with_intervals(curves, "bands are 95% intervals")
    return [
        (
            "size",
            "accuracy against the size of the model; points are numbers of training examples",
            plots.size_figure(looks, curves),
        ),
        (
            "differences",
            f"{minus}, all numbers of examples together, {with_intervals(curves, 'with 95% intervals')}",
            differences.overall_difference_figure(looks, curves, reference),
        ),
        (
            "accuracy",
            f"accuracy against training examples; {bands}",
            plots.accuracy_figure(looks, curves),
        ),
        (
            "difference",
            f"{minus}, on the same draws; {bands}",
            differences.difference_figure(looks, curves, reference),
        ),
    ]


def _costs(curves: Sequence[Series], looks: Mapping[str, Look], clock: str) -> Plan:
    points = "points are numbers of training examples"
    return [
        (
            "seconds",
            f"accuracy against training time; {points}",
            plots.seconds_figure(looks, curves, clock),
        ),
        (
            "links",
            f"accuracy against weights that are zero; {points}",
            plots.links_figure(looks, curves),
        ),
    ]


def _trust(
    curves: Sequence[Series], looks: Mapping[str, Look], bins: Sequence[tuple[Series, NDArray]]
) -> Plan:
    most = f"at {counted(max(count for series in curves for count in series.rows), 'example')} per class"
    return [
        (
            "reliability",
            f"right answers against confidence {most}, and below how many examples have it",
            plots.reliability_figure(looks, bins),
        ),
        *(
            (kind, f"{caption} {most}", plots.robustness_figure(looks, curves, kind))
            for kind, caption in DISTURBANCES.items()
        ),
    ]


def _curves(lines: Sequence[Series], looks: Mapping[str, Look]) -> list[Series]:
    """Return what figures show; of too many lines, the Bayesian predictions of the first method only."""
    curves = [series for series in lines if series.name in looks]
    if len(curves) <= MOST_LINES:
        return curves
    return [series for series in curves if series.prediction != "bayes" or series.name == curves[0].name]


def _anchor(place: int, dataset: str) -> str:
    """Return a name for files and anchors; the place keeps apart what differs in its other letters."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", dataset).strip("-")
    return plain if plain == dataset else f"{plain or 'data'}-{place}"


def keep_figure(folder: Path, name: str, caption: str, figure: Figure) -> Drawn:
    """Write the PNG for the Markdown, and return the SVG for the page.

    Parameters
    ----------
    folder : path
        Output folder of the run.
    name : str
        Name of the file without its ending.
    caption : str
        What the figure shows.
    figure : Figure
        The figure.
    """
    file = f"plots/{name}.png"
    write_atomically(folder / file, render_png(figure))
    return Drawn(file, caption, render_svg(figure, name), *names_beside(figure))
