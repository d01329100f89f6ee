"""Permissions that are taken away for a while, from programs that they bind.

Whoever runs as root passes every permission. The programs tried here keep the user and lose the two rights of
root to do so (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by ``setpriv``).
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    files = [path for path in folder.rglob("*") if path.is_file()]
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    try:
        for path in files:
            path.chmod(of_files)
        for path in reversed(folders):
            path.chmod(of_folders)
        yield
    finally:
        for path in folders:
            path.chmod(0o755)
        for path in files:
            if path.exists():
                path.chmod(0o644)
