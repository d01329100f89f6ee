"""Training behind the estimator, of one network or of many: settings and arrays in, fits out.

Axes: samples of the pool n, problems P.
"""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.classifiers.problems import BinaryProblems
from mpnn.message_passing import training
from mpnn.message_passing.classifier import compiled, exact
from mpnn.message_passing.classifier.hardened import affordable, hardened
from mpnn.message_passing.classifier.settings import Fit, Settings
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.sweep import Info
from mpnn.message_passing.training import Problems
from mpnn.programs import refuse_forked_child

__all__ = ["fit", "fit_many"]


def fit(
    seed: int, settings: Settings, inputs: NDArray, targets: NDArray, columns: NDArray | None = None
) -> Fit:
    """Train one network.

    Parameters
    ----------
    seed : int
        Of the initial beliefs and the order of samples.
    settings : Settings
        Of the run.
    inputs : float32 array [n, features]
        Transformed.
    targets : array [n]
        -1 and +1, float32, for two classes; else class numbers, int32.
    columns : int array [features], optional
        Of a coded table, the number of every input's column.
    """
    refuse_forked_child()
    key, data = jax.random.key(seed), Batch(jnp.asarray(inputs), jnp.asarray(targets))
    if settings.annealing is not None:
        return exact.fit(key, settings, data)
    state, history = _train(key, settings, data)
    hyper = _last_numbers(settings, history)
    weights = compiled.decode(settings.spec, settings.rounding, state, hyper, data.inputs)
    state, hyper, weights = meshes.to_host((state, hyper, weights))
    return _hardened(settings, [Fit(state, hyper, weights, _joined(history))], [inputs], columns)[0]


def _hardened(settings: Settings, fits: list[Fit], rows: list[NDArray], columns: NDArray | None) -> list[Fit]:
    if settings.rounding != "harden" or not affordable(settings, max(map(len, rows)), len(rows)):
        return fits
    columns = np.arange(rows[0].shape[1]) if columns is None else columns
    return hardened(settings, fits, rows, columns)


def fit_many(
    seeds: Sequence[int],
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
    columns: NDArray | None = None,
) -> list[Fit]:
    """Train P networks with one output as one program.

    Parameters
    ----------
    seeds : sequence of int
        One a network; single layers trained on full batches share the first.
    settings : Settings
        Of every run.
    inputs : float32 array [n, features]
        The pool, transformed.
    problems : BinaryProblems
        Of the pool.
    problems_at_once : int or None
        Bounds the memory of networks with hidden layers; None trains all side by side.
    columns : int array [features], optional
        Of a coded table, the number of every input's column.
    """
    fits = _fit_pool(seeds, settings, inputs, problems, problems_at_once)
    return _hardened(settings, fits, [inputs[rows] for rows in problems.rows], columns)


def _fit_pool(
    seeds: Sequence[int],
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
) -> list[Fit]:
    refuse_forked_child()
    pool = jnp.asarray(inputs)
    if settings.spec.num_layers == 1 and settings.batch_size >= problems.most_samples:
        return _fit_columns(jax.random.key(seeds[0]), settings, pool, problems)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    data = Problems(pool, *(jnp.asarray(leaf) for leaf in problems.padded()))
    with meshes.every_device():
        if settings.annealing is not None:
            return exact.fit_many(keys, settings, data, problems_at_once)
        return _fit_side_by_side(keys, settings, data, problems_at_once)


def _fit_columns(key: Array, settings: Settings, pool: Array, problems: BinaryProblems) -> list[Fit]:
    """Single layers: P networks are one layer of P outputs, each with labels for its own samples only.

    The messages of an output never meet those of another, and the inputs are there once instead of P times.
    """
    together = settings.as_columns(len(problems), len(pool))
    state, history = _train(key, together, Batch(pool, jnp.asarray(problems.as_columns(len(pool)))))
    hyper = _last_numbers(together, history)
    weights = compiled.decode(together.spec, settings.rounding, state, hyper, pool)
    state, hyper, weights = meshes.to_host((state, hyper, weights))
    joined = _joined(history)

    def column(index: int) -> Fit:
        own = operator.itemgetter((slice(None), slice(index, index + 1)))
        return Fit(jax.tree.map(own, state), hyper, [own(layer) for layer in weights], joined)

    return [column(index) for index in range(len(problems))]


def _fit_side_by_side(
    keys: Array, settings: Settings, data: Problems, problems_at_once: int | None
) -> list[Fit]:
    """Hidden layers or mini-batches: every problem gathers its own samples; zero messages pad the short."""
    num_problems = len(data.rows)
    state, history = _train_many(keys, settings, data, problems_at_once)
    state, history = jax.tree.map(lambda leaf: leaf[:num_problems], (state, history))
    hyper = _last_numbers(settings, history)
    weights = compiled.decode_many(settings.spec, settings.rounding, state, hyper, data.inputs)
    state, hyper, weights, history = meshes.to_host((state, hyper, weights, history))

    def problem(index: int) -> Fit:
        own_state, own_weights, own_history = jax.tree.map(
            operator.itemgetter(index), (state, weights, history)
        )
        return Fit(own_state, hyper, own_weights, _joined(own_history))

    return [problem(index) for index in range(num_problems)]


def _train(key: Array, settings: Settings, data: Batch) -> tuple[State, list[Info]]:
    return training.train(
        jax.random.fold_in(key, 1),
        settings.spec,
        compiled.init(key, settings),
        data,
        settings.schedules,
        num_epochs=settings.num_epochs,
        batch_size=settings.batch_size,
    )


def _train_many(
    keys: Array, settings: Settings, data: Problems, problems_at_once: int | None
) -> tuple[State, list[Info]]:
    """Networks are trained twice where it takes that for every device to have as many."""
    num_problems = len(data.rows)
    filled = np.resize(np.arange(num_problems), meshes.round_up(num_problems, meshes.NETWORKS))
    if len(filled) > num_problems:
        keys, *samples = jax.tree.map(lambda leaf: leaf[filled], [keys, *data[1:]])
        data = Problems(data.inputs, *samples)
    return training.train_many(
        jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 1),
        settings.spec,
        compiled.init_many(keys, settings),
        data,
        settings.schedules,
        num_epochs=settings.num_epochs,
        batch_size=settings.batch_size,
        problems_at_once=problems_at_once,
    )


def _last_numbers(settings: Settings, history: list[Info]) -> Hyper:
    """The run's numbers at its last sweep."""
    batches, sweeps = history[-1].error.shape[-2:]
    return settings.schedules.at_sweep(len(history) * batches * sweeps - 1, settings.spec.num_layers)


def _joined(history: list[Info]) -> dict[str, Any]:
    """NumPy arrays with one row a sweep, from the epochs' Info ``[batches, sweeps, ...]``."""
    joined = {}
    for name, *leaves in zip(Info._fields, *meshes.to_host(history), strict=True):
        joined[name] = np.concatenate([leaf.reshape(-1, *leaf.shape[2:]) for leaf in leaves])
    return joined
