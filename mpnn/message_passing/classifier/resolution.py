"""From the estimator's parameters to the settings of a run: each is given, or its regime's default."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpnn.message_passing.classifier import exact
from mpnn.message_passing.classifier.architecture import network_layers
from mpnn.message_passing.classifier.defaults import EXACT, Regime, defaults_of, either, regime_of
from mpnn.message_passing.classifier.settings import Parameters, Settings
from mpnn.message_passing.classifier.steps import in_units_of_inputs, schedules_of
from mpnn.message_passing.exact.sweep import Annealing
from mpnn.message_passing.freezing import check_freezing
from mpnn.message_passing.hyper import NUMBERS
from mpnn.message_passing.layers import Layer
from mpnn.message_passing.rounding import can_round
from mpnn.message_passing.spec import NetworkSpec
from mpnn.programs.memory import refuse_beyond_memory
from mpnn.validation import at_least_zero, below_one, flag, one_of, whole

__all__ = ["resolve"]

# A belief's field and mean, and the messages that change them.
BYTES_OF_A_WEIGHT = 24
# Largest gain of the output: digits stay below it, clothes do not (docs/experiments/convolutions.md).
OUTPUT_GAIN_OF_IMAGES = 1.0
ROUNDINGS = ("mode", "feedback", "harden")
CAVITIES = {
    "none": "mean_field",
    "exact": "bp_inspired",
    "interpolated": "bp_inspired_interpolated",
    "second_order": "bp_inspired_second_order",
}


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
    regime = regime_of(given, num_samples, hidden=len(widths) > 2)
    layers = _layers(given, widths)
    defaults = defaults_of(given, regime, sum(layer.num_weighted for layer in layers), widths[-1] == 1)
    num_sweeps = whole("num_sweeps", either(given.num_sweeps, defaults.num_sweeps))
    spec = _spec(given, widths, layers, num_sweeps, regime)
    _refuse_too_many_weights(spec)
    annealed = exact.chosen(given, spec, regime.full_batch)
    if annealed:
        defaults = EXACT
        num_sweeps = int(either(given.num_sweeps, defaults.num_sweeps))
        spec = spec.with_exact_messages(num_sweeps)
    num_epochs = whole("num_epochs", either(given.num_epochs, defaults.num_epochs))
    schedules = schedules_of(given, defaults, spec, regime, num_epochs)
    initial_field = _initial_field(either(given.initial_field, defaults.initial_field), given.weights)
    damping: Any = schedules.damping
    return Settings(
        spec=spec,
        schedules=in_units_of_inputs(schedules, spec, input_norm),
        num_epochs=num_epochs,
        batch_size=regime.batch_size,
        initial_field=initial_field,
        rounding=_rounding(either(given.rounding, defaults.rounding), spec),
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


def _bias(given: Parameters) -> bool:
    """Of ``"auto"``: for tables in code, but not where messages are to be exact."""
    if isinstance(given.bias, str):
        if given.bias != "auto":
            raise ValueError(f"bias must be True, False or 'auto', got {given.bias!r}")
        return given.coded and given.small_fan_in != "exact"
    return flag("bias", given.bias)


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
    given: Parameters, widths: tuple[Any, ...], layers: tuple[Layer, ...], num_sweeps: int, regime: Regime
) -> NetworkSpec:
    replicas: Any = either(given.replicas, NUMBERS["replicas"].default)
    return NetworkSpec(
        (int(widths[0]),),
        layers,
        output="binary_label" if widths[-1] == 1 else "argmax",
        sweeps_per_batch=num_sweeps,
        focusing=bool(replicas != 1.0),
        anchored=regime.falling_step,
        output_gain=_output_gain(given, regime, widths[-1]),
    )


def _output_gain(given: Parameters, regime: Regime, num_outputs: int) -> float | None:
    """Of ``"auto"``: for images, no further than to the best point of a batch."""
    if isinstance(given.output_gain, str):
        if given.output_gain != "auto":
            raise ValueError(f"output_gain must be a number, None or 'auto', got {given.output_gain!r}")
        return OUTPUT_GAIN_OF_IMAGES if regime.of_images and num_outputs > 1 else None
    return given.output_gain


def _rounding(rounding: str, spec: NetworkSpec) -> str:
    one_of("rounding", rounding, ROUNDINGS)
    if rounding != "mode" and not can_round(spec.weighted[0].family.levels or ()):
        raise ValueError(f"rounding={rounding!r} needs weights that are signs or whole numbers, use 'mode'")
    if rounding == "harden" and (spec.num_layers > 2 or spec.weighted[0].activation == "relu"):
        raise ValueError("rounding='harden' needs sign units in at most one hidden layer, use 'feedback'")
    return rounding


def _frozen_epochs(given: Parameters, regime: Regime, num_epochs: int) -> list[int]:
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
