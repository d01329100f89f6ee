"""Rows of a text file as the columns of a table, a block at a time."""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data.cells import cell_error, counted, number_problem, shorten
from mpnn.data.column_kinds import Kind, NumberCells, TextCells, as_booleans, infer_kind
from mpnn.data.column_names import Roles, Wishes, assign_roles, column_names
from mpnn.data.columns import Column, Table, TableFormat, place_of
from mpnn.data.errors import DataError
from mpnn.data.table_labels import check_labels, label_warnings
from mpnn.data.table_warnings import feature_warnings
from mpnn.data.text_layout import Layout, Record, is_blank, name_of, read_blocks
from mpnn.data.text_sources import TextSource

__all__ = ["read_text"]

# Small blocks stay in the cache and give the garbage collector little to walk through.
_BLOCK_CELLS = 1 << 13
_WIDE_ROWS = 256
_MOST_CELLS = 1 << 18


def _block_rows(width: int) -> int:
    """Return how many rows to read at a time; a wide table needs some for its columns to be worth a call."""
    return max(min(max(_BLOCK_CELLS // width, _WIDE_ROWS), _MOST_CELLS // width), 1)


class _Block(NamedTuple):
    """Some rows of a text file: their lines and, a column each, their cells."""

    lines: list[int]
    columns: list[tuple[str, ...]]


def read_text(source: TextSource, layout: Layout, wishes: Wishes, max_classes: int) -> Table:
    """Read a text file whose layout is known; see `mpnn.data.read_table`."""
    names = column_names(source.name, layout.first.cells, layout.header)
    roles = assign_roles(source.name, names, wishes, header=layout.header, given=layout.given)
    reading = _TextReading(source, layout, names, roles)
    reading.first_pass()
    reading.second_pass()
    lines = np.frombuffer(reading.lines, dtype=np.int64)
    warnings = [f"{source.name}: {layout.note}"] if layout.note else []
    columns = []
    for place, name, kind in zip(roles.features, roles.names, roles.kinds, strict=True):
        column, warning = reading.column(place, name, kind, lines)
        columns.append(column)
        warnings += [warning] if warning else []
    labels, ids = (
        None if place is None else reading.texts[place].values() for place in (roles.label, roles.id)
    )
    name_of_label = None if roles.label is None else names[roles.label]
    at = place_of(source.name, "text")
    if labels is not None:
        check_labels(labels, str(name_of_label), max_classes, lambda row: at(int(lines[row])), layout.decimal)
        warnings += label_warnings(labels, str(name_of_label), lambda row: f"line {lines[row]}")
    return Table(
        source.name,
        tuple(columns),
        labels,
        name_of_label,
        ids,
        None if roles.id is None else names[roles.id],
        TableFormat("text", layout.delimiter, layout.decimal, source.encoding, layout.header, layout.given),
        (*warnings, *(feature_warnings(columns) if wishes.kinds is None else ())),
        lines,
    )


class _TextReading:
    """Collects the columns of a text file in one pass, and a second where numbers turned out to be words.

    Parameters
    ----------
    source, layout
        The file.
    names
        Of all its columns.
    roles
        What each is for; those without a role are not looked at.
    """

    def __init__(self, source: TextSource, layout: Layout, names: Sequence[str], roles: Roles) -> None:
        self._source, self._layout, self._names = source, layout, names
        self._kinds = dict(zip(roles.features, roles.kinds, strict=True))
        words = [place for place, kind in self._kinds.items() if kind in ("category", "boolean")]
        words += [] if roles.label is None else [roles.label]
        self.texts = {place: TextCells() for place in words}
        if roles.id is not None:
            self.texts[roles.id] = TextCells(missing=())
        self._numbers = {
            place: NumberCells(layout.decimal) for place in self._kinds if place not in self.texts
        }
        self._later: set[int] = set()
        self.lines = array("q")

    def first_pass(self) -> None:
        """Read every column that has a role."""
        for block in self._blocks():
            for place, texts in self.texts.items():
                texts.add(block.columns[place])
            for place in list(self._numbers):
                odd = self._numbers[place].add(block.columns[place])
                if odd is not None:
                    self._give_up_numbers(place, block, odd)
            self.lines.extend(block.lines)
        if not self.lines:
            raise DataError(f"{self._source.name} has a header but no rows")

    def second_pass(self) -> None:
        """Read again, as words, the columns of a few whole numbers in which a word came late."""
        if not self._later:
            return
        for place in self._later:
            self.texts[place] = TextCells()
        count = 0
        for block in self._blocks():
            for place in self._later:
                self.texts[place].add(block.columns[place])
            count += len(block.lines)
        if count != len(self.lines):
            raise DataError(f"{self._source.name} changed while it was read; read it again")

    def column(self, place: int, name: str, kind: Kind | None, lines: NDArray) -> tuple[Column, str | None]:
        """Return a feature with its kind, and a warning or None."""
        if place in self._numbers:
            return Column(name, "number", self._numbers.pop(place).values()), None
        texts = self.texts.pop(place)

        def at(row: int) -> str:
            return f"{self._source.name}, line {lines[row]}"

        warning = None
        if kind is None:
            kind, warning = infer_kind(texts, name, self._layout.decimal, at)
        values = texts.values()
        if kind == "category":
            return Column(name, kind, values), warning
        numbers, odd = as_booleans(values)
        if odd is not None:
            problem = "is not one of the words for true and false that this column has"
            raise cell_error(at(odd), name, values[odd], problem)
        return Column(name, "boolean", numbers), warning

    def _give_up_numbers(self, place: int, block: _Block, odd: int) -> None:
        """Turn a column with a word into words, or refuse the cell where numbers were meant."""
        numbers = self._numbers.pop(place)
        if self._kinds[place] is None and not self.lines:
            self.texts[place] = TextCells()
            self.texts[place].add(block.columns[place])
        elif self._kinds[place] is None and numbers.has_few_codes():
            self._later.add(place)
        else:
            cell = block.columns[place][odd].strip()
            problem = number_problem(cell, self._layout.decimal) or (
                "is not a number, as the column must be; correct it or leave it empty if it is missing"
            )
            raise cell_error(
                f"{self._source.name}, line {block.lines[odd]}", self._names[place], cell, problem
            )

    def _blocks(self) -> Iterator[_Block]:
        layout, width = self._layout, len(self._layout.first.cells)
        size = _block_rows(width)
        header_left = layout.header
        for lines, rows in read_blocks(self._source, layout.delimiter, layout.skip, size):
            if header_left or width == 1 or set(map(len, rows)) != {width}:
                full = [place for place, cells in enumerate(rows) if not is_blank(cells)]
                full, header_left = full[header_left:], header_left and not full
                lines, rows = [lines[place] for place in full], [rows[place] for place in full]
                for line, cells in zip(lines, rows, strict=True):
                    if len(cells) != width:
                        raise self._ragged(Record(line, cells), width)
            if rows:
                yield _Block(lines, list(zip(*rows, strict=True)))

    def _ragged(self, record: Record, width: int) -> DataError:
        found, whose = len(record.cells), "header" if self._layout.header else "first row"
        delimiter = name_of(self._layout.delimiter)
        if record.cells[0].startswith("#"):
            advice = "delete the row if it is a remark"
        elif found == width + 1 and not record.cells[-1].strip():
            advice = f"delete the {delimiter} that ends the row"
        else:
            advice = f"quote cells that contain a {delimiter}" if found > width else "add the missing cells"
        return DataError(
            f"{self._source.name}, line {record.line}: {counted(found, 'cell')} (parted by {delimiter}s), "
            f"the last being {shorten(record.cells[-1])}, where the {whose} has {width}; {advice}"
        )
