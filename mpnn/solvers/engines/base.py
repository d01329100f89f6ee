"""What an engine is: a model goes in, an outcome comes out."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, Protocol

from numpy.typing import NDArray

from mpnn.solvers.engines.model import Model
from mpnn.solvers.engines.solution import Limits

__all__ = ["Engine", "MissingEngineError", "Outcome", "Report", "import_solver"]

# Called with the objective and the bound of each better solution.
Report = Callable[[float, float], None]


class MissingEngineError(ImportError):
    """The solver that was asked for is not installed."""


class Outcome(NamedTuple):
    """An engine's own answer; see :class:`mpnn.solvers.engines.Solution`.

    Parameters
    ----------
    status : str
        As of a solution.
    values : ndarray or None
        Value of each variable, None without a solution.
    bound : float or None
        What no solution can beat; None where unknown.
    """

    status: str
    values: NDArray | None
    bound: float | None


class Engine(Protocol):
    """One solve of one model; made anew for each."""

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve the model.

        Parameters
        ----------
        model : Model
            The integer program.
        limits : Limits
            Seconds, threads, seed.
        start : ndarray [num_variables] or None
            A value for every variable.
        report : callable
            Called with each better solution.
        """

    def stop(self) -> None:
        """End the search from another thread, keeping the best solution."""


def import_solver(module: str, name: str, extra: str) -> ModuleType:
    """Import an optional solver, or say how it is installed.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    name : str
        The solver's own name, for the message.
    extra : str
        The extra of this package that brings it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingEngineError(
            f"the engine {name} is not installed: pip install 'mpnn[{extra}]'"
        ) from error
