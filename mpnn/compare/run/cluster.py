"""Jobs on a cluster that runs Slurm, each as a job of its own, through submitit (extra `cluster`)."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mpnn.compare.config import CompareConfig
from mpnn.compare.run.jobs import DoneJobs, Job, open_dataset
from mpnn.runs.rows import Row
from mpnn.runs.toml import ConfigError

__all__ = ["Cluster", "run_on_cluster"]

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Cluster:
    """Where jobs are submitted.

    Parameters
    ----------
    partition : str
        A partition of Slurm; "local" stands for processes on this machine, to try things out.
    options : mapping
        What submitit's `AutoExecutor.update_parameters` takes: timeout_min, cpus_per_task, mem_gb,
        gpus_per_node, slurm_account and more.
    """

    partition: str
    options: Mapping[str, Any] = field(default_factory=dict)


def run_on_cluster(
    jobs: Sequence[Job],
    config: CompareConfig,
    artifacts: Path,
    workers: int,
    cluster: Cluster,
    started: Callable[[Job], None],
) -> DoneJobs:
    """Yield each job with its row as it is done, with at most `workers` of them in the queue at once.

    The output folder must lie where the nodes see it; submitit's logs go to `cluster` there. What is
    still in the queue is cancelled when the iteration ends early.

    Parameters
    ----------
    jobs : sequence of Job
        The models to fit.
    config : CompareConfig
        The comparison.
    artifacts : path
        Folder for what the report shows of the models.
    workers : int >= 1
        Jobs at a time.
    cluster : Cluster
        Where jobs are submitted.
    started : callable
        Called with each job that begins.
    """
    executor = _executor(artifacts.parent / "cluster", config, cluster)
    waiting, submitted = deque(jobs), dict[Any, Job]()
    try:
        while waiting or submitted:
            while waiting and len(submitted) < workers:
                job = waiting.popleft()
                submitted[executor.submit(fit_alone, job, config, artifacts)] = job
                started(job)
            done = [task for task in submitted if task.done()]
            for task in done:
                yield (job := submitted.pop(task)), _row(task, job)
            if not done:
                time.sleep(_POLL_SECONDS)
    finally:
        for task in submitted:
            task.cancel(check=False)


def fit_alone(job: Job, config: CompareConfig, artifacts: Path) -> Row:
    """Fit one job; this is what a node runs."""
    from mpnn.compare.run.fitting import Fitter

    return Fitter(partial(open_dataset, config=config), artifacts)(job)


def _executor(folder: Path, config: CompareConfig, cluster: Cluster) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ConfigError(
            "submitting to a cluster needs submitit; install it with: pip install 'mpnn[cluster]'"
        ) from error
    local = cluster.partition == "local"
    place = {} if local else {"slurm_partition": cluster.partition}
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster="local" if local else "slurm")
        executor.update_parameters(name=config.name, **place, **cluster.options)
    except (RuntimeError, NameError, TypeError, AssertionError, ValueError) as error:
        raise ConfigError(f"submitit cannot use the partition {cluster.partition!r}: {error}") from error
    return executor


def _row(task: Any, job: Job) -> Row:
    """Return what the node returned; a row that holds the error, if the node has died."""
    error = task.exception()
    if error is None:
        return task.result()
    lines = str(error).strip().splitlines() or ["no message"]
    return job.failed(f"{type(error).__name__}: {lines[0]} (log: {task.paths.stderr.name})")
