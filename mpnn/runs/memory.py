"""Memory of a fit: the high-water mark of its process.

Linux can set the mark back, so that each fit has its own. Elsewhere it is the mark of the whole process so
far, an upper bound. Memory of an accelerator is not in it.
"""

import sys
from pathlib import Path

__all__ = ["mark_memory", "peak_memory"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def mark_memory() -> int | None:
    """Set the high-water mark back, and return the bytes that the process holds now; None if it cannot."""
    try:
        _RESET.write_text("5")  # man 5 proc: sets the peak resident size to the current one
    except OSError:
        return None
    return _read_status("VmRSS")


def peak_memory() -> int | None:
    """Return the most bytes that the process held since the mark, or else since its start."""
    if _STATUS.exists():
        return _read_status("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read_status(name: str) -> int | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    return None
