"""Training on samples that come in blocks, each of which fits into memory: the inner loop of a stream.

A block is divided among lanes ``[V, n, ...]``, and every mini-batch takes as many samples of each lane, in a
random order: on a mesh, the devices along "data" hold a lane or several each, and nothing is moved. With one
lane and one block, an epoch is that of :func:`mpnn.message_passing.training.train`.
Shapes: lanes V, samples of a lane n, batch B, sweeps S, weight layers L.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.message_passing.epochs import key_of_batches, run_observed_batch, shuffled
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.portions import Epoch, pace_of
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info, blank_info, observe
from mpnn.preprocessing.augmentation import Augment
from mpnn.programs.bounded import bounded_jit

__all__ = ["Block", "train_blocks"]

Lane = tuple[NDArray, ...]


class Block(NamedTuple):
    """Samples that are in memory at the same time.

    Parameters
    ----------
    number : int >= 0
        Counted over all epochs; seeds the order of its samples.
    first_batch : int >= 0
        Mini-batches before it, counted over all epochs: its place in the schedules.
    num_samples : int >= 0
        Samples of every lane that are used; more of a lane are left out.
    lanes : sequence of (ndarray [n, N], ndarray [n]) or (ndarray [n, N], ndarray [n], ndarray [n])
        Inputs, of any type, targets, and how often samples count (left out: once), of the lanes that this
        process holds.
    """

    number: int
    first_batch: int
    num_samples: int
    lanes: list[Lane]


BeforeBlock = Callable[[int, State], State]
OnBlock = Callable[[int, State, Info | None], bool | None]


def train_blocks(
    key: Array,
    spec: NetworkSpec,
    state: State,
    blocks: Iterable[Block],
    schedules: Schedules,
    *,
    batch_size: int,
    num_lanes: int,
    most_rows: int,
    augment: Augment | None = None,
    before_block: BeforeBlock | None = None,
    on_block: OnBlock | None = None,
) -> State:
    """Train on blocks, one after the other.

    Parameters
    ----------
    key : Array
        Block b shuffles with ``fold_in(key, b)``.
    spec : NetworkSpec
        The network's static description.
    state : State
        Beliefs before; left as they are.
    blocks : iterable of Block
        The samples; a block's last incomplete mini-batch is dropped.
    schedules : Schedules
        Numbers over the whole training.
    batch_size : int >= 1
        Samples of a mini-batch, a multiple of ``num_lanes``.
    num_lanes : int >= 1
        V, of all processes; a multiple of the devices along "data".
    most_rows : int >= 1
        Samples of a lane's block at most: blocks are padded, so that one program serves all.
    augment : callable or None, default=None
        Changes the inputs of every batch at random; None: they stay as they are.
    before_block : callable or None, default=None
        Called on the host as ``before_block(number, state)`` before every block; returns the state to go on
        with.
    on_block : callable or None, default=None
        Called on the host as ``on_block(number, state, info)`` after every block, with the means of its
        sweeps' Info (None: the block had no full mini-batch); returning True stops the training.

    Raises
    ------
    ValueError
        If batch or lanes cannot be shared out.
    """
    devices = meshes.axis_size(meshes.DATA)
    if num_lanes % devices or batch_size % num_lanes:
        raise ValueError(
            f"batch_size must be a multiple of the readers, and these of the {devices} devices along 'data'; "
            f"got batch_size={batch_size} and {num_lanes} readers"
        )
    share = batch_size // num_lanes
    most_rows = max(most_rows, share)
    state = meshes.place_weights(jax.tree.map(jnp.copy, state))
    sweeps = jnp.arange(most_rows // share * spec.sweeps_per_batch)
    pace = pace_of(Epoch(spec, batch_size, augment), state, 2)
    for block in blocks:
        if before_block is not None:
            state = meshes.place_weights(before_block(block.number, state))
        num_batches = block.num_samples // share
        data = _placed(block.lanes, num_lanes, most_rows)
        first = block.first_batch * spec.sweeps_per_batch
        own, hyper = meshes.place(
            (jax.random.fold_in(key, block.number), schedules.at(first + sweeps, spec.num_layers))
        )
        sums = meshes.place(blank_info(state))
        for begun, after in pace.portions(num_batches):
            place = _Place(begun, after, block.num_samples)
            state, sums = _run(own, spec, share, augment, state, sums, data, hyper, place)
            jax.block_until_ready(sums)
        info = jax.tree.map(partial(_share, num_batches), sums) if num_batches else None
        if on_block is not None and on_block(block.number, state, info):
            break
    return state


def _share(count: int, leaf: Array) -> Array:
    return leaf / count


class _Place(NamedTuple):
    """Mini-batches of a block to run, from the first to the one before ``after``, and its samples; traced."""

    first: int
    after: int
    num_samples: int


@partial(bounded_jit, static_argnames=("spec", "share", "augment"), donate_argnames=("state", "sums"))
def _run(
    key: Array,
    spec: NetworkSpec,
    share: int,
    augment: Augment | None,
    state: State,
    sums: Info,
    data: Batch,
    hyper: Hyper,
    place: _Place,
) -> tuple[State, Info]:
    """Some mini-batches of a block ``[V, n, ...]``, and the sum of their Info, means over sweeps."""
    num_lanes, length = data.labels.shape[:2]
    keys = key[None] if num_lanes == 1 else jax.random.split(key, num_lanes)
    order = jax.vmap(lambda own: shuffled(own, length, share, place.num_samples))(keys)
    changes = jax.random.split(key_of_batches(key), length // share)

    def batch_of(index: Array) -> Batch:
        rows = jax.lax.dynamic_slice_in_dim(order, index * share, share, axis=1)  # [V, share]
        lanes = jax.vmap(lambda own, chosen: jax.tree.map(lambda leaf: leaf[chosen], own))(data, rows)
        batch = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), lanes)
        if augment is not None:
            batch = batch._replace(inputs=augment(changes[index], batch.inputs))
        return meshes.spread_batch(batch)

    def step(index: Array, state: State, observed: tuple[Array, ...]) -> tuple[State, Any, Info]:
        steps = index * spec.sweeps_per_batch + jnp.arange(spec.sweeps_per_batch)
        numbers = jax.tree.map(lambda leaf: leaf[steps], hyper)
        state, observed, info = run_observed_batch(spec, state, batch_of(index), numbers, observed)
        return meshes.spread_weights(state), observed, jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), info)

    def body(index: Array, now: tuple[State, Any, Info]) -> tuple[State, Any, Info]:
        state, observed, info = step(index, *now[:2])
        return state, observed, jax.tree.map(jnp.add, now[2], info)

    state, _, sums = jax.lax.fori_loop(place.first, place.after, body, (state, observe(state), sums))
    return state, sums


def _placed(lanes: list[Lane], num_lanes: int, most_rows: int) -> Batch:
    """The block on the devices: lanes ``[V, most_rows, ...]`` shared out along "data"."""
    leaves = [_stacked([_padded(leaf, most_rows) for leaf in own]) for own in zip(*lanes, strict=True)]
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return Batch(*jax.device_put(leaves))
    sharding = NamedSharding(mesh, PartitionSpec(meshes.DATA))

    def placed(leaf: NDArray) -> Array:
        return jax.make_array_from_process_local_data(sharding, leaf, (num_lanes, *leaf.shape[1:]))

    return Batch(*map(placed, leaves))


def _stacked(leaves: list[NDArray]) -> NDArray:
    return leaves[0][None] if len(leaves) == 1 else np.stack(leaves)


def _padded(leaf: NDArray, length: int) -> NDArray:
    missing = length - len(leaf)
    return leaf if not missing else np.pad(leaf, [(0, missing), *[(0, 0)] * (leaf.ndim - 1)])
