"""Callbacks that show a training in the terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mpnn.callbacks.base import Callback, Epoch

__all__ = ["EpochLines", "ProgressBar"]


def _in_words(epoch: Epoch) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in epoch.metrics.items())


class ProgressBar(Callback):
    """A bar on standard error, with the metrics of the last epoch."""

    _progress: Progress | None = None

    def on_begin(self, total: int) -> None:
        """Show the bar."""
        columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("compiling", total=total)
        self._progress.start()

    def on_epoch(self, epoch: Epoch) -> None:
        """Move the bar."""
        if self._progress is None:
            raise ValueError("there is no bar: call on_begin before the first epoch")
        self._progress.update(self._task, completed=epoch.number, description=_in_words(epoch))

    def on_end(self) -> None:
        """Leave the bar as it is; what is left can be pickled."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None


class EpochLines(Callback):
    """A line an epoch on standard error."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Print the line."""
        line = f"epoch {epoch.number} of {epoch.total}: {_in_words(epoch)}, {epoch.seconds:.1f} s"
        Console(stderr=True).print(line, highlight=False)
