"""The comparison itself: methods x data sets x shots x draws, one row per fitted model.

The output folder holds `config.json` (the resolved config), `results.jsonl` (the rows),
`environments.json` (one entry per start, `run` in a row points into it) and `artifacts/KEY.npz`
(confusion matrix of each row, weights of the first draw).
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mpnn.compare.config import CompareConfig
from mpnn.compare.methods.registry import check_methods
from mpnn.compare.run.cluster import Cluster, run_on_cluster
from mpnn.compare.run.fitting import Fitter
from mpnn.compare.run.jobs import DoneJobs, Job, list_jobs, open_dataset
from mpnn.compare.run.workers import run_in_processes
from mpnn.data import Dataset
from mpnn.runs.environment import describe_environment
from mpnn.runs.rows import (
    Results,
    Row,
    lock_folder,
    open_results,
    read_json,
    read_rows,
    write_json,
)
from mpnn.runs.toml import ConfigError, to_jsonable

__all__ = ["Listener", "run_comparison"]

# What a run leaves in its folder; --fresh removes these and nothing else.
_OUTPUTS = ("config.json", "results.jsonl", "environments.json", "report.md", "report.html")
_OUTPUT_FOLDERS = ("artifacts", "plots", "cluster")

Listener = Callable[[Job, Row | None], None]


def run_comparison(
    config: CompareConfig,
    output: str | Path,
    *,
    fresh: bool = False,
    retry_errors: bool = False,
    workers: int = 1,
    cluster: Cluster | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> list[Row]:
    """Fit and judge what the output folder does not hold yet.

    Parameters
    ----------
    config : CompareConfig
        What to compare.
    output : str or path
        The folder. Rows it already holds are kept, if this config asks for each of them; so a run resumes,
        and a config may grow.
    fresh : bool, default=False
        Remove the results of earlier runs first.
    retry_errors : bool, default=False
        Compute the rows of methods that failed again.
    workers : int, default=1
        Jobs at once, each in a process of its own; 1: one after the other in this process. Rows are the same
        but for their times, and come in the order in which they are done.
    cluster : Cluster or None, default=None
        Submit each job to a cluster, `workers` of them at once; None: this machine.
    command : str, default=""
        What the report names as the command that made it.
    listener : Listener or None, default=None
        Called with (job, None) before a job and with (job, row) after it; resumed rows come first.

    Returns
    -------
    list of dict
        The rows of the config, in the order of `list_jobs`.
    """
    check_methods(config)
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    output = Path(output)
    jobs = list_jobs(config)
    datasets = {name: open_dataset(name, config) for name in config.datasets}
    with lock_folder(output):
        if fresh:
            _remove_results(output)
        _check_folder(output, jobs)
        with open_results(output / "results.jsonl", retry_errors=retry_errors) as results:
            write_json(output / "config.json", to_jsonable(config))
            _tell_resumed(results, jobs, listener)
            missing = [job for job in jobs if job.key not in results.keys]
            if missing:
                run = _record_environment(output, command, workers, datasets)
                artifacts, started = output / "artifacts", _announce(listener)
                if cluster is not None:
                    done = run_on_cluster(missing, config, artifacts, workers, cluster, started)
                elif workers > 1:
                    done = run_in_processes(missing, config, artifacts, workers, started)
                else:
                    done = _run_here(missing, Fitter(datasets.__getitem__, artifacts), started)
                _collect(done, results, run, listener)
            rows = {row["key"]: row for row in results.rows}
            return [rows[job.key] for job in jobs]


def _collect(done: DoneJobs, results: Results, run: int, listener: Listener | None) -> None:
    """Write each row as it comes; whatever stops this also stops the jobs."""
    with closing(done):
        for job, row in done:
            if "unwritten" in row:
                raise OSError(*row["unwritten"])
            row["run"] = run
            results.append(row)
            if listener:
                listener(job, row)


def _announce(listener: Listener | None) -> Callable[[Job], None]:
    return lambda job: listener(job, None) if listener else None


def _run_here(jobs: list[Job], fit: Fitter, started: Callable[[Job], None]) -> DoneJobs:
    """Fit one job after the other in this process."""
    for job in jobs:
        started(job)
        yield job, fit(job)


def _check_folder(output: Path, jobs: list[Job]) -> None:
    asked = {job.key: job for job in jobs}
    rows = read_rows(output / "results.jsonl")
    strange = [row for row in rows if row["key"] not in asked]
    _refuse(output, strange, "of a different config")
    outdated = [row for row in rows if row.get("defaults") != asked[row["key"]].defaults]
    _refuse(output, outdated, "measured with other defaults of their methods, or before these were recorded")


def _refuse(output: Path, rows: list[Row], why: str) -> None:
    if rows:
        first = rows[0]
        raise ConfigError(
            f"{output} holds {len(rows)} results {why} (for instance {first['name']!r}, "
            f"{first['shots']} shots, draw {first['draw']}); use another --output, or --fresh to remove them"
        )


def _remove_results(output: Path) -> None:
    for name in _OUTPUTS:
        (output / name).unlink(missing_ok=True)
    for name in _OUTPUT_FOLDERS:
        shutil.rmtree(output / name, ignore_errors=True)


def _record_environment(output: Path, command: str, workers: int, datasets: dict[str, Dataset]) -> int:
    """Add this start to the list of starts, and return its place there."""
    path = output / "environments.json"
    runs = read_json(path, default=[])
    data = {f"data: {name}": _describe_dataset(dataset) for name, dataset in datasets.items()}
    write_json(path, [*runs, {"command": command, **describe_environment(), "workers": workers, **data}])
    return len(runs)


def _describe_dataset(dataset: Dataset) -> str:
    sizes = f"{len(dataset.x_train)} training and {len(dataset.x_test)} test examples"
    return f"{sizes}; {dataset.note}" if dataset.note else sizes


def _tell_resumed(results: Results, jobs: list[Job], listener: Listener | None) -> None:
    rows = {row["key"]: row for row in results.rows}
    for job in jobs:
        if listener and job.key in rows:
            listener(job, rows[job.key])
