"""Decisions: from the whole outputs of a network to class numbers.

Shapes: ``n`` rows, ``C`` classes, ``P = C (C - 1) / 2`` pairs (i, j) with i < j in lexicographic order.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Argmax", "Confidence", "Sign", "Vote", "all_pairs", "tied_rows"]

UNLABELLED = -1
TIES = ("head_to_head", "confidence")
# Steps of a pair's score, an output over its spread, per unit.
SCORE_BITS = 10
# Bounds the memory of a vote: pairs grow as the square.
MOST_CLASSES = 256


def all_pairs(num_classes: int) -> NDArray[np.int64]:
    """Class numbers of every pair, ``[P, 2]``."""
    return np.array(list(combinations(range(num_classes), 2)), np.int64).reshape(-1, 2)


def tied_rows(votes: NDArray) -> NDArray[np.int64]:
    """Rows of ``[n, C]`` whose most votes are those of two classes or more."""
    tops = np.zeros(len(votes), np.int64)
    most = votes.max(axis=1)
    for column in votes.T:  # few columns: faster than sums over short rows
        tops += column == most
    return np.flatnonzero(tops > 1)


@dataclass(frozen=True)
class Sign:
    """Two classes, one output: 0 and more is the second class."""

    num_outputs = 1
    num_classes = 2

    def winners(self, outputs: NDArray) -> NDArray[np.int64]:
        """Class numbers ``[n]`` of outputs ``[n, 1]``."""
        return (outputs[:, 0] >= 0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Argmax:
    """One output a class: the first largest ``output * multipliers - offsets`` wins.

    Parameters
    ----------
    multipliers : int64 ``[C]``, or None for 1; needed where batch norm scales outputs differently.
    offsets : int64 ``[C]``, or None for 0.
    """

    num_classes: int
    multipliers: NDArray[np.int64] | None = None
    offsets: NDArray[np.int64] | None = None

    @property
    def num_outputs(self) -> int:
        """C."""
        return self.num_classes

    def scores(self, outputs: NDArray) -> NDArray[np.int64]:
        """Scores ``[n, C]`` of outputs ``[n, C]``."""
        scores = outputs.astype(np.int64)
        if self.multipliers is not None:
            scores = scores * self.multipliers
        return scores if self.offsets is None else scores - self.offsets

    def winners(self, outputs: NDArray) -> NDArray[np.int64]:
        """Class numbers ``[n]``."""
        return self.scores(outputs).argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Confidence:
    """Which of tied classes is most probable, in whole numbers.

    If a pair's first class has probability ``r``, coupled probabilities are ordered as the negative sums of
    ``1 / r_ij`` over the pairs of a class (Price, Knerr, Personnaz and Dreyfus 1994). A table has ``1 / r``
    at equidistant scores, interpolated linearly; scores are outputs over their spread, in steps of ``2^-10``:
    ``min(|output| 2^shift / root, end)``, rounded down. The root is constant, or
    ``floor(sqrt(4^root_bits sum_f w_f^2 (code_f - offset_f)^2 + extra))`` of a single layer.

    Parameters
    ----------
    losing, winning : ``1 / r`` in units of ``2^-12`` at scores ``-t`` and ``t``, ``t = 0, step, 2 step ...``,
        uint32 ``[points]``.
    step_bits : the step of the tables is ``2^(step_bits - 10)``.
    shift : see above.
    roots : constant roots, int64 ``[P]``; None for a single layer's.
    offsets : of the used inputs' codes, int64 ``[used]``; with ``roots=None``.
    extra : int64 ``[P]``, what biases add to the squares; with ``roots=None``.
    root_bits : see above.
    """

    losing: NDArray[np.uint32]
    winning: NDArray[np.uint32]
    step_bits: int
    shift: int
    roots: NDArray[np.int64] | None = None
    offsets: NDArray[np.int64] | None = None
    extra: NDArray[np.int64] | None = None
    root_bits: int = 0

    @property
    def end(self) -> int:
        """Largest score, in steps."""
        return (len(self.losing) - 1) << self.step_bits

    def roots_of(self, codes: NDArray, weights: NDArray[np.int8]) -> NDArray[np.int64]:
        """Roots ``[n, P]`` of a single layer's codes ``[n, used]`` and weights ``[used, P]``."""
        assert self.offsets is not None
        assert self.extra is not None
        squares = np.square(codes.astype(np.int64) - self.offsets)
        power = squares @ np.square(weights.astype(np.int64)) + self.extra
        return np.floor(np.sqrt((power << (2 * self.root_bits)).astype(np.float64))).astype(np.int64)

    def reciprocals(self, outputs: NDArray, roots: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
        """``2^(12 + step_bits) / r`` of each pair's first and of its second class, int64 ``[n, P]``."""
        scores = (np.abs(outputs.astype(np.int64)) << self.shift) // np.maximum(roots, 1)
        scores = np.minimum(scores, self.end)
        place, part = scores >> self.step_bits, scores & ((1 << self.step_bits) - 1)
        values = []
        for table in (self.winning.astype(np.int64), self.losing.astype(np.int64)):
            above = table[np.minimum(place + 1, len(table) - 1)]
            values.append((table[place] << self.step_bits) + (above - table[place]) * part)
        wins = outputs >= 0
        return np.where(wins, *values), np.where(wins, *values[::-1])


@dataclass(frozen=True, eq=False)
class Vote:
    """Majority of all pairs: an output of 0 and more votes for the pair's first class.

    Parameters
    ----------
    num_classes : C.
    ties : ``"head_to_head"``: of two tied classes, their pair decides; more stay unlabelled, -1.
        ``"confidence"``: the most probable of the tied, by ``confidence``.
    """

    num_classes: int
    ties: str = "head_to_head"
    confidence: Confidence | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.num_classes <= MOST_CLASSES:
            raise ValueError(f"a vote takes from 2 to {MOST_CLASSES} classes, got {self.num_classes}")
        if self.ties not in TIES:
            raise ValueError(f"ties must be one of {TIES}, got {self.ties!r}")
        if (self.ties == "confidence") != (self.confidence is not None):
            raise ValueError("ties='confidence' and only it needs a table of confidences")

    @property
    def num_outputs(self) -> int:
        """P."""
        return self.num_classes * (self.num_classes - 1) // 2

    def votes(self, outputs: NDArray) -> NDArray[np.int64]:
        """Votes ``[n, C]`` of outputs ``[n, P]``."""
        first, second = all_pairs(self.num_classes).T
        # every pair gives its second class a vote, which the first one takes if it wins
        sides = np.zeros((self.num_outputs, self.num_classes), np.float32)
        places = np.arange(self.num_outputs)
        sides[places, first], sides[places, second] = 1.0, -1.0
        of_second = np.bincount(second, minlength=self.num_classes)
        return ((outputs >= 0).astype(np.float32) @ sides).astype(np.int64) + of_second

    def head_to_head(self, outputs: NDArray, votes: NDArray) -> NDArray[np.int64]:
        """Class numbers ``[n]``, -1 where three or more classes tie."""
        winners = votes.argmax(axis=1)
        tied = tied_rows(votes)
        top = votes[tied] == votes[tied].max(axis=1, keepdims=True)
        num_top, first = top.sum(axis=1), winners[tied]
        last = self.num_classes - 1 - top[:, ::-1].argmax(axis=1)
        pair = np.where(num_top == 2, first * (2 * self.num_classes - first - 1) // 2 + last - first - 1, 0)
        loses = outputs[tied, pair] < 0
        winners[tied] = np.where(num_top > 2, UNLABELLED, np.where(loses, last, first))
        return winners

    def most_probable(self, outputs: NDArray, votes: NDArray, roots: NDArray) -> NDArray[np.int64]:
        """Class numbers ``[n]``: among the classes with most votes, the smallest sum of reciprocals."""
        assert self.confidence is not None
        totals = np.zeros(votes.shape, np.int64)
        first, second = self.confidence.reciprocals(outputs, roots)
        for column, (i, j) in enumerate(all_pairs(self.num_classes)):
            totals[:, i] += first[:, column]
            totals[:, j] += second[:, column]
        top = votes == votes.max(axis=1, keepdims=True)
        return np.where(top, totals, np.iinfo(np.int64).max).argmin(axis=1)
