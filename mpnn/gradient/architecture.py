"""The way through a network, step by step: layers with weights, what lies between them, residual links.

Hidden layers are widths or the layer objects of :mod:`mpnn.layers`, which are asked for their shapes, their
linear map and what they do to units; how messages pass through them is not of interest here. Shapes are
those of one sample.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from mpnn.linear_maps.base import LinearMap
from mpnn.linear_maps.dense import DenseMap

__all__ = ["Fork", "Reshape", "Step", "Through", "Weighted", "steps_of"]

# Options of a layer that say what the network is, and are here chosen for all layers at once.
OPTIONS_OF_ALL = ("weights", "activation", "bias", "density", "messages")


class Through(NamedTuple):
    """A layer without weights.

    Parameters
    ----------
    layer : Layer
        Has ``apply((), units)`` and, of means and variances, ``pooled(units)``.
    """

    layer: Any


class Reshape(NamedTuple):
    """Samples of another shape.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    """

    shape: tuple[int, ...]


class Fork(NamedTuple):
    """Where a residual link begins."""


class Weighted(NamedTuple):
    """A layer with weights.

    Parameters
    ----------
    linear_map : LinearMap
        Which inputs a unit sums.
    in_shape, out_shape : tuple of int
        Of its inputs and outputs.
    joins : int, default=0
        Residual links that end at its pre-activations.
    """

    linear_map: LinearMap
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    joins: int = 0

    @property
    def fan_in(self) -> int:
        """Inputs that a unit sums."""
        return self.linear_map.fan_in(self.in_shape)


Step: TypeAlias = Through | Reshape | Fork | Weighted


def steps_of(widths: Sequence[Any], image_shape: tuple[int, ...] | None) -> tuple[Step, ...]:
    """All steps of a network, the last one a dense layer of the outputs.

    Parameters
    ----------
    widths : sequence of int or Layer
        Inputs, hidden widths and layers, outputs; images are flattened before the first dense layer.
    image_shape : tuple of int or None
        Height, width and channels of the images that flat inputs are; None: they are none.

    Raises
    ------
    ValueError
        Where a layer does not fit, or has options of its own.
    """
    shape: tuple[int, ...] = (int(widths[0]),)
    steps: list[Step] = []
    if image_shape is not None:
        shape = image_shape
        steps.append(Reshape(shape))
    for item in widths[1:]:
        dense = not hasattr(item, "out_shape") or hasattr(item, "units")
        if dense and len(shape) > 1:
            shape = (math.prod(shape),)
            steps.append(Reshape(shape))
        for step, after in _steps_of_layer(item, shape):
            steps.append(step)
            shape = after
    return tuple(steps)


def _steps_of_layer(item: Any, shape: tuple[int, ...]) -> Iterator[tuple[Step, tuple[int, ...]]]:
    """Steps of a width or layer, each with the shape after it."""
    if hasattr(item, "layers"):  # a residual branch keeps the shape
        yield Fork(), shape
        *steps, (last, shape_after) = _steps_of_branch(item.layers, shape)
        yield from steps
        if shape_after != shape or not isinstance(last, Weighted):
            raise ValueError(
                f"a residual branch ends with weights and keeps the shape {shape}, got {shape_after}"
            )
        yield last._replace(joins=last.joins + 1), shape
    elif not hasattr(item, "out_shape"):
        yield _weighted(DenseMap(item), shape)
    elif hasattr(item, "linear_map"):
        _check_options(item)
        yield _weighted(item.linear_map, shape)
    else:
        yield Through(item), item.out_shape(shape)


def _steps_of_branch(layers: Sequence[Any], shape: tuple[int, ...]) -> list[tuple[Step, tuple[int, ...]]]:
    steps: list[tuple[Step, tuple[int, ...]]] = []
    for layer in layers:
        steps.extend(_steps_of_layer(layer, shape if not steps else steps[-1][1]))
    return steps


def _weighted(linear_map: LinearMap, shape: tuple[int, ...]) -> tuple[Weighted, tuple[int, ...]]:
    after = linear_map.out_shape(shape)
    return Weighted(linear_map, shape, after), after


def _check_options(layer: Any) -> None:
    for name in OPTIONS_OF_ALL:
        if (value := getattr(layer, name, None)) is not None:
            raise ValueError(
                f"layers trained by gradients share their {name}: leave it out of the layer, got {value!r}"
            )
