"""Many small binary networks as one compiled program: a capability of the message-passing classifier."""

import dataclasses
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier import exact as small
from mpnn.message_passing.classifier.defaults import Settings, in_units_of_inputs
from mpnn.message_passing.network import Batch
from mpnn.message_passing.training import Problems
from mpnn.preprocessing.scaling import fit_transform_of

if TYPE_CHECKING:
    from mpnn.message_passing.classifier.estimator import MessagePassingClassifier

__all__ = ["decide_many", "fit_many"]

# Bounds the memory of many networks deciding side by side.
ROWS_AT_ONCE = 2048


def fit_many(
    members: Sequence["MessagePassingClassifier"],
    X: NDArray,
    problems: Sequence[tuple[NDArray, NDArray]],
    problems_at_once: int | None,
) -> None:
    """See :meth:`MessagePassingClassifier.fit_many`."""
    targets = []
    for member, (_, y) in zip(members, problems, strict=True):
        member.n_features_in_ = X.shape[1]
        targets.append(member._targets(member._encode(y)))
        if len(member.classes_) != 2:
            raise ValueError(f"fit_many needs two classes a problem, got {len(member.classes_)}")
    members[0]._checked_prediction()
    rows_of = [rows for rows, _ in problems]
    settings = members[0]._settings(X.shape[1], max(len(rows) for rows in rows_of))
    transform = fit_transform_of(X, settings.input_scaling)
    for member in members:
        member.input_transform_ = transform
    transformed = transform(X)
    settings = in_units_of_inputs(settings, transformed)
    inputs = jnp.asarray(transformed)
    seeds = [member._seed() for member in members]
    if settings.spec.num_layers == 1 and settings.batch_size >= max(len(rows) for rows in rows_of):
        fitted = _fit_one_layer(jax.random.key(seeds[0]), settings, inputs, rows_of, targets)
    else:
        keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
        with meshes.every_device():
            fitted = _fit_side_by_side(keys, settings, inputs, rows_of, targets, problems_at_once)
    for member, seed, (state, hyper, weights, history) in zip(members, seeds, fitted, strict=True):
        member._publish(settings.spec, state, hyper, weights)
        member._remember(history, seed)


def _fit_one_layer(
    key: jax.Array, settings: Settings, inputs: jax.Array, rows_of: list[NDArray], targets: list[NDArray]
) -> list[tuple[Any, ...]]:
    """Single layers: P networks are one layer of P outputs, each with labels for its own samples only.

    The messages of an output never meet those of another, and the inputs are there once instead of P times.
    """
    num_samples, num_problems = inputs.shape[0], len(rows_of)
    labels = np.zeros((num_samples, num_problems), np.float32)
    for column, (rows, target) in enumerate(zip(rows_of, targets, strict=True)):
        labels[rows, column] = target
    spec = dataclasses.replace(settings.spec, widths=(settings.spec.widths[0], num_problems))
    together = dataclasses.replace(settings, spec=spec, batch_size=num_samples)
    data = Batch(inputs, jnp.asarray(labels))
    state, history = compiled.fit(key, together, data)
    hyper = compiled.last_numbers(together, history)
    weights = compiled.decode(spec, settings.rounding, state, hyper, inputs)
    state, hyper, weights = meshes.to_host((state, hyper, weights))
    joined = compiled.join_history(history)
    columns = [slice(column, column + 1) for column in range(num_problems)]
    return [
        (
            *jax.tree.map(operator.itemgetter((slice(None), own)), (state,)),
            hyper,
            [layer[:, own] for layer in weights],
            joined,
        )
        for own in columns
    ]


def _fit_side_by_side(
    keys: jax.Array,
    settings: Settings,
    inputs: jax.Array,
    rows_of: list[NDArray],
    targets: list[NDArray],
    problems_at_once: int | None,
) -> list[tuple[Any, ...]]:
    """Hidden layers or mini-batches: every problem gathers its own samples; silent ones pad the short."""
    longest = max(len(rows) for rows in rows_of)
    shape = (len(rows_of), longest)
    rows_padded, labels = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    sample_mask = np.zeros(shape, np.float32)
    for index, (rows, target) in enumerate(zip(rows_of, targets, strict=True)):
        rows_padded[index, : len(rows)], labels[index, : len(rows)] = rows, target
        sample_mask[index, : len(rows)] = 1.0
    data = Problems(inputs, *(jnp.asarray(leaf) for leaf in (rows_padded, labels, sample_mask)))
    if settings.annealing is not None:
        return small.train_many(keys, settings, data, problems_at_once)
    state, history = compiled.fit_many(keys, settings, data, problems_at_once)
    hyper = compiled.last_numbers(settings, history)
    weights = compiled.decode_many(settings.spec, settings.rounding, state, hyper, inputs)
    state, hyper, weights, history = meshes.to_host((state, hyper, weights, history))
    fitted = []
    for index in range(len(rows_of)):
        own = jax.tree.map(operator.itemgetter(index), (state, weights, history))
        fitted.append((own[0], hyper, own[1], compiled.join_history(own[2])))
    return fitted


def decide_many(members: Sequence["MessagePassingClassifier"], X: NDArray) -> tuple[NDArray, NDArray]:
    """See :meth:`MessagePassingClassifier.decide_many`."""
    first = members[0]
    spec, (how, num_samples) = first.spec_, first._checked_prediction()
    models = jax.tree.map(lambda *leaves: np.stack(leaves), *(member._model() for member in members))
    second_wins = np.zeros((len(X), len(members)), bool)
    probabilities = np.zeros(second_wins.shape, np.float32)
    for start in range(0, len(X), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        inputs = jnp.asarray(first.input_transform_(X[rows]))
        scores, shares = compiled.decide_many(spec, how, num_samples, models, inputs)
        second_wins[rows] = np.asarray(scores)[:, :, 0].T >= 0
        probabilities[rows] = np.asarray(shares)[:, :, 1].T
    return second_wins, probabilities
