"""The packed file: an integer network at the bits it holds.

Layout, little-endian: ``MPNNnet1`` or ``MPNNnet2`` (8 bytes, the version last), length of the header
(uint32), SHA-256 of all that follows (32 bytes), header (JSON, UTF-8), sections. The header lists each
section's coding and length, in the order in which the reader asks for them.

Opening runs nothing of the file and uses at most ``MEMORY_MULTIPLE`` times its size and a constant.
"""

import hashlib
import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.atomic_files import write_atomically
from mpnn.deploy.bits import pack_numbers, pack_weights, unpack_numbers, unpack_weights
from mpnn.integer_networks.decisions import Argmax, Confidence, Sign, Vote
from mpnn.integer_networks.inputs import Column, PixelTable, RealInputs, Thermometer
from mpnn.integer_networks.links import Link
from mpnn.integer_networks.network import IntegerNetwork, Layer
from mpnn.integer_networks.windows import Windows
from mpnn.validation import path as path_of

__all__ = [
    "SIGNATURE",
    "MEMORY_MULTIPLE",
    "PackedFileError",
    "from_bytes",
    "load_network",
    "save_network",
    "to_bytes",
]

SIGNATURE = b"MPNNnet"
# Networks with residual links have the second version, which older releases refuse by its name.
VERSION, LINKED = b"1", b"2"
PREFIX = struct.Struct("<8sI32s")
# Bits become int8, 8 bytes a byte, and there are a few copies of sections that expand 4 times.
MEMORY_MULTIPLE = 256
LARGEST_SIZE = 2**31
# Of images and windows.
LARGEST_SIDE = 2**14
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, AttributeError)


class PackedFileError(ValueError):
    """A file that is not a packed network, or a damaged one."""


class _Writer:
    def __init__(self) -> None:
        self.sections: list[tuple[bytes, str]] = []

    def weights(self, array: NDArray[np.int8]) -> None:
        self.sections.append(pack_weights(array))

    def numbers(self, array: NDArray) -> None:
        self.sections.append(pack_numbers(array))


class _Reader:
    """Hands out sections in their order."""

    def __init__(self, table: Any, payload: memoryview) -> None:
        self.sections: list[tuple[bytes, str]] = []
        start = 0
        for coding, length in table:
            if not isinstance(coding, str) or whole(length, 0, len(payload) - start) != length:
                raise ValueError("the table of sections is damaged")
            self.sections.append((bytes(payload[start : start + length]), coding))
            start += length
        if start != len(payload):
            raise ValueError(f"sections have {start} bytes, the file has {len(payload)}")
        self.sections.reverse()

    def _next(self) -> tuple[bytes, str]:
        if not self.sections:
            raise ValueError("a section is missing")
        return self.sections.pop()

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        return unpack_weights(*self._next(), shape)

    def numbers(self, count: int, kind: str = "i") -> NDArray:
        numbers = unpack_numbers(*self._next(), count)
        if numbers.dtype.kind != kind:
            raise ValueError(f"a section holds {numbers.dtype} in place of numbers of kind {kind!r}")
        return numbers


def whole(value: Any, low: int, high: int) -> int:
    """``value``, or a ValueError if it is not a whole number from ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"a number must be whole and from {low} to {high}, got {str(value)[:40]}")
    return value


def to_bytes(network: IntegerNetwork) -> bytes:
    """The packed file of a network."""
    writer = _Writer()
    used = np.zeros(network.inputs.num_inputs, bool)
    used[network.columns] = True
    header = {
        "inputs": _write_inputs(writer, network.inputs, used),
        "layers": [_write_layer(writer, layer) for layer in network.layers],
        "decision": _write_decision(writer, network.decision),
        "labels": list(network.labels),
        "unlabelled": network.unlabelled,
        "encoder": None if network.encoder is None else _write_encoder(writer, network.encoder),
        "exact": network.exact,
        "provenance": dict(network.provenance),
    }
    header["sections"] = [[coding, len(data)] for data, coding in writer.sections]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    body = text + b"".join(data for data, _ in writer.sections)
    version = LINKED if any(layer.link is not None for layer in network.layers) else VERSION
    return PREFIX.pack(SIGNATURE + version, len(text), hashlib.sha256(body).digest()) + body


def from_bytes(data: bytes) -> IntegerNetwork:
    """The network of a packed file.

    Raises
    ------
    PackedFileError
        If the bytes are not a packed network: in one sentence, why.
    """
    if len(data) < PREFIX.size or not data.startswith(SIGNATURE):
        raise PackedFileError("not a packed network: the file does not start with MPNNnet")
    magic, length, digest = PREFIX.unpack_from(data)
    if magic[len(SIGNATURE) :] not in (VERSION, LINKED):
        version = magic[len(SIGNATURE) :].decode("ascii", "replace")
        known = f"{VERSION.decode()!r} and {LINKED.decode()!r}"
        raise PackedFileError(f"the packed network has version {version!r}, this reads {known}")
    body = memoryview(data)[PREFIX.size :]
    if hashlib.sha256(body).digest() != digest:
        raise PackedFileError("the packed network is damaged: its checksum differs")
    if length > len(body):
        raise PackedFileError("the packed network is damaged: its header is longer than the file")
    try:
        return _read_network(json.loads(bytes(body[:length]).decode()), body[length:])
    except UNREADABLE as error:
        raise PackedFileError(f"the packed network cannot be read: {error}") from error


def save_network(network: IntegerNetwork, path: str | Path) -> None:
    """Write the packed file, atomically: the old file stays until the new one is complete."""
    write_atomically(path_of("path", path), to_bytes(network))


def load_network(path: str | Path) -> IntegerNetwork:
    """Read a packed file; :class:`PackedFileError` if it is not one."""
    with path_of("path", path).open("rb") as file:
        start = file.read(PREFIX.size)
        # the start is looked at first: a large file of another kind is not read
        data = start + file.read() if start.startswith(SIGNATURE) else start
    return from_bytes(data)


def _read_network(header: Any, payload: memoryview) -> IntegerNetwork:
    reader = _Reader(header["sections"], payload)
    inputs, columns = _read_inputs(reader, header["inputs"])
    layers = tuple(_read_layer(reader, shape) for shape in header["layers"])
    if not layers:
        raise ValueError("a network needs at least one layer")
    decision = _read_decision(reader, header["decision"], layers[-1].num_units, len(columns))
    encoder = None if header["encoder"] is None else _read_encoder(reader, header["encoder"])
    if encoder is not None and encoder.num_bits != inputs.num_inputs:
        raise ValueError(f"the encoder has {encoder.num_bits} bits, the network {inputs.num_inputs} inputs")
    if reader.sections:
        raise ValueError("there are sections that nothing asks for")
    labels = tuple(header["labels"])
    unlabelled = header["unlabelled"]
    for label in labels if unlabelled is None else (*labels, unlabelled):
        _check_label(label)
    if len({type(label) for label in labels}) != 1 or type(header["exact"]) is not bool:
        raise ValueError("labels must be of one type")
    provenance = {str(name): str(value) for name, value in header["provenance"].items()}
    return IntegerNetwork(
        inputs, columns, layers, decision, labels, unlabelled, encoder, header["exact"], provenance
    )


def _check_label(label: Any) -> None:
    if not isinstance(label, bool | int | float | str) or (isinstance(label, int) and abs(label) >= 2**63):
        raise ValueError("a label must be a truth value, a number or a text")


def _write_inputs(
    writer: _Writer, inputs: PixelTable | RealInputs, used: NDArray[np.bool_]
) -> dict[str, Any]:
    writer.numbers(used)
    if isinstance(inputs, PixelTable):
        if inputs.is_identity:
            return {"kind": "pixels", "inputs": len(used), "tables": 0}
        writer.numbers(inputs.codes.ravel())
        if len(inputs.codes) > 1:
            writer.numbers(inputs.kinds.astype(np.int64))
        return {"kind": "pixels", "inputs": len(used), "tables": len(inputs.codes)}
    writer.numbers(inputs.offset)
    writer.numbers(inputs.multiplier)
    sizes = {"offsets": len(inputs.offset), "multipliers": len(inputs.multiplier)}
    numbers = {"power": inputs.power, "dead_zone": inputs.dead_zone, "clip": inputs.clip}
    return {"kind": "real", "inputs": len(used)} | numbers | sizes


def _read_inputs(reader: _Reader, header: Any) -> tuple[PixelTable | RealInputs, NDArray[np.int64]]:
    count = whole(header["inputs"], 1, LARGEST_SIZE)
    columns = np.flatnonzero(reader.numbers(count, "b"))
    if header["kind"] == "pixels":
        tables = whole(header["tables"], 0, 256)
        codes = reader.numbers(256 * tables).reshape(tables, 256) if tables else np.arange(256)[None]
        if np.abs(codes).max() >= 2**31:
            raise ValueError("codes of pixels must stay below 2^31")
        kinds = reader.numbers(count) if tables > 1 else np.zeros(count, np.uint8)
        if kinds.min() < 0 or kinds.max() >= max(tables, 1):
            raise ValueError("an input has no table")
        return PixelTable(codes, kinds.astype(np.uint8)), columns
    if header["kind"] != "real":
        raise ValueError("inputs are of an unknown kind")
    offset = reader.numbers(whole(header["offsets"], 1, count), "f")
    multiplier = reader.numbers(whole(header["multipliers"], 1, count), "f")
    clip = whole(header["clip"], 1, 2**31)
    dead_zone = float(header.get("dead_zone", 0.0))  # older files have none
    return RealInputs(offset, multiplier, float(header["power"]), clip, count, dead_zone), columns


def _write_layer(writer: _Writer, layer: Layer) -> list[Any]:
    writer.weights(layer.weights)
    writer.numbers(layer.thresholds)
    header: list[Any] = list(layer.weights.shape)
    if layer.windows is not None:
        header += [len(layer.thresholds), asdict(layer.windows)]
    if layer.link is not None:
        writer.numbers(layer.link.jumps)
        header.append(layer.link.below)
    return header


def _read_layer(reader: _Reader, header: Any) -> Layer:
    blocks, inputs, units = (whole(size, 0, LARGEST_SIZE) for size in header[:3])
    if not blocks or not units:
        raise ValueError("a layer needs at least one block and one unit")
    weights = reader.weights((blocks, inputs, units))
    count, windows, rest = blocks * units, None, header[3:]
    if len(rest) > 1:
        count, windows, rest = whole(rest[0], 1, LARGEST_SIZE), _read_windows(rest[1]), rest[2:]
    thresholds, link = reader.numbers(count), None
    if rest:
        (below,) = rest
        link = Link(whole(below, 1, LARGEST_SIZE), reader.numbers(blocks * units))
    return Layer(weights, thresholds, windows, link)


def _read_windows(sizes: Any) -> Windows:
    lengths = {"shape": 3, "window": 2, "out_shape": 2, "margins": 2}
    values: dict[str, Any] = {}
    for name, value in sizes.items():
        many = name in lengths
        numbers = tuple(whole(size, 0, LARGEST_SIDE) for size in (value if many else [value]))
        if len(numbers) != lengths.get(name, 1):
            raise ValueError(f"{name} of windows has {len(numbers)} numbers")
        values[name] = numbers if many else numbers[0]
    return Windows(**values)


def _write_decision(writer: _Writer, decision: Sign | Argmax | Vote) -> dict[str, Any]:
    if isinstance(decision, Sign):
        return {"kind": "sign"}
    if isinstance(decision, Argmax):
        if decision.multipliers is None or decision.offsets is None:
            return {"kind": "argmax", "scaled": False}
        writer.numbers(decision.multipliers)
        writer.numbers(decision.offsets)
        return {"kind": "argmax", "scaled": True}
    header: dict[str, Any] = {"kind": "vote", "classes": decision.num_classes, "ties": decision.ties}
    if (table := decision.confidence) is not None:
        header |= {"points": len(table.losing), "step": table.step_bits, "shift": table.shift}
        header |= {"root": table.root_bits, "constant": table.roots is not None}
        for name in ("losing", "winning", "roots", "offsets", "extra"):
            if (array := getattr(table, name)) is not None:
                writer.numbers(array.astype(np.int64))
    return header


def _read_decision(reader: _Reader, header: Any, outputs: int, used: int) -> Sign | Argmax | Vote:
    kind = header["kind"]
    if kind == "sign":
        return Sign()
    if kind == "argmax":
        if not header["scaled"]:
            return Argmax(outputs)
        return Argmax(outputs, reader.numbers(outputs), reader.numbers(outputs))
    if kind != "vote":
        raise ValueError("the decision is of an unknown kind")
    confidence = None
    if header["ties"] == "confidence":
        points = whole(header["points"], 2, 2**16)
        losing, winning = (reader.numbers(points) for _ in range(2))
        if min(losing.min(), winning.min()) < 0 or max(losing.max(), winning.max()) >= 2**32:
            raise ValueError("reciprocals must fit in 32 bits")
        step, shift = whole(header["step"], 0, 12), whole(header["shift"], 0, 32)
        arrays: dict[str, NDArray] = {}
        for name, count in (
            (("roots", outputs),) if header["constant"] else (("offsets", used), ("extra", outputs))
        ):
            arrays[name] = reader.numbers(count)
        tables = (losing.astype(np.uint32), winning.astype(np.uint32))
        confidence = Confidence(*tables, step, shift, **arrays, root_bits=whole(header["root"], 0, 16))
    return Vote(whole(header["classes"], 2, 256), header["ties"], confidence)


def _write_encoder(writer: _Writer, encoder: Thermometer) -> list[Any]:
    writer.numbers(np.array([cut for column in encoder.columns for cut in column.thresholds], np.float64))
    return [
        [column.off, list(column.categories) if column.kind == "categories" else len(column.thresholds)]
        for column in encoder.columns
    ]


def _read_encoder(reader: _Reader, header: Any) -> Thermometer:
    counts = [0 if isinstance(code, list) else whole(code, 0, LARGEST_SIZE) for _, code in header]
    cuts, columns, start = reader.numbers(sum(counts), "f").tolist(), [], 0
    for (off, code), count in zip(header, counts, strict=True):
        if isinstance(code, list):
            if any(not isinstance(category, str | int | float) for category in code):
                raise ValueError("a category must be a number or a text")
            columns.append(Column("categories", categories=tuple(code), off=off))
        else:
            columns.append(Column("thermometer", tuple(cuts[start : start + count]), off=off))
        start += count
    return Thermometer(tuple(columns))
