"""Arrays that would not fit the memory of the machine are refused before they are made."""

import os

__all__ = ["memory_of_machine", "refuse_beyond_memory"]


def memory_of_machine() -> int | None:
    """Bytes of memory, or None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def refuse_beyond_memory(num_bytes: float, what: str, advice: str) -> None:
    """Refuse what is larger than the memory of the machine.

    Parameters
    ----------
    num_bytes : float >= 0
        Bytes that it takes.
    what : str
        What takes them, as the sentence begins.
    advice : str
        What to do instead.

    Raises
    ------
    ValueError
        Where it does not fit.
    """
    memory = memory_of_machine()
    if memory is not None and num_bytes > memory:
        needed, there = num_bytes / 2**30, memory / 2**30
        raise ValueError(f"{what} would take {needed:,.1f} GiB, and this machine has {there:,.1f}: {advice}")
