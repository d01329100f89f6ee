"""Functions of an integer network as C99: codes of the inputs, sums of the layers, outputs."""

from dataclasses import replace

import numpy as np

from mpnn.deploy.c_decisions import confidence_source, decision_source
from mpnn.deploy.c_layers import INDEX, FirstLayer, first_layer, sign_layer, takes_bytes, word_bits_of
from mpnn.deploy.c_text import c_array
from mpnn.integer_networks.decisions import Vote
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.network import IntegerNetwork

__all__ = ["input_type", "input_walk", "network_functions"]


def network_functions(network: IntegerNetwork, name: str, optimize: str) -> list[str]:
    """Tables and functions, in the order in which they use each other."""
    if optimize == "speed" and takes_bytes(network.layers[0]):
        network = _with_all_inputs(network)
    first = first_layer(f"{name}_first", network.layers[0], optimize)
    parts = [_input_data(network, name), first.data]
    parts.append(c_array(f"{name}_first_start", -network.layers[0].thresholds))
    if len(network.layers) > 1:
        parts.append(_ones(name))
    parts.append(_first_function(network, name, first))
    parts += [_sign_function(network, name, index) for index in range(1, len(network.layers))]
    parts.append(_outputs_function(network, name))
    if isinstance(network.decision, Vote) and network.decision.confidence is not None:
        parts.append(
            confidence_source(
                network, name, lambda start: input_walk(network, name, first, start, squares=True)
            )
        )
    return [*parts, decision_source(network, name)]


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


def input_type(network: IntegerNetwork) -> str:
    """C type of an input."""
    return "uint8_t" if isinstance(network.inputs, PixelTable) else "int32_t"


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
            parts.append(c_array(f"{name}_kinds", inputs.kinds[network.columns], "uint8_t"))
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


def _store_sign(network: IntegerNetwork, index: int, target: str, value: str) -> str:
    """C that sets the bit of ``unit`` of layer ``index`` in the words that the next layer reads."""
    _, inputs, _ = network.layers[index + 1].weights.shape
    bits = word_bits_of(inputs)
    words = -(-inputs // bits)
    if network.layers[index + 1].weights.shape[0] == 1:
        place, bit = f"unit >> {bits.bit_length() - 1}", f"unit & {bits - 1}u"
    else:
        place = f"(unit / {inputs}u) * {words}u + (unit % {inputs}u >> {bits.bit_length() - 1})"
        bit = f"unit % {inputs}u & {bits - 1}u"
    return (
        f"if ({value} >= 0) {{ {target}[{place}] = "
        f"(uint{bits}_t)({target}[{place}] | (uint{bits}_t)(1u << ({bit}))); }}"
    )


def _words_of(network: IntegerNetwork, index: int) -> tuple[str, int]:
    """Type and number of the words that hold the signs which layer ``index`` reads."""
    blocks, inputs, _ = network.layers[index].weights.shape
    bits = word_bits_of(inputs)
    return f"uint{bits}_t", blocks * -(-inputs // bits)


def _sign_function(network: IntegerNetwork, name: str, index: int) -> str:
    prefix = f"{name}_layer{index}"
    layer = sign_layer(prefix, network.layers[index])
    last = index == len(network.layers) - 1
    below, _ = _words_of(network, index)
    if last:
        target, store, clear = "int32_t *outputs", "outputs[unit] = output;", ""
    else:
        above, count = _words_of(network, index + 1)
        target, store = f"{above} *above", _store_sign(network, index, "above", "output")
        clear = f"    for (; unit < {count}u; ++unit) {{\n        above[unit] = 0u;\n    }}\n    unit = 0u;\n"
    loop = layer.loop % {"name": name, "store": store}
    loop = loop.replace("    for (block", f"{clear}    for (block", 1)
    return f"""{layer.data}
static void {prefix}(const {below} *below, {target})
{{
{loop}}}
"""


def _outputs_function(network: IntegerNetwork, name: str) -> str:
    count = len(network.layers)
    head = f"void {name}_outputs(const {input_type(network)} *x, int32_t *outputs)\n{{\n"
    if count == 1:
        return f"{head}    {name}_first(x, outputs);\n}}\n"
    units = network.layers[0].num_units
    words = {index: _words_of(network, index) for index in range(1, count)}
    declared = "".join(f"    {ctype} signs{index}[{size}];\n" for index, (ctype, size) in words.items())
    targets = [*(f"signs{index}" for index in range(2, count)), "outputs"]
    calls = "".join(
        f"    {name}_layer{index}(signs{index}, {target});\n" for index, target in enumerate(targets, start=1)
    )
    return f"""{head}    int32_t sums[{units}];
{declared}    uint32_t unit;
    {name}_first(x, sums);
    for (unit = 0u; unit < {words[1][1]}u; ++unit) {{
        signs1[unit] = 0u;
    }}
    for (unit = 0u; unit < {units}u; ++unit) {{
        {_store_sign(network, 0, "signs1", "sums[unit]")}
    }}
{calls}}}
"""
