"""Text of C: constant arrays, strings and comments."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["c_array", "c_comment", "c_string", "c_type"]

WIDTH = 100
# Suffixes of literals.
REAL_TYPES = {"float": "f", "double": ""}
C_TYPES = ("uint8_t", "int8_t", "uint16_t", "int16_t", "uint32_t", "int32_t", "int64_t")


def c_type(values: NDArray) -> str:
    """Smallest C type of whole numbers."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for name in C_TYPES:
        limits = np.iinfo(name.removesuffix("_t"))
        if limits.min <= low and high <= limits.max:
            return name
    raise ValueError(f"numbers must fit in 64 bits, got {high}")


def c_array(name: str, values: NDArray, ctype: str | None = None) -> str:
    """A constant array; one 0 in place of an empty one, which C has not."""
    flat = np.asarray(values).ravel()
    flat = flat if flat.size else np.zeros(1, np.int64)
    if ctype in REAL_TYPES:
        return _real_array(name, flat.astype(np.float64), ctype)
    ctype = ctype or c_type(flat)
    lines, line = [], ""
    for value in flat.tolist():
        # INT32_MIN is not a literal in C
        text = f"({value + 1} - 1)" if value == -(2**31) else str(value)
        if len(line) + len(text) > WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{text}, "
    body = "\n    ".join([*lines, line.rstrip(", ")])
    return f"static const {ctype} {name}[{flat.size}] = {{\n    {body}\n}};\n"


def _real_array(name: str, values: NDArray, ctype: str) -> str:
    """Real numbers in hexadecimal, which is exact."""
    suffix = REAL_TYPES[ctype]
    nan = f"0.0{suffix} / 0.0{suffix}"
    texts = [nan if value != value else f"{value.hex()}{suffix}" for value in values.tolist()]
    body = ",\n    ".join(", ".join(texts[start : start + 4]) for start in range(0, len(texts), 4))
    return f"static const {ctype} {name}[{len(texts)}] = {{\n    {body}\n}};\n"


def c_comment(text: str) -> str:
    """A comment of one line: ASCII, without the marks that end it or trigraphs."""
    plain = text.encode("ascii", "backslashreplace").decode().replace("*/", "* /").replace("/*", "/ *")
    return f"/* {re.sub(r'[^ -~]', '?', plain)} */".replace("??", "? ?")


def c_string(text: str) -> str:
    """A literal: octal escapes of UTF-8, which cannot run into the next character as hexadecimal ones do."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "replace")
    )
    return f'"{plain}"'
