"""What each parameter of the solvers' classifiers may be: one table, since a name means one thing in all."""

from collections.abc import Mapping
from typing import Any

from mpnn.solvers.engines import check_engine
from mpnn.solvers.integer_inputs import INPUT_SCALINGS
from mpnn.validation import (
    Check,
    above_zero,
    at_least_zero,
    below_one,
    choice,
    flag,
    from_zero,
    hidden_widths,
    number,
    random_source,
    share,
    share_above_zero,
    unless_none,
    whole,
)

__all__ = ["CHECKS", "check_time_limit"]

LARGEST_LEVEL = 127


def _levels(name: str, value: Any) -> None:
    """Refuse weights that int8 cannot hold."""
    levels = number(value)
    if not levels.is_integer() or not 1 <= levels <= LARGEST_LEVEL:
        raise ValueError(f"{name} must be a whole number from 1 to {LARGEST_LEVEL}, got {value!r}")


def check_time_limit(name: str, value: Any) -> None:
    """Refuse a search without time; one without a limit, infinity, is none.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked, in seconds.
    """
    if not number(value) > 0.0:
        raise ValueError(f"{name} must be above 0 seconds, got {value!r}")


def _engine(name: str, value: Any) -> None:
    check_engine(value)


def _widths(name: str, value: Any) -> None:
    hidden_widths(value)


def _temperatures(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{name} must be a pair, the coldest and the hottest, got {value!r}")
    for temperature in value:
        above_zero(name, temperature)


def _image_shape(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or len(value) not in (2, 3):
        raise ValueError(f"{name} must be height and width, and channels if there are some, got {value!r}")
    for size in value:
        whole(f"every side in {name}", size)


# Methods add their own choices; ``warm_start`` and ``beliefs`` are checked against the inputs.
CHECKS: Mapping[str, Check] = {
    "agreement": at_least_zero,
    "batch_size": unless_none(whole),
    "bias": flag,
    "compression": at_least_zero,
    "constant_neurons": flag,
    "engine": _engine,
    "eps": share_above_zero,
    "hidden": _widths,
    "image_shape": unless_none(_image_shape),
    "input_scaling": choice(INPUT_SCALINGS),
    "integer_weights": flag,
    "levels": _levels,
    "links": share_above_zero,
    "margin": above_zero,
    "margin_share": share,
    "max_restarts": unless_none(from_zero),
    "max_splits": from_zero,
    "num_epochs": unless_none(whole),
    "num_replicas": whole,
    "num_steps": whole,
    "penalty": at_least_zero,
    "perturbed": whole,
    "radius": at_least_zero,
    "random_state": random_source,
    "stop_share": share,
    "temperatures": _temperatures,
    "threads": whole,
    "time_limit": check_time_limit,
    "validation_share": below_one,
    "verbose": flag,
    "width": whole,
    "work_limit": unless_none(above_zero),
    "zeros": below_one,
}
