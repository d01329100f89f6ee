"""The results file: one JSON line per fitted model, safe against a kill at any moment.

A row is written in one go, flushed and synced before the next model is fitted. After a kill the
only possible damage is a torn last line, which the next run cuts off and computes again.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

from mpnn.atomic_files import write_atomically
from mpnn.runs.toml import ConfigError

__all__ = [
    "Results",
    "Row",
    "lock_folder",
    "open_results",
    "read_json",
    "read_rows",
    "row_key",
    "write_json",
]

Row = dict[str, Any]


def row_key(identity: Mapping[str, Any]) -> str:
    """Return the 16 hexadecimal digits that stand for everything that decides a row.

    Parameters
    ----------
    identity : mapping
        Everything that decides the row; JSON can hold it.
    """
    # of what JSON cannot hold, the kind: its printed form may hold an address
    text = json.dumps(
        identity, sort_keys=True, separators=(",", ":"), default=lambda value: type(value).__name__
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Results:
    """An append-only results file with the rows it already holds; made by `open_results`.

    Parameters
    ----------
    file : binary file
        Open for appending.
    rows : list of dict
        Rows that the file holds.
    """

    def __init__(self, file: BinaryIO, rows: list[Row]) -> None:
        self._file = file
        self.rows = rows
        self.keys = {row["key"] for row in rows}

    def append(self, row: Row) -> None:
        """Write one row to the disk; when this returns, a kill cannot lose it.

        Parameters
        ----------
        row : dict
            The row, with its ``key``.
        """
        if row["key"] in self.keys:
            raise ValueError(f"the results already hold the row {row['key']}")
        self._file.write(_line(row))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows.append(row)
        self.keys.add(row["key"])


@contextmanager
def open_results(path: Path, *, retry_errors: bool = False) -> Iterator[Results]:
    """Open a results file for appending, cutting off a torn last line.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    retry_errors : bool, default=False
        Drop the rows of methods that failed, so that they are computed again.
    """
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    rows = _parse(whole, path)
    if retry_errors:
        rows = [row for row in rows if not row["error"]]
        write_atomically(path, b"".join(map(_line, rows)))
    elif whole != content:
        os.truncate(path, len(whole))
    with path.open("ab") as file:
        yield Results(file, rows)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep other runs out of it; the system drops the lock when the process ends.

    Parameters
    ----------
    folder : path
        The folder; it is made where missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("wb") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: there, two runs in one folder are the user's care
            pass
        except OSError as error:
            raise ConfigError(
                f"another run is writing to {folder}; wait for it or use another --output"
            ) from error
        yield


def read_rows(path: Path) -> list[Row]:
    """Return the whole rows of a results file, leaving out a torn last line.

    Parameters
    ----------
    path : str or path
        The file.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    return _parse(content[: content.rfind(b"\n") + 1], path)


def read_json(path: Path, default: Any = None) -> Any:
    """Return the content of a JSON file, or `default` if there is none.

    Parameters
    ----------
    path : str or path
        The file.
    default : object, default=None
        Returned where there is no file.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        Where the file is no JSON.
    """
    if not path.exists():
        return default
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON or damaged; remove it, or use --fresh") from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file for people, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file.
    content : object
        Anything that JSON can hold.
    """
    write_atomically(path, json.dumps(content, indent=2).encode() + b"\n")


def _line(row: Row) -> bytes:
    return json.dumps(row, allow_nan=False).encode() + b"\n"


def _finite(text: str) -> float:
    """A number that JSON can hold; NaN, infinities and what is read as one are none."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


def _parse(content: bytes, path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: line {number} is not JSON; remove it, or use --fresh") from error
        if not isinstance(row, dict) or not isinstance(row.get("key"), str) or "error" not in row:
            raise ConfigError(
                f"{path}: line {number} is no row with a key and an error; remove it, or use --fresh"
            )
        rows.append(row)
    return rows
