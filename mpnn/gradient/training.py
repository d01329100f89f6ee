"""The trainer that all gradient methods share: epochs of mini-batches in one compiled program.

Data stay on the device; :func:`fit_many` maps the same program over problems of one shape. Axes: problems
P, samples n, batch B, outputs K.
"""

from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from jax import Array

from mpnn.gradient.losses import LOSSES, errors
from mpnn.gradient.method import Leaves, Method, Parameters, Plan, RealWeights, apply, initial_leaves

__all__ = ["Data", "FitProblem", "History", "TrainState", "fit", "fit_many", "fit_problem", "init", "train"]


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


def fit_problem(key: Array, method: Method, plan: Plan, data: Data) -> tuple[TrainState, History]:
    """Train one network from the start, after a real-valued one where the method asks for that.

    Parameters
    ----------
    key : Array
        Random key.
    method : Method
        The method of training; static.
    plan : Plan
        How long training is; static.
    data : Data
        The samples.
    """
    init_key, warm_key, train_key = jax.random.split(key, 3)
    state = _init(init_key, method, plan)
    if method.warm_epochs:
        real, real_plan = RealWeights.like(method), plan._replace(num_epochs=method.warm_epochs)
        warm, _ = _train(warm_key, real, real_plan, _init(init_key, real, real_plan), data)
        latents = tuple(method.family.from_real(latent) for latent in warm.parameters.latents)
        parameters = Parameters(latents, warm.parameters.real)
        optimizer = method.optimizer(plan).init(parameters)
        state = TrainState(parameters, warm.statistics, optimizer, jnp.zeros([], jnp.int32))
    return _train(train_key, method, plan, state, data)


# init(key, method, plan): a state before training.
init = jax.jit(_init, static_argnums=(1, 2))
# train(key, method, plan, state, data): all epochs, from a state, which is donated.
train = jax.jit(_train, static_argnums=(1, 2), donate_argnums=3)


class FitProblem(Protocol):
    """A way to train one network, such as :func:`fit_problem`."""

    def __call__(self, key: Array, method: Any, plan: Plan, data: Data) -> tuple[TrainState, History]:
        """Return the state after training, and the history."""


@partial(jax.jit, static_argnums=(0, 2, 3))
def fit(how: FitProblem, key: Array, method: Method, plan: Plan, data: Data) -> tuple[TrainState, History]:
    """Train one network: ``how(key, method, plan, data)``, compiled."""
    return how(key, method, plan, data)


@partial(jax.jit, static_argnums=(0, 2, 3, 5))
def fit_many(
    how: FitProblem, keys: Array, method: Method, plan: Plan, data: Data, at_once: int | None = None
) -> tuple[TrainState, History]:
    """Train P networks side by side; they share the inputs ``[n, ...]``.

    Parameters
    ----------
    how : callable
        Trains one network, such as :func:`fit_problem`.
    keys : Array [P]
        Random keys.
    method : Method
        The method of training; static.
    plan : Plan
        How long training is; static.
    data : Data
        The samples; rows, targets and mask ``[P, m]``.
    at_once : int or None, default=None
        Networks that are trained at a time, which bounds the memory; None: all.
    """

    def one(own: tuple[Array, Array, Array, Array]) -> tuple[TrainState, History]:
        return how(own[0], method, plan, Data(data.inputs, *own[1:]))

    own = (keys, data.rows, data.targets, data.mask)
    if at_once is None or at_once >= data.rows.shape[0]:
        return jax.vmap(one)(own)
    return jax.lax.map(one, own, batch_size=at_once)
