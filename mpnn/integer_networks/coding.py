"""The choice of whole input codes for a classifier's input transform.

Linear transforms of pixels and of whole numbers are exact: codes are the inputs, times a power of two where
fractions of the cuts decide. A power becomes a table of 256 codes, real inputs are rounded in steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.inputs import PixelTable, RealInputs
from mpnn.integer_networks.read_networks import ReadNetwork, Transform, centred_at, within_float64

__all__ = [
    "SNAP",
    "Coding",
    "code_inputs",
    "kind_of_inputs",
    "linked_thresholds",
    "linear_step",
    "needs_fractions",
    "rounded_up",
    "with_whole_codes",
]

# Sums below are exact in float32; those of real inputs fit in int32.
PIXEL_SUMS, REAL_SUMS = 2**24 - 1, 2**31 - 1
LARGEST_WHOLE = 2**24
# Reach of real transformed inputs whose range is not known from examples.
REAL_REACH = 8.0
MOST_KINDS = 16
# A cut this close to a whole number, relative to its size, is one: float32 sums are no more precise.
SNAP = 1e-6


@dataclass(frozen=True, eq=False)
class Coding:
    """Input codes, and how many code units one transformed unit is."""

    inputs: PixelTable | RealInputs
    unit: float
    exact: bool


def needs_fractions(members: Sequence[ReadNetwork], ties: str | None) -> bool:
    """Whether fractions of the cuts decide: they order outputs, but no whole sum lies between them."""
    single = len(members[0].weights) == 1
    ordered = ties == "confidence" or (ties is None and len(members[0].gains) > 1)
    return single and ordered and any(_fractional(member) for member in members)


def _fractional(member: ReadNetwork) -> bool:
    cuts = member.cuts[0] / np.float64(_step(member.transform))
    return bool(np.any(np.abs(cuts - np.round(cuts)) > SNAP * np.maximum(np.abs(cuts), 1.0)))


def linear_step(transform: Transform) -> float | None:
    """What an input of 1 becomes under a linear transform of one scale; None for other transforms.

    Parameters
    ----------
    transform : Transform
        Of the inputs.
    """
    if not transform.is_one_factor:
        return None
    steps = 1.0 / float(transform.scale)
    return 1.0 / round(steps) if abs(steps - round(steps)) < 1e-6 * steps else 1.0 / steps


def _step(transform: Transform) -> float:
    return linear_step(transform) or 1.0


def rounded_up(cuts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least whole sums that reach the cuts; a cut that is nearly whole is.

    Parameters
    ----------
    cuts : float64 ndarray
        Cuts of whole sums.
    """
    nearest = np.round(cuts)
    close = np.abs(cuts - nearest) <= SNAP * np.maximum(np.abs(cuts), 1.0)
    return np.where(close, nearest, np.ceil(cuts))


def linked_thresholds(
    cuts: NDArray[np.float64], reach: NDArray[np.float64], bounds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Thresholds of the sums beside a linked unit of -1, and how much less they are beside one of +1.

    Parameters
    ----------
    cuts : float64 ndarray [units]
        What sums have to reach, the link's share included.
    reach : float64 ndarray [units]
        Magnitude of the link's share, at least 0.
    bounds : int64 ndarray [units]
        Of the sums: a threshold out of reach decides alike wherever it is.
    """
    low, high = (np.clip(rounded_up(cuts + side), -bounds, bounds + 1) for side in (-reach, reach))
    return high.astype(np.int64), (high - low).astype(np.int64)


def code_inputs(
    members: Sequence[ReadNetwork],
    columns: NDArray,
    kind: str,
    bits: int,
    rows: NDArray | None,
    fractions: bool,
) -> Coding:
    """Choose the codes of the used ``columns`` of inputs of a ``kind``.

    Parameters
    ----------
    members : networks on the same inputs.
    columns : used inputs, int64 ``[used]``.
    kind : ``"uint8"``, ``"whole"`` or ``"real"``.
    bits : of the largest code of a table.
    rows : examples ``[n, F]``, or None.
    fractions : whether fractions of the cuts decide (:func:`needs_fractions`).
    """
    transform = members[0].transform
    whole = transform.is_one_factor
    bound = partial(_largest_sum, members, columns)
    if kind == "uint8":
        return _pixel_codes(transform, columns, bound, bits, fractions, members)
    if kind == "whole" and not whole and not transform.rounded:
        raise ValueError("inputs='whole' needs a linear input scaling of one scale; use 'uint8' or 'real'")
    fan_in = _fan_in(members, columns)
    return _real_codes(transform, columns, fan_in, kind == "whole" and whole, bits, rows, fractions)


def _largest_sum(members: Sequence[ReadNetwork], columns: NDArray, magnitudes: NDArray[np.float64]) -> float:
    """Bound of the first layer's sums of codes with magnitudes ``[used]``."""
    windows = members[0].windows_of(0)
    weights = np.concatenate([np.abs(member.weights[0].astype(np.int64)) for member in members], axis=1)
    if windows is None:
        return float((weights[columns] * magnitudes[:, None]).sum(axis=0).max(initial=0.0))
    return float(weights.sum(axis=0).max(initial=0.0) * windows.num_summed * magnitudes.max(initial=0.0))


def with_whole_codes(member: ReadNetwork, kind: str) -> ReadNetwork:
    """The same network, a linear transform of which counts from where codes are the inputs or whole.

    Parameters
    ----------
    member : ReadNetwork
        A network.
    kind : str
        ``"uint8"``, ``"whole"`` or ``"real"``.
    """
    transform = member.transform
    if kind == "real" or not transform.is_one_factor or not transform.centre.any():
        return member
    # pixels stay what they are; other numbers may be far from 0
    return centred_at(member, np.zeros(()) if kind == "uint8" else np.round(transform.centre))


def kind_of_inputs(members: Sequence[ReadNetwork], columns: NDArray, rows: NDArray | None) -> str:
    """What inputs are, by examples, else by the scale of the transform: ``"uint8"``, ``"whole"``, ``"real"``.

    Parameters
    ----------
    members : networks on the same inputs.
    columns : used inputs, int64 ``[used]``.
    rows : examples ``[n, F]``, or None.
    """
    transform = members[0].transform
    if rows is None:
        return _kind_by_scale(transform)
    if rows.dtype.kind not in "biuf" or not np.array_equal(rows, np.round(rows)):
        return "real"
    if rows.min(initial=0) >= 0 and rows.max(initial=0) <= 255:
        return "uint8" if _num_kinds(transform, columns) <= MOST_KINDS else "real"
    if transform.rounded:
        return "whole"
    fits = transform.is_one_factor and _farthest(transform, columns, rows) <= _clip(_fan_in(members, columns))
    return "whole" if fits else "real"


def _kind_by_scale(transform: Transform) -> str:
    if transform.rounded or transform.scale.ndim or transform.centre.ndim:
        return "real"
    least, steps = float(transform.centre), 1.0 / float(transform.scale)
    whole = abs(steps - round(steps)) < 1e-4 and least == round(least)
    return "uint8" if whole and steps > 1.5 and least >= 0.0 and least + steps < 255.5 else "real"


def _num_kinds(transform: Transform, columns: NDArray) -> int:
    """Number of different transforms of the used inputs."""
    parts = [
        np.broadcast_to(part, len(transform.live))[columns] for part in (transform.centre, transform.scale)
    ]
    return np.unique(parts, axis=1).shape[1]


def _farthest(transform: Transform, columns: NDArray, rows: NDArray) -> float:
    """Largest distance of the used inputs from where they count as 0."""
    return float(np.abs(rows - transform.centre)[:, columns].max(initial=0.0))


def _fan_in(members: Sequence[ReadNetwork], columns: NDArray) -> int:
    """Bound of the first layer's sums of codes up to 1."""
    return max(int(_largest_sum(members, columns, np.ones(1))), 1)


def _clip(fan_in: int) -> int:
    """Largest code of inputs that are not pixels: thresholds may be as large as sums, both below 2^30."""
    return min(REAL_SUMS // (4 * fan_in), 2**29)


def _values(transform: Transform, inputs: NDArray) -> NDArray[np.float64]:
    """``T`` in float64, offsets not subtracted; inputs ``[n, F]``."""
    values = (inputs - transform.centre) * transform.scale
    if transform.rounded:
        return np.round(values)
    return np.sign(values) * np.maximum(np.abs(values) - transform.dead_zone, 0.0) ** transform.power


def _pixel_codes(
    transform: Transform,
    columns: NDArray,
    bound: Callable[[NDArray], float],
    bits: int,
    fractions: bool,
    members: Sequence[ReadNetwork],
) -> Coding:
    pixels = np.arange(256.0)
    num_inputs = len(transform.live)
    tables = _values(transform, np.broadcast_to(pixels[:, None], (256, num_inputs))).T
    tables, kinds = np.unique(tables[columns], axis=0, return_inverse=True)
    if len(tables) > MOST_KINDS:
        one_by_one = "inputs='uint8' needs one scale for all inputs, or few: this classifier has one an input"
        raise ValueError(f"{one_by_one}; use inputs='real', or train with input_scaling='max_abs'")
    if not len(tables):
        tables, kinds = np.zeros((1, 256)), np.zeros(0, int)
    linear = transform.is_one_factor
    sums = bound(np.abs(tables).max(axis=1)[kinds.ravel()])
    cuts = max(float(np.abs(member.cuts[0]).max(initial=0.0)) for member in members)
    limit = min((2.0**bits - 1) / max(np.abs(tables).max(), 1e-9), PIXEL_SUMS / max(sums + cuts + 1.0, 1e-9))
    if transform.rounded:
        unit = 1.0
    elif linear:
        unit = 1.0 / _step(transform)
        if fractions:
            unit *= 2.0 ** max(0, math.floor(math.log2(limit / unit)))
    else:
        unit = limit
    codes = np.round(tables * unit).astype(np.int64)
    if linear:
        codes = np.round(pixels * round(unit * _step(transform)))[None].astype(np.int64)
    own = np.zeros(num_inputs, np.uint8)
    own[columns] = 0 if linear else kinds.ravel()
    return Coding(PixelTable(codes, own), unit, linear or transform.rounded)


def _real_codes(
    transform: Transform,
    columns: NDArray,
    fan_in: int,
    whole: bool,
    bits: int,
    rows: NDArray | None,
    fractions: bool,
) -> Coding:
    num_inputs, clip = len(transform.live), _clip(fan_in)
    if transform.rounded:
        # as the classifier rounds: nothing is clipped that is exact there
        return Coding(_inputs_of(transform, 1.0, LARGEST_WHOLE), 1.0, True)
    if whole:
        farthest = 1.0 if rows is None else max(_farthest(transform, columns, rows), 1.0)
        if farthest > clip:
            raise ValueError(f"whole inputs up to {farthest:g} have sums beyond 32 bits; use inputs='real'")
        step, spare = _step(transform), 30 - int(fan_in).bit_length() - 17
        factor = 2.0 ** max(0, min(spare, math.floor(math.log2(clip / farthest)))) if fractions else 1.0
        coding = RealInputs(np.atleast_1d(transform.centre), np.full(1, factor), 1.0, clip, num_inputs)
        return Coding(coding, factor / step, True)
    reach = REAL_REACH
    if rows is not None:  # what is not used may be far larger
        reach = float(np.abs(_values(transform, rows)[:, columns]).max(initial=0.0)) or 1.0
    unit = min(2.0**bits / reach, clip / reach)
    return Coding(_inputs_of(transform, unit, clip), unit, False)


def _inputs_of(transform: Transform, unit: float, clip: int) -> RealInputs:
    offset, scale = np.atleast_1d(transform.centre), np.atleast_1d(transform.scale)
    factor = unit ** (1.0 / transform.power)
    with np.errstate(over="ignore"):
        multiplier = scale * factor
    num_inputs, dead_zone = len(transform.live), transform.dead_zone * factor
    multiplier = within_float64(multiplier, 1.0 / scale)
    return RealInputs(offset, multiplier, transform.power, clip, num_inputs, dead_zone)
