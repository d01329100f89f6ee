"""Mean field: every message uses the full magnetizations, no cavity anywhere.

Lucibello et al. 2022, eqs. 84-95: ``g = dphi(omega, V)``, ``B = m^T g``, ``H = x^T g``. Four matrix
products a layer. The joint argmax output always uses this rule.
"""

from typing import Any

from mpnn.linear_maps import products
from mpnn.message_passing.rules.base import (
    Derive,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    RequiredMessages,
    counted,
    gaussian_preactivation,
    precision_messages,
)

__all__ = ["backward", "forward", "init"]


def init(layer: Layer, inputs: Inputs) -> None:
    """No memory.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    """
    return


def forward(layer: Layer, inputs: Inputs, memory: None) -> Preactivation:
    """Gaussian pre-activation from the full moments.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    memory : object
        What the rule keeps between the sweeps over a batch.
    """
    return gaussian_preactivation(layer, inputs)


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    required: RequiredMessages,
) -> tuple[Messages, Any]:
    """Messages from the derivatives at the full pre-activation.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    preactivation : Preactivation
        Mean and variance of the pre-activations.
    derive : callable
        The derivatives of the channel's free energy, as a function of the pre-activation.
    memory : object
        What the rule keeps between the sweeps over a batch.
    required : RequiredMessages
        Which messages are required; static.
    """
    derivatives = derive(*preactivation)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    field = products.pull_weights(inputs.mean, counted(inputs, derivatives.gradient))
    down = products.pull_inputs(layer.mean, derivatives.gradient) if required.down else None
    return Messages(field, precision, down, down_precision), None
