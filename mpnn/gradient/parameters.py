"""What each parameter of the gradient classifiers may be: one table, since a name means one thing in all."""

from collections.abc import Mapping, Sequence
from typing import Any

from mpnn.classifiers.base import PREDICTIONS
from mpnn.classifiers.images import checked_shape, hidden_layers
from mpnn.gradient.losses import LOSSES
from mpnn.gradient.perceptron import ACTIVATIONS
from mpnn.gradient.surrogates import SURROGATES
from mpnn.validation import (
    Check,
    above_zero,
    at_least_zero,
    below_one,
    choice,
    flag,
    from_zero,
    random_source,
    share,
    share_above_zero,
    unless_none,
    whole,
)

__all__ = ["CHECKS"]


def _layers(name: str, value: Any) -> None:
    hidden_layers(value)


def _shape(name: str, value: Any) -> None:
    checked_shape(value)


def _batch_size(name: str, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value == "auto"):
        whole(name, value)


def _name(name: str, value: Any) -> None:
    """What may be named depends on other parameters."""
    if not isinstance(value, str | None):
        raise ValueError(f"{name} must be a name among those of its description, got {value!r}")


def _pair(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a pair of numbers, got {value!r}")
    return value


def _dropout(name: str, value: Any) -> None:
    for rate in _pair(name, value):
        below_one(name, rate)


def _counts(name: str, value: Any) -> None:
    for count in _pair(name, value):
        whole(f"every number in {name}", count)


def _stages(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be a list of pairs (channels, blocks), got {value!r}")
    for stage in value:
        _counts(name, stage)


def _factors(name: str, value: Any) -> None:
    for factor in value if isinstance(value, list | tuple) else [value]:
        above_zero(name, factor)


CHECKS: Mapping[str, Check] = {
    "activation": choice(ACTIVATIONS),
    "adaptivity": unless_none(share_above_zero),
    "augment": flag,
    "batch_size": _batch_size,
    "bias": flag,
    "block": _name,
    "clip": above_zero,
    "derivative_floor": at_least_zero,
    "dropout": _dropout,
    "hidden": _layers,
    "image_shape": _shape,
    "initial_field": unless_none(above_zero),
    "input_scaling": _name,
    "largest_gradient": unless_none(above_zero),
    "largest_shift": from_zero,
    "learning_rate": unless_none(above_zero),
    "loss": unless_none(choice(LOSSES)),
    "momentum": below_one,
    "norm": _name,
    "num_draws": whole,
    "num_epochs": unless_none(whole),
    "num_samples": whole,
    "prediction": choice(PREDICTIONS),
    "prior_weight": unless_none(at_least_zero),
    "propagation": _name,
    "random_state": random_source,
    "real_output": flag,
    "recipe": _name,
    "reductions": _factors,
    "rule": _name,
    "spread": above_zero,
    "stages": _stages,
    "start": unless_none(share),
    "stem": _counts,
    "strength": unless_none(at_least_zero),
    "surrogate": choice(SURROGATES),
    "temperature": above_zero,
    "threshold": at_least_zero,
    "variance_penalty": unless_none(at_least_zero),
    "warm_epochs": from_zero,
    "weight_decay": at_least_zero,
    "weights": _name,
}
