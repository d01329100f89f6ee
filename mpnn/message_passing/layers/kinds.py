"""The layers with weights by name: dense ones and convolutions."""

import dataclasses

from mpnn.linear_maps.conv import ConvMap
from mpnn.linear_maps.dense import DenseMap
from mpnn.message_passing.layers.linear import Linear

__all__ = ["Conv2D", "Dense"]


@dataclasses.dataclass(frozen=True)
class Dense(Linear):
    """All inputs to all units: ``[N]`` to ``[units]``.

    Parameters
    ----------
    units : int
        Number of units, at least 1.

    Notes
    -----
    All options of :class:`~mpnn.message_passing.layers.weighted.WeightedLayer` are keywords, too.
    """

    units: int

    @property
    def linear_map(self) -> DenseMap:
        """All to all."""
        return DenseMap(self.units)


@dataclasses.dataclass(frozen=True)
class Conv2D(Linear):
    """A convolution: images ``[height, width, channels]`` to ``[height', width', channels']``.

    Parameters
    ----------
    channels : int
        Output channels, at least 1. Weights and biases are those of one position; their beliefs take the
        messages of all positions.
    size : int
        Height and width of the window, at least 1.
    stride : int, default=1
        Step between windows, at least 1.
    padding : {"valid", "same"}, default="valid"
        Windows inside the image, or zeros around it.

    Notes
    -----
    All options of :class:`~mpnn.message_passing.layers.weighted.WeightedLayer` are keywords, too.
    """

    channels: int
    size: int
    stride: int = 1
    padding: str = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.linear_map  # refuses sizes

    @property
    def linear_map(self) -> ConvMap:
        """Patches as rows."""
        return ConvMap(self.channels, self.size, self.stride, self.padding)
