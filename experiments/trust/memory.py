"""Memory that a process keeps after fits and predictions of random shapes: is it flat?

    python -m experiments.trust.memory --fits 300 --predictions 3000 [--clear-every 50]

Every fit draws its own number of rows and columns, and every prediction its own number of rows, so that
hardly two have one shape. JAX keeps traces of its own functions for every shape, until
``jax.clear_caches()``, which ``--clear-every`` calls along the way, as a server of many shapes may. The
resident memory is printed every 20 fits and every 500 predictions, and goes to
``runs/memory/results.jsonl``, a row for each number of them.
"""

import ctypes
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import jax
import numpy as np
import tyro

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.runs.rows import open_results, row_key


@dataclass(frozen=True)
class Options:
    """How many calls.

    Parameters
    ----------
    fits : number of fits, each of another shape.
    predictions : number of predictions, each of another number of rows.
    clear_every : calls after which JAX's caches are emptied; 0: never.
    seed : of the shapes.
    output : folder of the rows.
    """

    fits: int = 300
    predictions: int = 3000
    clear_every: int = 0
    seed: int = 0
    output: Path = Path("runs/memory")


def resident_mib() -> float:
    """Memory of this process that is in use, MiB (Linux); what the allocator holds free is returned first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def fits(rng: np.random.Generator, count: int) -> Iterator[int]:
    """Fit networks of random shapes, one in ten with hidden units and for three classes."""
    for number in range(1, count + 1):
        rows, columns, several = int(rng.integers(12, 400)), int(rng.integers(2, 60)), number % 10 == 0
        hidden = (int(rng.integers(1, 9)),) if several else ()
        classifier = MessagePassingClassifier(hidden, encoding=None, num_sweeps=5)
        estimator = PairwiseVoteClassifier(classifier) if several else classifier
        estimator.fit(rng.normal(size=(rows, columns)), np.arange(rows) % (3 if several else 2))
        yield number


def predictions(rng: np.random.Generator, count: int) -> Iterator[int]:
    """Predict random numbers of rows by one network: labels and probabilities."""
    data = rng.normal(size=(60, 20))
    passing = MessagePassingClassifier((5,), encoding=None, num_sweeps=5).fit(data, np.arange(60) % 2)
    for number in range(1, count + 1):
        rows = rng.normal(size=(int(rng.integers(1, 5000)), 20))
        (passing.predict if number % 2 else passing.predict_proba)(rows)
        yield number


def main(options: Options) -> None:
    """Both loops; each prints and keeps what is resident along the way."""
    options.output.mkdir(parents=True, exist_ok=True)
    loops = {"fits": (fits, options.fits, 20), "predictions": (predictions, options.predictions, 500)}
    with open_results(options.output / "results.jsonl") as results:
        for name, (loop, count, every) in loops.items():
            begun = perf_counter()
            for number in loop(np.random.default_rng(options.seed), count):
                if options.clear_every and number % options.clear_every == 0:
                    jax.clear_caches()
                if number % every and number != count:
                    continue
                row = {"loop": name, "number": number, "seed": options.seed}
                row |= {"clear_every": options.clear_every} if options.clear_every else {}
                measured = {
                    "resident_mib": round(resident_mib()),
                    "programs": len(jax.devices()[0].client.live_executables()),
                    "seconds": round(perf_counter() - begun, 1),
                }
                print(row | measured, flush=True)
                if row_key(row) not in results.keys:
                    results.append({"key": row_key(row), "error": None, **row, **measured})


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
