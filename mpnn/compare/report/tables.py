"""The tables of a comparison on one data set."""

from collections.abc import Sequence
from typing import Any

from mpnn.compare.report.cells import Cell, Table, accuracy_cell, best_mean, marked_best, number_cell
from mpnn.compare.report.series import Series, Summary, list_series, list_shots, summarize
from mpnn.compare.report.sizes import size_cells
from mpnn.data.cells import counted
from mpnn.runs.rows import Row

__all__ = ["cost_table", "headline_table", "label_status_table", "model_table", "robustness_table"]


def headline_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return bits, bytes and, at every shots, test accuracy, mean ± standard deviation over draws."""
    shots = list_shots(rows, dataset)
    found = list_series(rows, dataset)
    best = {count: best_mean([series.summary(count) for series in found]) for count in shots}
    lines = [
        (
            Cell(series.label),
            *size_cells(series, max(series.rows))[:2],
            *(marked_best(accuracy_cell(series.summary(count)), best[count]) for count in shots),
        )
        for series in found
    ]
    failures = _failures(rows, dataset)
    return Table(
        f"{dataset}: test accuracy in %, mean ± standard deviation over draws",
        ("method", "bits a weight", "bytes", *(f"{count} per class" for count in shots)),
        (*lines, *failures),
        "Bold: the best of the column.",
    )


def cost_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return seconds and memory at the largest number of shots."""
    shots = max(list_shots(rows, dataset))
    lines = [
        (
            Cell(series.label),
            number_cell(series.train_seconds(shots), ".3g"),
            number_cell(series.train_seconds(shots, "train_cpu_seconds"), ".3g"),
            number_cell(series.compile_seconds(shots), ".2g"),
            number_cell(_mean(series.summary(shots, "predict_seconds")), ".3g"),
            number_cell(series.most(shots, _peak_mebibytes), ",.0f"),
            number_cell(series.most(shots, _grown_mebibytes), ",.0f"),
        )
        for series in list_series(rows, dataset)
    ]
    return Table(
        f"{dataset}: time and memory at {counted(shots, 'example')} per class",
        ("method", "train s", "processor s", "compile s", "predict s", "peak MiB", "grown MiB"),
        tuple(lines),
        "train s: median of warm fits, that is without compilation where more than one draw ran; processor "
        "s: the same in seconds of the processor, of all threads; other work does not change it. compile s: "
        "how much longer a cold fit took, one that is the first of its method and size in its process. peak "
        "MiB: most that the process held during a fit, with Python, libraries and data; grown MiB: what of "
        "it came during the fit. Both are the most of any draw, and without the memory of accelerators.",
    )


def model_table(rows: Sequence[Row], dataset: str) -> Table:
    """Return calibration and flash at the largest number of shots."""
    shots = max(list_shots(rows, dataset))
    lines = []
    for series in list_series(rows, dataset):
        train_accuracy = series.summary(shots, "train_accuracy")
        lines.append(
            (
                Cell(series.label),
                number_cell(train_accuracy.mean * 100 if train_accuracy else None, ".1f"),
                number_cell(_mean(series.summary(shots, "nll")), ".3f"),
                number_cell(_mean(series.summary(shots, "ece")), ".3f"),
                number_cell(series.median_fact(shots, lambda row: row.get("flash_bytes")), ",.0f"),
            )
        )
    return Table(
        f"{dataset}: calibration and flash at {counted(shots, 'example')} per class",
        ("method", "training accuracy %", "log loss", "calibration error", "flash bytes"),
        tuple(lines),
        "Log loss: mean negative log-likelihood of the true class, in nats. Calibration error: mean gap "
        "between confidence and share of right answers, over 15 bins of confidence; of a vote, those of its "
        "class probabilities, which are coupled from the probabilities of its pairs. Flash: tables and code "
        "of the C source for a Cortex-M0, where its compiler is installed.",
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
        found = [score.get("robustness", {}) for score in group]
        # not every method has bounds under the worst change
        values += [[scores[name] for scores in found if name in scores] for name in names]
        return [accuracy_cell(summarize(found)) for found in values]

    return Table(
        f"{dataset}: test accuracy in % on disturbed inputs at {counted(shots, 'example')} per class",
        ("method", "as they are", *names),
        tuple((Cell(label), *cells(group)) for label, group in scores.items()),
        "noise a: every feature moves up or down at random by a times its range in training; flips s: a "
        "share s of the features is mirrored in the middle of that range; moves p: every image by p pixels "
        "in one of eight directions. The same for all methods. worst e: the worst change that was found of "
        "at most e 255ths of the range in every feature; certified e: no such change turns so many labels.",
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
            totals = [
                sum(row["scores"]["vote"].get("label_status", {}).get(name, 0) for row in group)
                for name in columns
            ]
            shares = [100 * total / max(sum(totals), 1) for total in totals]
            lines.append(
                (
                    Cell(f"{series.name}, {shots}" if len(votes) > 1 else f"{shots} per class"),
                    *(Cell(f"{share:.1f}", share) for share in shares),
                )
            )
    return Table(
        f"{dataset}: how the votes fell, in % of the test examples",
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
        lines.append(
            (Cell(label), Cell("–"), Cell("–"), *(Cell(str(count) if count else "") for count in counts))
        )
    return lines


def _mean(summary: Summary | None) -> float | None:
    return summary.mean if summary else None


def _peak_mebibytes(row: Row) -> float | None:
    peak = row.get("memory_peak_bytes")
    return None if peak is None else peak / 2**20


def _grown_mebibytes(row: Row) -> float | None:
    before, peak = row.get("memory_before_bytes"), row.get("memory_peak_bytes")
    return None if before is None or peak is None else (peak - before) / 2**20
