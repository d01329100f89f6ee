"""Training behind the estimator, of one network or of many: settings and arrays in, fits out.

The number of rows is padded to few sizes, so that few programs are compiled: rows that pad have weight 0, or
are never read. Axes: samples of the pool n, problems P.
"""

import operator
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.callbacks.base import Epoch, notify, running
from mpnn.classifiers.problems import BinaryProblems, few_sizes
from mpnn.message_passing import training
from mpnn.message_passing.classifier import compiled, exact
from mpnn.message_passing.classifier.hardened import affordable, hardened
from mpnn.message_passing.classifier.settings import Fit, Samples, Settings
from mpnn.message_passing.classifier.watching import UNWATCHED, Watch, Watching
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.sweep import Info
from mpnn.message_passing.training import Problems
from mpnn.programs import refuse_forked_child

__all__ = ["fit", "fit_many"]

# More rows take longer to train than to compile for, and a copy of them costs memory.
MOST_PADDED_ROWS = 1 << 15
# Networks trained side by side: more of them, as of a hundred classes, one group after the other.
MOST_PROBLEMS = 512


def fit(
    seed: int,
    settings: Settings,
    samples: Samples,
    columns: NDArray | None = None,
    prior: State | None = None,
    watching: Watching = UNWATCHED,
) -> tuple[Fit, list[float]]:
    """Train one network; the fit, and the scores of its epochs on held-out samples.

    Parameters
    ----------
    seed : int
        Of the initial beliefs and the order of samples.
    settings : Settings
        Of the run.
    samples : Samples
        Inputs, targets and weights.
    columns : int array [features], optional
        Of a coded table, the number of every input's column.
    prior : State or None, default=None
        Beliefs to begin with; None: random ones.
    watching : Watching, optional
        What happens after every epoch.
    """
    refuse_forked_child()
    key, run = jax.random.key(seed), _Run(settings, len(samples.inputs))
    counts = np.ones(len(samples.inputs), np.float32) if samples.weight is None else samples.weight
    data = Batch(*map(run.padded, (samples.inputs, samples.targets, counts)))
    watch = Watch(watching, run.settings, run.num_batches)
    if settings.annealing is not None:
        return exact.fit(key, settings, data), []
    state, history = _train(key, run, data, prior, watch)
    state = watch.best_of(state)
    hyper = run.last_numbers(len(history))
    num_epochs = watch.best_epoch or len(history)
    known = data.inputs, data.sample_weight, run.num_frozen(num_epochs)
    weights = compiled.decode(settings.spec, settings.rounding, state, hyper, *known)
    state, hyper, weights = meshes.to_host((state, hyper, weights))
    fitted = Fit(state, hyper, weights, run.joined(meshes.to_host(history)))
    if _is_hardened(settings, len(samples.inputs), 1):
        given = None if samples.weight is None else [samples.weight]
        (fitted,) = hardened(settings, [fitted], [samples.inputs], _numbers(columns, samples.inputs), given)
    return fitted, watch.scores


def fit_many(
    seeds: Sequence[int],
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
    columns: NDArray | None = None,
    priors: Sequence[State] | None = None,
    watching: Watching = UNWATCHED,
) -> list[Fit]:
    """Train P networks with one output as one program.

    Parameters
    ----------
    seeds : sequence of int
        One a network; single layers trained on full batches share the first.
    settings : Settings
        Of every run.
    inputs : float32 or int8 array [n, features]
        The pool, transformed.
    problems : BinaryProblems
        Of the pool.
    problems_at_once : int or None
        Bounds the memory of networks with hidden layers; None trains all side by side.
    columns : int array [features], optional
        Of a coded table, the number of every input's column.
    priors : sequence of State or None, default=None
        Beliefs to begin with, one a network; None: random ones.
    watching : Watching, optional
        What happens after every epoch, with means over the networks; of more than :data:`MOST_PROBLEMS`
        networks, after every group of them.
    """
    how = settings, inputs
    if len(problems) <= MOST_PROBLEMS:
        fits = _fit_pool(seeds, *how, problems, problems_at_once, priors, watching)
    else:
        fits = _fit_in_groups(seeds, *how, problems, problems_at_once, priors, watching)
    if not _is_hardened(settings, problems.most_samples, len(problems)):
        return fits
    rows = [inputs[rows] for rows in problems.rows]
    return hardened(settings, fits, rows, _numbers(columns, inputs), problems.weights)


def _fit_in_groups(
    seeds: Sequence[int],
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
    priors: Sequence[State] | None,
    watching: Watching,
) -> list[Fit]:
    """Equal groups of problems, one after the other by one program: bounded memory, and a report a group."""
    num_groups = -(-len(problems) // MOST_PROBLEMS)
    size = -(-len(problems) // num_groups)
    fits: list[Fit] = []
    begun = time.perf_counter()
    with running(watching.callbacks, num_groups):
        for group in range(num_groups):
            rows = np.arange(group * size, min((group + 1) * size, len(problems)))
            own = np.resize(rows, size).tolist()
            chosen = None if priors is None else [priors[index] for index in own]
            part = [seeds[index] for index in own], settings, inputs, problems.chosen(own)
            fits += _fit_pool(*part, problems_at_once, chosen, UNWATCHED)
            metrics = {"error": float(np.mean([fit.history["error"][-1] for fit in fits[-size:]]))}
            notify(watching.callbacks, Epoch(group + 1, num_groups, metrics, time.perf_counter() - begun))
    return fits[: len(problems)]


def _is_hardened(settings: Settings, num_samples: int, num_networks: int) -> bool:
    return settings.rounding == "harden" and affordable(settings, num_samples, num_networks)


def _numbers(columns: NDArray | None, inputs: NDArray) -> NDArray:
    """Of every input, the number of its column: where none is known, each is its own."""
    return np.arange(inputs.shape[1]) if columns is None else columns


class _Run:
    """A training on a number of samples, in arrays of one of few lengths.

    A full batch counts the rows that pad it with weight 0; mini-batches are drawn from the first rows.
    """

    def __init__(self, settings: Settings, num_samples: int) -> None:
        pads, full_batch = num_samples <= MOST_PADDED_ROWS, settings.batch_size >= num_samples
        self.length = few_sizes(num_samples) if pads else num_samples
        self.settings = settings.with_batches_of(self.length) if full_batch else settings
        self.num_batches = 1 if full_batch else num_samples // settings.batch_size
        self.num_samples = num_samples if pads and not full_batch else None

    def padded(self, leaf: NDArray) -> Array:
        """An array ``[n, ...]`` with rows of 0 up to the length."""
        missing = self.length - len(leaf)
        padded = np.pad(leaf, [(0, missing), *[(0, 0)] * (leaf.ndim - 1)]) if missing else leaf
        return jax.device_put(padded)  # unlike jnp.asarray, without a program for every shape

    def last_numbers(self, num_epochs: int) -> Hyper:
        """The numbers of the last sweep."""
        settings = self.settings
        sweeps = num_epochs * self.num_batches * settings.spec.sweeps_per_batch
        return settings.schedules.at_sweep(sweeps - 1, settings.spec.num_layers)

    def num_frozen(self, num_epochs: int) -> int:
        """Layers that so many epochs have frozen."""
        return sum(epoch < num_epochs for epoch in self.settings.freezing)

    def joined(self, history: list[Info]) -> dict[str, Any]:
        """Arrays with one row a sweep, from the epochs' Info ``[batches, sweeps, ...]``."""
        joined: dict[str, Any] = {}
        for name, *leaves in zip(Info._fields, *history, strict=True):
            own = [leaf[: self.num_batches] for leaf in leaves]
            joined[name] = np.concatenate([leaf.reshape(-1, *leaf.shape[2:]) for leaf in own])
        return joined


def _fit_pool(
    seeds: Sequence[int],
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
    priors: Sequence[State] | None,
    watching: Watching,
) -> list[Fit]:
    refuse_forked_child()
    if (
        settings.spec.num_layers == 1
        and settings.batch_size >= problems.most_samples
        and not settings.augment
    ):
        together = settings.as_columns(len(problems)).with_batches_of(len(inputs))
        return _fit_columns(jax.random.key(seeds[0]), together, inputs, problems, priors, watching)
    keys = jax.vmap(jax.random.key)(np.asarray(seeds))
    pool, run = _Run(settings, len(inputs)), _Run(settings, problems.most_samples)
    data = Problems(pool.padded(inputs), *jax.device_put(problems.padded(run.length)))
    with meshes.every_device():
        if settings.annealing is not None:
            return exact.fit_many(keys, settings, data, problems_at_once)
        counts = pool.padded(problems.pool_weight(len(inputs)))
        return _fit_side_by_side(keys, run, data, counts, problems_at_once, priors, watching)


def _fit_columns(
    key: Array,
    settings: Settings,
    inputs: NDArray,
    problems: BinaryProblems,
    priors: Sequence[State] | None,
    watching: Watching,
) -> list[Fit]:
    """Single layers: P networks are one layer of P outputs, each with labels for its own samples only.

    The messages of an output never meet those of another, and the inputs are there once instead of P times.
    """
    run = _Run(settings, len(inputs))
    data = Batch(*map(run.padded, (inputs, *problems.as_columns(len(inputs)))))
    prior = None if priors is None else _stacked(priors, jnp.concatenate, axis=1)
    watch = Watch(watching, run.settings, run.num_batches)
    state, history = _train(key, run, data, prior, watch)
    hyper = run.last_numbers(len(history))
    counts = run.padded(problems.pool_weight(len(inputs)))
    weights = compiled.decode(settings.spec, settings.rounding, state, hyper, data.inputs, counts)
    state, hyper, weights, history = meshes.to_host((state, hyper, weights, history))
    joined = run.joined(history)

    def column(index: int) -> Fit:
        own = operator.itemgetter((slice(None), slice(index, index + 1)))
        return Fit(jax.tree.map(own, state), hyper, [own(layer) for layer in weights], joined)

    return [column(index) for index in range(len(problems))]


def _fit_side_by_side(
    keys: Array,
    run: _Run,
    data: Problems,
    counts: Array,
    problems_at_once: int | None,
    priors: Sequence[State] | None,
    watching: Watching,
) -> list[Fit]:
    """Hidden layers or mini-batches: every problem gathers its own samples.

    ``counts``: how often the rows of the pool count in rounding.
    """
    num_problems, settings = len(data.rows), run.settings
    prior = None if priors is None else _stacked(priors, jnp.stack)
    watch = Watch(watching, settings, run.num_batches)
    state, history = _train_many(keys, run, data, problems_at_once, prior, watch)
    state, history = jax.tree.map(lambda leaf: leaf[:num_problems], (state, history))
    hyper = run.last_numbers(len(history))
    known = data.inputs, counts, run.num_frozen(len(history))
    weights = compiled.decode_many(settings.spec, settings.rounding, state, hyper, *known)
    state, hyper, weights, history = meshes.to_host((state, hyper, weights, history))

    def problem(index: int) -> Fit:
        own_state, own_weights, own_history = jax.tree.map(
            operator.itemgetter(index), (state, weights, history)
        )
        return Fit(own_state, hyper, own_weights, run.joined(own_history))

    return [problem(index) for index in range(num_problems)]


def _stacked(priors: Sequence[State], join: Callable[..., Array], **options: int) -> State:
    return jax.tree.map(lambda *leaves: join(leaves, **options), *priors)


def _train(key: Array, run: _Run, data: Batch, prior: State | None, watch: Watch) -> tuple[State, list[Info]]:
    settings = run.settings
    train = partial(training.train, on_epoch=watch.on_epoch)
    with watch.running():
        return train(
            jax.random.fold_in(key, 1),
            settings.spec,
            compiled.init(key, settings) if prior is None else prior,
            data,
            settings.schedules,
            num_epochs=settings.num_epochs,
            batch_size=settings.batch_size,
            augment=settings.augment,
            num_samples=run.num_samples,
            freezing=settings.freezing,
        )


def _train_many(
    keys: Array, run: _Run, data: Problems, problems_at_once: int | None, prior: State | None, watch: Watch
) -> tuple[State, list[Info]]:
    """Networks are trained twice where it takes that for every device to have as many."""
    num_problems, settings = len(data.rows), run.settings
    state = compiled.init_many(keys, settings) if prior is None else prior
    filled = np.resize(np.arange(num_problems), meshes.round_up(num_problems, meshes.NETWORKS))
    if len(filled) > num_problems:
        keys, state, *samples = jax.tree.map(lambda leaf: leaf[filled], [keys, state, *data[1:]])
        data = Problems(data.inputs, *samples)
    train = partial(training.train_many, on_epoch=watch.on_epoch)
    with watch.running():
        return train(
            jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 1),
            settings.spec,
            state,
            data,
            settings.schedules,
            num_epochs=settings.num_epochs,
            batch_size=settings.batch_size,
            augment=settings.augment,
            problems_at_once=problems_at_once,
            num_samples=run.num_samples,
            freezing=settings.freezing,
        )
