"""The gain of a step: how far it goes, in units of the step to the best point along its own direction.

A batch's message moves the fields of a layer, their means follow by the variance of each weight, and the
outputs by the means. With the curvature of the outputs' free energy that is a parabola, whose minimum is the
step of gain 1. Beyond 2 a step overshoots by more than it corrects. Where this happens in the output, whose
variance falls as its weights become certain and whose messages grow with one over it, training runs away.
"""

import jax.numpy as jnp
from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.rules.base import Inputs, counted

__all__ = ["step_gain", "within_gain"]


def step_gain(weights: Moments, rows: Inputs, message: Array, curvature: Array, own: Hyper) -> Array:
    """The gain of a step whose damping acts on the field.

    Parameters
    ----------
    weights : Moments [N, K]
        Of the layer's weights.
    rows : Inputs [B, N]
        Its inputs.
    message : Array [N, K]
        Fields that the batch sends to the weights.
    curvature : Array [B, K]
        Of the outputs' free energy.
    own : Hyper
        The layer's numbers, of which evidence and damping scale the step.
    """
    moved = weights.variance * message
    outputs = jnp.matmul(rows.mean, moved)
    bend = jnp.sum(counted(rows, curvature) * jnp.square(outputs))
    slope = jnp.sum(moved * message)
    return own.evidence * (1.0 - own.damping) * bend / jnp.maximum(slope, jnp.finfo(slope.dtype).tiny)


def within_gain(largest: float, gain: Array, own: Hyper) -> Hyper:
    """Numbers with less evidence, where the gain would be above the largest one.

    Parameters
    ----------
    largest : float > 0
        The largest gain.
    gain : Array []
        That of the step, as it would be.
    own : Hyper
        The layer's numbers.
    """
    share = largest / jnp.maximum(gain, largest)
    return own._replace(evidence=own.evidence * share)
