"""An integer network as self-contained C99: one header, one source.

No allocation, no floating point, no library: tables lie in flash, sums on the stack. Layers add shifted codes or
count differing signs; multiplications occur only in an argmax over outputs that batch norm scales, and divisions
only where ``ties="confidence"`` orders tied classes.
"""

import keyword
import os
import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.deploy.c_decisions import confidence_source, decision_source
from mpnn.deploy.c_layers import FirstLayer, c_array, first_layer, sign_layer, word_bits_of
from mpnn.deploy.inputs import PixelTable, RealInputs
from mpnn.deploy.network import IntegerNetwork

__all__ = ["c_files", "c_inputs", "save_c"]

OPTIMIZE = ("size", "speed")
LARGEST_INT32 = 2**31
C_WORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "main",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "class",
        "new",
        "delete",
        "this",
        "template",
        "bool",
        "true",
        "false",
    ]
)


def save_c(
    network: IntegerNetwork,
    path: str | Path,
    rows: ArrayLike | None = None,
    *,
    name: str | None = None,
    optimize: str = "size",
) -> tuple[Path, Path]:
    """Write ``path`` with suffix ``.c`` and the header beside it; see :func:`c_files`."""
    target = Path(path).with_suffix("")
    name = re.sub(r"\W", "_", target.name, flags=re.ASCII) if name is None else name
    header, source = c_files(network, name, rows, optimize=optimize, header_name=f"{target.name}.h")
    files = (target.with_name(f"{target.name}.c"), target.with_name(f"{target.name}.h"))
    for file, text in zip(files, (source, header), strict=True):
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="ascii") as temporary:
            temporary.write(text)
        os.chmod(temporary.name, 0o644)
        os.replace(temporary.name, file)
    return files


def c_files(
    network: IntegerNetwork,
    name: str,
    rows: ArrayLike | None = None,
    *,
    optimize: str = "size",
    header_name: str | None = None,
) -> tuple[str, str]:
    """Texts of the header and of the source.

    Parameters
    ----------
    network : its sums must fit in int32.
    name : prefix of all names, a C identifier.
    rows : inputs ``[n, F]`` of the test vector that ``main`` checks, compiled with ``-D<NAME>_MAIN``.
    optimize : ``"size"``: weights in the fewest bytes; ``"speed"``: a byte a link in sparse first layers.
    header_name : the header's file name; None: ``<name>.h``.

    Raises
    ------
    ValueError
        If the name is not an identifier, or the network's sums do not fit in int32.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in C_WORDS or keyword.iskeyword(name):
        raise ValueError(f"name must be a C identifier, got {name!r}: pass another name")
    if optimize not in OPTIMIZE:
        raise ValueError(f"optimize must be one of {OPTIMIZE}, got {optimize!r}")
    if network.largest_sum >= LARGEST_INT32 // 2:
        raise ValueError(
            f"sums must stay below 2^30 in C, their bound is {network.largest_sum}: use inputs='uint8', or fewer bits"
        )
    header = _header(network, name)
    parts = [f'/* Written by mpnn; do not edit. */\n#include "{header_name or name + ".h"}"\n']
    first = first_layer(f"{name}_first", network.layers[0], optimize)
    parts += [_input_data(network, name), first.data]
    parts.append(c_array(f"{name}_first_start", -network.layers[0].thresholds))
    if len(network.layers) > 1:
        parts.append(_ones(name))
    parts.append(_first_function(network, name, first))
    parts += [_sign_function(network, name, index) for index in range(1, len(network.layers))]
    parts.append(_outputs_function(network, name))
    parts.append(confidence_source(network, name, _input_walk(network, name, first, squares=True)))
    parts.append(decision_source(network, name))
    parts.append(_main(network, name, rows))
    return header, "\n".join(part for part in parts if part)


def c_inputs(network: IntegerNetwork, X: ArrayLike) -> NDArray:
    """Rows as the C source takes them: uint8 pixels, int32 whole numbers, or int32 codes."""
    rows = np.asarray(X)
    if network.encoder is not None:
        rows = network.encoder.encode(rows)
    if isinstance(network.inputs, PixelTable):
        return network.inputs.encode(rows, np.arange(0)).astype(np.uint8) if not rows.size else _pixels(rows)
    return network.inputs.encode(rows, np.arange(network.inputs.num_inputs)).astype(np.int32)


def _pixels(rows: NDArray) -> NDArray[np.uint8]:
    from mpnn.deploy.inputs import as_pixels

    return as_pixels(rows)


def _input_type(network: IntegerNetwork) -> str:
    return "uint8_t" if isinstance(network.inputs, PixelTable) else "int32_t"


def _describe_inputs(inputs: PixelTable | RealInputs, encoded: bool) -> str:
    if isinstance(inputs, PixelTable):
        return "whole numbers 0..255"
    if encoded:
        return "the bits of the encoder, -1, 0 or 1"
    if inputs.is_identity:
        return f"whole numbers, -{inputs.clip}..{inputs.clip}"
    if len(inputs.offset) == len(inputs.multiplier) == 1:
        scaled = f"(x - {inputs.offset[0]!r}) * {inputs.multiplier[0]!r}"
    else:
        scaled = "(x[i] - offset[i]) * multiplier[i], the numbers of the packed file"
    power = "" if inputs.power == 1.0 else f", then the signed power {inputs.power!r}"
    return f"codes: {scaled}{power}, rounded to the nearest, -{inputs.clip}..{inputs.clip}"


def _header(network: IntegerNetwork, name: str) -> str:
    upper, labels = name.upper(), [str(label) for label in network.labels]
    lines = [_comment(f"{key}: {value}") for key, value in network.provenance.items()]
    texts = ", ".join(_c_string(label) for label in labels)
    stack = 4 * (network.layers[0].num_units + network.decision.num_outputs)
    words = [network.layers[index].weights.shape for index in range(1, len(network.layers))]
    stack += sum(
        shape[0] * -(-shape[1] // word_bits_of(shape[1])) * word_bits_of(shape[1]) // 8 for shape in words
    )
    unlabelled = " or -1: no label" if getattr(network.decision, "ties", "") == "head_to_head" else ""
    return f"""/* Written by mpnn; do not edit. */
{chr(10).join(lines)}
#ifndef {upper}_H
#define {upper}_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_INPUTS {network.inputs.num_inputs}
#define {upper}_OUTPUTS {network.decision.num_outputs}
#define {upper}_CLASSES {network.decision.num_classes}
/* Labels of the classes: const char *labels[] = {upper}_LABELS; */
#define {upper}_LABELS {{ {texts} }}

/* RAM: none but the stack, about {stack} bytes of sums and signs. */

/* Class 0..{network.decision.num_classes - 1}{unlabelled}.
   x: {upper}_INPUTS {_describe_inputs(network.inputs, network.encoder is not None)}. */
int {name}_predict(const {_input_type(network)} *x);

/* The last layer's sums less their thresholds, {upper}_OUTPUTS numbers. */
void {name}_outputs(const {_input_type(network)} *x, int32_t *outputs);

#ifdef __cplusplus
}}
#endif
#endif
"""


def _comment(text: str) -> str:
    plain = text.encode("ascii", "replace").decode().replace("*/", "* /").replace("/*", "/ *")
    return f"/* {re.sub(r'[^ -~]', '?', plain)} */".replace("??", "? ?")


def _c_string(text: str) -> str:
    """A literal: octal escapes of UTF-8, which cannot run into the next character as hexadecimal ones do."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "replace")
    )
    return f'"{plain}"'


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


def _code_of(network: IntegerNetwork, name: str) -> str:
    inputs = network.inputs
    if not isinstance(inputs, PixelTable) or inputs.is_identity:
        return "x[input]"
    if len(inputs.codes) == 1:
        return f"{name}_codes[x[input]]"
    return f"{name}_codes[((uint32_t){name}_kinds[used] << 8) + x[input]]"


def _input_walk(network: IntegerNetwork, name: str, first: FirstLayer, squares: bool) -> str:
    """The loop over inputs, or, with ``squares``, the sums of ``weight^2 (code - offset)^2``."""
    if squares:
        square = "power[unit] += square"
        adds = {"add_plain": f"(void)minus; {square};"}
        adds |= {f"add{place}": f"magnitude |= {1 << place}u;" for place in range(7)}
        walk = first.walk
        if "%(add0)s" in walk:
            walk = walk.replace(
                "const int32_t minus", "uint32_t magnitude = 0u;\n            const int32_t minus"
            )
            walk = walk.replace(
                "        }\n",
                "            (void)minus;\n            power[unit] += square * magnitude * magnitude;\n        }\n",
            )
    else:
        adds = {"add_plain": "sums[unit] += (code ^ minus) - minus;"}
        adds |= {
            f"add{place}": f"sums[unit] += ((code ^ minus) - minus) * {1 << place};" for place in range(7)
        }
        walk = first.walk
    condition = "1" if squares else "code != 0"
    links = first.form != "planes"
    skip = len(network.columns) < network.inputs.num_inputs
    used = f"((uint32_t){name}_used[input >> 3] >> (input & 7u)) & 1u" if skip else "1u"
    pieces = {
        "declare": "    uint32_t start = 0u, end, link;\n" if links else "",
        "end": f"        end = start + (uint32_t){name}_first_counts[used];\n" if links else "",
        "next": "        start = end;\n" if links else "",
    }
    value = f"        code = (int32_t){_code_of(network, name)};\n"
    square_of = ""
    if squares:
        square_of = (
            f"        code -= {name}_offsets[used];\n        square = (uint64_t)((int64_t)code * code);\n"
        )
    return f"""{pieces["declare"]}    uint32_t input, used = 0u, unit;
    for (input = 0u; input < {network.inputs.num_inputs}u; ++input) {{
        int32_t code;
        if (({used}) == 0u) {{
            continue;
        }}
{pieces["end"]}{value}{square_of}        if ({condition}) {{
{walk % adds}        }}
{pieces["next"]}        ++used;
    }}
"""


def _first_function(network: IntegerNetwork, name: str, first: FirstLayer) -> str:
    units = network.layers[0].num_units
    return f"""static void {name}_first(const {_input_type(network)} *x, int32_t *sums)
{{
{
        _input_walk(network, name, first, squares=False).replace(
            "    for (input",
            f'''    for (unit = 0u; unit < {units}u; ++unit) {{
        sums[unit] = (int32_t){name}_first_start[unit];
    }}
    for (input''',
            1,
        )
    }}}
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
        clear = f"    for (unit = 0u; unit < {count}u; ++unit) {{\n        above[unit] = 0u;\n    }}\n    unit = 0u;\n"
    loop = layer.loop % {"name": name, "store": store}
    loop = loop.replace("    for (block", f"{clear}    for (block", 1)
    return f"""{layer.data}
static void {prefix}(const {below} *below, {target})
{{
{loop}}}
"""


def _outputs_function(network: IntegerNetwork, name: str) -> str:
    count = len(network.layers)
    head = f"void {name}_outputs(const {_input_type(network)} *x, int32_t *outputs)\n{{\n"
    if count == 1:
        return f"{head}    {name}_first(x, outputs);\n}}\n"
    units = network.layers[0].num_units
    words = {index: _words_of(network, index) for index in range(1, count)}
    declared = "".join(f"    {ctype} signs{index}[{size}];\n" for index, (ctype, size) in words.items())
    calls = "".join(
        f"    {name}_layer{index}(signs{index}, {'outputs' if index == count - 1 else f'signs{index + 1}'});\n"
        for index in range(1, count)
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


def _main(network: IntegerNetwork, name: str, rows: ArrayLike | None) -> str:
    if rows is None or not len(np.asarray(rows)):
        return ""
    given = np.asarray(rows)
    codes = network.codes(given)
    expected = network.winners(codes, network.outputs(codes))
    upper, count = name.upper(), len(given)
    vector = c_array(f"{name}_test_inputs", c_inputs(network, given), _input_type(network))
    return f"""#ifdef {upper}_MAIN
#include <stdio.h>
{vector}
{c_array(f"{name}_test_classes", expected, "int16_t")}
int main(void)
{{
    uint32_t row;
    int wrong = 0;
    for (row = 0u; row < {count}u; ++row) {{
        if ({name}_predict(&{name}_test_inputs[row * {network.inputs.num_inputs}u]) != {name}_test_classes[row]) {{
            ++wrong;
        }}
    }}
    printf("%d of {count} classes differ\\n", wrong);
    return wrong != 0;
}}
#endif
"""
