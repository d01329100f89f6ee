"""The report of an output folder: `report.html`, one self-contained page, and `report.md`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from mpnn.atomic_files import write_atomically
from mpnn.compare.report import figures as plots
from mpnn.compare.report.artifacts import (
    Confusion,
    WeightPictures,
    read_confusion,
    read_reliability,
    read_weights,
)
from mpnn.compare.report.figure_style import render_png, render_svg
from mpnn.compare.report.paired_tables import overall_table, paired_table
from mpnn.compare.report.series import Series, list_series
from mpnn.compare.report.significance import p_text, rank_methods
from mpnn.compare.report.tables import (
    Table,
    cost_table,
    headline_table,
    label_status_table,
    model_table,
    robustness_table,
)
from mpnn.runs.rows import Row, read_json, read_rows
from mpnn.runs.toml import ConfigError

__all__ = ["Section", "read_run", "write_report"]

# Figures with more lines than this leave out the Bayesian predictions of all methods but the first.
MOST_LINES = 12


class Drawn(NamedTuple):
    """A figure in the page, and the file beside the Markdown that shows the same."""

    file: str
    caption: str
    svg: str


class Section(NamedTuple):
    """The report's section on one data set.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    headlines : tuple of Table
        The first tables of the section.
    tables : tuple of Table
        Tables of the section.
    figures : tuple of Drawn
        Figures of the section.
    confusions : tuple of Confusion
        Confusion matrices of the section.
    weights : tuple of WeightPictures
        Pictures of weights.
    """

    dataset: str
    headlines: tuple[Table, ...]
    tables: tuple[Table, ...]
    figures: tuple[Drawn, ...]
    confusions: tuple[Confusion, ...]
    weights: tuple[WeightPictures, ...]


def read_run(folder: str | Path) -> tuple[dict[str, Any], list[Row]]:
    """Return the resolved config and the rows of an output folder, in the config's order.

    Parameters
    ----------
    folder : str or path
        The folder.
    """
    folder = Path(folder)
    config = read_json(folder / "config.json")
    rows = read_rows(folder / "results.jsonl")
    if config is None or not rows:
        raise ConfigError(f"{folder} holds no results; name the output folder of an `mpnn compare`")
    order = [method["name"] for method in config["methods"]]

    def place(row: Row) -> tuple[int, ...]:
        dataset = config["datasets"].index(row["dataset"])
        return order.index(row["name"]), dataset, row["shots"], row["draw"]

    return config, sorted(rows, key=place)


def write_report(folder: str | Path) -> Path:
    """Write `report.html`, `report.md` and `plots/`; return the path of the page.

    Parameters
    ----------
    folder : str or path
        Output folder of a run.
    """
    folder = Path(folder)
    config, rows = read_run(folder)
    present = {row["dataset"] for row in rows}
    datasets = [name for name in config["datasets"] if name in present]
    drawn, kept = _names(config)
    environments = read_json(folder / "environments.json", default=[])
    sections = [
        _section(folder, rows, drawn, dataset, _seconds_field(rows, environments)) for dataset in datasets
    ]
    context = {
        "config": config,
        "origin": _origin(config, environments),
        "config_text": json.dumps(config, indent=2),
        "environments": environments,
        "num_rows": len(rows),
        "num_missing": _num_asked(config) - len(rows),
        "num_errors": sum(bool(row["error"]) for row in rows),
        "problems": _problems(rows),
        "not_drawn": kept,
        "sections": sections,
        "ranks": _ranks(folder, rows, config),
    }
    _write_template(folder / "report.md", "report.md.jinja", context)
    return _write_template(folder / "report.html", "report.html.jinja", context)


def _names(config: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the methods that figures show, and those that only tables do."""
    drawn = [method["name"] for method in config["methods"] if method.get("figures", True)]
    return drawn, [method["name"] for method in config["methods"] if method["name"] not in drawn]


def _num_asked(config: dict[str, Any]) -> int:
    """Count the rows of the whole config; in older ones, methods do not choose data sets or draws."""
    rows = 0
    for method in config["methods"]:
        shots = set(config["shots"]) & set(method["shots"] or config["shots"])
        datasets = set(config["datasets"]) & set(method.get("datasets") or config["datasets"])
        rows += len(shots) * len(datasets) * min(config["draws"], method.get("draws") or config["draws"])
    return rows


def _origin(config: dict[str, Any], environments: Sequence[dict[str, Any]]) -> str:
    """Name the config and the commits behind the rows."""
    commits = dict.fromkeys(run.get("git_commit") for run in environments)
    known = [commit for commit in commits if commit]
    return f"{config['name']}, commit {', '.join(known)}" if known else config["name"]


def _seconds_field(rows: Sequence[Row], environments: Sequence[dict[str, Any]]) -> str:
    """Return the fairest clock of all rows: the processor's, if it alone computed and every row has it."""
    only_cpu = all(run.get("device", "").endswith(" cpu") for run in environments)
    counted = all("train_cpu_seconds" in row for row in rows if not row["error"])
    return "train_cpu_seconds" if only_cpu and counted else "train_seconds"


def _section(folder: Path, rows: Sequence[Row], names: Sequence[str], dataset: str, clock: str) -> Section:
    lines = list_series(rows, dataset)
    headlines = [headline_table(rows, dataset), overall_table(rows, dataset, clock)]
    tables = [
        paired_table(rows, dataset),
        robustness_table(rows, dataset),
        *((cost_table(rows, dataset), model_table(rows, dataset)) if lines else ()),
        label_status_table(rows, dataset),
    ]
    curves = _curves(lines, names)
    voters = [series for series in curves if series.prediction == "vote"]
    return Section(
        dataset,
        tuple(table for table in headlines if table),
        tuple(table for table in tables if table),
        _figures(folder, lines, names, dataset, clock),
        tuple(found for series in curves if (found := read_confusion(series, folder))),
        tuple(shown for series in voters if (shown := read_weights(series, folder))),
    )


def _figures(
    folder: Path, lines: Sequence[Series], names: Sequence[str], dataset: str, clock: str
) -> tuple[Drawn, ...]:
    """Draw what the rows of a data set have: accuracy against this and that, and calibration."""
    curves = _curves(lines, names)
    if not curves:
        return ()
    shots = max(count for series in curves for count in series.rows)
    judged = [series for series in lines if series.name in names]
    bins = [(line, found) for line in judged if (found := read_reliability(line, folder)) is not None]
    most = f"at {shots} examples per class"
    drawn = [
        ("accuracy", "accuracy against shots; bands are 95% intervals", plots.accuracy_figure(names, curves)),
        (
            "seconds",
            "accuracy against training time; points are shots",
            plots.seconds_figure(names, curves, clock),
        ),
        ("links", "accuracy against links removed; points are shots", plots.links_figure(names, curves)),
        ("reliability", f"calibration {most}, draws together", plots.reliability_figure(names, bins)),
        ("noise", f"accuracy against input noise {most}", plots.robustness_figure(names, curves, "noise")),
        ("flips", f"accuracy against flips {most}", plots.robustness_figure(names, curves, "flips")),
        (
            "worst",
            f"accuracy under the worst change found {most}",
            plots.robustness_figure(names, curves, "worst"),
        ),
        ("certified", f"certified accuracy {most}", plots.robustness_figure(names, curves, "certified")),
    ]
    return tuple(
        _keep(folder, f"{dataset}_{kind}", f"{dataset}: {caption}", figure)
        for kind, caption, figure in drawn
        if figure is not None
    )


def _curves(lines: Sequence[Series], names: Sequence[str]) -> list[Series]:
    """Return what figures show; of too many lines, the Bayesian predictions of the first method only."""
    curves = [series for series in lines if series.name in names]
    if len(curves) <= MOST_LINES:
        return curves
    return [series for series in curves if series.prediction != "bayes" or series.name == curves[0].name]


def _ranks(folder: Path, rows: Sequence[Row], config: dict[str, Any]) -> tuple[Drawn, str] | None:
    """Draw average ranks over all data sets, with what can be said of them; None of too little."""
    drawn, kept = _names(config)
    fewer = {
        method["name"]
        for method in config["methods"]
        if (method.get("draws") or config["draws"]) < config["draws"]
    }
    ranking = rank_methods(rows, fewer)
    if ranking is None:
        return None
    caption = f"Average ranks over {ranking.num_blocks} blocks of data set, shots and draw; 1 is best"
    text = (
        f"Ranks of test accuracy within each draw; a failed fit has the last one. Friedman's test of equal "
        f"ranks: {p_text(ranking.p_value)}. Bars join methods whose ranks differ by less than "
        f"{ranking.critical_difference:.2f}, the critical difference of Nemenyi's test at 5%. The draws of "
        "one seed share examples between shots, and all draws share the test set, so blocks are not quite "
        "independent and both tests are too sure."
    )
    if ranking.left_out:
        text += f" Left out, for they do not run on everything: {', '.join(ranking.left_out)}."
    return _keep(folder, "ranks", caption, plots.ranks_figure([*drawn, *kept], ranking)), text


def _keep(folder: Path, name: str, caption: str, figure: Figure) -> Drawn:
    """Write the PNG for the Markdown, and return the SVG for the page."""
    file = f"plots/{name}.png"
    write_atomically(folder / file, render_png(figure))
    return Drawn(file, caption, render_svg(figure, name))


def _problems(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """Count each error and each warning of each method."""
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        texts = ([row["error"]] if row["error"] else []) + row["warnings"]
        found.update((row["name"], text) for text in texts)
    return [(name, text, count) for (name, text), count in sorted(found.items())]


def _write_template(path: Path, template: str, context: dict[str, Any]) -> Path:
    environment = Environment(
        loader=PackageLoader("mpnn.compare.report"),
        autoescape=template.endswith(".html.jinja"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pipe"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    write_atomically(path, environment.get_template(template).render(context).encode())
    return path
