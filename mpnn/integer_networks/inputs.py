"""Input coding: what turns a row of inputs into the whole numbers that the first layer multiplies.

Shapes: ``n`` rows, ``F`` inputs, ``T`` columns of a table. NumPy only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Column", "PixelTable", "RealInputs", "Thermometer", "as_pixels", "as_rows"]

NUM_PIXELS = 256
# Axes of images with one channel, and with several.
IMAGE_AXES = (3, 4)
KINDS = ("thermometer", "categories")


@dataclass(frozen=True, eq=False)
class PixelTable:
    """Codes of uint8 inputs: ``code = codes[kinds[f], x[f]]``.

    Parameters
    ----------
    codes : int64 ``[kinds, 256]``.
    kinds : which row belongs to each input, uint8 ``[F]``.
    """

    codes: NDArray[np.int64]
    kinds: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.shape[1] != NUM_PIXELS or not len(self.codes):
            raise ValueError(f"codes must have shape [kinds, 256], got {self.codes.shape}")
        if self.kinds.size and self.kinds.max() >= len(self.codes):
            raise ValueError(f"kinds must be below {len(self.codes)}, got {self.kinds.max()}")

    @property
    def largest(self) -> NDArray[np.int64]:
        """Largest magnitude of each input's code, ``[F]``."""
        return np.abs(self.codes).max(axis=1)[self.kinds]

    @property
    def num_inputs(self) -> int:
        """F."""
        return len(self.kinds)

    @property
    def is_identity(self) -> bool:
        """Whether every code is the pixel itself."""
        return len(self.codes) == 1 and bool(np.all(self.codes[0] == np.arange(NUM_PIXELS)))

    def encode(self, X: NDArray, columns: NDArray[np.int64]) -> NDArray:
        """Codes ``[n, used]`` of the used columns of ``X [n, F]``; refuses what is not a whole 0..255."""
        pixels = as_pixels(X)[:, columns]
        if self.is_identity:
            return pixels
        kinds = self.kinds[columns]
        return self.codes[0][pixels] if len(self.codes) == 1 else self.codes[kinds, pixels]


def as_rows(X: ArrayLike) -> NDArray:
    """Images ``[n, height, width]`` or ``[n, height, width, channels]`` as rows; others as they are.

    Parameters
    ----------
    X : array-like
        Inputs.
    """
    rows = np.asarray(X)
    return rows.reshape(len(rows), -1) if rows.ndim in IMAGE_AXES else rows


def as_pixels(X: NDArray) -> NDArray[np.uint8]:
    """``X`` as uint8, or a ValueError where a value is not a whole number from 0 to 255."""
    if X.dtype == np.uint8:
        return X
    if X.dtype.kind not in "biuf":
        raise ValueError(f"inputs must be whole numbers from 0 to 255, got an array of {X.dtype}")
    # compared before the conversion, which is undefined for what does not fit; false for NaN too
    if not bool(np.all((X >= 0) & (X < NUM_PIXELS))) or not np.array_equal(pixels := X.astype(np.uint8), X):
        raise ValueError("inputs must be whole numbers from 0 to 255: the network was exported for uint8")
    return pixels


@dataclass(frozen=True, eq=False)
class RealInputs:
    """Codes of real or whole inputs: ``clip(round(sign(u) max(|u| - dead_zone, 0)^power))``.

    Of an input x, ``u = (x - offset) multiplier``.

    Parameters
    ----------
    offset, multiplier : float64 ``[1]``, or ``[F]``: one an input.
    power : exponent of the magnitude, > 0.
    largest : codes are clipped to ``-largest .. largest``.
    num_inputs : F.
    dead_zone : magnitudes up to it have the code 0, >= 0.
    """

    offset: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    power: float
    clip: int
    num_inputs: int
    dead_zone: float = 0.0

    def __post_init__(self) -> None:
        for name in ("offset", "multiplier"):
            if (shape := getattr(self, name).shape) not in ((1,), (self.num_inputs,)):
                raise ValueError(f"{name} must have shape [1] or [{self.num_inputs}], got {shape}")
        if not 0.0 < self.power < 100.0:
            raise ValueError(f"power must be above 0 and below 100, got {self.power}")
        if not 0.0 <= self.dead_zone < np.inf:
            raise ValueError(f"dead_zone must be at least 0 and finite, got {self.dead_zone}")

    @property
    def largest(self) -> NDArray[np.int64]:
        """Largest magnitude of each input's code, ``[F]``."""
        return np.full(self.num_inputs, self.clip, np.int64)

    @property
    def is_identity(self) -> bool:
        """Whether the code of a whole number is that number."""
        plain = self.power == 1.0 and self.dead_zone == 0.0 and not self.offset.any()
        return plain and bool(np.all(self.multiplier == 1.0))

    def encode(self, X: NDArray, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Codes ``[n, used]`` of the used columns of ``X [n, F]``, as float64 without fractions."""
        values = X[:, columns].astype(np.float64)
        if not np.all(np.isfinite(values)):
            raise ValueError("inputs must be finite: NaN or infinity found")
        values = (values - _own(self.offset, columns)) * _own(self.multiplier, columns)
        if self.power != 1.0 or self.dead_zone > 0.0:
            values = np.sign(values) * np.maximum(np.abs(values) - self.dead_zone, 0.0) ** self.power
        return np.clip(np.round(values), -self.clip, self.clip)


def _own(values: NDArray, columns: NDArray[np.int64]) -> NDArray:
    return values if len(values) == 1 else values[columns]


@dataclass(frozen=True)
class Column:
    """How one column of a table becomes bits.

    Parameters
    ----------
    kind : ``"thermometer"``: bit k is on where ``x >= thresholds[k]``; ``"categories"``: where
        ``x == categories[k]``.
    thresholds, categories : of the bits; one of them is empty.
    off : value of a bit that is off, -1 or 0; one that is on is +1. A missing value is 0 in all bits.
    """

    kind: str
    thresholds: tuple[float, ...] = ()
    categories: tuple[str | float, ...] = ()
    off: int = -1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of a column must be one of {KINDS}, got {self.kind!r}")
        if self.off not in (-1, 0):
            raise ValueError(f"off must be -1 or 0, got {self.off!r}")

    @property
    def num_bits(self) -> int:
        """Bits of this column."""
        return len(self.thresholds) if self.kind == "thermometer" else len(self.categories)

    def encode(self, values: NDArray) -> NDArray[np.int8]:
        """Bits ``[n, num_bits]`` of values ``[n]``."""
        missing = np.array([value is None or value != value for value in values.tolist()], bool)
        if self.kind == "thermometer":
            numbers = np.where(missing, 0.0, values).astype(np.float64)
            on = numbers[:, None] >= np.asarray(self.thresholds, np.float64)
        else:
            on = np.stack([values == category for category in self.categories], axis=1).astype(bool)
        bits = np.where(on, 1, self.off).astype(np.int8)
        bits[missing] = 0
        return bits


@dataclass(frozen=True)
class Thermometer:
    """Bits of the columns of a table, side by side."""

    columns: tuple[Column, ...]

    @property
    def num_bits(self) -> int:
        """Bits over all columns."""
        return sum(column.num_bits for column in self.columns)

    def encode(self, X: ArrayLike) -> NDArray[np.int8]:
        """Bits ``[n, num_bits]`` of a table ``[n, T]`` of numbers or objects."""
        table = np.asarray(X)
        if table.ndim != 2 or table.shape[1] != len(self.columns):
            raise ValueError(f"the table must have {len(self.columns)} columns, got shape {table.shape}")
        parts = [column.encode(table[:, t]) for t, column in enumerate(self.columns) if column.num_bits]
        return np.concatenate(parts, axis=1)
