"""One few-bit neuron by linear or integer programming: the baseline beside every exact network."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import BinaryNetworkMixin, SolverClassifier
from mpnn.solvers.engines import Expression, Limits, Model, Solution, solve
from mpnn.solvers.formulation import Weights, add_nonzeros
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.linear_start import rounded_neuron
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import shown_progress
from mpnn.validation import check_parameters, choice

__all__ = ["SingleNeuronClassifier"]

OBJECTIVES = ("lp_rounding", "max_margin", "min_weight")


class SingleNeuronClassifier(BinaryNetworkMixin, SolverClassifier):
    """The sign of one weighted sum, weights {-P..P}, no bias.

    Parameters
    ----------
    objective : str, default="min_weight"
        ``"lp_rounding"``: the widest margin with real weights, rounded (milliseconds); ``"max_margin"``: the
        widest margin of whole weights; ``"min_weight"``: the fewest non-zero weights with at least
        ``margin_share`` of the rounded weights' margin.
    time_limit : float > 0, default=10.0
        Seconds of the integer program.
    levels : int from 1 to 127, default=1
        P of the weights {-P..P}.
    margin_share : float in [0, 1], default=0.5
        Share of the rounded weights' margin that ``"min_weight"`` keeps.
    engine : str, default="highs"
        ``"highs"``, ``"cpsat"``, ``"scip"`` or ``"gurobi"``.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; a sum of 0 votes for the second.
    weights_ : list of int8 ndarray [features, 1]
        The weights, one array.
    margin_ : float
        Least sum, times the sign, over the training samples; negative where they are not separated.
    solution_ : Solution or None
        Status, bound and gap of the integer program, None for ``"lp_rounding"``.
    """

    def __init__(
        self,
        objective: str = "min_weight",
        time_limit: float = 10.0,
        *,
        levels: int = 1,
        margin_share: float = 0.5,
        engine: str = "highs",
        input_scaling: str = "raw",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.objective = objective
        self.time_limit = time_limit
        self.levels = levels
        self.margin_share = margin_share
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "SingleNeuronClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.
        """
        check_parameters(self.get_params(deep=False), {**CHECKS, "objective": choice(OBJECTIVES)})
        inputs, codes = self._encode(X, y)
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = self.input_transform_(inputs)[:, self.input_transform_.live]
        signs = 2 * codes - 1
        neuron = rounded_neuron(live, signs, self.levels)
        self.solution_: Solution | None = None
        if self.objective != "lp_rounding" and len(neuron):
            neuron = self._improve(live, signs, neuron)
        self.margin_ = int((signs * (live @ neuron)).min())
        self._publish(Weights((neuron[:, None],)))
        return self

    def _improve(self, inputs: NDArray, signs: NDArray, start: NDArray) -> NDArray:
        """Solve the integer program from the rounded weights, which are a solution of it."""
        model = Model()
        weights = model.add_variables(len(start), -self.levels, self.levels)
        margin = int((signs * (inputs @ start)).min())
        reach = self.levels * int(np.abs(inputs).sum(axis=1).max())
        rows = [
            Expression(weights, (sign * row).astype(float)) for row, sign in zip(inputs, signs, strict=True)
        ]
        if self.objective == "max_margin":
            least = model.add_variables(1, -reach - 1, reach)
            for row in rows:
                model.add_row(row.plus(least, -1.0), lower=0.0)
            model.maximise(least)
            values = np.append(start, margin).astype(float)
        else:
            # a share of a negative margin would ask for more than the start has
            wanted = ceil(self.margin_share * margin) if margin > 0 else margin
            for row in rows:
                model.add_row(row, lower=wanted)
            model.minimise(add_nonzeros(model, weights, self.levels))
            values = np.concatenate([start, start != 0]).astype(float)
        limits = Limits(self.time_limit, self.threads, self._seed())
        with shown_progress(self.verbose) as announce:
            listener = announce(self.objective)
            self.solution_ = solve(model, limits, engine=self.engine, start=values, listener=listener)
        found = self.solution_.values
        return start if found is None else np.round(found[weights]).astype(np.int64)
