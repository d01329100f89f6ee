"""All inputs to all outputs."""

import dataclasses

from jax import Array

from mpnn.validation import whole

__all__ = ["DenseMap"]


@dataclasses.dataclass(frozen=True)
class DenseMap:
    """Inputs ``[N]`` to outputs ``[units]``: rows are samples.

    Parameters
    ----------
    units : int >= 1
        Outputs.
    """

    units: int

    def __post_init__(self) -> None:
        whole("units", self.units)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(units,)``."""
        if len(in_shape) != 1:
            raise ValueError(
                f"a dense layer needs inputs of one axis, got the shape {in_shape}: Flatten first"
            )
        return (self.units,)

    def fan_in(self, in_shape: tuple[int, ...]) -> int:
        """All inputs."""
        return in_shape[0]

    def pads(self, in_shape: tuple[int, ...]) -> bool:
        """No input is missing."""
        return False

    def unfold(self, inputs: Array) -> Array:
        """The inputs themselves."""
        return inputs

    def fold(self, rows: Array, in_shape: tuple[int, ...]) -> Array:
        """The rows themselves."""
        return rows
