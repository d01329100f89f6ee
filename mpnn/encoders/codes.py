"""The fitted code of a table: what each column becomes, and its application in plain NumPy.

This module needs NumPy alone, so that a deployed network can encode its inputs without scikit-learn.
Shapes: ``n`` rows, ``F`` columns of the table, ``K`` bits over all columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpnn.encoders.words import Words

__all__ = [
    "ColumnCode",
    "apply_codes",
    "bit_names",
    "column_of_numbers",
    "from_json",
    "missing_values",
    "num_bits",
    "to_json",
]

KINDS = ("thermometer", "categories")
# In place of a category's number.
UNKNOWN = -1
NUMBERS = "biuf"
# Rows whose bits are written at a time, column by column: they stay in a core's cache.
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class ColumnCode:
    """Code of one column: as many bits as it has thresholds or categories.

    Parameters
    ----------
    name : str
        Name of the column, for messages and names of bits.
    kind : str
        ``"thermometer"``: bit k is on where ``value >= thresholds[k]``; ``"categories"``: bit k is on where
        ``value == categories[k]``, so that an unknown category leaves all bits off.
    thresholds : tuple of float, default=()
        Finite, strictly increasing; of a thermometer.
    categories : tuple of str or float, default=()
        Distinct strings or numbers.
    off : int, default=-1
        Value of a bit that is off, -1 or 0; one that is on is +1. A missing value is 0 in all bits.
    """

    name: str
    kind: str
    thresholds: tuple[float, ...] = ()
    categories: tuple[str | float, ...] = ()
    off: int = -1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of column {self.name!r} must be one of {KINDS}, got {self.kind!r}")
        if self.off not in (-1, 0):
            raise ValueError(f"off of column {self.name!r} must be -1 or 0, got {self.off!r}")
        for name in ("thresholds", "categories"):
            if not isinstance(getattr(self, name), tuple):
                given = getattr(self, name)
                raise ValueError(f"{name} of column {self.name!r} must be a tuple, got {given!r}")
        if not all(isinstance(cut, float | int) for cut in self.thresholds):
            raise ValueError(f"thresholds of column {self.name!r} must be numbers: {self.thresholds}")
        cuts = np.asarray(self.thresholds, np.float64)
        if not np.all(np.isfinite(cuts)) or np.any(cuts[1:] <= cuts[:-1]):
            raise ValueError(f"thresholds of column {self.name!r} must be finite and increase: {cuts}")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError(f"categories of column {self.name!r} must be distinct: {self.categories}")

    @property
    def num_bits(self) -> int:
        """Number of bits; 0 for a column that never varied."""
        return len(self.thresholds) if self.kind == "thermometer" else len(self.categories)


def num_bits(columns: Sequence[ColumnCode]) -> int:
    """Number of bits K over all columns."""
    return sum(code.num_bits for code in columns)


def bit_names(columns: Sequence[ColumnCode]) -> list[str]:
    """Name of each of the K bits: ``age>=30.5`` or ``colour=red``.

    Parameters
    ----------
    columns : sequence of ColumnCode
        The code, one a column.
    """
    names = []
    for code in columns:
        if code.kind == "thermometer":
            names += [f"{code.name}>={threshold!r}" for threshold in code.thresholds]
        else:
            names += [f"{code.name}={category}" for category in code.categories]
    return names


def apply_codes(
    columns: Sequence[ColumnCode], X: NDArray | Sequence[NDArray | Words], dtype: DTypeLike = np.int8
) -> NDArray:
    """Encode a table.

    Parameters
    ----------
    columns : sequence of ColumnCode
        Code of each of F columns.
    X : table
        Array ``[n, F]`` of numbers or objects, or a sequence of F arrays or :class:`Words` ``[n]``. Missing:
        NaN, None, pd.NA.
    dtype : dtype
        Of the bits, int8 by default.

    Returns
    -------
    bits : ndarray [n, K]
        -1, 0 and +1.

    Raises
    ------
    ValueError
        If the number of columns differs, a value is infinite, or a thermometer's column holds text.
    """
    parts = [X[:, index] for index in range(X.shape[1])] if isinstance(X, np.ndarray) else list(X)
    if len(parts) != len(columns):
        raise ValueError(f"the code has {len(columns)} columns, the table has {len(parts)}")
    num_rows = len(parts[0]) if parts else 0
    bits = np.empty((num_rows, num_bits(columns)), dtype)
    ends = np.cumsum([0, *(code.num_bits for code in columns)]).tolist()
    filled = [place for place, code in enumerate(columns) if code.num_bits]
    levels = [
        _levels(code, part).astype(np.min_scalar_type(code.num_bits + 1), copy=False)
        for code, part in zip(columns, parts, strict=True)
    ]
    known = {place: _rows_of_bits(columns[place], bits.dtype) for place in filled}
    cells = {place: _as_cells(bits[:, ends[place] : ends[place + 1]]) for place in filled}
    for first in range(0, num_rows, ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for place in filled:
            cells[place][rows] = known[place][levels[place][rows]]
    return bits


def _as_cells(bits: NDArray) -> NDArray:
    """The bits ``[n, num_bits]`` of a column as ``[n]``: those of a row are one thing, moved in one go."""
    return bits.view(np.dtype((np.void, bits.shape[1] * bits.itemsize)))[:, 0]


def _rows_of_bits(code: ColumnCode, dtype: np.dtype) -> NDArray:
    """Bits of every level as cells ``[levels + 1]``; the last one is a missing value.

    Level l of a thermometer has its first l bits on; of categories, level 0 none and level l bit l - 1.
    """
    size = code.num_bits
    level, bit = np.arange(size + 1)[:, None], np.arange(size)
    is_on = bit < level if code.kind == "thermometer" else bit == level - 1
    rows = np.concatenate([np.where(is_on, 1, code.off), np.zeros((1, size), int)])
    return _as_cells(rows.astype(dtype))


def _levels(code: ColumnCode, values: NDArray | Words) -> NDArray:
    """Level of every value ``[n]``: a row of :func:`_rows_of_bits`."""
    if isinstance(values, Words):
        return _levels(code, values.words)[values.numbers]
    if code.kind == "thermometer":
        numbers = column_of_numbers(code.name, values)
        levels = np.searchsorted(np.asarray(code.thresholds, np.float64), numbers, side="right")
        levels[np.isnan(numbers)] = code.num_bits + 1
        return levels
    index = {category: number for number, category in enumerate(code.categories)}
    if len(values) and np.asarray(values).dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(f"column {code.name!r} holds an infinite value: remove or clip it")
    levels = np.fromiter(map(index.get, values.tolist(), repeat(UNKNOWN)), np.intp, len(values)) + 1
    unknown = np.flatnonzero(levels == 0)  # no category is missing
    levels[unknown[_missing_among(values[unknown])]] = code.num_bits + 1
    return levels


def _missing_among(values: NDArray) -> NDArray:
    """As :func:`missing_values`, of text that repeats itself: what differs is looked at once."""
    given = values.tolist()
    try:
        missing = {value for value in set(given) if _is_missing(value)}
    except TypeError:  # a value that has no hash
        return missing_values(values)
    if values.dtype.kind != "O" or any(value is not None for value in missing):  # NaN differs from itself
        return missing_values(values)
    return np.fromiter((value is None for value in given), bool, len(given))


def column_of_numbers(name: str, values: NDArray) -> NDArray:
    """Values ``[n]`` as float64, missing ones NaN; refuses text, dates and infinities."""
    if values.dtype.kind == "O":
        missing = missing_values(values)
        numbers = np.full(len(values), np.nan)
        try:
            numbers[~missing] = _checked_numbers(values[~missing])
        except (TypeError, ValueError) as error:
            raise type(error)(f"column {name!r} must hold numbers as in training: {error}") from None
    elif values.dtype.kind in NUMBERS:
        numbers = values.astype(np.float64)
    else:
        raise ValueError(f"column {name!r} must hold numbers as in training, got dtype {values.dtype}")
    if np.isinf(numbers).any():
        raise ValueError(f"column {name!r} holds an infinite value (infinity): remove or clip it")
    return numbers


def _checked_numbers(values: NDArray) -> NDArray:
    """Objects as float64; text is refused even if it reads as a number."""
    kinds = set(map(type, values))
    if any(issubclass(kind, (str, bytes)) for kind in kinds):
        raise ValueError("got text among the values")
    if any(issubclass(kind, (complex, np.complexfloating)) for kind in kinds):
        raise ValueError("Complex data not supported")
    return values.astype(np.float64)


def missing_values(values: NDArray) -> NDArray:
    """Which values ``[n]`` are missing: NaN, None, pd.NA, NaT."""
    if values.dtype.kind in "fcmM":
        return np.asarray(np.isnan(values))
    if values.dtype.kind != "O":
        return np.zeros(len(values), bool)
    return np.frompyfunc(_is_missing, 1, 1)(values).astype(bool)


def _is_missing(value: Any) -> bool:
    """NaN differs from itself; ``pd.NA`` has no truth value and is known by its type's name."""
    if value is None:
        return True
    if isinstance(value, (str, bool, int)):
        return False
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, complex)) and bool(value != value)


def to_json(columns: Sequence[ColumnCode]) -> list[dict[str, Any]]:
    """Plain dicts, lists, strings and numbers; :func:`from_json` gives the same code back, bit for bit.

    Parameters
    ----------
    columns : sequence of ColumnCode
        The code, one a column.
    """
    return [
        {**asdict(code), "thresholds": list(code.thresholds), "categories": list(code.categories)}
        for code in columns
    ]


def from_json(rows: Sequence[Mapping[str, Any]]) -> tuple[ColumnCode, ...]:
    """The code of what :func:`to_json` wrote.

    Parameters
    ----------
    rows : list of dict
        What :func:`to_json` returned.
    """
    try:
        return tuple(
            ColumnCode(
                name=row["name"],
                kind=row["kind"],
                thresholds=tuple(float(threshold) for threshold in row.get("thresholds", ())),
                categories=tuple(row.get("categories", ())),
                off=int(row.get("off", -1)),
            )
            for row in rows
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"rows must be what to_json returned, got {str(rows)[:100]}") from error
