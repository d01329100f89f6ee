"""The tables of differences: each method against the first one, on the same draws."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from mpnn.compare.report.series import (
    Series,
    list_series,
    list_shots,
    mean_over_shots,
    paired_differences,
    summarize,
)
from mpnn.compare.report.significance import holm, p_text, signed_rank_p
from mpnn.compare.report.tables import Cell, Table, accuracy_cell, number_cell, size_cells
from mpnn.runs.rows import Row

__all__ = ["overall_table", "paired_table"]


def paired_table(rows: Sequence[Row], dataset: str) -> Table | None:
    """Return how far each method is from the first one on the same draws; None without two methods."""
    lines = list_series(rows, dataset)
    if len(lines) < 2:
        return None
    reference, *others = lines
    shots = list_shots(rows, dataset)
    differences = {
        (series.label, count): paired_differences(series, reference, count)
        for series in others
        for count in shots
    }
    corrected, least = _corrected_p(differences)
    return Table(
        f"{dataset}: accuracy minus that of {reference.label}, in points, with 95% interval",
        ("method", *(f"{count} per class" for count in shots)),
        tuple(
            (
                Cell(series.label),
                *(
                    _difference_cell(differences[series.label, n], corrected.get((series.label, n)))
                    for n in shots
                ),
            )
            for series in others
        ),
        "Differences on the same draws. Intervals (Student's, over draws) in bold exclude 0; they are not "
        "corrected for the number of comparisons. p: Wilcoxon's signed-rank test, corrected by Holm's method "
        f"for the {len(corrected)} comparisons of this table" + (f"; {least}." if least else "."),
    )


def overall_table(rows: Sequence[Row], dataset: str, clock: str = "train_seconds") -> Table | None:
    """Return means over all numbers of shots with differences to the first method, best first.

    Each draw gives one number, so that draws are what the tests count. None without two methods and two
    numbers of shots.
    """
    lines = list_series(rows, dataset)
    shots = sorted(lines[0].rows) if lines else []
    if len(lines) < 2 or len(shots) < 2:
        return None
    reference = lines[0]
    differences = {series.label: _overall_differences(series, reference) for series in lines[1:]}
    corrected, least = _corrected_p(differences)
    means = {label: summarize(found) for label, found in differences.items()}
    seconds = "train s" if clock == "train_seconds" else "processor s"

    def place(series: Series) -> float:
        """By differences, for accuracies of other draws or shots do not compare; without any, last."""
        found = means.get(series.label)
        return -found.mean if found else 0.0 if series is reference else math.inf

    return Table(
        f"{dataset}: all numbers of examples together",
        ("method", "accuracy %", f"minus {reference.label}", "bits a weight", "zero %", seconds),
        tuple(
            (
                Cell(series.label),
                accuracy_cell(summarize(list(mean_over_shots(series, shots).values()))),
                Cell("reference", 0.0)
                if series is reference
                else _difference_cell(differences[series.label], corrected.get(series.label)),
                *_size(series),
                number_cell(series.train_seconds(max(series.rows), clock), ".3g"),
            )
            for series in sorted(lines, key=place)
        ),
        f"Means over {_listed(shots)} per class, one number a draw. Differences in points with Student's 95% "
        "interval over draws, bold where it excludes 0; a method that runs at some numbers only is compared "
        "there. p: Wilcoxon's signed-rank test, corrected by Holm's method for the "
        f"{len(corrected)} comparisons of this table{f'; {least}' if least else ''}. Bits, zeros and seconds "
        "(median of warm fits) are those at the most examples.",
    )


def _overall_differences(series: Series, reference: Series) -> list[float]:
    """Return accuracy minus the reference's, in points, averaged over the shots of both, of each draw."""
    shots = series.rows.keys() & reference.rows.keys()
    ours, theirs = mean_over_shots(series, shots), mean_over_shots(reference, shots)
    return [100 * (ours[draw] - theirs[draw]) for draw in ours if draw in theirs]


def _size(series: Series) -> tuple[Cell, Cell]:
    """Return bits a weight and zeros at the most examples."""
    bits, _, zeros = size_cells(series, max(series.rows))
    return bits, zeros


def _listed(shots: Sequence[int]) -> str:
    return f"{', '.join(map(str, shots[:-1]))} and {shots[-1]}"


def _difference_cell(differences: Sequence[float], p_value: float | None) -> Cell:
    difference = summarize(differences)
    if difference is None:
        return Cell("–")
    if difference.half_width is None:
        return Cell(f"{difference.mean:+.1f}", difference.mean)
    text = f"{difference.mean:+.1f} ± {difference.half_width:.1f}"
    strong = abs(difference.mean) > difference.half_width
    return Cell(text, difference.mean, strong, "" if p_value is None else p_text(p_value))


Place = TypeVar("Place", bound=Hashable)


def _corrected_p(differences: Mapping[Place, Sequence[float]]) -> tuple[dict[Place, float], str]:
    """Return Holm's p-values of the places that have one, and what the draws allow at best.

    Places with less than half of the draws have none: they could show nothing, and would cost the others.
    """
    draws = max(map(len, differences.values()), default=0)
    p_values = {
        place: p_value
        for place, found in differences.items()
        if 2 * len(found) >= draws and (p_value := signed_rank_p(found)) is not None
    }
    if not p_values:
        return {}, ""
    least = 2.0 ** (1 - draws)
    return (
        dict(zip(p_values, holm(list(p_values.values())), strict=True)),
        f"{draws} draws allow no less than {least:.2g}, corrected {min(len(p_values) * least, 1.0):.2g}",
    )
