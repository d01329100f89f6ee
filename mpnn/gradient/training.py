"""The trainer that all gradient methods share: compiled epochs of mini-batches, in portions of bounded time.

Data stay on the device; many problems of one shape are one program. Axes: problems
P, samples n, batch B, outputs K.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from mpnn.gradient.losses import LOSSES, errors
from mpnn.gradient.method import Leaves, Method, Parameters, Plan, RealWeights, apply, initial_leaves
from mpnn.programs import Pace
from mpnn.programs.bounded import bounded_jit

__all__ = [
    "BY_GRADIENTS",
    "Data",
    "History",
    "Report",
    "Running",
    "Steps",
    "TrainState",
    "fit",
    "fit_many",
    "init",
    "num_groups",
    "portion",
    "train",
]

# Units that every input meets, for a first guess at the length of an epoch; then the clock decides.
UNITS_GUESSED = 100


class Data(NamedTuple):
    """The samples of one problem.

    Parameters
    ----------
    inputs : Array [n, ...]
        Inputs, which several problems may share.
    rows : int Array [m]
        Rows of the inputs.
    targets : Array [m]
        Their targets.
    mask : Array [m]
        0 for padding, else 1.
    """

    inputs: Array
    rows: Array
    targets: Array
    mask: Array


class TrainState(NamedTuple):
    """What the next step needs.

    Parameters
    ----------
    parameters : Parameters
        What is trained.
    statistics : sequence of Array
        Batch statistics.
    optimizer : optax.OptState
        State of the optimizer.
    step : int Array []
        Number of updates so far.
    """

    parameters: Parameters
    statistics: Leaves
    optimizer: optax.OptState
    step: Array


class History(NamedTuple):
    """Means over the training batches as they were met.

    Parameters
    ----------
    loss : Array [epochs]
        Loss.
    error : Array [epochs]
        Share of samples that were classified wrongly.
    """

    loss: Array
    error: Array


def _init(key: Array, method: Method, plan: Plan) -> TrainState:
    parameters, statistics = initial_leaves(method, key)
    return TrainState(
        parameters, statistics, method.optimizer(plan).init(parameters), jnp.zeros([], jnp.int32)
    )


def _objective(
    parameters: Parameters,
    statistics: Leaves,
    batch: Data,
    key: Array,
    step: Array,
    method: Method,
    plan: Plan,
) -> tuple[Array, tuple[Leaves, Array]]:
    """Mean loss of a batch; the statistics afterwards and the number of errors."""
    read_key, unit_key = jax.random.split(key)
    weights = method.read(parameters.latents, read_key, step, plan)
    outputs, statistics = apply(
        method,
        weights,
        parameters.real,
        statistics,
        batch.inputs,
        train=True,
        key=unit_key,
        mask=batch.mask[:, None] > 0.0 if plan.uneven else None,
    )
    logits = method.logits(outputs)
    losses = LOSSES[method.loss](logits, batch.targets)
    count = jnp.maximum(jnp.sum(batch.mask), 1.0)
    wrong = jnp.sum(batch.mask * errors(logits, batch.targets))
    return jnp.sum(batch.mask * losses) / count + method.penalty(parameters.latents), (statistics, wrong)


def _step(
    state: TrainState, batch: Data, key: Array, method: Method, plan: Plan
) -> tuple[TrainState, tuple[Array, Array]]:
    value_and_grad = jax.value_and_grad(_objective, has_aux=True)
    arguments = (state.parameters, state.statistics, batch)
    if method.num_draws == 1:
        (loss, (statistics, wrong)), gradients = value_and_grad(*arguments, key, state.step, method, plan)
    else:
        keys = jax.random.split(key, method.num_draws)
        every = jax.vmap(lambda one: value_and_grad(*arguments, one, state.step, method, plan))(keys)
        (loss, (statistics, wrong)), gradients = jax.tree.map(partial(jnp.mean, axis=0), every)
    updates, optimizer = method.optimizer(plan).update(gradients, state.optimizer, state.parameters)
    after = TrainState(
        optax.apply_updates(state.parameters, updates),
        statistics,
        optimizer,
        optax.safe_increment(state.step),
    )
    if plan.uneven:  # a batch of nothing but padding changes nothing
        empty = jnp.sum(batch.mask) == 0
        after = jax.tree.map(lambda old, new: jnp.where(empty, old, new), state, after)
    return after, (loss * jnp.sum(batch.mask), wrong)


def _batches(key: Array, mask: Array, plan: Plan) -> tuple[Array, Array]:
    """Places in the problem ``[steps, B]`` in random order, padding last, and their mask."""
    order = jnp.argsort(jax.random.uniform(key, mask.shape) + (mask == 0))
    missing = plan.steps_per_epoch * plan.batch_size - len(mask)
    places = jnp.pad(order, (0, missing)).reshape(plan.steps_per_epoch, plan.batch_size)
    present = jnp.pad(mask[order], (0, missing)).reshape(places.shape)
    return places, present


def _epoch(
    state: TrainState, key: Array, data: Data, method: Method, plan: Plan
) -> tuple[TrainState, History]:
    order_key, step_key, augment_key = jax.random.split(key, 3)
    places, present = _batches(order_key, data.mask, plan)

    def one(state: TrainState, now: tuple[Array, Array]) -> tuple[TrainState, tuple[Array, Array]]:
        place, mask = now
        inputs = method.augment(jax.random.fold_in(augment_key, state.step), data.inputs[data.rows[place]])
        batch = Data(inputs, data.rows[place], data.targets[place], mask)
        return _step(state, batch, jax.random.fold_in(step_key, state.step), method, plan)

    state, (losses, wrong) = jax.lax.scan(one, state, (places, present))
    total = jnp.sum(data.mask)
    return state, History(jnp.sum(losses) / total, jnp.sum(wrong) / total)


def _train(
    key: Array, method: Method, plan: Plan, state: TrainState, data: Data
) -> tuple[TrainState, History]:
    keys = jax.random.split(key, plan.num_epochs)
    return jax.lax.scan(lambda now, own: _epoch(now, own, data, method, plan), state, keys)


# init(key, method, plan): a state before training.
init = bounded_jit(_init, static_argnums=(1, 2))
# train(key, method, plan, state, data): all epochs as one program, from a state, which is donated.
train = bounded_jit(_train, static_argnums=(1, 2), donate_argnums=3)


class Steps(NamedTuple):
    """A way to train one network: how it begins, and what an epoch does.

    Parameters
    ----------
    init : callable
        ``init(key, method, plan)``: a state before training.
    epoch : callable
        ``epoch(state, key, data, method, plan)``: the state after one epoch, and its history.
    num_keys : int, default=3
        Keys that a seed is split into: the first begins, the last orders the epochs, the second of three
        orders those of a warm-up.
    """

    init: Callable[..., TrainState]
    epoch: Callable[..., tuple[TrainState, History]]
    num_keys: int = 3


BY_GRADIENTS = Steps(_init, _epoch)


class Running(NamedTuple):
    """A training between two of its portions; None before the first.

    Parameters
    ----------
    state : TrainState or None
        The network.
    history : History or None
        Arrays of all epochs, 0 for those to come.
    """

    state: TrainState | None = None
    history: History | None = None


@partial(bounded_jit, static_argnums=(0, 2, 3), donate_argnames="running")
def portion(
    how: Steps,
    keys: tuple[Array, Array],
    method: Method,
    plan: Plan,
    data: Data,
    running: Running,
    first: int,
    after: int,
) -> Running:
    """Epochs ``first`` to ``after - 1`` of one network, or of as many as there are keys.

    Parameters
    ----------
    how : Steps
        The way to train; static, as are method and plan.
    keys : pair of Array [] or [P]
        Random keys of the state before and of the epochs.
    method : Method
        The method of training.
    plan : Plan
        How long training is.
    data : Data
        The samples; of many networks, rows, targets and mask are ``[P, m]``, and inputs shared.
    running : Running
        What the portion before left; donated.
    first, after : int
        Traced.
    """

    def one(keys: tuple[Array, Array], running: Running, own: tuple[Array, Array, Array]) -> Running:
        init_key, order_key = keys
        state = how.init(init_key, method, plan) if running.state is None else running.state
        blank = jnp.zeros(plan.num_epochs)
        history = History(blank, blank) if running.history is None else running.history
        epoch_keys, samples = jax.random.split(order_key, plan.num_epochs), Data(data.inputs, *own)

        def step(epoch: Array, now: Running) -> Running:
            state, history = how.epoch(now.state, epoch_keys[epoch], samples, method, plan)
            return Running(state, jax.tree.map(lambda all, own: all.at[epoch].set(own), now.history, history))

        return jax.lax.fori_loop(first, after, step, Running(state, history))

    arguments = (keys, running, data[1:])
    return one(*arguments) if keys[0].ndim == 0 else jax.vmap(one)(*arguments)


# Called with the number of epochs done, and the last one's history; True stops the training.
Report = Callable[[int, History], bool]


def _run(
    how: Steps,
    keys: tuple[Array, Array],
    method: Method,
    plan: Plan,
    data: Data,
    state: TrainState | None = None,
    report: Report | None = None,
) -> tuple[TrainState, History]:
    """All epochs, in portions between which an interrupt is heard; one by one where they are reported."""
    running, done = Running(state), plan.num_epochs
    for first, after in _portions(plan, data, one_by_one=report is not None):
        running = jax.block_until_ready(portion(how, keys, method, plan, data, running, first, after))
        assert running.history is not None
        if report is not None and report(after, _until(running.history, after, first)):
            done = after
            break
    assert running.state is not None
    assert running.history is not None
    return running.state, _until(running.history, done)


def _portions(plan: Plan, data: Data, one_by_one: bool) -> Iterable[tuple[int, int]]:
    """First epochs of the portions, and those after their last."""
    if one_by_one:
        return ((epoch, epoch + 1) for epoch in range(plan.num_epochs))
    return Pace(UNITS_GUESSED * data.rows.size * data.inputs[0].size).portions(plan.num_epochs)


def _until(history: History, done: int, first: int = 0) -> History:
    """The numbers of the epochs from ``first`` to ``done - 1``."""
    return jax.tree.map(lambda leaf: leaf[..., first:done], history)


def fit(
    how: Steps, keys: Array, method: Method, plan: Plan, data: Data, report: Report | None = None
) -> tuple[TrainState, History]:
    """Train one network, or several side by side, after real-valued ones where the method requires that.

    Parameters
    ----------
    how : Steps
        The way to train.
    keys : Array [] or [P]
        Random keys.
    method : Method
        The method of training.
    plan : Plan
        How long training is.
    data : Data
        The samples; of several networks, rows, targets and mask are ``[P, m]``, and inputs shared.
    report : callable or None, default=None
        Called after every epoch, but not after those of real-valued networks.
    """
    split = partial(jax.random.split, num=how.num_keys)
    own = split(keys) if keys.ndim == 0 else jax.vmap(split)(keys)
    init_keys, order_keys, state = own[..., 0], own[..., -1], None
    if method.warm_epochs:
        real, real_plan = RealWeights.like(method), plan._replace(num_epochs=method.warm_epochs)
        warm, _ = _run(how, (init_keys, own[..., 1]), real, real_plan, data)
        begin = partial(_from_real, method=method, plan=plan)
        state = begin(warm) if keys.ndim == 0 else jax.vmap(begin)(warm)
    return _run(how, (init_keys, order_keys), method, plan, data, state, report)


def _from_real(warm: TrainState, method: Method, plan: Plan) -> TrainState:
    latents = tuple(method.family.from_real(latent) for latent in warm.parameters.latents)
    parameters = Parameters(latents, warm.parameters.real)
    optimizer = method.optimizer(plan).init(parameters)
    return TrainState(parameters, warm.statistics, optimizer, jnp.zeros([], jnp.int32))


def num_groups(count: int, at_once: int | None) -> int:
    """How many groups so many networks are trained in.

    Parameters
    ----------
    count : int >= 1
        Networks.
    at_once : int or None
        Networks that are trained at a time; None: all.
    """
    return 1 if at_once is None else -(-count // at_once)


def fit_many(
    how: Steps,
    keys: Array,
    method: Method,
    plan: Plan,
    data: Data,
    at_once: int | None = None,
    report: Report | None = None,
) -> tuple[TrainState, History]:
    """Train P networks; they share the inputs ``[n, ...]``.

    Parameters
    ----------
    how : Steps
        The way to train.
    keys : Array [P]
        Random keys.
    method : Method
        The method of training.
    plan : Plan
        How long training is.
    data : Data
        The samples; rows, targets and mask ``[P, m]``.
    at_once : int or None, default=None
        Networks that are trained at a time, which bounds the memory; None: all.
    report : callable or None, default=None
        Called after every epoch; with several groups, after each group, and then it stops nothing.

    Returns
    -------
    tuple of TrainState and History
        NumPy arrays with a leading axis P.
    """
    count, groups = len(keys), num_groups(len(keys), at_once)
    if at_once is None or groups == 1:
        return jax.device_get(fit(how, keys, method, plan, data, report))
    found = []
    for group in range(groups):  # as many every time: one program
        start = group * at_once
        chosen = np.resize(np.arange(start, min(start + at_once, count)), at_once)
        own = Data(data.inputs, *(leaf[chosen] for leaf in data[1:]))
        found.append(jax.device_get(fit(how, keys[chosen], method, plan, own)))
        if report is not None:
            report(group + 1, _until(found[-1][1], plan.num_epochs, plan.num_epochs - 1))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *found)
