"""Layers of an integer network as C99: how weights lie in flash, and the loops over them.

First layers add codes, input by input, inputs of code 0 skipped. Their weights lie in one of three forms:

* ``"planes"``: bits of the units, a plane of signs and, unless all weights are -1 or +1, one for each bit of
  the magnitude; a code is added or subtracted, shifted by the plane's bit.
* ``"nibbles"``: four bits a link: the gap to the next unit and a sign, and how many each input has.
* ``"bytes"``: a byte a link, the unit itself and a sign, for up to 128 units, and where each input's
  begin; faster.

Layers above count differing signs: XNOR and population count of words, against the same planes, unit by unit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpnn.deploy.c_text import c_array, c_type
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.network import IntegerNetwork, Layer

__all__ = [
    "INDEX",
    "FirstLayer",
    "SignLayer",
    "bit_planes",
    "first_layer",
    "first_planes",
    "input_type",
    "sign_layer",
    "takes_bytes",
    "takes_rows",
    "word_bits_of",
]

LARGEST_GAP = 7
UNITS_OF_BYTES = 128
# Links are faster than planes below this share of weights that are not 0.
SPARSE = 0.5


def bit_planes(weights: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Planes ``[planes, ...]``: positive, then the bits of the magnitude if any is not 1."""
    magnitudes = np.abs(weights.astype(np.int16))
    if np.all(magnitudes == 1):
        return (weights > 0)[None]
    count = int(magnitudes.max(initial=1)).bit_length()
    return np.stack([weights > 0, *((magnitudes >> place) & 1 == 1 for place in range(count))])


def input_type(network: IntegerNetwork) -> str:
    """C type of an input of the network: of a table, of a bit of its encoder."""
    if isinstance(network.inputs, PixelTable):
        return "uint8_t"
    return "int8_t" if takes_rows(network) else "int32_t"


def takes_rows(network: IntegerNetwork) -> bool:
    """Whether the C takes rows of a table, whose bits are the codes."""
    coded = not isinstance(network.inputs, PixelTable) and network.inputs.is_identity
    return network.encoder is not None and coded


# What a walk does at a link of ``unit``: ``minus`` is 0 or -1.
ADD = "sums[unit] += (code ^ minus) - minus;"
SQUARE = "(void)minus; power[unit] += square;"
# Stands for the number of an input among the used ones.
INDEX = "@INDEX@"


@dataclass(frozen=True)
class FirstLayer:
    """Data and loops of a first layer.

    ``sums`` is C that adds ``code`` to ``sums[unit]`` over an input's links, ``power`` adds ``square`` times
    the squared weight to ``power[unit]``. Used inputs are counted by what stands for :data:`INDEX`; nibbles
    lie from ``start`` to ``end``.
    """

    form: str
    data: str
    sums: str
    power: str
    num_bytes: int


def first_layer(prefix: str, layer: Layer, optimize: str) -> FirstLayer:
    """The form that is smallest, or fastest on a processor with a cache."""
    weights = layer.weights[0]
    planes = _planes(prefix, weights)
    if int(np.abs(weights).max(initial=0)) > 1:
        return planes
    nibbles = _nibbles(prefix, weights)
    if optimize == "size":
        return min(planes, nibbles, key=lambda form: form.num_bytes)
    if takes_bytes(layer):
        return _bytes(prefix, weights)
    sparse = np.count_nonzero(weights) < SPARSE * weights.size
    return nibbles if sparse and nibbles.num_bytes < planes.num_bytes else planes


def first_planes(prefix: str, layer: Layer) -> FirstLayer:
    """The form whose rows are found at random."""
    return _planes(prefix, layer.weights[0])


def takes_bytes(layer: Layer) -> bool:
    """Whether a first layer is fastest with a byte a link."""
    if layer.windows is not None:
        return False
    weights = layer.weights[0]
    ternary = int(np.abs(weights).max(initial=0)) <= 1
    return (
        ternary and weights.shape[1] <= UNITS_OF_BYTES and np.count_nonzero(weights) < SPARSE * weights.size
    )


def _planes(prefix: str, weights: NDArray[np.int8]) -> FirstLayer:
    planes = bit_planes(weights)
    packed = np.packbits(planes, axis=2, bitorder="little").transpose(1, 0, 2)
    units, size = weights.shape[1], packed.shape[2]
    bits = [
        f"((uint32_t)row[{size * place}u + (unit >> 3)] >> (unit & 7u)) & 1u" for place in range(len(planes))
    ]
    magnitude = " | ".join(f"(({bit}) << {place})" for place, bit in enumerate(bits[1:]))
    if len(planes) == 1:
        added, squared = ADD, SQUARE
    else:
        # a product with a power of two is a shift, which C does not define for negative numbers
        added = "\n            ".join(
            f"if (({bit}) != 0u) {{ sums[unit] += ((code ^ minus) - minus) * {1 << place}; }}"
            for place, bit in enumerate(bits[1:])
        )
        squared = f"const uint64_t size = {magnitude};\n            (void)minus;\n"
        squared += "            power[unit] += square * size * size;"
    walk = f"""        const uint8_t *row = &{prefix}_planes[{INDEX} * {size * len(planes)}u];
        for (unit = 0u; unit < {units}u; ++unit) {{
            const int32_t minus = (int32_t)({bits[0]}) - 1;
            %s
        }}
"""
    data = c_array(f"{prefix}_planes", packed, "uint8_t")
    return FirstLayer("planes", data, walk % added, walk % squared, packed.size)


def _nibbles(prefix: str, weights: NDArray[np.int8]) -> FirstLayer:
    stream: list[int] = []
    counts = []
    for row in weights:
        start, last = len(stream), -1
        for unit in np.flatnonzero(row).tolist():
            gap = unit - last
            while gap > LARGEST_GAP:
                stream.append(0)
                gap -= LARGEST_GAP
            stream.append(gap | (8 if row[unit] < 0 else 0))
            last = unit
        counts.append(len(stream) - start)
    padded = np.array([*stream, *([0] * (len(stream) % 2))], np.int64).reshape(-1, 2)
    packed, ends = padded[:, 0] | (padded[:, 1] << 4), np.array(counts, np.int64)
    walk = f"""        unit = UINT32_MAX;
        for (link = start; link < end; ++link) {{
            const uint32_t nibble = ((uint32_t){prefix}_links[link >> 1] >> ((link & 1u) << 2)) & 15u;
            const uint32_t gap = nibble & 7u;
            if (gap == 0u) {{
                unit += {LARGEST_GAP}u;
            }} else {{
                const int32_t minus = -(int32_t)(nibble >> 3);
                unit += gap;
                %s
            }}
        }}
"""
    data = c_array(f"{prefix}_links", packed, "uint8_t") + c_array(f"{prefix}_counts", ends)
    itemsize = np.dtype(c_type(ends).removesuffix("_t")).itemsize
    return FirstLayer("nibbles", data, walk % ADD, walk % SQUARE, len(packed) + len(ends) * itemsize)


def _bytes(prefix: str, weights: NDArray[np.int8]) -> FirstLayer:
    rows, units = np.nonzero(weights)
    links = units | np.where(weights[rows, units] < 0, 128, 0)
    starts = np.append(0, np.count_nonzero(weights, axis=1).cumsum())
    walk = f"""        const uint32_t end = (uint32_t){prefix}_starts[{INDEX} + 1u];
        uint32_t link;
        for (link = (uint32_t){prefix}_starts[{INDEX}]; link < end; ++link) {{
            const uint32_t entry = {prefix}_links[link];
            const int32_t minus = -(int32_t)(entry >> 7);
            unit = entry & 127u;
            %s
        }}
"""
    data = c_array(f"{prefix}_links", links, "uint8_t") + c_array(f"{prefix}_starts", starts)
    return FirstLayer("bytes", data, walk % ADD, walk % SQUARE, len(links) + 2 * len(starts))


@dataclass(frozen=True)
class SignLayer:
    """Data, loop and word of a layer of signs; ``%(store)s`` stands for what becomes of ``output``."""

    data: str
    loop: str
    word_bits: int
    words: int
    num_bytes: int


def word_bits_of(inputs: int) -> int:
    """Bits of the words that hold a block's signs: 8, 16 or 32."""
    return 8 if inputs <= 8 else 16 if inputs <= 16 else 32


def sign_layer(prefix: str, layer: Layer) -> SignLayer:
    """A unit's output is ``limit - 2 wrong``: twice the links whose sign differs, by their magnitude."""
    blocks, inputs, units = layer.weights.shape
    bits = word_bits_of(inputs)
    words = -(-inputs // bits)
    planes = bit_planes(layer.weights).transpose(1, 3, 0, 2)
    padded = np.pad(planes, ((0, 0), (0, 0), (0, 0), (0, words * bits - inputs)))
    packed = np.ascontiguousarray(np.packbits(padded, axis=3, bitorder="little")).view(f"<u{bits // 8}")
    limits = layer.largest_sums() - layer.thresholds
    data = c_array(f"{prefix}_planes", packed, f"uint{bits}_t") + c_array(f"{prefix}_limits", limits)
    differing = f"(uint32_t)(below[block * {words}u + word] ^ row[word])"
    count = planes.shape[2] - 1
    if count == 0:
        # padding is 0 in the signs and in the units below
        body = f"wrong += %(name)s_ones({differing});"
    else:
        added = "\n                ".join(
            f"wrong += %(name)s_ones(differing & row[{words * (place + 1)}u + word]) << {place};"
            for place in range(count)
        )
        body = f"const uint32_t differing = {differing};\n                {added}"
    loop = f"""    const uint{bits}_t *row = {prefix}_planes;
    uint32_t block, own, word, unit = 0u;
    for (block = 0u; block < {blocks}u; ++block) {{
        for (own = 0u; own < {units}u; ++own) {{
            uint32_t wrong = 0u;
            int32_t output;
            for (word = 0u; word < {words}u; ++word) {{
                {body}
            }}
            row += {words * (count + 1)};
            output = (int32_t){prefix}_limits[unit] - 2 * (int32_t)wrong;
            %(store)s
            ++unit;
        }}
    }}
"""
    return SignLayer(data, loop, bits, words, packed.nbytes)
