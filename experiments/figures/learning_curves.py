"""Test error against epochs, from the rows of finished runs of experiments.full_data.train.

    python -m experiments.figures.learning_curves docs/experiments/figures/NAME.png results/NAME ...

A line is the mean over a model's seeds, with a band of one standard deviation.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mpnn.runs.rows import read_rows

PREDICTIONS = {"mode": ("discrete weights", "-"), "bayes": ("Bayesian", "--")}


def draw(axes: Axes, row: dict[str, Any], colour: str) -> None:
    """Both predictions of one model."""
    epochs = [point["epoch"] for point in row["curve"]]
    for kind, (label, form) in PREDICTIONS.items():
        errors = np.array([point[kind] for point in row["curve"]])  # [epochs, seeds]
        mean, spread = errors.mean(axis=1), errors.std(axis=1)
        axes.plot(epochs, mean, form, color=colour, label=f"{row['model']['name']}, {label}")
        axes.fill_between(epochs, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    matplotlib.use("agg")
    rows = [row for folder in given.folders for row in read_rows(folder / "results.jsonl")]
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for index, row in enumerate(rows):
        draw(axes, row, f"C{index}")
    errors = np.concatenate([point["mode"] for row in rows for point in row["curve"]])
    axes.set(xlabel="epoch", ylabel="test error, %", ylim=(None, np.quantile(errors, 0.9)))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)
    figure.savefig(given.picture, dpi=120)


if __name__ == "__main__":
    main()
