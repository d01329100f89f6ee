"""Random changes of training images that leave their labels as they are, inside a compiled step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Augment", "ImageAugmentation", "random_shifts"]

# (key, inputs [B, N]) -> inputs [B, N]; hashable, because compiled programs are kept by it.
Augment: TypeAlias = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class ImageAugmentation:
    """Mirror images left to right and shift them, each by its own random number of pixels.

    Parameters
    ----------
    image_shape : triple of int
        Height, width, channels.
    largest_shift : int >= 0, default=0
        Largest shift in either direction, in pixels.
    mirror : bool, default=False
        Whether to mirror half of the images, at random.
    padding : str, default="edge"
        What moves in: ``"edge"`` (the nearest pixel) or ``"constant"`` (0).

    Examples
    --------
    >>> import jax
    >>> from mpnn.preprocessing.augmentation import ImageAugmentation
    >>> image = jax.numpy.arange(9.0).reshape(1, 9)
    >>> moved = ImageAugmentation((3, 3, 1), largest_shift=1)(jax.random.key(0), image)
    >>> moved.shape
    (1, 9)
    """

    image_shape: tuple[int, int, int]
    largest_shift: int = 0
    mirror: bool = False
    padding: str = "edge"

    def __post_init__(self) -> None:
        if not _is_count(self.largest_shift):
            raise ValueError(f"largest_shift must be at least 0 and whole, got {self.largest_shift!r}")
        if not isinstance(self.padding, str) or self.padding not in ("edge", "constant"):
            raise ValueError(f"padding must be 'edge' or 'constant', got {self.padding!r}")
        shape = self.image_shape
        if not isinstance(shape, tuple) or len(shape) != 3 or not all(map(_is_count, shape)) or 0 in shape:
            raise ValueError(f"image_shape must be a tuple (height, width, channels), got {shape!r}")

    def __call__(self, key: Array, inputs: Array) -> Array:
        """Flat images ``[B, height * width * channels]``."""
        if inputs.shape[-1] != math.prod(self.image_shape):
            raise ValueError(f"inputs must be images {self.image_shape} as rows, got {list(inputs.shape)}")
        flip_key, shift_key = jax.random.split(key)
        images = inputs.reshape(-1, *self.image_shape)
        if self.mirror:
            flips = jax.random.bernoulli(flip_key, shape=(len(images), 1, 1, 1))
            images = jnp.where(flips, images[:, :, ::-1], images)
        if self.largest_shift:
            images = self._shifted(shift_key, images)
        return images.reshape(inputs.shape)

    def _shifted(self, key: Array, images: Array) -> Array:
        edge = (self.largest_shift, self.largest_shift)
        padded = jnp.pad(images, ((0, 0), edge, edge, (0, 0)), mode=self.padding)
        shifts = jax.random.randint(key, (len(images), 2), 0, 2 * self.largest_shift + 1)

        def crop(image: Array, shift: Array) -> Array:
            return jax.lax.dynamic_slice(image, (shift[0], shift[1], 0), self.image_shape)

        return jax.vmap(crop)(padded, shifts)


def _is_count(value: Any) -> bool:
    """Whether a number is whole and at least 0; a whole float is."""
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    return bool(is_real and value >= 0 and value == value // 1)


def random_shifts(largest_shift: int, image_shape: tuple[int, ...] | None) -> ImageAugmentation | None:
    """Shifts of training images by up to so many pixels, as an estimator takes them; None for 0.

    Parameters
    ----------
    largest_shift : int >= 0
        Of the estimator.
    image_shape : triple of int or None
        Height, width and channels; None: the inputs are no images, and are not shifted.

    Raises
    ------
    ValueError
        Where the shift is no number of pixels.
    """
    if not _is_count(largest_shift):
        raise ValueError(f"largest_shift must be a whole number of at least 0, got {largest_shift!r}")
    if largest_shift == 0 or image_shape is None:
        return None
    height, width, channels = image_shape
    return ImageAugmentation((height, width, channels), int(largest_shift))
