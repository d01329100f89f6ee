"""Whole numbers at few bits: the sections of a packed file.

A section is ``(bytes, coding)``; the reader knows how many numbers it must hold, so that no length in a
file is trusted. NumPy and zlib only.
"""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_numbers", "pack_weights", "unpack_numbers", "unpack_weights"]

TRITS_PER_BYTE = 5
POWERS_OF_THREE = 3 ** np.arange(TRITS_PER_BYTE)
NUMBER_TYPES = ("<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<f8")
DEFLATED = "z"
# A section expands by no more than this, which bounds the memory of reading.
MOST_EXPANSION = 4


def pack_weights(weights: NDArray[np.int8]) -> tuple[bytes, str]:
    """Bits for -1 and +1, five trits a byte for -1, 0 and +1, else the bits that ``-P..P`` needs."""
    flat = weights.ravel()
    largest = int(np.abs(flat).max(initial=0))
    if largest <= 1 and not np.any(flat == 0):
        return _deflate(np.packbits(flat > 0, bitorder="little").tobytes(), "bits")
    if largest <= 1:
        padded = np.zeros(-(-len(flat) // TRITS_PER_BYTE) * TRITS_PER_BYTE, np.int64)
        padded[: len(flat)] = flat + 1
        trits = padded.reshape(-1, TRITS_PER_BYTE) @ POWERS_OF_THREE
        return _deflate(trits.astype(np.uint8).tobytes(), "trits")
    width = (2 * largest).bit_length()
    raised = (flat.astype(np.int64) + largest).astype(np.uint8)
    planes = np.unpackbits(raised[:, None], axis=1, count=width, bitorder="little")
    return _deflate(np.packbits(planes.ravel(), bitorder="little").tobytes(), f"levels{largest}")


def unpack_weights(data: bytes, coding: str, shape: Sequence[int]) -> NDArray[np.int8]:
    """The weights of a section.

    Raises
    ------
    ValueError
        If the section does not hold weights of this shape.
    """
    count = int(np.prod([int(size) for size in shape], dtype=object))
    kind, deflated = coding.removesuffix(DEFLATED), coding.endswith(DEFLATED)
    if kind == "bits":
        raw = np.frombuffer(_inflate(data, -(-count // 8), deflated), np.uint8)
        flat = np.unpackbits(raw, count=count, bitorder="little").view(np.int8)
        flat = 2 * flat - 1
    elif kind == "trits":
        raw = np.frombuffer(_inflate(data, -(-count // TRITS_PER_BYTE), deflated), np.uint8)
        if raw.size and raw.max() >= 3**TRITS_PER_BYTE:
            raise ValueError(f"a byte holds five trits, up to 242, got {raw.max()}")
        flat = np.empty((len(raw), TRITS_PER_BYTE), np.int8)
        for place, power in enumerate(POWERS_OF_THREE.tolist()):
            flat[:, place] = (raw // power % 3).astype(np.int8) - 1
        flat = flat.ravel()[:count]
    else:
        flat = _unpack_levels(data, kind, count, deflated)
    return flat.reshape([int(size) for size in shape])


def _unpack_levels(data: bytes, kind: str, count: int, deflated: bool) -> NDArray[np.int8]:
    digits = kind.removeprefix("levels")
    if not kind.startswith("levels") or not digits.isascii() or not digits.isdigit() or len(digits) > 3:
        raise ValueError(f"weights have an unknown coding, {kind[:20]!r}")
    largest = int(digits)
    if not 1 <= largest <= 127:
        raise ValueError(f"weights are at most 127, got levels of {largest}")
    width = (2 * largest).bit_length()
    raw = np.frombuffer(_inflate(data, -(-count * width // 8), deflated), np.uint8)
    raised = np.zeros(count, np.int16)
    bits = np.unpackbits(raw, count=count * width, bitorder="little").reshape(count, width)
    for place in range(width):
        raised |= bits[:, place].astype(np.int16) << place
    if raised.size and raised.max() > 2 * largest:
        raise ValueError(f"a weight is above {largest}")
    return (raised - largest).astype(np.int8)


def pack_numbers(numbers: NDArray) -> tuple[bytes, str]:
    """Integers in the smallest type that holds them; floats as they are. A bool array becomes bits."""
    if numbers.dtype == bool:
        return _deflate(np.packbits(numbers, bitorder="little").tobytes(), "bits")
    if numbers.dtype.kind == "f":
        return _deflate(numbers.astype("<f8").tobytes(), "<f8")
    for name in NUMBER_TYPES:
        limits = np.iinfo(name)
        if numbers.min(initial=0) >= limits.min and numbers.max(initial=0) <= limits.max:
            return _deflate(numbers.astype(name).tobytes(), name)
    raise ValueError("whole numbers must fit in 64 bits")


def unpack_numbers(data: bytes, coding: str, count: int) -> NDArray:
    """A section's ``count`` numbers, int64, float64 or bool.

    Raises
    ------
    ValueError
        If the section does not hold as many numbers.
    """
    kind, deflated = coding.removesuffix(DEFLATED), coding.endswith(DEFLATED)
    if kind == "bits":
        raw = np.frombuffer(_inflate(data, -(-count // 8), deflated), np.uint8)
        return np.unpackbits(raw, count=count, bitorder="little").astype(bool)
    if kind not in NUMBER_TYPES:
        raise ValueError(f"numbers have an unknown coding, {kind[:20]!r}")
    raw = np.frombuffer(_inflate(data, count * np.dtype(kind).itemsize, deflated), kind)
    numbers = raw.astype(np.float64 if kind == "<f8" else np.int64)
    if not np.all(np.isfinite(numbers)):
        raise ValueError("numbers must be finite")
    return numbers


def _deflate(data: bytes, coding: str) -> tuple[bytes, str]:
    smaller = zlib.compress(data, 9)
    pays = len(smaller) < len(data) <= MOST_EXPANSION * len(smaller)
    return (smaller, coding + DEFLATED) if pays else (data, coding)


def _inflate(data: bytes, size: int, deflated: bool) -> bytes:
    if deflated:
        if size > MOST_EXPANSION * len(data):
            raise ValueError(f"a section of {len(data)} bytes cannot hold {size}")
        reader = zlib.decompressobj()
        try:
            data = reader.decompress(data, size + 1)
        except zlib.error as error:
            raise ValueError(f"a section cannot be decompressed: {error}") from error
    if len(data) != size:
        raise ValueError(f"a section must have {size} bytes, got {len(data)}")
    return data
