"""The tables of differences: each method against the first one, on the same draws."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from mpnn.compare.report.cells import (
    Cell,
    Table,
    accuracy_cell,
    best_mean,
    marked_best,
    number_cell,
)
from mpnn.compare.report.series import (
    Series,
    list_series,
    list_shots,
    listed,
    mean_over_shots,
    overall_differences,
    paired_differences,
    summarize,
    with_intervals,
)
from mpnn.compare.report.significance import LEVEL, holm, p_text, signed_rank_p
from mpnn.compare.report.sizes import SIZE_COLUMNS, size_cells, size_note
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
    corrected, tests = _corrected_p(differences)
    return Table(
        f"{dataset}: accuracy minus that of {reference.label}, in points, "
        + with_intervals(lines, "with 95% interval"),
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
        f"corrected for the number of comparisons.{tests}",
    )


def overall_table(rows: Sequence[Row], dataset: str, clock: str = "train_seconds") -> Table | None:
    """Return means over all numbers of shots, differences to the first method and sizes, best first.

    Each draw gives one number, so that draws are what the tests count. None of no fitted model.
    """
    lines = list_series(rows, dataset)
    if not lines:
        return None
    shots = list_shots(rows, dataset)
    reference = lines[0]
    differences = {series.label: overall_differences(series, reference) for series in lines[1:]}
    corrected, tests = _corrected_p(differences)
    means = {label: summarize(found) for label, found in differences.items()}
    accuracies = {s.label: summarize(list(mean_over_shots(s, shots).values())) for s in lines}
    best = best_mean(list(accuracies.values()))
    seconds = "train s" if clock == "train_seconds" else "processor s"

    def place(series: Series) -> float:
        """By differences, for accuracies of other draws or shots do not compare; without any, last."""
        found = means.get(series.label)
        return -found.mean if found else 0.0 if series is reference else math.inf

    return Table(
        f"{dataset}: accuracy and size",
        ("method", "accuracy %", f"minus {reference.label}", *SIZE_COLUMNS, seconds),
        tuple(
            (
                Cell(series.label),
                marked_best(accuracy_cell(accuracies[series.label]), best),
                Cell("reference", 0.0)
                if series is reference
                else _difference_cell(differences[series.label], corrected.get(series.label)),
                *size_cells(series, max(series.rows)),
                number_cell(series.train_seconds(max(series.rows), clock), ".3g"),
            )
            for series in sorted(lines, key=place)
        ),
        f"Means over {listed(shots)} training examples per class, one number a draw; the best accuracy is "
        "bold. Differences in points with Student's 95% interval over draws, bold where it excludes 0; a "
        f"method that runs at some numbers only is compared there.{tests} Sizes and seconds (median of fits "
        "without compilation) are those at the most examples. " + size_note(lines),
    )


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
    """Return Holm's p-values of the places that have one, with a sentence on them.

    Places with less than half of the draws have none: they could show nothing, and would cost the others.
    Where the draws are too few for any to be below the level, there are none: the intervals say it.
    """
    draws = max(map(len, differences.values()), default=0)
    p_values = {
        place: p_value
        for place, found in differences.items()
        if 2 * len(found) >= draws and (p_value := signed_rank_p(found)) is not None
    }
    if not p_values or len(p_values) * 2.0 ** (1 - draws) >= LEVEL:
        return {}, ""
    return (
        dict(zip(p_values, holm(list(p_values.values())), strict=True)),
        f" p: Wilcoxon's signed-rank test, corrected by Holm's method for {len(p_values)} comparisons.",
    )
