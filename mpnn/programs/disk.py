"""Compiled programs kept on disk, for processes to come."""

import contextlib
import importlib
import os
import sys
import time
import warnings
import zlib
from pathlib import Path

__all__ = ["keep_on_disk"]

# JAX keeps what took more than a second; here every program is kept, since a first fit has many small ones.
KEPT = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}
# Programs of a thousand fits of different shapes; beyond, the oldest are deleted.
LARGEST_FOLDER = 1 << 29
# The file whose age tells which programs have been checked.
CHECKED = "checked"
# Of a program that the package zstandard has compressed.
ZSTANDARD = b"\x28\xb5\x2f\xfd"


def keep_on_disk(folder: str | Path | None = None) -> Path | None:
    """Keep compiled programs for processes to come, which then read instead of compiling them.

    JAX does it; a folder that it has already, by ``JAX_COMPILATION_CACHE_DIR`` or its configuration, stays.
    The folder may be deleted at any time. In one of its own, the oldest programs beyond 512 MiB are deleted,
    and those that a full disk or a killed process has left in part. The command ``mpnn`` does this by itself.

    Parameters
    ----------
    folder : str, Path or None, default=None
        Where; None: ``mpnn/programs`` in ``$XDG_CACHE_HOME``, else in ``~/.cache``.

    Returns
    -------
    folder : Path or None
        Where they are kept; None: nowhere, the folder or what is in it cannot be made or written.
    """
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if given is None and (jax := sys.modules.get("jax")) is not None:
        given = jax.config.jax_compilation_cache_dir
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    chosen = Path(given or folder or caches / "mpnn" / "programs")
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(chosen, os.W_OK):
        return None
    if not given:
        try:
            _tidy(chosen)
        except OSError:  # of a full disk, or files of another user
            return None
    # one that another process is writing now: it is compiled, and kept by the next that needs it
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache entry", UserWarning)
    for name, value in {**KEPT, "jax_compilation_cache_dir": str(chosen)}.items():
        os.environ.setdefault(name.upper(), str(value))  # read when JAX is imported
        if (jax := sys.modules.get("jax")) is not None:
            jax.config.update(name, value)
    return chosen


def _tidy(folder: Path) -> None:
    """Delete the oldest programs beyond the largest size, and those that were written in part.

    JAX never writes a program again that it finds, and complains in every process that cannot read it.
    """
    begun, checked = time.time(), folder / CHECKED
    since = checked.stat().st_mtime if checked.exists() else 0.0
    programs = []
    for program in folder.glob("*-cache"):
        with contextlib.suppress(FileNotFoundError):  # another process tidies, too
            programs.append((program.stat().st_mtime, program.stat().st_size, program))
    total = 0
    for written, size, program in sorted(programs, reverse=True):
        total += size
        with contextlib.suppress(FileNotFoundError):
            if total > LARGEST_FOLDER or (written >= since and not _is_whole(program.read_bytes())):
                program.unlink()
    checked.touch()
    os.utime(checked, (begun, begun))


def _is_whole(program: bytes) -> bool:
    """Whether it decompresses: JAX takes zstandard where that package is installed, else zlib."""
    if program.startswith(ZSTANDARD):
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError:
            return False  # nor can JAX read it
        try:
            zstandard.ZstdDecompressor().decompress(program)
        except zstandard.ZstdError:
            return False
        return True
    whole = zlib.decompressobj()
    try:
        whole.decompress(program)
    except zlib.error:
        return False
    return whole.eof
