"""Residual links as C99: a unit's sum gets its jump where the unit at the other end is +1."""

import numpy as np

from mpnn.deploy.c_layers import word_bits_of
from mpnn.deploy.c_text import c_array
from mpnn.deploy.c_windows import ImageWords
from mpnn.integer_networks.network import IntegerNetwork
from mpnn.integer_networks.windows import Windows

__all__ = ["jump_source"]


def jump_source(network: IntegerNetwork, prefix: str, index: int) -> tuple[str, str]:
    """Tables, and C that adds the jump of a layer's unit to ``output``; both empty without a link.

    The C reads the words ``linked``, which hold what the layer at the other end reads, and the unit's
    ``block``, its place ``own`` in it and, of windows, its ``place``.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    prefix : str
        Of the layer's names.
    index : int
        Of the layer.
    """
    layer = network.layers[index]
    if layer.link is None:
        return "", ""
    begin, units = network.layers[layer.link.below], layer.weights.shape[2]
    unit = "own" if layer.windows is None else f"(place * {units}u + own)"
    jumps, data = layer.link.jumps, ""
    jump = f"{int(jumps[0])}"
    if np.any(jumps != jumps[0]):
        data, jump = c_array(f"{prefix}_jumps", jumps), f"(int32_t){prefix}_jumps[block * {units}u + own]"
    if begin.windows is None:
        bits = word_bits_of(begin.weights.shape[1])
        word = f"block * {-(-begin.weights.shape[1] // bits)}u + ({unit} >> {bits.bit_length() - 1})"
        return data, f"if ({_bit('linked', word, unit, bits)} != 0u) {{ output += {jump}; }}"
    return data, _of_image(begin.windows, unit, jump)


def _bit(words: str, word: str, unit: str, bits: int) -> str:
    return f"(((uint32_t){words}[{word}] >> ({unit} & {bits - 1}u)) & 1u)"


def _of_image(windows: Windows, unit: str, jump: str) -> str:
    """C for a link that begins at an image, or at the largest of its squares."""
    image, size, width = ImageWords(windows.shape[2]), windows.largest_of, windows.pooled[1]
    full, channels = windows.shape[1], windows.shape[2]
    pixel, bits = f"{unit} / {channels}u", image.bits
    start = f"block * {windows.shape[0] * full}u"
    if size > 1:
        start += f" + pixel / {width}u * {size * full}u + pixel % {width}u * {size}u"
        start += f" + covered / {size}u * {full}u + covered % {size}u"
    else:
        start += " + pixel"
    word = f"({start}) * {image.words}u + (channel >> {bits.bit_length() - 1})"
    found = f"any |= {_bit('linked', word, 'channel', bits)};"
    if size > 1:
        found = f"for (covered = 0u; covered < {size * size}u; ++covered) {{ {found} }}"
    covered = "uint32_t covered, any = 0u;" if size > 1 else "uint32_t any = 0u;"
    return f"""{{
                    const uint32_t pixel = {pixel}, channel = {unit} % {channels}u;
                    {covered}
                    {found}
                    if (any != 0u) {{ output += {jump}; }}
                }}"""
