"""The README's figure, for light pages and for dark ones, from the rows of finished comparisons.

python -m experiments.figures.readme_figure results/few_shot_{mnist,fashion}
"""

import argparse
import io
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mpnn.compare.report.figure_style import log_ticks
from mpnn.compare.report.series import Series, list_series, list_shots, summarize
from mpnn.runs.rows import read_rows

# The better of BeMi's two networks, read off figures 2 and 3 of Bernardelli et al. (2025).
BEMI = {
    "mnist": {2: 49.5, 6: 63.7, 10: 70.4, 20: 75.7, 30: 81.0, 40: 81.8},
    "fashion_mnist": {10: 67.1, 20: 70.7, 30: 70.5, 40: 70.7},
}
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


class Line(NamedTuple):
    """How a prediction of a method is drawn: its label, format, and place among the theme's colours."""

    label: str
    form: str
    colour: int


LINES = {
    ("message passing", "bayes"): Line("message passing (Bayes)", "o--", 0),
    ("message passing", "vote"): Line("message passing", "o-", 0),
    ("RBF SVM", "predict"): Line("RBF SVM", "s-", 1),
    ("logistic regression", "predict"): Line("logistic regression", "^-", 2),
}
PUBLISHED = Line("BeMi, published", "D:", 3)


class Theme(NamedTuple):
    """Colours of the text, the grid and the lines; the background is the page's."""

    ink: str
    grid: str
    colours: tuple[str, ...]


# As in the reports.
THEMES = {
    "light": Theme("#1b1f23", "#d9dde2", ("#0072b2", "#b3589a", "#d55e00", "#a0522d")),
    "dark": Theme("#e6e8ea", "#343a40", ("#5cb3ea", "#e296cd", "#ff8f4a", "#d99b7a")),
}


def style(theme: Theme) -> dict:
    """Matplotlib's settings; a fixed salt, so that the same rows give the same file."""
    ink = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return dict.fromkeys(ink, theme.ink) | {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": "medium",
        "font.size": 11,
        "grid.color": theme.grid,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "legend.handlelength": 1.8,
        "svg.fonttype": "none",
        "svg.hashsalt": "mpnn",
    }


def draw_panel(axes: Axes, lines: list[Series], dataset: str, shots: list[int], theme: Theme) -> None:
    """Accuracy against shots, with 95% intervals of the mean as bands, beside what is published."""
    for series in lines:
        line = LINES.get((series.name, series.prediction))
        if line is None:
            continue
        sums = [summarize([100 * value for value in series.values(count)]) for count in shots]
        means = [found.mean for found in sums]
        widths = [found.half_width or 0.0 for found in sums]
        colour = theme.colours[line.colour]
        axes.plot(shots, means, line.form, color=colour, label=line.label, markersize=5)
        low, high = zip(*((mean - w, mean + w) for mean, w in zip(means, widths, strict=True)), strict=True)
        axes.fill_between(shots, low, high, color=colour, alpha=0.15, linewidth=0)
    published, colour = BEMI[dataset], theme.colours[PUBLISHED.colour]
    points = zip(*published.items(), strict=True)
    axes.plot(*points, PUBLISHED.form, color=colour, label=PUBLISHED.label, markersize=5)
    log_ticks(axes, sorted({*shots, *published}))
    axes.set(title=TITLES[dataset], xlabel="training images per class")
    axes.grid(axis="y")


def draw(rows: dict[str, list], theme: Theme) -> str:
    """Return the figure as SVG; ``rows`` by data set."""
    with matplotlib.rc_context(style(theme)):
        figure = Figure(figsize=(9.0, 4.2), layout="constrained")
        panels = figure.subplots(1, len(rows), sharey=True)
        for axes, (dataset, found) in zip(panels, rows.items(), strict=True):
            draw_panel(axes, list_series(found, dataset), dataset, list_shots(found, dataset), theme)
        panels[0].set_ylabel("test accuracy, %")
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=5, columnspacing=1.2, handletextpad=0.4)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def main() -> None:
    """Write both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders with results.jsonl")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments/figures"))
    arguments = parser.parse_args()
    rows = [row for folder in arguments.folders for row in read_rows(folder / "results.jsonl")]
    by_dataset = {name: [row for row in rows if row["dataset"] == name] for name in TITLES}
    missing = [name for name, found in by_dataset.items() if not found]
    if missing:
        parser.error(f"the folders have no rows of {', '.join(missing)}: give folders of comparisons on them")
    for name, theme in THEMES.items():
        (arguments.output / f"readme_{name}.svg").write_text(draw(by_dataset, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
