"""What a solver is allowed, and what it found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from numpy.typing import NDArray

from mpnn.validation import number, whole

__all__ = ["STATUSES", "Incumbent", "Limits", "Listener", "Solution"]

STATUSES = ("optimal", "feasible", "infeasible", "none_found")


@dataclass(frozen=True)
class Limits:
    """What one solve may use.

    Parameters
    ----------
    seconds : float > 0
        Time limit, wall clock.
    threads : int >= 1, default=1
        Threads of the engine. With one thread the search is the same every time.
    seed : int >= 0, default=0
        Seed of the engine.
    work : float > 0 or None, default=None
        Deterministic time (CP-SAT) or work units (Gurobi), instead of the wall clock that decides where a
        search ends; with it, even a search that is cut off gives the same result every time.
    stop_at : float or None, default=None
        Stop as soon as the objective is this good; None: go on to the optimum.
    """

    seconds: float
    threads: int = 1
    seed: int = 0
    work: float | None = None
    stop_at: float | None = None

    def __post_init__(self) -> None:
        if not number(self.seconds) > 0.0:
            raise ValueError(f"time_limit must be above 0 seconds, got {self.seconds!r}")
        whole("threads", self.threads)
        if self.work is not None and not number(self.work) > 0.0:
            raise ValueError(f"work_limit must be above 0, got {self.work!r}")


class Incumbent(NamedTuple):
    """A better solution than all before.

    Parameters
    ----------
    seconds : float
        When it was found, since the start of the solve.
    objective : float
        Its objective.
    bound : float
        The bound at that time.
    """

    seconds: float
    objective: float
    bound: float


Listener = Callable[[Incumbent], None]


@dataclass(frozen=True)
class Solution:
    """The outcome of one solve.

    Parameters
    ----------
    status : str
        "optimal", "feasible" (cut off with a solution), "infeasible" or "none_found" (cut off without).
    values : ndarray or None
        Value of each variable, None without a solution.
    objective : float or None
        Objective of the best solution; None without one.
    bound : float or None
        What no solution can beat; None where unknown.
    seconds : float
        Duration, wall clock, with the time that handing over the model took.
    incumbents : tuple of Incumbent, default=()
        The solutions on the way, each better than the one before.
    interrupted : bool, default=False
        Whether the user stopped the search.
    """

    status: str
    values: NDArray | None
    objective: float | None
    bound: float | None
    seconds: float
    incumbents: tuple[Incumbent, ...] = ()
    interrupted: bool = False

    @property
    def gap(self) -> float | None:
        """Distance of objective and bound over the objective's size (at least 1); None where unknown."""
        if self.objective is None or self.bound is None:
            return None
        return abs(self.objective - self.bound) / max(1.0, abs(self.objective))

    @property
    def first_seconds(self) -> float | None:
        """Seconds to the first solution; None without one."""
        return self.incumbents[0].seconds if self.incumbents else None
