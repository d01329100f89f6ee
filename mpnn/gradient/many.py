"""Many small binary networks as one compiled program: a capability of the gradient classifiers."""

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mpnn.gradient import prediction as deciding
from mpnn.gradient import training

if TYPE_CHECKING:
    from mpnn.gradient.classifier import GradientClassifier

__all__ = ["decide_many", "fit_many"]

# Bounds the memory of many networks deciding side by side.
ROWS_AT_ONCE = 2048


def fit_many(
    members: Sequence["GradientClassifier"],
    X: NDArray,
    problems: Sequence[tuple[NDArray, NDArray]],
    problems_at_once: int | None,
) -> None:
    """See :meth:`mpnn.gradient.classifier.GradientClassifier.fit_many`."""
    longest = max(len(rows) for rows, _ in problems)
    shape = (len(problems), longest)
    rows_padded, targets = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    mask = np.zeros(shape, np.float32)
    for index, (member, (rows, y)) in enumerate(zip(members, problems, strict=True)):
        member.n_features_in_ = X.shape[1]
        codes = member._encode(y)
        if len(member.classes_) != 2:
            raise ValueError(f"fit_many needs two classes a problem, got {len(member.classes_)}")
        rows_padded[index, : len(rows)] = rows
        targets[index, : len(rows)] = member._targets(codes)
        mask[index, : len(rows)] = 1.0
    first = members[0]
    transform = first._transform_of(X)
    plan = first._plan(longest, uneven=bool(np.any(mask == 0)))
    method = first._method(first._widths(X.shape[1]), plan)
    keys, seeds = zip(*(member._keys() for member in members), strict=True)
    data = training.Data(*(jnp.asarray(leaf) for leaf in (transform(X), rows_padded, targets, mask)))
    fitted = training.fit_many(first._fit_problem, jnp.stack(keys), method, plan, data, problems_at_once)
    states, history = jax.device_get(fitted)
    for index, (member, seed) in enumerate(zip(members, seeds, strict=True)):
        member.input_transform_ = transform
        own = operator.itemgetter(index)
        member._publish(method, jax.tree.map(own, states), jax.tree.map(own, history), seed)


def decide_many(members: Sequence["GradientClassifier"], X: NDArray) -> tuple[NDArray, NDArray]:
    """See :meth:`mpnn.gradient.classifier.GradientClassifier.decide_many`."""
    first = members[0]
    how = first._checked_prediction()
    models = jax.tree.map(lambda *leaves: np.stack(leaves), *(member._model() for member in members))
    second_wins = np.zeros((len(X), len(members)), bool)
    probabilities = np.zeros(second_wins.shape, np.float32)
    for start in range(0, len(X), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        inputs = jnp.asarray(first.input_transform_(X[rows]))
        scores, shares = deciding.decide_many(first.method_, how, first.num_samples, models, inputs)
        second_wins[rows] = np.asarray(scores)[:, :, 0].T >= 0
        probabilities[rows] = np.asarray(shares)[:, :, 1].T
    return second_wins, probabilities
