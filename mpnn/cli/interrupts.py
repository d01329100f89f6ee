"""Ctrl-C during what does not hear it: that runs beside the main thread.

Python cannot interrupt a compiled program. And while much is allocated, as in reading a table, an interrupt
may fall into a callback of the garbage collector, such as JAX's, where exceptions are printed and forgotten.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

__all__ = ["STOPPED", "Interrupted", "ended_soon", "in_background"]

# The exit status after Ctrl-C.
STOPPED = 130

Result = TypeVar("Result")
# Seconds between two looks at the signals.
STEP = 0.1
# Seconds from Ctrl-C to the end of the process where the exception is lost, or what it interrupts takes long.
PATIENCE = 1.5


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a program still runs in a thread, so that the process has to end without waiting."""


@contextmanager
def ended_soon(advice: str) -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt`, and ends the process soon whatever becomes of that.

    Where a program or a shell ignores Ctrl-C, or handles it, nothing changes.

    Parameters
    ----------
    advice
        What is then said.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end() -> None:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{advice}\n".encode())
        os._exit(STOPPED)

    def interrupt(number: int, frame: FrameType | None) -> None:
        timer = threading.Timer(PATIENCE, end)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def in_background(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return what a function returns, or raise what it raises; Ctrl-C raises `Interrupted` at once.

    The function must not write files: it may be cut off anywhere.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(STEP)
    except KeyboardInterrupt as error:
        raise Interrupted from error
    if errors:
        raise errors[0]
    return results[0]
