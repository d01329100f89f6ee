"""`mpnn data`."""

import json

from rich.console import Console

from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.options import Data
from mpnn.data import DatasetStatus, dataset_status, load_dataset
from mpnn.runs.toml import ConfigError

__all__ = ["run"]


def run(command: Data, arguments: list[str], console: Console) -> None:
    """Show the data sets, one line each, after downloading those that are asked for.

    Paths are whole; on a terminal, what the sets are about is cut where a line ends.
    """
    for name in command.download:
        try:
            with activity(f"downloading {name}"):
                load_dataset(name)
        except (ValueError, OSError) as error:
            raise ConfigError(str(error)) from error
    if command.json:
        print_line(console, json.dumps([row._asdict() for row in dataset_status()], indent=2))
        return
    rows = [("name", "training", "test", "where", "task"), *map(_cells, dataset_status())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        *padded, task = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(padded)
        room = console.width - len(line) - 2 if console.is_terminal else len(task)
        print_line(console, f"{line}  {task[: max(room, 0)]}".rstrip())


def _cells(row: DatasetStatus) -> tuple[str, ...]:
    shapes = ("x".join(map(str, shape)) for shape in (row.train_shape, row.test_shape))
    return (row.name, *shapes, row.found, row.task)
