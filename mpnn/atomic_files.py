"""Files that are there whole or not at all: written beside the target, flushed, renamed over it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_atomically", "write_atomically"]


@contextmanager
def open_atomically(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its name when the block ends without an error.

    Until then, and after an error, an old file stays as it is. Two processes may write the same file: it is
    one of the two.

    Parameters
    ----------
    path : str or path
        The file; its folder is made if missing.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a whole file or nothing.

    Parameters
    ----------
    path : str or path
        The file; its folder is made if missing, an existing file is replaced.
    content : bytes
        The file's content.
    """
    with open_atomically(path) as file:
        file.write(content)
