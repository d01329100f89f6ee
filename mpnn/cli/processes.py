"""Several processes of one command on this machine, which train together."""

import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mpnn.runs.toml import ConfigError

__all__ = ["end_with", "ending_at_once", "free_address", "is_first", "join", "start"]

# Set for the processes that `start` starts: the coordinator's HOST:PORT, how many there are, which one, and
# the process that started them.
COORDINATOR, PROCESSES, PROCESS = "MPNN_COORDINATOR", "MPNN_PROCESSES", "MPNN_PROCESS"
STARTED_BY = "MPNN_STARTED_BY"
# Seconds between two looks at the processes, and until those that lost one are ended.
STEP, PATIENCE = 0.1, 10.0


def start(arguments: Sequence[str], count: int, environment: Mapping[str, str] | None = None) -> int:
    """Run the command in several processes; return 0, or the status of the first that failed.

    Where one fails, the others are ended: none of them can go on without it.

    Parameters
    ----------
    arguments : sequence of str
        Of the command.
    count : int >= 2
        Processes.
    environment : mapping of str to str or None, default=None
        Variables that are set for them besides those of this process.
    """
    own = {COORDINATOR: free_address(), PROCESSES: str(count), STARTED_BY: str(os.getpid())}
    shared = os.environ | own | dict(environment or {})
    command = [sys.executable, "-m", "mpnn", *arguments]
    running = [subprocess.Popen(command, env=shared | {PROCESS: str(rank)}) for rank in range(count)]
    try:
        return _first_failure(running)
    finally:
        for process in running:
            process.kill()
            process.wait()


def end_with(parent: int) -> None:
    """End this process soon after the one that started it, however that ended.

    Else a scheduler that stops the parent, and starts it again, would have two of each process write to one
    folder of checkpoints.

    Parameters
    ----------
    parent : int
        Its process number.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(STEP)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def ending_at_once() -> Iterator[None]:
    """End this process, if it is one of several, where what is done inside fails.

    Else it would wait for the others, which wait for it.
    """
    try:
        yield
    except Exception as error:
        if COORDINATOR not in os.environ:
            raise
        sys.stderr.write(f"{error}\n" if isinstance(error, ConfigError) else traceback.format_exc())
        sys.stderr.flush()
        os._exit(1)


def free_address() -> str:
    """HOST:PORT of this machine that no program uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def _first_failure(running: Sequence[subprocess.Popen]) -> int:
    while True:
        found = [process.poll() for process in running]
        failed = [status for status in found if status]
        if failed:
            _wait_for(running)
            return failed[0] if failed[0] > 0 else 128 - failed[0]
        if all(status == 0 for status in found):
            return 0
        time.sleep(STEP)


def _wait_for(running: Sequence[subprocess.Popen]) -> None:
    """Give those that are left the time to say what happened."""
    limit = time.monotonic() + PATIENCE
    while any(process.poll() is None for process in running) and time.monotonic() < limit:
        time.sleep(STEP)


def join(distributed: bool) -> bool:
    """Take part in the training of several processes, if this is one of them; whether it is.

    Parameters
    ----------
    distributed : bool
        Whether a scheduler, which JAX asks for the others, has started them.
    """
    if not distributed and COORDINATOR not in os.environ:
        return False
    import jax

    if distributed:
        jax.distributed.initialize()
    else:
        if STARTED_BY in os.environ:
            end_with(int(os.environ[STARTED_BY]))
        place = int(os.environ[PROCESSES]), int(os.environ[PROCESS])
        jax.distributed.initialize(os.environ[COORDINATOR], *place)
    return True


def is_first() -> bool:
    """Whether this process is the one that prints and writes."""
    import jax

    return jax.process_index() == 0
