"""Discrete weights whose predictions approach those of the beliefs: descent over levels, one weight after the
other.

Rounding every weight by itself loses what hidden layers know together. Here the rounded network is fitted
to the class probabilities that the beliefs give (distillation, Hinton et al. 2015, arXiv:1503.02531, with
the Bayesian prediction as the teacher), which need no labels and can be asked for at any input, also at
resampled ones. The loss falls with every change. NumPy alone; shapes: ``n`` samples, ``N`` inputs with the
constant one, ``K`` units, ``C`` classes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

__all__ = ["cross_entropy", "harden", "resample_columns"]

# Bounds of the logarithm of the scale between whole-number outputs and logits.
LOG_SCALES = (-7.0, 2.0)
# Passes end when one lowers the loss by less than this share.
LEAST_GAIN = 1e-3
# Changes of one unit's weights within a pass.
MOST_CHANGES = 3
# Keeps logarithms of rounded differences finite.
TINY = 1e-12


def harden(
    inputs: ArrayLike,
    probabilities: ArrayLike,
    weights: Sequence[NDArray],
    levels: Sequence[int],
    *,
    sample_weight: ArrayLike | None = None,
    penalty: float = 0.3,
    num_passes: int = 2,
    seed: int = 0,
) -> list[NDArray]:
    """Change discrete weights until their network predicts the given probabilities.

    Parameters
    ----------
    inputs : array-like [n, N]
        Inputs, with the constant input as last column where layers have a bias.
    probabilities : array-like [n, C]
        Of a teacher: a Bayesian prediction, or labels as 0 and 1.
    weights : sequence of ndarray
        One layer ``[N, C]``, or two layers ``[N, K]`` and ``[K (+ 1), C]`` with sign units between (``sign(0)
        = +1``); a row more than there are units is the bias. For two classes there may be one output, which
        chooses the second class where it is at least 0.
    levels : sequence of int
        Whole numbers that a weight may have.
    sample_weight : array-like [n] or None, default=None
        How often each sample counts; None: once.
    penalty : float >= 0, default=0.3
        Penalty of the squared weights in units of the logits: the prior's precision of a logistic regression.
    num_passes : int >= 0, default=2
        Passes over all weights of a hidden layer.
    seed : int, default=0
        Seeds the order in which weights are visited.

    Returns
    -------
    weights : list of int8 ndarray
        Of the given shapes. With ``s`` the best scale and ``c`` how often samples count, the loss that falls
        is ``sum_n c_n CE(probabilities_n, softmax(s outputs_n)) + penalty / 2 s^2 sum w^2`` over the output
        weights w.
    """
    x, targets = np.asarray(inputs, np.float64), np.asarray(probabilities, np.float64)
    layers = [np.array(layer, np.float64) for layer in weights]
    counts = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    allowed = np.asarray(sorted(levels), np.float64)
    if len(layers) not in (1, 2):
        raise ValueError(f"weights must be of one or two layers, got {len(layers)}")
    if not all(np.isin(layer, allowed).all() for layer in layers):
        raise ValueError(f"weights must be from among the levels {tuple(levels)}")
    rng = np.random.default_rng(seed)
    if len(layers) == 1:
        _descend_outputs(x, targets, counts, layers[0], allowed, penalty, rng)
    else:
        first, last = layers
        _descend_outputs(_units(x, first, last), targets, counts, last, allowed, penalty, rng)
        for _ in range(num_passes):
            _descend_hidden(x, targets, counts, first, last, allowed, penalty, rng)
            _descend_outputs(_units(x, first, last), targets, counts, last, allowed, penalty, rng)
    return [layer.astype(np.int8) for layer in layers]


def cross_entropy(logits: NDArray, targets: NDArray) -> NDArray:
    """Cross-entropy ``[n]`` between target probabilities ``[n, C]`` and the softmax of logits.

    Parameters
    ----------
    logits : array-like [n, C]
        Logits.
    targets : array-like [n, C]
        Target probabilities.
    """
    return -np.sum(targets * log_softmax(logits, axis=1), axis=1)


def resample_columns(
    inputs: NDArray,
    columns: NDArray,
    num_rows: int,
    *,
    sample_weight: NDArray | None = None,
    share: float = 0.3,
    seed: int = 0,
) -> NDArray:
    """New rows for a teacher: each is a row whose columns come, with a probability, from another row.

    Parameters
    ----------
    inputs : ndarray [n, N]
        Inputs.
    columns : int ndarray [N]
        Of every input, the number of its column in the table; they move together.
    num_rows : int >= 0
        Rows to make.
    sample_weight : ndarray [n] or None, default=None
        How often rows are taken, relative to each other; None: all alike.
    share : float in [0, 1], default=0.3
        Probability that a column comes from the other row.
    seed : int, default=0
        Seeds the choice.
    """
    rng = np.random.default_rng(seed)
    if sample_weight is None:
        own, other = rng.integers(len(inputs), size=(2, num_rows))
    else:
        own, other = rng.choice(len(inputs), size=(2, num_rows), p=sample_weight / sample_weight.sum())
    taken = rng.random((num_rows, int(np.max(columns, initial=0)) + 1)) < share
    return np.where(taken[:, columns], inputs[other], inputs[own])


def _units(x: NDArray, first: NDArray, last: NDArray) -> NDArray:
    """Sign units ``[n, K]``, and the constant one where the layer above has a row for it."""
    units = np.where(x @ first >= 0, 1.0, -1.0)
    return units if len(last) == units.shape[1] else np.append(units, np.ones((len(x), 1)), axis=1)


def _logits(outputs: NDArray) -> NDArray:
    """A single output is the logit of the second class against 0."""
    return outputs if outputs.shape[1] > 1 else np.append(np.zeros_like(outputs), outputs, axis=1)


def _best_scale(
    outputs: NDArray, targets: NDArray, counts: NDArray, squares: float, penalty: float
) -> tuple[float, float]:
    """The scale of the least loss, and that loss."""

    def loss(log_scale: float) -> float:
        scale = np.exp(log_scale)
        entropy = counts @ cross_entropy(scale * _logits(outputs), targets)
        return float(entropy + 0.5 * penalty * scale**2 * squares)

    found = minimize_scalar(loss, bounds=LOG_SCALES, method="bounded")
    return float(np.exp(found.x)), float(found.fun)


def _descend_outputs(
    units: NDArray,
    targets: NDArray,
    counts: NDArray,
    weights: NDArray,
    levels: NDArray,
    penalty: float,
    rng: np.random.Generator,
    most_passes: int = 5,
) -> None:
    """Lower the loss by changes of single output weights, in place."""
    outputs, last_loss = units @ weights, np.inf
    num_outputs = weights.shape[1]
    for _ in range(most_passes):
        scale, loss = _best_scale(outputs, targets, counts, np.sum(weights**2), penalty)
        if not weights.any():  # any scale is as good, but one step should not saturate
            scale = 1.0 / np.sqrt(max(1.0, np.average(np.sum(units**2, axis=1), weights=counts)))
        if last_loss - loss < LEAST_GAIN * abs(loss):
            break
        last_loss = loss
        for row in rng.permutation(len(weights)):
            shares = np.exp(log_softmax(scale * _logits(outputs), axis=1))[:, -num_outputs:]
            steps = scale * (levels[:, None] - weights[row])  # [levels, outputs]
            moved = steps[:, None] * units[:, row, None]  # [levels, n, outputs]
            change = np.log(np.maximum(1.0 + shares * np.expm1(moved), TINY))
            change = np.einsum("n,lnk->lk", counts, change)
            change -= steps * ((counts * units[:, row]) @ targets[:, -num_outputs:])
            change += 0.5 * penalty * scale**2 * (levels[:, None] ** 2 - weights[row] ** 2)
            level, output = np.unravel_index(change.argmin(), change.shape)
            if change[level, output] < -TINY:
                outputs[:, output] += units[:, row] * (levels[level] - weights[row, output])
                weights[row, output] = levels[level]


def _descend_hidden(
    x: NDArray,
    targets: NDArray,
    counts: NDArray,
    first: NDArray,
    last: NDArray,
    levels: NDArray,
    penalty: float,
    rng: np.random.Generator,
) -> None:
    """Lower the loss by changes of single weights below sign units, in place, once over all units."""
    units = _units(x, first, last)
    outputs = units @ last
    scale, _ = _best_scale(outputs, targets, counts, np.sum(last**2), penalty)
    room = np.empty(x.shape)  # made once: fresh pages for every change would take most of the time
    for unit in rng.permutation(first.shape[1]):
        below = x @ first[:, unit]
        for _ in range(MOST_CHANGES):
            turned = outputs - 2.0 * units[:, unit, None] * last[unit]
            gain = cross_entropy(scale * _logits(turned), targets)
            gain -= cross_entropy(scale * _logits(outputs), targets)
            own = x, below, units[:, unit], counts * gain
            best, row, level = _best_change(*own, first[:, unit], levels, room)
            if best >= -TINY:
                break
            below = below + x[:, row] * (level - first[row, unit])
            first[row, unit] = level
            is_turned = (below >= 0) != (units[:, unit] > 0)
            outputs[is_turned] = turned[is_turned]
            units[is_turned, unit] *= -1.0


def _best_change(
    x: NDArray,
    below: NDArray,
    unit: NDArray,
    gain: NDArray,
    weights: NDArray,
    levels: NDArray,
    room: NDArray,
) -> tuple[float, int, float]:
    """The change of loss, the weight and its level that lower the loss most by turning some of the samples.

    below: pre-activations ``[n]``; unit: their signs ``[n]``; gain: the change of each sample's loss if its
    unit turns ``[n]``; weights ``[N]``; room: overwritten ``[n, N]``.
    """
    best, row, level = 0.0, 0, 0.0
    is_positive = (unit > 0)[:, None]
    for candidate in levels:
        moved = np.multiply(x, candidate - weights, out=room)
        moved += below[:, None]
        turns = np.not_equal(np.greater_equal(moved, 0.0, out=room), is_positive, out=room)
        change = gain @ turns
        place = int(change.argmin())
        if change[place] < best:
            best, row, level = float(change[place]), place, float(candidate)
    return best, row, level
