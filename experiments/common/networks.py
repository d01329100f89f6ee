"""What the experiments on whole data sets share: a network of a config, and its errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from mpnn import sharding as meshes
from mpnn.data import Dataset
from mpnn.message_passing import network, prediction
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import Hyper, Schedule, Schedules
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems
from mpnn.preprocessing.scaling import InputTransform, fit_transform_of

ODD_OR_EVEN = "odd_even"


@dataclass(frozen=True)
class Model:
    """One network.

    numbers: of mpnn.message_passing.hyper.Schedules, each one value or one a layer, or a table of two
    such, `start` and
    `end`, with half a cosine between them. rate: None, or the first step of a network with an anchor
    (Schedules.falling_step); rho and evidence are then not given, and output_batches may be. counts: how
    often each sample counts in all, or at first and at last.
    """

    name: str
    hidden: list[int]
    rule: str
    weights: str = "binary"
    density: float = 1.0
    sweeps_per_batch: int = 1
    initial_field: float = 1.0
    rate: float | None = None
    counts: float | list[float] = 1.0
    numbers: dict[str, Any] = field(default_factory=dict)


def spec_of(model: Model, num_inputs: int, num_outputs: int) -> NetworkSpec:
    """The network's static description; one output: binary labels."""
    return NetworkSpec(
        widths=(num_inputs, *model.hidden, num_outputs),
        weights=model.weights,
        rule=model.rule,
        density=model.density,
        sweeps_per_batch=model.sweeps_per_batch,
        anchored=model.rate is not None,
        output="binary_label" if num_outputs == 1 else "argmax",
    )


def schedules_of(model: Model, num_epochs: int, num_samples: int, batch_size: int) -> Schedules:
    """The network's numbers; with a rate, those of a step that falls to 0 with the last epoch."""
    num_batches = num_samples // batch_size
    num_steps = num_epochs * num_batches * model.sweeps_per_batch
    numbers = {name: _number(value, num_steps) for name, value in model.numbers.items()}
    if model.rate is None:
        return Schedules(**numbers)
    num_layers = len(model.hidden) + 1
    return Schedules.falling_step(
        model.rate, model.counts, num_samples / batch_size, num_steps, num_layers, **numbers
    )


def _number(value: Any, num_steps: int) -> Schedule:
    """A value as it is; of a table, half a cosine from its start to its end."""
    if not isinstance(value, Mapping):
        return value
    start, end = (jnp.asarray(value[name]) for name in ("start", "end"))
    left = optax.schedules.cosine_decay_schedule(1.0, num_steps)
    return lambda step: end + (start - end) * left(step)


def hold_out(data: Dataset, number: int) -> Dataset:
    """The training set alone, its last samples in the place of the test set: to choose settings on."""
    if not 0 < number < len(data.y_train):
        raise ValueError(f"held_out must be from 1 to {len(data.y_train) - 1} training samples, got {number}")
    return replace(
        data,
        x_train=data.x_train[:-number],
        y_train=data.y_train[:-number],
        x_test=data.x_train[-number:],
        y_test=data.y_train[-number:],
    )


class Samples(NamedTuple):
    """Scaled inputs and labels of both halves, the number of outputs, and what scaled the inputs."""

    train: tuple[Array, Array]
    test: tuple[Array, Array]
    num_outputs: int
    scaled: InputTransform


def samples_of(data: Dataset, task: str, input_scaling: str | None = "standard") -> Samples:
    """Scale a data set's inputs (mpnn.preprocessing.scaling.fit_transform_of) and number its classes."""
    x_train, x_test = (np.asarray(x, np.float32).reshape(len(x), -1) for x in (data.x_train, data.x_test))
    scaled = fit_transform_of(x_train, input_scaling)
    classes, codes = np.unique(data.y_train, return_inverse=True)
    test_codes = np.searchsorted(classes, data.y_test)
    num_outputs = len(classes)
    if task == ODD_OR_EVEN:
        codes, test_codes = (2.0 * (y % 2) - 1.0 for y in (codes, test_codes))
        num_outputs = 1
    halves = ((x_train, codes), (x_test, test_codes))
    train, test = ((jnp.asarray(scaled(x)), jnp.asarray(y)) for x, y in halves)
    return Samples(train, test, num_outputs, scaled)


class Trained(NamedTuple):
    """Networks trained by message passing; every leaf of the state has a leading axis of networks.

    hyper: the numbers of the last sweep.
    """

    spec: NetworkSpec
    state: State
    hyper: Hyper


def initial_states(model: Model, spec: NetworkSpec, hyper: Hyper, keys: Array) -> State:
    """One network a key ``[P]``."""
    return jax.jit(jax.vmap(lambda key: network.init(key, spec, hyper, model.initial_field)))(keys)


def side_by_side(inputs: Array, labels: Array, num_networks: int) -> Problems:
    """The same samples for every network."""
    every_label = jnp.broadcast_to(labels, (num_networks, len(labels)))
    rows = jnp.broadcast_to(jnp.arange(len(labels), dtype=jnp.int32), every_label.shape)
    return Problems(inputs, rows, every_label)


def percent(shares: Mapping[str, Array]) -> dict[str, list[float]]:
    """Shares ``[P]`` as percentages, on every process."""
    host = meshes.to_host(dict(shares))
    return {name: [round(100.0 * float(share), 3) for share in values] for name, values in host.items()}


@partial(jax.jit, static_argnames="spec")
def errors_of(
    spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, labels: Array
) -> dict[str, Array]:
    """Share of wrong answers ``[P]`` of the discrete networks ("mode") and of their beliefs ("bayes")."""

    def wrong(outputs: Array) -> Array:
        chosen = prediction.winner(outputs)
        return jnp.mean(chosen != (labels if spec.output == "argmax" else labels > 0))

    def one(state: State) -> dict[str, Array]:
        mode = prediction.discrete_outputs(spec, prediction.decode(spec, state, hyper), inputs)
        beliefs = [damped_moments(layer) for layer in state.layers]
        mean, variance = prediction.moment_outputs(spec, beliefs, inputs, hyper.noise)
        if spec.output == "argmax":
            mean = prediction.argmax_probabilities(mean, variance)
        return {"mode": wrong(mode), "bayes": wrong(mean)}

    return jax.lax.map(one, state)
