"""Epochs as pure functions: a scan over mini-batches, and inside it a scan over the sweeps on a batch.

Shapes: samples n, batch B, sweeps on a batch S, weight layers L, problems P.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import sharding as meshes
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info, begin, observe, sweep
from mpnn.preprocessing.augmentation import Augment

__all__ = [
    "Problems",
    "in_batches",
    "key_of_batches",
    "run_batch",
    "run_epoch",
    "run_observed_batch",
    "shuffled",
    "shuffled_epoch",
    "take",
]


def run_batch(spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper) -> tuple[State, Info]:
    """All sweeps over one batch; ``hyper`` leaves are ``[S, L]``, and so are the returned Info's.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    batch : Batch
        Inputs and labels.
    hyper : Hyper
        Numbers of each sweep, leaves ``[S, L]``.
    """
    state, _, infos = run_observed_batch(spec, state, batch, hyper, observe(state))
    return state, infos


def run_observed_batch(
    spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper, observed: tuple[Array, ...]
) -> tuple[State, tuple[Array, ...], Info]:
    """As :func:`run_batch`, with what is observed of the state before and after (see :func:`begin`).

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    batch : Batch
        Inputs and labels.
    hyper : Hyper
        Numbers of each sweep, leaves ``[S, L]``.
    observed : tuple of Array
        What is observed of the state before.
    """
    first = jax.tree.map(lambda leaf: leaf[0], hyper)
    batch = batch.astype(state.weighted[0].mean.dtype)
    progress = begin(spec, state, batch.inputs.shape[0], first, observed)
    if spec.sweeps_per_batch == 1:
        state, progress, info = sweep(spec, state, batch, progress, first)
        return state, progress.observed, jax.tree.map(lambda leaf: leaf[None], info)

    def body(carry: Any, numbers: Hyper) -> tuple[Any, Info]:
        state, progress, info = sweep(spec, carry[0], batch, carry[1], numbers)
        return (state, progress), info

    (state, progress), infos = jax.lax.scan(body, (state, progress), hyper)
    return state, progress.observed, infos


class Problems(NamedTuple):
    """P equally shaped problems over one pool of inputs.

    Parameters
    ----------
    inputs : Array [n, N]
        The pool of inputs.
    rows : int Array [P, B]
        Each problem's samples in the pool.
    labels : Array [P, B]
        Their labels.
    sample_weight : Array [P, B] or None, default=None
        How often each sample counts, 0 for padding; None: once.
    """

    inputs: Array
    rows: Array
    labels: Array
    sample_weight: Array | None = None


def take(data: Batch | Problems, rows: Array) -> Batch:
    """Samples of a data set, or of one problem (its leaves without the axis P).

    Parameters
    ----------
    data : Batch or Problems
        The samples.
    rows : int Array [B]
        Which of them.
    """
    if isinstance(data, Problems):
        weight = None if data.sample_weight is None else data.sample_weight[rows]
        return Batch(data.inputs[data.rows[rows]], data.labels[rows], weight)
    return jax.tree.map(lambda leaf: leaf[rows], data)


def run_epoch(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch | Problems,
    order: Array,
    hyper: Hyper,
    augment: Augment | None = None,
) -> tuple[State, Info]:
    """One pass over the data in mini-batches.

    Returns the state and the Info of every sweep, leaves ``[num_batches, S, ...]``.

    Parameters
    ----------
    key : Array
        Random key, for ``augment``.
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    data : Batch or Problems
        The samples; of many problems, or of one.
    order : int Array [num_batches, batch_size]
        Samples of each mini-batch.
    hyper : Hyper
        Numbers of each sweep, leaves ``[num_batches, S, L]``.
    augment : callable or None, default=None
        Changes the inputs of every batch at random; None: they stay as they are.
    """

    def body(carry: Any, step: tuple[Array, Array, Hyper]) -> tuple[Any, Info]:
        (state, observed), (key, rows, numbers) = carry, step
        batch = take(data, rows)
        if augment is not None:
            batch = batch._replace(inputs=augment(key, batch.inputs))
        batch = meshes.spread_batch(batch)
        state, observed, info = run_observed_batch(spec, state, batch, numbers, observed)
        return (meshes.spread_weights(state), observed), info

    steps = (jax.random.split(key, len(order)), order, hyper)
    (state, _), infos = jax.lax.scan(body, (state, observe(state)), steps)
    return state, infos


def shuffled_epoch(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch | Problems,
    hyper: Hyper,
    batch_size: int,
    augment: Augment | None,
) -> tuple[State, Info]:
    """One pass in a fresh random order, less the last incomplete mini-batch.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    data : Batch
        Inputs and labels.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    batch_size : int >= 1
        Samples of a mini-batch.
    augment : callable or None
        Changes the inputs of every batch at random; None: they stay as they are.
    """
    hyper, order = in_batches(spec, hyper, shuffled(key, data.labels.shape[0], batch_size), batch_size)
    return run_epoch(key_of_batches(key), spec, state, data, order, hyper, augment)


def in_batches(spec: NetworkSpec, hyper: Hyper, order: Array, batch_size: int) -> tuple[Hyper, Array]:
    """Numbers ``[num_batches, S, L]`` of an epoch's sweeps, and its samples ``[num_batches, batch_size]``.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    hyper : Hyper
        The numbers of all sweeps, leaves ``[num_batches * S, L]``.
    order : int Array [n]
        The samples in their order; the last incomplete mini-batch is dropped.
    batch_size : int >= 1
        Samples of a mini-batch.
    """
    num_batches = len(order) // batch_size
    hyper = jax.tree.map(
        lambda leaf: leaf.reshape(num_batches, spec.sweeps_per_batch, *leaf.shape[1:]), hyper
    )
    return hyper, order[: num_batches * batch_size].reshape(num_batches, batch_size)


def key_of_batches(key: Array) -> Array:
    """The key of an epoch's augmentation: the same samples make up the same batches with and without it.

    Parameters
    ----------
    key : Array
        The epoch's key.
    """
    return jax.random.fold_in(key, 1)


def shuffled(key: Array, num_rows: int, batch_size: int, num_samples: Array | int | None = None) -> Array:
    """A permutation of the rows with the first ``num_samples`` in random order before all others.

    The order of the samples does not depend on how many rows follow.

    Parameters
    ----------
    key : Array
        Random key.
    num_rows : int >= 1
        Rows, samples and others.
    batch_size : int >= 1
        Samples of a mini-batch; where it is all rows, they stay in their order.
    num_samples : int Array [] or None, default=None
        Samples, traced; None: all rows are.
    """
    if batch_size == num_rows:  # sums over all samples have no order, and sorting takes long to compile
        return jnp.arange(num_rows)
    if num_samples is None:
        return jax.random.permutation(key, num_rows)
    rank = jax.random.bits(key, (num_rows,))
    last = jnp.full_like(rank, jnp.iinfo(rank.dtype).max)
    return jnp.argsort(jnp.where(jnp.arange(num_rows) < num_samples, rank, last), stable=True)
