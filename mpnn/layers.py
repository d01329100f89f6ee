"""Layers of networks: what stands between the inputs and the output."""

from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual

__all__ = ["Conv2D", "Dense", "Flatten", "MaxPool2D", "MeanPool2D", "Residual"]
