"""Few-bit networks that need not fit every sample: the models of Thorbjarnarson and Yorke-Smith.

Thorbjarnarson, Yorke-Smith, "Optimal training of integer-valued neural networks with mixed integer
programming" (PLOS ONE 18(2), 2023). Weights and biases in {-P..P}, inputs in [0, 1] to four decimals, one
output a class. With B = P (N + 1), the reach of an output of N inputs, the normalised output is 2 a / B; a
label asks for a normalised output of 1/2, that is for a >= B / 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import (
    MulticlassNetworkMixin,
    NoNetworkError,
    SolverClassifier,
    check_hidden,
    check_levels,
    starting_network,
)
from mpnn.solvers.engines import Expression, Limits, Model, Solution, check_engine, solve
from mpnn.solvers.formulation import Network, Weights, add_network, add_signs
from mpnn.solvers.inputs import integer_inputs
from mpnn.solvers.progress import shown_progress

__all__ = ["IntegerNetworkClassifier"]

LOSSES = ("max_correct", "min_hinge", "sat_margin")


@dataclass(frozen=True)
class Targets:
    """signs : [n, classes], -1 or +1; reach : B of an output."""

    signs: NDArray
    reach: int

    @property
    def margin(self) -> int:
        """Return the least output, times its sign, that satisfies: B / 4."""
        return ceil(self.reach / 4)


class IntegerNetworkClassifier(MulticlassNetworkMixin, SolverClassifier):
    """A few-bit sign network with biases by one integer program, stopped where it is good enough.

    Parameters
    ----------
    hidden : widths of the hidden layers, at least one; published: (16,).
    time_limit : seconds, > 0.
    loss : ``"max_correct"``: samples whose own output alone is positive or 0; ``"sat_margin"``: outputs that
        miss the margin B / 4; ``"min_hinge"``: sum over outputs of max(0, 1/2 - 2 y a / B)^2.
    levels : P of the weights and biases {-P..P}, 1 to 127; published: 1, 3, 7, 15.
    stop_share : the search ends at a loss of this share of the samples (min_hinge: times 1/4), in [0, 1].
    compression : cost of a hidden neuron, >= 0 in thousandths; neurons that are not worth it lose all their
        weights, and the margin is that of the remaining ones. Not with min_hinge.
    warm_start : ``"lp_rounding"``, None or False, weights or a classifier, as in
        :class:`mpnn.solvers.ToroIcarteClassifier`.
    engine : ``"cpsat"``, ``"highs"``, ``"scip"`` or ``"gurobi"``.
    input_scaling : ``"unit"`` as published, or ``"raw"``.
    threads : of the engine.
    verbose : shows objective, bound and time.
    random_state : int, RandomState or None.

    Attributes
    ----------
    classes_ : labels, sorted.
    weights_, biases_ : lists of int8 arrays, [in, out] and [out]; a bias adds as an input of 1 does.
    solution_ : status, bound and gap; its objective is in whole units, see `loss_`.
    loss_ : of the training samples, without the cost of neurons.
    neurons_ : hidden neurons in use.
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
        """Train on inputs [n, features] and labels [n].

        Raises
        ------
        NoNetworkError
            None was found in time, or with max_correct there is none with one positive output a sample.
        """
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        hidden = self._check()
        transform = self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = transform(inputs)[:, transform.live]
        widths = (live.shape[1], *hidden, len(self.classes_))
        signs = np.where(codes[:, None] == np.arange(widths[-1]), 1, -1)
        targets = Targets(signs, self.levels * (widths[-2] + 1))
        start = starting_network(
            self.warm_start, transform, inputs, codes, widths, self.levels, self.random_state
        )
        program = _Program(self, live, widths, targets, transform.unit)
        values = None if start is None else program.complete(start)
        limits = Limits(
            max(ends - perf_counter(), 0.01), self.threads, self._seed(), stop_at=program.good_enough()
        )
        with shown_progress(self.verbose) as announce:
            self.solution_: Solution = solve(
                program.model, limits, engine=self.engine, start=values, listener=announce(self.loss)
            )
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

    def _check(self) -> tuple[int, ...]:
        check_engine(self.engine)
        check_levels(self.levels)
        hidden = check_hidden(self.hidden)
        if not hidden:
            raise ValueError("hidden must name at least one layer, got (): margins are counted in neurons")
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {LOSSES}, got {self.loss!r}")
        if not 0.0 <= self.stop_share <= 1.0:
            raise ValueError(f"stop_share must be in [0, 1], got {self.stop_share}")
        if self.compression < 0.0:
            raise ValueError(f"compression must be at least 0, got {self.compression}")
        if self.compression and self.loss == "min_hinge":
            raise ValueError("compression goes with max_correct and sat_margin, got min_hinge")
        return hidden


class _Program:
    """The integer program of one fit. Whole units: 1/1000 of an error, or 1/(4 B^2) of the hinge loss."""

    def __init__(
        self,
        settings: IntegerNetworkClassifier,
        inputs: NDArray,
        widths: tuple[int, ...],
        targets: Targets,
        bias_unit: int,
    ) -> None:
        self.settings, self.targets = settings, targets
        self.model = Model()
        self.network = add_network(
            self.model, inputs, widths, settings.levels, bias=True, bias_unit=bias_unit
        )
        add_signs(self.model, self.network)
        self.used = self._add_neurons() if settings.compression else None
        self.unit = 4 * targets.reach**2 if settings.loss == "min_hinge" else 1000
        add = {"max_correct": self._add_correct, "min_hinge": self._add_hinge, "sat_margin": self._add_margin}
        self.losses = add[settings.loss]()
        costs = 1 if settings.loss == "min_hinge" else self.unit
        columns, factors = self.losses.ravel(), np.full(self.losses.size, float(costs))
        if self.used is not None:
            columns = np.append(columns, self.used)
            factors = np.append(factors, np.full(len(self.used), float(round(1000 * settings.compression))))
        self.model.minimise(columns, factors)

    def good_enough(self) -> float:
        """Return the objective at which the search ends."""
        share = self.settings.stop_share * (0.25 if self.settings.loss == "min_hinge" else 1.0)
        return self.unit * share * len(self.targets.signs)

    def loss_of(self, values: NDArray) -> float:
        """Return the loss of a solution."""
        units = self.unit if self.settings.loss == "min_hinge" else 1
        return float(values[self.losses].sum()) / units

    def complete(self, weights: Weights) -> NDArray:
        """Return a value for every variable that follows from the weights."""
        values = np.zeros(self.model.num_variables)
        outputs = self.network.assign(values, weights)[-1]
        reached = self.targets.signs * outputs
        neurons = 0
        if self.used is not None:
            into = [np.any(layer, axis=0) for layer in weights.layers[:-1]]
            out = [np.any(layer, axis=1) for layer in weights.layers[1:]]
            values[self.used] = np.concatenate(into) | np.concatenate(out)
            neurons = int(values[self.used][-self.network.widths[-2] :].sum())
        if self.settings.loss == "min_hinge":
            values[self.losses] = np.maximum(0, self.targets.reach - 4 * reached) ** 2
        elif self.settings.loss == "sat_margin":
            asked = self.settings.levels * (neurons + 1) if self.used is not None else self.targets.reach
            values[self.losses] = 4 * reached < asked
        else:
            values[self.on] = outputs >= 0
            values[self.losses] = ~((outputs >= 0) & (self.targets.signs > 0)).any(axis=1)
        return values

    def _output(self, sample: int, output: int) -> Expression:
        return self.network.pre_activation(len(self.network.weights) - 1, sample, output)

    def _add_correct(self) -> NDArray:
        """(o = 1) => a >= 0, (o = 0) => a <= -1, one o a sample; its loss is 1 - o of its class."""
        self.on = self.model.add_variables(self.targets.signs.shape, 0, 1)
        losses = self.model.add_variables(len(self.on), 0, 1)
        for sample, switches in enumerate(self.on):
            self.model.add_row(Expression(switches, np.ones(len(switches))), lower=1.0, upper=1.0)
            own = switches[self.targets.signs[sample] > 0]
            either = Expression(np.append(own, losses[sample]), np.ones(2))
            self.model.add_row(either, lower=1.0, upper=1.0)
            for output, switch in enumerate(switches):
                form = self._output(sample, output)
                self.model.add_row(form, lower=0.0, when=(int(switch), 1))
                self.model.add_row(form, upper=-1.0, when=(int(switch), 0))
        return losses

    def _add_margin(self) -> NDArray:
        """(z = 0) => 4 y a >= B and (z = 1) => 4 y a <= B - 1; with compression B = P (neurons + 1)."""
        losses = self.model.add_variables(self.targets.signs.shape, 0, 1)
        for sample, output in np.ndindex(losses.shape):
            form = self._output(sample, output).times(4.0 * float(self.targets.signs[sample, output]))
            asked = self.targets.reach
            if self.used is not None:
                last = self.used[-self.network.widths[-2] :]
                form, asked = form.plus(last, -float(self.settings.levels)), self.settings.levels
            missed = int(losses[sample, output])
            self.model.add_row(form, lower=asked, when=(missed, 0))
            self.model.add_row(form, upper=asked - 1, when=(missed, 1))
        return losses

    def _add_hinge(self) -> NDArray:
        """z >= the chords of f(a) = max(0, B - 4 y a)^2 between whole a, which are exact at whole a."""
        reach = self.targets.reach
        losses = self.model.add_variables(self.targets.signs.shape, 0, (5 * reach) ** 2)
        points = np.arange(-reach, self.targets.margin)
        values = np.maximum(0, reach - 4 * points) ** 2
        slopes = np.maximum(0, reach - 4 * (points + 1)) ** 2 - values
        for sample, output in np.ndindex(losses.shape):
            form = self._output(sample, output).times(float(self.targets.signs[sample, output]))
            for point, value, slope in zip(points, values, slopes, strict=True):
                chord = form.times(-float(slope)).plus(losses[sample, output], 1.0)
                self.model.add_row(chord, lower=float(value - slope * point))
        return losses

    def _add_neurons(self) -> NDArray:
        """(h = 0) => no weight into or out of a hidden neuron; as many last neurons as outputs must stay."""
        network: Network = self.network
        used = [self.model.add_variables(width, 0, 1) for width in network.widths[1:-1]]
        for layer, switches in enumerate(used):
            into, out = network.weights[layer], network.weights[layer + 1]
            for neuron, switch in enumerate(switches):
                touched = np.concatenate([into[:, neuron], out[neuron]])
                if network.biases is not None:
                    touched = np.append(touched, network.biases[layer][neuron])
                for weight in touched:
                    alone = Expression(np.array([weight]), np.ones(1))
                    self.model.add_row(alone, lower=0.0, upper=0.0, when=(int(switch), 0))
        self.model.add_row(Expression(used[-1], np.ones(len(used[-1]))), lower=network.widths[-1])
        return np.concatenate(used)
