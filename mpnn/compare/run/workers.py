"""Jobs in several processes at once, each fresh and with one job at a time.

A worker that dies (a fault in a solver, the system out of memory) costs its job alone: the job's row holds
the error and another process takes the worker's place. If the parent dies, its workers end too.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path

from mpnn.compare.config import CompareConfig
from mpnn.compare.run.jobs import DoneJobs, Job, open_dataset
from mpnn.runs.rows import Row
from mpnn.runs.toml import ConfigError

__all__ = ["run_in_processes"]

# A forked copy of a process with threads, as every one that ran JAX has, may hang.
_CONTEXT = get_context("spawn")
_PATIENCE = 5.0  # seconds between asking a worker to end and ending it


def run_in_processes(
    jobs: Sequence[Job],
    config: CompareConfig,
    artifacts: Path,
    workers: int,
    started: Callable[[Job], None],
) -> DoneJobs:
    """Yield each job with its row as it is done; `started` is called with each job that a worker takes.

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
    started : callable
        Called with each job that begins.
    """
    waiting = deque(jobs)
    crew: list[_Worker] = []
    try:
        crew += [_Worker(config, artifacts) for _ in range(min(workers, len(jobs)))]
        while waiting or any(worker.job for worker in crew):
            for place, worker in enumerate(crew):
                if worker.job is None and waiting:
                    if worker.dead:
                        crew[place] = worker = _Worker(config, artifacts)
                    job = waiting.popleft()
                    worker.give(job)
                    started(job)
            ready = wait([worker.connection for worker in crew if worker.job])
            for worker in crew:
                if worker.job and worker.connection in ready:
                    yield worker.take()
    finally:
        for worker in crew:
            worker.stop()


class _Worker:
    """The parent's side of one process."""

    def __init__(self, config: CompareConfig, artifacts: Path) -> None:
        self.connection, other = _CONTEXT.Pipe()
        self.job: Job | None = None
        self.dead = False
        self._greeted = False
        self._process = _CONTEXT.Process(target=_work, args=(other, config, artifacts), daemon=True)
        with _interrupts_held():
            self._process.start()
        other.close()  # so that the end of the process is the end of the pipe

    def give(self, job: Job) -> None:
        """Hand a job over; the first one waits until the process has its imports."""
        if not self._greeted:
            self._greet()
        self.job = job
        self.connection.send(job)

    def take(self) -> tuple[Job, Row]:
        """Return the job with its row; with one that holds the error, if the process has died."""
        assert self.job is not None
        job, self.job = self.job, None
        try:
            return job, self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.dead = True
            self._process.join()
            return job, job.failed(f"WorkerDied: {_describe_end(self._process.exitcode)}")

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.terminate()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()

    def _greet(self) -> None:
        try:
            problem = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            self._process.join()
            raise ConfigError(
                f"a worker ended before its first fit: {_describe_end(self._process.exitcode)}; "
                'a script that uses workers needs `if __name__ == "__main__":` around its own work'
            ) from error
        if problem is not None:
            raise ConfigError(f"a worker cannot start: {problem}; register methods where it imports them")
        self._greeted = True


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that start here do not hear Ctrl-C while they import, either; it is the parent's affair."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _describe_end(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    advice = ", often the system's answer to too little memory" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{advice}"


def _work(connection: Connection, config: CompareConfig, artifacts: Path) -> None:
    """Fit what comes through the pipe; the whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    threading.Thread(target=_follow_parent, daemon=True).start()
    from mpnn.compare.methods.registry import check_methods
    from mpnn.compare.run.fitting import Fitter

    try:
        check_methods(config)
    except ConfigError as error:
        connection.send(str(error))
        return
    connection.send(None)
    fit = Fitter(cache(partial(open_dataset, config=config)), artifacts)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        while True:
            connection.send(fit(connection.recv()))


def _follow_parent() -> None:
    """End with the parent, even where it was killed: a solver may run for hours."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
