"""Compiled portions of an epoch, of one network or of many: some of its steps, so that none takes long.

A step is a sweep where all samples are one batch, else a mini-batch. The numbers of a portion's first step
and of the one after its last are traced: one program serves portions of all lengths. Networks that are not
trained side by side are trained in groups, one group's epoch after the other's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import sharding as meshes
from mpnn.message_passing.epochs import (
    Problems,
    in_batches,
    key_of_batches,
    run_observed_batch,
    shuffled,
    take,
)
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info, begin, blank_info, observe, sweep
from mpnn.preprocessing.augmentation import Augment
from mpnn.programs import Pace
from mpnn.programs.bounded import bounded_jit

__all__ = ["Epoch", "Place", "Running", "pace_of", "portion", "portion_of_many"]


class Running(NamedTuple):
    """An epoch between two of its portions.

    Parameters
    ----------
    state : State
        Beliefs; of many networks, with a leading axis P.
    progress : pytree or None, default=None
        The order of the samples (of mini-batches; else None), and, of a full batch, the progress of its
        sweeps, of mini-batches what was observed of the state. Of the group that is trained; None before its
        first portion.
    info : Info or None, default=None
        Of all steps ``[num_batches, S, ...]``, 0 for those to come; None before the first portion.
    """

    state: State
    progress: Any = None
    info: Info | None = None


class Place(NamedTuple):
    """Where in an epoch a portion is; traced.

    Parameters
    ----------
    first, after : int
        Its first step, and the one after its last.
    num_samples : int or None
        Only the first so many rows are samples; None: all.
    group : int, default=0
        Of many networks, the group that is trained.
    """

    first: int
    after: int
    num_samples: int | None
    group: int = 0


@dataclass(frozen=True)
class Epoch:
    """What an epoch does, static.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    batch_size : int >= 1
        Samples of a mini-batch.
    augment : callable or None
        Changes the inputs of every batch at random.
    at_once : int >= 1, default=1
        Of many networks, those that each device trains side by side.
    """

    spec: NetworkSpec
    batch_size: int
    augment: Augment | None
    at_once: int = 1

    def steps_of(self, num_batches: int) -> int:
        """Steps of so many mini-batches, of which a single one has its sweeps as steps.

        Parameters
        ----------
        num_batches : int >= 1
            Mini-batches.
        """
        return self.spec.sweeps_per_batch if num_batches == 1 else num_batches


def pace_of(epoch: Epoch, state: State, room: int) -> Pace:
    """The pace of an epoch's steps: a guess from the number of products in one.

    On several processes, which must agree, an epoch is one portion.

    Parameters
    ----------
    epoch : Epoch
        What an epoch does.
    state : State
        Beliefs.
    room : int >= 1
        Mini-batches that its program has room for.
    """
    num_weights = sum(prod(layer.mean.shape[-2:]) for layer in state.weighted)
    sweeps = 1 if room == 1 else epoch.spec.sweeps_per_batch
    places = prod(epoch.spec.input_shape[:-1])  # where a convolution multiplies its weights
    products = epoch.at_once * sweeps * epoch.batch_size * num_weights * places
    return Pace(products, bounded=jax.process_count() == 1)


def _run(
    key: Array,
    epoch: Epoch,
    running: Running,
    data: Batch | Problems,
    hyper: Hyper,
    place: Place,
    only_begins: bool,
) -> Running:
    """A portion of one network's epoch; ``hyper`` leaves are ``[T, L]``."""
    spec, state = epoch.spec, running.state
    kept, progress = (None, None) if running.progress is None else running.progress

    def shuffle() -> Array:
        return shuffled(key, data.labels.shape[0], epoch.batch_size, place.num_samples)

    in_order = epoch.batch_size == data.labels.shape[0]
    # sorting a million rows takes longer than a portion
    kept = None if in_order else _once(place, shuffle, kept)
    hyper, order = in_batches(spec, hyper, shuffle() if kept is None else kept, epoch.batch_size)
    keys = jax.random.split(key_of_batches(key), len(order))
    # one sweep keeps nothing for a next one: its batch is a mini-batch
    full = len(order) == 1 and spec.sweeps_per_batch > 1

    def batch_of(index: Array | int) -> Batch:
        batch = data if in_order and isinstance(data, Batch) else take(data, order[index])
        if epoch.augment is not None:
            batch = batch._replace(inputs=epoch.augment(keys[index], batch.inputs))
        return meshes.spread_batch(batch)

    whole = batch_of(0).astype(state.weighted[0].mean.dtype) if full else None

    def begun() -> Any:
        if whole is None:
            return observe(state)
        numbers = jax.tree.map(lambda leaf: leaf[0, 0], hyper)
        return begin(spec, state, epoch.batch_size, numbers, observe(state))

    def step(index: Array | int, state: State, progress: Any) -> tuple[State, Any, Info]:
        if whole is None:
            numbers = jax.tree.map(lambda leaf: leaf[index], hyper)
            state, progress, info = run_observed_batch(spec, state, batch_of(index), numbers, progress)
        else:
            numbers = jax.tree.map(lambda leaf: leaf[0, index], hyper)
            state, progress, info = sweep(spec, state, whole, progress, numbers)
        return meshes.spread_weights(state), progress, info

    def body(index: Array, now: Running) -> Running:
        state, progress, info = step(index, now.state, now.progress)
        at = (0, index) if full else index
        return Running(state, progress, jax.tree.map(lambda all, own: all.at[at].set(own), now.info, info))

    progress, info = _once(place, begun, progress), running.info
    info = blank_info(state, len(order), spec.sweeps_per_batch) if info is None else info
    now = Running(state, progress, info)
    if not only_begins:
        now = jax.lax.fori_loop(place.first, place.after, body, now)
    return now._replace(progress=(kept, now.progress))


def _once(place: Place, begin: Callable[[], Any], old: Any) -> Any:
    """What an epoch begins with: made by its first portion, handed on to the others."""
    return begin() if old is None else jax.lax.cond(place.first == 0, lambda _: begin(), lambda old: old, old)


@partial(bounded_jit, static_argnames=("epoch", "only_begins"), donate_argnames="running")
def portion(
    key: Array,
    epoch: Epoch,
    running: Running,
    data: Batch,
    hyper: Hyper,
    place: Place,
    only_begins: bool = False,
) -> Running:
    """Some steps of one network's epoch.

    Parameters
    ----------
    key : Array
        The epoch's key.
    epoch : Epoch
        What an epoch does; static.
    running : Running
        What the portion before left; donated.
    data : Batch
        The samples.
    hyper : Hyper
        Numbers of the epoch's sweeps, leaves ``[T, L]``.
    place : Place
        Which steps.
    only_begins : bool, default=False
        No steps, only room for them: for its shapes, which are soon known without tracing a step; static.
    """
    return _run(key, epoch, running, data, hyper, place, only_begins)


@partial(bounded_jit, static_argnames=("epoch", "only_begins"), donate_argnames="running")
def portion_of_many(
    keys: Array,
    epoch: Epoch,
    running: Running,
    data: Problems,
    hyper: Hyper,
    place: Place,
    only_begins: bool = False,
) -> Running:
    """Some steps of the epochs of a group of networks on every device.

    Parameters
    ----------
    keys : Array [P]
        The epoch's keys, one a network.
    epoch : Epoch
        What an epoch does; static.
    running : Running
        What the portion before left; donated.
    data : Problems
        The samples of all networks.
    hyper : Hyper
        Numbers of the epoch's sweeps, leaves ``[T, L]``.
    place : Place
        Which steps, of which group.
    only_begins : bool, default=False
        As of :func:`portion`.
    """

    def train_share(shared: tuple[Array, Hyper, Place], own: Any) -> Running:
        inputs, hyper, place = shared
        keys, running, samples = own
        count = keys.shape[0]
        at_once = min(epoch.at_once, count)

        def one(key: Array, running: Running, samples: Any) -> Running:
            return _run(key, epoch, running, Problems(inputs, *samples), hyper, place, only_begins)

        if at_once == count:
            return jax.vmap(one)(keys, running, samples)
        rows = place.group * at_once + jnp.arange(at_once)  # beyond the last network: trained, not kept
        chosen = jnp.minimum(rows, count - 1)
        state, info = running.state, running.info
        mine = jax.tree.map(lambda leaf: leaf[chosen], (keys, (state, info), samples))
        trained = jax.vmap(one)(mine[0], Running(mine[1][0], running.progress, mine[1][1]), mine[2])
        if info is None:
            info = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype), trained.info)
        kept = (trained.state, trained.info)
        state, info = jax.tree.map(lambda all, own: all.at[rows].set(own, mode="drop"), (state, info), kept)
        return Running(state, trained.progress, info)

    shared = (data.inputs, hyper, place)
    return meshes.over_networks(train_share)(shared, (keys, running, data[1:]))
