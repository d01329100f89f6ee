"""The report of an output folder: `report.html`, one self-contained page, and `report.md`."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import escape

from mpnn.atomic_files import write_atomically
from mpnn.compare.report import figures as plots
from mpnn.compare.report.checks import check_config, check_environments, check_row
from mpnn.compare.report.palette import Look, assign_looks
from mpnn.compare.report.sections import Drawn, Section, keep_figure, make_section
from mpnn.compare.report.series import list_series
from mpnn.compare.report.significance import p_text, rank_methods
from mpnn.data.cells import counted
from mpnn.runs.rows import Row, read_json, read_rows
from mpnn.runs.toml import ConfigError

__all__ = ["read_run", "write_report"]

# Figures that a page on several data sets opens with.
MOST_OPENERS = 2


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
    check_config(config, str(folder / "config.json"))
    for number, row in enumerate(rows, start=1):
        check_row(row, f"{folder / 'results.jsonl'}: row {number}")
    order = [method["name"] for method in config["methods"]]

    def place(row: Row) -> tuple[int, ...]:
        dataset = config["datasets"].index(row["dataset"])
        return order.index(row["name"]), dataset, row["shots"], row["draw"]

    try:
        return config, sorted(rows, key=place)
    except ValueError as error:
        raise ConfigError(
            f"{folder}: config.json and results.jsonl do not belong together ({error})"
        ) from error


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
    looks = assign_looks(config["methods"])
    drawn, kept = _names(config)
    environments = read_json(folder / "environments.json", default=[])
    check_environments(environments, str(folder / "environments.json"))
    shown = {name: looks[name] for name in drawn}
    clock = _seconds_field(rows, environments)
    sections = [
        make_section(folder, rows, shown, dataset, place, clock) for place, dataset in enumerate(datasets)
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
        "looks": looks,
        "look_of": _look_of(rows, looks),
        "sections": sections,
        "openers": _openers(sections),
        "ranks": _ranks(folder, rows, config, looks),
    }
    _write_template(folder / "report.md", "report.md.jinja", context)
    return _write_template(folder / "report.html", "report.html.jinja", context)


def _openers(sections: Sequence[Section]) -> list[Drawn]:
    """Return the figures that the page opens with: those of one data set, or the first of each of several."""
    if len(sections) == 1:
        return list(sections[0].opening)
    return [section.opening[0] for section in sections if section.opening][:MOST_OPENERS]


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


def _look_of(rows: Sequence[Row], looks: Mapping[str, Look]) -> dict[str, Look]:
    """Return the look of each line of the tables by its label."""
    return {
        series.label: looks[series.name]
        for dataset in {row["dataset"] for row in rows}
        for series in list_series(rows, dataset)
    }


def _ranks(
    folder: Path, rows: Sequence[Row], config: dict[str, Any], looks: Mapping[str, Look]
) -> tuple[Drawn, str] | None:
    """Draw average ranks over all data sets, with what can be said of them; None of too little."""
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
    return keep_figure(folder, "ranks", caption, plots.ranks_figure(looks, ranking)), text


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
    environment.filters["plain"] = _markdown_text
    environment.filters["counted"] = counted
    write_atomically(path, environment.get_template(template).render(context).encode())
    return path


def _markdown_text(text: Any) -> str:
    """Return text that is neither HTML nor markup in a cell or a heading of Markdown."""
    plain = str(escape(str(text))).replace("&#39;", "'").replace("&#34;", '"').replace("\n", " ")
    return re.sub(r"([|*`\\\[\]])", r"\\\1", plain)
