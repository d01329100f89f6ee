"""From the cells of a text column to its kind and values, a block of rows at a time.

A column is of kind `number` if every cell that is not missing is a number; else `boolean` if its words are
a pair such as true and false or yes and no; else `category`. Refused are columns that were meant to hold
numbers: those where at least half of the different cells are dates, percentages, amounts of money or have
thousands separators, and those of numbers with a few words between, unless the numbers are a handful of
whole ones that repeat (0, 1, 2, 3+).
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpnn.data.cells import MISSING, MISSING_NUMBER, cell_error, in_column, number_problem, parse_number
from mpnn.data.errors import DataError

__all__ = ["BOOLEANS", "Kind", "NumberCells", "TextCells", "as_booleans", "infer_kind", "object_array"]

Kind = Literal["number", "boolean", "category"]
BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("off", "on"))
_FEW_CODES = 12
_REPEATS = 3
_JUDGED = 10_000  # different words of a column that are looked at
_MIXED_ADVICE = (
    "correct it, leave it empty if it is missing, or make the column a category (option categorical)"
)


class NumberCells:
    """Collects a column of numbers.

    Parameters
    ----------
    decimal
        The decimal sign, "." or ",".
    """

    def __init__(self, decimal: str) -> None:
        self._decimal = decimal
        self._blocks: list[NDArray] = []

    def add(self, cells: Sequence[str]) -> int | None:
        """Add a block of cells; return the place of the first that is no number, and then add nothing."""
        values = _floats(cells, self._decimal)
        if values is None:
            values = _floats(["nan" if cell in MISSING_NUMBER else cell for cell in cells], self._decimal)
        if values is None:
            values, place = _slow_floats(cells, self._decimal)
            if place is not None:
                return place
        self._blocks.append(values)
        return None

    def has_few_codes(self) -> bool:
        """Tell whether the numbers so far are a handful of whole ones."""
        found: set[float] = set()
        for block in self._blocks:
            found |= set(np.unique(block[~np.isnan(block)]).tolist())
            if len(found) > _FEW_CODES or not all(value.is_integer() for value in found):
                return False
        return True

    def values(self) -> NDArray:
        """Return all values so far as float64 [n], NaN where missing."""
        return np.concatenate(self._blocks) if self._blocks else np.empty(0)


class TextCells:
    """Collects a column of words; equal cells share one string.

    Parameters
    ----------
    missing
        What is written for a missing value.
    """

    def __init__(self, missing: Collection[str] = MISSING) -> None:
        self._missing = missing
        self._known: dict[str, str | None] = {}
        self._values: list[str | None] = []

    def add(self, cells: Sequence[str]) -> None:
        """Add a block of cells, without the spaces around them; missing ones become None."""
        known = self._known
        for cell in dict.fromkeys(cells):
            if cell in known:
                continue
            text = cell.strip()
            value = None if text in self._missing else text
            known[cell] = value if value is None or value == cell else (known.setdefault(value, value))
        self._values.extend(map(known.__getitem__, cells))

    def distinct(self) -> list[str]:
        """Return the different values in the order of the file."""
        return list(dict.fromkeys(value for value in self._known.values() if value is not None))

    def values(self) -> NDArray:
        """Return all values so far, object [n] of str and None."""
        return object_array(self._values)


def infer_kind(
    cells: TextCells, name: str, decimal: str, place: Callable[[int], str]
) -> tuple[Kind, str | None]:
    """Return the kind of a column that holds words, and a warning or None.

    Parameters
    ----------
    cells
        The column.
    name
        Its name.
    decimal
        The decimal sign.
    place
        Returns file and line of a row, for messages.

    Raises
    ------
    DataError
        The column was meant to hold numbers; names the first cell that is none.
    """
    values = cells.distinct()[:_JUDGED]
    if _pair(values):
        return "boolean", None
    problems = {value: number_problem(value, decimal) for value in values}
    numbers = [value for value in values if parse_number(value, decimal) is not None]
    spoiled = [value for value in values if problems[value] is not None]
    plain = set(values) - set(numbers) - set(spoiled)
    words = [value for value in values if value in plain]
    column = cells.values()

    def refuse(value: str, problem: str) -> DataError:
        return cell_error(place(int(np.argmax(column == value))), name, value, problem)

    if spoiled and 2 * (len(spoiled) + len(numbers)) >= len(values):
        raise refuse(spoiled[0], str(problems[spoiled[0]]))
    if not numbers:
        return "category", None
    odd = (spoiled + words)[0]
    whole = all(float(value.replace(",", ".")).is_integer() for value in numbers)
    few = whole and len(numbers) <= _FEW_CODES and len(column) >= _REPEATS * len(values)
    if not few and len(numbers) >= len(values) - len(numbers):
        raise refuse(odd, f"is not a number, as most of the column is; {_MIXED_ADVICE}")
    return "category", f"{in_column(name)} mixes numbers with words such as {odd!r}: read as a category"


def as_booleans(values: NDArray) -> tuple[NDArray, int | None]:
    """Return 0, 1, NaN as float64 [n] for words such as no and yes, and the place of the first other."""
    meaning: dict[str | None, float] = {None: math.nan}
    for no, yes in BOOLEANS:
        meaning |= {no: 0.0, yes: 1.0}
    numbers = np.empty(len(values))
    for index, value in enumerate(values.tolist()):
        key = value.lower() if value is not None else None
        if key not in meaning:
            return numbers, index
        numbers[index] = meaning[key]
    return numbers, None


def _pair(values: Sequence[str]) -> bool:
    words = {value.lower() for value in values}
    return bool(words) and any(words <= set(pair) for pair in BOOLEANS)


def _floats(cells: Sequence[str], decimal: str) -> NDArray | None:
    """Return float64 [n] if every cell is a plain number or `nan`; None where a closer look is needed.

    `float` also takes underscores, letters for infinity and digits of other scripts, which are no numbers
    here.
    """
    joined = "".join(cells)
    if not joined.isascii() or "_" in joined:
        return None
    if decimal == ",":
        if "." in joined:
            return None
        cells = "\0".join(cells).replace(",", ".").split("\0")
    try:
        values = np.array(list(map(float, cells)), dtype=np.float64)
    except ValueError:
        return None
    return None if np.isinf(values).any() else values


def _slow_floats(cells: Sequence[str], decimal: str) -> tuple[NDArray, int | None]:
    """Return the values and the place of the first cell that is neither number nor missing."""
    values = np.empty(len(cells))
    for index, cell in enumerate(cells):
        text = cell.strip()
        number = math.nan if text in MISSING_NUMBER else parse_number(text, decimal)
        if number is None:
            return values, index
        values[index] = number
    return values, None


def object_array(values: Sequence[object]) -> NDArray:
    """Return values of any kind as a one-dimensional array."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
