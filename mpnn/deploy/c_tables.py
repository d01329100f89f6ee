"""Rows of a table as C99: thresholds and categories of the encoder, compared in the type of the row.

A row is an array of one type: ``int32_t`` where all its numbers are whole, else ``float`` or ``double``.
Thresholds become the least numbers of that type that reach them, so that every comparison is the encoder's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.deploy.c_text import c_array, c_comment
from mpnn.integer_networks.inputs import Column, Thermometer

__all__ = ["ROW_TYPES", "describe_table", "require_names", "row_type_of", "table_rows", "table_source"]

ROW_TYPES = {"int32_t": np.int32, "float": np.float32, "double": np.float64}
MISSING_WHOLE = np.iinfo(np.int32).min
LARGEST_WHOLE = np.iinfo(np.int32).max
# What a text is that is none of the categories, whose numbers are their places.
NO_CATEGORY = -1


def row_type_of(encoder: Thermometer, rows: ArrayLike | None) -> str:
    """Type of the rows: what examples are, else ``double``.

    Parameters
    ----------
    encoder : Thermometer
        Of the table.
    rows : array-like [n, T] or None
        Examples.
    """
    if rows is None or not len(np.asarray(rows)):
        return "double"
    numbers = _numbers(encoder, np.asarray(rows))
    known = numbers[~np.isnan(numbers)]
    if np.array_equal(known, np.rint(known)) and np.abs(known).max(initial=0) <= LARGEST_WHOLE:
        return "int32_t"
    return "float" if np.asarray(rows).dtype == np.float32 else "double"


def table_rows(encoder: Thermometer, X: ArrayLike, row_type: str) -> NDArray:
    """Rows ``[n, T]`` as the C source takes them.

    Parameters
    ----------
    encoder : Thermometer
        Of the table.
    X : array-like [n, T]
        Numbers and texts.
    row_type : str
        In :data:`ROW_TYPES`.
    """
    numbers = _numbers(encoder, np.asarray(X))
    if row_type != "int32_t":
        return numbers.astype(ROW_TYPES[row_type])
    return np.where(np.isnan(numbers), MISSING_WHOLE, numbers).astype(np.int32)


def _numbers(encoder: Thermometer, table: NDArray) -> NDArray[np.float64]:
    columns = [_column_numbers(column, table[:, place]) for place, column in enumerate(encoder.columns)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _column_numbers(column: Column, values: NDArray) -> NDArray[np.float64]:
    """Values as numbers, NaN for missing ones; categories that are texts by their places."""
    categories = list(column.categories)
    if any(isinstance(category, str) for category in categories):
        places = {category: float(place) for place, category in enumerate(categories)}
        return np.array([np.nan if _is_missing(v) else places.get(v, NO_CATEGORY) for v in values.tolist()])
    # in a column of numbers, a text is a number that is no category
    other = max(map(float, categories), default=0.0) + 1.0
    return np.array(
        [np.nan if _is_missing(v) else other if isinstance(v, str) else float(v) for v in values.tolist()]
    )


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _cuts(column: Column, row_type: str) -> list[float] | list[int]:
    """Thresholds, or categories by number, in the type of the row."""
    if column.kind == "categories":
        texts = any(isinstance(category, str) for category in column.categories)
        values = range(len(column.categories)) if texts else column.categories
        numbers = np.array(values, float)
        fits = np.abs(numbers) <= (LARGEST_WHOLE if row_type == "int32_t" else np.inf)
        typed = np.where(fits, numbers, 0.0).astype(ROW_TYPES[row_type])
        # what the type does not hold equals no number of it
        never = MISSING_WHOLE if row_type == "int32_t" else np.nan
        return np.where(typed == numbers, typed, never).tolist()
    cuts = np.asarray(column.thresholds, np.float64)
    if row_type == "int32_t":
        return [int(cut) for cut in np.clip(np.ceil(cuts), MISSING_WHOLE + 1, LARGEST_WHOLE)]
    if row_type == "double":
        return cuts.tolist()
    near = cuts.astype(np.float32)
    return np.where(near < cuts, np.nextafter(near, np.float32(np.inf)), near).astype(np.float64).tolist()


def _describe(column: Column) -> str:
    if not column.num_bits:
        return "not used"
    if column.kind == "thermometer":
        return "a number"
    if not any(isinstance(category, str) for category in column.categories):
        return "a number that stands for a category"
    names = ", ".join(f"{number} = {name!a}" for number, name in enumerate(column.categories))
    return f"{names}, {NO_CATEGORY} = another"


def require_names(names: Sequence[str], count: int) -> list[str]:
    """Return the names of the columns as texts; refuse another number of them."""
    if len(names) != count:
        raise ValueError(f"column_names must have {count} names, one a column, got {len(names)}")
    return [str(name) for name in names]


def describe_table(encoder: Thermometer, row_type: str, column_names: Sequence[str] | None = None) -> str:
    """Comments for the header: what a row holds, with names of the columns where there are any."""
    missing = "INT32_MIN" if row_type == "int32_t" else "NaN"
    lines = [
        c_comment(f"A row: {len(encoder.columns)} numbers of type {row_type}; {missing} is a missing one.")
    ]
    columns = encoder.columns
    names = None if column_names is None else require_names(column_names, len(columns))
    for place, column in enumerate(columns):
        title = str(place) if names is None else f"{place}, {names[place]}"
        lines.append(c_comment(f"  {title}: {_describe(column)}"))
    return "\n".join(lines)


def table_source(encoder: Thermometer, name: str, row_type: str) -> str:
    """The function ``<name>_encode`` and its tables: bits -1, 0 and 1 of a row.

    Parameters
    ----------
    encoder : Thermometer
        Of the table.
    name : str
        Prefix of the names.
    row_type : str
        In :data:`ROW_TYPES`.
    """
    cuts = [cut for column in encoder.columns for cut in _cuts(column, row_type)]
    ends = np.cumsum([column.num_bits for column in encoder.columns])
    kinds = np.array(
        [2 * (column.kind == "categories") + (column.off == -1) for column in encoder.columns], np.int64
    )
    missing = "value == INT32_MIN" if row_type == "int32_t" else "value != value"
    data = c_array(f"{name}_cuts", np.array(cuts), row_type)
    return f"""{data}{c_array(f"{name}_ends", ends)}/* 2: categories; 1: a bit that is off is -1, else 0 */
{c_array(f"{name}_kinds_of_columns", kinds, "uint8_t")}
static void {name}_encode(const {row_type} *row, int8_t *bits)
{{
    uint32_t column, bit = 0u;
    for (column = 0u; column < {len(encoder.columns)}u; ++column) {{
        const {row_type} value = row[column];
        const uint32_t end = (uint32_t){name}_ends[column];
        const uint32_t kind = (uint32_t){name}_kinds_of_columns[column];
        const int missing = {missing};
        for (; bit < end; ++bit) {{
            const {row_type} cut = {name}_cuts[bit];
            const int on = (kind & 2u) != 0u ? value == cut : value >= cut;
            bits[bit] = (int8_t)(missing ? 0 : (on ? 1 : -(int)(kind & 1u)));
        }}
    }}
}}
"""
