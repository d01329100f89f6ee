"""Tables and their cells, for the console, Markdown and HTML alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mpnn.compare.report.series import Summary

__all__ = ["Cell", "Table", "accuracy_cell", "best_mean", "marked_best", "number_cell"]


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


def accuracy_cell(summary: Summary | None) -> Cell:
    """Return an accuracy in %, mean ± standard deviation; a dash for none."""
    if summary is None:
        return Cell("–")
    text = f"{100 * summary.mean:.1f}"
    if summary.deviation is not None:
        text += f" ± {100 * summary.deviation:.1f}"
    return Cell(text, summary.mean)


def number_cell(value: float | None, style: str) -> Cell:
    """Return a number in a format; a dash for none."""
    return Cell("–") if value is None else Cell(format(value, style), value)


def best_mean(summaries: Sequence[Summary | None]) -> float | None:
    """Return the largest mean; None of none."""
    return max((summary.mean for summary in summaries if summary), default=None)


def marked_best(cell: Cell, best: float | None) -> Cell:
    """Return the cell in bold if it is the best as far as it is shown."""
    shown = cell.value is not None and best is not None and f"{100 * cell.value:.1f}" == f"{100 * best:.1f}"
    return cell._replace(strong=shown)
