"""What looks wrong in a table but does not prevent training, as sentences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpnn.data.cells import in_column, shorten
from mpnn.data.columns import Column

__all__ = ["feature_warnings", "identifier_columns"]

_SHOWN = 5
_FEWEST_COUNTED = 5
_FEWEST_SHUFFLED = 20


def feature_warnings(columns: Sequence[Column]) -> list[str]:
    """Return sentences about columns that count the rows, never vary, or differ in every row."""
    found = []
    if counting := [column.name for column in columns if counts_rows(column)]:
        found.append(
            f"{_listed(counting)} {_verb(counting, 'numbers', 'number')} the rows, which says nothing about "
            "new ones; leave out (option drop) or pass through (option id)"
        )
    if empty := [column.name for column in columns if column.missing.all()]:
        found.append(f"{_listed(empty)} {_verb(empty, 'has', 'have')} no value in any row")
    if constant := [column.name for column in columns if column.is_constant and column.name not in empty]:
        found.append(f"{_listed(constant)} {_verb(constant, 'has', 'have')} the same value in every row")
    if unique := [column.name for column in columns if _is_free_text(column)]:
        found.append(
            f"{_listed(unique)} {_verb(unique, 'has', 'have')} a different word in nearly every row, which "
            "says nothing about new ones; leave out (option drop) or pass through (option id)"
        )
    return found


def identifier_columns(columns: Sequence[Column]) -> list[str]:
    """Return the names of the columns that tell rows apart and say nothing about new ones.

    Parameters
    ----------
    columns : sequence of Column
        Features of a table.
    """
    return [column.name for column in columns if counts_rows(column) or _is_free_text(column)]


def counts_rows(column: Column) -> bool:
    """Tell whether a column's numbers are those of the rows: in steps of one, or a shuffle of such."""
    values = column.values
    if column.kind != "number" or len(values) < _FEWEST_COUNTED or column.missing.any():
        return False
    low, high = float(values.min()), float(values.max())
    if high - low != len(values) - 1 or not low.is_integer():
        return False
    if (np.diff(values.astype(np.float64)) == 1).all():
        return True
    return len(values) >= _FEWEST_SHUFFLED and _is_permutation(values, low)


def _is_permutation(values: NDArray, low: float) -> bool:
    places = values.astype(np.float64) - low
    return bool((places == np.floor(places)).all()) and len(np.unique(places)) == len(places)


def _is_free_text(column: Column) -> bool:
    if column.kind != "category" or len(column.values) < _FEWEST_SHUFFLED:
        return False
    return column.num_distinct > 0.9 * int((~column.missing).sum()) > 0


def _listed(names: Sequence[str]) -> str:
    shown = [name if in_column(name) == name else shorten(name) for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    noun = "" if in_column(names[0]) == names[0] else ("columns " if len(names) > 1 else "column ")
    return f"{noun}{', '.join(shown)}{more}"


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return many if len(names) > 1 else one
