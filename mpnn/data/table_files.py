"""One reader for tables: CSV and its kin, Parquet, npz and npy files, and the standard input.

Text is read by the standard library's `csv` rather than by pandas, for three reasons: a refusal can name
the line, the column and the cell as written; labels and categories stay the text they are (`007`), where a
data frame's type inference has to be switched off column by column; and no dependency is added. Numbers go
into float64 blocks as they are read, so memory is that of the result, not of the text.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mpnn.data.array_tables import read_arrays
from mpnn.data.column_kinds import Kind
from mpnn.data.column_names import Wishes
from mpnn.data.columns import Table
from mpnn.data.errors import DataError
from mpnn.data.table_labels import require_max_classes
from mpnn.data.text_layout import find_layout
from mpnn.data.text_sources import open_text, unreadable
from mpnn.data.text_tables import read_text
from mpnn.validation import path as path_of
from mpnn.validation import whole

__all__ = ["TEXT_SUFFIXES", "is_table_file", "read_table", "several"]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".csv.gz", ".tsv.gz", ".txt.gz")
ARRAY_SUFFIXES = (".parquet", ".npz", ".npy")


def is_table_file(source: str | os.PathLike[str]) -> bool:
    """Tell whether `read_table` reads a source by its name: a file of a known kind, or "-".

    Parameters
    ----------
    source : str or path
        Name of the source.
    """
    name = str(path_of("source", source)).lower()
    return name == "-" or name.endswith((*TEXT_SUFFIXES, *ARRAY_SUFFIXES))


def read_table(
    source: str | os.PathLike[str],
    *,
    label: str | int | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    drop: Sequence[str | int] = (),
    id: str | int | None = None,
    categorical: Sequence[str | int] = (),
    max_classes: int = 100,
    kinds: Mapping[str, Kind] | None = None,
    part: str = "train",
    known_id: str | None = None,
    known_width: int | None = None,
) -> Table:
    """Read a table from a file.

    Parameters
    ----------
    source : str or path
        A file whose name ends in .csv, .tsv, .txt or .data (.gz may follow), .parquet, .npz or .npy; or "-",
        the standard input, which holds CSV.
    label : str, int or None, default=None
        The label column: its name, or its number from 0 (negative: from the end). A text is a name first.
        None: no labels, except those that an npz file keeps beside x.
    delimiter : str or None, default=None
        What parts the cells of a text file: one character, or tab, space, comma, semicolon, bar. None: found.
    decimal : str or None, default=None
        The decimal sign, "." or ",". None: found.
    encoding : str or None, default=None
        As Python names it. None: UTF-8, or what a byte-order mark says.
    header : bool or None, default=None
        Whether the first row holds names. None: found; see `mpnn.data.text_layout`.
    drop : sequence of str or int, default=()
        Columns to leave out, each by name or number.
    id : str, int or None, default=None
        The column of identifiers, which is no feature.
    categorical : sequence of str or int, default=()
        Columns of numbers that name categories.
    max_classes : int >= 2, default=100
        The largest number of different labels.
    kinds : mapping of str to str, or None, default=None
        Kind by name of the features required, as `Table.kinds` gives it: the file is then read as the
        training file was. The order in the file does not matter, other columns are not looked at, and a
        missing one is refused.
    part : str, default="train"
        "train" or "test": which arrays of an npz file.
    known_id : str or None, default=None
        Name of the column of identifiers in the training file: taken as `id` where none is told and the file
        has it.
    known_width : int or None, default=None
        Of a training file without names: its columns up to the last that is needed. A file of as many or more
        has them at the same places, one of fewer has the features alone.

    Raises
    ------
    DataError
        With one sentence that names file, line, column and cell, and says what to do.
    """
    require_max_classes(max_classes)
    dropped, categories = several(drop, "drop"), several(categorical, "categorical")
    wishes = Wishes(label, dropped, id, categories, kinds, known_id, known_width)
    if not isinstance(source, str | os.PathLike) or not isinstance(os.fspath(source), str):
        raise DataError(f"source must be the path of a file or '-', got {type(source).__name__}")
    name = os.fspath(source)
    if "\0" in name:
        raise DataError(f"source must be the path of a file, which holds no zero byte, got {name!r}")
    if part not in ("train", "test"):
        raise DataError(f"part must be 'train' or 'test', got {part!r}")
    if known_width is not None:
        whole("known_width", known_width)
    if not is_table_file(name):
        raise DataError(_unknown_kind(name))
    path = Path(name)
    if path.suffix.lower() in ARRAY_SUFFIXES:
        given = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header}
        for option, value in given.items():
            if value is not None:
                raise DataError(f"{option} is for text files; {name} is none")
        _require_file(path)
        return read_arrays(path, wishes, part, max_classes)
    text = open_text(None if name == "-" else path, encoding)
    if delimiter is None and ".tsv" in path.suffixes[-2:]:
        delimiter = "\t"
    with text.opened:
        layout = find_layout(
            text, delimiter=delimiter, decimal=decimal, header=header, required=wishes.mentioned()
        )
        return read_text(text, layout, wishes, max_classes)


def several(keys: Sequence[str | int] | str | int, option: str) -> tuple[str | int, ...]:
    """Names or numbers of columns as a tuple; one alone stands for itself.

    Parameters
    ----------
    keys : sequence of str or int
        As given.
    option : str
        Which option, for the error.
    """
    if isinstance(keys, str | int):
        return (keys,)
    if isinstance(keys, Iterator):
        keys = tuple(keys)
    if (
        isinstance(keys, bytes)
        or not isinstance(keys, Iterable)
        or not all(isinstance(key, str | int) for key in keys)
    ):
        raise DataError(f"{option} must list names or numbers of columns, got {keys!r}")
    return tuple(keys)


def _unknown_kind(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if suffix in (".xlsx", ".xls", ".ods", ".xlsm"):
        return f"{name} is a workbook; save its sheet as CSV"
    if suffix in (".pkl", ".pickle", ".joblib"):
        return f"{name} may hold anything, even programs, so it is not opened; save the table as CSV"
    known = ", ".join((*TEXT_SUFFIXES, *ARRAY_SUFFIXES))
    return f"{name} is no table file; its name must end in one of {known}"


def _require_file(path: Path) -> None:
    try:
        if not path.is_file():
            path.open("rb").close()
    except OSError as error:
        raise unreadable(str(path), error) from error
