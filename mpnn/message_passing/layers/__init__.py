"""Layers of a network, one object each: shapes, beliefs, messages and the discrete pass."""

from mpnn.message_passing.layers.base import Labels, Layer, Place
from mpnn.message_passing.layers.kinds import Conv2D, Dense
from mpnn.message_passing.layers.linear import Linear
from mpnn.message_passing.layers.pooling import Flatten, MaxPool2D, MeanPool2D, Unflatten
from mpnn.message_passing.layers.residual import Residual

__all__ = [
    "LAYERS",
    "Conv2D",
    "Dense",
    "Flatten",
    "Labels",
    "Layer",
    "Linear",
    "MaxPool2D",
    "MeanPool2D",
    "Place",
    "Residual",
    "Unflatten",
]

# By the name that files know them by.
LAYERS: dict[str, type] = {
    kind.__name__: kind for kind in (Dense, Conv2D, MaxPool2D, MeanPool2D, Flatten, Unflatten, Residual)
}
