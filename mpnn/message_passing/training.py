"""Training: the host loop around compiled epochs over mini-batches.

An epoch is one or more calls of a compiled program, each of about half a second at most: the host loop hears
an interrupt between them, and reports, calls back and stops between epochs. With a mesh in context
(:mod:`mpnn.sharding`) the same programs run on many devices.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mpnn import sharding as meshes
from mpnn.message_passing.boundary import as_key, check_batch, check_state
from mpnn.message_passing.epochs import Problems, run_batch, run_epoch, shuffled_epoch
from mpnn.message_passing.freezing import Freezing, check_freezing
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.portions import Epoch, Place, Running, pace_of, portion, portion_of_many
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info
from mpnn.preprocessing.augmentation import Augment

__all__ = ["Problems", "Schedules", "run_batch", "run_epoch", "shuffled_epoch", "train", "train_many"]

OnEpoch = Callable[[int, State, Info], bool | None]
# Sweeps whose numbers are asked for together.
SWEEPS_AT_ONCE = 512


class _Between(NamedTuple):
    """What happens on the host before an epoch, and after it."""

    prepare: Callable[[int, State], State]
    on_epoch: OnEpoch | None


def _run_epochs(
    compiled: Callable[..., Running],
    epoch: Epoch,
    key: Array,
    state: State,
    schedules: Schedules,
    num_batches: tuple[int, int],
    num_groups: int,
    epochs: range,
    between: _Between,
) -> tuple[State, list[Info]]:
    """The host loop: layers that are frozen, numbers of the epoch, its compiled portions, the caller.

    ``num_batches``: of an epoch, and those that its program has room for. An interrupt is heard after a
    portion.
    """
    spec = epoch.spec
    sweeps, room = (count * spec.sweeps_per_batch for count in num_batches)
    pace = pace_of(epoch, state, num_batches[1])
    num_steps = num_batches[0] if num_batches[1] > 1 else epoch.steps_of(1)
    history = []
    fold = jax.random.fold_in if key.ndim == 0 else jax.vmap(jax.random.fold_in, in_axes=(0, None))
    on_one_device = (
        jax.process_count() == meshes.axis_size(meshes.DATA) == meshes.axis_size(meshes.NETWORKS) == 1
    )
    numbers = _numbers_of(schedules, spec.num_layers, sweeps, room, epochs)
    for number, hyper in zip(epochs, numbers, strict=True):
        state = between.prepare(number, state)
        running, own = Running(state), fold(key, number)
        if on_one_device:  # else an epoch is one portion, or its arrays have places of their own
            running = _blank(compiled(own, running, hyper, 0, num_steps, 0, shapes=True), state)
        for group in range(num_groups):
            running = running if on_one_device else running._replace(progress=None)
            for first, after in pace.portions(num_steps):
                running = compiled(own, running, hyper, first, after, group)
                jax.block_until_ready(running.info)
        state, info = running.state, running.info
        assert info is not None
        history.append(info)
        if between.on_epoch is not None and between.on_epoch(number, state, info):
            break
    return state, history


def _blank(shapes: Running, state: State) -> Running:
    """What a first portion begins with: a state, and room for the rest as every later portion gets it.

    So that all portions are one program: another one for the first would take as long to compile.
    """
    rest = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), (shapes.progress, shapes.info))
    return Running(state, *rest)


def _numbers_of(
    schedules: Schedules, num_layers: int, sweeps: int, room: int, epochs: range
) -> Iterator[Hyper]:
    """The numbers of each epoch, leaves ``[room, L]``; of short epochs many at once, which is faster."""
    at_once = max(1, SWEEPS_AT_ONCE // room)
    for start in range(0, len(epochs), at_once):
        own = np.asarray(epochs[start : start + at_once])
        steps = own[:, None] * sweeps + np.arange(room)
        block = schedules.at(steps.ravel(), num_layers)
        for index in range(len(own)):
            yield jax.tree.map(lambda leaf, at=index * room: leaf[at : at + room], block)


def _count_batches(batch_size: int, num_rows: int, num_samples: int | None) -> tuple[int, int]:
    """Mini-batches of an epoch, and those that fit into the rows; refuses other sizes."""
    num_samples = num_rows if num_samples is None else num_samples
    if not 1 <= num_samples <= num_rows:
        raise ValueError(f"num_samples must be from 1 to the {num_rows} rows given, got {num_samples}")
    if not 1 <= batch_size <= num_samples:
        raise ValueError(f"batch_size must be from 1 to the {num_samples} samples given, got {batch_size}")
    devices = meshes.axis_size(meshes.DATA)
    if batch_size % devices:
        raise ValueError(
            f"batch_size must be a multiple of the {devices} devices along 'data', got {batch_size}"
        )
    return num_samples // batch_size, num_rows // batch_size


def _check_shares(num_problems: int) -> None:
    devices = meshes.axis_size(meshes.NETWORKS)
    if num_problems % devices:
        raise ValueError(
            f"the number of networks must be a multiple of the {devices} devices along 'networks', got "
            f"{num_problems}"
        )


def _own_copy(state: State) -> State:
    """Arrays that the compiled epochs may take over: the caller's stay as they are."""

    def copied(leaf: Array) -> Array:
        if isinstance(leaf, Array) and not leaf.is_fully_addressable:  # device_put refuses those
            return jnp.copy(leaf)
        return jax.device_put(leaf, may_alias=False)  # unlike jnp.copy, without a program for every shape

    return jax.tree.map(copied, state)


def train(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch,
    schedules: Schedules,
    *,
    num_epochs: int,
    batch_size: int,
    augment: Augment | None = None,
    num_samples: int | None = None,
    freezing: Sequence[int] = (),
    first_epoch: int = 0,
    on_epoch: OnEpoch | None = None,
) -> tuple[State, list[Info]]:
    """Train for ``num_epochs`` epochs and return the state and each epoch's Info.

    Parameters
    ----------
    key : Array
        Every epoch shuffles with ``fold_in(key, epoch)``, so that a run resumed at ``first_epoch`` sees the
        same batches as one that was never interrupted.
    spec : NetworkSpec
        The network's static description.
    state : State
        As made by :func:`mpnn.message_passing.network.init` or restored; it is left as it is.
    data : Batch
        Inputs ``[n, *input_shape]`` and labels ``[n]``. An epoch drops its last incomplete mini-batch.
    schedules : Schedules
        The numbers over the whole training.
    num_epochs : int >= 1
        Passes over the samples.
    batch_size : int >= 1
        Samples of a mini-batch.
    augment : callable or None, default=None
        Changes the inputs of every batch, see :mod:`mpnn.preprocessing.augmentation`; None: they
        stay as they are.
    num_samples : int or None, default=None
        Only the first so many rows of the data are samples, the others pad them and are never read: one
        program serves any number. The Info of mini-batches without samples is 0. None: all are samples.
    freezing : sequence of int >= 0, default=()
        Epochs, counted from 0, at whose start hidden layers, the lowest first, are rounded with feedback and
        from which on they stay (:mod:`mpnn.message_passing.freezing`); the layers above learn on.
    first_epoch : int >= 0, default=0
        Epochs done before, of a run that is resumed.
    on_epoch : callable or None, default=None
        Called on the host as ``on_epoch(epoch, state, info)`` after each epoch; returning True stops the
        training.

    Examples
    --------
    A perceptron with binary weights learns the weights of another one:

    >>> import jax
    >>> from mpnn.message_passing.network import Batch, init
    >>> from mpnn.message_passing.prediction import decode
    >>> from mpnn.message_passing.spec import NetworkSpec
    >>> from mpnn.message_passing.training import Schedules, train
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> inputs = jax.random.normal(keys[0], (300, 51))
    >>> teacher = jax.random.rademacher(keys[1], (51,))
    >>> data = Batch(inputs, jax.numpy.sign(inputs @ teacher))
    >>> spec, schedules = NetworkSpec.dense((51, 1)), Schedules(damping=0.5)
    >>> numbers = schedules.at_sweep(0, spec.num_layers)
    >>> state = init(keys[2], spec, numbers)
    >>> state, infos = train(keys[2], spec, state, data, schedules, num_epochs=30, batch_size=50)
    >>> student = decode(spec, state, numbers)[0][:, 0]
    >>> int((student == teacher).sum())
    51
    """
    key, num_rows = as_key(key), data.inputs.shape[0]
    check_batch(spec, data)
    check_state(spec, state)
    num_batches = _count_batches(batch_size, num_rows, num_samples)
    frozen = Freezing(spec, check_freezing(spec, freezing), num_batches[0])
    schedules = frozen.schedules(schedules)
    state, data = meshes.place_weights(_own_copy(state)), meshes.place(data)

    epoch = Epoch(spec, batch_size, augment)

    def compiled(key: Array, running: Running, hyper: Hyper, *place: int, shapes: bool = False) -> Running:
        key, hyper = meshes.place((key, hyper))
        first, after, _ = place
        own = partial(portion.eval_shape, only_begins=True) if shapes else portion
        return own(key, epoch, running, data, hyper, Place(first, after, num_samples))

    between = _Between(partial(frozen.begin_epoch, schedules, data, num_samples), on_epoch)
    epochs = range(first_epoch, num_epochs)
    return _run_epochs(compiled, epoch, key, state, schedules, num_batches, 1, epochs, between)


def train_many(
    keys: Array,
    spec: NetworkSpec,
    state: State,
    data: Problems,
    schedules: Schedules,
    *,
    num_epochs: int,
    batch_size: int,
    problems_at_once: int | None = None,
    augment: Augment | None = None,
    num_samples: int | None = None,
    freezing: Sequence[int] = (),
    first_epoch: int = 0,
    on_epoch: OnEpoch | None = None,
) -> tuple[State, list[Info]]:
    """Train P networks as one program.

    As :func:`train`; the returned Info has a leading axis P.

    Parameters
    ----------
    keys : Array [P]
        Random keys, one a network.
    spec : NetworkSpec
        The network's static description.
    state : State
        Beliefs, every leaf with a leading axis P; they are left as they are.
    data : Problems
        The samples of the P problems.
    schedules : Schedules
        The numbers over the whole training.
    num_epochs : int >= 1
        Passes over the samples.
    batch_size : int >= 1
        Samples of a mini-batch.
    problems_at_once : int >= 1 or None, default=None
        Problems that each device trains side by side, which bounds the memory; None: all of its own.
    augment : callable or None, default=None
        Changes the inputs of every batch at random; None: they stay as they are.
    num_samples : int or None, default=None
        As of :func:`train`, of every problem.
    freezing : sequence of int >= 0, default=()
        As of :func:`train`; layers are rounded on the samples of all problems.
    first_epoch : int >= 0, default=0
        Epochs done before, of a run that is resumed.
    on_epoch : callable or None, default=None
        Called on the host as ``on_epoch(epoch, state, info)`` after each epoch; returning True stops the
        training.
    """
    num_problems, num_rows = data.rows.shape
    num_batches = _count_batches(batch_size, num_rows, num_samples)
    at_once = num_problems if problems_at_once is None else min(problems_at_once, num_problems)
    if at_once < 1:
        raise ValueError(f"problems_at_once must be at least 1, got {problems_at_once}")
    _check_shares(num_problems)
    check_state(spec, state)
    frozen = Freezing(spec, check_freezing(spec, freezing), num_batches[0])
    schedules = frozen.schedules(schedules)
    spread = partial(meshes.place, axis=meshes.NETWORKS)
    state = meshes.place_weights(_own_copy(state), meshes.NETWORKS)
    data = Problems(meshes.place(data.inputs), *spread(data[1:]))

    epoch = Epoch(spec, batch_size, augment, at_once)
    num_groups = -(-num_problems // (meshes.axis_size(meshes.NETWORKS) * at_once))

    def compiled(keys: Array, running: Running, hyper: Hyper, *place: int, shapes: bool = False) -> Running:
        keys, hyper = spread(keys), meshes.place(hyper)
        first, after, group = place
        own = partial(portion_of_many.eval_shape, only_begins=True) if shapes else portion_of_many
        return own(keys, epoch, running, data, hyper, Place(first, after, num_samples, group))

    between = _Between(partial(frozen.begin_epoch_of_many, schedules, data, num_samples), on_epoch)
    epochs = range(first_epoch, num_epochs)
    return _run_epochs(compiled, epoch, keys, state, schedules, num_batches, num_groups, epochs, between)
