"""Inputs of a network as C99: what they are, and the function from real rows to codes where it is linear.

The function is double throughout: an origin of 1e9 leaves float32 nothing to tell inputs apart by.
"""

from numpy.typing import NDArray

from mpnn.deploy.c_text import c_array
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.network import IntegerNetwork

__all__ = ["check_of_codes", "codes_declaration", "codes_source", "describe_inputs", "has_codes"]


def has_codes(network: IntegerNetwork) -> bool:
    """Whether the C computes codes of real rows: a root would need a library."""
    inputs = network.inputs
    if isinstance(inputs, PixelTable) or inputs.is_identity or network.encoder is not None:
        return False
    return inputs.power == 1.0 and inputs.dead_zone == 0.0


def describe_inputs(network: IntegerNetwork, name: str) -> str:
    """What ``x`` holds, for the header.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    name : str
        Prefix of all names.
    """
    inputs = network.inputs
    if isinstance(inputs, PixelTable):
        return "whole numbers 0..255"
    if network.encoder is not None:
        return "the bits of the encoder, -1, 0 or 1"
    if inputs.is_identity:
        return f"whole numbers, -{inputs.clip}..{inputs.clip}"
    if has_codes(network):
        return f"codes, as {name}_codes gives them, -{inputs.clip}..{inputs.clip}"
    if len(inputs.offset) == len(inputs.multiplier) == 1:
        scaled = f"(x - {inputs.offset[0]!r}) * {inputs.multiplier[0]!r} in double"
    else:
        scaled = "(x[i] - offset[i]) * multiplier[i] in double, the numbers of the packed file"
    zone = "" if inputs.dead_zone == 0.0 else f", moved towards 0 by at most {inputs.dead_zone!r}"
    power = "" if inputs.power == 1.0 else f", then the signed power {inputs.power!r}"
    return f"codes: {scaled}{zone}{power}, rounded to the nearest, -{inputs.clip}..{inputs.clip}"


def codes_declaration(network: IntegerNetwork, name: str) -> str:
    """Declaration of the function from rows to codes; empty where there is none.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    name : str
        Prefix of all names.
    """
    if not has_codes(network):
        return ""
    return f"""
/* Codes of a row of {name.upper()}_INPUTS real numbers, finite. */
void {name}_codes(const double *row, int32_t *codes);
"""


def codes_source(network: IntegerNetwork, name: str) -> str:
    """The function from rows to codes and its tables; empty where there is none.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    name : str
        Prefix of all names.
    """
    inputs = network.inputs
    if isinstance(inputs, PixelTable) or not has_codes(network):
        return ""
    offset = _number(f"{name}_offset", inputs.offset)
    multiplier = _number(f"{name}_multiplier", inputs.multiplier)
    return f"""{offset[0]}{multiplier[0]}
void {name}_codes(const double *row, int32_t *codes)
{{
    uint32_t input;
    for (input = 0u; input < {inputs.num_inputs}u; ++input) {{
        const double value = (row[input] - {offset[1]}) * {multiplier[1]};
        const double size = value < 0.0 ? -value : value;
        int32_t code = {inputs.clip};
        if (size < {inputs.clip}.0) {{
            /* to the nearest, halves to the even one */
            const double rest = size - (double)(int32_t)size;
            code = (int32_t)size;
            if (rest > 0.5 || (rest == 0.5 && (code & 1) != 0)) {{
                ++code;
            }}
        }}
        codes[input] = value < 0.0 ? -code : code;
    }}
}}
"""


def check_of_codes(network: IntegerNetwork, name: str) -> str:
    """C of the test that computes the codes of a row and compares them with those of the test vector.

    Parameters
    ----------
    network : IntegerNetwork
        With the function.
    name : str
        Prefix of all names.
    """
    count = network.inputs.num_inputs
    return f"""        {{
            int32_t codes[{count}];
            uint32_t input;
            {name}_codes(&{name}_test_rows[row * {count}u], codes);
            for (input = 0u; input < {count}u; ++input) {{
                differs |= codes[input] != x[input];
            }}
        }}
"""


def _number(name: str, values: NDArray) -> tuple[str, str]:
    """A table, and C for an input's entry; of one number for all inputs no table."""
    if len(values) == 1:
        return "", f"({float(values[0]).hex()})"
    return c_array(name, values, "double"), f"{name}[input]"
