"""Same seed, same int8 weights? Over processes, threads, cores, devices and versions of JAX.

    python -m experiments.trust.determinism
    python -m experiments.trust.determinism --interpreters other/bin/python

Every setting is a process of its own that trains the same networks and prints a digest of their int8
weights, which are compared with those of the first.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from mpnn.runs.rows import open_results, row_key

PROGRAM = """
import hashlib, json, sys
import jax, numpy as np
from sklearn.datasets import load_digits, load_breast_cancer
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.gradient import STEClassifier
digits, table = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
rows = np.random.default_rng(0).permutation(1797)[:100]
few = digits[0][rows], digits[1][rows]
fits = {
    "no hidden unit": lambda: MessagePassingClassifier((), random_state=0).fit(*table),
    "few units": lambda: MessagePassingClassifier((4,), random_state=0, num_sweeps=20).fit(*table),
    "many units": lambda: MessagePassingClassifier(
        (60,), random_state=0, num_epochs=2, batch_size=64
    ).fit(*digits),
    "45 pairs": lambda: PairwiseVoteClassifier(MessagePassingClassifier(random_state=0)).fit(*few),
    "straight-through": lambda: STEClassifier(hidden=(30,), num_epochs=3, random_state=0).fit(*table),
}
def weights(fitted):
    return [w for own in getattr(fitted, "estimators_", [fitted]) for w in own.weights_]
found = {}
for name, fit in fits.items():
    fitted = fit()
    whole = hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in weights(fitted))).hexdigest()
    found[name] = {"digest": whole[:16], "weights": int(sum(w.size for w in weights(fitted)))}
print(json.dumps({"jax": jax.__version__, "devices": jax.device_count(), "found": found}))
"""
THREADS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
DEVICES = "--xla_force_host_platform_device_count=8"


@dataclass(frozen=True)
class Options:
    """Where the networks are trained.

    Parameters
    ----------
    interpreters : Python interpreters with other versions of JAX.
    output : folder of the rows.
    """

    interpreters: tuple[str, ...] = ()
    output: Path = Path("runs/determinism")


def settings(interpreters: tuple[str, ...]) -> dict[str, tuple[str, dict[str, str], bool]]:
    """Interpreter, variables of the environment and whether one core is to be used, by name."""
    own = sys.executable
    found = {
        "a process": (own, {}, False),
        "another process": (own, {"PYTHONHASHSEED": "7"}, False),
        "one thread": (own, {"XLA_FLAGS": THREADS, "OMP_NUM_THREADS": "1"}, False),
        "one core": (own, {}, True),
        "eight devices": (own, {"XLA_FLAGS": DEVICES}, False),
    }
    return found | {path: (path, {}, False) for path in interpreters}


def digests(interpreter: str, variables: dict[str, str], one_core: bool) -> dict[str, dict[str, object]]:
    """What a process of this setting prints."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.getcwd(), **variables}
    pin = (lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})) if one_core else None
    command = [interpreter, "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment, preexec_fn=pin, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(options: Options) -> None:
    """A row for every setting; those that are there are not computed again."""
    options.output.mkdir(parents=True, exist_ok=True)
    with open_results(options.output / "results.jsonl") as results:
        for name, (interpreter, variables, one_core) in settings(options.interpreters).items():
            key = row_key({"setting": name})
            if key not in results.keys:
                found = digests(interpreter, variables, one_core)
                results.append({"key": key, "error": None, "setting": name, **found})
        first = results.rows[0]["found"]
        for row in results.rows:
            same = {kind: own["digest"] == first[kind]["digest"] for kind, own in row["found"].items()}
            differing = [kind for kind, equal in same.items() if not equal]
            print(
                f"{row['setting']}, JAX {row['jax']}:", f"other weights: {differing}" if differing else "same"
            )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
