"""Layers of networks: dense, convolution, pooling, residual, shapes."""

from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual, Unflatten

__all__ = ["Conv2D", "Dense", "Flatten", "MaxPool2D", "MeanPool2D", "Residual", "Unflatten"]
