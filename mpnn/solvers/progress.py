"""A running solve on the terminal: stage, best objective, bound, time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mpnn.solvers.engines import Incumbent, Listener

__all__ = ["Announce", "shown_progress"]

# Called with the name of what is solved next; returns what listens to its solutions.
Announce = Callable[[str], Listener]


@contextmanager
def shown_progress(verbose: bool) -> Iterator[Announce]:
    """Yield a function that announces a solve and returns its listener; silent unless verbose."""
    if not verbose:
        yield lambda name: _ignore
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:

        def announce(name: str) -> Listener:
            task = shown.add_task(f"{name}: no solution yet", total=None)

            def listen(found: Incumbent) -> None:
                shown.update(task, description=f"{name}: {found.objective:g} (bound {found.bound:g})")

            for earlier in shown.tasks[:-1]:
                shown.stop_task(earlier.id)
            return listen

        yield announce


def _ignore(found: Incumbent) -> None:
    """Listen to nothing."""
