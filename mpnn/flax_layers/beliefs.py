"""Layers of a flax model whose parameters are beliefs: moments go up, messages come down.

What lies above the layers, real layers and a loss, is a factor of the graphical model. Its message to a unit
of mean ``m`` is the field ``-dL/dm`` of the loss ``L = -log p``, summed over the batch: the first order of
``log p`` in the unit. Below that, messages are those of the library. They leave ``jax.grad`` as the
derivative for a belief, with the sign of a descent, so that an update of the beliefs is one of optax's:
:func:`counting_once`. What lies below the layers gets the derivative of the means.

Shapes: batch B, weight layers L, fan in N, units K.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from mpnn.flax_layers.published import Published
from mpnn.message_passing.fields import LayerState, Natural, damped_moments, masked_moments
from mpnn.message_passing.hyper import BATCHES, RATE, Hyper, Schedules
from mpnn.message_passing.layers.base import Layer, Place, Shape
from mpnn.message_passing.layers.chain import (
    apply_chain,
    backward_chain,
    begin_chain,
    forward_chain,
    init_chain,
    moments_chain,
    places_of,
)
from mpnn.message_passing.network import State
from mpnn.message_passing.prediction import decode_layer
from mpnn.message_passing.spec import completed, weighted_layers
from mpnn.message_passing.sweep import data_inputs
from mpnn.validation import at_least_zero

__all__ = ["Belief", "BeliefLayers", "counting_once"]


class Belief(nnx.Variable):
    """Natural parameters ``[N, K]`` of a layer's weights: a field, or a precision."""


class BeliefLayers(nnx.Module):
    """Layers of few-bit weights between real layers, or between data and real layers.

    Called, they give the means of their units over weights and noise. ``jax.grad`` of a loss gives the
    messages to the weights, negative, for variables of the kind :class:`Belief`, which
    :func:`counting_once` takes, and derivatives for what is below.

    Parameters
    ----------
    in_shape : tuple of int
        Shape of one sample of the inputs.
    layers : sequence of Layer
        Such as those of :mod:`mpnn.layers`, with discrete weights.
    rngs : nnx.Rngs
        Key of the initial beliefs, ``rngs.params``.
    noise : float >= 0, default=0
        Standard deviation on every pre-activation.
    sparsity : float, default=0
        Log odds of a zero weight before data. Not for binary weights.
    initial_field : float >= 0, default=1
        Scale of the random first fields, which tell hidden units apart.

    Raises
    ------
    ValueError
        For layers that do not fit the inputs or each other, without weights or with real ones, or whose
        messages are no derivatives: those of max-sum, and exact ones.

    Notes
    -----
    The loss is a negative log-likelihood *summed* over the batch. Units of the last layer take what is above
    to first order in their mean; sums of the layers' own weights are treated as everywhere in the library.

    Examples
    --------
    >>> import jax
    >>> from flax import nnx
    >>> from mpnn.flax_layers import BeliefLayers
    >>> from mpnn.layers import Dense
    >>> hidden = BeliefLayers((4,), (Dense(6, weights="ternary"), Dense(3)), rngs=nnx.Rngs(0))
    >>> hidden(jax.numpy.ones((2, 4))).shape
    (2, 3)
    >>> [own.shape for own in hidden.weights()]
    [(4, 6), (6, 3)]
    """

    def __init__(
        self,
        in_shape: Shape,
        layers: Sequence[Layer],
        *,
        rngs: nnx.Rngs,
        noise: float = 0.0,
        sparsity: float = 0.0,
        initial_field: float = 1.0,
    ) -> None:
        own = tuple(map(completed, layers))
        _check_layers(own)
        at_least_zero("initial_field", initial_field)
        self.chain = _Chain(own, places_of(own, Place(tuple(in_shape))))
        numbers = self.chain.numbers(noise, sparsity)
        self.noise, self.sparsity = Published(numbers[0].noise), Published(numbers[0].sparsity)
        keys = list(jax.random.split(rngs.params(), len(numbers)))
        states = State(init_chain(keys, own, self.chain.places, numbers, initial_field))
        self.structure = jax.tree.structure(states.layers, is_leaf=lambda node: isinstance(node, LayerState))
        self.fields = nnx.List([Belief(state.posterior.field) for state in states.weighted])
        precisions = [state.posterior.precision for state in states.weighted]
        self.precisions = nnx.List([None if own is None else Belief(own) for own in precisions])
        self.masks = nnx.List([None if own.mask is None else Published(own.mask) for own in states.weighted])

    def __call__(self, inputs: Array) -> Array:
        """Means ``[B, *out_shape]`` of the units, for inputs ``[B, *in_shape]``."""
        wanted = self.chain.places[0].in_shape
        if inputs.shape[1:] != wanted:
            raise ValueError(f"inputs must be [B, {', '.join(map(str, wanted))}], got {list(inputs.shape)}")
        numbers = self.chain.numbers(self.noise[...], self.sparsity[...])
        return _means(self.chain, self._states(), numbers, inputs)

    def weights(self) -> list[Array]:
        """The most probable weights, int8 ``[N, K]`` a layer, the bias as the last row."""
        own = zip(self.chain.weighted, State(self._states()).weighted, strict=True)
        return [decode_layer(layer, state, self.sparsity[...]) for layer, state in own]

    def units(self, inputs: Array) -> Array:
        """Units ``[B, *out_shape]`` of the most probable weights.

        Parameters
        ----------
        inputs : Array [B, *in_shape]
            Units of the layer below, or data.
        """
        return apply_chain(self.chain.layers, self.weights(), inputs)

    def _states(self) -> tuple[Any, ...]:
        own = zip(self.chain.weighted, self.fields, self.precisions, self.masks, strict=True)
        return jax.tree.unflatten(self.structure, [self._state(*parts) for parts in own])

    def _state(self, layer: Any, field: Any, precision: Any, mask: Any) -> LayerState:
        field, precision, mask = (None if own is None else own[...] for own in (field, precision, mask))
        natural = Natural(field, precision)
        moments = masked_moments(layer.family, natural, self.sparsity[...], mask)
        return LayerState(natural, *moments, None, mask)


def counting_once(rate: optax.ScalarOrSchedule, num_batches: float) -> optax.GradientTransformation:
    """Steps of the Bayesian learning rule for variables of the kind :class:`Belief`.

    With fields ``H`` and messages ``A`` of a batch a step is ``H <- (1 - rate) H + rate num_batches A``, at
    rest where ``H`` holds the messages of every sample once (:mod:`mpnn.message_passing.fields`): a descent
    with decay, whose gradient is ``-A``.

    Parameters
    ----------
    rate : float in (0, 1] or schedule
        The step.
    num_batches : float above 0
        Batches whose evidence the beliefs hold: those of an epoch count each sample once.

    Returns
    -------
    optax.GradientTransformation
        For ``nnx.Optimizer(model, counting_once(...), wrt=Belief)``.
    """
    if not callable(rate):
        RATE.check_one("rate", rate)
    BATCHES.check_one("num_batches", num_batches)
    return optax.chain(
        optax.scale(num_batches), optax.add_decayed_weights(1.0), optax.scale_by_learning_rate(rate)
    )


def _check_layers(layers: Sequence[Any]) -> None:
    weighted = weighted_layers(layers)
    if not weighted or any(layer.family.levels is None for layer in weighted):
        raise ValueError(f"layers must have weights of discrete levels, got {tuple(layers)}")
    for layer in weighted:
        if layer.rule == "max_sum" or layer.messages == "exact":
            raise ValueError(
                f"layers must pass Gaussian messages at temperature 1, got rule={layer.rule!r} and "
                f"messages={layer.messages!r}"
            )


class _Chain(NamedTuple):
    """What is static of the layers."""

    layers: tuple[Any, ...]
    places: tuple[Place, ...]

    @property
    def weighted(self) -> tuple[Any, ...]:
        """Layers with weights."""
        return weighted_layers(self.layers)

    def numbers(self, noise: Any, sparsity: Any) -> tuple[Hyper, ...]:
        """Those of one sweep without a prior: what a layer holds after it are its messages."""
        own = Schedules(rho=0.0, noise=noise, sparsity=sparsity).at_sweep(0, 1)
        return (jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), own),) * len(self.weighted)

    def out_of(self, values: Array) -> Natural:
        """The message from above with the fields ``values``."""
        signs = 0
        for layer in self.layers:
            signs = layer.averaged_signs(signs)
        return Natural(values, None if signs == 1 else jnp.zeros_like(values))


def _moments(chain: _Chain, states: tuple[Any, ...], numbers: tuple[Hyper, ...], inputs: Array) -> Array:
    beliefs = [damped_moments(own) for own in State(states).weighted]
    noise = [own.noise for own in numbers]
    return moments_chain(chain.layers, chain.places, beliefs, data_inputs(inputs), noise).mean


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _means(chain: _Chain, states: tuple[Any, ...], numbers: tuple[Hyper, ...], inputs: Array) -> Array:
    """Means of the units; the derivative for the posteriors of ``states`` are the messages, negative."""
    return _moments(chain, states, numbers, inputs)


def _forward(chain: _Chain, *given: Any) -> tuple[Array, Any]:
    return _means(chain, *given), given


def _backward(chain: _Chain, given: Any, slope: Array) -> Any:
    states, numbers, inputs = given
    network = chain.layers, chain.places, states
    memories = begin_chain(*network, len(inputs), inputs.dtype, numbers)
    _, caches = forward_chain(*network, data_inputs(inputs), memories, numbers)
    above = chain.out_of(-slope)
    moved, _, _ = backward_chain(*network, caches, above, memories, numbers, None)
    blank = jax.tree.map(jnp.zeros_like, given)
    slopes = jax.tree.map(
        lambda zeros, own: zeros._replace(posterior=own.posterior.scaled(-jnp.ones(()))),
        blank[0],
        moved,
        is_leaf=lambda node: isinstance(node, LayerState),
    )
    (below,) = jax.vjp(lambda own: _moments(chain, states, numbers, own), inputs)[1](slope)
    return slopes, blank[1], below


_means.defvjp(_forward, _backward)
