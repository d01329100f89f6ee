"""What `mpnn train` and `mpnn predict` read: a data set by name, or a table in a file."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.cli.options import Layout, Train
from mpnn.data import Table, holds_test_part, is_table_file, load_dataset, read_table
from mpnn.data.column_kinds import Kind
from mpnn.runs.toml import ConfigError

__all__ = ["Examples", "Schema", "TrainingData", "as_options", "read_examples", "read_training"]

# Names of a last column that say it holds the labels.
LABEL_NAMES = ("label", "labels", "class", "target", "y", "kind", "species", "category", "outcome")
_SHOWN = 10
# How the reader names an argument of its own, which is an option of the command.
_ARGUMENT = re.compile(r"\(option (\w+)(=False)?\)")


def as_options(text: str) -> str:
    """Return a sentence of the reader with its arguments as options: ``(option drop)`` as ``(--drop)``."""
    return _ARGUMENT.sub(lambda found: f"(--{'no-' if found[2] else ''}{found[1].replace('_', '-')})", text)


class Examples(NamedTuple):
    """Features [n, features] with labels [n], or None where there are none, and the table they come from."""

    x: NDArray
    y: NDArray | None
    table: Table | None = None

    def rows(self, chosen: NDArray) -> "Examples":
        """Return some of the examples, by their numbers [m]."""
        return self._replace(x=self.x[chosen], y=None if self.y is None else self.y[chosen])


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns of a training file, which files to predict are read by.

    Parameters
    ----------
    kinds
        Kind of each feature by name, in order.
    complete
        Features without a missing value in training: these must have one in every row.
    label
        Name of the label column.
    id
        Name of the column of identifiers.
    width
        Where the columns have no names in the file: their number up to the last of features and identifiers.
    """

    kinds: Mapping[str, Kind]
    complete: tuple[str, ...]
    label: str | None
    id: str | None = None
    width: int | None = None

    @classmethod
    def of(cls, table: Table) -> "Schema":
        """Return the schema of a table."""
        complete = tuple(column.name for column in table.columns if not column.missing.any())
        width = None
        if not table.format.header:  # then names are `column 0`, `column 1` and so on
            used = (*table.names, *([] if table.id_name is None else [table.id_name]))
            width = 1 + max(int(name.removeprefix("column ")) for name in used)
        return cls(table.kinds, complete, table.label_name, table.id_name, width)


class TrainingData(NamedTuple):
    """Examples to train on, held-out ones or None, and what the reader had to say."""

    train: Examples
    test: Examples | None
    notes: tuple[str, ...] = ()


def read_training(command: Train) -> TrainingData:
    """Read what a command names, with the held-out part that it asks for.

    Raises
    ------
    ConfigError
        If the source cannot be read, has no labels, or nothing can be held out.
    """
    told = [name for name in ("test", "test_size", "cv") if getattr(command, name) is not None]
    if len(told) > 1:
        first, second = (f"--{name.replace('_', '-')}" for name in told[:2])
        raise ConfigError(f"{first} and {second} exclude each other; leave one out")
    try:
        data = _read_file(command) if is_table_file(command.data) else _read_dataset(command.data)
        if command.test is not None:
            data = data._replace(test=_test_file(command, data.train))
    except (ValueError, OSError) as error:
        raise ConfigError(as_options(str(error))) from error
    _require_classes(command.data, data.train.y)
    if command.shots is not None:
        data = data._replace(train=_few_shots(data.train, command.shots, command.seed))
    if command.test_size is not None:
        data = _split(data, command.test_size, command.seed)
    if command.cv is not None:
        _check_parts(command.cv, np.asarray(data.train.y))
    return data


def _require_classes(source: str, labels: NDArray | None) -> None:
    classes = np.unique(np.asarray(labels))
    if len(classes) < 2:
        raise ConfigError(f"{source} has one class only, {classes.item(0)!r}; training needs two")


def read_examples(source: str, layout: Layout, schema: Schema | None, *, labelled: bool = False) -> Examples:
    """Read what a model shall label: the test part of a data set or npz file, or a table.

    Parameters
    ----------
    source
        A data set's name, a file, or "-".
    layout
        What is told about the file.
    schema
        Of the training file: columns are matched by name, others are not looked at.
    labelled
        Whether labels are needed: from the column of their name in training, if no other is told.

    Raises
    ------
    ConfigError
        If the source cannot be read, lacks a column or labels, or an empty cell was never empty in training.
    """
    from mpnn.data import require_complete

    try:
        if not is_table_file(source):
            data = _read_dataset(source)
            return data.test or data.train
        options: dict[str, Any] = {"part": "test"}
        if schema is not None:
            options |= {"kinds": schema.kinds, "known_id": schema.id, "known_width": schema.width}
        if labelled and layout.label is None and schema is not None and not _holds_labels(source):
            options["label"] = schema.label
        table = _read(source, layout, **options)
        if schema is not None:
            require_complete(table, schema.complete)
    except (ValueError, OSError) as error:
        raise ConfigError(as_options(str(error))) from error
    if labelled and table.labels is None:
        raise ConfigError(f"{source} has no labels to compare with; name their column: --label NAME")
    return _examples(table)


def _holds_labels(source: str) -> bool:
    return source.lower().endswith(".npz")


def _read(source: str, layout: Layout, **more: Any) -> Table:
    if layout.header and layout.no_header:
        raise ConfigError("--header and --no-header exclude each other; leave one out")
    header = True if layout.header else (False if layout.no_header else None)
    options = {"label": layout.label, "id": layout.id} | more
    return read_table(
        source,
        delimiter=layout.delimiter,
        decimal=layout.decimal,
        encoding=layout.encoding,
        header=header,
        max_classes=layout.max_classes,
        **options,
    )


def _examples(table: Table) -> Examples:
    labels = table.labels
    if labels is not None and labels.dtype == object and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)
    return Examples(table.features(), labels, table)


def _read_file(command: Train) -> TrainingData:
    options: dict[str, Any] = {"drop": command.drop, "categorical": command.categorical}
    table = _read(command.data, command.layout, **options)
    notes: tuple[str, ...] = ()
    if table.labels is None:
        name = _label_of(table)
        notes = (f"labels: the last column, {name!r}, as no --label was given",)
        table = _read(command.data, command.layout, **options | {"label": name})
    test = None
    if command.data.lower().endswith(".npz") and command.layout.label is None:
        path = Path(command.data)
        if holds_test_part(path):
            test = _examples(_read(command.data, command.layout, part="test"))
    return TrainingData(_examples(table), test, (*notes, *map(as_options, table.warnings)))


def _label_of(table: Table) -> str:
    """Return the name of a last column that can only hold the labels; refuse to guess any other."""
    *others, last = table.columns
    words = last.kind == "category" and all(column.kind != "category" for column in others)
    if others and table.source != "-" and (words or last.name.lower() in LABEL_NAMES):
        return last.name
    if table.format.kind in ("npz", "npy"):
        raise ConfigError(
            f"{table.source} has no labels; give an npz file with x_train and y_train (or x and y), "
            "or name a column: --label NUMBER"
        )
    raise ConfigError(
        f"{table.source}: which column holds the labels? Say --label NAME; there are {_listed(table.names)}"
    )


def _test_file(command: Train, train: Examples) -> Examples:
    source = str(command.test)
    if not is_table_file(source) or train.table is None:
        raise ConfigError(f"--test must name a table file beside a table file, got {source}")
    label = train.table.label_name if command.layout.label is None else command.layout.label
    kinds = train.table.kinds
    options: dict[str, Any] = {"label": label, "kinds": kinds, "id": None, "part": "test"}
    examples = _examples(_read(source, command.layout, **options))
    if examples.y is None:
        raise ConfigError(f"{source} has no labels to compare with")
    return examples


def _read_dataset(name: str) -> TrainingData:
    try:
        data = load_dataset(name)
    except ValueError as error:
        if Path(name).is_dir():
            raise ConfigError(f"{name} is a folder; name a file in it") from error
        if Path(name).exists() or Path(name).suffix:
            read_table(name)  # says what is wrong with a file of this name
        raise error
    train, test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_test))
    return TrainingData(Examples(train, data.y_train), Examples(test, data.y_test))


def _few_shots(train: Examples, shots: int, seed: int) -> Examples:
    from mpnn.data import sample_few_shot

    rows = np.arange(len(train.x))[:, None]
    try:
        chosen, labels = sample_few_shot(rows, np.asarray(train.y), per_class=shots, seed=seed)
    except ValueError as error:
        raise ConfigError(f"--shots: {error}") from error
    return Examples(train.x[chosen[:, 0]], labels, train.table)


def _check_parts(parts: int, labels: NDArray) -> None:
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if not 2 <= parts <= largest:
        raise ConfigError(
            f"--cv must be from 2 to {largest}, the examples of the largest class, got {parts}; try 5"
        )


def _split(data: TrainingData, share: float, seed: int) -> TrainingData:
    """Hold out a share of every class that has at least two examples."""
    from sklearn.model_selection import train_test_split

    if not 0.0 < share < 1.0:
        raise ConfigError(f"--test-size must be above 0 and below 1, got {share:g}; try 0.2")
    if data.test is not None:
        raise ConfigError("--test-size: there is a test part already; leave the option out")
    labels = np.asarray(data.train.y)
    classes, counts = np.unique(labels, return_counts=True)
    rows = np.arange(len(labels))
    smallest = min(counts.min(), round(share * len(rows)), round((1 - share) * len(rows)))
    strata = labels if counts.min() > 1 and smallest >= len(classes) else None
    if min(round(share * len(rows)), round((1 - share) * len(rows))) < 1:
        raise ConfigError(f"--test-size {share:g} of {len(rows)} examples leaves a part empty; give another")
    train, test = train_test_split(rows, test_size=share, random_state=seed, stratify=strata)
    return data._replace(train=data.train.rows(train), test=data.train.rows(test))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
