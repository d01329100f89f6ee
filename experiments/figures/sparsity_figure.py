"""Accuracy against links removed, from the rows of experiments.full_data.train: random masks and learned
zeros.

    python -m experiments.figures.sparsity_figure results/sparse_learned \\
        --figure docs/experiments/figures/sparse.png
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from mpnn.compare.report.palette import COLOURS, MARKERS
from mpnn.runs.rows import read_rows

# Worse networks are not shown, that the others can be told apart.
LEAST_ACCURACY = 80.0
PREDICTIONS = {"mode": "discrete weights", "bayes": "Bayesian"}


def points_of(rows: list[dict[str, Any]], prediction: str) -> dict[str, np.ndarray]:
    """Links removed, mean accuracy and its standard deviation over seeds ``[n, 3]`` of every group of models.

    Models whose names differ by their sparsity field alone are a group.
    """
    found: dict[str, list[tuple[float, ...]]] = {}
    for row in rows:
        accuracies = 100.0 - np.array(row[prediction])
        spread = accuracies.std(ddof=1) if len(accuracies) > 1 else 0.0
        point = (100.0 - np.mean(row["links"]), accuracies.mean(), spread)
        group, *_ = row["model"]["name"].split(", field")
        found.setdefault(group, []).append(point)
    return {name: np.array(sorted(points)) for name, points in found.items()}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a prediction, one line a group of models."""
    figure, panels = plt.subplots(1, 2, figsize=(9.2, 3.6), layout="constrained")
    for axes, (prediction, title) in zip(panels, PREDICTIONS.items(), strict=True):
        lines = points_of(rows, prediction).items()
        for (name, points), colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
            axes.errorbar(*points.T, label=name, color=colour, marker=marker, ms=5, capsize=2)
        axes.set(
            title=title, xlabel="links removed, %", ylabel="test accuracy, %", ylim=(LEAST_ACCURACY, 100)
        )
        axes.grid(alpha=0.3)
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figure", type=Path, required=True)
    given = parser.parse_args()
    draw(read_rows(given.folder / "results.jsonl"), given.figure)
