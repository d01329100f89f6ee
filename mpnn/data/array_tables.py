"""Arrays and Parquet columns as the columns of a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpnn.data.array_files import (
    Arrays2D,
    ParquetColumn,
    parquet_names,
    read_npy,
    read_npz_part,
    read_parquet_columns,
)
from mpnn.data.cells import cell_error, in_column
from mpnn.data.column_kinds import Kind, object_array
from mpnn.data.column_names import Roles, Wishes, assign_roles, column_names
from mpnn.data.columns import Column, Table, TableFormat, place_of
from mpnn.data.errors import DataError
from mpnn.data.table_labels import array_labels, check_labels, label_warnings
from mpnn.data.table_warnings import feature_warnings
from mpnn.encoders.words import Words

__all__ = ["read_arrays", "read_row_group"]


def read_arrays(path: Path, wishes: Wishes, part: str, max_classes: int) -> Table:
    """Read an npz, npy or Parquet file; see `mpnn.data.read_table`."""
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, wishes, max_classes)
    kind = path.suffix.lower()[1:]
    arrays = read_npz_part(path, part) if kind == "npz" else read_npy(path)
    names = column_names(str(path), arrays.names, True)
    roles = assign_roles(str(path), names, wishes, header=arrays.named)
    if wishes.categorical or "category" in roles.kinds:
        raise DataError(f"{path}: arrays hold numbers, not categories; give the table as CSV or Parquet")
    if roles.label is not None and arrays.labels is not None:
        raise DataError(f"{path} keeps its labels in y; leave the option label out")
    whole = roles.features == tuple(range(len(names)))
    x = arrays.x if whole else arrays.x[:, list(roles.features)]
    kinds: tuple[Kind, ...] = ("boolean" if x.dtype == bool else "number",) * x.shape[1]
    columns = [Column(*cells) for cells in zip(roles.names, kinds, x.T, strict=True)]
    labels, label_name = _labels_of(arrays, roles)
    ids = None if roles.id is None else arrays.x[:, roles.id]
    form = TableFormat(kind, header=arrays.named)
    return _array_table(str(path), columns, labels, label_name, ids, roles, names, form, max_classes, x)


def _labels_of(arrays: Arrays2D, roles: Roles) -> tuple[NDArray | None, str | None]:
    if roles.label is not None:
        return arrays.x[:, roles.label], arrays.names[roles.label]
    return arrays.labels, None if arrays.labels is None else "y"


def read_row_group(
    path: Path, wishes: Wishes, max_classes: int, group: int
) -> tuple[dict[str, ParquetColumn], NDArray]:
    """Return features by name and labels ``[n]`` of one group of rows of a Parquet file.

    As of a table that is read whole, but words stay each once, and nothing is said about what looks wrong.
    """
    _, roles, columns, labels, _ = _parquet_parts(path, wishes, group)
    if labels is None or roles.label is None:
        raise DataError(f"{path}: name the column of labels (option label)")
    at, name = place_of(str(path), "parquet"), str(wishes.label)
    labels = array_labels(labels, name, at)
    check_labels(labels, name, max_classes, at)
    return columns, labels


def _read_parquet(path: Path, wishes: Wishes, max_classes: int) -> Table:
    names, roles, found, labels, ids = _parquet_parts(path, wishes)
    columns = [Column(name, kind, np.asarray(values)) for name, (kind, values) in found.items()]
    name = None if roles.label is None else names[roles.label]
    return _array_table(
        str(path), columns, labels, name, ids, roles, names, TableFormat("parquet"), max_classes, None
    )


def _parquet_parts(
    path: Path, wishes: Wishes, group: int | None = None
) -> tuple[list[str], Roles, dict[str, ParquetColumn], NDArray | None, NDArray | None]:
    """Names, roles, features, labels and identifiers, of a whole file or of one of its groups of rows."""
    written = parquet_names(path)
    names = column_names(str(path), written, True)
    roles = assign_roles(str(path), names, wishes)
    places = [place for place in (*roles.features, roles.label, roles.id) if place is not None]
    found = read_parquet_columns(
        path, [written[place] for place in places], None if roles.id is None else written[roles.id], group
    )
    columns = {
        name: _as_required(str(path), name, kind, found[written[place]])
        for place, name, kind in zip(roles.features, roles.names, roles.kinds, strict=True)
    }
    labels, ids = (
        None if place is None else np.asarray(found[written[place]].values)
        for place in (roles.label, roles.id)
    )
    return names, roles, columns, labels, ids


def _as_required(source: str, name: str, required: Kind | None, found: ParquetColumn) -> ParquetColumn:
    """A column of the kind that its type says, or of the kind that is required."""
    kind, values = found
    if required == "category" and not isinstance(values, Words) and values.dtype.kind in "iu":
        numbers, places = np.unique(values, return_inverse=True)
        return ParquetColumn(required, Words(places, object_array(list(map(str, numbers.tolist())))))
    if required not in (None, kind):
        raise DataError(f"{source}, {in_column(name)}: holds values of kind {kind}, expected {required}")
    if kind == "category":
        return found
    values = np.asarray(values, np.float64)
    if (infinite := np.isinf(values)).any():
        row = int(np.argmax(infinite))
        raise cell_error(f"{source}, row {row}", name, "inf", "is infinite; write a null")
    return ParquetColumn(kind, values)


def _array_table(
    source: str,
    columns: Sequence[Column],
    labels: NDArray | None,
    label_name: str | None,
    ids: NDArray | None,
    roles: Roles,
    names: Sequence[str],
    form: TableFormat,
    max_classes: int,
    matrix: NDArray | None,
) -> Table:
    at = place_of(source, form.kind)
    warnings = feature_warnings(columns)
    if labels is not None and label_name is not None:
        labels = array_labels(labels, label_name, at)
        check_labels(labels, label_name, max_classes, at)
        warnings += label_warnings(labels, label_name, lambda row: f"row {row}")
    id_name = None if roles.id is None else names[roles.id]
    lines = np.arange(len(columns[0].values))
    return Table(
        source, tuple(columns), labels, label_name, ids, id_name, form, tuple(warnings), lines, matrix
    )
