"""Mean field: every message uses the full magnetizations, no cavity anywhere.

Lucibello et al. 2022, eqs. 84-95: ``g = dphi(omega, V)``, ``B = m^T g``, ``H = x^T g``. Four matrix
products a layer. The joint argmax output always uses this rule.
"""

from typing import Any

from mpnn.linear_maps.dense import Dense
from mpnn.message_passing.rules.base import (
    Derive,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    Wants,
    gaussian_preactivation,
    precision_messages,
)

__all__ = ["backward", "forward", "init"]


def init(layer: Layer, inputs: Inputs) -> None:
    """Nothing to remember."""
    return


def forward(layer: Layer, inputs: Inputs, memory: None) -> Preactivation:
    """Gaussian pre-activation from the full moments."""
    return gaussian_preactivation(layer, inputs)


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    wants: Wants,
) -> tuple[Messages, Any]:
    """Messages from the derivatives at the full pre-activation."""
    derivatives = derive(*preactivation)
    precision, down_precision = precision_messages(layer, inputs, derivatives, wants)
    field = Dense.pull_weights(inputs.mean, derivatives.gradient)
    down = Dense.pull_inputs(layer.mean, derivatives.gradient) if wants.down else None
    return Messages(field, precision, down, down_precision), None
