"""Linear maps as rules and gradients use them: unfold, multiply, fold.

A map defines which inputs each of its outputs sums. It *unfolds* inputs ``[B, *in_shape]`` to rows
``[B positions, fan in]``, one for every sample and position, on which weights ``[fan in, units]`` act by
matrix products (:mod:`mpnn.linear_maps.products`), and *folds* rows back by the transpose, which is a sum.
"""

from typing import NamedTuple, Protocol

from jax import Array

__all__ = ["LinearMap", "Moments"]


class Moments(NamedTuple):
    """First two moments of weights or of units, elementwise.

    Parameters
    ----------
    mean : Array
        Means.
    variance : Array
        Variances, >= 0.
    """

    mean: Array
    variance: Array


class LinearMap(Protocol):
    """Static, hashable; shapes are those of one sample."""

    @property
    def units(self) -> int:
        """Outputs of one position."""

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the outputs, units last; a ValueError names what does not fit.

        Parameters
        ----------
        in_shape : tuple of int
            Shape of one sample of the inputs.
        """

    def fan_in(self, in_shape: tuple[int, ...]) -> int:
        """Inputs that one output sums.

        Parameters
        ----------
        in_shape : tuple of int
            Shape of one sample of the inputs.
        """

    def pads(self, in_shape: tuple[int, ...]) -> bool:
        """Whether some positions sum inputs that do not exist, which are 0.

        Parameters
        ----------
        in_shape : tuple of int
            Shape of one sample of the inputs.
        """

    def unfold(self, inputs: Array) -> Array:
        """Rows ``[B positions, fan in]`` of inputs ``[B, *in_shape]``.

        Parameters
        ----------
        inputs : Array [B, *in_shape]
            Inputs.
        """

    def fold(self, rows: Array, in_shape: tuple[int, ...]) -> Array:
        """Sum rows back to inputs ``[B, *in_shape]``: the transpose of :meth:`unfold`.

        Parameters
        ----------
        rows : Array [B positions, fan in]
            Rows.
        in_shape : tuple of int
            Shape of one sample of the inputs.
        """
