"""The way through a network of layer objects: what each layer with weights reads, and what is added to it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from mpnn.integer_networks.windows import Windows

__all__ = ["Path"]

RESHAPING = ("Flatten", "Unflatten", "Reshape")


class Fork:
    """Where a residual link begins; layers are known by the names of their kinds, and the steps of gradient
    networks, which are unfolded, have one of this name, too.
    """


class Path:
    """Windows and residual links of the layers with weights; pools become part of the layer above them.

    Parameters
    ----------
    name : str
        Of the classifier, for messages.
    layers : sequence of Layer
        From inputs to outputs: with ``linear_map`` where they have weights, ``layers`` where they are a
        residual branch, else ``out_shape`` or ``shape``.
    in_shape : tuple of int
        Of one sample of the inputs.

    Attributes
    ----------
    windows : list
        One a layer, None of dense ones that read units as they are.
    links : list
        One a layer: the number of the layer whose inputs are added to its sums, None: no inputs are.

    Raises
    ------
    ValueError
        If a layer is of a kind that is not exported.
    """

    def __init__(self, name: str, layers: Sequence[Any], in_shape: tuple[int, ...]) -> None:
        self.windows: list[Windows | None] = []
        self.links: list[int | None] = []
        self._name, self._shape, self._image = name, in_shape, in_shape
        self._largest_of, self._sum_of = 1, 1
        # of links that have begun: the layer above, and the pools that came before
        self._begun: list[tuple[int, int, int]] = []
        for layer, ends_link in _unfolded(layers):
            self._pass(layer, ends_link)

    @property
    def _is_pooled(self) -> bool:
        return self._largest_of * self._sum_of > 1

    def _pass(self, layer: Any, ends_link: bool) -> None:
        kind, after = type(layer).__name__, _shape_after(layer, self._shape)
        if kind == "Fork":
            self._begun.append((len(self.windows), self._largest_of, self._sum_of))
        elif hasattr(layer, "linear_map"):
            self._weigh(layer.linear_map, ends_link)
        elif kind == "MeanPool2D":
            self._sum_of *= layer.size
        elif kind == "MaxPool2D" and self._sum_of == 1 and self.windows:
            self._largest_of *= layer.size
        elif kind not in RESHAPING or (self._is_pooled and len(after) > 1):
            raise self._refused(f"layers of the kind {kind} are not, where they stand")
        self._shape = after
        if not self._is_pooled:
            self._image = after

    def _weigh(self, linear_map: Any, ends_link: bool) -> None:
        """A layer with weights: it takes up the pools before it."""
        own, pools = None, (self._largest_of, self._sum_of)
        if len(self._shape) > 1 or self._is_pooled:
            own = _windows(linear_map, self._image, self._shape, *pools)
        if any(begun[0] == len(self.windows) and begun[1:] != pools for begun in self._begun):
            raise self._refused("a residual branch that begins with a pool is not")
        self.windows.append(own)
        self.links.append(self._end_of_link() if ends_link else None)
        self._largest_of, self._sum_of = 1, 1

    def _end_of_link(self) -> int:
        below, _, sum_of = self._begun.pop()
        if sum_of > 1 and below:
            raise self._refused("a residual link that carries means is not: put MeanPool2D after it")
        return below

    def _refused(self, reason: str) -> ValueError:
        return ValueError(f"{self._name} cannot be exported: {reason}")


def _unfolded(layers: Sequence[Any]) -> Iterator[tuple[Any, bool]]:
    """Layers one after the other, and whether a residual link ends at them; forks before its branch."""
    for layer in layers:
        if not hasattr(layer, "layers"):
            yield layer, bool(getattr(layer, "joins", 0))
            continue
        *branch, (last, _) = _unfolded(layer.layers)
        yield Fork(), False
        yield from branch
        yield last, True


def _shape_after(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if hasattr(layer, "linear_map"):
        return tuple(layer.linear_map.out_shape(shape))
    kind = type(layer).__name__
    if kind == "Fork":
        return shape
    return tuple(layer.shape if kind == "Reshape" else layer.out_shape(shape))


def _windows(
    linear_map: Any, image: tuple[int, ...], shape: tuple[int, ...], largest_of: int, sum_of: int
) -> Windows:
    """Windows of a map over an image, pooled to ``shape``, or flattened then."""
    height, width, channels = image
    pooled = (height // (largest_of * sum_of), width // (largest_of * sum_of))
    window, out_shape, stride, margins = pooled, (1, 1), 1, (0, 0)
    if len(shape) > 1:
        window, stride = (linear_map.size, linear_map.size), linear_map.stride
        out_shape = linear_map.out_shape(shape)[:2]
        if linear_map.padding == "same":
            top, left = map(partial(_margin, linear_map.size, stride), out_shape, shape[:2])
            margins = (top, left)
    return Windows((height, width, channels), window, out_shape, stride, margins, largest_of, sum_of)


def _margin(window: int, stride: int, out: int, side: int) -> int:
    """Zeros before an axis; where their number is odd, the one more is behind it."""
    return max((out - 1) * stride + window - side, 0) // 2
