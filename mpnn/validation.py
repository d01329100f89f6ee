"""Range checks of parameters, with one error message for every method."""

import numbers
from typing import Any

import numpy as np

__all__ = ["above_zero", "at_least_zero", "below_one", "flag", "hidden_widths", "whole"]


def whole(name: str, value: Any) -> int:
    """The whole number ``value``, at least 1; NumPy's and whole floats are as good as Python's.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : int
        What is checked.
    """
    is_whole = _is_real(value) and float(value).is_integer()
    if not is_whole or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def hidden_widths(hidden: Any) -> tuple[int, ...]:
    """The widths of the hidden layers, each at least 1; ``()`` for none.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    """
    if isinstance(hidden, str) or not np.iterable(hidden):
        raise ValueError(f"hidden must be a sequence of widths such as (4, 4), got {hidden!r}")
    return tuple(whole("every width in hidden", width) for width in hidden)


def above_zero(name: str, value: Any) -> float:
    """The finite number ``value``, above 0.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not (_is_real(value) and 0.0 < value < np.inf):
        raise ValueError(f"{name} must be above 0 and finite, got {value!r}")
    return float(value)


def at_least_zero(name: str, value: Any) -> float:
    """The finite number ``value``, at least 0.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not (_is_real(value) and 0.0 <= value < np.inf):
        raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")
    return float(value)


def below_one(name: str, value: Any) -> float:
    """The number ``value``, at least 0 and below 1.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not (_is_real(value) and 0.0 <= value < 1.0):
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """The truth value ``value``.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : bool
        What is checked.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
