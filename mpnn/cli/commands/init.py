"""`mpnn init`."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from mpnn.atomic_files import write_atomically
from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import require_writable
from mpnn.cli.options import Init, Layout, Train
from mpnn.cli.sources import TrainingData, read_training
from mpnn.data import identifier_columns, is_table_file
from mpnn.data.cells import counted
from mpnn.runs.toml import ConfigError

__all__ = ["run"]

_CONFIG = """\
# A comparison of few-bit networks with real-weight classifiers on {source}.
#
#     mpnn compare {config}
#
# Stop it at any time; the same command goes on. What one may write here: docs/howto/own_data.md.

name = {name}              # results and report go to runs/{stem}

# {rows}, {features}, {classes} classes. Three tenths of each class are kept for the test;
# the seed of this split is `split`. Other keys: drop = ["column"], categorical = ["column"], id = "column",
# test = "file of test examples", delimiter, decimal, encoding, header, max_classes.
datasets = [
  {{ {entry} }},
]

# Training examples of each class; "all": the whole training part. A class with fewer gives all that it has.
shots = [{shots}]
draws = 3                  # random draws of each number of shots
seed = 0

# The first method is what the others are compared with. What params take: mpnn train --list-parameters
[[methods]]
name = "message passing"   # ternary weights, one small network for each pair of classes
method = "message_passing"

[[methods]]
name = "message passing, binary"
method = "message_passing"
params = {{ weights = "binary" }}

[[methods]]
name = "logistic regression"
method = "logistic_regression"

[[methods]]
name = "RBF SVM"
method = "rbf_svm"

[[methods]]
name = "nearest neighbour"
method = "nearest_neighbour"

[[methods]]
name = "most frequent class"
method = "most_frequent"

# Score every model on disturbed test examples, too:
# [robustness]
# noise = [0.1, 0.5]       # each feature up or down by this share of its range
"""


def run(command: Init, arguments: list[str], console: Console) -> None:
    """Write the config of a comparison on a file."""
    if command.data == "-" or not is_table_file(command.data):
        raise ConfigError(f"mpnn init needs a table in a file, got {command.data!r}")
    stem = re.sub(r"[^\w.-]+", "_", Path(command.data).name.partition(".")[0]) or "mine"
    config = command.output or Path(f"{stem}.toml")
    require_writable(config, "--output")
    if config.exists():
        raise ConfigError(f"{config} exists; remove it, or name another file: --output FILE")
    with activity(f"reading {command.data}"):
        train = Train(command.data, layout=command.layout, drop=command.drop, categorical=command.categorical)
        data = in_background(read_training, train)
    without = _identifiers(data)
    text = _text(command, config, stem, data, without)
    try:
        write_atomically(config, text.encode())
    except OSError as error:
        raise ConfigError(f"cannot write {config}: {error.strerror or error}") from error
    for note in data.notes:
        print_line(console, note)
    if without:
        print_line(console, f"{config} leaves out {', '.join(map(repr, without))}: drop = ...")
    print_line(console, f"wrote {config}; now: mpnn compare {config}")


def _identifiers(data: TrainingData) -> list[str]:
    """Return the features that only tell rows apart, unless there are no others."""
    columns = () if data.train.table is None else data.train.table.columns
    found = identifier_columns(columns)
    return found if len(found) < len(columns) else []


def _text(command: Init, config: Path, stem: str, data: TrainingData, without: Sequence[str]) -> str:
    counts = np.unique(np.asarray(data.train.y), return_counts=True)[1]
    if counts.min() < 2 or len(counts) < 2:
        raise ConfigError(f"{command.data}: every class needs two examples, and there must be two classes")
    largest = int(np.ceil(0.7 * counts.max()))
    return _CONFIG.format(
        source=Path(command.data).name,
        config=config,
        name=_quoted(stem),
        stem=stem,
        rows=counted(len(data.train.x), "row"),
        features=counted(data.train.x.shape[1] - len(without), "feature"),
        classes=len(counts),
        entry=", ".join(_entry(command, config, data, without)),
        shots=", ".join([*(str(shots) for shots in (5, 20) if shots < largest), '"all"']),
    )


def _entry(command: Init, config: Path, data: TrainingData, without: Sequence[str]) -> list[str]:
    """Return the keys of the file with what was told or found."""
    source = Path(os.path.relpath(command.data, config.absolute().parent)).as_posix()
    keys = {"file": source}
    table = data.train.table
    if table is not None and table.label_name is not None and data.test is None:
        keys["label"] = table.label_name
    layout, told = command.layout, Layout()
    for key in ("label", "id", "delimiter", "decimal", "encoding"):
        if getattr(layout, key) != getattr(told, key):
            keys[key] = getattr(layout, key)
    entry = [f"{key} = {_quoted(value)}" for key, value in keys.items()]
    for key, names in (("drop", (*command.drop, *without)), ("categorical", command.categorical)):
        if names:
            entry.append(f"{key} = [{', '.join(map(_quoted, names))}]")
    if layout.header or layout.no_header:
        entry.append(f"header = {str(layout.header).lower()}")
    if layout.max_classes != told.max_classes:
        entry.append(f"max_classes = {layout.max_classes}")
    return [*entry, "test_size = 0.3", "split = 0"]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
