"""`mpnn train` on many files that need not fit into memory."""

import dataclasses
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console

from mpnn import __version__
from mpnn.callbacks import Callback, Epoch
from mpnn.cli.activity import Activity, activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import decide, save
from mpnn.cli.options import Streams, Train
from mpnn.cli.processes import ending_at_once, is_first, join, start
from mpnn.cli.scores import accuracy_of
from mpnn.cli.sources import Schema, as_options, read_examples
from mpnn.data import Shards
from mpnn.data.cells import counted
from mpnn.runs.toml import ConfigError

__all__ = ["refuse_streams", "train_on_shards"]


def refuse_streams(streams: Streams) -> None:
    """Refuse options that only many files have.

    Raises
    ------
    ConfigError
        Where one is given.
    """
    for item in dataclasses.fields(streams):
        if getattr(streams, item.name) != item.default:
            option = item.name.replace("_", "-")
            raise ConfigError(f"--{option} is for many files: DATA must be a folder, or a pattern in quotes")


def train_on_shards(command: Train, model: Any, arguments: list[str], console: Console) -> int:
    """Train one network, by one process or several, and save it; return 0 or what failed."""
    _refuse_whole_data(command)
    count = command.streams.num_processes
    if count is not None and count < 1:
        raise ConfigError(f"--num-processes must be at least 1, got {count}")
    is_one_of_several = join(command.streams.distributed)
    if count is not None and count > 1 and not is_one_of_several:
        if command.streams.checkpoints is None:
            raise ConfigError("--num-processes needs --checkpoints FOLDER, through which a training goes on")
        status = start(arguments, count)
        if status:
            print_line(console, "a process ended; the same command goes on from the last checkpoint")
        return status
    with ending_at_once():
        return _train_and_save(command, model, not is_one_of_several, console)


def _train_and_save(command: Train, model: Any, alone: bool, console: Console) -> int:
    begun = perf_counter()
    shards = _opened(command)
    with activity(f"training on {counted(len(shards), 'part')} of {command.data}") as shown:
        in_background(_train, command.streams, model.set_params(callbacks=[_Shown(shown)]), shards)
    model.set_params(callbacks=None)
    if alone or is_first():
        _finish(command, model, shards, perf_counter() - begun, console)
    return 0


def _refuse_whole_data(command: Train) -> None:
    for option in ("test_size", "cv", "shots"):
        if getattr(command, option) is not None:
            name = option.replace("_", "-")
            raise ConfigError(f"--{name} is for a table in memory, not for many files; use --test FILE")


def _opened(command: Train) -> Shards:
    layout = command.layout
    for option in ("id", "delimiter", "decimal", "encoding"):
        if getattr(layout, option) is not None:
            raise ConfigError(f"--{option} is for a single file; of many, the layout is found")
    try:
        return Shards(
            command.data,
            label=layout.label,
            drop=command.drop,
            categorical=command.categorical,
            max_classes=layout.max_classes,
        )
    except (ValueError, OSError) as error:
        raise ConfigError(as_options(str(error))) from error


def _train(streams: Streams, model: Any, shards: Shards) -> None:
    options = {"rows_at_once": streams.rows_at_once, "readers": streams.readers}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        model.fit_shards(shards, checkpoints=streams.checkpoints, **given)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(str(error)) from error


class _Shown(Callback):
    """Adds the number of the epoch and its training error to what is shown."""

    def __init__(self, shown: Activity) -> None:
        self._shown, self._text = shown, shown.text

    def on_epoch(self, epoch: Epoch) -> None:
        error, score = epoch.metrics["error"], epoch.metrics.get("validation_score")
        held_out = "" if score is None else f", held-out accuracy {score:.1%}"
        self._shown.text = (
            f"{self._text}, epoch {epoch.number} of {epoch.total}, training error {error:.1%}{held_out}"
        )


def _scores_of_training(model: Any) -> list[str]:
    """Return lines about the training accuracy, and about the rows that early stopping held out."""
    lines, errors = [], model.history_["error"]
    if len(errors):  # none where the checkpoint was that of the end
        lines.append(f"training accuracy {1.0 - float(errors[-1]):.1%} (last block, before each update)")
    if model.early_stopping:
        scores = model.validation_scores_
        best = int(np.argmax(scores))
        lines.append(
            f"held-out accuracy by the beliefs {scores[best]:.1%}, the best of "
            f"{counted(len(scores), 'epoch')}: number {best + 1} is kept"
        )
    return lines


def _finish(command: Train, model: Any, shards: Shards, seconds: float, console: Console) -> None:
    """Print accuracies, and save."""
    label = None if command.layout.label is None else str(command.layout.label)
    schema = Schema(shards.kinds, (), label) if shards.named else None
    lines = _scores_of_training(model)
    if command.test is not None:
        test = read_examples(str(command.test), command.layout, schema, labelled=True)
        labels = np.asarray(test.y)
        lines.append(f"test accuracy {accuracy_of(decide(model, test.x).labels, labels)}")
    for line in lines:
        print_line(console, line)
    provenance = {
        "trained by": f"mpnn {__version__}, {datetime.now(UTC):%Y-%m-%d}, seed {command.seed}",
        "trained on": f"{counted(len(shards.paths), 'file')}, {command.data}",
        "scores": "; ".join(lines),
    }
    save(model, schema, command.output, provenance, beliefs=command.beliefs)
    print_line(console, f"trained in {seconds:.2f} s, saved to {command.output}")
