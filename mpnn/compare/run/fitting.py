"""From a job to its row: fit, score, record what the report shows."""

import io
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from mpnn.atomic_files import write_atomically
from mpnn.compare.methods.contract import Evaluation, Task
from mpnn.compare.methods.registry import METHODS
from mpnn.compare.run.jobs import Job, make_task
from mpnn.compare.run.robustness import robustness_scores
from mpnn.data import Dataset
from mpnn.deploy.costs import deployment_costs
from mpnn.deploy.packed import to_bytes
from mpnn.integer_networks.lowering import lower
from mpnn.metrics import (
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    label_positions,
    negative_log_likelihood,
)
from mpnn.runs.memory import mark_memory, peak_memory
from mpnn.runs.rows import Row
from mpnn.runs.toml import to_jsonable

__all__ = ["Fitter"]

FLOAT_BITS = 32  # weights of fewer bits are few-bit weights


class Fitter:
    """Turns jobs into rows, one after the other in one process.

    Remembers the last draw, which the methods share, and what was fitted: the first fit of a method, data set
    and number of shots is cold, it may compile.

    Parameters
    ----------
    open_dataset : callable
        From a name to the data set.
    artifacts : path
        Folder for what the report shows of the models.
    """

    def __init__(self, open_dataset: Callable[[str], Dataset], artifacts: Path) -> None:
        self._open_dataset = open_dataset
        self._artifacts = artifacts
        self._draw: tuple[str, int, int] | None = None
        self._warm: set[tuple[str, str, int]] = set()

    def __call__(self, job: Job) -> Row:
        """Fit, judge and return the row; what the method raises becomes the row's error."""
        if self._draw != (job.dataset, job.shots, job.draw):
            self._task = make_task(self._open_dataset(job.dataset), job)
            self._draw = (job.dataset, job.shots, job.draw)
        shape = (job.method.name, job.dataset, job.shots)
        row = _fit_row(job, self._task, self._artifacts) | {"cold": shape not in self._warm}
        self._warm.add(shape)
        return to_jsonable(row)


class _UnwrittenError(Exception):
    """A disk that is full, or a permission that is missing: errno, its text and the file."""


def _fit_row(job: Job, task: Task, artifacts: Path) -> Row:
    """Fit and judge one model; an exception becomes the row's error.

    What cannot be written is not the method's fault: the row says so, and whoever collects it stops.
    """
    row = job.describe() | {"num_train": len(task.x_train), "num_test": len(task.x_test)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for developers_only in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", developers_only)
        try:
            row |= _fit_and_judge(job, task, artifacts)
        except _UnwrittenError as error:
            row["unwritten"] = error.args
        except Exception as error:
            row |= {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    texts = [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    return row | {"warnings": list(dict.fromkeys(texts))}


def _fit_and_judge(job: Job, task: Task, artifacts: Path) -> dict[str, Any]:
    method = METHODS[job.method.method]
    model = method.build(job.method.params, task)
    memory = mark_memory()
    start, cpu_start = perf_counter(), process_time()
    model.fit(task.x_train, task.y_train)
    # The processor's seconds, of all threads, tell a slow method from a busy machine.
    cost = {
        "train_seconds": perf_counter() - start,
        "train_cpu_seconds": process_time() - cpu_start,
        "memory_before_bytes": memory,
        "memory_peak_bytes": peak_memory(),
    }
    evaluation = method.evaluate(model, task)
    scores = _score(evaluation, task)
    if job.robustness is not None:
        for name, accuracies in robustness_scores(method, model, task, job.robustness).items():
            scores[name]["robustness"] = accuracies
    try:
        _write_arrays(artifacts / f"{job.key}.npz", evaluation, task)
        sizes = _write_network(artifacts / f"{job.key}.mpnn", model, evaluation, task)
    except OSError as error:
        raise _UnwrittenError(error.errno, error.strerror, str(error.filename or artifacts)) from error
    return {**cost, "scores": scores, **evaluation.facts, **sizes}


def _write_network(path: Path, model: Any, evaluation: Evaluation, task: Task) -> dict[str, Any]:
    """Write the packed file of a few-bit network, and return its bytes and what its C costs.

    Of the first draw only: a compiler runs for each, and bytes hardly differ between draws.
    """
    if not task.keep_weights or evaluation.facts.get("weight_bits", FLOAT_BITS) >= FLOAT_BITS:
        return {}
    try:
        network = lower(model, examples=task.x_test)
    except ValueError as error:
        return {"size_note": f"is not exported, for {error}"}
    write_atomically(path, to_bytes(network))
    costs = deployment_costs(network, task.x_test)
    return {
        "packed_bytes": costs.packed_bytes,
        "flash_bytes": costs.flash_bytes,
        "c_microseconds": costs.microseconds,
        "size_note": costs.reason,
    }


def _score(evaluation: Evaluation, task: Task) -> dict[str, dict[str, Any]]:
    """Return the method's own scores with accuracy and, where there are probabilities, nll and ece."""
    scores: dict[str, dict[str, Any]] = {
        name: {"accuracy": float(np.mean(evaluation.predictions[name] == task.y_test)), **score}
        for name, score in evaluation.scores.items()
    }
    positions = label_positions(task.y_test, np.unique(task.y_train))
    for name, probabilities in evaluation.probabilities.items():
        bins = calibration_bins(probabilities, positions)
        scores[name]["nll"] = negative_log_likelihood(probabilities, positions)
        scores[name]["ece"] = expected_calibration_error(bins)
    return scores


def _write_arrays(path: Path, evaluation: Evaluation, task: Task) -> None:
    classes = np.unique(task.y_train)
    names = classes if task.class_names is None else np.array([task.class_names[code] for code in classes])
    arrays: dict[str, Any] = {"classes": names.astype(str)} | {
        f"confusion_{name}": confusion_matrix(task.y_test, labels, classes)
        for name, labels in evaluation.predictions.items()
    }
    positions = label_positions(task.y_test, classes)
    for name, probabilities in evaluation.probabilities.items():
        arrays[f"reliability_{name}"] = calibration_bins(probabilities, positions)
    if task.image_shape is not None:
        arrays["image_shape"] = np.asarray(task.image_shape)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays, **evaluation.arrays)
    write_atomically(path, buffer.getvalue())
