"""`mpnn compare`."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console

from mpnn.cli.activity import activity
from mpnn.cli.arguments import OVERRIDES
from mpnn.cli.comparison_progress import print_table, progress
from mpnn.cli.console import print_error, print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.options import Compare
from mpnn.cli.parameters import assignments
from mpnn.compare.config import CompareConfig
from mpnn.compare.config_files import load_config, override_params, split_by_needs
from mpnn.compare.report.answer import find_answer
from mpnn.compare.report.page import read_run, write_report
from mpnn.compare.report.tables import headline_table
from mpnn.compare.run.engine import run_comparison
from mpnn.compare.run.jobs import list_jobs, open_dataset
from mpnn.runs.toml import ConfigError, unknown_name

__all__ = ["run"]


def run(command: Compare, arguments: list[str], console: Console) -> int:
    """Fit and judge what the folder does not hold yet, and write its report; 1 where every row failed."""
    config, missing = split_by_needs(_overridden(load_config(command.config), command))
    for method in missing:
        print_line(console, f"{method.name}: left out, for {method.needs} is not installed")
    _tell_doubts(config, console)
    output = command.output or Path("runs") / config.name
    _compare(config, output, command, arguments, console)
    with activity("writing the report"):
        page = write_report(output)
    rows = read_run(output)[1]
    for dataset in config.datasets:
        print_table(console, headline_table(rows, dataset))
    for dataset in config.datasets:
        if answer := find_answer(rows, dataset):
            print_line(console, answer.sentence)
    print_line(console, f"Report: {page}")
    if rows and all(row["error"] for row in rows):
        print_error(f"every row failed; the first says: {rows[0]['error']}")
        return 1
    return 0


def _tell_doubts(config: CompareConfig, console: Console) -> None:
    """Read the files once, and print what looks wrong in them before anything is fitted."""
    for name in config.datasets:
        if name in config.files:
            with activity(f"reading {config.files[name].file}"):
                dataset = in_background(open_dataset, name, config)
            if dataset.note:
                print_line(console, f"{name}: {dataset.note}")


def _compare(
    config: CompareConfig, output: Path, command: Compare, arguments: list[str], console: Console
) -> None:
    with progress(console, len(list_jobs(config))) as listener:
        options = {
            "fresh": command.fresh,
            "retry_errors": command.retry_errors,
            "workers": command.workers,
            "cluster": _cluster(command),
            "command": shlex.join(["mpnn", *arguments]),
            "listener": listener,
        }
        if command.workers == 1 and command.cluster is None:
            # rows and arrays are safe against a kill at any moment; other processes have to be ended
            in_background(lambda: run_comparison(config, output, **options))
        else:
            run_comparison(config, output, **options)


def _overridden(config: CompareConfig, command: Compare) -> CompareConfig:
    """Return the config with what the command line says instead."""
    config = dataclasses.replace(config, **{key: getattr(command, key) for key in OVERRIDES})
    if command.only:
        known = [method.name for method in config.methods]
        for name in command.only:
            if name not in known:
                raise ConfigError(unknown_name("method", name, known, "--only"))
        chosen = tuple(method for method in config.methods if method.name in command.only)
        config = dataclasses.replace(config, methods=chosen)
    return override_params(config, command.set)


def _cluster(command: Compare) -> Any:
    """Return where jobs go, None for this machine."""
    if command.cluster is None:
        if command.cluster_set:
            raise ConfigError("--cluster-set needs --cluster PARTITION")
        return None
    from mpnn.compare.run.cluster import Cluster

    return Cluster(command.cluster, assignments(command.cluster_set, "timeout_min=60"))
