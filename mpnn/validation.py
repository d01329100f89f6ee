"""Range checks of parameters, with one error message for every method."""

import numbers
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Check",
    "above_zero",
    "at_least_zero",
    "below_one",
    "check_parameters",
    "choice",
    "flag",
    "from_zero",
    "hidden_widths",
    "layer_sequence",
    "number",
    "one_of",
    "path",
    "random_source",
    "require_different_names",
    "share",
    "share_above_zero",
    "unless_none",
    "whole",
]

# Is given a parameter's name and value, and raises.
Check = Callable[[str, Any], object]


# Counts become int32 on devices.
LARGEST_COUNT = 2**31 - 1


def number(value: Any) -> float:
    """``value`` as a float; NaN where it is no real number, or a truth value.

    Parameters
    ----------
    value : object
        What is checked.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return np.nan
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return -np.inf if str(value).startswith("-") else np.inf


def whole(name: str, value: Any, at_least: int = 1, at_most: int | None = LARGEST_COUNT) -> int:
    """The whole number ``value``; NumPy's and whole floats are as good as Python's.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : int
        What is checked.
    at_least : int, default=1
        The smallest one.
    at_most : int or None, default=2147483647
        The largest one; None: any.
    """
    least = f"of at least {at_least}"
    if not number(value).is_integer() or value < at_least:
        raise ValueError(f"{name} must be a whole number {least}, got {value!r}")
    if at_most is not None and value > at_most:
        raise ValueError(f"{name} must be a whole number {least} and at most {at_most}, got {value!r}")
    return int(value)


def from_zero(name: str, value: Any) -> int:
    """The whole number ``value``, at least 0.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : int
        What is checked.
    """
    return whole(name, value, at_least=0)


def hidden_widths(hidden: Any) -> tuple[int, ...]:
    """The widths of the hidden layers, each at least 1; ``()`` for none.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    """
    return tuple(whole("every width in hidden", width) for width in layer_sequence(hidden))


def layer_sequence(hidden: Any) -> tuple[Any, ...]:
    """The items of ``hidden``, whatever they are; text, sets and what can be read once are no sequence.

    Parameters
    ----------
    hidden : sequence
        Widths or layers.
    """
    is_array = isinstance(hidden, np.ndarray) and hidden.ndim > 0
    if isinstance(hidden, str | bytes) or not (is_array or isinstance(hidden, Sequence)):
        raise ValueError(f"hidden must be a sequence of widths such as (4, 4), got {hidden!r}")
    return tuple(hidden)


def above_zero(name: str, value: Any) -> float:
    """The finite number ``value``, above 0.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not 0.0 < (found := number(value)) < np.inf:
        raise ValueError(f"{name} must be above 0 and finite, got {value!r}")
    return found


def at_least_zero(name: str, value: Any) -> float:
    """The finite number ``value``, at least 0.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not 0.0 <= (found := number(value)) < np.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")
    return found


def below_one(name: str, value: Any) -> float:
    """The number ``value``, at least 0 and below 1.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not 0.0 <= (found := number(value)) < 1.0:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return found


def share(name: str, value: Any) -> float:
    """The number ``value``, at least 0 and at most 1.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not 0.0 <= (found := number(value)) <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value!r}")
    return found


def share_above_zero(name: str, value: Any) -> float:
    """The number ``value``, above 0 and at most 1.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : float
        What is checked.
    """
    if not 0.0 < (found := number(value)) <= 1.0:
        raise ValueError(f"{name} must be in (0, 1], got {value!r}")
    return found


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


def one_of(name: str, value: Any, choices: Collection[str | None]) -> Any:
    """The text ``value``, one of a few, or None where that is one of them.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : str
        What is checked.
    choices : collection of str or None
        What it may be.
    """
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}")
    return value


def path(name: str, value: Any) -> Path:
    """The path ``value``.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : str or path
        What is checked.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise ValueError(f"{name} must be a path, such as 'folder/file', got {value!r}")
    if "\0" in os.fspath(value):
        raise ValueError(f"{name} must be a path, which holds no zero byte, got {os.fspath(value)!r}")
    return Path(value)


def random_source(name: str, value: Any) -> np.random.RandomState:
    """The source of randomness of a seed.

    Parameters
    ----------
    name : str
        Name of the parameter, for the error.
    value : int, RandomState or None
        What is checked; None: NumPy's global state.
    """
    from sklearn.utils import check_random_state  # whole and flag serve where scikit-learn is not loaded

    if isinstance(value, bool | np.bool_):
        raise _no_seed(name, value)
    try:
        return check_random_state(value)
    except (ValueError, TypeError) as error:
        raise _no_seed(name, value) from error


def _no_seed(name: str, value: Any) -> ValueError:
    return ValueError(
        f"{name} must be None, a whole number from 0 to 2**32 - 1 or a NumPy RandomState, got {value!r}"
    )


def choice(names: Collection[str | None]) -> Check:
    """A check of one of these names.

    Parameters
    ----------
    names : collection of str
        What there is.
    """
    return lambda name, value: one_of(name, value, names)


def unless_none(check: Check) -> Check:
    """A check that None passes.

    Parameters
    ----------
    check : callable
        Of all other values.
    """

    def checked(name: str, value: Any) -> None:
        if value is not None:
            check(name, value)

    return checked


def check_parameters(parameters: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Refuse what a table of checks refuses; parameters that are not in it pass.

    Parameters
    ----------
    parameters : mapping of str to object
        Of an estimator, as ``get_params(deep=False)`` returns them.
    checks : mapping of str to callable
        By name.
    """
    for name, value in parameters.items():
        if name in checks:
            checks[name](name, value)


def require_different_names(X: Any) -> None:
    """Refuse a table two of whose columns have one name.

    Parameters
    ----------
    X : array-like or table
        Inputs.
    """
    names = getattr(X, "columns", ())
    counts = Counter(name for name in names if isinstance(name, str))
    for name, count in counts.items():
        if count > 1:
            raise ValueError(f"{count} columns are called {name!r}: give each a name of its own")
