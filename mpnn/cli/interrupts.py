"""Ctrl-C during what does not hear it: that runs beside the main thread.

Python cannot interrupt a compiled program. And while much is allocated, as in reading a table, an interrupt
may fall into a callback of the garbage collector, such as JAX's, where exceptions are printed and forgotten.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Interrupted", "in_background"]

Result = TypeVar("Result")
# Seconds between two looks at the signals.
STEP = 0.1


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a program still runs in a thread, so that the process has to end without waiting."""


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
