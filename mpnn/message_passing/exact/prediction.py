"""Bayesian prediction of networks with few hidden units: exact sums above the first layer."""

import jax.numpy as jnp
from jax import Array

from mpnn import numerics
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.exact import messages
from mpnn.message_passing.exact.requirements import TERNARY
from mpnn.message_passing.rules.base import Inputs, gaussian_preactivation
from mpnn.message_passing.ties import half_step_of_data, settled

__all__ = ["exact_probabilities"]


def exact_probabilities(beliefs: list[Moments], inputs: Array, noise: Array) -> Array:
    """Probability of each of two classes ``[B, 2]``, the layers above the first averaged exactly.

    For networks with ``spec.exact``: hidden units count as independent given the input, and each
    upper unit's sign is averaged over all its terms (:func:`mpnn.message_passing.exact.messages.forward`).
    ``noise [L]``
    counts in the first layer only.

    Parameters
    ----------
    beliefs : list of Moments [N, K]
        Mean and variance of the weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    noise : Array [L]
        Standard deviation that training assumed on every pre-activation.
    """
    known = Inputs(inputs, None, jnp.square(inputs))
    mean, variance = gaussian_preactivation(beliefs[0], known)
    mean = settled(mean, variance, noise[0], half_step_of_data(TERNARY, inputs, None))
    scaled = (mean / jnp.sqrt(variance + jnp.square(noise[0]))).T
    up = jnp.stack([numerics.ndtr(-scaled), numerics.ndtr(scaled)])
    for belief in beliefs[1:]:
        plus = 0.5 * (belief.variance + jnp.square(belief.mean) + belief.mean)
        levels = jnp.stack([plus - belief.mean, 1.0 - 2.0 * plus + belief.mean, plus])
        up = messages.forward(up[:, :, None], jnp.maximum(levels, 0.0)[..., None])[0]
    return (up / jnp.sum(up, axis=0))[:, 0].T
