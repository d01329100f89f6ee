"""Labels as they are given: frames, masked and nullable arrays, objects, floats that NumPy does not know."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.preprocessing.precision import with_known_floats

__all__ = ["plain_labels", "require_one_type"]


def plain_labels(y: Any) -> Any:
    """Labels as scikit-learn's checks take them, of the type that they have.

    Parameters
    ----------
    y : array-like [n]
        Labels; None is left to those checks.

    Raises
    ------
    ValueError
        Where a label is masked or missing, or labels are of several types.
    """
    if isinstance(y, np.ma.MaskedArray):
        masked = np.flatnonzero(np.ma.getmaskarray(y))
        if len(masked):
            raise ValueError(f"label {masked[0]} (from 0) is masked: fill it in or leave the sample out")
        return y.data
    y = with_known_floats(y)
    number_type = getattr(getattr(y, "dtype", None), "numpy_dtype", None)  # of nullable and Arrow columns
    if number_type is not None and not y.isna().any():
        return y.to_numpy(dtype=number_type)
    holds_objects = getattr(getattr(y, "dtype", None), "kind", "") == "O"
    if number_type is not None or holds_objects or isinstance(y, list | tuple):
        labels = np.asarray(y, dtype=object)
        if labels.ndim == 1 or labels.shape[1:] == (1,):
            require_one_type(labels.ravel())
    return y


def require_one_type(labels: NDArray) -> None:
    """Refuse labels that cannot be sorted: a missing one, or text among numbers.

    Parameters
    ----------
    labels : object ndarray [n]
        Labels.
    """
    found: dict[type, Any] = {}
    for row, label in enumerate(labels.tolist()):
        label = label.item() if isinstance(label, np.generic) else label
        if label is None or type(label).__name__ == "NAType" or (isinstance(label, float) and label != label):
            raise ValueError(
                f"label {row} (from 0) is missing, {label!r}: fill it in or leave the sample out"
            )
        found.setdefault(float if type(label) is int else type(label), label)
    if len(found) > 1:
        first, second, *_ = found.values()
        raise ValueError(
            f"labels are of several types, such as {first!r} ({type(first).__name__}) and {second!r} "
            f"({type(second).__name__}): write all as text or all as numbers"
        )
