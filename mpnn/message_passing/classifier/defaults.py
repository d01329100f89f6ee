"""Defaults by regime: the best settings known for parameters left at None."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mpnn.classifiers.images import hidden_layers
from mpnn.message_passing.classifier import exact
from mpnn.message_passing.classifier.architecture import network_layers
from mpnn.message_passing.classifier.settings import Parameters, Settings
from mpnn.message_passing.exact.sweep import Annealing
from mpnn.message_passing.freezing import check_freezing
from mpnn.message_passing.hyper import NUMBERS, Schedule, Schedules
from mpnn.message_passing.layers import Layer
from mpnn.message_passing.rounding import can_round
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.weights import weight_family
from mpnn.programs.memory import refuse_beyond_memory
from mpnn.validation import at_least_zero, below_one, flag, one_of, whole

__all__ = ["FULL_BATCH_LIMIT", "Defaults", "choose_hidden", "choose_input_scaling", "resolve"]

# Above this many samples a sweep over all of them is no longer the fastest way to learn.
FULL_BATCH_LIMIT = 2000
MINI_BATCH_SIZE = 128
# A belief's field and mean, and the messages that change them.
BYTES_OF_A_WEIGHT = 24


@dataclasses.dataclass(frozen=True)
class Defaults:
    """Values of a regime for parameters left at None; fields as in the estimator.

    Numbers that ``numbers`` does not name have the defaults of :class:`mpnn.message_passing.hyper.Hyper`;
    noise and margin are shares of the norm of a layer's inputs.

    Parameters
    ----------
    num_epochs : int >= 1
        Passes over the samples.
    num_sweeps : int >= 1
        Sweeps over each batch.
    initial_field : float >= 0
        Scale of the random initial fields.
    numbers : Schedules
        The numbers of the sweeps.
    input_scaling : str or None, default="auto"
        The input transform.
    rounding : str, default="mode"
        ``"mode"`` or ``"feedback"``.
    """

    num_epochs: int
    num_sweeps: int
    initial_field: float
    numbers: Schedules
    input_scaling: str = "auto"
    rounding: str = "mode"


# Few samples, all of them in every sweep. Chosen on validation draws of MNIST and Fashion-MNIST training
# images, 2 to 40 a class, the same for all (docs/experiments/few_shot.md).
FULL_BATCH = Defaults(
    num_epochs=1,
    num_sweeps=100,
    initial_field=0.0,
    numbers=Schedules(damping=0.8, reinforcement=0.98, sparsity=1.5, noise=0.2),
)
# Many samples in mini-batches, with an anchor and a step that falls to 0, which sets rho and damping.
FALLING_STEP = Defaults(num_epochs=20, num_sweeps=1, initial_field=1.0, numbers=Schedules())
# Steps that hidden units of a table take: with fewer they may learn nothing, with more each step says less.
# Of more rows than these there are more steps in fewer epochs, down to the fewest that leave weights sure.
# Chosen on held-out rows (docs/experiments/tables.md).
STEPS_OF_TABLES, MANY_ROWS = 1_300, 60_000
SMALLEST_BATCH_OF_TABLES, LARGEST_BATCH_OF_TABLES = 16, 512
# The same where the posterior becomes the prior (Lucibello et al. 2022, appendix B.4); rho: below.
POSTERIOR_AS_PRIOR = dataclasses.replace(
    FALLING_STEP, numbers=Schedules(damping=0.8), input_scaling="standard"
)
# Networks of convolutions, always in mini-batches with a falling step; few images are met many times. Chosen
# on held-out MNIST training images, 10 a class to 10,000 in all (docs/experiments/convolutions.md).
OF_IMAGES = dataclasses.replace(FALLING_STEP, num_epochs=10, input_scaling="image")
# Images that training meets, at least: of one network for all classes, and of each of many for two.
IMAGES_MET, IMAGES_MET_OF_TWO_CLASSES = 100_000, 10_000
# How often an image counts that is met as often as epochs are the default.
COUNTS_OF_IMAGES = 30.0
# Shares of them that the output layer counts at first and at last.
OUTPUT_COUNTS_AT_FIRST, OUTPUT_COUNTS_AT_LAST = 0.01, 0.33
# Largest gain of the output: digits stay below it, clothes do not (docs/experiments/convolutions.md).
OUTPUT_GAIN_OF_IMAGES = 1.0
# Samples in portions, with the posterior of the portions before as prior: less reinforcement than where all
# samples are there. Chosen on bundled data (docs/howto/continual_learning.md).
IN_PORTIONS = dataclasses.replace(
    FULL_BATCH,
    num_sweeps=50,
    numbers=dataclasses.replace(FULL_BATCH.numbers, reinforcement=0.9),
)
# Few hidden units that exchange exact messages. Chosen on the same draws (docs/experiments/bemi_networks.md).
EXACT = Defaults(
    num_epochs=1,
    num_sweeps=120,
    initial_field=0.1,
    numbers=Schedules(damping=0.5, reinforcement=1.0),
)
# Tables in code: hidden units, and the noise assumed for few samples of two classes, and for others. Chosen
# on held-out halves of the development tables' training parts (docs/experiments/tables.md).
CODED_HIDDEN = (32,)
CODED_NOISE_OF_FEW_BINARY, CODED_NOISE = 1.0, 0.5
# Intensities of more than two classes in one network: a single layer is 15 points behind on held-out digits.
HIDDEN_OF_CLASSES = (101,)
# Hidden units need unequal fields to become different; single units learn best from none.
HIDDEN_INITIAL_FIELD = 0.1
# At zero temperature a field of 0 sends zero messages and stays 0.
MAX_SUM_INITIAL_FIELD = 1.0
# The width of real weights' prior, over 1 / sqrt(fan in): none would leave nothing to learn.
GAUSSIAN_INITIAL_FIELD = 1.0
# Of a batch, in the beliefs: the output layer holds what its damping averages.
FASTEST_AVERAGE = 0.1
# Fewer leave most weights unsure of their level (docs/experiments/scale.md).
FEW_EPOCHS = 5
# Numbers that users give as shares of the inputs' norm.
SHARES_OF_INPUT_NORM = ("noise", "margin")
ROUNDINGS = ("mode", "feedback", "harden")
CAVITIES = {
    "none": "mean_field",
    "exact": "bp_inspired",
    "interpolated": "bp_inspired_interpolated",
    "second_order": "bp_inspired_second_order",
}


class _Regime(NamedTuple):
    """How a run sees its samples: all at once, or in mini-batches, with a falling step or without.

    of_images: whether they are met by convolutions, or shifted.
    """

    num_samples: int
    batch_size: int
    full_batch: bool
    falling_step: bool
    of_images: bool


def choose_hidden(given: Parameters, num_outputs: int) -> tuple[Any, ...]:
    """The hidden layers: of ``"auto"``, one, but none for two classes of intensities.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    num_outputs : int >= 1
        Outputs: 1 for two classes, else one a class.
    """
    if isinstance(given.hidden, str) and given.hidden == "auto":
        if given.coded:
            return CODED_HIDDEN
        return () if num_outputs == 1 else HIDDEN_OF_CLASSES
    return hidden_layers(given.hidden)


def choose_input_scaling(given: Parameters, num_samples: int) -> str | None:
    """The kind of input transform (:func:`mpnn.preprocessing.scaling.fit_transform_of`).

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    num_samples : int >= 1
        Number of samples.
    """
    if given.coded:
        return None
    if given.input_scaling != "auto":
        return given.input_scaling
    regime = _regime(given, num_samples, hidden=False)
    return _defaults(given, regime, num_layers=1, binary=True).input_scaling


def resolve(given: Parameters, widths: tuple[Any, ...], num_samples: int, input_norm: float) -> Settings:
    """Resolve parameters to the settings of a training run, with defaults for those left at None.

    Parameters
    ----------
    given : Parameters
        Of the estimator.
    widths : tuple of int or Layer
        Inputs, hidden layers, outputs; one output for two classes. Layers may stand for hidden widths.
    num_samples : int >= 1
        Training samples.
    input_norm : float > 0
        Root mean square of the norms of the transformed training inputs.

    Returns
    -------
    Settings
        Final.

    Raises
    ------
    ValueError
        If a parameter is out of range or does not go with another.
    """
    regime = _regime(given, num_samples, hidden=len(widths) > 2)
    layers = _layers(given, widths)
    defaults = _defaults(given, regime, sum(layer.num_weighted for layer in layers), widths[-1] == 1)
    num_sweeps = whole("num_sweeps", _either(given.num_sweeps, defaults.num_sweeps))
    spec = _spec(given, widths, layers, num_sweeps, regime)
    _refuse_too_many_weights(spec)
    annealed = exact.chosen(given, spec, regime.full_batch)
    if annealed:
        defaults = EXACT
        num_sweeps = int(_either(given.num_sweeps, defaults.num_sweeps))
        spec = spec.with_exact_messages(num_sweeps)
    num_epochs = whole("num_epochs", _either(given.num_epochs, defaults.num_epochs))
    schedules = _schedules(given, defaults, spec, regime, num_epochs)
    initial_field = _initial_field(_either(given.initial_field, defaults.initial_field), given.weights)
    damping: Any = schedules.damping
    return Settings(
        spec=spec,
        schedules=_in_units_of_inputs(schedules, spec, input_norm),
        num_epochs=num_epochs,
        batch_size=regime.batch_size,
        initial_field=initial_field,
        rounding=_rounding(_either(given.rounding, defaults.rounding), spec),
        freezing=check_freezing(spec, _frozen_epochs(given, regime, num_epochs)),
        annealing=Annealing(damping=damping, initial_field=initial_field) if annealed else None,
    )


def _refuse_too_many_weights(spec: NetworkSpec) -> None:
    layers = zip(spec.weighted, spec.fan_ins, strict=True)
    num_weights = sum(layer.linear_map.units * fan_in for layer, fan_in in layers)
    refuse_beyond_memory(
        float(num_weights) * BYTES_OF_A_WEIGHT,
        f"A network of {num_weights:,} weights",
        "take fewer hidden units, columns or thresholds of columns",
    )


def _either(given: Any, default: Any) -> Any:
    return default if given is None else given


def _regime(given: Parameters, num_samples: int, hidden: bool) -> _Regime:
    reads_images = given.image_shape is not None or given.largest_shift > 0
    of_images = reads_images and not given.in_portions
    batch_size = _batch_size(given, num_samples, of_images, hidden)
    full_batch = batch_size == num_samples
    return _Regime(
        num_samples, batch_size, full_batch, _falls(given, full_batch and not of_images), of_images
    )


def _batch_size(given: Parameters, num_samples: int, of_images: bool, hidden: bool) -> int:
    if given.batch_size is None:
        return num_samples
    if given.batch_size == "auto":
        at_once = num_samples <= FULL_BATCH_LIMIT and not of_images
        return num_samples if at_once else min(_mini_batch(given, num_samples, hidden), num_samples)
    if isinstance(given.batch_size, str):
        raise ValueError(f"batch_size must be a whole number, None or 'auto', got {given.batch_size!r}")
    return min(whole("batch_size", given.batch_size), num_samples)


def _mini_batch(given: Parameters, num_samples: int, hidden: bool) -> int:
    """Of a table, samples that leave its hidden units enough steps; a power of 2, hence few programs."""
    if not (given.coded and hidden and given.rho is None):
        return MINI_BATCH_SIZE
    num_epochs = whole("num_epochs", _either(given.num_epochs, FALLING_STEP.num_epochs))
    size = num_samples * num_epochs / STEPS_OF_TABLES
    return 1 << int(round(math.log2(min(max(size, SMALLEST_BATCH_OF_TABLES), LARGEST_BATCH_OF_TABLES))))


def _falls(given: Parameters, full_batch: bool) -> bool:
    """Whether a network is trained with a falling step; else its posterior becomes its prior."""
    if given.rate is not None and given.rho is not None:
        raise ValueError("rate says how much of the prior is kept, and so does rho: set one of the two")
    if given.rate is not None and given.rule == "max_sum":
        raise ValueError("rate needs a rule that passes means, got rule='max_sum': set rho instead")
    if given.rate is not None and given.in_portions:
        raise ValueError(f"rate belongs to fit, which knows the length of its training, got {given.rate!r}")
    possible = given.rule != "max_sum" and given.weights != "gaussian" and not given.in_portions
    falls = given.rate is not None or (not full_batch and given.rho is None and possible)
    if given.counts is not None and not falls:
        raise ValueError("counts belongs to training that forgets: set rate, too")
    return falls


def _defaults(given: Parameters, regime: _Regime, num_layers: int, binary: bool) -> Defaults:
    """What the regime, layers, weights and rule leave as best known."""
    if regime.falling_step and regime.of_images:
        images = IMAGES_MET_OF_TWO_CLASSES if binary else IMAGES_MET
        num_epochs = max(OF_IMAGES.num_epochs, math.ceil(images / regime.num_samples))
        defaults = dataclasses.replace(OF_IMAGES, num_epochs=num_epochs)
    elif regime.falling_step:
        defaults = FALLING_STEP
        if given.coded and regime.num_samples > MANY_ROWS:
            num_epochs = max(FEW_EPOCHS, math.ceil(defaults.num_epochs * MANY_ROWS / regime.num_samples))
            defaults = dataclasses.replace(FALLING_STEP, num_epochs=num_epochs)
    elif given.in_portions:
        defaults = IN_PORTIONS
    else:
        defaults = FULL_BATCH if regime.full_batch else POSTERIOR_AS_PRIOR
    initial_field, numbers = defaults.initial_field, defaults.numbers
    if num_layers > 1:
        initial_field = max(initial_field, HIDDEN_INITIAL_FIELD)
        # a hidden unit learns little from few samples: removing its weak links would leave none
        numbers = dataclasses.replace(numbers, sparsity=0.0)
        if defaults is POSTERIOR_AS_PRIOR:
            # an output layer that forgets stays unpolarized and lets the layers below keep learning
            numbers = dataclasses.replace(numbers, rho=(1.0001,) * (num_layers - 1) + (0.9,))
    if given.coded:
        noise = CODED_NOISE_OF_FEW_BINARY if regime.full_batch and binary else CODED_NOISE
        numbers = dataclasses.replace(numbers, noise=noise)
    if given.rule == "max_sum":
        initial_field = MAX_SUM_INITIAL_FIELD
    if given.weights == "gaussian":
        initial_field = GAUSSIAN_INITIAL_FIELD
    num_epochs = whole("num_epochs", _either(given.num_epochs, defaults.num_epochs))
    rounding = _best_rounding(given, regime.full_batch, num_layers, num_epochs)
    return dataclasses.replace(defaults, initial_field=initial_field, numbers=numbers, rounding=rounding)


def _bias(given: Parameters) -> bool:
    """Of ``"auto"``: for tables in code, but not where messages are to be exact."""
    if isinstance(given.bias, str):
        if given.bias != "auto":
            raise ValueError(f"bias must be True, False or 'auto', got {given.bias!r}")
        return given.coded and given.small_fan_in != "exact"
    return flag("bias", given.bias)


def _best_rounding(given: Parameters, full_batch: bool, num_layers: int, num_epochs: int) -> str:
    """Feedback with few samples or epochs, for signs, which cannot be 0, and for hidden units of tables.

    Zero temperature decides by itself.
    """
    levels = weight_family(given.weights).levels or ()
    if given.rule == "max_sum" or not can_round(levels):
        return "mode"
    once = full_batch and not given.in_portions  # hardening takes longer than learning from one portion
    if given.coded and once and num_layers <= 2 and given.activation == "sign":
        return "harden"
    # labels of tables may be uncertain, and then so is an output that holds the evidence of a mini-batch
    of_table = given.coded and num_layers > 1
    unsure = full_batch or given.in_portions or num_epochs < FEW_EPOCHS or of_table
    return "feedback" if unsure or 0 not in levels else "mode"


def _layers(given: Parameters, widths: tuple[Any, ...]) -> tuple[Layer, ...]:
    cavity = given.cavity
    if cavity == "auto":
        cavity = "second_order" if given.image_shape is None else "none"
    one_of("cavity", cavity, ("auto", *CAVITIES))
    return network_layers(
        widths[1:-1],
        widths[-1],
        given.image_shape,
        weights=given.weights,
        rule=CAVITIES[cavity] if given.rule == "bp_inspired" else given.rule,
        activation=given.activation,
        bias=_bias(given),
        density=given.density,
    )


def _spec(
    given: Parameters, widths: tuple[Any, ...], layers: tuple[Layer, ...], num_sweeps: int, regime: _Regime
) -> NetworkSpec:
    replicas: Any = _either(given.replicas, NUMBERS["replicas"].default)
    return NetworkSpec(
        (int(widths[0]),),
        layers,
        output="binary_label" if widths[-1] == 1 else "argmax",
        sweeps_per_batch=num_sweeps,
        focusing=bool(replicas != 1.0),
        anchored=regime.falling_step,
        output_gain=_output_gain(given, regime, widths[-1]),
    )


def _output_gain(given: Parameters, regime: _Regime, num_outputs: int) -> float | None:
    """Of ``"auto"``: for images, no further than to the best point of a batch."""
    if isinstance(given.output_gain, str):
        if given.output_gain != "auto":
            raise ValueError(f"output_gain must be a number, None or 'auto', got {given.output_gain!r}")
        return OUTPUT_GAIN_OF_IMAGES if regime.of_images and num_outputs > 1 else None
    return given.output_gain


def _schedules(
    given: Parameters, defaults: Defaults, spec: NetworkSpec, regime: _Regime, num_epochs: int
) -> Schedules:
    """All numbers; noise and margin as shares of the inputs' norm."""
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
        _either(given.rate, step.rate),
        _either(given.counts, step.counts),
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


def _in_units_of_inputs(schedules: Schedules, spec: NetworkSpec, input_norm: float) -> Schedules:
    """Turn shares of the inputs' norm into units of the pre-activations.

    The norm is that of the training inputs that one unit of the first layer sums, and the root of the fan-in
    above.
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


def _rounding(rounding: str, spec: NetworkSpec) -> str:
    one_of("rounding", rounding, ROUNDINGS)
    if rounding != "mode" and not can_round(spec.weighted[0].family.levels or ()):
        raise ValueError(f"rounding={rounding!r} needs weights that are signs or whole numbers, use 'mode'")
    if rounding == "harden" and (spec.num_layers > 2 or spec.weighted[0].activation == "relu"):
        raise ValueError("rounding='harden' needs sign units in at most one hidden layer, use 'feedback'")
    return rounding


def _frozen_epochs(given: Parameters, regime: _Regime, num_epochs: int) -> list[int]:
    """Epochs at whose start layers are frozen, from shares of all epochs."""
    if given.freezing is None:
        return []
    if not isinstance(given.freezing, Sequence | np.ndarray) or np.ndim(given.freezing) != 1:
        raise ValueError(f"freezing must be shares of the epochs such as (0.5, 0.8), got {given.freezing!r}")
    shares = [below_one("freezing", share) for share in given.freezing]
    if given.in_portions:
        raise ValueError(f"freezing belongs to fit, which knows the length of its training, got {shares}")
    if regime.full_batch or num_epochs == 1:
        raise ValueError(f"freezing needs several epochs of mini-batches: set batch_size, got {shares}")
    return [min(round(share * num_epochs), num_epochs - 1) for share in shares]


def _initial_field(value: Any, weights: Any) -> float:
    if weights == "gaussian" and value == 0.0:
        raise ValueError("initial_field must be above 0 with weights='gaussian': it is their prior's width")
    return at_least_zero("initial_field", value)
