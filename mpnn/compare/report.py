"""The report of an output folder: `report.html`, one self-contained page, and `report.md`."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader

from mpnn.compare import plots
from mpnn.compare.config import ConfigError
from mpnn.compare.pictures import Confusion, WeightPictures, read_confusion, read_weights
from mpnn.compare.results import Row, read_json, read_rows, write_atomically
from mpnn.compare.statistics import Series, list_series
from mpnn.compare.tables import (
    Table,
    cost_table,
    headline_table,
    label_status_table,
    paired_table,
    robustness_table,
)

__all__ = ["Section", "read_run", "write_report"]


class Section(NamedTuple):
    """What the report says about one data set."""

    dataset: str
    headline: Table
    tables: tuple[Table, ...]
    figures: tuple[tuple[str, str], ...]
    confusion: Confusion | None
    weights: WeightPictures | None


def read_run(folder: str | Path) -> tuple[dict[str, Any], list[Row]]:
    """Return the resolved config and the rows of an output folder, methods in the config's order."""
    folder = Path(folder)
    config = read_json(folder / "config.json")
    rows = read_rows(folder / "results.jsonl")
    if config is None or not rows:
        raise ConfigError(f"{folder} holds no results; name the output folder of an `mpnn compare`")
    order = [method["name"] for method in config["methods"]]
    return config, sorted(rows, key=lambda row: order.index(row["name"]))


def write_report(folder: str | Path) -> Path:
    """Write `report.html`, `report.md` and `plots/`; return the path of the page."""
    folder = Path(folder)
    config, rows = read_run(folder)
    datasets = dict.fromkeys(row["dataset"] for row in rows)
    sections = [_section(folder, rows, dataset) for dataset in datasets]
    context = {
        "config": config,
        "config_text": json.dumps(config, indent=2),
        "environments": read_json(folder / "environments.json", default=[]),
        "num_rows": len(rows),
        "num_missing": _num_asked(config) - len(rows),
        "num_errors": sum(bool(row["error"]) for row in rows),
        "problems": _problems(rows),
        "sections": sections,
    }
    _write_template(folder / "report.md", "report.md.jinja", context)
    return _write_template(folder / "report.html", "report.html.jinja", context)


def _num_asked(config: dict[str, Any]) -> int:
    """Count the rows of the whole config; in older ones, methods do not choose data sets."""
    problems = 0
    for method in config["methods"]:
        shots = set(config["shots"]) & set(method["shots"] or config["shots"])
        datasets = set(config["datasets"]) & set(method.get("datasets") or config["datasets"])
        problems += len(shots) * len(datasets)
    return config["draws"] * problems


def _section(folder: Path, rows: Sequence[Row], dataset: str) -> Section:
    lines = list_series(rows, dataset)
    tables = [
        paired_table(rows, dataset),
        robustness_table(rows, dataset),
        cost_table(rows, dataset) if lines else None,
        label_status_table(rows, dataset),
    ]
    voter = next((series for series in lines if series.prediction == "vote"), None)
    return Section(
        dataset,
        headline_table(rows, dataset),
        tuple(table for table in tables if table),
        _figures(folder, lines, dataset) if lines else (),
        read_confusion(voter, folder) if voter else None,
        read_weights(voter, folder) if voter else None,
    )


def _figures(folder: Path, lines: Sequence[Series], dataset: str) -> tuple[tuple[str, str], ...]:
    """Draw the figures, keep each as PNG for the Markdown, and return (caption, SVG) for the page."""
    drawn = [
        ("accuracy", "Accuracy against shots; bands are 95% intervals", plots.accuracy_figure(lines)),
        ("seconds", "Accuracy against training time; points are shots", plots.seconds_figure(lines)),
    ]
    for name, _, figure in drawn:
        write_atomically(folder / "plots" / f"{dataset}_{name}.png", plots.render_png(figure))
    return tuple(
        (f"{dataset}: {caption}", plots.render_svg(figure, f"{dataset}_{name}"))
        for name, caption, figure in drawn
    )


def _problems(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """Count each error and each warning of each method."""
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        texts = ([row["error"]] if row["error"] else []) + row["warnings"]
        found.update((row["name"], text) for text in texts)
    return [(name, text, count) for (name, text), count in sorted(found.items())]


def _write_template(path: Path, template: str, context: dict[str, Any]) -> Path:
    environment = Environment(
        loader=PackageLoader("mpnn.compare"),
        autoescape=template.endswith(".html.jinja"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pipe"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    write_atomically(path, environment.get_template(template).render(context).encode())
    return path
