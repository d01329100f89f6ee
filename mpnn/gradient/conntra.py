"""CoNNTrA: coordinate descent on ternary weights (Date et al. 2020), for small networks.

A sweep visits every weight of every layer once, in random order, and keeps the level with the least training
loss; a weight moves only if that lowers the loss. Pre-activations are cached: a weight changes one of its
layer, so that a visit costs one column there, a rank-one correction above, and full products only from the
second layer above. The visiting order and the loss are this module's choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient import surrogates
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import LatentTernary
from mpnn.gradient.losses import LOSSES, errors
from mpnn.gradient.method import Leaves, Method, Parameters, Plan
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.gradient.training import Data, History, Steps, TrainState
from mpnn.validation import hidden_widths

__all__ = ["CoNNTrAClassifier", "Coordinates", "Discretes"]

LEVELS = (-1.0, 0.0, 1.0)
# A level must lower the mean loss by this much, lest rounding errors move weights for ever.
LEAST_GAIN = 1e-6


@dataclass(frozen=True)
class Discretes(LatentTernary):
    """Ternary weights that are their own latent array; all 0, or at random, to begin with."""

    def init(self, key: Array, shape: Sequence[int]) -> Array:
        """Draw -1, 0 or +1; scale is the share that is not 0."""
        chosen = jax.random.uniform(key, tuple(shape)) < self.scale
        return chosen * jax.random.rademacher(jax.random.fold_in(key, 1), tuple(shape), jnp.float32)

    def mode(self, latent: Array) -> Array:
        """The weights themselves."""
        return latent


@dataclass(frozen=True)
class Coordinates(Method):
    """Coordinate descent; no gradient anywhere."""


def _init(key: Array, method: Coordinates, plan: Plan) -> TrainState:
    """Weights before the first sweep."""
    spec = method.network
    shapes = [
        (fan_in + spec.bias, fan_out)
        for fan_in, fan_out in zip(spec.widths[:-1], spec.widths[1:], strict=True)
    ]
    keys = jax.random.split(key, len(shapes))
    weights = tuple(method.family.init(own, shape) for own, shape in zip(keys, shapes, strict=True))
    return TrainState(Parameters(weights, ()), (), (), jnp.zeros([], jnp.int32))


def _sweep(
    state: TrainState, key: Array, data: Data, method: Coordinates, plan: Plan
) -> tuple[TrainState, History]:
    """Visit all weights on all samples."""
    spec, inputs, weights = method.network, data.inputs[data.rows], state.parameters.latents

    def loss(outputs: Array) -> Array:
        losses = LOSSES[method.loss](outputs, data.targets)
        return jnp.sum(data.mask * losses) / jnp.sum(data.mask)

    for layer in range(len(weights)):
        weights = _sweep_layer(jax.random.fold_in(key, layer), spec, weights, layer, inputs, loss)
    outputs = _forward(spec, weights, inputs)
    wrong = jnp.sum(data.mask * errors(outputs, data.targets)) / jnp.sum(data.mask)
    after = TrainState(Parameters(weights, ()), (), (), state.step + 1)
    return after, History(loss(outputs), wrong)


BY_COORDINATES = Steps(_init, _sweep, num_keys=2)


def _sweep_layer(
    key: Array, spec: PerceptronSpec, weights: Leaves, layer: int, inputs: Array, loss: Any
) -> Leaves:
    """Visit every weight of one layer."""
    below = _with_bias(spec, _units_below(spec, weights, layer, inputs))
    above = weights[layer + 1 :]
    own = weights[layer]
    scale = _scale(below)
    preactivations = scale * below @ own
    outputs = _from_preactivations(spec, preactivations, above)

    def visit(place: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        kernel, cached, best = carry
        row, column = place // own.shape[1], place % own.shape[1]
        old = kernel[row, column]
        changes = jnp.asarray(LEVELS) - old
        columns = cached[:, column] + scale * changes[:, None] * below[:, row]

        def loss_of(candidate: Array) -> Array:
            return loss(_from_preactivations(spec, cached.at[:, column].set(candidate), above))

        losses = jax.vmap(loss_of)(columns)
        pick = jnp.argmin(losses)
        better = losses[pick] < best - LEAST_GAIN
        kernel = kernel.at[row, column].set(jnp.where(better, jnp.asarray(LEVELS)[pick], old))
        cached = cached.at[:, column].set(jnp.where(better, columns[pick], cached[:, column]))
        return kernel, cached, jnp.where(better, losses[pick], best)

    order = jax.random.permutation(key, own.size)
    start = (own, preactivations, loss(outputs))
    own, _, _ = jax.lax.fori_loop(0, own.size, lambda index, carry: visit(order[index], carry), start)
    return (*weights[:layer], own, *above)


def _units_below(spec: PerceptronSpec, weights: Leaves, layer: int, inputs: Array) -> Array:
    units = inputs
    for kernel in weights[:layer]:
        units = _with_bias(spec, units)
        units = surrogates.sign(_scale(units) * units @ kernel)
    return units


def _from_preactivations(spec: PerceptronSpec, preactivations: Array, above: Leaves) -> Array:
    for kernel in above:
        units = _with_bias(spec, surrogates.sign(preactivations))
        preactivations = _scale(units) * units @ kernel
    return preactivations


def _forward(spec: PerceptronSpec, weights: Leaves, inputs: Array) -> Array:
    units = _with_bias(spec, inputs)
    return _from_preactivations(spec, _scale(units) * units @ weights[0], weights[1:])


def _with_bias(spec: PerceptronSpec, units: Array) -> Array:
    return jnp.pad(units, ((0, 0), (0, 1)), constant_values=1.0) if spec.bias else units


def _scale(units: Array) -> float:
    return units.shape[-1] ** -0.5


class CoNNTrAClassifier(GradientClassifier):
    """Ternary weights and sign units by coordinate descent: slow, exact in every step, for small networks.

    All weights and hidden units are discrete and nothing else is trained; only inputs and outputs are real.
    All samples are met at every step, whatever ``batch_size``.

    Parameters
    ----------
    hidden : sequence of int, default=()
        Widths of the hidden layers; () for a single layer.
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    start : float in [0, 1] or None, default=None
        Share of the initial weights that are not 0; with hidden layers, all at 0 is a dead end.
    num_epochs : int >= 1 or None, default=None
        Sweeps over all weights; None: 10.
    bias : bool, default=False
        Whether to add a constant input of 1 to every layer; its weights are ternary too.
    input_scaling : str or None, default="auto"
        How inputs are scaled, see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    num_samples : int, default=32
        Not used; here for all methods' common interface.
    callbacks : list of :class:`mpnn.callbacks.Callback` or None, default=None
        Called after every epoch; in a vote with ``pairs_per_batch``, after every group of pairs.
    verbose : {0, 1, 2}, default=0
        Nothing, a progress bar, or a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.
    """

    few_epochs = many_epochs = 10
    _steps = BY_COORDINATES

    def __init__(
        self,
        hidden: Sequence[int] = (),
        prediction: str = "mode",
        *,
        start: float | None = None,
        num_epochs: int | None = None,
        bias: bool = False,
        input_scaling: str | None = "auto",
        num_samples: int = 32,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.prediction = prediction
        self.start = start
        self.num_epochs = num_epochs
        self.bias = bias
        self.input_scaling = input_scaling
        self.num_samples = num_samples
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    # All samples in every step.
    batch_size = None
    # Coordinates are those of dense layers, and errors those of one set of samples.
    image_shape, largest_shift = None, 0

    def _hidden(self) -> tuple[int, ...]:
        return hidden_widths(self.hidden)

    def _method(self, widths: tuple[int, ...], plan: Plan) -> Coordinates:
        start = float(bool(len(self.hidden))) if self.start is None else self.start
        if not 0.0 <= start <= 1.0:
            raise ValueError(f"start must be in [0, 1], got {start}")
        return Coordinates(network=PerceptronSpec(widths, bias=self.bias), family=Discretes(start))
