"""Decisions of a trained network: its discrete weights alone, means over its weights, or drawn networks.

Outputs of one network ``[B, K]`` (K = 1 for two classes), probabilities ``[B, C]``.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.gradient.losses import probabilities
from mpnn.gradient.method import Leaves, Method, apply
from mpnn.programs.bounded import bounded_jit

__all__ = ["Model", "decide", "decide_many", "sampled_outputs"]


class Model(NamedTuple):
    """A trained network, as predictions need it.

    Parameters
    ----------
    weights : tuple of Array
        Discrete weights.
    latents : tuple of Array
        Latent arrays.
    real : tuple of Array
        Numbers that stayed real.
    statistics : tuple of Array
        Batch statistics.
    seed : int
        Seed of samples.
    """

    weights: tuple[Any, ...]
    latents: tuple[Any, ...]
    real: tuple[Any, ...]
    statistics: tuple[Any, ...]
    seed: Any


def _point_outputs(method: Method, weights: Leaves, model: Model, inputs: Array) -> Array:
    floats = tuple(jnp.asarray(weight, jnp.float32) for weight in weights)
    return apply(method, floats, model.real, model.statistics, inputs, point=True)[0]


def sampled_outputs(method: Method, num_samples: int, model: Model, inputs: Array) -> Array:
    """Outputs ``[S, B, K]`` of networks drawn from the weights' distribution."""

    def one(key: Array) -> Array:
        keys = jax.random.split(key, len(model.latents))
        drawn = tuple(method.family.sample(*own) for own in zip(keys, model.latents, strict=True))
        return _point_outputs(method, drawn, model, inputs)

    return jax.lax.map(one, jax.random.split(jax.random.key(model.seed), num_samples))


def _decide(method: Method, how: str, num_samples: int, model: Model, inputs: Array) -> tuple[Array, Array]:
    if how == "mode" or method.family.deterministic:
        outputs = _point_outputs(method, model.weights, model, inputs)
        return outputs, probabilities(outputs)
    if how == "bayes" and method.analytic:
        weights = method.read(model.latents, jax.random.key(0), jnp.zeros([], jnp.int32), None)
        outputs = method.logits(apply(method, weights, model.real, model.statistics, inputs)[0])
        return outputs, probabilities(outputs)
    outputs = sampled_outputs(method, num_samples, model, inputs)
    shares = jnp.mean(probabilities(outputs), axis=0)
    logs = jnp.log(jnp.maximum(shares, jnp.finfo(shares.dtype).tiny))
    return (logs[:, 1:] - logs[:, :1] if outputs.shape[-1] == 1 else logs), shares


# decide(method, how, num_samples, model, inputs): outputs or log odds [B, K], and probabilities [B, C].
decide = bounded_jit(_decide, static_argnums=(0, 1, 2))


@partial(bounded_jit, static_argnums=(0, 1, 2))
def decide_many(
    method: Method, how: str, num_samples: int, models: Model, inputs: Array
) -> tuple[Array, Array]:
    """As :data:`decide`, for stacked models ``[P, ...]`` on the same inputs: ``[P, B, ...]``."""
    return jax.vmap(lambda model: _decide(method, how, num_samples, model, inputs))(models)
