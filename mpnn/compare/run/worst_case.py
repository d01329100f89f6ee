"""The worst change of at most eps in every feature: which labels can it turn?

A sample is *certified* where no change can turn its label, and *attacked* where one was found that does, so
that the accuracy under the worst change lies between the two shares. They meet for linear decisions, whose
worst change is a corner of the box, and nearly so for two classes and few hidden units, where every wrong
pattern of the first layer's signs is a linear program over the box. With a vote over pairs, each network
gets its own worst change: the label stays where the votes that no change can take are enough. Single layers
give these votes in closed form, hidden layers by bounds of their units one after the other.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from mpnn.compare.run.decisions import Decisions, Network

__all__ = ["Bounds", "worst_case"]

# Hidden units whose sign patterns are all tried.
MOST_PATTERNS_OF = 6
# Halvings by which a value of a transformed feature is found among its raw values.
HALVINGS = 40
# Closer to 0 than this, as a share of the largest possible sum, nothing is decided: models add in float32.
UNDECIDED = 1e-6
# A model is described rightly if the description gives so many of its labels.
LEAST_AGREEMENT = 0.99


class Bounds(NamedTuple):
    """Shares of samples that are right whatever the change is, and under the worst change that was found.

    Parameters
    ----------
    certified, attacked : float in [0, 1]
        Accuracy under the worst change is at least the one and at most the other.
    """

    certified: float
    attacked: float


def worst_case(
    decisions: Decisions,
    predict: Callable[[NDArray], NDArray],
    inputs: NDArray,
    codes: NDArray,
    low: NDArray,
    high: NDArray,
) -> Bounds | None:
    """Bound the accuracy where every feature may take any value between `low` and `high`.

    Parameters
    ----------
    decisions : Decisions
        The model, described.
    predict : callable
        The model itself: from raw inputs to class numbers, another number where a vote gives no label; every
        attack is tried on it.
    inputs : ndarray [n, features]
        Samples.
    codes : ndarray [n]
        Their class numbers.
    low, high : ndarray [n, features]
        The box around each sample.

    Returns
    -------
    Bounds or None
        None where the description does not give the model's labels, or its transform does not grow.
    """
    labels = predict(inputs)
    below, above = decisions.transform(low), decisions.transform(high)
    described = _described(decisions, decisions.transform(inputs), labels)
    if np.any(below > above) or described.mean() < LEAST_AGREEMENT:
        return None
    right = labels == codes
    certain = right & described & _certainly(decisions, below, above, codes)
    turned = ~right
    for attack in _attacks(decisions, low, high, codes):
        left = ~(certain | turned)
        if not left.any():
            break
        turned[left] = predict(attack(left)) != codes[left]
    alone = decisions.networks[0] if len(decisions.networks) == 1 else None
    if alone is not None and len(alone.layers) > 1 and len(alone.biases[0]) <= MOST_PATTERNS_OF:
        for row in np.flatnonzero(~(certain | turned)):
            found = _wrong_pattern(alone, below[row], above[row], codes[row] == alone.positive)
            if found is None:
                certain[row] = True
            elif len(found):
                raw = _raw_values(decisions.transform, low[row], high[row], found)
                turned[row] = predict(raw[None])[0] != codes[row]
    return Bounds(float(certain.mean()), float(1.0 - turned.mean()))


def _described(decisions: Decisions, inputs: NDArray, labels: NDArray) -> NDArray[np.bool_]:
    """Return for which samples [n] the description allows the model's labels; that of a tie is open."""
    described = ~np.isin(labels, decisions.classes)
    rows = np.flatnonzero(~described)
    if decisions.scores is not None:
        described[rows] = _wins_by_scores(decisions.scores, inputs[rows], inputs[rows], labels[rows])
        return described
    votes = _votes(decisions, inputs[rows], inputs[rows], labels[rows])
    described[rows] = (votes.most <= _own(votes.least, labels[rows])).all(axis=1)
    return described


def _certainly(decisions: Decisions, below: NDArray, above: NDArray, codes: NDArray) -> NDArray[np.bool_]:
    """Return which samples [n] have these labels for all inputs between the two."""
    if decisions.scores is not None:
        return _wins_by_scores(decisions.scores, below, above, codes)
    votes = _votes(decisions, below, above, codes)
    own = _own(votes.least, codes)
    ahead = votes.most < own
    np.put_along_axis(ahead, codes[:, None], True, axis=1)
    # one class with as many votes is a tie of two
    tied = ~ahead & (votes.most == own) & votes.settled & decisions.head_to_head
    return (ahead | tied).all(axis=1) & (tied.sum(axis=1) <= 1)


def _wins_by_scores(
    scores: tuple[NDArray, NDArray], below: NDArray, above: NDArray, codes: NDArray
) -> NDArray[np.bool_]:
    """Return where a class has the largest linear score for all inputs between the two, [n]."""
    weights, biases = scores
    certain = np.ones(len(codes), bool)
    for rival in range(weights.shape[1]):
        others = codes != rival
        for own in np.unique(codes[others]):
            rows = np.flatnonzero(codes == own)
            column = (weights[:, own] - weights[:, rival])[:, None]
            least, _ = _range(below[rows], above[rows], column, biases[own] - biases[rival])
            certain[rows] &= least[:, 0] > 0.0
    return certain


class _Votes(NamedTuple):
    """Least and most votes [n, C] of each class; `settled`: the pair of it and the own votes for the own."""

    least: NDArray
    most: NDArray
    settled: NDArray


def _votes(decisions: Decisions, below: NDArray, above: NDArray, codes: NDArray) -> _Votes:
    """Count the votes that classes have for all inputs between the two, and for some; `codes` are own."""
    shape = len(codes), len(decisions.classes)
    votes = _Votes(np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, bool))
    first = np.hstack([network.layers[0] for network in decisions.networks])
    biases = np.hstack([network.biases[0] for network in decisions.networks])
    ranges, begin = _range(below, above, first, biases), 0
    for network in decisions.networks:
        own = slice(begin, begin + len(network.biases[0]))
        begin = own.stop
        lower, upper = _output_range(network, ranges[0][:, own], ranges[1][:, own])
        yes, no = lower >= 0.0, upper < 0.0
        votes.least[:, network.positive] += yes
        votes.least[:, network.negative] += no
        votes.most[:, network.positive] += ~no
        votes.most[:, network.negative] += ~yes
        votes.settled[:, network.negative] |= (codes == network.positive) & yes
        votes.settled[:, network.positive] |= (codes == network.negative) & no
    return votes


def _own(votes: NDArray, codes: NDArray) -> NDArray:
    """Return the votes [n, 1] of the own class."""
    return np.take_along_axis(votes, codes[:, None], axis=1)


def _range(below: NDArray, above: NDArray, weights: NDArray, biases: Any) -> tuple[NDArray, NDArray]:
    """Return least and largest sums [n, out] over a box, and beyond what a model's rounding makes of them."""
    up, down = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
    least, most = below @ up + above @ down + biases, above @ up + below @ down + biases
    if all(np.array_equal(values, np.rint(values)) for values in (below, above, weights, biases)):
        return least, most
    rounding = UNDECIDED * (np.maximum(np.abs(below), np.abs(above)) @ np.abs(weights) + np.abs(biases))
    return least - rounding, most + rounding


def _output_range(network: Network, least: NDArray, most: NDArray) -> tuple[NDArray, NDArray]:
    """Return bounds [n] of a network's output from those of its first layer [n, out]; exact if alone."""
    for layer, biases in zip(network.layers[1:], network.biases[1:], strict=True):
        low, high = (np.where(sums >= 0.0, 1.0, -1.0) for sums in (least, most))
        least, most = _range(low, high, layer, biases)
    return least[:, 0], most[:, 0]


def _attacks(
    decisions: Decisions, low: NDArray, high: NDArray, codes: NDArray
) -> Iterator[Callable[[NDArray], NDArray]]:
    """Yield functions from a choice of samples to corners [chosen, features] of their boxes."""
    for slopes in _slopes(decisions):  # [C, features]: rises towards a wrong label, for each true class

        def corner(chosen: NDArray, slopes: NDArray = slopes) -> NDArray:
            return np.where(slopes[codes[chosen]] > 0.0, high[chosen], low[chosen])

        yield corner


def _slopes(decisions: Decisions) -> Iterator[NDArray]:
    if decisions.scores is not None:
        weights = decisions.scores[0].T
        for rival in weights:
            yield rival - weights
        return
    count = len(decisions.classes)
    towards = np.zeros((count, count, decisions.networks[0].layers[0].shape[0]))
    for network in decisions.networks:
        slope = network.layers[0]
        for layer in network.layers[1:]:
            slope = slope @ layer
        towards[network.positive, network.negative] = -slope[:, 0]
        towards[network.negative, network.positive] = slope[:, 0]
    yield towards.sum(axis=1)
    for rival in range(count):
        yield towards[:, rival]
    if len(decisions.networks) == 1 and len(decisions.networks[0].biases[0]) <= MOST_PATTERNS_OF:
        first = decisions.networks[0].layers[0]
        for pattern in product((-1.0, 1.0), repeat=first.shape[1]):
            yield np.tile(first @ np.array(pattern), (count, 1))


def _wrong_pattern(network: Network, below: NDArray, above: NDArray, positive: bool) -> NDArray | None:
    """Return inputs in the box that turn the label, an empty array where rounding leaves it open, or None."""
    first, biases = network.layers[0].T, network.biases[0]
    least, most = _range(below[None], above[None], network.layers[0], biases)
    choices = [
        (1.0,) if low >= 0.0 else (-1.0,) if high < 0.0 else (-1.0, 1.0)
        for low, high in zip(least[0], most[0], strict=True)
    ]
    answer: NDArray | None = None
    for pattern in product(*choices):
        signs = np.array(pattern)
        if _decides(network, signs) == positive:
            continue
        found = _in_box(signs[:, None] * first, signs * biases, below, above)
        if found is None:
            continue
        if len(found):
            return found
        answer = found
    return answer


def _decides(network: Network, signs: NDArray) -> bool:
    """Return the decision for signs of the first layer."""
    for layer, biases in zip(network.layers[1:-1], network.biases[1:-1], strict=True):
        signs = np.where(signs @ layer + biases >= 0.0, 1.0, -1.0)
    return bool((signs @ network.layers[-1] + network.biases[-1])[0] >= 0.0)


def _in_box(rows: NDArray, shifts: NDArray, below: NDArray, above: NDArray) -> NDArray | None:
    """Return a point with all `rows x + shifts` above 0; None if there is none, empty if that is unclear."""
    moving = (below < above) & rows.any(axis=0)
    fixed = rows[:, ~moving] @ below[~moving] + shifts
    # max t, t - rows x <= fixed
    costs = np.append(np.zeros(moving.sum()), -1.0)
    matrix = np.hstack([-rows[:, moving], np.ones((len(rows), 1))])
    bounds = [*zip(below[moving], above[moving], strict=True), (None, None)]
    found = linprog(costs, A_ub=matrix, b_ub=fixed, bounds=bounds, method="highs")
    if found.x is None:
        raise RuntimeError(f"the linear program of a sign pattern failed: {found.message}")
    reach = UNDECIDED * float(np.abs(rows).sum(axis=1).max() or 1.0)
    if found.x[-1] < -reach:
        return None
    if found.x[-1] < reach:
        return np.empty(0)
    point = below.copy()
    point[moving] = found.x[:-1]
    return point


def _raw_values(
    transform: Callable[[NDArray], NDArray], low: NDArray, high: NDArray, wanted: NDArray
) -> NDArray:
    """Return raw features in a box whose transformed values are the wanted ones, by halving."""
    low, high = low.astype(float), high.astype(float)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        under = transform(middle[None])[0] < wanted
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return high
