"""What a network holds: its state, initial beliefs, and the anchor of what was believed before.

Shapes: batch B, layer widths N -> K, layers L.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.message_passing.fields import LayerState, Natural, masked_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["Batch", "State", "anchor_at_posterior", "init"]


class State(NamedTuple):
    """What the next step needs: the layers."""

    layers: tuple[LayerState, ...]


class Batch(NamedTuple):
    """Inputs ``[B, N]``, labels ``[B]``, and which samples are real ``[B]`` (None: all).

    Labels are class numbers for the argmax output; -1, +1 or 0 (no label) for binary ones, and ``[B, K]``
    where there are several.
    """

    inputs: Array
    labels: Array
    sample_mask: Array | None = None


def init(key: Array, spec: NetworkSpec, hyper: Hyper, initial_field: Array | float = 1.0) -> State:
    """Return the initial state: fields ``initial_field * N(0, 1)``, or a Gaussian prior of that scale.

    For Gaussian weights the prior is ``N(m, s^2)`` with ``s = initial_field / sqrt(fan in)`` and ``m``
    itself drawn from ``N(0, s^2)``. An anchor is the same prior without the noise.

    Examples
    --------
    >>> import jax
    >>> from mpnn.message_passing.network import init
    >>> from mpnn.message_passing.spec import NetworkSpec
    >>> from mpnn.message_passing.training import Schedules
    >>> spec = NetworkSpec((64, 11, 10), weights="ternary", output="argmax")
    >>> first = Schedules(sparsity=1.0).at_sweep(0, spec.num_layers)
    >>> [layer.mean.shape for layer in init(jax.random.key(0), spec, first).layers]
    [(64, 11), (11, 10)]
    """
    layers = []
    for index, layer_key in enumerate(jax.random.split(key, spec.num_layers)):
        field_key, mask_key = jax.random.split(layer_key)
        shape = (spec.fan_in(index), spec.widths[index + 1])
        noise = initial_field * jax.random.normal(field_key, shape)
        precision = jnp.zeros(shape) if spec.family.uses_precision else None
        natural = Natural(noise, precision)
        if spec.weights == "gaussian":
            precision = shape[0] / jnp.square(initial_field) * jnp.ones(shape)
            natural = Natural(precision * noise / jnp.sqrt(shape[0]), precision)
        # copied: training donates the state, which must not hold an array twice
        anchor = jax.tree.map(jnp.copy, Natural(jnp.zeros(shape), precision)) if spec.anchored else None
        mask = None
        if spec.density < 1.0:
            mask = jax.random.bernoulli(mask_key, spec.density, shape).astype(noise.dtype)
        moments = masked_moments(spec.family, natural, hyper.sparsity[index], mask)
        variance = None if spec.weights == "binary" else moments.variance
        focus = natural.scaled(jnp.zeros(())) if spec.focusing else None
        layers.append(LayerState(natural, moments.mean, variance, focus, mask, anchor))
    return State(tuple(layers))


def anchor_at_posterior(state: State) -> State:
    """Anchor every layer at what it believes now: before the next task of continual learning."""
    return State(
        tuple(layer._replace(anchor=jax.tree.map(jnp.copy, layer.posterior)) for layer in state.layers)
    )
