"""The pairwise majority vote: counting, ties, label statuses. Plain NumPy, no networks.

Rules of the vote (Bernardelli et al., "The BeMi Stardust"): a unique maximum wins; a two-way tie goes to the
network of that pair; three or more tied classes stay unlabelled. Shapes: samples n, pairs P, classes C.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LABEL_STATUSES", "all_pairs", "count_votes", "couple", "label_status", "resolve_ties"]

# In the order of the published codes 0 to 6.
LABEL_STATUSES = (
    "unique_right",
    "two_way_right",
    "two_way_wrong_other_right",
    "many_way_with_right",
    "many_way_without_right",
    "two_way_both_wrong",
    "unique_wrong",
)
UNLABELLED = -1
# Pair probabilities stay this far from 0 and 1, so that one network cannot veto a class for ever.
CERTAIN = 1e-6


def all_pairs(num_classes: int) -> list[tuple[int, int]]:
    """Every pair of class numbers (i, j) with i < j, in lexicographic order.

    Parameters
    ----------
    num_classes : int >= 2
        C.
    """
    return list(combinations(range(num_classes), 2))


def count_votes(first_wins: NDArray[np.bool_], pairs: list[tuple[int, int]], num_classes: int) -> NDArray:
    """Votes ``[n, C]`` from the networks' decisions.

    Parameters
    ----------
    first_wins : bool ndarray [n, P]
        Decisions; True votes for the pair's first class.
    pairs : list of pairs of int
        Class numbers (i, j) of each pair.
    num_classes : int >= 2
        C.
    """
    votes = np.zeros((first_wins.shape[0], num_classes), dtype=np.int64)
    for column, (first, second) in enumerate(pairs):
        votes[:, first] += first_wins[:, column]
        votes[:, second] += ~first_wins[:, column]
    return votes


def resolve_ties(
    votes: NDArray, first_wins: NDArray[np.bool_], pairs: list[tuple[int, int]]
) -> NDArray[np.int64]:
    """Class numbers ``[n]`` under the head-to-head rule; -1 where three or more classes tie.

    Parameters
    ----------
    votes : int ndarray [n, C]
        Votes of each class.
    first_wins : bool ndarray [n, P]
        Decisions of the pairs, which break ties of two classes.
    pairs : list of pairs of int
        Class numbers (i, j) of each pair.
    """
    top = votes == votes.max(axis=1, keepdims=True)
    num_top = top.sum(axis=1)
    winners = np.where(num_top == 1, votes.argmax(axis=1), UNLABELLED)
    for column, (first, second) in enumerate(pairs):
        tied = (num_top == 2) & top[:, first] & top[:, second]
        winners[tied] = np.where(first_wins[tied, column], first, second)
    return winners


def couple(first_probabilities: NDArray, pairs: list[tuple[int, int]], num_classes: int) -> NDArray:
    """Class probabilities ``[n, C]`` from the pairs' probabilities.

    If ``r_ij = p_i / (p_i + p_j)``, then ``p_i = 1 / (sum_{j != i} 1 / r_ij - (C - 2))`` (Price, Knerr,
    Personnaz and Dreyfus 1994); where the pairs disagree it is normalized.

    Parameters
    ----------
    first_probabilities : ndarray [n, P]
        Probability of each pair's first class, in [0, 1].
    pairs : list of pairs of int
        Class numbers (i, j) of each pair.
    num_classes : int >= 2
        C.
    """
    clipped = np.clip(first_probabilities.astype(float), CERTAIN, 1.0 - CERTAIN)
    inverse = np.full((len(clipped), num_classes), 2.0 - num_classes)
    for column, (first, second) in enumerate(pairs):
        inverse[:, first] += 1.0 / clipped[:, column]
        inverse[:, second] += 1.0 / (1.0 - clipped[:, column])
    coupled = 1.0 / inverse
    return coupled / coupled.sum(axis=1, keepdims=True)


def label_status(votes: NDArray, winners: NDArray, classes: NDArray) -> dict[str, int]:
    """Count the seven statuses of samples; the accuracy is the share of the two right ones.

    Parameters
    ----------
    votes : int ndarray [n, C]
        Votes of each class.
    winners : int ndarray [n]
        Class numbers as of :func:`resolve_ties`.
    classes : int ndarray [n]
        True class numbers; -1: not a known class.
    """
    top = votes == votes.max(axis=1, keepdims=True)
    num_top = top.sum(axis=1)
    known = classes >= 0
    right = known & (winners == classes)
    right_on_top = known & top[np.arange(len(classes)), np.where(known, classes, 0)]
    masks = (
        (num_top == 1) & right,
        (num_top == 2) & right,
        (num_top == 2) & ~right & right_on_top,
        (num_top > 2) & right_on_top,
        (num_top > 2) & ~right_on_top,
        (num_top == 2) & ~right_on_top,
        (num_top == 1) & ~right,
    )
    return {name: int(mask.sum()) for name, mask in zip(LABEL_STATUSES, masks, strict=True)}
