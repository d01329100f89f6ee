"""Text files as lines: opened, unpacked and decoded, with bounded memory and errors that name a line."""

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mpnn.data.cells import shorten
from mpnn.data.errors import DataError

__all__ = ["MAX_LINE", "TextSource", "open_text"]

SAMPLE_BYTES = 1 << 18
_BLOCK = 1 << 17
MAX_LINE = 1 << 23  # characters; a row of 100,000 numbers has fewer

_ZERO_BYTE = "a zero byte, so this is no text file, or a damaged one; export the table as CSV"
_UNREADABLE = (OSError, EOFError, zlib.error)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FORMATS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the table as CSV"),
    (b"PAR1", "a Parquet file; give it a name that ends in .parquet"),
    (b"\x93NUMPY", "a NumPy array; give it a name that ends in .npy"),
    (b"\x89HDF", "an HDF5 file; save the table as CSV or Parquet"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"%PDF", "a PDF document; save the table as CSV"),
    (b"\x89PNG", "a picture; give a table"),
    (b"\xff\xd8\xff", "a picture; give a table"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"\xfd7zXZ", "an xz file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it first"),
    (b"ARROW1", "an Arrow file; save the table as CSV or Parquet"),
    (b"<?xml", "XML; save the table as CSV"),
    (b"<!doctype", "a web page; save the table itself as CSV"),
    (b"<html", "a web page; save the table itself as CSV"),
    (b"@relation", "an ARFF or KEEL file; delete its lines that begin with @ and give it as .csv"),
    (b'{"', "JSON; save the table as CSV"),
    (b'[{"', "JSON; save the table as CSV"),
    (b"[[", "JSON; save the table as CSV"),
)


class TextSource(NamedTuple):
    """A text file that can be read from its beginning more than once.

    Parameters
    ----------
    name
        How messages name the file.
    open_bytes
        Opens its unpacked bytes.
    encoding
        As Python names it.
    opened
        Closes, when left, what was opened and not read to its end, such as a file that is refused.
    """

    name: str
    open_bytes: Callable[[], BinaryIO]
    encoding: str
    opened: ExitStack

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends; raise DataError where the file is damaged or not this text."""
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[str]]:
        """Yield whole lines, about 128 KiB at a time."""
        number = 0
        try:
            with io.TextIOWrapper(self.open_bytes(), self.encoding, newline="") as stream:
                self.opened.push(stream)
                rest = ""
                while text := stream.read(_BLOCK):
                    whole, rest = _part_at_line_end(rest + text)
                    if len(rest) > MAX_LINE:
                        raise DataError(f"{self.name}, line {number + 1}: longer than {MAX_LINE} characters")
                    yield (lines := self._split(whole, number))
                    number += len(lines)
                yield self._split(rest, number)
        except UnicodeError as error:
            raise self._undecodable(number) from error
        except _UNREADABLE as error:
            raise unreadable(self.name, error) from error

    def _split(self, text: str, number: int) -> list[str]:
        lines = list(io.StringIO(text, newline=""))
        if "\0" in text:
            place = next(place for place, line in enumerate(lines, start=number + 1) if "\0" in line)
            raise DataError(f"{self.name}, line {place}: {_ZERO_BYTE}")
        return lines

    def sample(self) -> tuple[list[str], bool]:
        """Return the first lines, about 256 KiB of them, and whether they are the whole file."""
        lines, length = [], 0
        for line in self.lines():
            lines.append(line)
            length += len(line)
            if length > SAMPLE_BYTES:
                return lines, False
        return lines, True

    def _undecodable(self, number: int) -> DataError:
        """Name the first line that is not text of this encoding; decoding had passed line `number`."""
        after = f", after line {number}" if number else ""
        if self.encoding not in ("utf-8", "utf-8-sig", "ascii"):
            return DataError(f"{self.name}{after}: cut off, or not {self.encoding} text; give its encoding")
        with self.open_bytes() as stream:
            for line, content in enumerate(stream, start=1):
                try:
                    content.decode(self.encoding)
                except UnicodeDecodeError as error:
                    around = content[max(error.start - 20, 0) : error.start + 20].decode("latin-1").strip()
                    return DataError(
                        f"{self.name}, line {line}: byte 0x{content[error.start]:02x} in {shorten(around)} "
                        f"is not {self.encoding}; if the file comes from Windows or is old, give encoding "
                        "'cp1252' or 'latin-1' and look at the letters with accents"
                    )
        return DataError(f"{self.name}{after}: cut off, or not {self.encoding} text; give its encoding")


def _part_at_line_end(text: str) -> tuple[str, str]:
    """Return what ends with the last line end of a text, and the rest.

    A carriage return at the very end is left to the rest, as a line feed may follow it.
    """
    end = text.rfind("\n") + 1 or text.rfind("\r", 0, len(text) - 1) + 1
    return text[:end], text[end:]


def open_text(path: Path | None, encoding: str | None = None) -> TextSource:
    """Open a text file, plain or packed by gzip, and find its encoding.

    Parameters
    ----------
    path
        None: the standard input, which is read whole.
    encoding
        As Python names it; None: UTF-8, or what a byte-order mark says.

    Raises
    ------
    DataError
        There is no such file, it is empty, it is no text, or the encoding is unknown.
    """
    name = "standard input" if path is None else str(path)
    open_bytes = _bytes_of(path, name)
    try:
        with open_bytes() as stream:
            head = stream.read(SAMPLE_BYTES)
    except _UNREADABLE as error:
        raise unreadable(name, error) from error
    if not head.strip(b"\xef\xbb\xbf \t\r\n\x00"):
        raise DataError(f"{name} is empty" if not head else f"{name} holds blank lines only")
    _require_text(name, head)
    return TextSource(name, open_bytes, _encoding(name, head, encoding), ExitStack())


def _bytes_of(path: Path | None, name: str) -> Callable[[], BinaryIO]:
    if path is None:
        content = sys.stdin.buffer.read()
        if content[:2] == b"\x1f\x8b":
            return lambda: gzip.open(io.BytesIO(content))  # type: ignore[return-value]
        return lambda: io.BytesIO(content)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise DataError(f"{name} is a device or a pipe; copy it to a file, or give it on standard input")
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise unreadable(name, error) from error
    if not packed and path.suffix.lower() == ".gz" and path.stat().st_size:
        raise DataError(f"{name} is not packed by gzip, as its name says; rename or pack it")
    if packed:
        return lambda: gzip.open(path)  # type: ignore[return-value]
    return lambda: path.open("rb")


def unreadable(name: str, error: BaseException) -> DataError:
    """Return the sentence for a file that the system does not read, or whose packing is damaged."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{name} does not exist{_neighbour(Path(name))}")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{name} is a folder; name a file in it")
    if isinstance(error, PermissionError):
        return DataError(f"{name} may not be read; change its permissions")
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return DataError(f"{name} is damaged or cut off within its gzip data; copy it again")
    return DataError(f"{name} cannot be read from the disk ({getattr(error, 'strerror', None) or 'error'})")


def _neighbour(path: Path) -> str:
    """Suggest the file of the same folder whose name is nearest."""
    import difflib
    from itertools import islice

    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), 1000)]
    except OSError:
        return f": there is no folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _require_text(name: str, head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:16].lower()
    for mark, kind in _FORMATS:
        if head.startswith(mark) or start.startswith(mark):
            raise DataError(f"{name} is {kind}")


def _encoding(name: str, head: bytes, given: str | None) -> str:
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if given is not None:
        try:
            codec = codecs.lookup(given)
            "".encode(given)  # refuses codecs such as hex, which do not make text
        except (LookupError, ValueError, TypeError) as error:
            raise DataError(
                f"unknown encoding {shorten(given)}; write e.g. utf-8, utf-16, latin-1 or cp1252"
            ) from error
        return "utf-8-sig" if codec.name == "utf-8" else codec.name
    if marked is None and b"\x00" in head:
        marked = _utf16_without_mark(head)
        if marked is None:
            line = head[: head.index(b"\x00")].count(b"\n") + 1
            raise DataError(f"{name}, line {line}: {_ZERO_BYTE}")
    return marked or "utf-8"


def _utf16_without_mark(head: bytes) -> str | None:
    """Tell UTF-16 by the zero byte beside nearly every letter."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * len(head) and even == 0:
        return "utf-16-le"
    if even > 0.4 * len(head) and odd == 0:
        return "utf-16-be"
    return None
