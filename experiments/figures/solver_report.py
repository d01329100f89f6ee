"""Tables and the figure of docs/experiments/solvers.md from the rows of finished comparisons.

mpnn compare configs/compare/bemi_mnist.toml            # and the other configs that the page names
python -m experiments.figures.solver_report runs
python -m experiments.figures.solver_report results \\
    --figure docs/experiments/figures/accuracy_against_time.svg
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from mpnn.compare.report import tables as tables_of_report
from mpnn.runs.rows import read_rows

NAMES = (
    "bemi_mnist",
    "bemi_mnist_1_8",
    "bemi_mnist_levels",
    "bemi_digits",
    "bemi_mnist_ensemble",
    "bemi_mnist_ensemble_long",
    "heart",
    "adult",
    "toro_icarte_mnist",
    "bdnn_tabular",
)


def read(folder: Path, name: str) -> dict[str, list[dict]]:
    """Rows of a comparison by the name of the method, in the order of the config."""
    found = defaultdict(list)
    for row in read_rows(folder / name / "results.jsonl"):
        found[row["name"]].append(row)
    return found


def accuracy(rows: list[dict], prediction: str) -> np.ndarray:
    """Test accuracies in percent, without failed fits."""
    return 100 * np.array([row["scores"][prediction]["accuracy"] for row in rows if not row["error"]])


def main_prediction(rows: list[dict]) -> str:
    """The discrete weights' vote, or the one prediction that a multi-class method has."""
    done = [row for row in rows if not row["error"]]
    names = list(done[0]["scores"]) if done else []
    return next((name for name in ("vote", "argmax", "predict") if name in names), "vote")


def spread(values: np.ndarray) -> str:
    """Mean and standard deviation over draws."""
    if not len(values):
        return "–"
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def accuracy_table(folder: Path, name: str) -> None:
    """Accuracy by data set and shots; seconds and zero weights at the last of these."""
    methods = read(folder, name)
    if not methods:
        return
    problems = list(
        dict.fromkeys((row["dataset"], row["shots"]) for rows in methods.values() for row in rows)
    )
    heads = [f"{dataset}, {shots} a class" for dataset, shots in problems]
    print(f"\n### {name}\n")
    print("| method | " + " | ".join(heads) + " | seconds | processor's | zero weights | failed |")
    print("| --- |" + " ---: |" * (len(problems) + 4))
    for method, rows in methods.items():
        prediction = main_prediction(rows)
        groups = [[r for r in rows if (r["dataset"], r["shots"]) == problem] for problem in problems]
        cells = [spread(accuracy(group, prediction)) for group in groups]
        last = [r for r in groups[-1] if not r["error"]]
        # the first run of a shape compiles; where there is another, it is timed
        last = [r for r in last if not r["cold"]] or last
        for key in ("train_seconds", "train_cpu_seconds"):
            cells.append(f"{np.median([r[key] for r in last]):.2g}" if last else "–")
        removed = [r["links_removed"]["all"] for r in last if r.get("links_removed")]
        cells.append(f"{100 * np.mean(removed):.0f} %" if removed else "–")
        cells.append(str(sum(bool(r["error"]) for r in rows) or ""))
        print(f"| {method} | " + " | ".join(cells) + " |")


def robustness_table(folder: Path, name: str) -> None:
    """Accuracy on disturbed inputs, a table a data set, where the config asks for them."""
    rows = [row for group in read(folder, name).values() for row in group if not row["error"]]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        groups = defaultdict(list)
        for row in rows:
            if row["dataset"] == dataset:
                groups[row["name"]].append(row["scores"][main_prediction([row])])
        names = list(next(iter(groups.values()))[0].get("robustness", {}))
        if not names:
            continue
        print(f"\n#### {name}: {dataset} on disturbed inputs\n")
        print("| method | as they are | " + " | ".join(names) + " |")
        print("| --- |" + " ---: |" * (len(names) + 1))
        for method, scores in groups.items():
            columns = [[score["accuracy"] for score in scores]]
            columns += [[score["robustness"][disturbance] for score in scores] for disturbance in names]
            print(f"| {method} | " + " | ".join(spread(100 * np.array(column)) for column in columns) + " |")


def stage_table(folder: Path, name: str) -> None:
    """What BeMi's stages did at the most shots: means over draws and networks."""
    rows = [row for rows in read(folder, name).values() for row in rows if "stages" in row]
    if not rows:
        return
    shots = max(row["shots"] for row in rows)
    methods = defaultdict(list)
    for row in rows:
        if row["shots"] == shots:
            methods[row["name"]].append(row["stages"])
    print(f"\n#### stages of {name}, {shots} a class\n")
    heads = "proved | start | objective | bound | gap, % | first solution, s | kept | non-zero"
    print(f"| method | stage | {heads} |")
    print("| --- | --- |" + " ---: |" * 8)
    for method, fits in methods.items():
        for stage in fits[0]:
            found = [fit[stage] for fit in fits if stage in fit]
            total = sum(sum(one["statuses"].values()) for one in found)
            proved = sum(one["statuses"].get("optimal", 0) for one in found)
            columns = (("start_objective", 0), ("objective", 0), ("bound", 0), ("gap", 0, 100))
            columns += (("first_seconds", 2), ("kept", 1), ("nonzero", 0))
            cells = [method, stage, f"{proved} of {total}", *(mean(found, *column) for column in columns)]
            print("| " + " | ".join(cells) + " |")


def mean(stages: list[dict], key: str, digits: int, factor: float = 1.0) -> str:
    """Mean of one value, times a factor, over stages that have it."""
    values = [factor * stage[key] for stage in stages if stage[key] is not None]
    return f"{np.mean(values):.{digits}f}" if values else "–"


def label_status_table(folder: Path, name: str) -> None:
    """Shares of the label statuses of votes among more than two classes."""
    rows = [row for group in read(folder, name).values() for row in group if not row["error"]]
    table = tables_of_report.label_status_table(rows, rows[0]["dataset"]) if rows else None
    if table is None or not any(cell.value for cells in table.rows for cell in cells[2:-1]):
        return
    print(f"\n#### {table.title}\n")
    print("| " + " | ".join(table.columns) + " |")
    print("| --- |" + " ---: |" * (len(table.columns) - 1))
    for cells in table.rows:
        print("| " + " | ".join(cell.text for cell in cells) + " |")


def tables(folder: Path) -> None:
    """Print the tables of every comparison."""
    for name in NAMES:
        accuracy_table(folder, name)
        label_status_table(folder, name)
        robustness_table(folder, name)
        stage_table(folder, name)


def figure(folder: Path, path: Path) -> None:
    """Accuracy against training time, one point a method, on the same draws."""
    import matplotlib

    matplotlib.use("svg")
    # the same file every time
    matplotlib.rcParams["svg.hashsalt"] = "mpnn"
    from matplotlib import pyplot as plt

    panels = [
        ("bemi_mnist", 10, "MNIST 4 vs 9, 10 images each, 5 draws"),
        ("bemi_mnist_1_8", 10, "MNIST 1 vs 8, 10 images each, 3 draws"),
        ("bemi_digits", 10, "digits, 45 pairs, 10 images a class"),
    ]
    canvas, axes = plt.subplots(len(panels), 1, figsize=(9.5, 5.5 * len(panels)))
    for axis, (name, shots, title) in zip(axes, panels, strict=True):
        for number, (method, rows) in enumerate(read(folder, name).items(), start=1):
            done = [r for r in rows if r["shots"] == shots and not r["error"]]
            if not done:
                continue
            values = accuracy(done, main_prediction(done))
            # the first run of a shape compiles
            seconds = np.median([r["train_seconds"] for r in done if not r["cold"] or len(done) == 1])
            color = "C0" if method.startswith("message passing") else "0.35"
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            label = f"{number}  {method}"
            axis.errorbar(seconds, values.mean(), error, fmt="o", color=color, ms=4, lw=0.8, label=label)
            axis.annotate(
                str(number), (seconds, values.mean()), (4, 4), textcoords="offset points", fontsize=8
            )
        axis.set_xscale("log")
        axis.set_xlabel("seconds of training, median over draws; without the run that compiles")
        axis.set_ylabel("test accuracy, %, with its standard error")
        axis.set_title(title)
        axis.grid(alpha=0.3)
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, markerscale=0, handlelength=0)
    canvas.tight_layout()
    canvas.savefig(path, metadata={"Date": None})


def main() -> None:
    """Parse `FOLDER [--figure FILE]`, print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder that holds NAME/results.jsonl")
    parser.add_argument("--figure", type=Path, help="where to draw accuracy against time")
    given = parser.parse_args()
    tables(given.folder)
    if given.figure:
        figure(given.folder, given.figure)


if __name__ == "__main__":
    main()
