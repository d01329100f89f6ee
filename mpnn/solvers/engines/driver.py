"""One call for every engine: time, progress, interruption."""

import _thread
from collections.abc import Callable
from importlib.util import find_spec
from threading import Event
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines.base import Engine, Outcome
from mpnn.solvers.engines.cpsat import CpSat
from mpnn.solvers.engines.gurobi import Gurobi
from mpnn.solvers.engines.highs import Highs
from mpnn.solvers.engines.model import Model
from mpnn.solvers.engines.scip import Scip
from mpnn.solvers.engines.solution import Incumbent, Limits, Listener, Solution
from mpnn.validation import one_of

__all__ = ["ENGINES", "check_engine", "installed_engines", "solve"]

ENGINES: dict[str, Callable[[], Engine]] = {"cpsat": CpSat, "highs": Highs, "scip": Scip, "gurobi": Gurobi}
_MODULES = {"cpsat": "ortools", "highs": "highspy", "scip": "pyscipopt", "gurobi": "gurobipy"}
# How often Ctrl-C is looked for.
POLL_SECONDS = 0.1


def installed_engines() -> tuple[str, ...]:
    """Return the names of the engines whose packages are installed."""
    return tuple(name for name, module in _MODULES.items() if find_spec(module) is not None)


def check_engine(name: str) -> None:
    """Refuse the name of an engine that does not exist.

    Parameters
    ----------
    name : str
        A key of `ENGINES`.

    Raises
    ------
    ValueError
        There is no such engine.
    """
    one_of("engine", name, ENGINES)


def solve(
    model: Model,
    limits: Limits,
    *,
    engine: str = "cpsat",
    start: NDArray | None = None,
    listener: Listener | None = None,
) -> Solution:
    """Solve a model with one of the engines; a start that is a solution is never lost.

    Parameters
    ----------
    model : Model
        The integer program.
    limits : Limits
        Seconds, threads, seed.
    engine : str, default="cpsat"
        A key of `ENGINES`.
    start : ndarray [num_variables] or None, default=None
        A value for every variable; a solution to begin with, or a hint if it is none.
    listener : callable or None, default=None
        Called with each better solution, an :class:`Incumbent`.

    Returns
    -------
    Solution
        Ctrl-C ends the search and keeps the best solution; `interrupted` is then true.

    Raises
    ------
    MissingEngineError
        The engine is not installed.
    ValueError
        There is no such engine, or it cannot take this model.
    """
    check_engine(engine)
    if start is not None and start.shape != (model.num_variables,):
        raise ValueError(f"start must hold {model.num_variables} values, got shape {start.shape}")
    began = perf_counter()
    incumbents: list[Incumbent] = []
    better = 1.0 if model.maximised else -1.0

    def report(objective: float, bound: float) -> None:
        if incumbents and (objective - incumbents[-1].objective) * better <= 0.0:
            return
        found = Incumbent(perf_counter() - began, float(objective), float(bound))
        incumbents.append(found)
        if listener is not None:
            listener(found)
        if limits.stop_at is not None and (objective - limits.stop_at) * better >= 0.0:
            worker.stop()

    worker = ENGINES[engine]()
    known = start if start is not None and model.accepts(start) else None
    if known is not None:
        report(model.value(known), np.nan)
    outcome, interrupted = _run_interruptibly(worker, model, limits, start, report)
    if known is not None:
        outcome = _no_worse_than(known, outcome, model, better)
    objective = None if outcome.values is None else model.value(outcome.values)
    bound = outcome.bound if outcome.bound is not None and np.isfinite(outcome.bound) else None
    seconds = perf_counter() - began
    if objective is not None and not incumbents:
        incumbents.append(Incumbent(seconds, objective, np.nan if bound is None else bound))
    return Solution(outcome.status, outcome.values, objective, bound, seconds, tuple(incumbents), interrupted)


def _no_worse_than(start: NDArray, outcome: Outcome, model: Model, better: float) -> Outcome:
    """Return the start where a search that was cut off has nothing as good: engines may ignore starts."""
    if outcome.values is None:
        return Outcome("feasible", start, outcome.bound)
    if (model.value(start) - model.value(outcome.values)) * better > 0.0:
        return outcome._replace(values=start)
    return outcome


def _run_interruptibly(worker: Engine, *arguments: Any) -> tuple[Outcome, bool]:
    """Solve in a second thread: the first one, which gets Ctrl-C, is then free to pass it on."""
    outcomes: list[Outcome] = []
    errors: list[BaseException] = []
    heard, finished = Event(), Event()

    def work() -> None:
        heard.wait()
        try:
            outcomes.append(worker.run(*arguments))
        except BaseException as error:
            errors.append(error)
        finally:
            finished.set()

    _thread.start_new_thread(work, ())  # unlike Thread.start, waits for nothing: there Ctrl-C would be lost
    interrupted = False
    try:
        heard.set()  # from here on Ctrl-C is heard
        while not finished.wait(POLL_SECONDS):
            pass
    except KeyboardInterrupt:  # the second one, below, means it
        interrupted = True
        heard.set()
        worker.stop()
        while not finished.wait(POLL_SECONDS):
            worker.stop()  # again and again: before its search has begun an engine hears nothing
    if errors:
        raise errors[0]
    return outcomes[0], interrupted
