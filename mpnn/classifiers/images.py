"""Images as inputs: arrays of three or four axes become rows, and their shape is remembered."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpnn.validation import layer_sequence, whole

__all__ = ["as_rows", "checked_shape", "hidden_layers", "read_images", "reads_images"]

# Axes of images with one channel, and with several.
IMAGE_AXES = (3, 4)


def as_rows(X: Any, image_shape: Sequence[int] | None = None) -> tuple[Any, tuple[int, ...] | None]:
    """Images as rows ``[n, height width channels]``, and their shape; other inputs as they are.

    Parameters
    ----------
    X : array-like [n, height, width], [n, height, width, channels], or table
        Inputs.
    image_shape : sequence of int or None, default=None
        Height, width and channels that images must have; rows are flat images of it. None: any.

    Returns
    -------
    rows : array [n, features] or table
        In the order of the axes.
    shape : triple of int or None
        Of the images; of rows, ``image_shape``.

    Raises
    ------
    ValueError
        Where images or rows do not have the shape.
    """
    shape = checked_shape(image_shape)
    if _num_axes(X) in IMAGE_AXES:
        images = np.asarray(X)
        own = (*images.shape[1:], 1)[:3]
        if shape is not None and own != shape:
            raise ValueError(f"images must be of the shape {shape}, got {own}")
        return images.reshape(len(images), math.prod(own)), own
    if shape is not None and np.shape(X)[1:] != (size := math.prod(shape),):
        raise ValueError(
            f"flat images of the shape {shape} hold {size} numbers, got {math.prod(np.shape(X)[1:])}"
        )
    return X, shape


def read_images(
    X: Any, needed: bool, image_shape: Sequence[int] | None
) -> tuple[Any, tuple[int, ...] | None]:
    """Training images as rows, and their shape, which convolutions and shifts need.

    Parameters
    ----------
    X : array-like [n, height, width], [n, height, width, channels], [n, features], or table
        Inputs.
    needed : bool
        Whether inputs must be images; else tables and rows are fine, and ``image_shape`` says nothing.
    image_shape : sequence of int or None
        Height, width and channels of flat images.

    Returns
    -------
    rows : array [n, features] or table
        As of :func:`as_rows`.
    shape : triple of int or None
        Of the images.

    Raises
    ------
    ValueError
        Where inputs must be images and are none.
    """
    given = checked_shape(image_shape)
    rows, shape = as_rows(X, given if needed else None)
    if needed and shape is None:
        raise ValueError(
            f"convolutions and shifts need images [n, height, width(, channels)], got {np.shape(X)}: give "
            "image_shape=(height, width, channels) for flat images"
        )
    return rows, shape


def reads_images(hidden: Any) -> bool:
    """Whether hidden layers are given as objects, of which some need images.

    Parameters
    ----------
    hidden : sequence or str
        Widths and layers.
    """
    is_sequence = isinstance(hidden, Sequence) and not isinstance(hidden, str)
    return is_sequence and any(map(_is_spatial, hidden))


def _is_spatial(layer: Any) -> bool:
    """Whether an item is a layer, but not a dense one, which has a number of units, or a branch of these."""
    if hasattr(layer, "layers"):
        return any(map(_is_spatial, layer.layers))
    return hasattr(layer, "out_shape") and not hasattr(layer, "units")


def hidden_layers(hidden: Any) -> tuple[Any, ...]:
    """The hidden layers, checked: layer objects as they are, widths as whole numbers of at least 1.

    Parameters
    ----------
    hidden : sequence of int or Layer
        Of an estimator.
    """
    return tuple(
        item if hasattr(item, "out_shape") else whole("every width in hidden", item)
        for item in layer_sequence(hidden)
    )


def checked_shape(image_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """Height, width and channels, of which one channel may be left out; None as it is.

    Parameters
    ----------
    image_shape : sequence of int or None
        Of an estimator.
    """
    if image_shape is None:
        return None
    if not np.iterable(image_shape) or len(image_shape) not in (2, 3):
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape!r}")
    sides = tuple(whole("every side in image_shape", side) for side in image_shape)
    return (*sides, 1)[:3]


def _num_axes(X: Any) -> int:
    """Axes of an array, a frame, a sparse matrix, or of lists, by their first items."""
    if hasattr(X, "ndim"):
        return int(X.ndim)
    return 1 + _num_axes(X[0]) if isinstance(X, list | tuple) and len(X) else 0
