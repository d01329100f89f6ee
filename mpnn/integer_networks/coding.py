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
from mpnn.integer_networks.reading import ReadNetwork, Transform

__all__ = ["SNAP", "Coding", "code_inputs", "linear_step", "needs_fractions", "rounded_up"]

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
    kind : ``"auto"``, ``"uint8"``, ``"whole"`` or ``"real"``.
    bits : of the largest code of a table.
    rows : examples ``[n, F]``, or None.
    fractions : whether fractions of the cuts decide (:func:`needs_fractions`).
    """
    transform = members[0].transform
    if kind == "auto":
        kind = _kind_of_inputs(transform, rows)
    whole = transform.is_one_factor
    bound = partial(_largest_sum, members, columns)
    if kind == "uint8":
        return _pixel_codes(transform, columns, bound, bits, fractions, members)
    if kind == "whole" and not whole and not transform.rounded:
        raise ValueError("inputs='whole' needs a linear input scaling of one scale; use 'uint8' or 'real'")
    return _real_codes(transform, bound, kind == "whole" and whole, bits, rows, fractions)


def _largest_sum(members: Sequence[ReadNetwork], columns: NDArray, magnitudes: NDArray[np.float64]) -> float:
    """Bound of the first layer's sums of codes with magnitudes ``[used]``."""
    windows = members[0].windows_of(0)
    weights = np.concatenate([np.abs(member.weights[0].astype(np.int64)) for member in members], axis=1)
    if windows is None:
        return float((weights[columns] * magnitudes[:, None]).sum(axis=0).max(initial=0.0))
    return float(weights.sum(axis=0).max(initial=0.0) * windows.num_summed * magnitudes.max(initial=0.0))


def _kind_of_inputs(transform: Transform, rows: NDArray | None) -> str:
    if rows is not None:
        if rows.dtype.kind in "biuf" and np.array_equal(rows, np.round(rows)):
            if rows.min(initial=0) >= 0 and rows.max(initial=0) <= 255:
                return "uint8"
            return "whole" if transform.is_one_factor or transform.rounded else "real"
        return "real"
    if transform.rounded or transform.scale.ndim:
        return "real"
    steps = 1.0 / float(transform.scale)
    return "uint8" if 1.5 < steps < 255.5 and abs(steps - round(steps)) < 1e-4 else "real"


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
    bound: Callable[[NDArray], float],
    whole: bool,
    bits: int,
    rows: NDArray | None,
    fractions: bool,
) -> Coding:
    num_inputs = len(transform.live)
    fan_in = max(int(bound(np.ones(1))), 1)
    clip = min(REAL_SUMS // (2 * fan_in), 2**30)
    if transform.rounded:
        # as the classifier rounds: nothing is clipped that is exact there
        return Coding(_inputs_of(transform, 1.0, LARGEST_WHOLE), 1.0, True)
    if whole:
        step = _step(transform)
        factor = 2.0 ** max(0, 30 - int(fan_in).bit_length() - 17) if fractions else 1.0
        coding = RealInputs(np.zeros(1), np.full(1, factor), 1.0, clip, num_inputs)
        return Coding(coding, factor / step, True)
    reach = REAL_REACH if rows is None else float(np.abs(_values(transform, rows)).max(initial=0.0)) or 1.0
    unit = min(2.0**bits / reach, clip / reach)
    return Coding(_inputs_of(transform, unit, clip), unit, False)


def _inputs_of(transform: Transform, unit: float, clip: int) -> RealInputs:
    offset, scale = np.atleast_1d(transform.centre), np.atleast_1d(transform.scale)
    factor = unit ** (1.0 / transform.power)
    num_inputs, dead_zone = len(transform.live), transform.dead_zone * factor
    return RealInputs(offset, scale * factor, transform.power, clip, num_inputs, dead_zone)
