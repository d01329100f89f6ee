"""Maps that are linear in the weights and linear in the inputs.

Mean field and AMP see a layer only through three contractions, applied to means, variances and their
squares alike; a map that provides them (a convolution, say) gets those rules for free.
"""

import jax.numpy as jnp
from jax import Array

__all__ = ["Dense"]


class Dense:
    """All-to-all: weights ``[inputs, outputs]``, inputs ``[batch, inputs]``, outputs ``[batch, outputs]``."""

    @staticmethod
    def contract(weights: Array, inputs: Array) -> Array:
        """Outputs from inputs: ``sum_i inputs[b, i] weights[i, k]``."""
        return jnp.matmul(inputs, weights)

    @staticmethod
    def pull_inputs(weights: Array, outputs: Array) -> Array:
        """Back to the inputs: ``sum_k outputs[b, k] weights[i, k]``."""
        return jnp.matmul(outputs, weights.T)

    @staticmethod
    def pull_weights(inputs: Array, outputs: Array) -> Array:
        """Back to the weights: ``sum_b inputs[b, i] outputs[b, k]``."""
        return jnp.matmul(inputs.T, outputs)
