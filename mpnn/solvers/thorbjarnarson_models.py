"""The integer programs of Thorbjarnarson and Yorke-Smith: three losses of a few-bit network with biases.

With B = P (N + 1), the reach of an output of N inputs, the normalised output is 2 a / B; a label asks for a
normalised output of 1/2, that is for a >= B / 4.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Expression, Limits, Listener, Model, Solution, solve
from mpnn.solvers.formulation import Network, Weights, add_network, add_signs
from mpnn.validation import at_least_zero, hidden_widths, one_of, share

__all__ = ["LOSSES", "Loss", "LossProgram", "check_layers"]

LOSSES = ("max_correct", "min_hinge", "sat_margin")


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Parameters
    ----------
    name : str
        A name of `LOSSES`.
    levels : int from 1 to 127
        P of the weights and biases {-P..P}.
    stop_share : float in [0, 1], default=0.0
        The search ends at a loss of this share of the samples.
    compression : float >= 0, default=0.0
        Cost of a hidden neuron, in thousandths.
    """

    name: str
    levels: int
    stop_share: float = 0.0
    compression: float = 0.0

    def __post_init__(self) -> None:
        one_of("loss", self.name, LOSSES)
        share("stop_share", self.stop_share)
        at_least_zero("compression", self.compression)
        if self.compression and self.name == "min_hinge":
            raise ValueError("compression goes with max_correct and sat_margin, got min_hinge")


def check_layers(hidden: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers, at least one of them."""
    widths = hidden_widths(hidden)
    if not widths:
        raise ValueError("hidden must name at least one layer, got (): margins are counted in neurons")
    return widths


@dataclass(frozen=True)
class Targets:
    """What the outputs ought to be.

    Parameters
    ----------
    signs : ndarray [n, classes]
        -1 or +1.
    reach : int
        B, the largest magnitude of an output.
    """

    signs: NDArray
    reach: int

    @property
    def margin(self) -> int:
        """Return the least output, times its sign, that satisfies: B / 4."""
        return ceil(self.reach / 4)


class LossProgram:
    """The integer program of one network. Whole units: 1/1000 of an error, or 1/(4 B^2) of the hinge loss.

    Parameters
    ----------
    settings : Loss
        What is minimised.
    inputs : ndarray [n, widths[0]]
        Whole numbers.
    codes : ndarray [n]
        Class numbers.
    widths : tuple of int
        Widths of all layers, inputs first.
    bias_unit : int
        What an input of 1 is.
    """

    def __init__(
        self, settings: Loss, inputs: NDArray, codes: NDArray, widths: tuple[int, ...], bias_unit: int
    ) -> None:
        self.settings = settings
        signs = np.where(codes[:, None] == np.arange(widths[-1]), 1, -1)
        self.targets = targets = Targets(signs, settings.levels * (widths[-2] + 1))
        self.model = Model()
        self.network = add_network(
            self.model, inputs, widths, settings.levels, bias=True, bias_unit=bias_unit
        )
        add_signs(self.model, self.network)
        self.used = self._add_neurons() if settings.compression else None
        self.unit = 4 * targets.reach**2 if settings.name == "min_hinge" else 1000
        add = {"max_correct": self._add_correct, "min_hinge": self._add_hinge, "sat_margin": self._add_margin}
        self.losses = add[settings.name]()
        costs = 1 if settings.name == "min_hinge" else self.unit
        columns, factors = self.losses.ravel(), np.full(self.losses.size, float(costs))
        if self.used is not None:
            columns = np.append(columns, self.used)
            factors = np.append(factors, np.full(len(self.used), float(round(1000 * settings.compression))))
        self.model.minimise(columns, factors)

    def bound(self, around: Weights, distance: int) -> None:
        """Keep every weight and bias within a distance of another network's."""
        pairs = [*zip(self.network.weights, around.layers, strict=True)]
        if self.network.biases is not None and around.biases is not None:
            pairs += zip(self.network.biases, around.biases, strict=True)
        for variables, values in pairs:
            self.model.confine(variables, values - distance, values + distance)

    def solve(
        self, limits: Limits, engine: str, listener: Listener, start: Weights | None = None
    ) -> Solution:
        """Search until the loss is good enough."""
        values = None if start is None else self.complete(start)
        limits = replace(limits, stop_at=self.good_enough())
        return solve(self.model, limits, engine=engine, start=values, listener=listener)

    def good_enough(self) -> float:
        """Return the objective at which the search ends."""
        share = self.settings.stop_share * (0.25 if self.settings.name == "min_hinge" else 1.0)
        return self.unit * share * len(self.targets.signs)

    def loss_of(self, values: NDArray) -> float:
        """Return the loss of a solution."""
        units = self.unit if self.settings.name == "min_hinge" else 1
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
        if self.settings.name == "min_hinge":
            values[self.losses] = np.maximum(0, self.targets.reach - 4 * reached) ** 2
        elif self.settings.name == "sat_margin":
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
