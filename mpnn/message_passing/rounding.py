"""From beliefs to discrete weights when magnetizations are small: decimation with error feedback.

Where many weak weights separate the data together, every magnetization is far from a level: the most
probable level of each is 0, or a sign that is more certain than its belief. Rounding one weight at a time,
with the later ones absorbing the pre-activation that the earlier ones lost, keeps their joint effect. It
needs inputs that are known: those of the network, or what rounded layers make of them.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn.message_passing.fields import LayerState
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers import Layer, Linear, Residual
from mpnn.message_passing.layers.chain import shares
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec

__all__ = [
    "FEW_LINKS",
    "FEW_LINKS_BEFORE_DESCENT",
    "SAMPLES_LOOKED_AT",
    "can_round",
    "has_few_links",
    "round_layer",
    "round_layers",
    "round_with_feedback",
]

# Of many training inputs, so many are looked at: rows of a layer, and images, which have many rows each.
SAMPLES_LOOKED_AT, IMAGES_LOOKED_AT = 4096, 512
NUM_PASSES = 2
BISECTIONS = 30
# Share of an output's links below which its most probable levels may not be what it has learned; where a
# descent over levels follows, fewer.
FEW_LINKS, FEW_LINKS_BEFORE_DESCENT = 0.6, 0.25
# How much a weight's own target counts beside the error it can repair; both in units of its inputs' power.
OWN_TARGET = 1.0
# Densities tried, over half the prior probability of a non-zero weight; and when a rounding is good enough.
DENSITY_STEPS = (1.0, 1.6, 2.6, 4.0)
ENOUGH_COSINE = 0.99
# Of weights without a level 0, which cost the same at any density: all are tried, and the best one is kept.
SIGN_DENSITIES = (0.15, 0.25, 0.4, 0.6, 0.7, 0.8, 0.9)


def can_round(levels: tuple[int, ...]) -> bool:
    """Whether the levels are -1 and +1, or have a 0 (and then all whole numbers between).

    Parameters
    ----------
    levels : tuple of int
        Levels of the weights.
    """
    return 0 in levels or levels == (-1, 1)


def round_layers(
    spec: NetworkSpec,
    state: State,
    hyper: Hyper,
    inputs: Array,
    weights: list[Array],
    sample_weight: Array | None = None,
    first: int = 0,
) -> list[Array]:
    """The first layer rounded with feedback on known inputs; in networks of images every hidden layer.

    A layer above the first is rounded on what the rounded layers below make of the inputs. Layers inside of
    residual links stay as they are.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, *input_shape]
        Known inputs.
    weights : list of int8 Array [fan in, units]
        Discrete weights of all layers; those that are not rounded stay.
    sample_weight : Array [B] or None, default=None
        How often each input counts, 0 for padding; None: once.
    first : int >= 0, default=0
        The lowest layer to round: those below it have been rounded before.
    """
    found, index = list(weights), 0
    for layer in spec.layers:
        hidden = index < spec.num_layers - 1
        if isinstance(layer, Linear) and index >= first and (index == 0 or (_of_images(spec) and hidden)):
            found[index] = round_layer(spec, state, hyper, inputs, found, index, sample_weight)
        index += layer.num_weighted
    return found


def has_few_links(spec: NetworkSpec, weights: Sequence[Array], share: float) -> NDArray:
    """Whether an output above hidden layers listens to few of their units, if to any; bool ``[...]``.

    So it is with the most probable levels where the output layer, which holds the evidence of one mini-batch,
    is not sure of most single weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    weights : sequence of int8 Array [..., fan in, units]
        Discrete weights of all layers, of one network or of many.
    share : float from 0 to 1
        Below it, links are few.
    """
    own = np.asarray(weights[-1])
    if len(weights) == 1:
        return np.zeros(own.shape[:-2], bool)
    links = own[..., :-1, :] if spec.weighted[-1].bias else own
    return np.any(np.mean(links != 0, axis=-2) < share, axis=-1)


def round_layer(
    spec: NetworkSpec,
    state: State,
    hyper: Hyper,
    inputs: Array,
    weights: Sequence[Array],
    index: int,
    sample_weight: Array | None = None,
) -> Array:
    """One layer rounded with feedback on what the weights below it make of known inputs; int8 ``[N, K]``.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, *input_shape]
        Known inputs.
    weights : sequence of int8 Array [fan in, units]
        Discrete weights of all layers.
    index : int >= 0
        The layer, those inside of residual links counted.
    sample_weight : Array [B] or None, default=None
        How often each input counts, 0 for padding; None: once.
    """
    most = IMAGES_LOOKED_AT if _of_images(spec) else SAMPLES_LOOKED_AT
    every = slice(None, None, -(-len(inputs) // most))
    layer, own = spec.weighted[index], state.weighted[index]
    inputs = inputs[every].astype(jnp.promote_types(inputs.dtype, own.mean.dtype))
    sample_weight = None if sample_weight is None else sample_weight[every]
    rows = _rows_of(spec.layers, weights, inputs, index)
    return _rounded(layer, own, hyper.sparsity[index], rows, len(inputs), sample_weight)


def _of_images(spec: NetworkSpec) -> bool:
    return any(len(shape) > 1 for shape in spec.weighted_shapes)


def _rows_of(layers: Sequence[Layer], weights: Sequence[Array], inputs: Array, index: int) -> Array:
    """What a layer sums, one row for every sample and position."""
    for layer, own in zip(layers, shares(layers, weights), strict=True):
        if index < layer.num_weighted:
            if isinstance(layer, Residual):
                return _rows_of(layer.layers, own, inputs, index)
            if isinstance(layer, Linear):
                return layer.discrete_rows(inputs)
        inputs, index = layer.apply(own, inputs), index - layer.num_weighted
    raise AssertionError("the layer is one of the network's")


def _rounded(
    layer: Linear,
    state: LayerState,
    sparsity: Array,
    rows: Array,
    num_samples: int,
    sample_weight: Array | None,
) -> Array:
    """A layer rounded on rows of its inputs, several for a sample in convolutions; int8 ``[N, K]``."""
    if sample_weight is not None:
        sample_weight = jnp.repeat(sample_weight, len(rows) // num_samples)
    if len(rows) > SAMPLES_LOOKED_AT:  # patches: some of every image
        some = jax.random.permutation(jax.random.key(0), len(rows))[:SAMPLES_LOOKED_AT]
        rows, sample_weight = rows[some], None if sample_weight is None else sample_weight[some]
    weights = round_with_feedback(state.mean, rows, sparsity, layer.family.levels or (), sample_weight)
    return weights if state.mask is None else weights * state.mask.astype(weights.dtype)


def _scale_to_density(mean: Array, density: Array, largest: int) -> Array:
    """Scale the means ``[N]`` so that ``mean(min(|c m|, largest)) = density largest``, and clip them."""
    magnitude = jnp.abs(mean)
    peak = jnp.maximum(jnp.max(magnitude), jnp.finfo(mean.dtype).tiny)

    def halve(bounds: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = bounds
        middle = 0.5 * (low + high)
        filled = jnp.mean(jnp.minimum(magnitude / peak * jnp.exp(middle), largest)) / largest
        above = filled > density
        return (jnp.where(above, low, middle), jnp.where(above, middle, high)), None

    bounds = (jnp.full((), -10.0), jnp.full((), 15.0))
    (low, _), _ = jax.lax.scan(halve, bounds, length=BISECTIONS)
    return jnp.clip(mean / peak * jnp.exp(low), -largest, largest)


def _nearest(value: Array, levels: tuple[int, ...]) -> Array:
    """The nearest level: of all whole numbers up to the largest, or of -1 and +1."""
    if 0 in levels:
        return jnp.clip(jnp.round(value), levels[0], levels[-1])
    return jnp.where(value >= 0, 1.0, -1.0)


def _round_at_density(
    mean: Array, columns: Array, power: Array, density: Array, levels: tuple[int, ...]
) -> Array:
    """Round with ``mean(|target|) = density * levels[-1]``, one input at a time; ``[N, K]``."""
    target = jax.vmap(partial(_scale_to_density, density=density, largest=levels[-1]), 1, 1)(mean)
    order = jnp.argsort(-power)
    # where nothing is known of an input, a level that says nothing, or signs that cancel among neighbours
    silent = jnp.zeros(len(mean)) if 0 in levels else jnp.where(jnp.arange(len(mean)) % 2, -1.0, 1.0)

    def place(carry: tuple[Array, Array], index: Array) -> tuple[tuple[Array, Array], None]:
        weights, residual = carry
        column, own, now = columns[index], power[index], weights[index]
        repair = column @ residual + OWN_TARGET * own * (target[index] - now)
        moved = now + repair / ((1.0 + OWN_TARGET) * jnp.maximum(own, jnp.finfo(own.dtype).tiny))
        placed = jnp.where(own > 0, _nearest(moved, levels), silent[index])
        residual = residual - column[:, None] * (placed - now)
        return (weights.at[index].set(placed), residual), None

    carry = (target, jnp.zeros((columns.shape[1], mean.shape[1]), mean.dtype))
    (weights, _), _ = jax.lax.scan(place, carry, jnp.tile(order, NUM_PASSES))
    return weights


def round_with_feedback(
    mean: Array,
    inputs: Array,
    sparsity: Array,
    levels: tuple[int, ...],
    sample_weight: Array | None = None,
) -> Array:
    """Round each unit's magnetizations to the levels ``-largest..largest``, int8 ``[N, K]``.

    Parameters
    ----------
    mean : Array [N, K]
        Magnetizations.
    inputs : Array [B, N]
        Known inputs of the layer; rows are brought to unit norm. No labels are needed, so that
        samples on which a unit was not trained help it, too.
    sparsity : Array
        The family's base measure. The sparsest rounding that is tried has a mean ``|weight| / levels[-1]`` of
        half the prior probability of a non-zero weight. No effect on signs.
    levels : tuple of int
        Of the family: all whole numbers from -P to P, or -1 and +1.
    sample_weight : Array [B] or None, default=None
        How often each row counts; None: once.

    Notes
    -----
    With targets ``t`` (the magnetizations scaled to a density) and ``R = X (t - w)``, the weight i of each
    unit becomes the rounding of ``w_i + (x_i^T R + q_i (t_i - w_i)) / (2 q_i)``, ``q_i = x_i^T x_i``: the
    minimum of ``|R|^2 + q_i (t_i - w_i)^2``. Inputs go in descending power, twice. A unit keeps the sparsest
    rounding whose pre-activations ``X w`` have a cosine of :data:`ENOUGH_COSINE` with ``X m``, or
    else the best of them: few inputs need many non-zero weights, many inputs need few. Signs have no
    sparsest rounding; of theirs, a unit keeps the best.
    """
    norms = jnp.sqrt(jnp.sum(jnp.square(inputs), axis=1, keepdims=True))
    rows = inputs / jnp.maximum(norms, jnp.finfo(inputs.dtype).tiny)
    if sample_weight is not None:  # all below is quadratic in the rows
        rows = rows * jnp.sqrt(sample_weight)[:, None]
    power = jnp.sum(jnp.square(rows), axis=0)
    wanted = jnp.matmul(rows, mean)
    if 0 in levels:
        enough, densities = ENOUGH_COSINE, jnp.asarray(DENSITY_STEPS) / (2.0 + jnp.exp(sparsity))
    else:
        enough, densities = float("inf"), jnp.asarray(SIGN_DENSITIES)

    def try_denser(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        attempt, best, best_cosine = carry
        density = jnp.minimum(densities[attempt], 1.0)
        weights = _round_at_density(mean, rows.T, power, density, levels)
        cosine = _cosine(wanted, jnp.matmul(rows, weights))
        better = (best_cosine < enough) & (cosine > best_cosine)
        return attempt + 1, jnp.where(better, weights, best), jnp.where(better, cosine, best_cosine)

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[0] < len(densities)) & jnp.any(carry[2] < enough)

    start = (jnp.zeros((), int), jnp.zeros_like(mean), jnp.full(mean.shape[1], -2.0, mean.dtype))
    _, weights, _ = jax.lax.while_loop(unfinished, try_denser, start)
    return weights.astype(jnp.int8)


def _cosine(first: Array, second: Array) -> Array:
    """Cosines ``[K]`` of the columns of two ``[B, K]``; 0 where one vanishes."""
    across = jnp.sum(first * second, axis=0)
    norms = jnp.sum(jnp.square(first), axis=0) * jnp.sum(jnp.square(second), axis=0)
    return across / jnp.sqrt(jnp.maximum(norms, jnp.finfo(norms.dtype).tiny))
