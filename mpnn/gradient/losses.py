"""Losses of one sample: outputs ``[B, K]`` and targets ``[B]`` give ``[B]``.

K = 1: two classes, targets -1 and +1. K > 1: targets are class numbers.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import Array

__all__ = ["LOSSES", "errors", "probabilities"]


def cross_entropy(outputs: Array, targets: Array) -> Array:
    """Softmax cross-entropy; logistic for one output."""
    if outputs.shape[-1] == 1:
        return jax.nn.softplus(-targets * outputs[:, 0])
    return optax.losses.softmax_cross_entropy_with_integer_labels(outputs, targets.astype(jnp.int32))


def square_hinge(outputs: Array, targets: Array) -> Array:
    """``mean_k max(0, 1 - t_k z_k)²``, with ``t_k = +1`` for the class and -1 for the others."""
    return jnp.mean(jnp.square(jnp.maximum(1.0 - _signed(outputs, targets) * outputs, 0.0)), axis=-1)


def squared_error(outputs: Array, targets: Array) -> Array:
    """Regression on one output, and on -1 and +1 a class."""
    wanted = targets[:, None] if outputs.shape[-1] == 1 else _signed(outputs, targets)
    return jnp.mean(jnp.square(outputs - wanted), axis=-1)


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": cross_entropy,
    "square_hinge": square_hinge,
    "squared_error": squared_error,
}


def probabilities(outputs: Array) -> Array:
    """Class probabilities ``[B, C]`` of outputs that are logits; C = 2 for K = 1."""
    if outputs.shape[-1] == 1:
        outputs = jnp.concatenate([jnp.zeros_like(outputs), outputs], axis=-1)
    return jax.nn.softmax(outputs)


def errors(outputs: Array, targets: Array) -> Array:
    """Which samples are classified wrongly, bool ``[B]``; an output of 0 votes for the second class."""
    if outputs.shape[-1] == 1:
        return (outputs[:, 0] >= 0) != (targets > 0)
    return jnp.argmax(outputs, axis=-1) != targets


def _signed(outputs: Array, targets: Array) -> Array:
    """Targets ``[B, K]`` of -1 and +1."""
    if outputs.shape[-1] == 1:
        return targets[:, None].astype(outputs.dtype)
    return 2.0 * jax.nn.one_hot(targets, outputs.shape[-1]) - 1.0
