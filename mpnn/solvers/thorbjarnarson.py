"""Few-bit networks that need not fit every sample: the models of Thorbjarnarson and Yorke-Smith.

Thorbjarnarson, Yorke-Smith, "Optimal training of integer-valued neural networks with mixed integer
programming" (PLOS ONE 18(2), 2023). Weights and biases in {-P..P}, inputs in [0, 1] to four decimals, one
output a class. The programs are in :mod:`mpnn.solvers.thorbjarnarson_models`.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from numpy.typing import ArrayLike

from mpnn.solvers.base import (
    MulticlassNetworkMixin,
    NoNetworkError,
    SolverClassifier,
    seconds_until,
)
from mpnn.solvers.engines import Limits, Solution
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import shown_progress
from mpnn.solvers.thorbjarnarson_models import LOSSES, Loss, LossProgram, check_layers
from mpnn.solvers.warm_starts import starting_network
from mpnn.validation import check_parameters, choice

__all__ = ["IntegerNetworkClassifier"]


class IntegerNetworkClassifier(MulticlassNetworkMixin, SolverClassifier):
    """A few-bit sign network with biases by one integer program, stopped where it is good enough.

    Parameters
    ----------
    hidden : sequence of int, default=(16,)
        Widths of the hidden layers, at least one; published: (16,).
    time_limit : float > 0, default=60.0
        Seconds.
    loss : str, default="sat_margin"
        ``"max_correct"``: samples whose own output alone is positive or 0; ``"sat_margin"``: outputs that
        miss the margin B / 4; ``"min_hinge"``: sum over outputs of max(0, 1/2 - 2 y a / B)^2.
    levels : int from 1 to 127, default=1
        P of the weights and biases {-P..P}; published: 1, 3, 7, 15.
    stop_share : float in [0, 1], default=0.1
        The search ends at a loss of this share of the samples (min_hinge: times 1/4).
    compression : float >= 0, default=0.0
        Cost of a hidden neuron, in thousandths; neurons that are not worth it lose all their weights,
        and the margin is that of the remaining ones. Not with min_hinge.
    warm_start : str, None, list of ndarray or classifier, default="lp_rounding"
        ``"lp_rounding"``, None or False, weights or a classifier, as in
        :class:`mpnn.solvers.ToroIcarteClassifier`.
    engine : str, default="cpsat"
        ``"cpsat"``, ``"highs"``, ``"scip"`` or ``"gurobi"``.
    input_scaling : str, default="unit"
        ``"unit"`` as published, or ``"raw"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted.
    weights_ : list of int8 ndarray [in, out]
        Weights, a layer each.
    biases_ : list of int8 ndarray [out]
        Biases, a layer each; a bias adds as an input of 1 does.
    solution_ : Solution
        Status, bound and gap; its objective is in whole units, see `loss_`.
    loss_ : float
        Loss of the training samples, without the cost of neurons.
    neurons_ : int
        Hidden neurons in use.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16,),
        time_limit: float = 60.0,
        *,
        loss: str = "sat_margin",
        levels: int = 1,
        stop_share: float = 0.1,
        compression: float = 0.0,
        warm_start: Any = "lp_rounding",
        engine: str = "cpsat",
        input_scaling: str = "unit",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.loss = loss
        self.levels = levels
        self.stop_share = stop_share
        self.compression = compression
        self.warm_start = warm_start
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "IntegerNetworkClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of any type.

        Raises
        ------
        NoNetworkError
            None was found in time, or with max_correct there is none with one positive output a sample.
        """
        loss, hidden = self._check()
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        transform = self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = transform(inputs)[:, transform.live]
        widths = (live.shape[1], *hidden, len(self.classes_))
        start = starting_network(
            self.warm_start, transform, inputs, codes, widths, self.levels, self.random_state
        )
        program = LossProgram(loss, live, codes, widths, transform.unit)
        limits = Limits(seconds_until(ends), self.threads, self._seed())
        with shown_progress(self.verbose) as announce:
            self.solution_: Solution = program.solve(limits, self.engine, announce(self.loss), start)
        if self.solution_.values is None:
            raise NoNetworkError(
                f"{self.engine} found no network in {self.time_limit:g} s ({self.solution_.status}); "
                "raise time_limit or give a warm_start"
            )
        weights = program.network.read(self.solution_.values)
        self.loss_ = program.loss_of(self.solution_.values)
        self.neurons_ = int(sum(layer.any(axis=1).sum() for layer in weights.layers[1:]))
        self._publish(weights)
        return self

    def _check(self) -> tuple[Loss, tuple[int, ...]]:
        check_parameters(self.get_params(deep=False), {**CHECKS, "loss": choice(LOSSES)})
        loss = Loss(self.loss, self.levels, self.stop_share, self.compression)
        return loss, check_layers(self.hidden)
