"""Many problems of two classes over one pool of inputs: the protocol of fitting them together, and arrays.

Axes: problems P, samples of the pool n, samples of the longest problem B, outputs K, classes C.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mpnn.programs import refuse_forked_child
from mpnn.programs.devices import at_once

__all__ = [
    "BinaryProblems",
    "FitsMany",
    "PaddedProblems",
    "blocks_of",
    "decide_in_blocks",
    "few_sizes",
    "in_few_shapes",
]

# Bounds the memory of many networks predicting side by side.
ROWS_AT_ONCE, ACCELERATOR_ROWS = 2048, 1 << 16
# Programs are compiled for powers of two from the first to the second number of rows, then for its multiples.
FEWEST_ROWS, LARGEST_POWER = 16, 1024


@runtime_checkable
class FitsMany(Protocol):
    """The optional capability of a classifier: many equally shaped problems as one program.

    ``fit_many(members, X, problems, *, problems_at_once=None)`` fits a member a problem, in place; members
    whose ``fit`` takes ``sample_weight`` take ``sample_weights``, an array a problem, here;
    ``decide_many(members, X)`` returns whether each member chooses its second class, bool ``[n, P]``, and
    that class's probability ``[n, P]``.
    """

    fit_many: Callable[..., None]
    decide_many: Callable[..., tuple[NDArray, NDArray]]


class PaddedProblems(NamedTuple):
    """Problems of one length: rows of the pool, int32, targets and weights, float32; ``[P, B]`` each.

    Rows, targets and weights of padding are 0.

    Parameters
    ----------
    rows : int ndarray [P, M]
        Rows of the pool, padded.
    targets : ndarray [P, M]
        -1 and +1; of padding 0.
    sample_weight : ndarray [P, M]
        How often each sample counts; 0 for padding.
    """

    rows: NDArray
    targets: NDArray
    sample_weight: NDArray


@dataclass(frozen=True)
class BinaryProblems:
    """P problems of two classes over one pool of inputs.

    Parameters
    ----------
    rows : sequence of int arrays
        Each problem's samples in the pool.
    targets : sequence of float arrays
        Their labels, -1 and +1.
    weights : sequence of float arrays or None, default=None
        How often they count, above 0; None: once.
    room : int, default=0
        Samples that arrays have room for at least: some problems of many are trained by the program of all.
    """

    rows: Sequence[NDArray]
    targets: Sequence[NDArray]
    weights: Sequence[NDArray] | None = None
    room: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def most_samples(self) -> int:
        """Samples of the longest problem, or for which there is to be room."""
        return max(self.room, *(len(rows) for rows in self.rows))

    def chosen(self, indices: Sequence[int]) -> "BinaryProblems":
        """Some of the problems.

        Parameters
        ----------
        indices : sequence of int
            Which ones, in this order; one may be there twice.
        """

        def of(items: Sequence[NDArray]) -> list[NDArray]:
            return [items[index] for index in indices]

        weights = None if self.weights is None else of(self.weights)
        return replace(self, rows=of(self.rows), targets=of(self.targets), weights=weights)

    def reweighted(self, weigh: Callable[[NDArray, NDArray | None], NDArray | None]) -> "BinaryProblems":
        """The same problems with other weights of their samples.

        Parameters
        ----------
        weigh : callable
            From class numbers ``[n]`` and weights ``[n]`` of a problem, None for 1, to new weights, or None.
        """
        given = [None] * len(self) if self.weights is None else self.weights
        weights = []
        for targets, own in zip(self.targets, given, strict=True):
            fresh = weigh((targets > 0).astype(int), own)
            if fresh is None:
                return replace(self, weights=None)
            weights.append(fresh)
        return replace(self, weights=weights)

    def padded(self, length: int | None = None) -> PaddedProblems:
        """Every problem's samples, the short ones padded: for networks that gather their own samples.

        Parameters
        ----------
        length : int or None, default=None
            To so many samples; None: to those of the longest problem.
        """
        shape = (len(self), self.most_samples if length is None else length)
        padded = PaddedProblems(np.zeros(shape, np.int32), *np.zeros((2, *shape), np.float32))
        for index, (rows, targets) in enumerate(zip(self.rows, self.targets, strict=True)):
            padded.rows[index, : len(rows)] = rows
            padded.targets[index, : len(rows)] = targets
            padded.sample_weight[index, : len(rows)] = 1.0 if self.weights is None else self.weights[index]
        return padded

    def as_columns(self, pool_size: int) -> tuple[NDArray, NDArray]:
        """Targets and weights of the whole pool ``[n, P]``, 0 where a sample is not of the problem.

        For one layer with an output a problem.

        Parameters
        ----------
        pool_size : int >= 1
            Samples of the pool, n.
        """
        targets, weights = np.zeros((2, pool_size, len(self)), np.float32)
        for index, (rows, own) in enumerate(zip(self.rows, self.targets, strict=True)):
            targets[rows, index] = own
            weights[rows, index] = 1.0 if self.weights is None else self.weights[index]
        return targets, weights

    def pool_weight(self, pool_size: int) -> NDArray:
        """How often each row of the pool counts, float32 ``[n]``: as in the problem where it counts most.

        Parameters
        ----------
        pool_size : int >= 1
            Samples of the pool, n.
        """
        weight = np.zeros(pool_size, np.float32)
        for index, rows in enumerate(self.rows):
            own = np.float32(1.0) if self.weights is None else self.weights[index]
            weight[rows] = np.maximum(weight[rows], own)
        return weight


def few_sizes(num_rows: int) -> int:
    """Rows that a program is compiled for: at least so many, a power of two or a multiple of 1024.

    Parameters
    ----------
    num_rows : int >= 0
        Number of rows.
    """
    if num_rows > LARGEST_POWER:
        return -(-num_rows // LARGEST_POWER) * LARGEST_POWER
    return max(FEWEST_ROWS, 1 << max(num_rows - 1, 0).bit_length())


def in_few_shapes(decide: Callable[[NDArray], Any], rows: NDArray) -> Any:
    """Apply a compiled function to rows ``[n, ...]`` padded to one of few sizes, so that few are compiled.

    Parameters
    ----------
    decide : callable
        From rows to an array or a tuple of arrays, each of as many rows.
    rows : array [n, ...]
        The inputs.

    Returns
    -------
    array or tuple of arrays
        Of NumPy, of n rows.
    """
    refuse_forked_child()
    num_rows = len(rows)
    margin = [(0, few_sizes(num_rows) - num_rows), *[(0, 0)] * (rows.ndim - 1)]
    found = decide(np.pad(rows, margin))
    if isinstance(found, tuple):
        return tuple(np.asarray(leaf)[:num_rows] for leaf in found)
    return np.asarray(found)[:num_rows]


def blocks_of(X: NDArray) -> Iterator[NDArray]:
    """Some rows at a time: more on an accelerator, since the host waits for each block.

    Parameters
    ----------
    X : array-like [n, features]
        Inputs.
    """
    size = at_once(ROWS_AT_ONCE, ACCELERATOR_ROWS)
    yield from (X[start : start + size] for start in range(0, len(X), size))


def decide_in_blocks(
    decide: Callable[[NDArray], tuple[Any, Any]], blocks: Iterable[NDArray], num_problems: int
) -> tuple[NDArray, NDArray]:
    """Decisions of P networks, block by block.

    Parameters
    ----------
    decide : callable
        From a block of inputs ``[B, N]`` to scores ``[P, B, 1]`` and probabilities ``[P, B, 2]``.
    blocks : iterable of array [B, N]
        The inputs.
    num_problems : int
        P.

    Returns
    -------
    second_wins : bool array [n, P]
        Whether the score is at least 0.
    probabilities : float32 array [n, P]
        Of the second class.
    """

    def rows_first(block: NDArray) -> tuple[NDArray, NDArray]:
        scores, shares = decide(block)
        return np.asarray(scores)[:, :, 0].T, np.asarray(shares)[:, :, 1].T

    found = [in_few_shapes(rows_first, block) for block in blocks]
    if not found:
        return np.zeros((0, num_problems), bool), np.zeros((0, num_problems), np.float32)
    scores, shares = (np.concatenate(leaves) for leaves in zip(*found, strict=True))
    return scores >= 0, shares.astype(np.float32, copy=False)
