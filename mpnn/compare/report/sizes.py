"""The columns of sizes: bits, bytes of files, and what the C costs."""

from collections.abc import Sequence

from mpnn.compare.report.cells import Cell, number_cell
from mpnn.compare.report.series import Series, is_few_bit, model_bytes, removed_share

__all__ = ["SIZE_COLUMNS", "size_cells", "size_note"]

MOST_NAMES = 3  # in a sentence
SIZE_COLUMNS = ("bits a weight", "bytes", "µs in C", "zero %")


def size_cells(series: Series, shots: int) -> list[Cell]:
    """Return bits a weight, bytes, microseconds of the C, and zeros; the beliefs behind "bayes" have none."""
    if series.prediction == "bayes":
        return [Cell("–")] * len(SIZE_COLUMNS)
    return [
        number_cell(series.median_fact(shots, lambda row: row.get("weight_bits")), ".0f"),
        number_cell(model_bytes(series, shots), ",.0f"),
        number_cell(series.median_fact(shots, lambda row: row.get("c_microseconds")), ".3g"),
        number_cell(series.median_fact(shots, removed_share), ".1f"),
    ]


def size_note(lines: Sequence[Series]) -> str:
    """Explain the columns of sizes, and every dash in them.

    Parameters
    ----------
    lines : sequence of Series
        The lines of the table.
    """
    note = (
        "Bytes: of a few-bit network, its packed file with everything that prediction needs; of other "
        "classifiers, the fitted arrays that prediction needs."
    )
    if any(series.prediction == "bayes" for series in lines):
        note += " Bayesian predictions come from beliefs, which are real numbers: no size in bits."
    few_bit = [series for series in lines if is_few_bit(series)]
    without = [series for series in few_bit if model_bytes(series, max(series.rows)) is None]
    reasons = {
        series.name: next(
            (row["size_note"] for row in series.rows[max(series.rows)] if row.get("size_note")), ""
        )
        for series in few_bit
    }
    old = dict.fromkeys(series.name for series in without if not reasons[series.name])
    if old:
        whose = ", ".join(old) if len(old) <= MOST_NAMES else f"{len(old)} few-bit networks"
        note += (
            f" No bytes of {whose}: these rows were written before files were measured; run the comparison "
            "again with --fresh."
        )
    for name, reason in reasons.items():
        if reason:
            note += f" {name}: {reason}."
    return note
