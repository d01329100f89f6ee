"""Tables and figures of the page on tables, from the rows of finished runs.

    python -m experiments.tables.report results/tables_{defaults,rivals} --figures docs/experiments/figures

Prints two tables of Markdown: the mean over tables of every method with its mean rank, and accuracy table by
table. Draws the mean ranks, and, of methods whose rows have model bytes, accuracy against them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mpnn.compare.report.figure_style import new_figure, render_png
from mpnn.runs.rows import read_rows

# Predictions of a row: suffix of the method's name, prefix of the scores.
PREDICTIONS = {"": "", ", Bayesian": "bayes_"}
WIDTH_OF_NAMES = (0.5, 0.14, 0.47, 0.83)
ROOM_FOR_LEGEND = (0.1, 0.14, 0.5, 0.8)
MARKERS = "osD^v<>Phd*X8p"


class Scores(NamedTuple):
    """Of one prediction of one method: accuracy a table ``[T]``, mean calibration error, median bytes."""

    accuracy: NDArray
    calibration_error: float | None
    model_bytes: float | None


def scores_of(rows: Sequence[dict[str, Any]], tables: Sequence[str]) -> dict[str, Scores]:
    """By name; predictions that lack a table are left out."""
    found = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        for suffix, prefix in PREDICTIONS.items():
            accuracy = np.array([_mean(own, f"{prefix}accuracy", table) for table in tables], float)
            if not np.isnan(accuracy).any():
                errors = np.array(
                    [_mean(own, f"{prefix}calibration_error", table) for table in tables], float
                )
                size = np.array([_mean(own, "bytes", table) for table in tables], float)
                found[name + suffix] = Scores(accuracy, _known(errors, np.mean), _known(size, np.median))
    return found


def _mean(rows: Sequence[dict[str, Any]], key: str, table: str) -> float:
    """Over splits; NaN where no row has it."""
    values = [row[key] for row in rows if row["table"] == table and row.get(key) is not None]
    return float(np.mean(values)) if values else float("nan")


def _known(values: NDArray, summary: Any) -> float | None:
    return None if np.isnan(values).any() else float(summary(values))


def mean_ranks(scores: dict[str, Scores]) -> dict[str, float]:
    """Mean over tables of the place among all methods, 1 the best; equal ones share places."""
    accuracy = np.stack([own.accuracy for own in scores.values()])
    ranks = np.apply_along_axis(rankdata, 0, -accuracy)
    return dict(zip(scores, ranks.mean(axis=1).tolist(), strict=True))


def means(scores: dict[str, Scores]) -> list[str]:
    """Lines of Markdown: a method, its mean accuracy, calibration error, rank and median bytes."""
    ranks = mean_ranks(scores)
    lines = ["| method | accuracy | calibration error | mean rank | median bytes |", "|---|---|---|---|---|"]
    for name, own in scores.items():
        error = "" if own.calibration_error is None else f"{own.calibration_error:.1f}"
        size = "" if own.model_bytes is None else f"{own.model_bytes:.0f}"
        lines.append(f"| {name} | {own.accuracy.mean():.1f} | {error} | {ranks[name]:.1f} | {size} |")
    return lines


def by_table(scores: dict[str, Scores], tables: Sequence[str]) -> list[str]:
    """Lines of Markdown: a table, the accuracy of every method."""
    lines = ["| table | " + " | ".join(scores) + " |", "|---" * (len(scores) + 1) + "|"]
    for index, table in enumerate(tables):
        cells = [f"{own.accuracy[index]:.1f}" for own in scores.values()]
        lines.append(f"| {table} | " + " | ".join(cells) + " |")
    return lines


def draw(scores: dict[str, Scores], folder: Path) -> None:
    """``tables_ranks.png`` and, where rows have bytes, ``tables_bytes.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    ranks = sorted(mean_ranks(scores).items(), key=lambda item: -item[1])
    figure, axes = new_figure("mean rank over tables, 1 the best", "", bounds=WIDTH_OF_NAMES, grid="x")
    axes.plot([rank for _, rank in ranks], range(len(ranks)), "o")
    axes.set_yticks(range(len(ranks)), [name for name, _ in ranks])
    (folder / "tables_ranks.png").write_bytes(render_png(figure))
    sized = {name: own for name, own in scores.items() if own.model_bytes is not None}
    if sized:
        figure, axes = new_figure("median bytes of a model", "mean test accuracy, %", bounds=ROOM_FOR_LEGEND)
        axes.set_xscale("log")
        for name, own in sized.items():
            marker = MARKERS[len(axes.lines) % len(MARKERS)]
            axes.plot(own.model_bytes, own.accuracy.mean(), marker, label=name, markersize=8)
        figure.set_size_inches(9.0, 4.5)
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
        (folder / "tables_bytes.png").write_bytes(render_png(figure))


def main() -> None:
    """Parse the options, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args()
    rows = [row for folder in given.folders for row in read_rows(folder / "results.jsonl")]
    tables = list(dict.fromkeys(row["table"] for row in rows))
    scores = scores_of(rows, tables)
    print("\n".join([*means(scores), "", *by_table(scores, tables)]))
    if given.figures is not None:
        draw(scores, given.figures)


if __name__ == "__main__":
    main()
