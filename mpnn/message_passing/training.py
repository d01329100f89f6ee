"""Training: compiled epochs over mini-batches, and the host loop around them.

One epoch is one compiled program: a scan over mini-batches, and inside it a scan over the sweeps on a
batch. The host loop reports, calls back and stops between epochs; nothing leaves the device inside one.
With a mesh in context (:mod:`mpnn.sharding`) the same programs run on many devices.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import sharding as meshes
from mpnn.message_passing.boundary import as_key, check_batch, check_state
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info, begin, observe, sweep
from mpnn.preprocessing.augmentation import Augment

__all__ = ["Problems", "Schedules", "run_batch", "run_epoch", "shuffled_epoch", "train", "train_many"]


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
    state, _, infos = _run_batch(spec, state, batch, hyper, observe(state))
    return state, infos


def _run_batch(
    spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper, observed: tuple[Array, ...]
) -> tuple[State, tuple[Array, ...], Info]:
    """As :func:`run_batch`, with what is observed of the state before and after (see :func:`begin`)."""
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


def _take(data: Batch | Problems, rows: Array) -> Batch:
    """Samples of a data set, or of one problem (its leaves without the axis P)."""
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
    num_batches: Array | int | None = None,
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
    num_batches : int Array [] or None, default=None
        Only the first so many mini-batches of ``order``, traced; the Info of the others is 0. None: all.
    """

    def body(carry: Any, step: tuple[Array, Array, Hyper]) -> tuple[Any, Info]:
        (state, observed), (key, rows, numbers) = carry, step
        batch = _take(data, rows)
        if augment is not None:
            batch = batch._replace(inputs=augment(key, batch.inputs))
        batch = meshes.spread_batch(batch)
        state, observed, info = _run_batch(spec, state, batch, numbers, observed)
        return (meshes.spread_weights(state), observed), info

    steps = (jax.random.split(key, len(order)), order, hyper)
    carry = state, observe(state)
    if num_batches is None:
        (state, _), infos = jax.lax.scan(body, carry, steps)
    else:
        (state, _), infos = _scan_first(body, carry, steps, num_batches)
    return state, infos


def _scan_first(body: Callable[..., Any], carry: Any, steps: Any, count: Array | int) -> tuple[Any, Any]:
    """A scan over the first ``count`` steps, traced; what the others would return is 0."""

    def at(index: Array | int) -> Any:
        return jax.tree.map(lambda leaf: leaf[index], steps)

    length = len(jax.tree.leaves(steps)[0])
    _, one = jax.eval_shape(body, carry, at(0))
    blank = jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), one)

    def step(index: Array, loop: tuple[Any, Any]) -> tuple[Any, Any]:
        carry, outputs = loop
        carry, own = body(carry, at(index))
        return carry, jax.tree.map(lambda all, one: all.at[index].set(one), outputs, own)

    return jax.lax.fori_loop(0, count, step, (carry, blank))


def shuffled_epoch(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch | Problems,
    hyper: Hyper,
    batch_size: int,
    augment: Augment | None,
    num_samples: Array | int | None = None,
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
    num_samples : int Array [] or None, default=None
        Only the first so many rows are samples, the others never read; traced. None: all.
    """
    num_rows = data.labels.shape[0]
    most_batches, num_batches = num_rows // batch_size, None
    if batch_size == num_rows:  # sums over all samples have no order, and sorting takes long to compile
        order = jnp.arange(num_rows)
    elif num_samples is None:
        order = jax.random.permutation(key, num_rows)
    else:
        order, num_batches = _shuffled_first(key, num_rows, num_samples), num_samples // batch_size
    hyper = jax.tree.map(
        lambda leaf: leaf.reshape(most_batches, spec.sweeps_per_batch, *leaf.shape[1:]), hyper
    )
    order = order[: most_batches * batch_size].reshape(most_batches, batch_size)
    # a key of its own, so that the same samples make up the same batches with and without augmentation
    return run_epoch(jax.random.fold_in(key, 1), spec, state, data, order, hyper, augment, num_batches)


def _shuffled_first(key: Array, num_rows: int, num_samples: Array | int) -> Array:
    """A permutation of the rows with the first ``num_samples`` in random order before all others.

    The order of the samples does not depend on how many rows follow.
    """
    rank = jax.random.bits(key, (num_rows,))
    last = jnp.full_like(rank, jnp.iinfo(rank.dtype).max)
    return jnp.argsort(jnp.where(jnp.arange(num_rows) < num_samples, rank, last), stable=True)


@partial(jax.jit, static_argnames=("spec", "batch_size", "augment"), donate_argnames="state")
def _epoch(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch,
    hyper: Hyper,
    batch_size: int,
    augment: Augment | None,
    num_samples: int | None,
) -> tuple[State, Info]:
    return shuffled_epoch(key, spec, state, data, hyper, batch_size, augment, num_samples)


@partial(jax.jit, static_argnames=("spec", "batch_size", "at_once", "augment"), donate_argnames="state")
def _epoch_of_many(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Problems,
    hyper: Hyper,
    batch_size: int,
    at_once: int,
    augment: Augment | None,
    num_samples: int | None,
) -> tuple[State, Info]:
    def train_share(shared: tuple[Array, Hyper, Array | None], own: Any) -> tuple[State, Info]:
        inputs, hyper, num_samples = shared

        def one(problem: Any) -> tuple[State, Info]:
            own_key, own_state, samples = problem
            own_data = Problems(inputs, *samples)
            how = batch_size, augment, num_samples
            return shuffled_epoch(own_key, spec, own_state, own_data, hyper, *how)

        return jax.lax.map(one, own, batch_size=min(at_once, own[0].shape[0]))

    return meshes.over_networks(train_share)((data.inputs, hyper, num_samples), (key, state, data[1:]))


OnEpoch = Callable[[int, State, Info], bool | None]


def _run_epochs(
    compiled: Callable[..., tuple[State, Info]],
    key: Array,
    spec: NetworkSpec,
    state: State,
    schedules: Schedules,
    num_batches: tuple[int, int],
    epochs: range,
    on_epoch: OnEpoch | None,
) -> tuple[State, list[Info]]:
    """The host loop: numbers of the epoch, the compiled epoch, the caller.

    ``num_batches``: of an epoch, and those that its program has room for.
    """
    sweeps, room = (count * spec.sweeps_per_batch for count in num_batches)
    history = []
    fold = jax.random.fold_in if key.ndim == 0 else jax.vmap(jax.random.fold_in, in_axes=(0, None))
    for epoch in epochs:
        hyper = schedules.at(epoch * sweeps + jnp.arange(room), spec.num_layers)
        state, info = compiled(fold(key, epoch), spec, state, hyper)
        history.append(info)
        if on_epoch is not None and on_epoch(epoch, state, info):
            break
    return state, history


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
    return jax.tree.map(jnp.copy, state)


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
    state, data = meshes.place_weights(_own_copy(state)), meshes.place(data)

    def compiled(key: Array, spec: NetworkSpec, state: State, hyper: Hyper) -> tuple[State, Info]:
        key, hyper = meshes.place((key, hyper))
        return _epoch(key, spec, state, data, hyper, batch_size, augment, num_samples)

    epochs = range(first_epoch, num_epochs)
    return _run_epochs(compiled, key, spec, state, schedules, num_batches, epochs, on_epoch)


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
    spread = partial(meshes.place, axis=meshes.NETWORKS)
    state = meshes.place_weights(_own_copy(state), meshes.NETWORKS)
    data = Problems(meshes.place(data.inputs), *spread(data[1:]))

    def compiled(keys: Array, spec: NetworkSpec, state: State, hyper: Hyper) -> tuple[State, Info]:
        keys, hyper = spread(keys), meshes.place(hyper)
        return _epoch_of_many(keys, spec, state, data, hyper, batch_size, at_once, augment, num_samples)

    epochs = range(first_epoch, num_epochs)
    return _run_epochs(compiled, keys, spec, state, schedules, num_batches, epochs, on_epoch)
