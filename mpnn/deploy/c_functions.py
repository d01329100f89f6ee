"""Functions of an integer network as C99: codes of the inputs, sums of the layers, outputs."""

from dataclasses import replace
from functools import partial

import numpy as np

from mpnn.deploy.c_decisions import confidence_source, decision_source
from mpnn.deploy.c_layers import (
    INDEX,
    FirstLayer,
    first_layer,
    first_planes,
    input_type,
    sign_layer,
    takes_bytes,
    word_bits_of,
)
from mpnn.deploy.c_links import jump_source
from mpnn.deploy.c_text import c_array
from mpnn.deploy.c_windows import ImageWords, first_windows, sign_windows
from mpnn.integer_networks.decisions import Vote
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.network import IntegerNetwork

__all__ = ["input_walk", "network_functions", "words_of"]


def network_functions(network: IntegerNetwork, name: str, optimize: str) -> list[str]:
    """Tables and functions, in the order in which they use each other."""
    if optimize == "speed" and takes_bytes(network.layers[0]):
        network = _with_all_inputs(network)
    parts = [_ones(name)] if len(network.layers) > 1 else []
    if network.layers[0].windows is not None:
        parts += [_input_data(network, name), _first_windows(network, name)]
        first = None
    else:
        first = first_layer(f"{name}_first", network.layers[0], optimize)
        parts += [_input_data(network, name), first.data]
        parts.append(c_array(f"{name}_first_start", -network.layers[0].thresholds))
        parts.append(_first_function(network, name, first))
    parts += [_sign_function(network, name, index) for index in range(1, len(network.layers))]
    parts.append(_outputs_function(network, name))
    if isinstance(network.decision, Vote) and network.decision.confidence is not None:
        parts.append(confidence_source(network, name, partial(_squares_walk, network, name, first)))
    return [*parts, decision_source(network, name)]


def _squares_walk(network: IntegerNetwork, name: str, first: FirstLayer | None, start: str) -> str:
    assert first is not None  # a vote of windows over inputs has no confidence
    return input_walk(network, name, first, start, squares=True)


def _with_all_inputs(network: IntegerNetwork) -> IntegerNetwork:
    """The same network with links of 0 in place of unused inputs, so that no input is asked for its use."""
    count, columns = network.inputs.num_inputs, network.columns
    first, decision = network.layers[0], network.decision
    weights = np.zeros((1, count, first.num_units), np.int8)
    weights[:, columns] = first.weights
    if isinstance(decision, Vote) and decision.confidence is not None:
        offsets = decision.confidence.offsets
        if offsets is not None:
            everywhere = np.zeros(count, np.int64)
            everywhere[columns] = offsets
            decision = replace(decision, confidence=replace(decision.confidence, offsets=everywhere))
    layers = (replace(first, weights=weights), *network.layers[1:])
    return replace(network, columns=np.arange(count), layers=layers, decision=decision)


def _ones(name: str) -> str:
    return f"""/* Bits of a word that are 1. */
static uint32_t {name}_ones(uint32_t word)
{{
#if defined(__GNUC__) && defined(__POPCNT__)
    return (uint32_t)__builtin_popcount(word);
#else
    word = word - ((word >> 1) & 0x55555555u);
    word = (word & 0x33333333u) + ((word >> 2) & 0x33333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0fu;
    word = word + (word >> 8);
    return (word + (word >> 16)) & 63u;
#endif
}}
"""


def _input_data(network: IntegerNetwork, name: str) -> str:
    parts, inputs = [], network.inputs
    if len(network.columns) < inputs.num_inputs:
        used = np.zeros(inputs.num_inputs, bool)
        used[network.columns] = True
        parts.append(c_array(f"{name}_used", np.packbits(used, bitorder="little"), "uint8_t"))
    if isinstance(inputs, PixelTable) and not inputs.is_identity:
        parts.append(c_array(f"{name}_codes", inputs.codes))
        if len(inputs.codes) > 1:
            own = inputs.kinds[network.columns] if network.layers[0].windows is None else inputs.kinds
            parts.append(c_array(f"{name}_kinds", own, "uint8_t"))
    return "\n".join(parts)


def _code_of(network: IntegerNetwork, name: str, index: str) -> str:
    inputs = network.inputs
    if not isinstance(inputs, PixelTable) or inputs.is_identity:
        return "x[input]"
    if len(inputs.codes) == 1:
        return f"{name}_codes[x[input]]"
    return f"{name}_codes[((uint32_t){name}_kinds[{index}] << 8) + x[input]]"


def input_walk(network: IntegerNetwork, name: str, first: FirstLayer, start: str, *, squares: bool) -> str:
    """The loop over inputs: their codes' sums, or, with ``squares``, those of ``weight^2 (code - offset)^2``.

    start : C that comes before the loop, where ``unit`` is declared.
    """
    nibbles = first.form == "nibbles"
    dropped = len(network.columns) < network.inputs.num_inputs
    index = "used" if dropped else "input"
    skip = f"""        if ((((uint32_t){name}_used[input >> 3] >> (input & 7u)) & 1u) == 0u) {{
            continue;
        }}
"""
    centred = f"""        code -= {name}_offsets[{index}];
        square = (uint64_t)((int64_t)code * code);
"""
    body = (first.power if squares else first.sums).replace(INDEX, index)
    lines = [
        "    uint32_t start = 0u, end, link;\n" if nibbles else "",
        f"    uint32_t input, {'used = 0u, ' if dropped else ''}unit;\n{start}",
        f"    for (input = 0u; input < {network.inputs.num_inputs}u; ++input) {{\n        int32_t code;\n",
        "        uint64_t square;\n" if squares else "",
        skip if dropped else "",
        f"        end = start + (uint32_t){name}_first_counts[{index}];\n" if nibbles else "",
        f"        code = (int32_t){_code_of(network, name, index)};\n",
        centred if squares else "",
        "        {\n" if squares else "        if (code != 0) {\n",
        f"{body}        }}\n",
        "        start = end;\n" if nibbles else "",
        "        ++used;\n" if dropped else "",
        "    }\n",
    ]
    return "".join(lines)


def _first_function(network: IntegerNetwork, name: str, first: FirstLayer) -> str:
    start = f"""    for (unit = 0u; unit < {network.layers[0].num_units}u; ++unit) {{
        sums[unit] = (int32_t){name}_first_start[unit];
    }}
"""
    return f"""static void {name}_first(const {input_type(network)} *x, int32_t *sums)
{{
{input_walk(network, name, first, start, squares=False)}}}
"""


def _first_windows(network: IntegerNetwork, name: str) -> str:
    layer = network.layers[0]
    blocks, _, units = layer.weights.shape
    side_by_side = replace(layer, weights=layer.weights.transpose(1, 0, 2).reshape(1, -1, blocks * units))
    used = ""
    if len(network.columns) < network.inputs.num_inputs:
        used = f"if ((((uint32_t){name}_used[input >> 3] >> (input & 7u)) & 1u) != 0u) "
    code = f"{used}{{ code += (int32_t){_code_of(network, name, 'input')}; }}"
    if len(network.layers) == 1:
        target, store = "int32_t *outputs", "outputs[unit] = sums[unit];"
    else:
        target = f"{words_of(network, 1)[0]} *above"
        block, own = f"unit / {units}u", f"unit % {units}u"
        store = _store_sign(network, 0, "above", "sums[unit]", (block, "place", own))
    planes = first_planes(f"{name}_first", side_by_side)
    return first_windows(name, layer, planes, code, input_type(network), target, store)


def _store_sign(
    network: IntegerNetwork, index: int, target: str, value: str, where: tuple[str, str, str]
) -> str:
    """C that sets a unit's bit of layer ``index`` in the words that the next layer reads.

    where : C of the unit's block, position and place in it.
    """
    (block, place, own), above, layer = where, network.layers[index + 1], network.layers[index]
    blocks, inputs, _ = above.weights.shape
    if above.windows is None:
        bits = word_bits_of(inputs)
        words = -(-inputs // bits)
        inner = own if layer.windows is None else f"({place} * {layer.weights.shape[2]}u + {own})"
        start = f"({block}) * {words}u + " if blocks > 1 else ""
    else:
        image = ImageWords(above.windows.shape[2])
        bits, inner = image.bits, own
        if layer.windows is None:
            place, inner = f"({own}) / {image.channels}u", f"({own}) % {image.channels}u"
        pixels = above.windows.shape[0] * above.windows.shape[1]
        start = f"(({block}) * {pixels}u + {place}) * {image.words}u + "
    word, bit = f"{start}(({inner}) >> {bits.bit_length() - 1})", f"({inner}) & {bits - 1}u"
    return (
        f"if ({value} >= 0) {{ {target}[{word}] = "
        f"(uint{bits}_t)({target}[{word}] | (uint{bits}_t)(1u << ({bit}))); }}"
    )


def words_of(network: IntegerNetwork, index: int) -> tuple[str, int]:
    """Type and number of the words that hold the signs which layer ``index`` reads."""
    layer = network.layers[index]
    blocks, inputs, _ = layer.weights.shape
    if layer.windows is not None:
        image = ImageWords(layer.windows.shape[2])
        return image.ctype, blocks * layer.windows.shape[0] * layer.windows.shape[1] * image.words
    bits = word_bits_of(inputs)
    return f"uint{bits}_t", blocks * -(-inputs // bits)


def _sign_function(network: IntegerNetwork, name: str, index: int) -> str:
    prefix, layer = f"{name}_layer{index}", network.layers[index]
    last = index == len(network.layers) - 1
    below, _ = words_of(network, index)
    if last:
        unit = "unit" if layer.windows is None else f"block * {layer.weights.shape[2]}u + own"
        target, store = "int32_t *outputs", f"outputs[{unit}] = output;"
    else:
        target = f"{words_of(network, index + 1)[0]} *above"
        store = _store_sign(network, index, "above", "output", ("block", "place", "own"))
    jumps, jump = jump_source(network, prefix, index)
    store = f"{jump}\n                {store}" if jump else store
    read = f"const {below} *below, "
    if layer.link is not None:
        read += f"const {words_of(network, layer.link.below)[0]} *linked, "
    if layer.windows is not None:
        return jumps + sign_windows(name, index, layer, f"{read}{target}", store)
    parts = sign_layer(prefix, layer)
    loop = parts.loop % {"name": name, "store": store}
    return f"""{parts.data}{jumps}
static void {prefix}({read}{target})
{{
{loop}}}
"""


def _signs_for(network: IntegerNetwork, index: int) -> str:
    """Signs that a layer reads, and those that its link adds."""
    link = network.layers[index].link
    return f"signs{index}" if link is None else f"signs{index}, signs{link.below}"


def _outputs_function(network: IntegerNetwork, name: str) -> str:
    count = len(network.layers)
    head = f"void {name}_outputs(const {input_type(network)} *x, int32_t *outputs)\n{{\n"
    if count == 1:
        return f"{head}    {name}_first(x, outputs);\n}}\n"
    layer = network.layers[0]
    words = {index: words_of(network, index) for index in range(1, count)}
    declared = "".join(f"    {ctype} signs{index}[{size}];\n" for index, (ctype, size) in words.items())
    cleared = "".join(
        f"    for (unit = 0u; unit < {size}u; ++unit) {{\n        signs{index}[unit] = 0u;\n    }}\n"
        for index, (_, size) in words.items()
    )
    targets = [*(f"signs{index}" for index in range(2, count)), "outputs"]
    calls = "".join(
        f"    {name}_layer{index}({_signs_for(network, index)}, {target});\n"
        for index, target in enumerate(targets, start=1)
    )
    if layer.windows is not None:
        return f"""{head}{declared}    uint32_t unit;
{cleared}    {name}_first(x, signs1);
{calls}}}
"""
    units, inputs = layer.num_units, network.layers[1].weights.shape[1]
    if network.layers[1].windows is not None:
        inputs = network.layers[1].windows.num_inputs
    where = (f"unit / {inputs}u", "0u", f"unit % {inputs}u" if inputs < units else "unit")
    return f"""{head}    int32_t sums[{units}];
{declared}    uint32_t unit;
    {name}_first(x, sums);
{cleared}    for (unit = 0u; unit < {units}u; ++unit) {{
        {_store_sign(network, 0, "signs1", "sums[unit]", where)}
    }}
{calls}}}
"""
