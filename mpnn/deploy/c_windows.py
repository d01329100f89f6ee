"""Layers of windows as C99: a kernel is in flash once, and loops run over positions, window and channels.

Signs of an image lie pixel by pixel, the channels of one in words of 8, 16 or 32 bits. First layers add codes
as dense ones do, position by position.
"""

from dataclasses import dataclass

import numpy as np

from mpnn.deploy.c_layers import INDEX, FirstLayer, bit_planes, word_bits_of
from mpnn.deploy.c_text import c_array
from mpnn.integer_networks.network import Layer
from mpnn.integer_networks.windows import Windows

__all__ = ["ImageWords", "first_windows", "sign_windows"]


@dataclass(frozen=True)
class ImageWords:
    """How the signs of an image lie: ``words`` a pixel of ``bits`` bits."""

    channels: int

    @property
    def bits(self) -> int:
        """Bits of a word."""
        return word_bits_of(self.channels)

    @property
    def words(self) -> int:
        """Words of a pixel."""
        return -(-self.channels // self.bits)

    @property
    def ctype(self) -> str:
        """Type of a word."""
        return f"uint{self.bits}_t"


def _place_of_window(windows: Windows, skipped: str) -> str:
    """C that sets ``y`` and ``z`` to a pixel of the window at ``line``, ``column``; skips those outside."""
    (top, left), (height, width) = windows.margins, windows.pooled
    lines = [
        f"const uint32_t y = line * {windows.stride}u + down" + (f" - {top}u;" if top else ";"),
        f"const uint32_t z = column * {windows.stride}u + right" + (f" - {left}u;" if left else ";"),
    ]
    if windows.pads:  # what is above or to the left wraps around
        lines.append(f"if (y >= {height}u || z >= {width}u) {{ {skipped}continue; }}")
    return "\n                    ".join(lines)


def _squares(windows: Windows, width: int, body: str) -> str:
    """C that runs ``body`` for the pixels of the square at ``y``, ``z``, with their number in ``pixel``."""
    if windows.sum_of == 1:
        return f"const uint32_t pixel = y * {width}u + z;\n                    {body}"
    size = windows.sum_of
    return f"""uint32_t square;
                    for (square = 0u; square < {size * size}u; ++square) {{
                        const uint32_t pixel =
                            (y * {size}u + square / {size}u) * {width}u + z * {size}u + square % {size}u;
                        {body}
                    }}"""


def first_windows(
    name: str, layer: Layer, first: FirstLayer, code: str, ctype: str, target: str, store: str
) -> str:
    """The function ``<name>_first`` of a layer of windows over the inputs.

    Parameters
    ----------
    name : str
        Prefix of all names.
    layer : Layer
        The layer, its blocks over the same inputs.
    first : FirstLayer
        Its links, which are walked at random: planes.
    code : str
        C that adds the code of ``input`` to ``code``.
    ctype, target : str
        Type of the inputs, and the argument that gets the units.
    store : str
        C that stores ``sums[unit]`` of ``place``.
    """
    windows = layer.windows
    assert windows is not None
    kernels, (rows, columns) = layer.num_kernels, windows.out_shape
    everywhere = len(layer.thresholds) == kernels
    blocks, _, units = layer.weights.shape
    starts = -layer.thresholds if everywhere else -_by_position(layer)
    data = c_array(f"{name}_first_start", starts)
    start = f"{name}_first_start[unit]" if everywhere else f"{name}_first_start[place * {kernels}u + unit]"
    channels = windows.shape[2]
    added = f"const uint32_t input = pixel * {channels}u + channel;\n                        {code}"
    index = f"((down * {windows.window[1]}u + right) * {channels}u + channel)"
    return f"""{first.data}{data}
static void {name}_first(const {ctype} *x, {target})
{{
    int32_t sums[{kernels}];
    uint32_t line, column, down, right, channel, unit, place = 0u;
    for (line = 0u; line < {rows}u; ++line) {{
        for (column = 0u; column < {columns}u; ++column) {{
            for (unit = 0u; unit < {kernels}u; ++unit) {{
                sums[unit] = (int32_t){start};
            }}
            for (down = 0u; down < {windows.window[0]}u; ++down) {{
                for (right = 0u; right < {windows.window[1]}u; ++right) {{
                    {_place_of_window(windows, "")}
                    for (channel = 0u; channel < {channels}u; ++channel) {{
                    int32_t code = 0;
                    {_squares(windows, windows.shape[1], added)}
                    if (code != 0) {{
{first.sums.replace(INDEX, index)}
                    }}
                    }}
                }}
            }}
            for (unit = 0u; unit < {kernels}u; ++unit) {{
                {store}
            }}
            ++place;
        }}
    }}
}}
"""


def _by_position(layer: Layer) -> np.ndarray:
    """Thresholds in the order of positions, blocks, channels."""
    blocks, _, units = layer.weights.shape
    return layer.thresholds.reshape(blocks, layer.positions, units).transpose(1, 0, 2)


def sign_windows(name: str, index: int, layer: Layer, arguments: str, store: str) -> str:
    """The function ``<name>_layer<index>`` of a layer of windows over signs.

    Parameters
    ----------
    name : str
        Prefix of all names.
    index : int
        Of the layer.
    layer : Layer
        The layer.
    arguments : str
        Of the function: the words ``below``, others, and the one that gets the units.
    store : str
        C that stores ``output`` of ``own`` at ``place`` in ``block``.
    """
    windows, prefix = layer.windows, f"{name}_layer{index}"
    assert windows is not None
    blocks, _, units = layer.weights.shape
    words, (rows, columns) = ImageWords(windows.shape[2]), windows.window
    taps = rows * columns
    planes = bit_planes(layer.weights).reshape(-1, blocks, taps, windows.shape[2], units)
    # of each kernel: pixel by pixel the planes, word by word
    planes = planes.transpose(1, 4, 2, 0, 3)
    padded = np.pad(planes, [(0, 0)] * 4 + [(0, words.words * words.bits - windows.shape[2])])
    packed = np.ascontiguousarray(np.packbits(padded, axis=4, bitorder="little")).view(f"<u{words.bits // 8}")
    data = c_array(f"{prefix}_planes", packed, words.ctype)
    links = np.abs(layer.weights.astype(np.int64)).reshape(blocks, taps, windows.shape[2], units).sum(axis=2)
    limits = -layer.thresholds
    if windows.pads:
        data += c_array(f"{prefix}_weights", links.transpose(0, 2, 1) * windows.num_summed)
    else:
        of_kernels = links.sum(axis=1).reshape(blocks, 1, units) * windows.num_summed
        limits = (limits.reshape(blocks, -1, units) + of_kernels).ravel()
    data += c_array(f"{prefix}_limits", limits)
    return f"""{data}
static void {prefix}({arguments})
{{
{_kernel_loop(prefix, layer, windows, words, planes.shape[3], store)}}}
"""


def _kernel_loop(
    prefix: str, layer: Layer, windows: Windows, words: ImageWords, num_planes: int, store: str
) -> str:
    blocks, _, units = layer.weights.shape
    size, taps = windows.largest_of, windows.window[0] * windows.window[1]
    height, width = windows.shape[0] // size, windows.shape[1] // size
    step = words.words * num_planes
    everywhere = len(layer.thresholds) == layer.num_kernels
    limit = (
        f"{prefix}_limits[kernel]"
        if everywhere
        else (f"{prefix}_limits[(block * {windows.positions}u + place) * {units}u + own]")
    )
    links = f"links += (int32_t){prefix}_weights[kernel * {taps}u + down * {windows.window[1]}u + right];"
    counters = "uint32_t block, own, line, column, down, right, word, place;"
    return f"""{_largest(windows, words, blocks)}    {counters}
    for (block = 0u; block < {blocks}u; ++block) {{
        place = 0u;
        for (line = 0u; line < {windows.out_shape[0]}u; ++line) {{
        for (column = 0u; column < {windows.out_shape[1]}u; ++column) {{
            const {words.ctype} *planes = &{prefix}_planes[block * {units * taps * step}u];
            for (own = 0u; own < {units}u; ++own) {{
                const uint32_t kernel = block * {units}u + own;
                uint32_t wrong = 0u;
                int32_t links = 0, output;
                for (down = 0u; down < {windows.window[0]}u; ++down) {{
                for (right = 0u; right < {windows.window[1]}u; ++right) {{
                    {_place_of_window(windows, f"planes += {step}; ")}
                    {_squares(windows, width, _wrong(prefix, words, num_planes, height * width))}
                    {links if windows.pads else ""}
                    planes += {step};
                }}
                }}
                output = (int32_t){limit} + links - 2 * (int32_t)wrong;
                {store}
            }}
            ++place;
        }}
        }}
    }}
"""


def _wrong(prefix: str, words: ImageWords, num_planes: int, pixels: int) -> str:
    """C that adds to ``wrong`` the magnitudes of the links whose signs differ."""
    name = prefix.rsplit("_layer", 1)[0]
    word = f"image[(block * {pixels}u + pixel) * {words.words}u + word]"
    differing = f"(uint32_t)({word} ^ planes[word])"
    if num_planes == 1:
        body = f"wrong += {name}_ones({differing});"
    else:
        body = f"const uint32_t differing = {differing};\n" + "\n".join(
            f"wrong += {name}_ones(differing & planes[{words.words * (place + 1)}u + word]) << {place};"
            for place in range(num_planes - 1)
        )
    return f"for (word = 0u; word < {words.words}u; ++word) {{\n{body}\n}}"


def _largest(windows: Windows, words: ImageWords, blocks: int) -> str:
    """C that declares ``image``: the signs below, or the largest of their squares."""
    size = windows.largest_of
    if size == 1:
        return f"    const {words.ctype} *image = below;\n"
    full = windows.shape[1]
    height, width = windows.shape[0] // size, full // size
    return f"""    {words.ctype} image[{blocks * height * width * words.words}];
    uint32_t pooled, corner, part;
    for (pooled = 0u; pooled < {blocks * height * width}u; ++pooled) {{
        /* the first pixel of a square: images lie below each other, what is left over is dropped */
        const uint32_t row = pooled / {width}u;
        const uint32_t top = row / {height}u * {windows.shape[0]}u + row % {height}u * {size}u;
        const uint32_t first = top * {full}u + pooled % {width}u * {size}u;
        for (part = 0u; part < {words.words}u; ++part) {{
            {words.ctype} any = 0u;
            for (corner = 0u; corner < {size * size}u; ++corner) {{
                any = ({words.ctype})(any | below[
                    (first + corner / {size}u * {full}u + corner % {size}u) * {words.words}u + part]);
            }}
            image[pooled * {words.words}u + part] = any;
        }}
    }}
"""
