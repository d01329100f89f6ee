"""A comparison on the terminal: progress and tables."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from mpnn.cli.console import print_line
from mpnn.compare.report.cells import Table
from mpnn.compare.run.engine import Listener
from mpnn.compare.run.jobs import Job
from mpnn.runs.rows import Row

__all__ = ["print_table", "progress"]


@contextmanager
def progress(console: Console, total: int) -> Iterator[Listener]:
    """Yield a listener that shows a bar on a terminal, and prints one line a row elsewhere."""
    if not console.is_terminal:
        yield _line_printer(console, total)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=total)

        def listen(job: Job, row: Row | None) -> None:
            bar.update(task, description=_describe(job), advance=0 if row is None else 1)

        yield listen


def print_table(console: Console, table: Table) -> None:
    """Print a table of the report."""
    shown = RichTable(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for place, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if place else "left", no_wrap=place == 0)
    for cells in table.rows:
        shown.add_row(*(Text(cell.line, style="bold" if cell.strong else "") for cell in cells))
    console.print(Text(table.title, style="bold"))
    console.print(shown)


def _line_printer(console: Console, total: int) -> Listener:
    done = 0

    def listen(job: Job, row: Row | None) -> None:
        nonlocal done
        if row is None:
            return
        done += 1
        if row["error"]:
            outcome = row["error"]
        else:
            accuracies = [f"{name} {score['accuracy']:.1%}" for name, score in row["scores"].items()]
            outcome = f"{', '.join(accuracies)} in {row['train_seconds']:.2g} s"
        print_line(console, f"{done}/{total} {_describe(job)}: {outcome}")

    return listen


def _describe(job: Job) -> str:
    return f"{job.dataset}, {job.shots} per class, draw {job.draw}, {job.method.name}"
