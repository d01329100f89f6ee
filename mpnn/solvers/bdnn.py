"""Step networks with one hidden layer for two classes: the exact program and the alternating search.

Bah, Kurtz, "An Integer Programming Approach to Deep Neural Networks with Binary Activation Functions" (2020);
the robust rows are those of Kurtz and Bah (2021). The model is in :mod:`mpnn.solvers.step_network`.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import BinaryNetworkMixin, seconds_until
from mpnn.solvers.engines import Limits, Listener, Solution
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import Announce, shown_progress
from mpnn.solvers.step_classifier import StepClassifier
from mpnn.solvers.step_network import StepProgram, StepWeights, zero_network
from mpnn.validation import check_parameters, choice

__all__ = ["BDNNClassifier"]

METHODS = ("exact", "local_search")


class BDNNClassifier(BinaryNetworkMixin, StepClassifier):
    """One hidden layer of step neurons for two classes, with the fewest training errors.

    Parameters
    ----------
    width : int >= 1, default=8
        Hidden neurons.
    time_limit : float > 0, default=60.0
        Seconds.
    method : str, default="exact"
        ``"exact"``: one integer program; ``"local_search"``: from random weights of the output, programs for
        the first layer and for the output by turns, until neither helps.
    integer_weights : bool, default=False
        Whether weights are -1, 0, 1 rather than real in [-1, 1].
    bias : bool, default=True
        Whether neurons have thresholds other than 0.
    radius : float >= 0, default=0.0
        Robustness: every first-layer decision must hold for all inputs within this distance in each feature,
        in units of the scaled features.
    engine : str, default="highs"
        ``"highs"``, ``"scip"``, ``"gurobi"``, or, with integer weights, ``"cpsat"``.
    input_scaling : str, default="unit"
        ``"unit"`` (features in [0, 1]) or, with integer weights, ``"raw"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; at the threshold, the output votes for the second.
    weights_ : list of ndarray
        Weights [features, width] and [width, 1]; int8 with integer weights, else float64.
    thresholds_ : list of ndarray
        Thresholds [width] and [1]; those of the first layer in units of `input_transform_`.
    solution_ : Solution
        Outcome of the last program; its objective is the number of training errors.
    """

    def __init__(
        self,
        width: int = 8,
        time_limit: float = 60.0,
        *,
        method: str = "exact",
        integer_weights: bool = False,
        bias: bool = True,
        radius: float = 0.0,
        engine: str = "highs",
        input_scaling: str = "unit",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.time_limit = time_limit
        self.method = method
        self.integer_weights = integer_weights
        self.bias = bias
        self.radius = radius
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "BDNNClassifier":
        """Train on labelled samples; some network is always found.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.
        """
        check_parameters(self.get_params(deep=False), {**CHECKS, "method": choice(METHODS)})
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        live = self._live(inputs)
        widths = (live.shape[1], self.width, 1)
        neurons = self._neurons()
        program = StepProgram(neurons, widths, live, codes[:, None], np.arange(len(codes)))
        start = zero_network(widths, neurons)
        seed = self._seed()
        with shown_progress(self.verbose) as announce:
            if self.method == "exact":
                weights = self._solve(program, ends, seed, announce("exact"), start)
            else:
                weights = self._alternate(program, ends, seed, announce, start)
        self._store(weights)
        return self

    def _alternate(
        self, program: StepProgram, ends: float, seed: int, announce: Announce, start: StepWeights
    ) -> StepWeights:
        """Optimise the first layer with the output fixed, then the output with the first layer fixed."""
        rng = np.random.default_rng(seed)
        shape = (self.width, 1)
        second = rng.integers(-1, 2, shape) if self.integer_weights else rng.uniform(-1, 1, shape)
        fixed = [(program.weights[1], second)]
        start = StepWeights((start.layers[0], second), start.thresholds)
        weights = self._solve(program, ends, seed, announce("first layer"), start, fixed)
        errors = self.solution_.objective
        while perf_counter() < ends and errors and not self.solution_.interrupted:
            fixed = [(program.weights[0], weights.layers[0]), (program.thresholds[0], weights.thresholds[0])]
            weights = self._solve(program, ends, seed, announce("output"), weights, fixed)
            if self.solution_.interrupted:
                break
            fixed = [(program.weights[1], weights.layers[1])]
            weights = self._solve(program, ends, seed, announce("first layer"), weights, fixed)
            if self.solution_.objective == errors:
                break
            errors = self.solution_.objective
        return weights

    def _solve(
        self,
        program: StepProgram,
        ends: float,
        seed: int,
        listener: Listener,
        start: StepWeights,
        fixed: Sequence[tuple[NDArray, NDArray]] = (),
    ) -> StepWeights:
        limits = Limits(seconds_until(ends), self.threads, seed)
        self.solution_: Solution = program.solve(limits, self.engine, listener, start=start, fixed=fixed)
        return start if self.solution_.values is None else program.read(self.solution_.values)
