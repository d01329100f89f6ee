"""Accuracy against seconds of message passing, solvers, and both together; the table of the same rows.

    mpnn compare configs/compare/together_mnist.toml
    python -m experiments.figures.together_figure runs/together_mnist \\
        --figure docs/experiments/figures/together.svg

A point is a method at a budget, a line a method at several; seconds are the processor's, which other work on
the machine does not change, without the run that compiles where there is another.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from experiments.figures.solver_report import accuracy, main_prediction, read, spread

# Beginnings of names, and what the figure calls and colours what begins so.
FAMILIES = {
    "message passing": ("message passing", "C0"),
    "neighbourhoods": ("neighbourhood search", "C3"),
    "few links": ("few links", "C1"),
    "whole": ("whole programs", "0.35"),
    "one neuron": ("one neuron", "C4"),
    "local search": ("local search", "C5"),
    "": ("real weights and gradients", "C2"),
}
BUDGET = re.compile(r", ([\d.]+) s$")


def seconds(rows: list[dict]) -> float:
    """Median seconds of the processor."""
    warm = [row for row in rows if not row["cold"]] or rows
    return float(np.median([row["train_cpu_seconds"] for row in warm]))


def points(folder: Path) -> dict[str, list[tuple[float, np.ndarray, str]]]:
    """Return seconds, accuracies and full name of every method, by its name without the budget."""
    found = defaultdict(list)
    for method, rows in read(folder.parent, folder.name).items():
        done = [row for row in rows if not row["error"]]
        if done:
            values = accuracy(done, main_prediction(done))
            found[BUDGET.sub("", method)].append((seconds(done), values, method))
    return {name: sorted(group, key=lambda point: point[0]) for name, group in found.items()}


def table(folder: Path) -> None:
    """Print accuracy, seconds, objectives and links of every method."""
    print("| method | accuracy | processor's s | kept by SM | sum of margins | links removed | failed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for method, rows in read(folder.parent, folder.name).items():
        done = [row for row in rows if not row["error"]]
        stages = [row["stages"] for row in done if "stages" in row]
        objectives = [
            f"{np.mean([stage[name]['objective'] for stage in stages]):.0f}" if stages else "–"
            for name in ("SM", "MM")
        ]
        removed = [row["links_removed"]["all"] for row in done if row.get("links_removed")]
        share = f"{100 * np.mean(removed):.0f} %" if removed else "–"
        values = accuracy(done, main_prediction(rows)) if done else np.empty(0)
        taken = f"{seconds(done):.2g}" if done else "–"
        failed = len(rows) - len(done) or ""
        print(f"| {method} | {spread(values)} | {taken} | {' | '.join(objectives)} | {share} | {failed} |")


def figure(folder: Path, path: Path) -> None:
    """Draw accuracy against seconds."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "mpnn"  # the same file every time
    from matplotlib import pyplot as plt

    canvas, axis = plt.subplots(figsize=(9.5, 6.0))
    for number, (name, group) in enumerate(points(folder).items(), start=1):
        _, color = next(family for start, family in FAMILIES.items() if name.startswith(start))
        times, means = [point[0] for point in group], [point[1].mean() for point in group]
        axis.plot(times, means, "o-", color=color, ms=4, lw=0.9, label=f"{number}  {name}")
        axis.annotate(str(number), (times[-1], means[-1]), (4, 4), textcoords="offset points", fontsize=8)
    axis.set_xscale("log")
    axis.set_xlabel("seconds of the processor, median over draws")
    axis.set_ylabel("test accuracy, %, mean over draws")
    axis.grid(alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, markerscale=0, handlelength=1)
    canvas.tight_layout()
    canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Parse `FOLDER [--figure FILE]`, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the comparison")
    parser.add_argument("--figure", type=Path, help="where to draw accuracy against seconds")
    given = parser.parse_args()
    table(given.folder)
    if given.figure:
        figure(given.folder, given.figure)


if __name__ == "__main__":
    main()
