"""An integer network as self-contained C99: one header, one source.

No allocation, no library, no floating point but comparisons of a table's real columns and the codes of real
inputs: tables lie in flash, sums on the stack. Layers add shifted codes or count differing signs;
multiplications occur only in these codes and in an argmax over outputs that batch norm scales, and divisions
only where ``ties="confidence"`` orders tied classes.
"""

import keyword
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.atomic_files import write_atomically
from mpnn.deploy.c_codes import check_of_codes, codes_declaration, codes_source, describe_inputs, has_codes
from mpnn.deploy.c_functions import network_functions, words_of
from mpnn.deploy.c_layers import input_type, takes_rows
from mpnn.deploy.c_tables import (
    ROW_TYPES,
    describe_table,
    require_names,
    row_type_of,
    table_rows,
    table_source,
)
from mpnn.deploy.c_text import c_array, c_comment, c_string
from mpnn.deploy.c_windows import ImageWords
from mpnn.integer_networks.inputs import PixelTable, as_pixels, as_rows
from mpnn.integer_networks.network import IntegerNetwork, Layer
from mpnn.validation import one_of

__all__ = ["c_files", "c_inputs", "save_c", "stack_bytes"]

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
    row_type: str = "auto",
    column_names: Sequence[str] | None = None,
) -> tuple[Path, Path]:
    """Write ``path`` with suffix ``.c`` and the header beside it; see :func:`c_files`."""
    target = Path(path).with_suffix("")
    name = re.sub(r"\W", "_", target.name, flags=re.ASCII) if name is None else name
    header_name = f"{target.name}.h"
    header, source = c_files(
        network,
        name,
        rows,
        optimize=optimize,
        header_name=header_name,
        row_type=row_type,
        column_names=column_names,
    )
    files = (target.with_name(f"{target.name}.c"), target.with_name(f"{target.name}.h"))
    for file, text in zip(files, (source, header), strict=True):
        write_atomically(file, text.encode("ascii"))
    return files


def c_files(
    network: IntegerNetwork,
    name: str,
    rows: ArrayLike | None = None,
    *,
    optimize: str = "size",
    header_name: str | None = None,
    row_type: str = "auto",
    column_names: Sequence[str] | None = None,
) -> tuple[str, str]:
    """Texts of the header and of the source.

    Parameters
    ----------
    network : its sums must fit in int32.
    name : prefix of all names, a C identifier.
    rows : inputs ``[n, F]`` of the test vector that ``main`` checks, compiled with ``-D<NAME>_MAIN``.
    optimize : ``"size"``: weights in the fewest bytes; ``"speed"``: a byte a link in sparse first layers.
    header_name : the header's file name; None: ``<name>.h``.
    row_type : of a table's numbers, ``"int32_t"``, ``"float"`` or ``"double"``; ``"auto"``: by ``rows``.
    column_names : of the inputs, in their order, for the header's comments.

    Raises
    ------
    ValueError
        If the name is not an identifier, there are more or fewer column names than inputs, or the network's
        sums do not fit in int32.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in C_WORDS or keyword.iskeyword(name):
        raise ValueError(
            f"name must be a C identifier, got {name!r}: pass another name, or name the file otherwise"
        )
    one_of("optimize", optimize, OPTIMIZE)
    if network.largest_sum >= LARGEST_INT32 // 2:
        raise ValueError(
            f"sums must stay below 2^30 in C, their bound is {network.largest_sum}: "
            "use inputs='uint8', or fewer bits"
        )
    parts = [f'/* Written by mpnn; do not edit. */\n#include "{header_name or name + ".h"}"\n']
    given = None if rows is None or not len(np.asarray(rows)) else as_rows(rows)
    if takes_rows(network) and network.encoder is not None:
        ctype = row_type_of(network.encoder, given) if row_type == "auto" else row_type
        if ctype not in ROW_TYPES:
            raise ValueError(f"row_type must be one of {('auto', *ROW_TYPES)}, got {row_type!r}")
        header = _header(
            network,
            name,
            ctype,
            len(network.encoder.columns),
            describe_table(network.encoder, ctype, column_names),
        )
        parts += network_functions(network, f"{name}_bits", optimize)
        parts += [table_source(network.encoder, name, ctype), _of_rows(network, name, ctype)]
    else:
        ctype = input_type(network)
        what = f"/* x: {name.upper()}_INPUTS {describe_inputs(network, name)}. */"
        if column_names is not None and network.encoder is None:
            what += _list_columns(column_names, network.inputs.num_inputs)
        header = _header(network, name, ctype, network.inputs.num_inputs, what)
        parts += [codes_source(network, name), *network_functions(network, name, optimize)]
    if given is not None:
        parts.append(_main(network, name, given, ctype))
    return header, "\n".join(part for part in parts if part)


def _list_columns(names: Sequence[str], count: int) -> str:
    return "".join(
        f"\n{c_comment(f'  {place}, {name}')}" for place, name in enumerate(require_names(names, count))
    )


def _of_rows(network: IntegerNetwork, name: str, ctype: str) -> str:
    """Functions that encode a row first."""
    assert network.encoder is not None
    bits, arguments = max(network.encoder.num_bits, 1), f"const {ctype} *row"
    body = f"{{\n    int8_t bits[{bits}];\n    {name}_encode(row, bits);\n"
    return f"""int {name}_predict({arguments})
{body}    return {name}_bits_predict(bits);
}}

void {name}_outputs({arguments}, int32_t *outputs)
{body}    {name}_bits_outputs(bits, outputs);
}}
"""


def c_inputs(network: IntegerNetwork, X: ArrayLike, row_type: str = "auto") -> NDArray:
    """Rows as the C source takes them.

    uint8 pixels, int32 whole numbers or codes, or rows of a table in its type.
    """
    rows = as_rows(X)
    if takes_rows(network) and network.encoder is not None:
        kind = row_type_of(network.encoder, rows) if row_type == "auto" else row_type
        return table_rows(network.encoder, rows, kind)
    if network.encoder is not None:
        rows = network.encoder.encode(rows)
    if isinstance(network.inputs, PixelTable):
        return as_pixels(rows)
    return network.inputs.encode(rows, np.arange(network.inputs.num_inputs)).astype(np.int32)


def stack_bytes(network: IntegerNetwork) -> int:
    """Bytes of the stack that sums and signs take: all RAM of the C, beside the inputs."""
    words = sum(
        int(ctype[4:-2]) // 8 * size
        for ctype, size in map(partial(words_of, network), range(1, len(network.layers)))
    )
    pooled = sum(map(_pooled_bytes, network.layers[1:]))
    first = network.layers[0]
    sums = first.num_units if first.windows is None else first.num_kernels
    if takes_rows(network):
        words += network.inputs.num_inputs
    return words + pooled + 4 * (sums + network.decision.num_outputs)


def _pooled_bytes(layer: Layer) -> int:
    """Bytes of the largest of squares, which are taken before a layer."""
    windows = layer.windows
    if windows is None or windows.largest_of == 1:
        return 0
    image = ImageWords(windows.shape[2])
    pixels = (windows.shape[0] // windows.largest_of) * (windows.shape[1] // windows.largest_of)
    return len(layer.weights) * pixels * image.words * image.bits // 8


def _header(network: IntegerNetwork, name: str, ctype: str, count: int, what: str) -> str:
    upper, labels = name.upper(), [str(label) for label in network.labels]
    lines = [c_comment(f"{key}: {value}") for key, value in network.provenance.items()]
    texts = ", ".join(c_string(label) for label in labels)
    unlabelled = " or -1: no label" if getattr(network.decision, "ties", "") == "head_to_head" else ""
    return f"""/* Written by mpnn; do not edit. */
{chr(10).join(lines)}
#ifndef {upper}_H
#define {upper}_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_INPUTS {count}
#define {upper}_OUTPUTS {network.decision.num_outputs}
#define {upper}_CLASSES {network.decision.num_classes}
/* Labels of the classes: const char *labels[] = {upper}_LABELS; */
#define {upper}_LABELS {{ {texts} }}

/* RAM: none but the stack, about {stack_bytes(network)} bytes of sums and signs. */

{what}
/* Class 0..{network.decision.num_classes - 1}{unlabelled}. */
int {name}_predict(const {ctype} *x);

/* The last layer's sums less their thresholds, {upper}_OUTPUTS numbers. */
void {name}_outputs(const {ctype} *x, int32_t *outputs);
{_of_bits(network, name)}{codes_declaration(network, name)}
#ifdef __cplusplus
}}
#endif
#endif
"""


def _of_bits(network: IntegerNetwork, name: str) -> str:
    """Declarations of the functions behind the encoder."""
    if not takes_rows(network):
        return ""
    return f"""
/* The same of the bits of a row. */
int {name}_bits_predict(const int8_t *x);
void {name}_bits_outputs(const int8_t *x, int32_t *outputs);
"""


def _main(network: IntegerNetwork, name: str, given: NDArray, ctype: str) -> str:
    codes = network.codes(given)
    expected = network.winners(codes, network.outputs(codes))
    upper, count, rows = name.upper(), len(given), c_inputs(network, given, ctype)
    vector, coded = c_array(f"{name}_test_inputs", rows, ctype), ""
    if has_codes(network):
        vector += c_array(f"{name}_test_rows", given.astype(np.float64), "double")
        coded = check_of_codes(network, name)
    return f"""#ifdef {upper}_MAIN
#include <stdio.h>
{vector}
{c_array(f"{name}_test_classes", expected, "int16_t")}
int main(void)
{{
    uint32_t row;
    int wrong = 0;
    for (row = 0u; row < {count}u; ++row) {{
        const {ctype} *x = &{name}_test_inputs[row * {rows.shape[1]}u];
        int differs = {name}_predict(x) != {name}_test_classes[row];
{coded}        wrong += differs;
    }}
    printf("%d of {count} classes differ\\n", wrong);
    return wrong != 0;
}}
#endif
"""
