"""The numbers of the sweeps: constant, or of a step that falls; in the units of what units sum up."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mpnn.message_passing.classifier.defaults import FEW_EPOCHS, OF_IMAGES, Defaults, Regime, either
from mpnn.message_passing.classifier.settings import Parameters
from mpnn.message_passing.hyper import NUMBERS, Schedule, Schedules
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["in_units_of_inputs", "schedules_of"]

# How often an image counts that is met as often as epochs are the default.
COUNTS_OF_IMAGES = 30.0
# Shares of them that the output layer counts at first and at last.
OUTPUT_COUNTS_AT_FIRST, OUTPUT_COUNTS_AT_LAST = 0.01, 0.33
# Of a batch, in the beliefs: the output layer holds what its damping averages.
FASTEST_AVERAGE = 0.1
# Numbers that users give as shares of the inputs' norm.
SHARES_OF_INPUT_NORM = ("noise", "margin")


def schedules_of(
    given: Parameters, defaults: Defaults, spec: NetworkSpec, regime: Regime, num_epochs: int
) -> Schedules:
    """All numbers; noise and margin as shares of the norm of the inputs.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    defaults : Defaults
        What is left open.
    spec : NetworkSpec
        The network.
    regime : Regime
        How the run sees its samples.
    num_epochs : int >= 1
        Passes over the samples.
    """
    if not regime.falling_step:
        return dataclasses.replace(defaults.numbers, **given.given_numbers)
    num_batches = regime.num_samples / regime.batch_size
    num_steps = num_epochs * (regime.num_samples // regime.batch_size) * spec.sweeps_per_batch
    step = _best_step(num_epochs, num_steps, spec.num_layers, given.coded)
    if given.image_shape is not None:
        step = _step_of_images(
            regime.num_samples * num_epochs, regime.num_samples, num_steps, spec.num_layers
        )
    own = ("rho", "evidence")  # of the falling step
    numbers = {name: getattr(defaults.numbers, name) for name in NUMBERS if name not in own}
    return Schedules.falling_step(
        either(given.rate, step.rate),
        either(given.counts, step.counts),
        num_batches,
        num_steps,
        spec.num_layers,
        output_counts=step.output_counts,
        **(numbers | {"damping": step.damping} | given.given_numbers),
    )


class _Step(NamedTuple):
    rate: float
    damping: Any
    counts: float
    output_counts: tuple[float, float] | None = None


def _step_of_images(images_met: int, num_samples: int, num_steps: int, num_layers: int) -> _Step:
    """A falling step of networks of convolutions: the output learns more slowly than the layers below.

    Few images count as many, whose shifted copies they stand for.
    """
    counts = COUNTS_OF_IMAGES * max(1.0, images_met / OF_IMAGES.num_epochs / num_samples)
    damping = (*(0.9,) * (num_layers - 1), 0.8)
    output = (OUTPUT_COUNTS_AT_FIRST * counts, OUTPUT_COUNTS_AT_LAST * counts)
    return _Step(min(1.0, 10.0 / num_steps), damping, counts, output)


def _best_step(num_epochs: int, num_steps: int, num_layers: int, coded: bool) -> _Step:
    """A falling step in units of the training's length: how often it forgets all, how often it averages.

    Chosen on held-out training images of MNIST and Fashion-MNIST, 500 to 50,000 samples, 10 to 20 epochs
    (docs/choosing.md, docs/experiments/full_data.md). A mini-batch weighs ``memories * counts / epochs``:
    of few epochs the counts are fewer, or the first mini-batches would decide all weights of hidden units; of
    tables still fewer, whose labels are uncertain (docs/experiments/scale.md).
    """
    if num_layers > 1:
        counts_of_epoch = 2.0 if coded and num_epochs < FEW_EPOCHS else max(5.0, num_epochs)
        memories, averages, counts = 10.0, 50.0, min(100.0, counts_of_epoch * num_epochs)
    else:
        memories, averages, counts = 10.0, 10.0, min(5.0, num_epochs / 4)
    return _Step(
        rate=min(1.0, memories / num_steps),
        damping=1.0 - min(FASTEST_AVERAGE, averages / num_steps),
        counts=counts,
    )


def in_units_of_inputs(schedules: Schedules, spec: NetworkSpec, input_norm: float) -> Schedules:
    """Turn shares of the inputs' norm into units of the pre-activations.

    The norm is that of the training inputs that one unit of the first layer sums, and the root of the fan-in
    above.

    Parameters
    ----------
    schedules : Schedules
        Noise and margin are shares.
    spec : NetworkSpec
        The network.
    input_norm : float > 0
        Root mean square of the norms of the transformed training inputs.
    """
    first, shape = spec.weighted[0], spec.weighted_shapes[0]
    share = first.linear_map.fan_in(shape) / math.prod(shape)
    norms = (input_norm * share**0.5, *(fan_in**0.5 for fan_in in spec.fan_ins[1:]))
    scaled = {name: _times_norms(name, getattr(schedules, name), norms) for name in SHARES_OF_INPUT_NORM}
    return dataclasses.replace(schedules, **scaled)


def _times_norms(name: str, value: Schedule, norms: tuple[float, ...]) -> Schedule:
    """A number, a value per layer, or a schedule of either, times one factor a layer."""
    if callable(value):
        return lambda step: jnp.asarray(value(step)) * jnp.asarray(norms)
    values = np.atleast_1d(np.asarray(value, dtype=float))
    if len(values) not in (1, len(norms)):
        raise ValueError(f"{name} must be one number or {len(norms)}, one a layer; got {len(values)}")
    return (values * norms).tolist()
