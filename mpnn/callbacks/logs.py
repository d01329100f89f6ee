"""Callbacks that write the numbers of every epoch to disk."""

import csv
from pathlib import Path
from typing import Any

from mpnn.callbacks.base import Callback, Epoch
from mpnn.validation import path as path_of

__all__ = ["CSVLog", "TensorBoard"]


class CSVLog(Callback):
    """One row an epoch: its number, seconds, and its metrics; a file that is there is replaced.

    Rows are flushed one by one, so that a training that is interrupted keeps them.

    Parameters
    ----------
    path : str or Path
        The file; its folder must exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path_of("path", path)
        self._file: Any = None
        self._writer: Any = None

    def on_begin(self, total: int) -> None:
        """Open the file."""
        self._file, self._writer = self.path.open("w", newline="", encoding="utf-8"), None

    def on_epoch(self, epoch: Epoch) -> None:
        """Write a row; before the first one, the names."""
        if self._file is None:
            raise ValueError(f"{self.path} is not open: call on_begin before the first epoch")
        row = {"epoch": epoch.number, "seconds": round(epoch.seconds, 3), **epoch.metrics}
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row))
            self._writer.writeheader()
        if unknown := set(row) - set(self._writer.fieldnames):
            raise ValueError(
                f"the first epoch had no {sorted(unknown)[0]!r}: give every epoch the same metrics"
            )
        self._writer.writerow(row)
        self._file.flush()

    def on_end(self) -> None:
        """Close the file; what is left can be pickled."""
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


class TensorBoard(Callback):
    """Scalars for TensorBoard, a step an epoch; needs ``pip install 'mpnn[tensorboard]'``.

    Parameters
    ----------
    folder : str or Path
        Of the event files.

    Raises
    ------
    ModuleNotFoundError
        When a training begins without the package.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = path_of("folder", folder)
        self._writer: Any = None

    def on_begin(self, total: int) -> None:
        """Open the event file."""
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "TensorBoard needs the package tensorboardX: pip install 'mpnn[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(self.folder))

    def on_epoch(self, epoch: Epoch) -> None:
        """Add a scalar a metric."""
        if self._writer is None:
            raise ValueError(f"{self.folder} is not open: call on_begin before the first epoch")
        for name, value in epoch.metrics.items():
            self._writer.add_scalar(name, value, epoch.number)

    def on_end(self) -> None:
        """Close the event file; what is left can be pickled."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None
