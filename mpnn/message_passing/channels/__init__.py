"""Channels: the factor of a unit or an output given its Gaussian pre-activation."""

from mpnn.message_passing.channels.base import VARIANCE_FLOOR, Derivatives, Derive
from mpnn.message_passing.channels.hidden import ACTIVATIONS, HiddenChannel, Identity, ReLU, Sign
from mpnn.message_passing.channels.outputs import OUTPUTS, Argmax, BinaryLabel, OutputChannel

__all__ = [
    "ACTIVATIONS",
    "OUTPUTS",
    "VARIANCE_FLOOR",
    "Argmax",
    "BinaryLabel",
    "Derivatives",
    "Derive",
    "HiddenChannel",
    "Identity",
    "OutputChannel",
    "ReLU",
    "Sign",
]
