"""Compiled programs kept on disk, for processes to come."""

import os
import sys
from pathlib import Path

__all__ = ["keep_on_disk"]

# JAX keeps what took more than a second; here every program is kept, since a first fit has many small ones.
KEPT = {"jax_persistent_cache_min_compile_time_secs": 0.0, "jax_persistent_cache_min_entry_size_bytes": -1}


def keep_on_disk(folder: str | Path | None = None) -> Path | None:
    """Keep compiled programs for processes to come, which then read instead of compiling them.

    JAX does it; a folder that it has already, by ``JAX_COMPILATION_CACHE_DIR`` or its configuration, stays.
    The folder may be deleted at any time. The command ``mpnn`` does this by itself.

    Parameters
    ----------
    folder : str, Path or None, default=None
        Where; None: ``mpnn/programs`` in ``$XDG_CACHE_HOME``, else in ``~/.cache``.

    Returns
    -------
    folder : Path or None
        Where they are kept; None: nowhere, the folder cannot be made or written.
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
    for name, value in {**KEPT, "jax_compilation_cache_dir": str(chosen)}.items():
        os.environ.setdefault(name.upper(), str(value))  # read when JAX is imported
        if (jax := sys.modules.get("jax")) is not None:
            jax.config.update(name, value)
    return chosen
