"""Members of the vote: their problems, how often samples count in each, training and decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import has_fit_parameter

from mpnn.classifiers.problems import FitsMany
from mpnn.classifiers.weights import balanced_draw, class_weights

__all__ = [
    "balanced_problems",
    "fit_members",
    "pair_problems",
    "pair_weights",
    "partial_fit_members",
    "probability",
]

Problem = tuple[NDArray, NDArray]
# Classes of every member: whether the pair's first class wins.
FIRST_WINS = np.array([False, True])


def pair_problems(codes: NDArray, pairs: Sequence[tuple[int, int]]) -> list[Problem]:
    """For each pair, the rows of its two classes and whether they are of the first.

    Parameters
    ----------
    codes : int ndarray [n]
        Class numbers.
    pairs : sequence of pairs of int
        Class numbers (i, j).
    """
    problems = []
    for first, second in pairs:
        rows = np.flatnonzero((codes == first) | (codes == second))
        problems.append((rows, codes[rows] == first))
    return problems


def balanced_problems(problems: Sequence[Problem], weights: NDArray | None, most: int) -> list[Problem]:
    """The problems with at most ``most`` rows where both classes count as much as a rare one.

    Parameters
    ----------
    problems : sequence of (int array, bool array)
        Rows, and whether they are of the pair's first class.
    weights : ndarray [n] or None
        Of the samples; None: 1.
    most : int >= 1
        Rows that are trained on in one batch.
    """
    found = []
    for rows, is_first in problems:
        own = balanced_draw(is_first.astype(int), None if weights is None else weights[rows], most)
        found.append((rows[own], is_first[own]))
    return found


def pair_weights(
    problems: Sequence[Problem],
    class_weight: str | Mapping[Any, float] | None,
    classes: NDArray,
    codes: NDArray,
    weights: NDArray | None,
) -> list[NDArray] | None:
    """How often the samples of each problem count; None: once.

    Parameters
    ----------
    problems : sequence of (int array, bool array)
        Rows, and whether they are of the pair's first class.
    class_weight : ``"balanced"``, dict or None
        ``"balanced"``: the two classes of each pair count alike.
    classes : ndarray [C]
        Labels.
    codes : int ndarray [n]
        Class numbers.
    weights : ndarray [n] or None
        Of the samples; None: 1.
    """
    if isinstance(class_weight, Mapping):
        class_weight, weights = None, class_weights(class_weight, classes, codes, weights)
    found = []
    for rows, is_first in problems:
        own = None if weights is None else weights[rows]
        counts = class_weights(class_weight, FIRST_WINS, is_first.astype(int), own)
        if counts is None:
            return None
        found.append(counts)
    return found


def fit_members(
    members: list[Any],
    inputs: NDArray,
    problems: Sequence[Problem],
    weights: Sequence[NDArray] | None,
    pairs_per_batch: int | None,
) -> None:
    """Fit every member to its problem, together where they can.

    Parameters
    ----------
    members : list of classifier
        One a problem.
    inputs : ndarray [n, features] or table
        The pool.
    problems : sequence of (int array, bool array)
        Rows of the pool, and whether they are of the pair's first class.
    weights : sequence of ndarray or None
        How often the rows of each problem count; None: once.
    pairs_per_batch : int or None
        Most problems that are trained side by side.

    Raises
    ------
    ValueError
        Where there are weights and members that take none.
    """
    options = _options(members[0], weights)
    if isinstance(members[0], FitsMany):
        members[0].fit_many(members, inputs, problems, problems_at_once=pairs_per_batch, **options)
        return
    for index, (member, (rows, is_first)) in enumerate(zip(members, problems, strict=True)):
        own = {} if weights is None else {"sample_weight": weights[index]}
        member.fit(inputs[rows], is_first, **own)


def partial_fit_members(
    members: list[Any],
    inputs: NDArray,
    problems: Sequence[Problem],
    weights: Sequence[NDArray] | None,
    pairs_per_batch: int | None,
) -> None:
    """As :func:`fit_members` for one portion of the samples, from what members have learned so far.

    Parameters
    ----------
    members : list of classifier
        With ``partial_fit``, one a problem.
    inputs : ndarray [n, features] or table
        The portion.
    problems : sequence of (int array, bool array)
        As of :func:`fit_members`; some may have no rows, or rows of one class.
    weights : sequence of ndarray or None
        As of :func:`fit_members`.
    pairs_per_batch : int or None
        As of :func:`fit_members`.
    """
    options = _options(members[0], weights)
    if hasattr(members[0], "partial_fit_many"):
        for member in members:
            member.classes_ = FIRST_WINS
        members[0].partial_fit_many(members, inputs, problems, problems_at_once=pairs_per_batch, **options)
        return
    for index, (member, (rows, is_first)) in enumerate(zip(members, problems, strict=True)):
        if len(rows):
            own = {} if weights is None else {"sample_weight": weights[index]}
            member.partial_fit(inputs[rows], is_first, classes=FIRST_WINS, **own)


def _options(member: Any, weights: Sequence[NDArray] | None) -> dict[str, Any]:
    """Arguments for weights; refused by members that take none."""
    if weights is None:
        return {}
    if not has_fit_parameter(member, "sample_weight"):
        raise ValueError(
            f"{type(member).__name__} takes no sample_weight: leave sample_weight and class_weight out, "
            "or take another estimator"
        )
    return {"sample_weights": weights}


def probability(member: Any, inputs: NDArray, wins: NDArray) -> NDArray:
    """Probability of the first class by one member: its own, else its squashed scores, else its decision.

    Parameters
    ----------
    member : classifier
        Fitted.
    inputs : ndarray [n, features]
        Inputs.
    wins : bool ndarray [n]
        Its decisions.
    """
    if hasattr(member, "predict_proba"):
        return np.asarray(member.predict_proba(inputs))[:, 1]
    if hasattr(member, "decision_function"):
        return expit(np.asarray(member.decision_function(inputs)))
    return wins.astype(float)
