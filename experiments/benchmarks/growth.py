"""Seconds and memory of fitting and predicting against rows, columns, classes and pairs, with exponents.

    python -m experiments.benchmarks.growth --figure docs/experiments/figures/growth.svg

Every point is a process of its own that fits twice, so that the second fit is without compilation, unless
the first took long. An axis ends where a point takes more than ``limit_s``. Exponents are slopes of the
logarithms over the largest three points. Rows go to ``runs/growth/results.jsonl``.
"""

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import tyro

from mpnn.runs.rows import open_results, row_key

AXES: dict[str, tuple[int, ...]] = {
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "rows of a vote": (10_000, 100_000, 1_000_000),
    "columns": (10, 100, 1_000, 10_000),
    "columns of a sparse table": (1_000, 10_000, 100_000),
    "classes of one network": (2, 10, 100, 1_000),
    "pairs": (45, 190, 1_225, 4_950),
}
NUM_LARGEST = 3  # points that an exponent is fitted to
AGAIN_S = 30.0  # a fit that takes more of a processor is not made twice


@dataclass(frozen=True)
class Options:
    """What is measured, and where it goes.

    Parameters
    ----------
    axes : what grows; empty: all.
    limit_s : seconds of a point after which an axis ends.
    figure : where the figure is written; None: nowhere.
    output : folder of the rows.
    """

    axes: tuple[str, ...] = ()
    limit_s: float = 300.0
    figure: Path | None = None
    output: Path = Path("runs/growth")


def task(axis: str, size: int) -> tuple[Any, Any, np.ndarray]:
    """An estimator, inputs and labels: 20 columns, 1,000 rows and two classes where nothing grows."""
    from scipy.sparse import random as random_sparse

    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

    rng = np.random.default_rng(0)
    one = MessagePassingClassifier(random_state=0)
    if axis in ("rows", "rows of a vote"):
        X = rng.normal(size=(size, 20))
        return one if axis == "rows" else PairwiseVoteClassifier(one), X, X[:, 0] > 0
    if axis == "columns":
        X = rng.normal(size=(1_000, size))
        return one, X, X[:, 0] > 0
    if axis == "columns of a sparse table":
        X = random_sparse(1_000, size, density=20 / size, format="csr", random_state=0)
        return one, X, np.arange(1_000) % 2
    if axis == "classes of one network":
        labels = np.arange(4 * size) % size
        X = rng.normal(size=(size, 20))[labels] + 0.1 * rng.normal(size=(len(labels), 20))
        return one.set_params(hidden=(50,)), X, labels
    classes = round((1 + np.sqrt(1 + 8 * size)) / 2)
    labels = np.arange(10 * classes) % classes
    X = rng.normal(size=(classes, 64))[labels] + rng.normal(size=(len(labels), 64))
    return PairwiseVoteClassifier(one), X, labels


def peak_mib() -> float:
    """Most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(axis: str, size: int) -> dict[str, float]:
    """Seconds of the first fit, of one without compilation and of a prediction; MiB above the inputs."""
    estimator, X, y = task(axis, size)
    before, found = peak_mib(), {}
    for name in ("first_fit", "fit"):
        begun, cpu = perf_counter(), process_time()
        estimator.fit(X, y)
        found |= {f"{name}_s": perf_counter() - begun, f"{name}_cpu_s": process_time() - cpu}
        if name == "first_fit" and found["first_fit_cpu_s"] > AGAIN_S:
            found |= {"fit_s": found["first_fit_s"], "fit_cpu_s": found["first_fit_cpu_s"]}
            break
    estimator.predict(X[:1000])
    begun, cpu = perf_counter(), process_time()
    estimator.predict(X[:1000])
    found |= {"predict_s": perf_counter() - begun, "predict_cpu_s": process_time() - cpu}
    return {name: round(value, 4) for name, value in found.items()} | {"mib": round(peak_mib() - before, 1)}


def point(axis: str, size: int, limit_s: float) -> dict[str, Any]:
    """A point in a process of its own; its refusal, where it refuses."""
    command = [sys.executable, "-m", "experiments.benchmarks.growth", "point", axis, str(size)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"refusal": f"not done within {limit_s:.0f} s"}
    if done.returncode:
        return {"refusal": done.stderr.strip().splitlines()[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of the logarithms over the largest points."""
    chosen = slice(-NUM_LARGEST, None)
    return float(np.polyfit(np.log(sizes[chosen]), np.log(np.maximum(values[chosen], 1e-3)), 1)[0])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Seconds and memory of every axis, both logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for axis in AXES:
        own = [row for row in rows if row["axis"] == axis and "fit_s" in row]
        if not own:
            continue
        sizes, names = [row["size"] for row in own], ("fit_cpu_s", "mib")
        values = {name: [row[name] for row in own] for name in names}
        powers = [f"{exponent(sizes, values[name]):.2f}" for name in names] if len(own) > 1 else []
        for panel, name in zip(panels, names, strict=True):
            label = f"{axis}: {' and '.join(powers)}" if powers else axis
            panel.loglog(sizes, values[name], "o-", label=label, markersize=4)
    for panel, label in zip(panels, ("seconds of a processor in a fit", "MiB above the inputs"), strict=True):
        panel.set(xlabel="number of rows, columns, classes, pairs", ylabel=label)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    title = "exponents of seconds and of MiB"
    figure.legend(
        handles, labels, loc="outside right upper", title=title, fontsize=8, title_fontsize=8, frameon=False
    )
    figure.savefig(path, metadata={"Date": None})


def main(options: Options) -> None:
    """Measure what is not there, print the table, draw the figure."""
    options.output.mkdir(parents=True, exist_ok=True)
    with open_results(options.output / "results.jsonl") as results:
        for axis in options.axes or tuple(AXES):
            for size in AXES[axis]:
                key = row_key({"axis": axis, "size": size})
                if key not in results.keys:
                    found = point(axis, size, options.limit_s)
                    results.append({"key": key, "error": None, "axis": axis, "size": size, **found})
                row = next(row for row in results.rows if row["key"] == key)
                print(axis, size, {name: row[name] for name in row if name not in ("key", "axis", "size")})
                if "refusal" in row:
                    break
        for axis in AXES:
            own = [row for row in results.rows if row["axis"] == axis and "fit_s" in row]
            if len(own) > 1:
                sizes = [row["size"] for row in own]
                powers = {
                    name: round(exponent(sizes, [row[name] for row in own]), 2)
                    for name in ("fit_cpu_s", "predict_cpu_s", "mib")
                }
                print(axis, "exponents", powers)
        if options.figure:
            draw(results.rows, options.figure)


if __name__ == "__main__":
    if sys.argv[1:2] == ["point"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main(tyro.cli(Options, description=__doc__))
