"""SIGKILL at random moments: saving, rows of results, checkpoints, training and comparisons; and full disks.

    python -m experiments.trust.kill_anywhere --kills 200

Each trial starts a program in a process group of its own, kills the group after a random time, and looks at
what lies on the disk: a file is whole or not there, rows are a beginning of what an undisturbed run writes,
none lost, doubled or torn, and the run that goes on ends with the same int8 weights. Rows of this
experiment go to ``runs/kill_anywhere/results.jsonl``, one a kind of trial, and its counts to the screen.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import tyro

from mpnn.runs.rows import open_results, read_rows, row_key

SAVE = """
import itertools, sys
import numpy as np
from mpnn.weight_files import save_weights
print("started", flush=True)
for version in itertools.count():
    save_weights(sys.argv[1], [np.full((300, 300), version % 100, np.int8)], {"version": version % 100})
"""
ROWS = """
import sys
from pathlib import Path
from mpnn.runs.rows import open_results
with open_results(Path(sys.argv[1])) as results:
    print("started", flush=True)
    for number in range(len(results.rows), 100_000):
        results.append({"key": str(number), "error": None, "filling": "x" * (number * 37 % 5000)})
"""
CHECKPOINTS = """
import sys
import jax, jax.numpy as jnp, numpy as np
from mpnn.message_passing.checkpoints import CheckpointError, checkpoint_callback, restore_state
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import train
from mpnn.weight_files import save_weights
folder, output = sys.argv[1:]
spec, schedules = NetworkSpec.dense((20, 9, 1)), Schedules(damping=0.5, noise=0.3)
numbers, key = schedules.at_sweep(0, spec.num_layers), jax.random.key(0)
inputs = jax.random.normal(jax.random.key(1), (200, 20))
data = Batch(inputs, jnp.sign(inputs @ jax.random.normal(jax.random.key(2), (20,))))
try:
    done = restore_state(folder, spec)
    state, first = done.state, done.epoch
except CheckpointError as error:
    assert "no checkpoint" in str(error)  # killed before the first one
    state, first = init(key, spec, numbers), 0
print("started", flush=True)
state, _ = train(key, spec, state, data, schedules, num_epochs=40, batch_size=20, first_epoch=first,
                 on_epoch=checkpoint_callback(folder, key, spec))
save_weights(output, [np.asarray(layer) for layer in decode(spec, state, numbers)])
"""
COMPARISON = """
name = "kills"
datasets = ["digits"]
shots = [2, 4]
draws = 6

[[methods]]
name = "message passing"
method = "message_passing"
params = { num_sweeps = 5 }

[[methods]]
name = "logistic regression"
method = "logistic_regression"
"""
TIMED = ("seconds", "started", "finished", "memory", "worker", "time")


@dataclass(frozen=True)
class Options:
    """How many kills, and of what.

    Parameters
    ----------
    kills : number of each kind of trial.
    kinds : kinds of trials; empty: all.
    seed : of the moments.
    output : folder of the rows.
    """

    kills: int = 40
    kinds: tuple[str, ...] = ()
    seed: int = 0
    output: Path = Path("runs/kill_anywhere")


class FaultError(AssertionError):
    """What must not be on the disk after a kill."""


def require(holds: bool, fault: str) -> None:
    """Raise where the disk holds what it must not."""
    if not holds:
        raise FaultError(fault)


def start(command: list[str], log: Path) -> subprocess.Popen[str]:
    """A process group of its own, whose output goes to a file."""
    with log.open("a") as errors:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )


def kill_after(process: subprocess.Popen[str], seconds: float, wait_for_start: bool = True) -> bool:
    """Kill the group after so many seconds; whether it still ran."""
    if wait_for_start and process.stdout is not None:
        process.stdout.readline()
    sleep(seconds)
    ran = process.poll() is None
    if ran:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return ran


def program(text: str, *arguments: object) -> list[str]:
    """The command of a program given as text."""
    return [sys.executable, "-c", text, *map(str, arguments)]


def kill_saving(folder: Path, rng: np.random.Generator, kills: int) -> Counter[str]:
    """A file that is written again and again is whole, of one version."""
    from mpnn.weight_files import load_weights

    counts: Counter[str] = Counter()
    path = folder / "weights.safetensors"
    for _ in range(kills):
        counts["kills"] += kill_after(start(program(SAVE, path), folder / "log"), rng.uniform(0.0, 0.2))
        if path.exists():
            (layer,), about = load_weights(path)
            require(np.all(layer == about["version"]), "a file of two versions")
            counts["whole files"] += 1
        counts["drafts left behind"] = len(list(folder.glob(".*.part")))
    return counts


def kill_rows(folder: Path, rng: np.random.Generator, kills: int) -> Counter[str]:
    """Rows are 0, 1, 2, ... whatever happened."""
    counts: Counter[str] = Counter()
    path, before = folder / "results.jsonl", 0
    for _ in range(kills):
        counts["kills"] += kill_after(start(program(ROWS, path), folder / "log"), rng.uniform(0.0, 0.1))
        counts["torn last lines"] += path.exists() and not path.read_bytes().endswith(b"\n")
        rows = read_rows(path)
        require([row["key"] for row in rows] == [str(n) for n in range(len(rows))], "rows lost or doubled")
        require(len(rows) >= before, "rows lost")
        before = len(rows)
    counts["rows"] = before
    return counts


def kill_checkpoints(folder: Path, rng: np.random.Generator, kills: int) -> Counter[str]:
    """A run killed again and again ends with the weights of one that never was."""
    counts: Counter[str] = Counter()
    alone = folder / "alone.safetensors"
    subprocess.run(program(CHECKPOINTS, folder / "undisturbed", alone), check=True, stdout=subprocess.DEVNULL)
    expected, run = alone.read_bytes(), 0
    while counts["kills"] < kills:
        run += 1
        output, checkpoints = folder / f"run_{run}.safetensors", folder / f"checkpoints_{run}"
        while not output.exists():
            process = start(program(CHECKPOINTS, checkpoints, output), folder / "log")
            counts["kills"] += kill_after(process, rng.uniform(0.0, 3.0))
            counts["starts"] += 1
            require(counts["starts"] < 20 * kills, "a run that never ends")
        require(output.read_bytes() == expected, "other weights after a kill")
        counts["runs with the same weights"] += 1
    return counts


def _untimed(row: Any) -> Any:
    """A row without what differs between two runs: times, the start, whether programs were new."""
    if not isinstance(row, dict):
        return row
    timed = ("run", "cold", *(name for name in row if any(word in name for word in TIMED)))
    return {name: _untimed(value) for name, value in row.items() if name not in timed}


def kill_comparison(folder: Path, rng: np.random.Generator, kills: int, workers: int) -> Counter[str]:
    """A comparison killed again and again has the rows of one that never was, each once."""
    config = folder / "kills.toml"
    config.write_text(COMPARISON)

    def command(output: Path) -> list[str]:
        return [sys.executable, "-m", "mpnn", "compare", str(config), "--output", str(output)] + (
            ["--workers", str(workers)] if workers > 1 else []
        )

    counts: Counter[str] = Counter()
    whole, begun = folder / "whole", perf_counter()
    subprocess.run(command(whole), check=True, capture_output=True)
    seconds = perf_counter() - begun
    expected = {row["key"]: _untimed(row) for row in read_rows(whole / "results.jsonl")}
    run = 0
    while counts["kills"] < kills:
        run += 1
        output, seen = folder / f"run_{run}", 0
        while seen < len(expected):
            process = start(command(output), folder / "log")
            ran = kill_after(process, rng.uniform(0.3, 1.1) * seconds, wait_for_start=False)
            counts["kills"] += ran
            require(ran or process.returncode == 0, "a run that was not killed failed")
            rows = read_rows(output / "results.jsonl")
            keys = [row["key"] for row in rows]
            require(len(keys) == len(set(keys)), "a row twice")
            require(len(keys) >= seen, "a row lost")
            require(all(_untimed(row) == expected[row["key"]] for row in rows), "another row")
            seen = len(keys)
        counts["whole comparisons"] += 1
        counts["rows"] += seen
        shutil.rmtree(output)
    return counts


def kill_train(folder: Path, rng: np.random.Generator, kills: int) -> Counter[str]:
    """The command `train` leaves a whole model or none."""
    from sklearn.datasets import load_breast_cancer

    from mpnn import load_model

    counts: Counter[str] = Counter()
    table, model = folder / "table.csv", folder / "table.model"
    X, y = load_breast_cancer(return_X_y=True)
    np.savetxt(
        table,
        np.column_stack([X, y]),
        delimiter=",",
        header=",".join(f"x{i}" for i in range(31)),
        comments="",
    )
    command = [sys.executable, "-m", "mpnn", "train", str(table), "--label", "x30", "--output", str(model)]
    begun = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = perf_counter() - begun
    for _ in range(kills):
        model.unlink(missing_ok=True)
        process = start(command, folder / "log")
        counts["kills"] += kill_after(process, rng.uniform(0.3, 1.1) * seconds, wait_for_start=False)
        if model.exists():
            load_model(model)
            counts["whole models"] += 1
        else:
            counts["no model"] += 1
    return counts


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


def fill_disk(folder: Path, rng: np.random.Generator, kills: int) -> Counter[str]:
    """Where the disk is full, the old file stays and rows are whole; with room again, rows go on."""
    from mpnn.weight_files import load_weights, save_weights

    counts: Counter[str] = Counter()
    path = folder / "weights.safetensors"
    for _ in range(kills):
        save_weights(path, [np.full((300, 300), 1, np.int8)], {"version": 1})
        limit = int(rng.integers(1, 120_000))
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


Trial = Callable[[Path, np.random.Generator, int], Counter[str]]
KINDS: dict[str, Trial] = {
    "saving": kill_saving,
    "rows": kill_rows,
    "full disk": fill_disk,
    "checkpoints": kill_checkpoints,
    "train": kill_train,
    "compare": lambda *own: kill_comparison(*own, workers=1),
    "compare with 4 workers": lambda *own: kill_comparison(*own, workers=4),
}


def main(options: Options) -> None:
    """Every kind of trial; a row that is there is not computed again."""
    options.output.mkdir(parents=True, exist_ok=True)
    with open_results(options.output / "results.jsonl") as results:
        for kind in options.kinds or tuple(KINDS):
            identity = {"kind": kind, "kills": options.kills, "seed": options.seed}
            if row_key(identity) in results.keys:
                continue
            rng = np.random.default_rng([options.seed, *kind.encode()])
            with tempfile.TemporaryDirectory() as folder:
                counts = KINDS[kind](Path(folder), rng, options.kills)
            results.append({"key": row_key(identity), "error": None, **identity, "counts": dict(counts)})
            print(kind, json.dumps(counts))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
