"""Permissions that are taken away for a while, from programs that they bind.

Whoever runs as root passes every permission. The programs tried here keep the user and lose the two rights of
root to do so (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by ``setpriv``).
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["bound_by_permissions", "without_permission"]

RIGHTS = "-dac_override,-dac_read_search"


def bound_by_permissions(command: list[str]) -> list[str]:
    """The command, without the rights of root that pass permissions."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        sys.exit("root passes every permission: install setpriv (util-linux), or run this as another user")
    return ["setpriv", "--bounding-set", RIGHTS, "--inh-caps", RIGHTS, *command]


@contextmanager
def without_permission(folder: Path, of_folders: int = 0o555, of_files: int = 0o444) -> Iterator[None]:
    """Take permissions from a folder and all in it, and give them back."""
    found = list(os.walk(folder))  # which passes over folders that are gone meanwhile
    files = [Path(place) / name for place, _, names in found for name in names]
    folders = [Path(place) for place, _, _ in found]
    try:
        for path in files:
            _set(path, of_files)
        for path in reversed(folders):
            _set(path, of_folders)
        yield
    finally:
        for path in folders:
            _set(path, 0o755)
        for path in files:
            _set(path, 0o644)


def _set(path: Path, mode: int) -> None:
    """Where the path is still there: programs delete their oldest files."""
    with suppress(FileNotFoundError):
        path.chmod(mode)
