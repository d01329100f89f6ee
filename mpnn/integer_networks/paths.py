"""The way through a network of layer objects: which windows each layer with weights reads its inputs by."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mpnn.integer_networks.windows import Windows

__all__ = ["windows_along"]

RESHAPING = ("Flatten", "Unflatten", "Reshape")


def windows_along(name: str, layers: Sequence[Any], in_shape: tuple[int, ...]) -> tuple[Windows | None, ...]:
    """Windows of every layer with weights, None of dense ones that read units as they are.

    Pools become part of the layer above them.

    Parameters
    ----------
    name : str
        Of the classifier, for messages.
    layers : sequence of Layer
        From inputs to outputs: with ``linear_map`` where they have weights, else ``out_shape`` or ``shape``.
    in_shape : tuple of int
        Of one sample of the inputs.

    Raises
    ------
    ValueError
        If a layer is of a kind that is not exported.
    """
    windows: list[Windows | None] = []
    shape, image, largest_of, sum_of = in_shape, in_shape, 1, 1
    for layer in layers:
        kind, pooled, after = type(layer).__name__, largest_of * sum_of > 1, _shape_after(layer, shape)
        if hasattr(layer, "linear_map") and not getattr(layer, "joins", 0):
            own = None
            if len(shape) > 1 or pooled:
                own = _windows(layer.linear_map, image, shape, largest_of, sum_of)
            windows.append(own)
            largest_of, sum_of = 1, 1
        elif kind == "MeanPool2D":
            sum_of *= layer.size
        elif kind == "MaxPool2D" and sum_of == 1 and windows:
            largest_of *= layer.size
        elif kind not in RESHAPING or (pooled and len(after) > 1):
            if kind not in (*RESHAPING, "MaxPool2D"):
                kind = "Residual"
            raise ValueError(
                f"{name} cannot be exported: layers of the kind {kind} are not, where they stand"
            )
        shape = after
        if largest_of * sum_of == 1:
            image = shape
    return tuple(windows)


def _shape_after(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if hasattr(layer, "linear_map"):
        return tuple(layer.linear_map.out_shape(shape))
    kind = type(layer).__name__
    if kind == "Fork":  # where a residual link begins
        return shape
    return tuple(layer.shape if kind == "Reshape" else layer.out_shape(shape))


def _windows(
    linear_map: Any, image: tuple[int, ...], shape: tuple[int, ...], largest_of: int, sum_of: int
) -> Windows:
    """Windows of a map over an image, pooled to ``shape``, or flattened then."""
    height, width, channels = image
    pooled = (height // (largest_of * sum_of), width // (largest_of * sum_of))
    window, out_shape, stride, margins = pooled, (1, 1), 1, (0, 0)
    if len(shape) > 1:
        window, stride = (linear_map.size, linear_map.size), linear_map.stride
        out_shape = linear_map.out_shape(shape)[:2]
        if linear_map.padding == "same":
            top, left = map(partial(_margin, linear_map.size, stride), out_shape, shape[:2])
            margins = (top, left)
    return Windows((height, width, channels), window, out_shape, stride, margins, largest_of, sum_of)


def _margin(window: int, stride: int, out: int, side: int) -> int:
    """Zeros before an axis; where their number is odd, the one more is behind it."""
    return max((out - 1) * stride + window - side, 0) // 2
