"""Convolutions as rows of patches."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.validation import one_of, whole

__all__ = ["PADDINGS", "ConvMap", "convolve"]

PADDINGS = ("valid", "same")


@dataclasses.dataclass(frozen=True)
class ConvMap:
    """Images ``[height, width, channels]`` to images ``[height', width', units]``.

    Parameters
    ----------
    units : int
        Output channels, at least 1.
    size : int
        Height and width of the window, at least 1.
    stride : int, default=1
        Step between windows, at least 1.
    padding : {"valid", "same"}, default="valid"
        ``"valid"``: windows lie inside the image. ``"same"``: zeros around the image, so that a stride of 1
        keeps its size; where their number is odd, the one more is below and to the right.

    Notes
    -----
    The fan-in runs over rows, columns and channels of the window, the channel fastest.
    """

    units: int
    size: int
    stride: int = 1
    padding: str = "valid"

    def __post_init__(self) -> None:
        for name in ("units", "size", "stride"):
            whole(name, getattr(self, name))
        one_of("padding", self.padding, PADDINGS)

    def out_shape(self, in_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(height', width', units)``."""
        if len(in_shape) != 3:
            raise ValueError(
                f"a convolution needs inputs [height, width, channels], got the shape {in_shape}"
            )
        if self.padding == "same":
            spatial = tuple(-(-side // self.stride) for side in in_shape[:2])
        else:
            spatial = tuple((side - self.size) // self.stride + 1 for side in in_shape[:2])
        if min(spatial) < 1:
            raise ValueError(
                f"a window of {self.size} x {self.size} does not fit into {in_shape[0]} x {in_shape[1]} "
                "inputs: take a smaller size, or padding='same'"
            )
        return (*spatial, self.units)

    def fan_in(self, in_shape: tuple[int, ...]) -> int:
        """``size^2 channels``."""
        return self.size**2 * in_shape[2]

    def pads(self, in_shape: tuple[int, ...]) -> bool:
        """Whether zeros stand around the image."""
        return any(before or after for before, after in self._margins(in_shape))

    def unfold(self, inputs: Array) -> Array:
        """Patches ``[B height' width', fan in]``."""
        in_shape = inputs.shape[1:]
        height, width, _ = self.out_shape(in_shape)
        margins = self._margins(in_shape)
        if self.pads(in_shape):
            inputs = jnp.pad(inputs, ((0, 0), *margins, (0, 0)))
        rows, columns = (self.stride * (count - 1) + 1 for count in (height, width))
        shifted = [
            inputs[:, top : top + rows : self.stride, left : left + columns : self.stride]
            for top in range(self.size)
            for left in range(self.size)
        ]
        return jnp.concatenate(shifted, axis=-1).reshape(-1, self.fan_in(in_shape))

    def fold(self, rows: Array, in_shape: tuple[int, ...]) -> Array:
        """Sum patches ``[B height' width', fan in]`` back to ``[B, *in_shape]``.

        The padded image is split into ``stride^2`` lattices of pixels, each summed on its own: the transpose
        of :meth:`unfold` as JAX derives it adds an image for every pixel of the window, most of it zeros.
        """
        height, width, _ = self.out_shape(in_shape)
        patches = rows.reshape(-1, height, width, self.size, self.size, in_shape[2])
        steps = range(self.stride)
        lattices = [jnp.stack([self._lattice(patches, top, left) for left in steps], 3) for top in steps]
        images = jnp.stack(lattices, 2)
        _, tall, _, wide, _, _ = images.shape
        images = images.reshape(-1, self.stride * tall, self.stride * wide, in_shape[2])
        for axis, (before, _) in enumerate(self._margins(in_shape), start=1):
            images = _cut(images, axis, before, in_shape[axis - 1])
        return images

    def _lattice(self, patches: Array, top: int, left: int) -> Array:
        """Sums at every stride-th pixel of the padded image, from ``(top, left)`` on."""
        batch, height, width, _, _, channels = patches.shape
        more = -(-self.size // self.stride) - 1
        total = jnp.zeros((batch, height + more, width + more, channels), patches.dtype)
        for row in range(top, self.size, self.stride):
            for column in range(left, self.size, self.stride):
                down, right = row // self.stride, column // self.stride
                around = ((0, 0), (down, more - down), (right, more - right), (0, 0))
                total = total + jnp.pad(patches[:, :, :, row, column], around)
        return total

    def _margins(self, in_shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Zeros before and after, of both axes."""
        if self.padding == "valid":
            return ((0, 0), (0, 0))
        margins = []
        for side in in_shape[:2]:
            total = max((-(-side // self.stride) - 1) * self.stride + self.size - side, 0)
            margins.append((total // 2, total - total // 2))
        return tuple(margins)


def _cut(images: Array, axis: int, before: int, size: int) -> Array:
    """``size`` pixels of an axis, less those before; zeros where no window reached."""
    missing = [(0, 0)] * images.ndim
    missing[axis] = (0, max(0, before + size - images.shape[axis]))
    return jax.lax.slice_in_dim(jnp.pad(images, missing), before, before + size, axis=axis)


def convolve(images: Array, kernel: Array, stride: int = 1) -> Array:
    """Convolution with zero padding.

    XLA's derivatives of convolutions are plain loops on a CPU, far slower than the same sums as one
    matrix product.

    Parameters
    ----------
    images : Array [B, height, width, in]
        Images.
    kernel : Array [rows, columns, in, out]
        Weights.
    stride : int >= 1, default=1
        Step of the kernel, in pixels.
    """
    return jax.lax.platform_dependent(
        images, kernel, cpu=partial(_convolve_by_product, stride), default=partial(_convolve, stride)
    )


def _convolve(stride: int, images: Array, kernel: Array) -> Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(images, kernel, (stride, stride), "SAME", dimension_numbers=layout)


def _convolve_by_product(stride: int, images: Array, kernel: Array) -> Array:
    rows, _, _, channels = kernel.shape
    windows = ConvMap(channels, rows, stride, "same")
    out_shape = windows.out_shape(images.shape[1:])
    return (windows.unfold(images) @ kernel.reshape(-1, channels)).reshape(-1, *out_shape)
