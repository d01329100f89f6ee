"""Files and folders whose permission is missing: refused with a sentence, and what was there stays."""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np

from experiments.trust.permissions import bound_by_permissions, without_permission
from experiments.trust.trials import Moments, program, require

# Neither read nor written, read only, and without the right to name what is in a folder.
MODES = {"nothing": (0o000, 0o000), "reading": (0o555, 0o444), "no search": (0o644, 0o644)}

OPERATIONS = """
import sys
import numpy as np
from pathlib import Path
folder = Path(sys.argv[1])
from mpnn import load_model, save_model
from mpnn.callbacks import CSVLog
from mpnn.data import Shards, load_dataset, read_table
from mpnn.deploy.packed import load_network, save_network
from mpnn.message_passing.checkpoints import restore_state
from mpnn.message_passing.spec import NetworkSpec
from mpnn.planning import load_machine
from mpnn.runs.rows import open_results, read_rows
from mpnn.runs.toml import read_table as read_toml
from mpnn.weight_files import load_weights, save_weights
weights = [np.full((3, 3), 2, np.int8)]
def add_row():
    with open_results(folder / "results.jsonl") as results:
        results.append({"key": "new", "error": None})
operations = {
    "save weights": lambda: save_weights(folder / "weights.safetensors", weights, {"version": 2}),
    "load weights": lambda: load_weights(folder / "weights.safetensors"),
    "load model": lambda: load_model(folder / "weights.safetensors"),
    "read CSV": lambda: read_table(folder / "table.csv"),
    "read npz": lambda: read_table(folder / "table.npz"),
    "shards": lambda: len(Shards(str(folder))),
    "data set": lambda: load_dataset("mnist", folder=folder, download=False),
    "load network": lambda: load_network(folder / "network.mpnn"),
    "add a row": add_row,
    "read rows": lambda: read_rows(folder / "results.jsonl"),
    "read TOML": lambda: read_toml(folder / "config.toml"),
    "restore": lambda: restore_state(folder, NetworkSpec.dense((3, 1))),
    "log": lambda: CSVLog(folder / "log.csv").on_begin(1),
}
for name, operation in operations.items():
    try:
        operation()
        print(name, "done", sep="\\t")
    except Exception as error:
        kinds = "OSError" if isinstance(error, OSError) else type(error).__name__
        print(name, kinds, str(error).splitlines()[0] if str(error).strip() else "", sep="\\t")
"""
# Raised by readers beside errors of the system.
OWN_ERRORS = {
    "OSError",
    "DataError",
    "CheckpointError",
    "ConfigError",
    "PackedFileError",
    "DataNotFoundError",
}


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def try_without_permission(folder: Path, moments: Moments) -> Counter[str]:
    """Where a permission is missing, readers and writers end with their own errors, and change nothing."""
    from mpnn.weight_files import save_weights

    counts: Counter[str] = Counter()
    while moments.left(counts["trials"]):
        own = folder / f"trial_{counts['trials']}"
        save_weights(own / "weights.safetensors", [np.full((3, 3), 1, np.int8)], {"version": 1})
        (own / "results.jsonl").write_text('{"key": "0", "error": null}\n')
        (own / "table.csv").write_text("a,b\n1,2\n3,4\n")
        (own / "config.toml").write_text("a = 1\n")
        (own / "network.mpnn").write_bytes(b"MPNNnet1")
        np.savez(own / "table.npz", x=np.zeros((2, 2)))
        before = _contents(own)
        mode = list(MODES)[counts["trials"] % len(MODES)]
        with without_permission(own, *MODES[mode]):
            command = bound_by_permissions(program(OPERATIONS, own))
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        require(_contents(own) == before, f"{mode}: a file changed")
        for line in done.stdout.splitlines():
            name, outcome, *words = line.split("\t")
            counts["operations"] += 1
            counts["done" if outcome == "done" else "refused"] += 1
            require(outcome in {"done", *OWN_ERRORS}, f"{mode}: {line}")
            require(outcome == "done" or bool("".join(words)), f"{mode}: {name}: an error without a word")
        counts["trials"] += 1
    return counts
