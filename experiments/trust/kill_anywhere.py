"""SIGKILL at random moments, full disks, missing permissions: saving, rows, checkpoints, runs.

    python -m experiments.trust.kill_anywhere --kills 200

Each trial starts a program in a process group of its own, kills the group after a random time, and looks at
what lies on the disk: a file is whole or not there, rows are a beginning of what an undisturbed run writes,
none lost, doubled or torn, and the run that goes on ends with the same int8 weights. On a full disk (a limit
on the size of files), or where permissions are missing or taken away in the middle, programs fail with a
sentence, and what was there stays. Rows of this experiment go to
``runs/kill_anywhere/results.jsonl``, one a kind of trial, and its counts to the screen.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tyro

from experiments.trust.disk_trials import fill_disk, truncate_files
from experiments.trust.permission_trials import try_without_permission
from experiments.trust.trials import Moments, disturbed, kill_after, program, require, start
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
draws = 3

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
    minutes : after so many, no further trial of a kind begins: a row says how many there were.
    kinds : kinds of trials; empty: all.
    seed : of the moments.
    output : folder of the rows, and of what undisturbed runs left.
    """

    kills: int = 40
    minutes: float = 60.0
    kinds: tuple[str, ...] = ()
    seed: int = 0
    output: Path = Path("runs/kill_anywhere")


def kill_saving(folder: Path, moments: Moments) -> Counter[str]:
    """A file that is written again and again is whole, of one version."""
    from mpnn.weight_files import load_weights

    counts: Counter[str] = Counter()
    path = folder / "weights.safetensors"
    while moments.left(counts["kills"]):
        counts["kills"] += kill_after(start(program(SAVE, path), folder / "log"), moments.uniform(0.0, 0.2))
        if path.exists():
            (layer,), about = load_weights(path)
            require(np.all(layer == about["version"]), "a file of two versions")
            counts["whole files"] += 1
        counts["drafts left behind"] = len(list(folder.glob(".*.part")))
    return counts


def kill_rows(folder: Path, moments: Moments) -> Counter[str]:
    """Rows are 0, 1, 2, ... whatever happened."""
    counts: Counter[str] = Counter()
    path, before = folder / "results.jsonl", 0
    while moments.left(counts["kills"]):
        counts["kills"] += kill_after(start(program(ROWS, path), folder / "log"), moments.uniform(0.0, 0.1))
        counts["torn last lines"] += path.exists() and not path.read_bytes().endswith(b"\n")
        rows = read_rows(path)
        require([row["key"] for row in rows] == [str(n) for n in range(len(rows))], "rows lost or doubled")
        require(len(rows) >= before, "rows lost")
        before = len(rows)
    counts["rows"] = before
    return counts


def kill_checkpoints(folder: Path, moments: Moments, by: str) -> Counter[str]:
    """A run killed again and again ends with the weights of one that never was."""
    from mpnn.weight_files import load_weights

    counts: Counter[str] = Counter()
    alone, begun = moments.whole / "alone.safetensors", perf_counter()
    if not alone.exists() or by == "permission":
        command = program(CHECKPOINTS, folder / "undisturbed", alone)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    expected, run = load_weights(alone)[0], 0
    # a run whose permissions always went before its first checkpoint would never end
    moments.length = perf_counter() - begun if by == "permission" else 3.0
    while moments.left(counts["kills"]):
        run += 1
        output, checkpoints = folder / f"run_{run}.safetensors", folder / f"checkpoints_{run}"
        while not output.exists():
            command = program(CHECKPOINTS, checkpoints, output)
            ended = disturbed(command, folder / "log", moments, by=by, starts=True)
            counts["kills"] += not ended
            counts["starts"] += 1
            require(counts["starts"] < 20 * moments.kills, "a run that never ends")
        require(all(map(np.array_equal, load_weights(output)[0], expected)), "other weights after a kill")
        counts["runs with the same weights"] += 1
    return counts


def _untimed(row: Any) -> Any:
    """A row without what differs between two runs: times, the start, whether programs were new."""
    if not isinstance(row, dict):
        return row
    timed = ("run", "cold", *(name for name in row if any(word in name for word in TIMED)))
    return {name: _untimed(value) for name, value in row.items() if name not in timed}


def kill_comparison(folder: Path, moments: Moments, workers: int, by: str) -> Counter[str]:
    """A comparison killed again and again has the rows of one that never was, each once."""
    config = folder / "kills.toml"
    config.write_text(COMPARISON)

    def command(output: Path) -> list[str]:
        return [sys.executable, "-m", "mpnn", "compare", str(config), "--output", str(output)] + (
            ["--workers", str(workers)] if workers > 1 else []
        )

    counts: Counter[str] = Counter()
    whole, begun = moments.whole / f"compare_{workers}", perf_counter()
    shutil.rmtree(whole, ignore_errors=True)
    subprocess.run(command(whole), check=True, capture_output=True)
    moments.length = perf_counter() - begun
    expected = {row["key"]: _untimed(row) for row in read_rows(whole / "results.jsonl")}
    run = 0
    while moments.left(counts["kills"]):
        run += 1
        output, seen = folder / f"run_{run}", 0
        while seen < len(expected):
            ended = disturbed(command(output), folder / "log", moments, by=by, starts=False)
            counts["kills"] += not ended
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


def weights_of(path: Path) -> list[Any]:
    """All discrete weights of a model file."""
    from mpnn import load_model

    model = load_model(path)
    return [layer for member in getattr(model, "estimators_", [model]) for layer in member.weights_]


def kill_train(folder: Path, moments: Moments, by: str) -> Counter[str]:
    """The command `train` leaves the model that an undisturbed one does, or none."""
    from sklearn.datasets import load_breast_cancer

    counts: Counter[str] = Counter()
    table, whole = folder / "table.csv", folder / "whole.model"
    X, y = load_breast_cancer(return_X_y=True)
    names = ",".join(f"x{number}" for number in range(6))
    np.savetxt(table, np.column_stack([X[:80, :5], y[:80]]), delimiter=",", header=names, comments="")

    def command(output: Path) -> list[str]:
        return [sys.executable, "-m", "mpnn", "train", str(table), "--label", "x5", "--output", str(output)]

    begun = perf_counter()
    subprocess.run(command(whole), check=True, capture_output=True)
    moments.length = perf_counter() - begun
    expected = weights_of(whole)
    while moments.left(counts["trials"]):
        model = folder / f"{counts['trials']}.model"
        counts["trials"] += 1
        ended = disturbed(command(model), folder / "log", moments, by=by, starts=False)
        counts["kills"] += not ended
        require(model.exists() or not ended, "no model of a run that came to its end")
        if model.exists():
            require(all(map(np.array_equal, weights_of(model), expected)), "other weights")
        counts["whole models" if model.exists() else "no model"] += 1
    return counts


Trial = Callable[[Path, Moments], Counter[str]]
KINDS: dict[str, Trial] = {
    "saving": kill_saving,
    "rows": kill_rows,
    "full disk": fill_disk,
    "checkpoints": partial(kill_checkpoints, by="kill"),
    "checkpoints on a full disk": partial(kill_checkpoints, by="disk"),
    "train": partial(kill_train, by="kill"),
    "train on a full disk": partial(kill_train, by="disk"),
    "compare": partial(kill_comparison, workers=1, by="kill"),
    "compare with 4 workers": partial(kill_comparison, workers=4, by="kill"),
    "compare on a full disk": partial(kill_comparison, workers=1, by="disk"),
    "truncated files": truncate_files,
    "missing permissions": try_without_permission,
    "checkpoints without permission": partial(kill_checkpoints, by="permission"),
    "train without permission": partial(kill_train, by="permission"),
    "compare without permission": partial(kill_comparison, workers=1, by="permission"),
}


def main(options: Options) -> None:
    """Every kind of trial; a row that is there is not computed again."""
    if unknown := set(options.kinds) - set(KINDS):
        sys.exit(f"--kinds must be among {', '.join(KINDS)}, got {', '.join(sorted(unknown))}")
    options.output.mkdir(parents=True, exist_ok=True)
    with open_results(options.output / "results.jsonl") as results:
        for kind in options.kinds or tuple(KINDS):
            identity = {"kind": kind, "kills": options.kills, "seed": options.seed}
            if row_key(identity) in results.keys:
                continue
            with tempfile.TemporaryDirectory() as folder:
                seed = [options.seed, *kind.encode()]
                moments = Moments(options.kills, options.minutes, seed, options.output / "whole")
                counts = KINDS[kind](Path(folder), moments)
            results.append({"key": row_key(identity), "error": None, **identity, "counts": dict(counts)})
            print(kind, json.dumps(counts))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
