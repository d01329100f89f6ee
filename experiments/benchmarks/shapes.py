"""Numbers of rows that were never seen before: seconds and programs that each costs, and memory.

    python -m experiments.benchmarks.shapes [--cache FOLDER]

Fits the digits ensemble at many numbers of rows and predicts at as many; the first fit of the process is
apart. A fit at a new number of rows compiles where the number that it is padded to is new, else nothing.
With ``--cache``, compiled programs are kept on disk: run it twice.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

COMPILED = "/jax/core/compile/backend_compile_duration"


@dataclass(frozen=True)
class Shapes:
    """Fit and predict at several numbers of rows.

    sizes: how many of each. fewest, most: rows of the smallest and largest fit. cache: folder of programs.
    """

    sizes: int = 30
    fewest: int = 300
    most: int = 500
    cache: Path | None = None


class _Programs:
    """Counts the programs that are compiled."""

    def __init__(self) -> None:
        import jax

        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, seconds: float, **_: Any) -> None:
        self.count += event == COMPILED


def _timed(programs: _Programs, act: Callable[[], Any]) -> tuple[float, float, int]:
    wall, processor, before = time.perf_counter(), time.process_time(), programs.count
    act()
    return time.perf_counter() - wall, time.process_time() - processor, programs.count - before


def main(options: Shapes) -> None:
    """Time, and print a table."""
    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
    from mpnn.data import load_dataset
    from mpnn.programs.disk import keep_on_disk
    from mpnn.runs.memory import mark_memory, peak_memory

    if options.cache is not None:
        keep_on_disk(options.cache)
    data, programs = load_dataset("digits"), _Programs()
    X, y = data.x_train.reshape(len(data.x_train), -1), data.y_train
    sizes = np.linspace(options.fewest, options.most, options.sizes + 1).astype(int)

    def fit(size: int) -> Any:
        return PairwiseVoteClassifier(MessagePassingClassifier(random_state=0)).fit(X[:size], y[:size])

    first = _timed(programs, lambda: fit(sizes[0]))
    gc.collect()
    before = mark_memory()
    fits = [_timed(programs, lambda size=size: fit(size)) for size in sizes[1:]]
    model = fit(sizes[0])
    predictions = [_timed(programs, lambda size=size: model.predict(X[:size])) for size in sizes[1:]]
    gc.collect()
    table = Table("what", "seconds", "of the processor", "programs")
    table.add_row("first fit", *(f"{value:.2f}" for value in first[:2]), str(first[2]))
    for name, rows in (("fit", fits), ("predict", predictions)):
        wall, processor, counts = zip(*rows, strict=True)
        median, total = f"{np.median(wall):.3f}", str(sum(counts))
        table.add_row(
            f"{len(rows)} new numbers: {name}, median", median, f"{np.median(processor):.3f}", total
        )
        table.add_row(f"{name}, slowest", f"{max(wall):.3f}", f"{max(processor):.3f}", "")
    console = Console()
    console.print(table)
    peak = peak_memory()
    if before is not None and peak is not None:
        console.print(f"memory: {before >> 20} MiB after the first fit, at most {peak >> 20} MiB after it")


if __name__ == "__main__":
    main(tyro.cli(Shapes))
