"""Files where the disk is full, and files that are cut off: refused, or whole to the last row."""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np

from experiments.trust.trials import Moments, program, require
from mpnn.runs.rows import open_results, read_rows

FULL_DISK = """
import resource, sys
import numpy as np
from pathlib import Path
from mpnn.runs.rows import open_results
from mpnn.weight_files import save_weights
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
folder = Path(sys.argv[1])
try:
    save_weights(folder / "weights.safetensors", [np.full((300, 300), 2, np.int8)], {"version": 2})
except OSError as error:
    print("refused", error.errno, flush=True)
try:
    with open_results(folder / "results.jsonl") as results:
        for number in range(len(results.rows), 1000):
            results.append({"key": str(number), "error": None, "filling": "x" * (number * 37 % 5000)})
except OSError as error:
    print("refused", error.errno, flush=True)
"""


def fill_disk(folder: Path, moments: Moments) -> Counter[str]:
    """Where the disk is full, the old file stays and rows are whole; with room again, rows go on."""
    from mpnn.weight_files import load_weights, save_weights

    counts: Counter[str] = Counter()
    path = folder / "weights.safetensors"
    while moments.left(counts["trials"]):
        save_weights(path, [np.full((300, 300), 1, np.int8)], {"version": 1})
        limit = int(moments.uniform(1, 120_000))
        done = subprocess.run(program(FULL_DISK, folder, limit), capture_output=True, text=True, check=True)
        counts["refused writes"] += done.stdout.count("refused")
        (layer,), about = load_weights(path)
        require(np.all(layer == about["version"]), "a file of two versions")
        require(not list(folder.glob(".*.part")), "a draft left behind")
        rows = read_rows(folder / "results.jsonl")
        require([row["key"] for row in rows] == [str(n) for n in range(len(rows))], "rows lost or doubled")
        counts["trials"] += 1
        if len(rows) > 30:
            (folder / "results.jsonl").unlink()
    return counts


def truncate_files(folder: Path, moments: Moments) -> Counter[str]:
    """A file of weights cut anywhere is refused; rows lose the last one, and go on."""
    from mpnn.weight_files import CheckpointError, load_weights, save_weights

    counts: Counter[str] = Counter()
    weights, rows, cut = folder / "weights.safetensors", folder / "results.jsonl", folder / "cut.jsonl"
    save_weights(weights, [np.arange(60, dtype=np.int8).reshape(6, 10) % 3 - 1], {"version": 1})
    with open_results(rows) as results:
        for number in range(30):
            results.append({"key": str(number), "error": None, "filling": "x" * number})
    whole, lines = weights.read_bytes(), rows.read_bytes()
    while moments.left(counts["trials"]):
        counts["trials"] += 1
        weights.write_bytes(whole[: int(moments.uniform(0, len(whole)))])
        try:
            load_weights(weights)
        except CheckpointError:
            counts["refused"] += 1
        length = int(moments.uniform(0, len(lines)))
        cut.write_bytes(lines[:length])
        with open_results(cut) as results:
            kept = [row["key"] for row in results.rows]
            results.append({"key": "next", "error": None})
        ends = lines[:length].count(b"\n")
        # a row that lacks only its line's end is whole, or taken again
        ends_whole = ends + (lines[length : length + 1] == b"\n")
        require(kept in [[str(n) for n in range(most)] for most in (ends, ends_whole)], "rows lost")
        require([row["key"] for row in read_rows(cut)] == [*kept, "next"], "rows joined")
    require(counts["refused"] == counts["trials"], "a torn file taken for whole")
    return counts
