"""Estimators in forked processes, where JAX cannot run: a fork does not copy its threads.

A process that was forked after JAX had started hands what needs JAX to a fresh process of its own, which it
starts once and which ends with it. Pure functions are refused there (:mod:`mpnn.programs`).
"""

import functools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from mpnn.programs import is_forked_child

__all__ = ["in_fresh_process"]

Method = TypeVar("Method", bound=Callable[..., Any])
START = "import sys; sys.path[:] = {path!r}; from mpnn.programs.forks import serve; serve()"


class _Helper:
    """The fresh process that works for this one: its number tells it from that of the process forked from."""

    process: subprocess.Popen | None = None
    owner = 0
    lock = threading.Lock()


def in_fresh_process(method: Method) -> Method:
    """Decorate a method of an estimator: in a forked process, it runs in a fresh one.

    The estimator, its arguments and what comes back are pickled; what the method sets is set here, too.

    Parameters
    ----------
    method : callable
        A method that needs JAX.
    """

    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_forked_child():
            return method(self, *args, **kwargs)
        state, result, is_self = _ask((self, method.__name__, args, kwargs))
        vars(self).clear()
        vars(self).update(state)
        return self if is_self else result

    return run  # type: ignore[return-value]


def _ask(request: Any) -> tuple[dict[str, Any], Any, bool]:
    """Send a call to the fresh process, and wait for its answer; raises what it raised."""
    if _Helper.owner != os.getpid():  # what was copied belongs to the process forked from
        _Helper.process, _Helper.owner, _Helper.lock = None, os.getpid(), threading.Lock()
    with _Helper.lock:
        helper = _Helper.process
        if helper is None or helper.poll() is not None:
            helper = _Helper.process = _started()
        assert helper.stdin is not None
        assert helper.stdout is not None
        pickle.dump(request, helper.stdin)
        helper.stdin.flush()
        try:
            error, answer = pickle.load(helper.stdout)
        except EOFError as error:
            raise RuntimeError("the process that works for this forked one died: see its message") from error
        except BaseException:  # half an answer is left in the pipe
            helper.kill()
            raise
    if error is not None:
        raise error
    return answer


def _started() -> subprocess.Popen:
    command = [sys.executable, "-c", START.format(path=sys.path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def serve() -> None:
    """Answer calls on standard input until it is closed; what methods print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            estimator, name, args, kwargs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        error: Exception | None = None
        answer: Any = None
        try:
            result = getattr(estimator, name)(*args, **kwargs)
            is_self = result is estimator
            answer = vars(estimator), None if is_self else result, is_self
        except Exception as raised:  # handed on whole to the caller
            error = raised
        pickle.dump((error, answer), answers)
        answers.flush()
