"""Scaling of inputs: learned on training inputs, applied at prediction."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.preprocessing.intensity import is_intensity

__all__ = [
    "INPUT_SCALINGS",
    "InputTransform",
    "fit_transform_of",
    "require_offsets",
    "require_sums",
    "squared_norms",
]

INPUT_SCALINGS = ("auto", "root", "mild_root", "features", "max_abs", "image", "standard", "centred", None)
# Chosen on validation draws of training images, 2 to 40 a class: power, dead zone and centring on MNIST and
# Fashion-MNIST, what few inputs get on both at 7 x 7 and 14 x 14 pixels and on the 8 x 8 digits. Without the
# dead zone, where a root is infinitely steep, one grey level more on a dark background decides.
POWERS = {"root": 0.2, "mild_root": 0.6}
DEAD_ZONES = {"root": 1 / 32, "mild_root": 1 / 16}
ROOT_CENTRING = 0.8
MANY_INPUTS = 400
# What deviations are divided by is larger by this share, of 1 at most: a unit of inputs changes nothing.
DEVIATION_SHARE = 1e-5
# Rows that are copied to float64 at a time.
ROWS_AT_ONCE = 1 << 14


class InputTransform(NamedTuple):
    """``(sign(x) max(|x scale| - dead_zone, 0)^power - offset) * live``, of the features and sums of them.

    Parameters
    ----------
    scale : ndarray [] or [features]
        Factor of the inputs: of the features, then of the sums.
    power : float > 0
        Exponent of the magnitudes.
    offset : ndarray [] or [features]
        What is subtracted then.
    live : bool ndarray [features]
        Which inputs were not 0, or not constant, in all of training; the others are set to 0.
    dead_zone : float >= 0, default=0.0
        Scaled magnitudes up to it are 0: a root is steepest there.
    sums : int ndarray [features] or None, default=None
        Neighbouring features of the same number, 0, 1, ... from left to right, make a sum, which is an input
        beside them; -1: in none. None: there are no sums.
    """

    scale: NDArray
    power: float
    offset: NDArray
    live: NDArray
    dead_zone: float = 0.0
    sums: NDArray | None = None

    def __call__(self, inputs: NDArray) -> NDArray:
        """Transform ``[n, features]``; float32."""
        if self.sums is not None:
            inputs = np.concatenate([inputs, _runs_added(inputs, self.sums)], axis=1)
        scaled = inputs * self.scale
        if self.power != 1.0 or self.dead_zone > 0.0:
            beyond = np.maximum(np.abs(scaled) - np.float32(self.dead_zone), np.float32(0.0))
            scaled = np.sign(scaled) * beyond ** np.float32(self.power)
        return ((scaled - self.offset) * self.live).astype(np.float32, copy=False)

    def of_bits(self, bits: NDArray[np.int8]) -> NDArray[np.int8]:
        """Transform bits ``[n, features]`` where factors are whole and small, without a float in between.

        Parameters
        ----------
        bits : int8 ndarray [n, features]
            -1, 0 and +1.
        """
        offset = (self.offset * self.live).astype(np.int8)
        if self.sums is None:
            return bits - offset if offset.any() else bits
        count, factors = len(self.sums), (self.scale * self.live).astype(np.int8)
        inputs = np.empty((len(bits), len(factors)), np.int8)
        np.multiply(bits, factors[:count], out=inputs[:, :count])
        np.multiply(_runs_added(bits, self.sums), factors[count:], out=inputs[:, count:])
        inputs -= offset
        return inputs

    def centred(self, inputs: NDArray, sample_weight: NDArray | None = None) -> "InputTransform":
        """The same, less the mean over ``inputs`` of what comes out, rounded to whole numbers.

        Of what is linear, with factors that are whole: whole numbers stay whole.

        Parameters
        ----------
        inputs : ndarray [n, features]
            Training inputs.
        sample_weight : ndarray [n] or None, default=None
            How often each row counts; None: once.
        """
        mean = _exact_mean(inputs, sample_weight, 0)[None]
        linear = self._replace(offset=np.zeros((), np.float32))
        return self._replace(offset=np.rint(linear(mean)[0]))

    def folded(self, weights: NDArray) -> NDArray:
        """Whole weights of the features that do what weights of features and sums do, where all is linear.

        Parameters
        ----------
        weights : int ndarray [inputs, units]
            Of the transformed inputs.
        """
        if self.sums is None:
            raise AssertionError("there are sums to fold")
        factors = np.rint(np.broadcast_to(self.scale, (len(weights),))).astype(np.int64)
        scaled = weights.astype(np.int64) * factors[:, None]
        own, of_sums = scaled[: len(self.sums)], scaled[len(self.sums) :]
        return own + np.where(self.sums[:, None] >= 0, np.concatenate([of_sums, own[:1]])[self.sums], 0)

    def with_unit_power(self, inputs: NDArray) -> "InputTransform":
        """The same but for a factor: on ``inputs``, the mean square of what comes out is 1.

        Parameters
        ----------
        inputs : ndarray [n, features]
            Inputs.
        """
        power = np.mean(np.square(self(inputs), dtype=np.float64))
        gain = np.float32(1.0 / np.sqrt(power)) if power > 0.0 else np.float32(1.0)
        factor = gain ** np.float32(1.0 / self.power)
        return self._replace(
            scale=self.scale * factor, offset=self.offset * gain, dead_zone=self.dead_zone * float(factor)
        )

    def of_training(self, inputs: NDArray) -> NDArray:
        """Transform ``[n, features]`` to the same numbers in a type that takes least memory: bits stay int8.

        Parameters
        ----------
        inputs : ndarray [n, features]
            Numbers, or bits of int8.
        """
        return self.of_bits(inputs) if inputs.dtype == np.int8 and self._keeps_bits else self(inputs)

    @property
    def _keeps_bits(self) -> bool:
        """Whether bits become whole numbers of eight bits; without sums, whether they keep a factor of 1."""
        factors, offset = self.scale * self.live, self.offset * self.live
        lengths, allowed = np.ones(1), np.ones(1)
        if self.sums is not None:
            lengths = np.concatenate([np.ones(len(self.sums)), np.bincount(self.sums[self.sums >= 0])])
            allowed = np.rint(factors)
        linear = self.power == 1.0 and self.dead_zone == 0.0
        whole = np.all(factors == allowed) and np.all(offset == np.rint(offset))
        largest = np.max(np.abs(factors) * lengths + np.abs(offset))
        return linear and bool(whole and largest <= np.iinfo(np.int8).max)


def _runs_added(inputs: NDArray, numbers: NDArray) -> NDArray:
    """Sums ``[n, m]`` of neighbouring columns that share a number of at least 0, in the inputs' type."""
    starts = _starts(numbers)
    return np.add.reduceat(inputs, starts, axis=1, dtype=inputs.dtype)[:, numbers[starts] >= 0]


def _starts(numbers: NDArray) -> NDArray:
    """Where runs of equal numbers begin."""
    return np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))


def squared_norms(inputs: NDArray) -> NDArray:
    """Squared norms of rows, float32 ``[n]``, some rows at a time.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Numbers of any type.
    """
    parts = [inputs[start : start + ROWS_AT_ONCE] for start in range(0, len(inputs), ROWS_AT_ONCE)]
    return np.concatenate([np.sum(np.square(part, dtype=np.float32), axis=1) for part in parts])


def require_sums(sums: NDArray, factors: NDArray) -> None:
    """Refuse sums that are not numbered from left to right, and factors that are no whole numbers of int8.

    Parameters
    ----------
    sums : ndarray [features]
        As in :class:`InputTransform`.
    factors : ndarray [features + number of sums]
        Of the features, then of the sums.
    """
    runs = sums[_starts(sums)] if sums.ndim == 1 and len(sums) and sums.dtype.kind == "i" else np.array([-2])
    summed = runs[runs != -1]
    if not np.array_equal(summed, np.arange(len(summed))):
        raise ValueError("sums of bits must be numbered 0, 1, ... from left to right, -1 for none")
    if factors.shape != (len(sums) + len(summed),):
        raise ValueError(f"{len(sums)} bits and {len(summed)} sums need as many factors, got {factors.shape}")
    largest = np.iinfo(np.int8).max
    if factors.dtype.kind != "i" or not np.all((factors >= 0) & (factors <= largest)):
        raise ValueError(f"factors of bits must be whole numbers from 0 to {largest}")


def require_offsets(offsets: NDArray, num_inputs: int) -> None:
    """Refuse what is not subtracted from inputs that are whole numbers of int8.

    Parameters
    ----------
    offsets : ndarray [1] or [num_inputs]
        As in :class:`InputTransform`.
    num_inputs : int >= 1
        Features and sums of them.
    """
    if offsets.shape not in ((1,), (num_inputs,)):
        raise ValueError(f"{num_inputs} inputs need as many offsets, or one, got {offsets.shape}")
    largest = np.iinfo(np.int8).max
    if offsets.dtype.kind != "i" or np.any((offsets < -largest) | (offsets > largest)):
        raise ValueError(f"offsets of bits must be whole numbers from {-largest} to {largest}")


def fit_transform_of(
    inputs: NDArray, kind: str | None, sample_weight: NDArray | None = None
) -> InputTransform:
    """Learn a transform from training inputs ``[n, features]``, float32.

    ``"max_abs"``: divide by the largest magnitude. ``"image"``: so, where the least value is 0 and frequent,
    as a dark background is; else, as of photographs, ``"standard"``. ``"root"``: divided so, then magnitudes
    moved towards 0 by at most 1/32, the signed power 0.2, less 0.8 of each feature's mean. ``"mild_root"``:
    the same with 1/16 and power 0.6. ``"standard"``: global mean and deviation. ``"features"``: each
    feature's own. ``"centred"``: each feature's own mean and the global deviation, so that what never changes
    is 0. None: nothing. ``"auto"``: root for intensities from 0, mild root where they are fewer than 400,
    features for others.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Training inputs, float32.
    kind : str or None
        One of :data:`INPUT_SCALINGS`.
    sample_weight : ndarray [n] or None, default=None
        How often each row counts in means and deviations, above 0; None: once.
    """
    if not isinstance(kind, str | None) or kind not in INPUT_SCALINGS:
        raise ValueError(f"input_scaling must be one of {INPUT_SCALINGS}, got {kind!r}")
    inputs = _as_table(inputs)
    found = _fitted(inputs, kind, sample_weight)
    if not (np.all(np.isfinite(found.scale)) and np.all(np.isfinite(found.offset))):
        raise ValueError(
            f"inputs of a largest magnitude of {float(np.abs(inputs).max()):g} have no scale in float32: "
            "multiply them by a constant, or take their unit (mpnn.preprocessing.units) first"
        )
    return found


def _as_table(inputs: NDArray) -> NDArray:
    """Inputs ``[n, features]`` of a type that NumPy computes with."""
    table = np.asarray(inputs)
    if table.ndim != 2 or 0 in table.shape or table.dtype.kind not in "biuf":
        raise ValueError(
            f"inputs must be numbers [n, features], at least one, got {table.dtype} {list(table.shape)}"
        )
    if table.dtype.kind == "f" and not np.all(np.isfinite(table)):
        raise ValueError("inputs must be finite, got NaN or infinity: replace what is missing")
    return table.astype(np.float32) if table.dtype.kind == "b" or table.dtype.itemsize == 2 else table


def _fitted(inputs: NDArray, kind: str | None, sample_weight: NDArray | None) -> InputTransform:
    if kind == "auto":
        root = "root" if inputs.shape[1] >= MANY_INPUTS else "mild_root"
        kind = root if is_intensity(inputs) and inputs.min() == 0 else "features"
    if kind == "image":
        kind = "max_abs" if is_intensity(inputs) and inputs.min() == 0 else "standard"
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    everything = np.ones(inputs.shape[1], bool)
    if kind is None:
        return InputTransform(one, 1.0, zero, everything)
    if kind in ("standard", "centred"):
        common = float(_deviation(inputs, sample_weight, None))
        scale = np.asarray(1.0 / (common + DEVIATION_SHARE * min(common, 1.0) or 1.0), np.float32)
        mean = _mean(inputs, sample_weight, 0 if kind == "centred" else None)
        return InputTransform(scale, 1.0, np.asarray(mean * scale), everything)
    if kind == "features":
        # the deviation of a constant feature is not quite 0 where its mean is rounded
        varies = np.ptp(inputs, axis=0) > 0.0
        deviation = _deviation(inputs, sample_weight, 0)
        scale = np.asarray(1.0 / np.where(varies & (deviation > 0.0), deviation, one), np.float32)
        return InputTransform(scale, 1.0, _mean(inputs, sample_weight, 0) * scale, varies)
    live = np.any(inputs != 0.0, axis=0)
    scale = np.asarray(1.0 / (np.abs(inputs).max() or 1.0), np.float32)
    if kind == "max_abs":
        return InputTransform(scale, 1.0, zero, live)
    rooted = InputTransform(scale, POWERS[kind], zero, live, DEAD_ZONES[kind])
    return rooted._replace(offset=np.float32(ROOT_CENTRING) * _mean(rooted(inputs), sample_weight, 0))


def _mean(inputs: NDArray, sample_weight: NDArray | None, axis: int | None) -> NDArray:
    """Mean of ``[n, features]`` over rows, or over all, in the precision of the inputs.

    Sums are float64: those of many rows in float32 lose what is small against them.
    """
    return _in_precision_of(inputs, _exact_mean(inputs, sample_weight, axis))


def _deviation(inputs: NDArray, sample_weight: NDArray | None, axis: int | None) -> NDArray:
    """Standard deviation, as :func:`_mean`; a second pass around the mean, some rows at a time."""
    mean, num_rows = _exact_mean(inputs, sample_weight, axis), len(inputs)
    squares = np.zeros(inputs.shape[1])
    for start in range(0, num_rows, ROWS_AT_ONCE):
        own = slice(start, start + ROWS_AT_ONCE)
        weight = np.ones(len(inputs[own])) if sample_weight is None else sample_weight[own]
        squares += weight.astype(np.float64) @ np.square(inputs[own] - mean)
    variance = squares / (num_rows if sample_weight is None else np.sum(sample_weight, dtype=np.float64))
    return _in_precision_of(inputs, np.sqrt(variance if axis == 0 else variance.mean()))


def _exact_mean(inputs: NDArray, sample_weight: NDArray | None, axis: int | None) -> NDArray:
    if sample_weight is None:
        return np.asarray(inputs.mean(axis=axis, dtype=np.float64))
    weight = sample_weight.astype(np.float64)
    by_column = np.einsum("n,nf->f", weight, inputs, dtype=np.float64) / weight.sum()
    return by_column if axis == 0 else by_column.mean()


def _in_precision_of(inputs: NDArray, values: NDArray) -> NDArray:
    return np.asarray(values, np.result_type(inputs.dtype, np.float32))
