"""Windows: which inputs the units of a convolution sum, in whole numbers.

An image ``[height, width, channels]`` is reduced by the largest of each square of signs, then by the sum of
each square, and every position of a window gives one sum for every kernel. A mean is a sum whose number is in
the thresholds; a pool before a dense layer is one window over all of the image. NumPy only.

Shapes: ``n`` images, ``G`` blocks side by side, ``Q`` positions, ``N`` inputs of a window (rows, columns,
channels, the channel fastest).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows"]


@dataclass(frozen=True)
class Windows:
    """Positions of a window over an image.

    Parameters
    ----------
    shape : triple of int
        Height, width and channels of the image below, of one block.
    window : pair of int
        Height and width of the window, in what the pools leave.
    stride : int, default=1
        Step between windows.
    margins : pair of int, default=(0, 0)
        Rows above and columns left of the image that the first window begins at; what lies outside is 0.
    out_shape : pair of int
        Rows and columns of positions.
    largest_of : int, default=1
        Side of the squares of signs whose largest is taken first; what is left over at the edge is dropped.
    sum_of : int, default=1
        Side of the squares that are summed then, likewise.
    """

    shape: tuple[int, int, int]
    window: tuple[int, int]
    out_shape: tuple[int, int]
    stride: int = 1
    margins: tuple[int, int] = (0, 0)
    largest_of: int = 1
    sum_of: int = 1

    def __post_init__(self) -> None:
        sizes = (*self.shape, *self.window, *self.out_shape, self.stride, self.largest_of, self.sum_of)
        if min(sizes) < 1 or min(self.margins) < 0:
            raise ValueError(f"sizes of windows must be at least 1, got {sizes}")
        axes = zip(self.pooled, self.window, self.margins, self.out_shape, strict=True)
        for side, window, margin, out in axes:
            start = (out - 1) * self.stride - margin
            if side < 1 or margin >= window or start >= side:
                raise ValueError(f"{out} windows of {window} do not fit into {side} inputs")

    @property
    def pooled(self) -> tuple[int, int]:
        """Height and width of what the pools leave."""
        side = self.largest_of * self.sum_of
        return self.shape[0] // side, self.shape[1] // side

    @property
    def num_pooled(self) -> int:
        """Units of one block that the pools leave."""
        return self.pooled[0] * self.pooled[1] * self.shape[2]

    @property
    def num_inputs(self) -> int:
        """Inputs of one block."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def fan_in(self) -> int:
        """N."""
        return self.window[0] * self.window[1] * self.shape[2]

    @property
    def positions(self) -> int:
        """Q."""
        return self.out_shape[0] * self.out_shape[1]

    @property
    def num_summed(self) -> int:
        """Inputs of one square, each of which a link multiplies."""
        return self.sum_of**2

    @property
    def pads(self) -> bool:
        """Whether a window reaches out of the image."""
        ends = (
            (out - 1) * self.stride - margin + window
            for out, margin, window in zip(self.out_shape, self.margins, self.window, strict=True)
        )
        return any(self.margins) or any(end > side for end, side in zip(ends, self.pooled, strict=True))

    def inside(self) -> NDArray[np.bool_]:
        """Which inputs of which position exist, ``[Q, N]``."""
        axes = zip(self.pooled, self.window, self.margins, self.out_shape, strict=True)
        within = []
        for side, window, margin, out in axes:
            places = np.arange(out)[:, None] * self.stride - margin + np.arange(window)
            within.append((places >= 0) & (places < side))
        rows, columns = within
        both = rows[:, None, :, None] & columns[None, :, None, :]
        return np.repeat(both.reshape(self.positions, -1), self.shape[2], axis=1)

    def patches(self, images: NDArray) -> NDArray:
        """Inputs ``[n, Q, N]`` of images ``[n, height * width * channels]``, numbers of any type.

        Parameters
        ----------
        images : ndarray [n, height * width * channels]
            Images; signs, where the largest of squares is taken.
        """
        return self._cut(self._pool(images.reshape(len(images), *self.shape)))

    def squares(self, image: NDArray, size: int) -> NDArray:
        """Squares ``[n, h', w', size, size, channels]`` of images ``[n, h, w, channels]``."""
        number, height, width, channels = image.shape
        height, width = height // size, width // size
        cut = image[:, : height * size, : width * size]
        return cut.reshape(number, height, size, width, size, channels).transpose(0, 1, 3, 2, 4, 5)

    def _pool(self, image: NDArray) -> NDArray:
        if self.largest_of > 1:
            image = self.squares(image, self.largest_of).max(axis=(3, 4))
        if self.sum_of > 1:
            image = self.squares(image, self.sum_of).sum(axis=(3, 4), dtype=image.dtype)
        return image

    def _cut(self, image: NDArray) -> NDArray:
        number, channels = len(image), self.shape[2]
        spans = [(out - 1) * self.stride + 1 for out in self.out_shape]
        if self.pads:
            reach = [span - 1 + window for span, window in zip(spans, self.window, strict=True)]
            padded = np.zeros((number, *(max(r, 1) for r in reach), channels), image.dtype)
            (top, left), (height, width) = self.margins, self.pooled
            height, width = min(height, reach[0] - top), min(width, reach[1] - left)
            padded[:, top : top + height, left : left + width] = image[:, :height, :width]
            image = padded
        shifted = [
            image[:, top : top + spans[0] : self.stride, left : left + spans[1] : self.stride]
            for top in range(self.window[0])
            for left in range(self.window[1])
        ]
        return np.concatenate(shifted, axis=-1).reshape(number, self.positions, self.fan_in)

    def places(self) -> NDArray[np.int64]:
        """Each link's inputs by number, ``[Q, N, sum_of^2, largest_of^2]``; ``num_inputs``: there is none.

        The same as :meth:`patches`, written as a list.
        """
        width, channels = self.shape[1:]
        side, found = self.largest_of * self.sum_of, []
        for row in range(self.out_shape[0]):
            for column in range(self.out_shape[1]):
                top, left = (row * self.stride - self.margins[0], column * self.stride - self.margins[1])
                for y in range(top, top + self.window[0]):
                    for x in range(left, left + self.window[1]):
                        exists = 0 <= y < self.pooled[0] and 0 <= x < self.pooled[1]
                        corner = (y * side * width + x * side) * channels
                        for channel in range(channels):
                            found += (
                                [
                                    corner + (down * width + right) * channels + channel
                                    for down, right in _in_squares(self.sum_of, self.largest_of)
                                ]
                                if exists
                                else [self.num_inputs] * side**2
                            )
        shape = (self.positions, self.fan_in, self.num_summed, self.largest_of**2)
        return np.array(found, np.int64).reshape(shape)


def _in_squares(outer: int, inner: int) -> list[tuple[int, int]]:
    """Rows and columns inside a square of squares, square by square."""
    return [
        (top * inner + row, left * inner + column)
        for top in range(outer)
        for left in range(outer)
        for row in range(inner)
        for column in range(inner)
    ]
