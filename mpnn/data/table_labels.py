"""Labels of a table: kept as written, refused where they are missing, real numbers or too many."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mpnn.data.cells import cell_error, in_column, parse_number, shorten
from mpnn.data.column_kinds import object_array
from mpnn.data.errors import DataError

__all__ = ["array_labels", "check_labels", "label_warnings", "require_max_classes"]

_LONGEST_LABEL = 200
_SHOWN = 3


def require_max_classes(max_classes: int) -> None:
    """Raise DataError unless `max_classes` is a whole number of at least 2."""
    if isinstance(max_classes, bool) or not isinstance(max_classes, int | np.integer) or max_classes < 2:
        raise DataError(f"max_classes must be a whole number of at least 2, got {max_classes!r}")


def check_labels(
    labels: NDArray, name: str, max_classes: int, place: Callable[[int], str], decimal: str = "."
) -> None:
    """Raise DataError, naming file, line, column and cell, where labels cannot be those of classes.

    Parameters
    ----------
    labels
        [n], None where missing.
    name
        Name of the label column.
    max_classes
        The largest number of classes.
    place
        Returns file and line of a row.
    decimal
        The decimal sign of the file.
    """
    values = labels.tolist()
    empty = [row for row, value in enumerate(values) if value is None]
    if empty:
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise DataError(
            f"{place(empty[0])}, {in_column(name)}: the label is missing{more}; fill it in or delete the row"
        )
    classes = Counter(values)
    texts = [value for value in classes if isinstance(value, str)]
    long = next((text for text in texts if len(text) > _LONGEST_LABEL), None)
    if long is not None:
        problem = f"has {len(long)} characters, too many for a label; choose another column (option label)"
        raise cell_error(place(values.index(long)), name, long, problem)
    numbers = [_as_number(value, decimal) for value in classes]
    _refuse_real_values(values, list(classes), numbers, name, place)
    if len(classes) > max_classes:
        what = "numbers cannot be predicted, only classes" if None not in numbers else "too many to learn"
        raise DataError(
            f"{place(0)}, {in_column(name)}: {shorten(str(values[0]))} is one of {len(classes)} different "
            f"labels, more than {max_classes}: {what}; choose another column (option label), or allow "
            "so many if these are classes (option max_classes)"
        )


def _as_number(value: object, decimal: str) -> float | None:
    if isinstance(value, str):
        number = parse_number(value, decimal)
        return number if number is not None else parse_number(value, "." if decimal == "," else ",")
    return float(value)  # type: ignore[arg-type]


def _refuse_real_values(
    values: Sequence[object],
    classes: Sequence[object],
    numbers: Sequence[float | None],
    name: str,
    place: Callable[[int], str],
) -> None:
    """Raise where labels are measured quantities: all numbers, some with a fraction, and few equal ones."""
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or all(number.is_integer() for number in known):
        return
    if len(classes) > max(2, min(20, len(values) / 5)):
        odd = next(value for value, number in zip(classes, known, strict=True) if not number.is_integer())
        raise cell_error(
            place(values.index(odd)),
            name,
            str(odd),
            "is a real number, and labels must name classes; choose another column (option label) or "
            "write a class into each row",
        )


def array_labels(values: NDArray, name: str, place: Callable[[int], str]) -> NDArray:
    """Return labels of an array file: booleans and integers as they are, whole floats as int64, text as str.

    Raises
    ------
    DataError
        A label is a real number or infinite, or the type is none of these.
    """
    if values.dtype.kind in "biu":
        return values
    if values.dtype.kind in "US":
        return object_array([_text(value) or None for value in values.tolist()])
    if values.dtype == object:  # from Parquet: str and None
        return object_array(
            [(value.strip() or None) if isinstance(value, str) else value for value in values]
        )
    if values.dtype.kind != "f":
        raise DataError(
            f"{place(0)}, {in_column(name)}: labels of type {values.dtype} are not read; use whole numbers"
        )
    missing = np.isnan(values)
    whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)
    if not (whole | missing).all():
        row = int(np.argmin(whole | missing))
        problem = "is no whole number, and labels must name classes; give whole numbers or text"
        raise cell_error(place(row), name, f"{values[row]:.6g}", problem)
    if missing.any():
        return object_array(
            [None if empty else int(value) for value, empty in zip(values, missing, strict=True)]
        )
    return values.astype(np.int64)


def _text(value: str | bytes) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else value).strip()


def label_warnings(labels: NDArray, name: str, place: Callable[[int], str]) -> list[str]:
    """Return sentences about classes with one example, and about labels that are all the same."""
    values = labels.tolist()
    counts = Counter(values)
    if len(counts) == 1:
        return [f"{in_column(name)}: every label is {shorten(str(values[0]))}, so there is nothing to learn"]
    single = [value for value, count in counts.items() if count == 1]
    if not single:
        return []
    shown = ", ".join(f"{shorten(str(value))} ({place(values.index(value))})" for value in single[:_SHOWN])
    if len(single) == 1:
        return [f"{in_column(name)}: class {shown} has one example only"]
    more = f" and {len(single) - _SHOWN} more" if len(single) > _SHOWN else ""
    return [f"{in_column(name)}: {len(single)} classes have one example only: {shown}{more}"]
