"""Binary deep neural networks with step activations: the one-hidden-layer models of Bah and Kurtz.

Bah, Kurtz, "An Integer Programming Approach to Deep Neural Networks with Binary Activation Functions" (2020);
Kurtz, Bah, "Efficient and Robust Mixed-Integer Optimization Methods for Training Binarized Deep Neural
Networks" (2021). A hidden neuron is 1 where W x >= lambda, else 0, and so is the output of w2 on the hidden
neurons; weights are real in [-1, 1] or whole, thresholds lambda are free or 0. The objective is the number of
training errors.
"""

from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.solvers.base import BinaryNetworkMixin, NoNetworkError, SolverClassifier
from mpnn.solvers.engines import Expression, Limits, Model, Solution, check_engine, solve
from mpnn.solvers.inputs import integer_inputs
from mpnn.solvers.progress import Announce, shown_progress

__all__ = ["BDNNClassifier"]

METHODS = ("exact", "local_search")
# A pre-activation below the threshold is at most this far below, for real weights and inputs in [0, 1].
EPS = 1e-3


@dataclass(frozen=True)
class Values:
    """first : [features, width]; thresholds [width]; second : [width]; last threshold."""

    first: NDArray
    thresholds: NDArray
    second: NDArray
    last: float


class BDNNClassifier(BinaryNetworkMixin, SolverClassifier):
    """One hidden layer of step neurons for two classes, with the fewest training errors.

    Parameters
    ----------
    width : hidden neurons, at least 1.
    time_limit : seconds, > 0.
    method : ``"exact"``: one integer program; ``"local_search"``: from random weights of the output, programs
        for the first layer and for the output by turns, until neither helps.
    integer_weights : whether weights are -1, 0, 1 rather than real in [-1, 1].
    bias : whether neurons have thresholds other than 0.
    radius : >= 0; every first-layer decision must hold for all inputs within this distance in each feature,
        in units of the scaled features.
    engine : ``"highs"``, ``"scip"``, ``"gurobi"``, or, with integer weights, ``"cpsat"``.
    input_scaling : ``"unit"`` (features in [0, 1]) or, with integer weights, ``"raw"``.
    threads : of the engine.
    verbose : shows objective, bound and time.
    random_state : int, RandomState or None.

    Attributes
    ----------
    classes_ : labels, sorted; at the threshold, the output votes for the second.
    weights_ : arrays [features, width] and [width, 1], int8 or float64.
    thresholds_ : arrays [width] and [1]; those of the first layer in units of `input_transform_`.
    solution_ : of the last program; its objective is the number of training errors.
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
        """Train on inputs [n, features] and labels [n] of two classes.

        Raises
        ------
        NoNetworkError
            None was found in time.
        """
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        self._check()
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = self.input_transform_(inputs)[:, self.input_transform_.live]
        self._unit = 1 if self.integer_weights else self.input_transform_.unit
        program = _Program(self, live / self._unit, codes)
        seed = self._seed()
        with shown_progress(self.verbose) as announce:
            if self.method == "exact":
                values = program.solve(None, ends, seed, announce("exact"))
            else:
                values = self._alternate(program, ends, seed, announce)
        self.solution_: Solution = program.solution
        self._store(values)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return the output less its threshold [n]; 0 or more votes for the second class."""
        check_is_fitted(self)
        inputs = self.input_transform_(validate_data(self, X, reset=False)) / self._unit
        hidden = inputs @ self.weights_[0] >= self.thresholds_[0] - self._tolerance
        return hidden @ self.weights_[1][:, 0] - self.thresholds_[1][0] + self._tolerance

    @property
    def _tolerance(self) -> float:
        """Half of what separates the sides of a threshold: a solver's rounding must not change a side."""
        return 0.5 * (1.0 if self.integer_weights else EPS)

    def _alternate(self, program: "_Program", ends: float, seed: int, announce: Announce) -> Values:
        """Optimise the first layer with the output fixed, then the output with the first layer fixed."""
        rng = np.random.default_rng(seed)
        second = rng.integers(-1, 2, self.width) if self.integer_weights else rng.uniform(-1, 1, self.width)
        values = program.solve({"second": second.astype(float)}, ends, seed, announce("first layer"))
        errors = program.solution.objective
        while perf_counter() < ends and errors:
            fixed = {"first": values.first, "thresholds": values.thresholds}
            values = program.solve(fixed, ends, seed, announce("output"), values)
            fixed = {"second": values.second}
            values = program.solve(fixed, ends, seed, announce("first layer"), values)
            if program.solution.objective == errors:
                break
            errors = program.solution.objective
        return values

    def _store(self, values: Values) -> None:
        live = self.input_transform_.live
        kind = np.int8 if self.integer_weights else np.float64
        first = np.zeros((len(live), self.width), kind)
        first[live] = values.first
        self.weights_ = [first, values.second[:, None].astype(kind)]
        self.biases_ = None
        self.thresholds_ = [values.thresholds, np.array([values.last])]

    def _check(self) -> None:
        check_engine(self.engine)
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {self.method!r}")
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")
        if self.radius < 0.0:
            raise ValueError(f"radius must be at least 0, got {self.radius}")
        if not self.integer_weights and self.engine == "cpsat":
            raise ValueError(
                "engine='cpsat' takes whole weights only: set integer_weights, or choose 'highs'"
            )
        if not self.integer_weights and self.input_scaling != "unit":
            raise ValueError(f"real weights go with input_scaling='unit', got {self.input_scaling!r}")


class _Program:
    """The program of one fit, with parts that can be fixed; inputs [n, live], codes [n] in {0, 1}."""

    def __init__(self, settings: BDNNClassifier, inputs: NDArray, codes: NDArray) -> None:
        self.settings, self.inputs, self.codes = settings, inputs, codes
        self.solution: Solution
        model, whole, width = Model(), settings.integer_weights, settings.width
        count, features = inputs.shape
        reach = float(np.ceil(np.abs(inputs).sum(axis=1).max())) if settings.bias else 0.0
        last = float(width) if settings.bias else 0.0
        self.first = model.add_variables((features, width), -1, 1, integer=whole)
        self.thresholds = model.add_variables(width, -reach, reach, integer=whole)
        self.second = model.add_variables(width, -1, 1, integer=whole)
        self.last = model.add_variables(1, -last, last, integer=whole)
        self.active = model.add_variables((count, width), 0, 1)
        self.sent = model.add_variables((count, width), -1, 1, integer=whole)
        self.output = model.add_variables(count, 0, 1)
        self.model, self.eps = model, 1.0 if whole else EPS
        self._add_hidden()
        self._add_output()
        model.minimise(self.output, np.where(codes == 1, -1.0, 1.0))

    def solve(
        self,
        fixed: dict[str, NDArray] | None,
        ends: float,
        seed: int,
        listener: Any,
        start: Values | None = None,
    ) -> Values:
        """Solve with some parts fixed to values; return all parts."""
        lower, upper = list(self.model.lower), list(self.model.upper)
        for name, values in (fixed or {}).items():
            self.model.fix(getattr(self, name), np.asarray(values).ravel())
        limits = Limits(max(ends - perf_counter(), 0.01), self.settings.threads, seed)
        found = solve(
            self.model,
            limits,
            engine=self.settings.engine,
            start=None if start is None else self._complete(start),
            listener=listener,
        )
        self.model.lower, self.model.upper = lower, upper
        positives = float((self.codes == 1).sum())
        if found.values is None:
            raise NoNetworkError(
                f"{self.settings.engine} found no network in {self.settings.time_limit:g} s; raise time_limit"
            )
        # errors = sum of outputs of class 0 - sum of outputs of class 1 + number of class 1
        bound = None if found.bound is None else found.bound + positives
        errors = None if found.objective is None else found.objective + positives
        self.solution = Solution(
            found.status, found.values, errors, bound, found.seconds, found.incumbents, found.interrupted
        )
        values = found.values
        last = float(values[self.last][0])
        return Values(values[self.first], values[self.thresholds], values[self.second], last)

    def _complete(self, weights: Values) -> NDArray:
        values = np.zeros(self.model.num_variables)
        values[self.first], values[self.thresholds] = weights.first, weights.thresholds
        values[self.second], values[self.last] = weights.second, weights.last
        active = self.inputs @ weights.first >= weights.thresholds - 0.5 * self.eps
        values[self.active], values[self.sent] = active, active * weights.second
        values[self.output] = (active @ weights.second) >= weights.last - 0.5 * self.eps
        if self.settings.radius:
            values[self.sizes] = np.abs(weights.first)
        return values

    def _add_hidden(self) -> None:
        """(u = 1) => W x - r |W| >= lambda, (u = 0) => W x + r |W| <= lambda - eps."""
        radius = self.settings.radius * (
            self.settings.input_transform_.unit if self.settings.integer_weights else 1
        )
        if radius:
            whole = self.settings.integer_weights
            self.sizes = self.model.add_variables(self.first.shape, 0, 1, integer=whole)
            for weight, size in zip(self.first.ravel(), self.sizes.ravel(), strict=True):
                pair = np.array([weight, size])
                self.model.add_row(Expression(pair, np.array([1.0, -1.0])), upper=0.0)
                self.model.add_row(Expression(pair, np.array([1.0, 1.0])), lower=0.0)
        for sample, neuron in np.ndindex(self.active.shape):
            seen = np.flatnonzero(self.inputs[sample])
            form = Expression(self.first[seen, neuron], self.inputs[sample, seen])
            form = form.plus(self.thresholds[neuron], -1.0)
            above = form.plus(self.sizes[:, neuron], -radius) if radius else form
            below = form.plus(self.sizes[:, neuron], radius) if radius else form
            switch = int(self.active[sample, neuron])
            self.model.add_row(above, lower=0.0, when=(switch, 1))
            self.model.add_row(below, upper=-self.eps, when=(switch, 0))

    def _add_output(self) -> None:
        """Add s = w2 u, (z = 1) => sum s >= lambda2, (z = 0) => sum s <= lambda2 - eps."""
        for sample, neuron in np.ndindex(self.active.shape):
            pair = np.array([self.sent[sample, neuron], self.second[neuron]])
            switch = int(self.active[sample, neuron])
            same = Expression(pair, np.array([1.0, -1.0]))
            self.model.add_row(same, lower=0.0, upper=0.0, when=(switch, 1))
            nothing = Expression(pair[:1], np.ones(1))
            self.model.add_row(nothing, lower=0.0, upper=0.0, when=(switch, 0))
        for sample, switch in enumerate(self.output):
            form = Expression(self.sent[sample], np.ones(self.settings.width)).plus(self.last, -1.0)
            self.model.add_row(form, lower=0.0, upper=inf, when=(int(switch), 1))
            self.model.add_row(form, upper=-self.eps, when=(int(switch), 0))
