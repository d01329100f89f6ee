"""Networks of one method, trained by message passing or by gradients, on the same standardized inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

import mpnn.gradient
from experiments.common.networks import (
    Model,
    Trained,
    initial_states,
    schedules_of,
    side_by_side,
    spec_of,
)
from mpnn.gradient.classifier import GradientClassifier
from mpnn.message_passing import prediction
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import train_many


@dataclass(frozen=True)
class Classifier:
    """A gradient-trained network: a class of mpnn.gradient and its parameters."""

    name: str
    classifier: str
    params: dict[str, Any] = field(default_factory=dict)


def train_networks(
    model: Model,
    inputs: Array,
    labels: Array,
    num_outputs: int,
    seeds: Sequence[int],
    num_epochs: int,
    batch_size: int,
) -> Trained:
    """Train one network a seed, side by side."""
    spec = spec_of(model, inputs.shape[1], num_outputs)
    schedules = schedules_of(model, num_epochs, len(labels), batch_size)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    first = schedules.at_sweep(0, spec.num_layers)
    state, _ = train_many(
        jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 1),
        spec,
        initial_states(model, spec, first, keys),
        side_by_side(inputs, labels, len(keys)),
        schedules,
        num_epochs=num_epochs,
        batch_size=batch_size,
    )
    num_sweeps = num_epochs * (len(labels) // batch_size) * spec.sweeps_per_batch
    return Trained(spec, state, schedules.at_sweep(num_sweeps - 1, spec.num_layers))


def fit_classifiers(
    method: Classifier, inputs: Array, labels: Array, seeds: Sequence[int]
) -> list[GradientClassifier]:
    """Fit one classifier a seed; the inputs stay as they are."""
    kind = getattr(mpnn.gradient, method.classifier)
    samples = np.asarray(inputs), np.asarray(labels)
    return [kind(**method.params, input_scaling=None, random_state=seed).fit(*samples) for seed in seeds]


def discrete_spec(method: Classifier, num_inputs: int, num_outputs: int) -> NetworkSpec:
    """The static description under which a classifier's int8 weights are evaluated."""
    widths = (num_inputs, *method.params["hidden"], num_outputs)
    return NetworkSpec(widths, output="binary_label" if num_outputs == 1 else "argmax")


def discrete_weights(trained: Trained) -> list[list[NDArray]]:
    """The int8 weights of every network, layer by layer."""
    spec, state, hyper = trained
    layers = jax.jit(jax.vmap(lambda own: prediction.decode(spec, own, hyper)))(state)
    return [[np.asarray(layer[index]) for layer in layers] for index in range(len(layers[0]))]


class Predicted(NamedTuple):
    """Class probabilities ``[P, n, C]`` of P networks, and their evidence ``[P, n]`` for any class at all.

    The evidence is the logarithm of the sum of exponentiated outputs (the negative of the energy of Liu et
    al. 2020): small where no class claims the image, which probabilities, being relative, do not show.
    units ``[P, n, U]``: of all hidden layers, side by side.
    """

    probabilities: NDArray
    evidence: NDArray
    units: NDArray


def predictions_of_beliefs(trained: Trained, inputs: Array) -> Predicted:
    """Of networks trained by message passing, by one pass of means and variances; outputs in deviations."""
    return Predicted(*map(np.asarray, _predict(trained.spec, trained.state, trained.hyper, inputs)))


@partial(jax.jit, static_argnames="spec")
def _predict(spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array) -> tuple[Array, Array, Array]:
    def one(own: State) -> tuple[Array, Array, Array]:
        beliefs = [damped_moments(layer) for layer in own.layers]
        outputs = prediction.moment_outputs(spec, beliefs, inputs, hyper.noise)
        evidence = jax.nn.logsumexp(outputs.mean / jnp.sqrt(outputs.variance), axis=-1)
        units = prediction.moment_units(spec, beliefs, inputs, hyper.noise)
        means = jnp.concatenate([layer.mean for layer in units], axis=-1)
        return prediction.class_probabilities(outputs), evidence, means

    return jax.lax.map(one, state)


def predictions_of_classifiers(
    method: Classifier, fitted: Sequence[GradientClassifier], inputs: Array
) -> Predicted:
    """Of classifiers of several classes, from the outputs that they were trained with.

    Their units are those of the discrete weights, of networks without batch norm.
    """
    if any(own.statistics_ for own in fitted):
        raise ValueError(f"units are those of networks without batch norm, but {method.name!r} has it")
    logits = np.stack([own.decision_function(np.asarray(inputs)) for own in fitted])
    spec = discrete_spec(method, inputs.shape[1], logits.shape[-1])
    layers = (prediction.discrete_units(spec, [*map(jnp.asarray, own.weights_)], inputs) for own in fitted)
    units = np.stack([np.concatenate(own, axis=-1) for own in layers])
    return Predicted(softmax(logits, axis=-1), logsumexp(logits, axis=-1), units)


def method_of(job: Mapping[str, Any]) -> Model | Classifier:
    """The method of a job: a table of one of the two kinds."""
    table = job["method"]
    return Classifier(**table) if "classifier" in table else Model(**table)
