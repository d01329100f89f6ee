"""The comparison itself: methods x data sets x shots x draws, one row per fitted model.

The output folder holds `config.json` (the resolved config), `results.jsonl` (the rows),
`environments.json` (one entry per start, `run` in a row points into it) and `artifacts/KEY.npz`
(confusion matrix of each row, weights of the first draw).
"""

import io
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from mpnn.compare.config import CompareConfig, ConfigError, MethodConfig, Robustness, to_jsonable
from mpnn.compare.contract import Evaluation, Task
from mpnn.compare.environment import describe_environment
from mpnn.compare.methods import METHODS, check_methods
from mpnn.compare.metrics import confusion_matrix
from mpnn.compare.results import (
    Results,
    Row,
    lock_folder,
    open_results,
    read_json,
    read_rows,
    row_key,
    write_atomically,
    write_json,
)
from mpnn.compare.robustness import robustness_scores
from mpnn.data import Dataset, load_dataset, sample_few_shot

__all__ = ["Job", "Listener", "list_jobs", "run_comparison"]

# What a run leaves in its folder; --fresh removes these and nothing else.
_OUTPUTS = ("config.json", "results.jsonl", "environments.json", "report.md", "report.html")
_OUTPUT_FOLDERS = ("artifacts", "plots")


@dataclass(frozen=True)
class Job:
    """One model to fit: a method on one draw of one data set."""

    method: MethodConfig
    dataset: str
    shots: int
    draw: int
    seed: int
    test_limit: int | None
    classes: tuple[int, ...] | None = None
    robustness: Robustness | None = None

    @property
    def key(self) -> str:
        """The key of the job's row: a hash of all that decides it."""
        identity = to_jsonable(asdict(self))
        for name in ("shots", "datasets"):  # which rows there are, not what one row holds
            del identity["method"][name]
        for name in ("classes", "robustness"):
            if identity[name] is None:
                del identity[name]
        return row_key(identity)


Listener = Callable[[Job, Row | None], None]


def list_jobs(config: CompareConfig) -> list[Job]:
    """Return the jobs in the order they run: all methods of one draw follow each other."""
    return [
        Job(
            method,
            dataset,
            shots,
            draw,
            config.seed + draw,
            config.test_limit,
            config.classes,
            config.robustness,
        )
        for dataset in config.datasets
        for shots in config.shots
        for draw in range(config.draws)
        for method in config.methods
        if shots in (method.shots or config.shots) and dataset in (method.datasets or config.datasets)
    ]


def run_comparison(
    config: CompareConfig,
    output: str | Path,
    *,
    fresh: bool = False,
    retry_errors: bool = False,
    command: str = "",
    listener: Listener | None = None,
) -> list[Row]:
    """Fit and judge what the output folder does not hold yet.

    Parameters
    ----------
    config
        What to compare.
    output
        The folder. Rows it already holds are kept, if this config asks for each of them; so a run
        resumes, and a config may grow.
    fresh
        Remove the results of earlier runs first.
    retry_errors
        Compute the rows of methods that failed again.
    command
        What the report names as the command that made it.
    listener
        Called with (job, None) before a job and with (job, row) after it; resumed rows come first.

    Returns
    -------
    list of dict
        The rows of the config, in the order of `list_jobs`.
    """
    check_methods(config)
    output = Path(output)
    jobs = list_jobs(config)
    datasets = {name: _load(name, config) for name in config.datasets}
    with lock_folder(output):
        if fresh:
            _remove_results(output)
        _check_folder(output, jobs)
        with open_results(output / "results.jsonl", retry_errors=retry_errors) as results:
            write_json(output / "config.json", to_jsonable(config))
            _tell_resumed(results, jobs, listener)
            if any(job.key not in results.keys for job in jobs):
                run = _record_environment(output, command, datasets)
                _run_jobs(_open_jobs(jobs, datasets, results), results, run, output / "artifacts", listener)
            rows = {row["key"]: row for row in results.rows}
            return [rows[job.key] for job in jobs]


def _run_jobs(
    work: Iterator[tuple[Job, Task]],
    results: Results,
    run: int,
    artifacts: Path,
    listener: Listener | None,
) -> None:
    """Fit and judge one job after the other; the first of each shape is cold: it may compile."""
    seen: set[tuple[str, str, int]] = set()
    for job, task in work:
        if listener:
            listener(job, None)
        shape = (job.method.name, job.dataset, job.shots)
        row = _fit_row(job, task, artifacts) | {"cold": shape not in seen, "run": run}
        seen.add(shape)
        results.append(to_jsonable(row))
        if listener:
            listener(job, row)


def _load(name: str, config: CompareConfig) -> Dataset:
    """Load a data set with flat features, and check that it has enough examples."""
    try:
        dataset = load_dataset(name)
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot load the data set {name!r}: {error}") from error
    if config.classes is not None:
        dataset = _only_classes(dataset, config.classes)
    smallest = int(np.min(np.unique(dataset.y_train, return_counts=True)[1]))
    if max(config.shots) > smallest:
        raise ConfigError(
            f"{name} has only {smallest} training examples of its rarest class; "
            f"shots must not exceed that, got {max(config.shots)}"
        )
    return dataset


def _only_classes(dataset: Dataset, classes: tuple[int, ...]) -> Dataset:
    unknown = sorted(set(classes) - set(dataset.y_train.tolist()))
    if unknown:
        raise ConfigError(f"{dataset.name} has no class {unknown[0]!r}; leave it out of classes")
    train, test = (np.isin(labels, classes) for labels in (dataset.y_train, dataset.y_test))
    return replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_test[test],
        y_test=dataset.y_test[test],
    )


def _check_folder(output: Path, jobs: list[Job]) -> None:
    asked = {job.key for job in jobs}
    strange = [row for row in read_rows(output / "results.jsonl") if row["key"] not in asked]
    if strange:
        raise ConfigError(
            f"{output} holds {len(strange)} results of a different config (for instance "
            f"{strange[0]['name']!r}, {strange[0]['shots']} shots, draw {strange[0]['draw']}); "
            "use another --output, or --fresh to remove them"
        )


def _remove_results(output: Path) -> None:
    for name in _OUTPUTS:
        (output / name).unlink(missing_ok=True)
    for name in _OUTPUT_FOLDERS:
        shutil.rmtree(output / name, ignore_errors=True)


def _record_environment(output: Path, command: str, datasets: dict[str, Dataset]) -> int:
    """Add this start to the list of starts, and return its place there."""
    path = output / "environments.json"
    runs = read_json(path, default=[])
    data = {f"data: {name}": _describe_dataset(dataset) for name, dataset in datasets.items()}
    write_json(path, [*runs, {"command": command, **describe_environment(), **data}])
    return len(runs)


def _describe_dataset(dataset: Dataset) -> str:
    sizes = f"{len(dataset.x_train)} training and {len(dataset.x_test)} test examples"
    return f"{sizes}; {dataset.note}" if dataset.note else sizes


def _tell_resumed(results: Results, jobs: list[Job], listener: Listener | None) -> None:
    rows = {row["key"]: row for row in results.rows}
    for job in jobs:
        if listener and job.key in rows:
            listener(job, rows[job.key])


def _open_jobs(jobs: list[Job], datasets: dict[str, Dataset], results: Results) -> Iterator[tuple[Job, Task]]:
    """Yield the jobs without a row, each with its draw; a draw is sampled once for all methods."""
    draw: tuple[str, int, int] | None = None
    for job in jobs:
        if job.key in results.keys:
            continue
        if draw != (job.dataset, job.shots, job.draw):
            draw = (job.dataset, job.shots, job.draw)
            task = _make_task(datasets[job.dataset], job)
        yield job, task


def _make_task(dataset: Dataset, job: Job) -> Task:
    x_train, y_train = sample_few_shot(dataset.x_train, dataset.y_train, per_class=job.shots, seed=job.seed)
    x_test, y_test = dataset.x_test.reshape(len(dataset.x_test), -1), dataset.y_test
    if job.test_limit is not None and job.test_limit < len(x_test):
        # The same test examples for every draw: a choice of the comparison, not of the draw.
        first_seed = job.seed - job.draw
        chosen = np.random.default_rng(first_seed).permutation(len(x_test))[: job.test_limit]
        x_test, y_test = x_test[chosen], y_test[chosen]
    return Task(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        image_shape=dataset.image_shape,
        input_scale=max(float(dataset.x_train.max()), -float(dataset.x_train.min())) or 1.0,
        seed=job.seed,
        keep_weights=job.draw == 0,
    )


def _fit_row(job: Job, task: Task, artifacts: Path) -> Row:
    """Fit and judge one model; an exception becomes the row's error."""
    row: Row = {
        "key": job.key,
        "name": job.method.name,
        "method": job.method.method,
        "params": to_jsonable(job.method.params),
        "dataset": job.dataset,
        "shots": job.shots,
        "draw": job.draw,
        "seed": job.seed,
        "num_train": len(task.x_train),
        "num_test": len(task.x_test),
        "error": None,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for developers_only in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", developers_only)
        try:
            row |= _fit_and_judge(job, task, artifacts)
        except Exception as error:
            row |= {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    texts = [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    return row | {"warnings": list(dict.fromkeys(texts))}


def _fit_and_judge(job: Job, task: Task, artifacts: Path) -> dict[str, Any]:
    method = METHODS[job.method.method]
    model = method.build(job.method.params, task)
    start, cpu_start = perf_counter(), process_time()
    model.fit(task.x_train, task.y_train)
    # The processor's seconds, of all threads, tell a slow method from a busy machine.
    seconds = {"train_seconds": perf_counter() - start, "train_cpu_seconds": process_time() - cpu_start}
    evaluation = method.evaluate(model, task)
    scores = _add_accuracy(evaluation, task)
    if job.robustness is not None:
        for name, accuracies in robustness_scores(method, model, task, job.robustness).items():
            scores[name]["robustness"] = accuracies
    _write_arrays(artifacts / f"{job.key}.npz", evaluation, task)
    return {**seconds, "scores": scores, **evaluation.facts}


def _add_accuracy(evaluation: Evaluation, task: Task) -> dict[str, dict[str, Any]]:
    return {
        name: {"accuracy": float(np.mean(evaluation.predictions[name] == task.y_test)), **score}
        for name, score in evaluation.scores.items()
    }


def _write_arrays(path: Path, evaluation: Evaluation, task: Task) -> None:
    classes = np.unique(task.y_train)
    arrays: dict[str, Any] = {"classes": classes.astype(str)} | {
        f"confusion_{name}": confusion_matrix(task.y_test, labels, classes)
        for name, labels in evaluation.predictions.items()
    }
    if task.image_shape is not None:
        arrays["image_shape"] = np.asarray(task.image_shape)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays, **evaluation.arrays)
    write_atomically(path, buffer.getvalue())
