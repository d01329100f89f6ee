"""Layers of networks: dense, convolution, pooling, residual."""

from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual

__all__ = ["Conv2D", "Dense", "Flatten", "MaxPool2D", "MeanPool2D", "Residual"]
