"""What a command is doing and since when, on the standard error, compilation named."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.text import Text

__all__ = ["Activity", "activity"]

# Where JAX logs the start of a compilation, and its end; by other names, only the word is lost.
_COMPILING, _COMPILED = "jax._src.interpreters.pxla", "jax._src.dispatch"
# Seconds between two lines where the standard error is no terminal.
_STEP = 10.0


class Activity(logging.Handler):
    """What is being done, as one line that knows its age.

    Parameters
    ----------
    text
        What is being done.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self._compiling = False
        self._start = perf_counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of what JAX logs."""
        if record.name == _COMPILING:
            self._compiling = True
        elif "XLA compilation" in record.msg or "XLA compilation" in record.getMessage():
            self._compiling = False

    @property
    def line(self) -> str:
        """What is being done, and for how long."""
        compiling = ", compiling" if self._compiling else ""
        return f"{self.text}{compiling}, {perf_counter() - self._start:.0f} s"

    def __rich__(self) -> Text:
        return Text(self.line)


@contextmanager
def activity(text: str) -> Iterator[Activity]:
    """Show what is being done: a line that changes on a terminal, else a new line every ten seconds.

    Parameters
    ----------
    text
        What is being done; may be changed on the way.
    """
    shown, console = Activity(text), Console(stderr=True)
    with _listening_to_jax(shown):
        if console.is_terminal:
            with console.status(shown):
                yield shown
        else:
            with _lines(shown, console):
                yield shown


@contextmanager
def _lines(shown: Activity, console: Console) -> Iterator[None]:
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_STEP):
            console.print(shown, soft_wrap=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def _listening_to_jax(shown: Activity) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (_COMPILING, _COMPILED)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(shown)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False  # libraries give the root logger handlers, which would print all of it
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(shown)
            logger.propagate = True
            logger.setLevel(level)
