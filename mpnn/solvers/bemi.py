"""BeMi's lexicographic training of one small network for two classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import (
    BinaryNetworkMixin,
    NoNetworkError,
    SolverClassifier,
    seconds_until,
)
from mpnn.solvers.bemi_models import (
    BIG_MS,
    STAGES,
    Problem,
    Program,
    margin_program,
    satisfiability_program,
)
from mpnn.solvers.bemi_pruning import FIRST_SHARE, beliefs_in_zero, pruned, sparse_neurons
from mpnn.solvers.bemi_starts import best_start, margins_to_keep, one_neuron_decides
from mpnn.solvers.engines import Limits, Listener, Solution, solve
from mpnn.solvers.formulation import Weights
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.linear_start import copied_neuron, rounded_neuron
from mpnn.solvers.neighbourhoods import Moments, search_neighbourhoods
from mpnn.solvers.parameters import CHECKS, check_time_limit
from mpnn.solvers.progress import Announce, shown_progress
from mpnn.solvers.warm_starts import by_linear_programming, fitted_source, given_layers, given_moments
from mpnn.validation import check_parameters, choice, hidden_widths

__all__ = ["BeMiClassifier", "Stage"]

# How the published script shares 25 seconds out.
SHARES = {"SM": 0.4, "MM": 0.4, "MW": 0.2}
# Of MW's seconds, what the search for one sparse neuron gets.
SPARSE_SHARE = 0.75
SEARCHES = ("whole", "neighbourhoods")


@dataclass(frozen=True)
class Stage:
    """What one stage did.

    Parameters
    ----------
    name : str
        "SM", "MM" or "MW".
    status : str
        As in :class:`mpnn.solvers.engines.Solution`.
    objective : float or None
        Objective of the best solution.
    bound : float or None
        What no solution can beat.
    gap : float or None
        Relative distance of objective and bound.
    seconds : float
        Duration, wall clock.
    first_seconds : float or None
        Seconds to the first solution.
    time_limit : float
        Seconds it had, with what earlier stages left.
    start_objective : float or None
        Objective of the start, None where there was none.
    kept : int
        Samples that are confidently right after SM.
    nonzero : int
        Non-zero weights after the stage.
    """

    name: str
    status: str
    objective: float | None
    bound: float | None
    gap: float | None
    seconds: float
    first_seconds: float | None
    time_limit: float
    start_objective: float | None
    kept: int
    nonzero: int


def _time_limits(name: str, value: Any) -> None:
    """One number, or one a stage."""
    for seconds in value if isinstance(value, list | tuple) else [value]:
        check_time_limit(name, seconds)


class BeMiClassifier(BinaryNetworkMixin, SolverClassifier):
    """A few-bit sign network for two classes by integer programming, in three stages.

    SM makes as many samples as possible confidently right; MM then maximises the sum of the margins of all
    neurons on these; MW then removes as many weights as possible without losing margin. Weights are {-P..P}
    without biases; of inputs that are 0 in all of training they are 0. For more classes, use
    `PairwiseVoteClassifier(BeMiClassifier(), ties="head_to_head")`.

    Parameters
    ----------
    hidden : sequence of int, default=(4, 4)
        Widths of the hidden layers, BeMi's own are (4, 4) and (10, 3); () for one neuron.
    time_limit : float or sequence of float, default=25.0
        Seconds, shared among the stages as 2 : 2 : 1, or one number a stage; what a stage leaves goes to the
        next.
    levels : int from 1 to 127, default=1
        P of the weights {-P..P}.
    stages : sequence of str, default=("SM", "MM", "MW")
        ``("SM", "MM", "MW")`` or its ablations: "SM" first, the others in this order, if at all.
    warm_start : str, None, list of ndarray or classifier, default="lp_rounding"
        What SM begins with, and the later stages where it is better than the stage before: ``"lp_rounding"``
        (a linear program, rounded, copied into every hidden neuron), None or False, a list of weight arrays
        [in, out], or a classifier with ``weights_``; if unfitted, it is fitted on the same samples.
    engine : str, default="cpsat"
        ``"cpsat"``, ``"highs"``, ``"scip"`` or ``"gurobi"``.
    search : str, default="whole"
        ``"whole"``: each stage is one program. ``"neighbourhoods"``: from a start, ever other parts of the
        network are solved again, those first that the beliefs of ``warm_start`` leave open, if it has any
        (:func:`mpnn.solvers.neighbourhoods.search_neighbourhoods`); MW begins with what greedy pruning leaves
        or one sparse neuron. Good after a second, without bounds.
    constant_neurons : bool, default=True
        Whether hidden neurons may have one sign for all samples. They may in the publication, and wide
        margins are then had most cheaply by such neurons.
    eps : float in (0, 1], default=1.0
        A negative pre-activation is at most -eps. Inputs are whole, so any value is one model; 0.1 is
        published.
    big_m : str, default="implications"
        ``"implications"`` where the engine has them; ``"point"``: the least valid number for each sample;
        ``"paper"``: one number for each layer, as published.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``, see :func:`mpnn.solvers.integer_inputs.integer_inputs`.
    threads : int, default=1
        Threads of the engine; with one, the search is the same every time, but for where the clock ends it.
    work_limit : float > 0 or None, default=None
        Deterministic units that each stage may also use (CP-SAT, Gurobi); None for the clock alone.
    verbose : bool, default=False
        Whether to show stage, objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; an output of 0 votes for the second.
    weights_ : list of int8 ndarray [in, out]
        Weights, a layer each.
    stages_ : list of Stage
        Outcome of each stage, a :class:`Stage`.
    interrupted_ : bool
        Whether Ctrl-C ended the search; the weights are then the best found.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mpnn.solvers import BeMiClassifier
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> classifier = BeMiClassifier(hidden=(4,), time_limit=5, random_state=0).fit(X[:6], y[:6])
    >>> classifier.weights_[0].shape, classifier.stages_[0].status
    ((64, 4), 'optimal')
    """

    def __init__(
        self,
        hidden: Sequence[int] = (4, 4),
        time_limit: float | Sequence[float] = 25.0,
        *,
        levels: int = 1,
        stages: Sequence[str] = STAGES,
        warm_start: Any = "lp_rounding",
        engine: str = "cpsat",
        search: str = "whole",
        constant_neurons: bool = True,
        eps: float = 1.0,
        big_m: str = "implications",
        input_scaling: str = "raw",
        threads: int = 1,
        work_limit: float | None = None,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.levels = levels
        self.stages = stages
        self.warm_start = warm_start
        self.engine = engine
        self.search = search
        self.constant_neurons = constant_neurons
        self.eps = eps
        self.big_m = big_m
        self.input_scaling = input_scaling
        self.threads = threads
        self.work_limit = work_limit
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "BeMiClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.

        Raises
        ------
        NoNetworkError
            SM ended without a network, which no start but None makes possible.
        MissingEngineError
            The engine is not installed.
        """
        seconds = self._seconds()
        inputs, codes = self._encode(X, y)
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        problem = self._problem(self.input_transform_(inputs), 2 * codes - 1)
        start = self._start(problem, inputs, np.asarray(y))
        seed = self._seed()
        self.stages_: list[Stage] = []
        with shown_progress(self.verbose) as announce:
            weights = self._run_stages(problem, start, seconds, seed, announce)
        self._publish(weights)
        return self

    def _run_stages(
        self,
        problem: Problem,
        start: Weights | None,
        seconds: dict[str, float],
        seed: int,
        announce: Announce,
    ) -> Weights:
        weights: Weights | None = None
        kept, left, widened = problem, 0.0, False
        for name in self.stages:
            began, allowed = perf_counter(), seconds[name] + left
            candidates = self._candidates(kept, weights, start)
            if name == "SM":
                program = satisfiability_program(problem)
            elif name == "MM":
                program = margin_program(kept)
            else:
                margins = margins_to_keep(kept, weights, widened)
                program = margin_program(kept, margins)
                limits = Limits(seconds_until(began + allowed), self.threads, seed)
                candidates += self._few_weights(program, kept, margins, candidates, limits)
            values = best_start(program, candidates)
            limits = Limits(seconds_until(began + allowed), self.threads, seed, self.work_limit)
            solution = self._solve(name, program, values, limits, announce(name))
            if solution.values is not None:
                weights = program.network.read(solution.values)
            elif weights is None:
                raise NoNetworkError(
                    f"{self.engine} found no network in {allowed:g} s; raise time_limit or give a warm_start"
                )
            if name == "SM":
                kept = problem.restricted(problem.satisfied(weights))
            widened = widened or name == "MM"
            used = perf_counter() - began
            left = max(allowed - used, 0.0)
            start_value = None if values is None else program.model.value(values)
            self._record(name, solution, weights, allowed, used, start_value, len(kept.signs))
            self.interrupted_ = solution.interrupted
            if solution.interrupted or len(kept.signs) == 0:
                break
        if weights is None:
            raise AssertionError("the first stage sets the weights or raises")
        return weights

    def _candidates(
        self, problem: Problem, weights: Weights | None, start: Weights | None
    ) -> list[Weights | None]:
        """Return the networks that a stage may start from."""
        if self.search == "whole" or len(problem.widths) == 2:
            return [weights, start]
        neurons = [given for given in (weights, start) if given is not None]
        widths, levels = problem.widths, problem.levels
        return [*neurons, *(net for given in neurons for net in one_neuron_decides(given, widths, levels))]

    def _few_weights(
        self,
        program: Program,
        problem: Problem,
        margins: list[NDArray],
        candidates: list[Weights | None],
        limits: Limits,
    ) -> list[Weights]:
        """Return more networks for MW to start from: candidates pruned and, without margins, sparse ones."""
        if self.search == "whole":
            return []
        given = [weights for weights in candidates if weights is not None]
        able = [weights for weights in given if program.model.accepts(program.complete(weights))]
        found = [pruned(problem, weights, margins) for weights in able]
        if not any(layer.any() for layer in margins):
            part = replace(limits, seconds=SPARSE_SHARE * limits.seconds)
            found += sparse_neurons(problem, part, self.engine)
        return found

    def _solve(
        self, name: str, program: Program, start: NDArray | None, limits: Limits, listener: Listener
    ) -> Solution:
        model, counts = program.model, name == "MW"
        nothing_to_learn = program.network.widths[0] == 0
        if self.search == "whole" or nothing_to_learn or start is None or not model.accepts(start):
            return solve(model, limits, engine=self.engine, start=start, listener=listener)
        return search_neighbourhoods(
            model,
            program.network,
            start,
            limits,
            beliefs=beliefs_in_zero(program.network.widths, self._beliefs) if counts else self._beliefs,
            engine=self.engine,
            listener=listener,
            first_share=FIRST_SHARE if counts else 1.0,
        )

    def _record(
        self,
        name: str,
        solution: Solution,
        weights: Weights,
        allowed: float,
        used: float,
        start_value: float | None,
        kept: int,
    ) -> None:
        self.stages_.append(
            Stage(
                name=name,
                status=solution.status,
                objective=solution.objective,
                bound=solution.bound,
                gap=solution.gap,
                seconds=used,
                first_seconds=solution.first_seconds,
                time_limit=allowed,
                start_objective=start_value,
                kept=kept,
                nonzero=int(sum(np.count_nonzero(layer) for layer in weights.layers)),
            )
        )

    def _problem(self, inputs: NDArray, signs: NDArray) -> Problem:
        live = inputs[:, self.input_transform_.live]
        widths = (live.shape[1], *hidden_widths(self.hidden), 1)
        # one model for any eps; CP-SAT, being exact, needs no other than the whole one
        eps = 1.0 if self.engine == "cpsat" else self.eps
        return Problem(
            live, signs, widths, self.levels, eps, self.big_m, self.constant_neurons, inputs.shape[1]
        )

    def _seconds(self) -> dict[str, float]:
        """Check the parameters; return the seconds of each stage."""
        choices = {"search": choice(SEARCHES), "big_m": choice(BIG_MS)}
        check_parameters(self.get_params(deep=False), {**CHECKS, **choices, "time_limit": _time_limits})
        if self.search == "neighbourhoods" and self.work_limit is not None:
            raise ValueError(f"work_limit is for search='whole'; set time_limit alone, got {self.work_limit}")
        stages = tuple(self.stages) if isinstance(self.stages, Sequence) else (self.stages,)
        allowed = [name for name in STAGES if name in stages]
        if not stages or stages[0] != "SM" or list(stages) != allowed:
            raise ValueError(f"stages must be 'SM' and what follows it of {STAGES}, in order, got {stages}")
        if isinstance(self.time_limit, Sequence):
            if len(self.time_limit) != len(stages):
                raise ValueError(
                    f"time_limit must be one number or one a stage, got {len(self.time_limit)} for {stages}"
                )
            return dict(zip(stages, map(float, self.time_limit), strict=True))
        total = sum(SHARES[name] for name in stages)
        return {name: float(self.time_limit) * SHARES[name] / total for name in stages}

    def _start(self, problem: Problem, inputs: NDArray, labels: NDArray) -> Weights | None:
        self._beliefs: list[Moments] | None = None
        if by_linear_programming(self.warm_start):
            neuron = rounded_neuron(problem.inputs, problem.signs, self.levels)
            return copied_neuron(neuron, problem.widths, self.levels)
        live = self.input_transform_.live
        source = fitted_source(self.warm_start, inputs, labels, self.random_state)
        layers = given_layers(source, problem.widths, live)
        self._beliefs = given_moments(source, live)
        if layers is None:
            return None
        largest = max(np.abs(layer).max(initial=0) for layer in layers)
        if largest > self.levels:
            raise ValueError(f"warm_start has weights up to {largest}: raise levels, got {self.levels}")
        return Weights(layers)
