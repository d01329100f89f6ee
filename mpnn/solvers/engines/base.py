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
    """An engine's own answer; see :class:`mpnn.solvers.engines.Solution`."""

    status: str
    values: NDArray | None
    bound: float | None


class Engine(Protocol):
    """One solve of one model; made anew for each."""

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve; `start` holds a value for every variable."""

    def stop(self) -> None:
        """End the search from another thread, keeping the best solution."""


def import_solver(module: str, name: str, extra: str) -> ModuleType:
    """Import an optional solver, or say how it is installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingEngineError(
            f"the engine {name} is not installed: pip install 'mpnn[{extra}]'"
        ) from error
