r"""Exact messages of a sign unit with few inputs: sums over the distribution of its pre-activation.

A unit ``s = sign(T)``, ``T = sum_j w_j x_j`` with ``sign(0) = +1``, inputs ``x_j`` in {-1, +1} and weights
``w_j`` in {-1, 0, +1} (binary weights: probability 0 at the level 0). With few terms ``T`` is far from
Gaussian and no limit theorem is needed: the terms ``w_j x_j`` are added one by one, forward and backward
along the chain of partial sums ``S_j = sum_{i < j} w_i x_i``,

    a_0(t) = [t = 0]             a_{j+1}(t) = sum_v P(w_j x_j = v) a_j(t - v)      distribution of S_j
    b_K(t) = P(above | sign t)   b_j(t) = sum_v P(w_j x_j = v) b_{j+1}(t + v)      what follows S_j = t

The unit sends the layer above ``P(T < 0), P(T >= 0)`` from ``a_K``. Its knowledge of the term j from all
others and from above is ``A_j(v) = sum_t a_j(t) b_{j+1}(t + v)``, and its messages are (sum-product, no
approximation)

    to x_j:  sum_w P(w_j = w) A_j(w x)          to w_j:  sum_x P(x_j = x) A_j(w x)

Only non-negative numbers are added, so float32 is safe; the cost is O(K^2) a unit. The cavities are the
caller's: the probabilities given must not contain the unit's own message.

Axes: levels or signs first, then the fan-in K, then anything (units, samples), which broadcasts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = [
    "FAN_IN_LIMIT",
    "MESSAGE_FLOOR",
    "Sums",
    "backward",
    "forward",
    "log_odds",
    "sign_probabilities",
]

# Largest fan-in for which exact sums are worth their cost, which grows with the square.
FAN_IN_LIMIT = 16
# Added to every A_j(v): no message is stronger than log(1 / MESSAGE_FLOOR).
MESSAGE_FLOOR = 1e-7
# Keeps the logarithm of a probability finite.
PROBABILITY_FLOOR = 1e-30


class Sums(NamedTuple):
    """Cache of the forward pass for the backward pass.

    Parameters
    ----------
    terms : Array [K, 3, ...]
        Probabilities of ``w_j x_j`` = -1, 0, +1.
    partial : Array [K, 2K + 1, ...]
        Distribution of the sum of the terms before j.
    """

    terms: Array
    partial: Array


def sign_probabilities(field: Array) -> Array:
    """``P(-1), P(+1)``, ``[2, ...]``, of signs with ``field`` = half their log odds ``[...]``.

    Parameters
    ----------
    field : Array [...]
        Half the log odds.
    """
    return jax.nn.sigmoid(jnp.stack([-2.0 * field, 2.0 * field]))


def log_odds(probabilities: Array) -> Array:
    """Half the log odds ``[...]`` of ``P(-1), P(+1)`` ``[2, ...]``: undoes :func:`sign_probabilities`.

    Parameters
    ----------
    probabilities : Array [2, ...]
        ``P(-1), P(+1)``.
    """
    negative, positive = jnp.log(probabilities + PROBABILITY_FLOOR)
    return 0.5 * (positive - negative)


def _pad(values: Array, mode: str) -> Array:
    """One more entry at both ends of the first axis."""
    return jnp.pad(values, ((1, 1),) + ((0, 0),) * (values.ndim - 1), mode=mode)


def _term_probabilities(signs: Array, levels: Array) -> Array:
    negative, positive = signs
    minus = levels[0] * positive + levels[2] * negative
    plus = levels[2] * positive + levels[0] * negative
    zero = jnp.broadcast_to(levels[1], plus.shape)
    return jnp.stack([minus, zero, plus], axis=1)


def forward(signs: Array, levels: Array) -> tuple[Array, Sums]:
    """Add up the terms of a unit.

    Parameters
    ----------
    signs : Array [2, K, ...]
        ``P(x_j = -1), P(x_j = +1)``.
    levels : Array [3, K, ...]
        ``P(w_j = -1), P(w_j = 0), P(w_j = +1)``.

    Returns
    -------
    up : Array [2, ...]
        ``P(T < 0), P(T >= 0)``.
    sums : Sums
        Cache for :func:`backward`.
    """
    terms = _term_probabilities(signs, levels)
    fan_in = terms.shape[0]
    start = jnp.zeros((2 * fan_in + 1, *terms.shape[2:]), terms.dtype).at[fan_in].set(1.0)

    def add(partial: Array, term: Array) -> tuple[Array, Array]:
        wide = _pad(partial, "constant")
        return wide[2:] * term[0] + partial * term[1] + wide[:-2] * term[2], partial

    total, partial = lax.scan(add, start, terms)
    up = jnp.stack([jnp.sum(total[:fan_in], axis=0), jnp.sum(total[fan_in:], axis=0)])
    return up, Sums(terms, partial)


def backward(signs: Array, levels: Array, sums: Sums, above: Array) -> tuple[Array, Array]:
    """Messages to the inputs and to the weights of a unit.

    Parameters
    ----------
    signs, levels : Array
        As in :func:`forward`.
    sums : Sums
        What :func:`forward` returned.
    above : Array [2, ...]
        Message from the layer above on the unit's sign, ``P(-1), P(+1)``.

    Returns
    -------
    to_inputs : Array [K, ...]
        Fields: half the log ratio of the messages for +1 and -1.
    to_weights : Array [3, K, ...]
        Log-messages for -1, 0, +1, less that for 0.
    """
    size = sums.partial.shape[1]
    reached = (jnp.arange(size) >= size // 2).reshape(-1, *(1,) * (above.ndim - 1))
    start = jnp.broadcast_to(jnp.where(reached, above[1], above[0]), sums.partial.shape[1:])

    def step(follows: Array, own: Sums) -> tuple[Array, Array]:
        wide = _pad(follows, "edge")
        shifted = (wide[:-2], follows, wide[2:])
        known = jnp.stack([jnp.sum(own.partial * values, axis=0) for values in shifted])
        minus, zero, plus = (term * values for term, values in zip(own.terms, shifted, strict=True))
        return minus + zero + plus, known

    known = lax.scan(step, start, sums, reverse=True)[1]
    minus, zero, plus = jnp.moveaxis(known, 1, 0) + MESSAGE_FLOOR
    says_positive = levels[0] * minus + levels[1] * zero + levels[2] * plus
    says_negative = levels[0] * plus + levels[1] * zero + levels[2] * minus
    to_inputs = 0.5 * (jnp.log(says_positive) - jnp.log(says_negative))
    negative, positive = signs
    base = jnp.log(zero)
    to_minus = jnp.log(positive * minus + negative * plus) - base
    to_plus = jnp.log(positive * plus + negative * minus) - base
    return to_inputs, jnp.stack([to_minus, jnp.zeros_like(to_plus), to_plus])
