"""Layers of a classifier's network: widths and layer objects in a row."""

from collections.abc import Sequence
from typing import Any

from mpnn.message_passing.layers import Dense, Flatten, Layer, Linear, Residual, Unflatten
from mpnn.validation import whole

__all__ = ["network_layers"]


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
        Options of :class:`mpnn.message_passing.layers.weighted.WeightedLayer`.
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
