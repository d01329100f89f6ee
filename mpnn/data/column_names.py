"""Columns by name or number: which is the label, which are features, and which a model asks for."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mpnn.data.cells import counted, in_column, plain_name, shorten
from mpnn.data.column_kinds import Kind
from mpnn.data.columns import Table
from mpnn.data.errors import DataError

__all__ = ["Roles", "assign_roles", "column_names", "match_columns", "require_complete"]

KINDS = ("number", "boolean", "category")
_SHOWN = 10
_ROLES = {"label": "the label", "id": "the identifier", "drop": "dropped", "categorical": "a category"}


class Roles(NamedTuple):
    """What each column of a file is for.

    Parameters
    ----------
    label, id : int or None
        Places of the two columns in the file, or None.
    features : tuple of int
        Places of the features, in the order in which they are required.
    names : tuple of str
        Their names.
    kinds : tuple of str or None
        Their kinds, None where the cells shall tell.
    """

    label: int | None
    id: int | None
    features: tuple[int, ...]
    names: tuple[str, ...]
    kinds: tuple[Kind | None, ...]


class Wishes(NamedTuple):
    """The arguments of `read_table` that name columns, as given."""

    label: str | int | None
    drop: tuple[str | int, ...]
    id: str | int | None
    categorical: tuple[str | int, ...]
    kinds: Mapping[str, Kind] | None
    known_id: str | None = None
    known_width: int | None = None

    def mentioned(self) -> set[str]:
        """Return every name that must be there; numbers of columns are none."""
        options = (self.label, self.id, *self.drop, *self.categorical)
        return {
            *(self.kinds if isinstance(self.kinds, Mapping) else ()),
            *(plain_name(key) for key in options if isinstance(key, str) and not _number(key)),
        }


def column_names(source: str, cells: Sequence[str], header: bool) -> list[str]:
    """Return the names of the columns: the first row's cells, or `column 0`, `column 1` and so on.

    Raises
    ------
    DataError
        Two columns have one name.
    """
    names = [plain_name(cell) if header else "" for cell in cells]
    names = [name or f"column {place}" for place, name in enumerate(names)]
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if first.setdefault(name, place) != place:
            raise DataError(
                f"{source}: columns {first[name]} and {place} (counted from 0) are both called "
                f"{shorten(name)}; give each a name of its own"
            )
    return names


def assign_roles(
    source: str, names: Sequence[str], wishes: Wishes, *, header: bool = True, given: bool = False
) -> Roles:
    """Return what each column is for.

    Raises
    ------
    DataError
        There is no such column, one has two roles, none is left as a feature, or one that is required is
        missing.
    """
    taken: dict[int, str] = {}

    def place(key: str | int, option: str) -> int:
        found = _find(source, names, key, option, header)
        if taken.setdefault(found, option) != option:
            raise DataError(
                f"{source}: {in_column(names[found])} cannot be both {_ROLES[taken[found]]} and "
                f"{_ROLES[option]}; leave one out"
            )
        return found

    label = None if wishes.label is None else place(wishes.label, "label")
    id_ = None if wishes.id is None else place(wishes.id, "id")
    in_place = wishes.known_width is None or len(names) >= wishes.known_width
    known = None
    if id_ is None and in_place and wishes.known_id in names:
        known = names.index(wishes.known_id)
    if known is not None and known not in taken:
        id_ = known
        taken[known] = "id"
    if wishes.kinds is not None:
        free = [index for index in range(len(names)) if index not in taken]
        _require_kinds(wishes)
        required = tuple(wishes.kinds)
        found = [names[index] for index in free]
        features = (
            _locate(source, found, required, header, given)
            if in_place
            else _in_order(source, found, required)
        )
        places = tuple(free[index] for index in features)
        return Roles(label, id_, places, required, tuple(wishes.kinds.values()))
    for key in wishes.drop:
        place(key, "drop")
    categories = {place(key, "categorical") for key in wishes.categorical}
    features = [index for index in range(len(names)) if taken.get(index, "categorical") == "categorical"]
    if not features:
        roles = ", ".join(
            f"{shorten(names[index])} is {_ROLES[role]}" for index, role in sorted(taken.items())[:_SHOWN]
        )
        raise DataError(f"{source}: no column is left as a feature ({roles})")
    kinds: tuple[Kind | None, ...] = tuple("category" if index in categories else None for index in features)
    return Roles(label, id_, tuple(features), tuple(names[index] for index in features), kinds)


def match_columns(table: Table, names: Sequence[str]) -> Table:
    """Return a table with the named features in the given order.

    Other columns are left out, and the order of the file does not matter. Columns without names are
    matched by position where nothing has a name: the file was given to have no header, or `names` are
    those of a file without (`column 0`, ...); their number must then be equal.

    Parameters
    ----------
    table : Table
        As read.
    names : sequence of str
        Names of the features that a model was trained on, in its order.

    Raises
    ------
    DataError
        A column is missing.
    """
    found = _locate(table.source, table.names, tuple(names), table.format.header, table.format.header_given)
    return table.select(found, tuple(names))


def require_complete(table: Table, names: Collection[str] | None = None) -> None:
    """Raise DataError, naming the cell, where a value is missing.

    Parameters
    ----------
    table : Table
        As read.
    names : collection of str or None, default=None
        The features that must have a value in every row, e.g. those that had one in training; None: all.
    """
    for column in table.columns:
        if (names is None or column.name in names) and column.missing.any():
            row = int(np.argmax(column.missing))
            raise DataError(
                f"{table.place(row)}, {in_column(column.name)}: the value is missing, and none was in "
                "training; fill it in or leave the row out"
            )


def _locate(
    source: str, names: Sequence[str], required: Sequence[str], header: bool, given: bool
) -> list[int]:
    places = {name: place for place, name in enumerate(names)}
    missing = [name for name in required if name not in places]
    if not missing:
        return [places[name] for name in required]
    nameless = all(re.fullmatch(r"column \d+", name) for name in required)
    if nameless or not header:
        if nameless or given:
            return _in_order(source, names, required)
        raise DataError(
            f"{source} has no names for its columns, so {_listed(missing)} cannot be found; write them into "
            "the first line (of npz: into an array feature_names), or tell a text file that it has no header "
            "(option header=False) to take its columns in their order"
        )
    many = "columns" if len(missing) > 1 else "column"
    near = _did_you_mean(missing[0], names) if len(missing) == 1 else ""
    raise DataError(f"{source} lacks the {many} {_listed(missing)}{near or f'; it has {_listed(names)}'}")


def _in_order(source: str, names: Sequence[str], required: Sequence[str]) -> list[int]:
    """Return the places of all columns, which must be as many as are required."""
    if len(names) == len(required):
        return list(range(len(names)))
    raise DataError(
        f"{source} has {counted(len(names), 'column')}, expected {len(required)}: {_listed(required)}"
    )


def _find(source: str, names: Sequence[str], key: str | int, option: str, header: bool) -> int:
    """Return the place of a column given by name, else by number from 0, negative from the end."""
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise DataError(f"{option} must be the name or number of a column, got {key!r}")
    if isinstance(key, str) and plain_name(key) in names:
        return names.index(plain_name(key))
    if _number(key):
        if -len(names) <= int(key) < len(names):
            return int(key) % len(names)
        raise DataError(
            f"{source} has no column {int(key)} ({option}); it has {len(names)}, numbered 0 to "
            f"{len(names) - 1}"
        )
    known = _did_you_mean(str(key), names) or f"; it has {_listed(names)}"
    where = known if header else f"; it has no header, so give a number from 0 to {len(names) - 1}"
    raise DataError(f"{source} has no column {shorten(str(key))} ({option}){where}")


def _number(key: str | int) -> bool:
    return isinstance(key, int) or re.fullmatch(r"\s*[+-]?\d{1,9}\s*", key, re.ASCII) is not None


def _did_you_mean(name: str, names: Sequence[str]) -> str:
    lowered = {other.lower(): other for other in names[:10_000]}
    near = difflib.get_close_matches(name.lower().strip(), lowered, n=1)
    return f"; did you mean {shorten(lowered[near[0]])}?" if near else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shorten(name) for name in names[:_SHOWN]) + more


def _require_kinds(wishes: Wishes) -> None:
    kinds = wishes.kinds or {}
    if not isinstance(kinds, Mapping):
        raise DataError(f"kinds must map names of columns to kinds, got {kinds!r}")
    if wishes.categorical:
        raise DataError("categorical says nothing beside kinds, which names the kind of every column")
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise DataError(f"kinds: {in_column(name)} must be one of {', '.join(KINDS)}, got {kind!r}")
    if not kinds:
        raise DataError("kinds must name at least one column")
