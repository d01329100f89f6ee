"""Layers of a classifier's network: widths and layer objects in a row, and images as inputs."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.message_passing.layers import Dense, Flatten, Layer, Linear, Residual, Unflatten
from mpnn.validation import whole

__all__ = ["checked_shape", "flat_images", "hidden_layers", "network_layers", "reads_images"]


def reads_images(hidden: Any) -> bool:
    """Whether hidden layers are given as objects, of which some need images.

    Parameters
    ----------
    hidden : sequence or str
        Widths and layers.
    """
    return not isinstance(hidden, str) and np.iterable(hidden) and any(map(_is_spatial, hidden))


def _is_spatial(layer: Any) -> bool:
    return hasattr(layer, "out_shape") and not isinstance(layer, Dense)


def hidden_layers(hidden: Any) -> tuple[Any, ...]:
    """The hidden layers, checked: layer objects as they are, widths as whole numbers of at least 1.

    Parameters
    ----------
    hidden : sequence of int or Layer
        Of an estimator.
    """
    if isinstance(hidden, str) or not np.iterable(hidden):
        raise ValueError(f"hidden must be a sequence of widths such as (4, 4), got {hidden!r}")
    return tuple(
        item if hasattr(item, "out_shape") else whole("every width in hidden", item) for item in hidden
    )


def flat_images(X: ArrayLike, image_shape: Sequence[int] | None) -> tuple[NDArray, tuple[int, ...]]:
    """Images as rows ``[n, height width channels]``, and their shape.

    Parameters
    ----------
    X : array-like [n, height, width], [n, height, width, channels] or [n, features]
        Images.
    image_shape : sequence of int or None
        Height, width and channels of flat images; None: that of ``X``.

    Raises
    ------
    ValueError
        Where the shape is not known, or another than ``image_shape``.
    """
    images, shape = np.asarray(X), checked_shape(image_shape)
    if images.ndim in (3, 4):
        own = (*images.shape[1:], 1)[:3]
        if shape is not None and own != shape:
            raise ValueError(f"images must be of the shape {shape}, got {own}")
        return images.reshape(len(images), math.prod(own)), own
    if shape is None:
        raise ValueError(
            f"convolutions need images [n, height, width(, channels)], got the shape {images.shape}: give "
            "image_shape=(height, width, channels) for flat images"
        )
    if images.ndim == 2 and images.shape[1] != math.prod(shape):
        raise ValueError(
            f"flat images of the shape {shape} hold {math.prod(shape)} numbers, got {images.shape[1]}"
        )
    return images, shape


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


def network_layers(
    hidden: Sequence[Any], num_outputs: int, image_shape: Sequence[int] | None, **options: Any
) -> tuple[Layer, ...]:
    """All layers of a network, what they leave open filled in.

    Parameters
    ----------
    hidden : sequence of int or Layer
        Widths of dense layers, or layers; images are flattened before the first dense one.
    num_outputs : int >= 1
        Units of the last layer.
    image_shape : sequence of int or None
        Shape of the images that flat inputs are; None: they are none.
    **options : keyword arguments
        Options of :class:`mpnn.message_passing.layers.linear.Linear`.
    """
    layers: list[Any] = [] if image_shape is None else [Unflatten(tuple(image_shape))]
    flat = image_shape is None
    for item in (*hidden, num_outputs):
        layer = item if hasattr(item, "out_shape") else Dense(whole("every width in hidden", item))
        if isinstance(layer, Dense) and not flat:
            layers.append(Flatten())
        flat = flat or isinstance(layer, Dense | Flatten)
        layers.append(layer.complete(**options) if isinstance(layer, Linear | Residual) else layer)
    return tuple(layers)
