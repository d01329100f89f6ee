"""`mpnn train`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mpnn import __version__
from mpnn.callbacks import Callback, Epoch
from mpnn.cli.activity import Activity, activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import build, decide, require_writable, save, train
from mpnn.cli.options import Train
from mpnn.cli.parameters import assignments, list_parameters
from mpnn.cli.scores import (
    Accuracy,
    accuracy_of,
    cross_validate,
    logistic_regression,
    majority_share,
)
from mpnn.cli.shards import refuse_streams, train_on_shards
from mpnn.cli.sources import Examples, Schema, TrainingData, read_training
from mpnn.data import Table, is_shards, is_table_file
from mpnn.data.cells import counted
from mpnn.runs.toml import ConfigError

__all__ = ["run"]

_LARGEST_SEED = 2**32 - 1
# Columns of a table that are shown, of more the first.
_SHOWN = 30


def run(command: Train, arguments: list[str], console: Console) -> int | None:
    """Read, show the columns, train, score, and save last of all."""
    if command.list_parameters:
        list_parameters(console)
        return None
    if not command.data:
        raise ConfigError(
            f"mpnn train needs DATA, a file or the name of a data set; {_where_data_went(command)}"
        )
    if not 0 <= command.seed <= _LARGEST_SEED:
        raise ConfigError(f"--seed must be from 0 to {_LARGEST_SEED}, got {command.seed}")
    require_writable(command.output, "--output", [command.data, command.test])
    if is_shards(command.data):
        return train_on_shards(command, build(_estimator_parameters(command), "none"), arguments, console)
    refuse_streams(command.streams)
    with activity("loading"):
        model = build(_estimator_parameters(command), command.ensemble)
    with activity(f"reading {command.data}"):
        data = in_background(read_training, command)
    _print_columns(console, data.train.table)
    for note in data.notes:
        print_line(console, note)
    lines = _cross_validation(command, model, data.train) if command.cv else []
    start = perf_counter()
    with activity(f"training on {counted(len(data.train.x), 'example')}") as shown:
        in_background(_train_watched, model, data.train, shown)
        seconds = perf_counter() - start
        shown.text = "scoring"
        lines += in_background(_scores, model, data, command.cv is None)
    for line in lines:
        print_line(console, line)
    provenance = _provenance(command, data.train, lines)
    save(model, _schema(data.train), command.output, provenance, beliefs=command.beliefs)
    print_line(console, f"trained in {seconds:.2f} s, saved to {command.output}")
    return None


def _where_data_went(command: Train) -> str:
    """Say which option took the file for one of its values, or where to read on."""
    for option in ("drop", "categorical", "set"):
        taken = next(filter(is_table_file, getattr(command, option)), None)
        if taken is not None:
            return f"{taken} was taken for a value of --{option}, so write it first: mpnn train {taken} ..."
    return "see mpnn train --help"


class _ShownEpochs(Callback):
    """Adds the number of the epoch to what is shown, where there are several."""

    def __init__(self, shown: Activity) -> None:
        self._shown, self._text = shown, shown.text

    def __deepcopy__(self, memo: dict[int, Any]) -> "_ShownEpochs":
        return self  # members of an ensemble are copies, and all show in one line

    def on_epoch(self, epoch: Epoch) -> None:
        if epoch.total > 1:
            self._shown.text = f"{self._text}, epoch {epoch.number} of {epoch.total}"


def _train_watched(model: Any, examples: Examples, shown: Activity) -> None:
    network = getattr(model, "estimator", model)
    network.set_params(callbacks=[_ShownEpochs(shown)])
    train(model, examples)
    for watched in (network, *getattr(model, "estimators_", ())):
        watched.set_params(callbacks=None)


def _provenance(command: Train, examples: Examples, scores: Sequence[str]) -> dict[str, str]:
    return {
        "trained by": f"mpnn {__version__}, {datetime.now(UTC):%Y-%m-%d}, seed {command.seed}",
        "trained on": f"{counted(len(examples.x), 'example')} of {command.data}",
        "scores": "; ".join(line.strip() for line in scores if "%" in line and "warning" not in line),
    }


def _schema(examples: Examples) -> Schema | None:
    return None if examples.table is None else Schema.of(examples.table)


def _estimator_parameters(command: Train) -> dict[str, Any]:
    """Return what the command line says about the estimator; the rest keeps its defaults."""
    parameters: dict[str, Any] = {
        "weights": int(command.weights) if command.weights.isdigit() else command.weights,
        "rule": command.rule,
        "random_state": command.seed,
    }
    for key in ("hidden", "num_epochs", "batch_size"):
        if getattr(command, key) is not None:
            parameters[key] = getattr(command, key)
    return parameters | assignments(command.set, "damping=0.5")


def _print_columns(console: Console, table: Table | None) -> None:
    """Print name, kind, distinct values and missing ones of the features, the first of many."""
    if table is None:
        return
    shown = RichTable("name", "kind", "distinct", "missing", box=None, header_style="dim")
    summary = table.summary()
    for row in summary[:_SHOWN]:
        shown.add_row(Text(row.name), row.kind, str(row.distinct), str(row.missing))
    if table.label_name is not None and table.labels is not None:
        shown.add_row(Text(table.label_name), "label", str(len(set(table.labels.tolist()))), "0")
    console.print(shown)
    if len(summary) > _SHOWN:
        print_line(console, f"and {counted(len(summary) - _SHOWN, 'more column')}")


def _cross_validation(command: Train, model: Any, examples: Examples) -> list[str]:
    """Return lines about held-out accuracies of all parts."""
    parts = int(command.cv or 0)
    with activity("cross-validation") as shown:

        def listen(number: int) -> None:
            shown.text = f"cross-validation, part {number} of {parts}"

        try:
            found = in_background(cross_validate, model, examples, parts, command.seed, listen)
        except ValueError as error:
            raise ConfigError(str(error)) from error
    title = f"held-out accuracy of {parts} parts"
    return [*_beside(title, found.model, found.majority, found.linear), "the model learns from all examples:"]


def _scores(model: Any, data: TrainingData, advise: bool) -> list[str]:
    """Return lines about training accuracy, and the held-out one beside what needs no network."""
    train, test, labels = data.train, data.test, np.asarray(data.train.y)
    training = accuracy_of(decide(model, train.x).labels, labels)
    lines = [f"training accuracy {training.share:.1%} ({counted(training.total, 'example')})"]
    majority = majority_share(labels, labels)
    if training.share < majority.share:
        lines.append(
            f"warning: training accuracy is below the share of the largest class, {majority.share:.1%}; "
            "nothing was learned: other columns, more examples or --hidden may help"
        )
    if test is not None and test.y is not None:
        accuracy = accuracy_of(decide(model, test.x).labels, test.y)
        linear = logistic_regression(train, test)
        lines += _beside("test accuracy", accuracy, majority_share(labels, test.y), linear)
    elif advise:
        lines.append("for a held-out accuracy: --cv 5, --test-size 0.2 or --test FILE")
    return lines


def _beside(title: str, model: Accuracy, majority: Accuracy, linear: Accuracy | None) -> Sequence[str]:
    lines = [f"{title} {model}", f"  always the largest class: {majority.share:.1%}"]
    return lines if linear is None else [*lines, f"  logistic regression: {linear.share:.1%}"]
