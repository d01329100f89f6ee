"""The tables of a comparison, for the console, Markdown and HTML alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mpnn.compare.results import Row
from mpnn.compare.significance import holm, p_text, signed_rank_p
from mpnn.compare.statistics import (
    Series,
    Summary,
    list_series,
    list_shots,
    paired_differences,
    removed_share,
    summarize,
)

__all__ = [
    "Cell",
    "Table",
    "cost_table",
    "headline_table",
    "label_status_table",
    "model_table",
    "paired_table",
    "robustness_table",
]


class Cell(NamedTuple):
    """A table cell: what people read, and the number that sorting compares if it is one.

    The detail stands small below the text, or in parentheses behind it.
    """

    text: str
    value: float | None = None
    strong: bool = False
    detail: str = ""

    @property
    def line(self) -> str:
        """Text and detail in one line."""
        return f"{self.text} ({self.detail})" if self.detail else self.text


@dataclass(frozen=True)
class Table:
    """A table that the console, Markdown and HTML render alike; the first column is text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def headline_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return test accuracy, mean ± standard deviation over draws, of every method at every shots."""
    shots = list_shots(rows, dataset)
    lines = [
        (Cell(series.label), *(_accuracy_cell(series.summary(count)) for count in shots))
        for series in list_series(rows, dataset)
    ]
    failures = _failures(rows, dataset)
    return Table(
        f"{dataset}: test accuracy in %, mean ± standard deviation over draws",
        ("method", *(f"{count} per class" for count in shots)),
        (*lines, *failures),
    )


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


def cost_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return seconds and memory at the largest number of shots."""
    shots = max(list_shots(rows, dataset))
    lines = [
        (
            Cell(series.label),
            _number_cell(series.train_seconds(shots), ".3g"),
            _number_cell(series.compile_seconds(shots), ".2g"),
            _number_cell(_mean(series.summary(shots, "predict_seconds")), ".3g"),
            _number_cell(series.most(shots, _peak_mebibytes), ",.0f"),
            _number_cell(series.most(shots, _grown_mebibytes), ",.0f"),
        )
        for series in list_series(rows, dataset)
    ]
    return Table(
        f"{dataset}: time and memory at {shots} examples per class",
        ("method", "train s", "compile s", "predict s", "peak MiB", "grown MiB"),
        tuple(lines),
        "train s: median of warm fits, that is without compilation where more than one draw ran. compile s: "
        "how much longer a cold fit took, one that is the first of its method and size in its process. peak "
        "MiB: most that the process held during a fit, with Python, libraries and data; grown MiB: what of "
        "it came during the fit. Both are the most of any draw, and without the memory of accelerators.",
    )


def model_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return calibration and sizes at the largest number of shots."""
    shots = max(list_shots(rows, dataset))
    lines = []
    for series in list_series(rows, dataset):
        train_accuracy = series.summary(shots, "train_accuracy")
        lines.append(
            (
                Cell(series.label),
                _number_cell(train_accuracy.mean * 100 if train_accuracy else None, ".1f"),
                _number_cell(_mean(series.summary(shots, "nll")), ".3f"),
                _number_cell(_mean(series.summary(shots, "ece")), ".3f"),
                *_size_cells(series, shots),
            )
        )
    return Table(
        f"{dataset}: calibration and size at {shots} examples per class",
        ("method", "train acc. %", "nll", "ece", "bits a weight", "KiB", "zero %"),
        tuple(lines),
        "KiB: the numbers that prediction needs, weights packed at their bits. zero %: weights that are 0, "
        "of all weights. nll in nats; ece: expected calibration error over 15 bins; those of an ensemble "
        "are of its class probabilities, which are coupled from the probabilities of its pairs.",
    )


def robustness_table(rows: Sequence[Row], dataset: str) -> Table | None:
    """Return test accuracy on disturbed inputs at the largest number of shots; None if none was measured."""
    shots = max(list_shots(rows, dataset))
    lines = list_series(rows, dataset)
    scores = {
        series.label: [row["scores"][series.prediction] for row in series.rows.get(shots, [])]
        for series in lines
    }
    disturbed = [score.get("robustness", {}) for group in scores.values() for score in group]
    names = list(dict.fromkeys(name for found in disturbed for name in found))
    if not names:
        return None

    def cells(group: list[dict[str, Any]]) -> list[Cell]:
        values = [[score["accuracy"] for score in group]]
        values += [[score["robustness"][name] for score in group if "robustness" in score] for name in names]
        return [_accuracy_cell(summarize(found)) for found in values]

    return Table(
        f"{dataset}: test accuracy in % on disturbed inputs at {shots} examples per class",
        ("method", "as they are", *names),
        tuple((Cell(label), *cells(group)) for label, group in scores.items()),
        "noise a: every feature moves up or down at random by a times its range in training; flips s: a "
        "share s of the features is mirrored in the middle of that range. The same for all methods.",
    )


def label_status_table(rows: Sequence[Row], dataset: str) -> Table | None:
    """Return the share of each label status of the votes, in %; None if nothing voted."""
    votes = [series for series in list_series(rows, dataset) if series.prediction == "vote"]
    names = [name for series in votes for name in _any_status(series)]
    columns = list(dict.fromkeys(names))
    if not columns:
        return None
    lines = []
    for series in votes:
        for shots, group in sorted(series.rows.items()):
            totals = [sum(row["scores"]["vote"]["label_status"][name] for row in group) for name in columns]
            shares = [100 * total / sum(totals) for total in totals]
            lines.append(
                (
                    Cell(f"{series.name}, {shots}" if len(votes) > 1 else f"{shots} per class"),
                    *(Cell(f"{share:.1f}", share) for share in shares),
                )
            )
    return Table(
        f"{dataset}: label status of the vote, in % of the test examples",
        ("vote", *(name.replace("_", " ") for name in columns)),
        tuple(lines),
        "A unique maximum of votes wins; two tied classes are settled by the network of that pair; "
        "examples with three or more tied classes stay unlabelled and count as errors.",
    )


def _any_status(series: Series) -> list[str]:
    row = next(iter(series.rows.values()))[0]
    return list(row["scores"]["vote"].get("label_status") or {})


def _failures(rows: Sequence[Row], dataset: str) -> list[tuple[Cell, ...]]:
    """Return a line for each method with failed fits, counting them for each number of shots."""
    failed = [row for row in rows if row["dataset"] == dataset and row["error"]]
    lines = []
    for name in dict.fromkeys(row["name"] for row in failed):
        counts = [
            sum(row["name"] == name and row["shots"] == shots for row in failed)
            for shots in list_shots(rows, dataset)
        ]
        label = f"{name}: failed fits"
        lines.append((Cell(label), *(Cell(str(count) if count else "") for count in counts)))
    return lines


def _accuracy_cell(summary: Summary | None) -> Cell:
    if summary is None:
        return Cell("–")
    text = f"{100 * summary.mean:.1f}"
    if summary.deviation is not None:
        text += f" ± {100 * summary.deviation:.1f}"
    return Cell(text, summary.mean)


def _difference_cell(differences: Sequence[float], p_value: float | None) -> Cell:
    difference = summarize(differences)
    if difference is None:
        return Cell("–")
    if difference.half_width is None:
        return Cell(f"{difference.mean:+.1f}", difference.mean)
    text = f"{difference.mean:+.1f} ± {difference.half_width:.1f}"
    strong = abs(difference.mean) > difference.half_width
    return Cell(text, difference.mean, strong, "" if p_value is None else p_text(p_value))


Place = tuple[str, int]


def _corrected_p(differences: Mapping[Place, Sequence[float]]) -> tuple[dict[Place, float], str]:
    """Return Holm's p-values of the places that have one, and what the draws allow at best."""
    p_values = {
        place: p_value
        for place, found in differences.items()
        if (p_value := signed_rank_p(found)) is not None
    }
    if not p_values:
        return {}, ""
    draws = max(len(found) for found in differences.values())
    least = 2.0 ** (1 - draws)
    return (
        dict(zip(p_values, holm(list(p_values.values())), strict=True)),
        f"{draws} draws allow no less than {least:.2g}, corrected {min(len(p_values) * least, 1.0):.2g}",
    )


def _number_cell(value: float | None, style: str) -> Cell:
    return Cell("–") if value is None else Cell(format(value, style), value)


def _mean(summary: Summary | None) -> float | None:
    return summary.mean if summary else None


def _size_cells(series: Series, shots: int) -> list[Cell]:
    """Return bits, KiB and zeros of the discrete model; the marginals behind "bayes" are no such model."""
    if series.prediction == "bayes":
        return [Cell("–")] * 3
    return [
        _number_cell(series.median_fact(shots, lambda row: row.get("weight_bits")), ".0f"),
        _number_cell(series.median_fact(shots, _kibibytes), ",.1f"),
        _number_cell(series.median_fact(shots, removed_share), ".1f"),
    ]


def _kibibytes(row: Row) -> float | None:
    return row["model_bytes"] / 1024 if "model_bytes" in row else None


def _peak_mebibytes(row: Row) -> float | None:
    peak = row.get("memory_peak_bytes")
    return None if peak is None else peak / 2**20


def _grown_mebibytes(row: Row) -> float | None:
    before, peak = row.get("memory_before_bytes"), row.get("memory_peak_bytes")
    return None if before is None or peak is None else (peak - before) / 2**20
