"""How a text file is laid out: its delimiter, decimal sign and header, found in its first lines or given.

The rules, each of which an option overrides:

* *Delimiter*: of comma, semicolon, tab and bar the one that parts all rows into equally many cells; of
  several the one whose cells hold least of the others. A first line `sep=;`, as Excel writes it, counts.
* *Decimal sign*: a comma where cells such as 1,5 occur and none such as 1.5. Where all of them have three
  digits behind the comma they may be thousands, and a column of such cells is refused.
* *Header*: the first row is one if it holds a required name, or a word above nothing but numbers, or a word
  that does not come again in its column while no other word of the row does. A row of numbers alone is
  taken for a header only if it counts in even steps above numbers with decimals (0, 1, 2 as pandas writes
  them, or wavelengths).
"""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, NamedTuple

from mpnn.data.cells import MISSING_NUMBER, number_problem, parse_number, plain_name, shorten
from mpnn.data.errors import DataError
from mpnn.data.text_sources import TextSource

__all__ = ["Layout", "Record", "find_layout", "is_blank", "read_blocks", "read_records"]

DELIMITERS = ("\t", ";", "|", ",")
_NAMES = {"\t": "tab", " ": "space", ";": "semicolon", "|": "bar", ",": "comma"}
_SPELLINGS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
_SAMPLE_ROWS = 1000
_HEADER_WITHIN = 20  # rows, of which those above the header are a title and remarks
MAX_COLUMNS = 100_000
_THREE_DIGITS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")


class Record(NamedTuple):
    """One row of a file: the line it begins on, counted from 1, and its cells."""

    line: int
    cells: list[str]


class Layout(NamedTuple):
    """How a text file is laid out.

    Parameters
    ----------
    delimiter, decimal
        One character each.
    header
        Whether the first row holds the names of the columns.
    given
        Whether `header` was given, not found.
    skip
        Lines before the first row: 1 where the first is `sep=;`.
    first
        The first row.
    note
        A sentence where the header is in doubt, else empty.
    """

    delimiter: str
    decimal: str
    header: bool
    given: bool
    skip: int
    first: Record
    note: str = ""


def find_layout(
    source: TextSource,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    required: Collection[str] = (),
) -> Layout:
    """Find the layout of a text file in its first 1,000 rows; see the module for the rules.

    Parameters
    ----------
    delimiter, decimal, header
        What is given; None: found.
    required
        Names of columns the caller knows; a first row that holds one of them is a header.
    """
    _require_options(delimiter, decimal, header)
    lines, whole = source.sample()
    skip = 0
    if mark := re.fullmatch(r"sep=(.)\s*", lines[0] if lines else "", re.IGNORECASE):
        skip, delimiter = 1, delimiter or mark[1]
    lines = lines[skip:]
    if delimiter is None:
        delimiter = _find_delimiter(source.name, lines, whole)
    else:
        delimiter = _SPELLINGS.get(delimiter, delimiter)
        _require_some(source.name, lines, delimiter)
    first = _first_record(source, delimiter, skip)
    if header is not False:
        _refuse_remarks(source, delimiter, skip, decimal or ".", required)
    rows = _sample_rows(lines, delimiter, whole) or [first.cells]
    decimal = decimal or _find_decimal(rows)
    note = ""
    given = header is not None
    if header is None:
        header, note = _find_header(rows, decimal, required)
    return Layout(delimiter, decimal, header, given, skip, first, note)


def _require_some(name: str, lines: Sequence[str], delimiter: str) -> None:
    """Raise where a delimiter that was given occurs nowhere, but another does."""
    others = [other for other in DELIMITERS if other != delimiter]
    if lines and not any(delimiter in line for line in lines) and any(other in lines[0] for other in others):
        raise DataError(f"{name}: the delimiter {delimiter!r} is in no line; leave the option out to find it")


def _first_record(source: TextSource, delimiter: str, skip: int) -> Record:
    first = next(read_records(source, delimiter, skip), None)
    if first is None:
        raise DataError(f"{source.name} holds blank lines only")
    if len(first.cells) > MAX_COLUMNS:
        raise DataError(
            f"{source.name}, line {first.line}: {len(first.cells)} cells, more than {MAX_COLUMNS} columns; "
            "is a line end missing?"
        )
    return first


def _refuse_remarks(
    source: TextSource, delimiter: str, skip: int, decimal: str, required: Collection[str]
) -> None:
    """Refuse what stands above the header, such as a title or a remark.

    The header is the first row of words that holds a required name; else the first row of several cells
    below a row of one, or below one that begins with a number sign.
    """
    first, *below = islice(read_records(source, delimiter, skip), _HEADER_WITHIN)
    if _holds_wanted(first.cells, required):
        return
    header = next((row for row in below if _names_columns(row.cells, decimal, required)), None)
    if header is None and (len(first.cells) == 1 or first.cells[0].startswith("#")):
        header = next((row for row in below if len(row.cells) > max(len(first.cells), 1)), None)
    if header is not None:
        remark = shorten(delimiter.join(first.cells).strip())
        raise DataError(
            f"{source.name}, line {first.line}: {remark} stands above the header, which seems to be line "
            f"{header.line}; delete what is above it"
        )


def _names_columns(cells: Sequence[str], decimal: str, required: Collection[str]) -> bool:
    words = [cell.strip() for cell in cells]
    return _holds_wanted(words, required) and not any(
        parse_number(word, decimal) is not None for word in words
    )


def read_records(source: TextSource, delimiter: str, skip: int = 0) -> Iterator[Record]:
    """Yield the rows of a file, blank lines left out, with the line on which each begins.

    Raises
    ------
    DataError
        A quoted cell is never closed or goes on behind its closing quote, or a cell is longer than the
        limit of the `csv` module (131,072 characters unless `csv.field_size_limit` changed it).
    """
    reader = _reader(source, delimiter, skip)
    line = skip + 1
    try:
        for cells in reader:
            if not is_blank(cells):
                yield Record(line, cells)
            line = skip + reader.line_num + 1
    except csv.Error as error:
        raise _unreadable_row(source.name, line, str(error), delimiter) from error


def read_blocks(
    source: TextSource, delimiter: str, skip: int, size: int
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Yield lines and cells of up to `size` rows at a time, blank lines included; else as `read_records`."""
    reader = _reader(source, delimiter, skip)
    line = skip + 1
    while True:
        try:
            rows = list(islice(reader, size))
        except csv.Error:
            for _ in read_records(source, delimiter, skip):  # finds the line, and raises
                pass
            raise DataError(f"{source.name} changed while it was read; read it again") from None
        if not rows:
            return
        following = skip + reader.line_num + 1
        if following - line == len(rows):
            lines = list(range(line, following))
        else:
            heights = [1 + sum(map(_line_ends, cells)) for cells in rows]
            lines = list(accumulate(heights[:-1], initial=line))
        yield lines, rows
        line = following


def is_blank(cells: Sequence[str]) -> bool:
    """Tell whether a row is that of a blank line."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _line_ends(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")


def _reader(source: TextSource, delimiter: str, skip: int) -> Any:
    lines = islice(source.lines(), skip, None)
    text = _stripped(lines) if delimiter == " " else lines
    return csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)


def _unreadable_row(name: str, line: int, problem: str, delimiter: str) -> DataError:
    if "field limit" in problem:
        what = f"a cell is longer than {csv.field_size_limit()} characters; is a quote left open?"
    elif "end of data" in problem:
        what = "a quoted cell that begins here is never closed; add the missing quote"
    elif "expected after" in problem:
        what = (
            f"a quoted cell goes on behind its closing quote, where a {name_of(delimiter)} was expected; "
            "double the quotes inside a quoted cell"
        )
    else:
        what = "the row cannot be parted into cells; look for stray quotes and line ends"
    return DataError(f"{name}, line {line}: {what}")


def name_of(delimiter: str) -> str:
    """Return a delimiter's name in a message."""
    return _NAMES.get(delimiter, shorten(delimiter))


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    """Spaces that end a line delimit nothing."""
    return (line.rstrip() + "\n" for line in lines)


def _require_options(delimiter: str | None, decimal: str | None, header: bool | None) -> None:
    if delimiter is not None and not (
        isinstance(delimiter, str)
        and (delimiter in _SPELLINGS or (len(delimiter) == 1 and delimiter not in '"\n\r\0'))
    ):
        raise DataError(
            f"delimiter must be one character or one of {', '.join(_SPELLINGS)}, got {delimiter!r}"
        )
    if decimal not in (None, ".", ","):
        raise DataError(f"decimal must be '.' or ',', got {decimal!r}")
    if header not in (None, True, False) or isinstance(header, int) != isinstance(header, bool):
        raise DataError(f"header must be True, False or None (find out), got {header!r}")


def _sample_rows(lines: Sequence[str], delimiter: str, whole: bool) -> list[list[str]]:
    """Return the sample's rows as far as they can be read; the last may be cut and is left out."""
    rows: list[list[str]] = []
    text = _stripped(lines) if delimiter == " " else lines
    try:
        for cells in csv.reader(text, delimiter=delimiter, skipinitialspace=True):
            if not is_blank(cells):
                rows.append([cell.strip() for cell in cells])
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows if whole or len(rows) < 2 else rows[:-1]


def _find_delimiter(name: str, lines: Sequence[str], whole: bool) -> str:
    """Return the delimiter that parts the rows evenly, a comma for a file of one column."""
    scores = {}
    for delimiter in DELIMITERS:
        rows = _sample_rows(lines, delimiter, whole)
        widths = [len(cells) for cells in rows]
        usual = max(set(widths), key=widths.count, default=1)
        if usual > 1:
            cells = [cell for row in rows[:100] for cell in row[:1000]]
            clean = sum(_is_clean(cell, delimiter) for cell in cells) / len(cells)
            scores[delimiter] = (widths.count(usual) / len(widths) == 1, clean, widths.count(usual), usual)
    if scores:
        return max(scores, key=lambda delimiter: scores[delimiter])
    rows = _sample_rows(lines, ",", whole)
    if rows and all(len(row) == 1 and _is_spaced(row[0]) for row in rows[1:] or rows):
        raise DataError(f"{name}: the cells are parted by spaces; give delimiter ' '")
    return ","


def _is_spaced(cell: str) -> bool:
    parts = cell.split()
    return len(parts) > 1 and any(parse_number(part) is not None for part in parts)


def _is_clean(cell: str, delimiter: str) -> bool:
    return (
        parse_number(cell) is not None
        or parse_number(cell, ",") is not None
        or not any(other in cell for other in DELIMITERS if other != delimiter)
    )


def _find_decimal(rows: Sequence[Sequence[str]]) -> str:
    """Return the decimal sign of a file: a point, where 1,234 may be either number."""
    commas = [cell for row in rows for cell in row if _DECIMAL_COMMA.fullmatch(cell)]
    if all(_THREE_DIGITS.fullmatch(cell) for cell in commas):
        return "."
    return "." if any(_DECIMAL_POINT.fullmatch(cell) for row in rows for cell in row) else ","


def _find_header(rows: Sequence[Sequence[str]], decimal: str, required: Collection[str]) -> tuple[bool, str]:
    """Return whether the first row is a header, and a sentence where that is in doubt."""
    first, others = rows[0], rows[1:]
    if _holds_wanted(first, required):
        return True, ""
    words = [place for place, cell in enumerate(first) if not _is_value(cell, decimal)]
    if not words:
        return _counts_evenly(first, others, decimal)
    below = {place: [row[place] for row in others if place < len(row)] for place in words}
    for cells in below.values():
        filled = [cell for cell in cells if cell not in MISSING_NUMBER]
        if filled and all(_is_value(cell, decimal) for cell in filled):
            return True, ""
    words = [place for place in words if number_problem(first[place], decimal) is None]
    return bool(words) and not any(first[place] in below[place] for place in words), ""


def _holds_wanted(first: Sequence[str], required: Collection[str]) -> bool:
    """Tell whether a row holds a name that is required; names that are numbers count only all together."""
    words = {name for name in required if parse_number(name) is None and name not in MISSING_NUMBER}
    found = {plain_name(cell) for cell in first}
    return not words.isdisjoint(found) or (len(set(required)) > 1 and set(required) <= found)


def _is_value(cell: str, decimal: str) -> bool:
    return cell in MISSING_NUMBER or parse_number(cell, decimal) is not None


def _counts_evenly(first: Sequence[str], others: Sequence[Sequence[str]], decimal: str) -> tuple[bool, str]:
    """Tell a header of numbers, such as 0, 1, 2: whole numbers in even steps above numbers with decimals."""
    if len(first) < 3 or not others or not all(re.fullmatch(r"\d{1,9}", cell) for cell in first):
        return False, ""
    numbers = [int(cell) for cell in first]
    steps = {after - before for before, after in zip(numbers[:-1], numbers[1:], strict=True)}
    if len(steps) != 1 or min(steps) < 1:
        return False, ""
    fractions = sum(
        any(decimal in row[place] for row in others if place < len(row)) for place in range(len(first))
    )
    if 2 * fractions > len(first):
        return True, ""
    shown = ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
    return False, f"the first row ({shown}) was taken for data; if it holds names, say so (option header)"
