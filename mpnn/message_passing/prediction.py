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
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.base import VARIANCE_FLOOR
from mpnn.message_passing.exact.prediction import exact_probabilities
from mpnn.message_passing.fields import LayerState, damped_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers.base import Layer
from mpnn.message_passing.layers.chain import apply_chain, moments_chain
from mpnn.message_passing.layers.linear import Linear
from mpnn.message_passing.network import State
from mpnn.message_passing.rules.base import Inputs, Preactivation
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import data_inputs

__all__ = [
    "argmax_probabilities",
    "bayes_scores",
    "class_probabilities",
    "decode",
    "decode_layer",
    "discrete_outputs",
    "discrete_preactivation",
    "discrete_units",
    "moment_outputs",
    "mode_probabilities",
    "mode_scores",
    "moment_units",
    "sample_weights",
    "sampled_scores",
    "winner",
]

# Points of the integral over the winning output, and how many deviations it reaches. For ten classes whose
# variances differ by factors up to 16 the error is below 1e-5.
QUADRATURE_POINTS = 32
REACH = 6.0
# An output of 0 chooses the positive class, sign(0) = +1; score and probability say so too.
SCORE_OF_ZERO = 1e-6


def decode(spec: NetworkSpec, state: State, hyper: Hyper) -> list[Array]:
    """Return the discrete weights, int8 ``[fan in (+ 1 with bias), units]`` a layer; masked weights are 0.

    They are the most probable levels under the damped magnetizations. Gaussian weights are real.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    """
    own = zip(spec.weighted, state.weighted, spec.numbers(hyper), strict=True)
    return [decode_layer(layer, state, numbers.sparsity) for layer, state, numbers in own]


def decode_layer(layer: Linear, state: LayerState, sparsity: Array) -> Array:
    """The discrete weights of one layer.

    Parameters
    ----------
    layer : Linear
        The layer.
    state : LayerState
        Its beliefs.
    sparsity : Array []
        Log odds of a zero weight before data.
    """
    levels = layer.family.decode(damped_moments(state), *state.posterior, sparsity)
    return levels if state.mask is None else levels * state.mask.astype(levels.dtype)


def sample_weights(key: Array, spec: NetworkSpec, state: State, hyper: Hyper) -> list[Array]:
    """Draw every weight from its belief.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    """
    weights = []
    keys = jax.random.split(key, spec.num_layers)
    numbers = spec.numbers(hyper)
    for layer, own, number, layer_key in zip(spec.weighted, state.weighted, numbers, keys, strict=True):
        field, precision = own.posterior
        precision = jnp.zeros(()) if precision is None else precision
        draw = layer.family.sample(layer_key, field, precision, number.sparsity)
        weights.append(draw if own.mask is None else draw * own.mask.astype(draw.dtype))
    return weights


def discrete_preactivation(spec: NetworkSpec, weights: list[Array], inputs: Array) -> Preactivation:
    """Output ``[B, K]`` of a network with the given weights, and its variance were their signs random.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    weights : list of Array [N, K]
        Discrete weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    """
    below = apply_chain(spec.layers[:-1], weights[:-1], inputs)
    rows = spec.weighted[-1].discrete_rows(below)
    layer = weights[-1].astype(inputs.dtype)
    variance = jnp.matmul(jnp.square(rows), jnp.square(layer)) + VARIANCE_FLOOR
    return Preactivation(jnp.matmul(rows, layer), variance)


def discrete_units(spec: NetworkSpec, weights: list[Array], inputs: Array) -> list[Array]:
    """Units ``[B, *shape]`` of every hidden layer with weights, of a network with the given weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    weights : list of Array [N, K]
        Discrete weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    """
    units: list[Array] = []

    def keep(layer: Layer, outputs: Array) -> None:
        if layer.num_weighted:
            units.append(outputs)

    apply_chain(spec.layers[:-1], weights[:-1], inputs, keep)
    return units


def discrete_outputs(spec: NetworkSpec, weights: list[Array], inputs: Array) -> Array:
    """Pre-activations ``[B, K]`` of the output of a network with the given weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    weights : list of Array [N, K]
        Discrete weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    """
    return discrete_preactivation(spec, weights, inputs).mean


def moment_outputs(spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array) -> Preactivation:
    """Mean and variance ``[B, K]`` of the output's pre-activation, weights averaged over their beliefs.

    ``noise [L]`` is the standard deviation that training assumed on every pre-activation.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    beliefs : list of Moments [N, K]
        Mean and variance of the weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    noise : Array [L]
        Standard deviation that training assumed on every pre-activation.
    """
    return _moment_pass(spec, beliefs, inputs, noise)[0]


def moment_units(spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array) -> list[Moments]:
    """Moments ``[B, *shape]`` of the units of every hidden layer with weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    beliefs : list of Moments [N, K]
        Mean and variance of the weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    noise : Array [L]
        Standard deviation that training assumed on every pre-activation.
    """
    return _moment_pass(spec, beliefs, inputs, noise)[1]


def _moment_pass(
    spec: NetworkSpec, beliefs: list[Moments], inputs: Array, noise: Array
) -> tuple[Preactivation, list[Moments]]:
    units: list[Moments] = []

    def keep(layer: Layer, outputs: Inputs) -> None:
        if layer.num_weighted and outputs.variance is not None:
            units.append(Moments(outputs.mean, outputs.variance))

    numbers = [noise[index] for index in range(spec.num_layers)]
    known = data_inputs(inputs)
    mean, variance, *_ = moments_chain(spec.layers, spec.places, beliefs, known, numbers, keep)
    if variance is None:
        raise AssertionError("the output is never known")
    return Preactivation(mean, variance), units[:-1]


def mode_scores(spec: NetworkSpec, weights: list[Array], inputs: Array) -> tuple[Array, Array]:
    """Scores ``[B, K]`` and probabilities ``[B, C]`` of a discrete network.

    Its outputs over their spread, were the weights' signs random, go through the normal distribution.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    weights : list of Array [N, K]
        Discrete weights, a layer each.
    inputs : Array [B, N]
        Inputs.
    """
    outputs, variance = discrete_preactivation(spec, weights, inputs)
    # one spread for all outputs, so that the largest output is the most probable class
    spread = jnp.broadcast_to(jnp.mean(variance, axis=-1, keepdims=True), outputs.shape)
    scores = outputs / jnp.sqrt(spread)
    if spec.num_outputs == 1:
        scores = jnp.where(outputs == 0, SCORE_OF_ZERO, scores)
    return scores, mode_probabilities(scores)


def mode_probabilities(scores: Array) -> Array:
    """Probabilities ``[B, C]`` of a discrete network's scores ``[B, K]``, outputs over their spread.

    Parameters
    ----------
    scores : Array [B, K]
        Of :func:`mode_scores`.
    """
    return class_probabilities(Preactivation(scores, jnp.ones_like(scores)))


def bayes_scores(spec: NetworkSpec, state: State, inputs: Array, noise: Array) -> tuple[Array, Array]:
    """Log odds or log probabilities ``[B, K]``, and probabilities ``[B, C]``, of the mixture over beliefs.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    inputs : Array [B, N]
        Inputs.
    noise : Array [L]
        Standard deviation that training assumed on every pre-activation.
    """
    beliefs = [damped_moments(layer) for layer in state.weighted]
    if spec.exact:
        probabilities = exact_probabilities(beliefs, inputs, noise)
    else:
        probabilities = class_probabilities(moment_outputs(spec, beliefs, inputs, noise))
    return _logits(probabilities), probabilities


def sampled_scores(
    key: Array, spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, num_samples: int
) -> tuple[Array, Array]:
    """As :func:`bayes_scores`, from the share of drawn networks that choose each class.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, N]
        Inputs.
    num_samples : int >= 1
        Number of samples.
    """

    def vote(key: Array) -> Array:
        chosen = winner(discrete_outputs(spec, sample_weights(key, spec, state, hyper), inputs))
        return jax.nn.one_hot(chosen, max(spec.num_outputs, 2))

    votes = jax.lax.map(vote, jax.random.split(key, num_samples))
    probabilities = jnp.mean(votes, axis=0)
    return _logits(probabilities), probabilities


def _logits(probabilities: Array) -> Array:
    """Log probabilities ``[B, C]``; of two classes, the log odds ``[B, 1]`` of the second."""
    logits = jnp.log(jnp.maximum(probabilities, jnp.finfo(probabilities.dtype).tiny))
    return logits[:, 1:] - logits[:, :1] if probabilities.shape[-1] == 2 else logits


def class_probabilities(preactivation: Preactivation) -> Array:
    """Probability of each class ``[B, C]`` from Gaussian outputs; two columns for a single output.

    One output: ``Phi(omega / sqrt(V))`` for the positive class.

    Parameters
    ----------
    preactivation : Preactivation
        Mean and variance of the pre-activations.
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

    Parameters
    ----------
    mean : Array [B, C]
        Means.
    variance : Array [B, C]
        Variances.
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
    """Class numbers ``[B]``: ``sign(0) = +1`` for a single output, else the first largest output.

    Parameters
    ----------
    outputs : Array [B, K]
        Outputs of the network.
    """
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] >= 0).astype(jnp.int32)
    return jnp.argmax(outputs, axis=-1)
