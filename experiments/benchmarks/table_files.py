"""Megabytes a second of `mpnn.data.read_table`, and the memory it takes beside its result.

    python -m experiments.benchmarks.table_files

Each file is written once, then read in a fresh process: numbers of six decimals, a column of words and a
label.
"""

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class TableFiles:
    """Read a long, a usual and a wide file.

    megabytes: size of each file, about. folder: where they are written; a temporary one by default.
    """

    megabytes: int = 100
    folder: Path | None = None


WIDTHS = {"long (1 number a row)": 1, "usual (10)": 10, "wide (1,000)": 1000}


def write_file(path: Path, width: int, megabytes: int) -> None:
    """Write rows until the file has about this size."""
    generator = np.random.default_rng(0)
    block = max(100_000 // width, 1)
    with path.open("w") as file:
        file.write(",".join([*(f"x{number}" for number in range(width)), "town", "kind"]) + "\n")
        while file.tell() < megabytes * 1e6:
            for row in generator.normal(size=(block, width)).tolist():
                words = f"town {int(30 * abs(row[0]))},{'ab'[row[0] > 0]}\n"
                file.write(",".join(f"{value:.6f}" for value in row) + "," + words)


def read_file(path: Path) -> None:
    """Read a file and print seconds of wall and CPU, MiB of the result and of the peak."""
    from mpnn.data import read_table

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = perf_counter(), process_time()
    table = read_table(path, label="kind")
    seconds, cpu_seconds = perf_counter() - start, process_time() - cpu
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    result = sum(column.values.nbytes for column in table.columns) / 2**20
    sys.stdout.write(f"{seconds} {cpu_seconds} {result} {peak}\n")


def main(options: TableFiles) -> None:
    """Write, read, and print a table."""
    shown = Table("file", "MB", "seconds", "CPU seconds", "MB per CPU second", "result MiB", "peak MiB")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for name, width in WIDTHS.items():
            path = folder / f"{width}.csv"
            write_file(path, width, options.megabytes)
            command = [sys.executable, "-m", "experiments.benchmarks.table_files", str(path)]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, cpu, result, peak = map(float, found.split())
            size = path.stat().st_size / 1e6
            cells = (size, seconds, cpu, size / cpu, result, peak)
            shown.add_row(name, *(f"{value:.1f}" for value in cells))
    Console().print(shown)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".csv"):
        read_file(Path(sys.argv[1]))
    else:
        main(tyro.cli(TableFiles))
