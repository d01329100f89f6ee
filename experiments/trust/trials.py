"""Programs that are killed at random moments, or find the disk full, and what must hold after it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from experiments.trust.permissions import bound_by_permissions, without_permission

LONGEST_SECONDS = 300


class Moments:
    """How many kills there are to be, when, and until when; ``whole`` keeps what undisturbed runs left."""

    def __init__(self, kills: int, minutes: float, seed: list[int], whole: Path) -> None:
        self.kills, self.whole = kills, whole
        self.rng = np.random.default_rng(seed)
        self.end = perf_counter() + 60 * minutes
        self.length = np.inf  # seconds that the program has needed where it came to its end
        self.whole.mkdir(parents=True, exist_ok=True)

    def uniform(self, low: float, high: float) -> float:
        """A random number of seconds."""
        return float(self.rng.uniform(low, high))

    def left(self, done: int) -> bool:
        """Whether another trial is to begin."""
        return done < self.kills and perf_counter() < self.end


class FaultError(AssertionError):
    """What must not be on the disk after a kill."""


def require(holds: bool, fault: str) -> None:
    """Raise where the disk holds what it must not."""
    if not holds:
        raise FaultError(fault)


def start(command: list[str], log: Path, largest: int | None = None) -> subprocess.Popen[str]:
    """A process group of its own, whose errors go to a file; no file of it grows beyond ``largest`` bytes."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    if largest is not None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, largest))
    return process


def kill_after(process: subprocess.Popen[str], seconds: float, wait_for_start: bool = True) -> bool:
    """Kill the group after so many seconds; whether it still ran."""
    if wait_for_start and process.stdout is not None:
        process.stdout.readline()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return True
    finally:
        process.communicate()
    return False


def disturbed(command: list[str], log: Path, moments: Moments, *, by: str, starts: bool) -> bool:
    """Run a program until it is killed, on a full disk, or until permissions go; whether it ended.

    Programs that find the disk full or a permission missing fail with a sentence. The folder of the log is
    what loses its permissions.

    Parameters
    ----------
    command : the program.
    log : where its errors go.
    moments : when.
    by : "kill", "disk" or "permission".
    starts : whether the program tells its start.
    """
    if by == "permission":
        return _without_permission(command, log, moments, starts)
    if by == "kill":
        begun, share = perf_counter(), moments.uniform(0.2, 2.0)
        if kill_after(start(command, log), share * moments.length, wait_for_start=starts):
            return False
        moments.length = min(moments.length, perf_counter() - begun)
        return True
    process = start(command, log, largest=int(10 ** moments.uniform(2.0, 5.5)))
    process.communicate()
    if process.returncode and not starts:
        _require_sentence(log, "a full disk")
    return process.returncode == 0


def _require_sentence(log: Path, reason: str) -> None:
    require("Traceback" not in log.read_text(), f"{reason} ended in a traceback: {log.read_text()[-1500:]}")


def _without_permission(command: list[str], log: Path, moments: Moments, starts: bool) -> bool:
    """Take the permissions of a folder at a random moment, and give them back when the program has ended."""
    process = start(bound_by_permissions(command), log)
    if starts and process.stdout is not None:
        process.stdout.readline()
    try:
        process.wait(moments.uniform(0.1, 1.0) * moments.length)
    except subprocess.TimeoutExpired:
        with without_permission(log.parent):
            try:
                process.wait(LONGEST_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                require(False, "a program without permission that never ends")
    finally:
        process.communicate()
    if process.returncode and not starts:
        _require_sentence(log, "a missing permission")
    return process.returncode == 0


def program(text: str, *arguments: object) -> list[str]:
    """The command of a program given as text."""
    return [sys.executable, "-c", text, *map(str, arguments)]
