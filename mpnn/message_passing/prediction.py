"""Predictions: of the discrete network, of the Bayesian mixture over its weights, and of samples.

Three ways through the same layers. Inputs ``[B, N]``, outputs ``[B, K]`` with one output for two classes.

* mode: the discrete weights alone, deterministic;
* Bayesian: one pass of means and variances from the magnetizations, no sampling
  (Lucibello et al. 2022, sec. 3); layers with few inputs may be averaged exactly;
* sampled: weights drawn from the beliefs, votes averaged.
"""

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import numerics
from mpnn.message_passing.channels import VARIANCE_FLOOR
from mpnn.message_passing.exact import messages as small_fan_in
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.rules.base import Inputs, Preactivation, gaussian_preactivation
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.weights import Moments

__all__ = [
    "argmax_probabilities",
    "class_probabilities",
    "decode",
    "discrete_outputs",
    "discrete_preactivation",
    "discrete_units",
    "moment_outputs",
    "moment_units",
    "sample_weights",
    "small_fan_in_probabilities",
    "winner",
]

# Points of the integral over the winning output, and how many deviations it reaches. For ten classes whose
# variances differ by factors up to 16 the error is below 1e-5.
QUADRATURE_POINTS = 32
REACH = 6.0


def decode(spec: NetworkSpec, state: State, hyper: Hyper) -> list[Array]:
    """Return the discrete weights, int8 ``[N (+ 1 with bias), K]`` a layer; masked weights are 0.

    They are the most probable levels under the damped magnetizations. Gaussian weights are real.
    """
    weights = []
    for index, layer in enumerate(state.layers):
        levels = spec.family.decode(damped_moments(layer), *layer.posterior, hyper.sparsity[index])
        weights.append(levels if layer.mask is None else levels * layer.mask.astype(levels.dtype))
    return weights


def sample_weights(key: Array, spec: NetworkSpec, state: State, hyper: Hyper) -> list[Array]:
    """Draw every weight from its belief."""
    weights = []
    for index, (layer, layer_key) in enumerate(
        zip(state.layers, jax.random.split(key, spec.num_layers), strict=True)
    ):
        field, precision = layer.posterior
        precision = jnp.zeros(()) if precision is None else precision
        draw = spec.family.sample(layer_key, field, precision, hyper.sparsity[index])
        weights.append(draw if layer.mask is None else draw * layer.mask.astype(draw.dtype))
    return weights


def _append_constant(spec: NetworkSpec, inputs: Array, value: float) -> Array:
    return jnp.pad(inputs, ((0, 0), (0, 1)), constant_values=value) if spec.bias else inputs


def discrete_preactivation(spec: NetworkSpec, weights: list[Array], inputs: Array) -> Preactivation:
    """Output ``[B, K]`` of a network with the given weights, and its variance were their signs random."""
    *_, last = [inputs, *discrete_units(spec, weights, inputs)]
    last, layer = _append_constant(spec, last, 1.0), weights[-1].astype(inputs.dtype)
    variance = jnp.matmul(jnp.square(last), jnp.square(layer)) + VARIANCE_FLOOR
    return Preactivation(jnp.matmul(last, layer), variance)


def discrete_units(spec: NetworkSpec, weights: list[Array], inputs: Array) -> list[Array]:
    """Units ``[B, K]`` of every hidden layer of a network with the given weights."""
    layers = []
    for layer in weights[:-1]:
        outputs = jnp.matmul(_append_constant(spec, inputs, 1.0), layer.astype(inputs.dtype))
        inputs = spec.hidden_channel.decide(outputs)
        layers.append(inputs)
    return layers


def discrete_outputs(spec: NetworkSpec, weights: list[Array], inputs: Array) -> Array:
    """Pre-activations ``[B, K]`` of the output of a network with the given weights."""
    return discrete_preactivation(spec, weights, inputs).mean


def moment_outputs(spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array) -> Preactivation:
    """Mean and variance ``[B, K]`` of the output's pre-activation, weights averaged over their beliefs.

    ``noise [L]`` is the standard deviation that training assumed on every pre-activation.
    """
    return _moment_pass(spec, beliefs, inputs, noise)[0]


def moment_units(spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array) -> list[Moments]:
    """Mean and variance ``[B, K]`` of the units of every hidden layer, as :func:`moment_outputs` has them."""
    return _moment_pass(spec, beliefs, inputs, noise)[1]


def _moment_pass(
    spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array
) -> tuple[Preactivation, list[Moments]]:
    current = Inputs(_append_constant(spec, inputs, 1.0), None, None)
    current = current._replace(second_moment=jnp.square(current.mean))
    layers = []
    for index, belief in enumerate(beliefs):
        mean, variance = gaussian_preactivation(belief, current)
        variance = variance + jnp.square(noise[index])
        if index < spec.num_layers - 1:
            units = spec.hidden_channel.activation(mean, variance, None, None)
            layers.append(units)
            unit_mean = _append_constant(spec, units.mean, 1.0)
            unit_variance = _append_constant(spec, units.variance, 0.0)
            current = Inputs(unit_mean, unit_variance, unit_variance + jnp.square(unit_mean))
    return Preactivation(mean, variance), layers


def small_fan_in_probabilities(
    spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array
) -> Array:
    """Probability of each of two classes ``[B, 2]``, the layers above the first averaged exactly.

    For networks with ``spec.small_fan_in``: hidden units count as independent given the input, and each
    upper unit's sign is averaged over all its terms (:func:`mpnn.message_passing.exact.messages.forward`).
    ``noise [L]``
    counts in the first layer only.
    """
    known = Inputs(inputs, None, jnp.square(inputs))
    mean, variance = gaussian_preactivation(beliefs[0], known)
    scaled = (mean / jnp.sqrt(variance + jnp.square(noise[0]))).T
    up = jnp.stack([numerics.ndtr(-scaled), numerics.ndtr(scaled)])
    for belief in beliefs[1:]:
        plus = 0.5 * (belief.variance + jnp.square(belief.mean) + belief.mean)
        levels = jnp.stack([plus - belief.mean, 1.0 - 2.0 * plus + belief.mean, plus])
        up = small_fan_in.forward(up[:, :, None], jnp.maximum(levels, 0.0)[..., None])[0]
    return (up / jnp.sum(up, axis=0))[:, 0].T


def class_probabilities(preactivation: Preactivation) -> Array:
    """Probability of each class ``[B, C]`` from Gaussian outputs; two columns for a single output.

    One output: ``Phi(omega / sqrt(V))`` for the positive class.
    """
    mean, variance = preactivation
    if mean.shape[-1] > 1:
        return argmax_probabilities(mean, variance)
    scaled = mean / jnp.sqrt(variance)
    return jnp.concatenate([numerics.ndtr(-scaled), numerics.ndtr(scaled)], axis=-1)


def argmax_probabilities(mean: Array, variance: Array) -> Array:
    """Probability ``[B, C]`` that each of C independent Gaussian outputs is the largest.

    ``P(k) = int N(t; mean_k, s_k^2) prod_{j != k} Phi((t - mean_j) / s_j) dt`` by the trapezoidal rule, whose
    error falls faster than any power of the spacing; all classes share the points and the factors.
    """
    deviation = jnp.sqrt(variance)
    lowest = jnp.max(mean - REACH * deviation, axis=-1, keepdims=True)
    highest = jnp.max(mean + REACH * deviation, axis=-1, keepdims=True)

    def add(total: Array, share: Array) -> tuple[Array, None]:
        scaled = (lowest + share * (highest - lowest) - mean) / deviation
        log_below = numerics.log_ndtr(scaled)
        others = jnp.sum(log_below, axis=-1, keepdims=True) - log_below
        return total + jnp.exp(others - 0.5 * jnp.square(scaled)) / deviation, None

    shares = jnp.linspace(0.0, 1.0, QUADRATURE_POINTS, dtype=mean.dtype)
    total, _ = jax.lax.scan(add, jnp.zeros_like(mean), shares)
    return total / jnp.sum(total, axis=-1, keepdims=True)


def winner(outputs: Array) -> Array:
    """Class numbers ``[B]``: ``sign(0) = +1`` for a single output, else the first largest output."""
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] >= 0).astype(jnp.int32)
    return jnp.argmax(outputs, axis=-1)
