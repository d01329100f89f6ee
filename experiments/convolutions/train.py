"""Convolutional networks with few-bit weights by message passing, epoch by epoch.

    python -m experiments.convolutions.train configs/convolutions/convolutions_settings_mnist.toml

Settings are chosen on held-out training images (``held_out`` above 0); the official test images are scored
where it is 0. Every row holds the errors of the discrete network and of the Bayesian prediction after every
epoch, and last those of the network whose hidden layers are rounded with feedback, and after every epoch
the gain of the output's steps (:mod:`mpnn.message_passing.gain`). Layers may be frozen at the start of an
epoch, rounded or as they are: a frozen layer keeps its beliefs, those above go on learning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import mpnn.layers
from experiments.common.runs import main, run_jobs
from experiments.convolutions.jobs import Training, jobs_of
from mpnn.data import Dataset
from mpnn.message_passing import network, prediction
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.freezing import freeze
from mpnn.message_passing.gain import step_gain
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.layers.base import Labels
from mpnn.message_passing.layers.chain import forward_chain
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.rounding import round_layers
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import begin, data_inputs
from mpnn.message_passing.training import train
from mpnn.preprocessing.augmentation import ImageAugmentation
from mpnn.preprocessing.scaling import fit_transform_of

# Damping of a layer that is frozen: its beliefs stay averages.
FROZEN = 0.999999
ROWS_AT_ONCE, BATCHES_LOOKED_AT = 500, 16


@dataclass(frozen=True)
class Freeze:
    """A layer with weights (from 0) whose beliefs stay as they are from the start of an epoch on.

    rounded: as discrete weights, with error feedback; else as they are.
    """

    layer: int
    epoch: int
    rounded: bool = True


@dataclass(frozen=True)
class Model:
    """One network and how it is trained.

    layers: hidden layers by kind and keywords. memories: the first step, in units of the run's length.
    counts: how often a sample counts below the output, at first and at last; output_counts: in the output.
    shares: of these counts, one a layer; a layer of P positions whose messages were one has the share 1 / P.
    damping, output_damping: weights of the old beliefs, of the output: of its field. output_gain: largest
    gain of the output's steps. shift: of training images, at most, in pixels; mirror: whether half of them
    are mirrored. weights: of the output, and of layers that name none of their own.
    """

    name: str
    layers: list[dict[str, Any]]
    weights: str | int = "binary"
    rule: str = "mean_field"
    bias: bool = False
    noise: float = 0.0
    scaling: str = "max_abs"
    memories: float = 10.0
    counts: list[float] = field(default_factory=lambda: [10.0, 10.0])
    output_counts: list[float] = field(default_factory=lambda: [0.3, 10.0])
    shares: list[float] = field(default_factory=list)
    damping: float = 0.9
    output_damping: float = 0.8
    initial_field: float = 1.0
    shift: int = 0
    output_gain: float | None = None
    mirror: bool | None = None
    freeze: list[Freeze] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Config(Training):
    """Models, each trained once a seed."""

    models: list[Model]


@dataclass(frozen=True)
class Images:
    """Inputs ``[n, height width channels]`` and class numbers, for training and for scoring."""

    inputs: Array
    labels: Array
    scored_inputs: Array
    scored_labels: Array
    shape: tuple[int, ...]


def run(config: Config, output: Path, command: str) -> None:
    """Train what has no row yet, then print a table."""
    data = config.images()

    def work(job: Mapping[str, Any]) -> dict[str, Any]:
        model = Model(**{**job["model"], "freeze": [Freeze(**own) for own in job["model"]["freeze"]]})
        images = images_of(config, data, model.scaling)
        return trained(config, model, images, job["seed"])

    summarize(run_jobs(jobs_of(config, config.models), work, output, config, command))


def images_of(config: Config, data: Dataset, scaling: str) -> Images:
    """The first training images, and the last ones or the test images, scaled alike."""
    shape = (*data.x_train.shape[1:], 1)[:3]
    x_train, x_scored = (
        x.reshape(len(x), -1).astype(np.float32) for x in (data.x_train[: config.num_train], data.x_test)
    )
    transform = fit_transform_of(x_train, scaling)
    return Images(
        jnp.asarray(transform(x_train)),
        jnp.asarray(data.y_train[: config.num_train].astype(np.int32)),
        jnp.asarray(transform(x_scored)),
        jnp.asarray(data.y_test.astype(np.int32)),
        shape,
    )


def layers_of(given: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    """Layers by kind and keywords as objects."""
    found = []
    for own in given:
        keywords = {key: value for key, value in own.items() if key != "kind"}
        if "layers" in keywords:
            keywords["layers"] = layers_of(keywords["layers"])
        found.append(getattr(mpnn.layers, own["kind"])(**keywords))
    return tuple(found)


def spec_of(model: Model, shape: tuple[int, ...]) -> NetworkSpec:
    """The network of ten outputs on flat images."""
    layers = (
        mpnn.layers.Unflatten(shape),
        *layers_of(model.layers),
        mpnn.layers.Flatten(),
        mpnn.layers.Dense(10),
    )
    options = {"weights": model.weights, "rule": model.rule, "bias": model.bias}
    filled = (layer.complete(**options) if hasattr(layer, "complete") else layer for layer in layers)
    return NetworkSpec(
        (int(np.prod(shape)),), tuple(filled), output="argmax", anchored=True, output_gain=model.output_gain
    )


def schedules_of(model: Model, spec: NetworkSpec, num_batches: int, num_epochs: int) -> Schedules:
    """A step that falls to 0 by half a cosine in all layers; none in frozen ones."""
    num_steps, num_layers = num_batches * num_epochs, spec.num_layers
    first = jnp.asarray([model.counts[0]] * (num_layers - 1) + [model.output_counts[0]])
    last = jnp.asarray([model.counts[1]] * (num_layers - 1) + [model.output_counts[1]])
    shares = jnp.asarray(model.shares or [1.0] * num_layers)
    damping = jnp.asarray([model.damping] * (num_layers - 1) + [model.output_damping])
    from_step = np.full(num_layers, num_steps + 1)
    for own in model.freeze:
        from_step[own.layer] = own.epoch * num_batches
    ends = jnp.asarray(from_step)

    def step(count: Array) -> Array:
        falling = 0.5 * (1.0 + jnp.cos(jnp.pi * count / num_steps)) * min(1.0, model.memories / num_steps)
        return jnp.where(count < ends, falling, 0.0)

    return Schedules(
        rho=lambda count: 1.0 - step(count),
        evidence=lambda count: (
            num_batches * step(count) * shares * first * (last / first) ** (count / num_steps)
        ),
        damping=lambda count: jnp.where(count < ends, damping, FROZEN),
        noise=model.noise,
    )


def trained(config: Config, model: Model, images: Images, seed: int) -> dict[str, Any]:
    """Percent wrong after every epoch of message passing, ``mode`` and ``bayes``, and the output's gain."""
    spec = spec_of(model, images.shape)
    num_batches = len(images.labels) // config.batch_size
    schedules = schedules_of(model, spec, num_batches, config.num_epochs)
    key = jax.random.key(seed)
    state = network.init(key, spec, schedules.at_sweep(0, spec.num_layers), model.initial_field)
    augment = None
    if model.shift or model.mirror:
        augment = ImageAugmentation(images.shape, model.shift, bool(model.mirror), padding="constant")
    first = schedules.at_sweep(0, spec.num_layers)
    frozen = jax.jit(freeze, static_argnames=("spec", "index"))
    found: dict[str, list[float]] = {"mode": [], "bayes": [], "mode_feedback": []}
    gains: list[float] = []
    for epoch in range(config.num_epochs):
        for own in model.freeze:
            if own.epoch == epoch and own.rounded:
                state = frozen(spec, state, first, images.inputs, own.layer)
        state, _ = train(
            jax.random.fold_in(key, 1),
            spec,
            state,
            Batch(images.inputs, images.labels),
            schedules,
            num_epochs=epoch + 1,
            first_epoch=epoch,
            batch_size=config.batch_size,
            augment=augment,
        )
        hyper = schedules.at_sweep((epoch + 1) * num_batches - 1, spec.num_layers)
        for name, error in scores(spec, state, hyper, images).items():
            found[name].append(error)
        gains.append(output_gain(spec, state, hyper, images, config.batch_size))
    weights = prediction.decode(spec, state, hyper)
    rounded_before = sum(own.rounded for own in model.freeze)
    weights = round_layers(spec, state, hyper, images.inputs, weights, first=rounded_before)
    found["mode_feedback"].append(wrong_percent(spec, weights, images))
    return {"errors": found, "gain": gains}


def output_gain(spec: NetworkSpec, state: State, hyper: Hyper, images: Images, batch_size: int) -> float:
    """Median gain of the output's steps over some batches, were its evidence not bounded."""
    gains = []
    for start in range(
        0, min(len(images.labels) - batch_size + 1, BATCHES_LOOKED_AT * batch_size), batch_size
    ):
        rows = slice(start, start + batch_size)
        gains.append(float(_gain(spec, state, hyper, images.inputs[rows], images.labels[rows])))
    return round(float(np.median(gains)), 4)


@partial(jax.jit, static_argnames="spec")
def _gain(spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, labels: Array) -> Array:
    memories = begin(spec, state, len(inputs), hyper).memories
    numbers, last, place = spec.numbers(hyper), spec.layers[-1], spec.places[-1]
    network = spec.layers, spec.places, state.layers
    _, caches = forward_chain(*network, data_inputs(inputs), memories, numbers)
    derive = last.signal(place, Labels(labels, spec.output_channel), numbers[-1])
    rows, derivatives = caches[-1].rows, derive(*caches[-1].preactivation)
    message = jnp.matmul(rows.mean.T, derivatives.gradient)
    weights = damped_moments(state.weighted[-1])
    return step_gain(weights, rows, message, derivatives.curvature, numbers[-1])


def scores(spec: NetworkSpec, state: State, hyper: Hyper, images: Images) -> dict[str, float]:
    """Percent wrong of the most probable weights and of the Bayesian prediction."""
    wrong = sum(_wrong_bayes(spec, state, hyper, *rows) for rows in _blocks(images))
    mode = wrong_percent(spec, prediction.decode(spec, state, hyper), images)
    return {"mode": mode, "bayes": float(100.0 * wrong / len(images.scored_labels))}


def wrong_percent(spec: NetworkSpec, weights: list[Array], images: Images) -> float:
    """Percent wrong of a discrete network."""
    wrong = sum(_wrong(spec, weights, *rows) for rows in _blocks(images))
    return float(100.0 * wrong / len(images.scored_labels))


def _blocks(images: Images) -> Iterator[tuple[Array, Array]]:
    for start in range(0, len(images.scored_labels), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        yield images.scored_inputs[rows], images.scored_labels[rows]


@partial(jax.jit, static_argnames="spec")
def _wrong_bayes(spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, labels: Array) -> Array:
    _, probabilities = prediction.bayes_scores(spec, state, inputs, hyper.noise)
    return jnp.sum(jnp.argmax(probabilities, axis=1) != labels)


@partial(jax.jit, static_argnames="spec")
def _wrong(spec: NetworkSpec, weights: list[Array], inputs: Array, labels: Array) -> Array:
    outputs = prediction.discrete_outputs(spec, weights, inputs)
    return jnp.sum(jnp.argmax(outputs, axis=1) != labels)


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a model: means over seeds of the last epoch, and of the best kind of rounding."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["model"]["name"], []).append(row)
    print("| model | mode | mode, feedback | bayes | seconds | seeds |\n|---|---|---|---|---|---|")
    for name, own in groups.items():
        cells = [
            " ± ".join(_mean([row["errors"][kind][-1] for row in own])) if own[0]["errors"].get(kind) else ""
            for kind in ("mode", "mode_feedback", "bayes")
        ]
        seconds = np.mean([row["seconds"] for row in own])
        print(f"| {name} | {' | '.join(cells)} | {seconds:.0f} | {len(own)} |")


def _mean(values: list[float]) -> list[str]:
    deviation = [f"{np.std(values, ddof=1):.2f}"] if len(values) > 1 else []
    return [f"{np.mean(values):.2f}", *deviation]


if __name__ == "__main__":
    main(__doc__, Config, run)
