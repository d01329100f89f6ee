"""What a network costs outside of Python: bytes of the packed file and of the C, time of the C.

The C is compiled by the host's compiler and timed on the given rows; flash is of the object that
``arm-none-eabi-gcc`` makes for a Cortex-M0. What is not installed is None.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpnn.deploy.c_source import c_inputs, save_c, stack_bytes
from mpnn.deploy.c_tables import row_type_of
from mpnn.deploy.packed import to_bytes
from mpnn.integer_networks.lowering import lower
from mpnn.integer_networks.network import IntegerNetwork

__all__ = ["Costs", "deployment_costs", "flash_bytes", "microseconds_in_c"]

HOST_COMPILERS = ("cc", "gcc", "clang")
ARM_COMPILER = "arm-none-eabi-gcc"
# Predictions of one pass, rows repeated where they are fewer: far above the step of the clock.
PREDICTIONS = 256
# Passes over the rows; the fastest is reported.
PASSES = 20


@dataclass(frozen=True)
class Costs:
    """Costs of one exported network.

    Parameters
    ----------
    packed_bytes : int or None
        Bytes of the packed file; None: the network is not exported, see ``reason``.
    flash_bytes : int or None
        Tables and code of the C for a Cortex-M0; None: no compiler, or no C.
    ram_bytes : int or None
        Of the C, all on the stack, beside the inputs; None: no C.
    microseconds : float or None
        Of one prediction of the C on this processor, one core; None: no compiler, or no C.
    operations : dict of int
        Most additions, XNORs of words of 32 bits, and multiplications of one prediction.
    reason : str
        Why something is None; empty: nothing is.
    """

    packed_bytes: int | None
    flash_bytes: int | None
    ram_bytes: int | None
    microseconds: float | None
    operations: dict[str, int]
    reason: str


def deployment_costs(model: Any, X: ArrayLike | None = None, *, inputs: str = "auto") -> Costs:
    """Costs of a fitted classifier's discrete network; never raises for one that is not exported.

    Parameters
    ----------
    model : classifier or IntegerNetwork
        See :func:`mpnn.deploy.lower`.
    X : array-like [n, F] or None, default=None
        Rows that show the inputs' range; the first 256 are timed. None: no time.
    inputs : str, default="auto"
        See :func:`mpnn.deploy.lower`.
    """
    try:
        network = model if isinstance(model, IntegerNetwork) else lower(model, inputs=inputs, examples=X)
    except ValueError as error:
        return Costs(None, None, None, None, {}, str(error))
    packed, operations = len(to_bytes(network)), network.operations
    reasons, microseconds = [], None
    with tempfile.TemporaryDirectory() as folder:
        try:
            row_type = "auto" if network.encoder is None else row_type_of(network.encoder, X)
            source, _ = save_c(network, Path(folder) / "net.c", name="net", row_type=row_type)
        except ValueError as error:
            return Costs(packed, None, None, None, operations, str(error))
        if X is None or not len(np.asarray(X)):
            reasons.append("no rows to time")
        elif (microseconds := microseconds_in_c(network, X, source)) is None:
            reasons.append(f"none of {', '.join(HOST_COMPILERS)} is installed")
        if (flash := flash_bytes(source)) is None:
            reasons.append(f"{ARM_COMPILER} is not installed")
    return Costs(packed, flash, stack_bytes(network), microseconds, operations, "; ".join(reasons))


def flash_bytes(source: Path, core: str = "cortex-m0") -> int | None:
    """Bytes of tables and code of a C source compiled with ``-Os``; None without the compiler.

    Parameters
    ----------
    source : path
        The C file; its object is written beside it.
    core : str, default="cortex-m0"
        What ``-mcpu`` names.
    """
    compiler = shutil.which(ARM_COMPILER)
    if compiler is None:
        return None
    compiled = source.with_suffix(f".{core}.o")
    command = [
        compiler,
        f"-mcpu={core}",
        "-mthumb",
        "-Os",
        "-std=c99",
        "-c",
        str(source),
        "-o",
        str(compiled),
    ]
    subprocess.run(command, check=True, capture_output=True)
    size = [compiler.removesuffix("gcc") + "size", str(compiled)]
    done = subprocess.run(size, capture_output=True, text=True, check=True)
    text, data, _ = map(int, done.stdout.splitlines()[1].split()[:3])
    return text + data


def microseconds_in_c(network: IntegerNetwork, X: ArrayLike, source: Path) -> float | None:
    """Processor time of one prediction by compiled C; None without a compiler.

    Parameters
    ----------
    network : IntegerNetwork
        The network.
    X : array-like [n, F]
        Rows that are predicted, the first 256; at least one.
    source : path
        Its C file, whose names begin with ``net``; the program is written beside it.
    """
    compiler = next(filter(None, map(shutil.which, HOST_COMPILERS)), None)
    if compiler is None:
        return None
    row_type = "auto" if network.encoder is None else row_type_of(network.encoder, X)
    rows = c_inputs(network, np.asarray(X)[:PREDICTIONS], row_type)
    rows = np.resize(rows, (PREDICTIONS, rows.shape[1]))
    data = source.with_suffix(".rows")
    rows.tofile(data)
    main, program = source.with_suffix(".timed.c"), source.with_suffix(".timed")
    main.write_text(_timed_program(source.name, rows))
    command = [compiler, "-O3", "-march=native", str(main), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([str(program), str(data)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


def _timed_program(source: str, rows: np.ndarray) -> str:
    """C that reads rows from a file, predicts them and prints the least microseconds a row."""
    number, width = rows.shape
    ctype = {"float32": "float", "float64": "double"}.get(str(rows.dtype), f"{rows.dtype}_t")
    return f"""#include "{source}"
#include <stdio.h>
#include <time.h>
static {ctype} rows[{rows.size}];
int main(int count, char **arguments)
{{
    FILE *file = count > 1 ? fopen(arguments[1], "rb") : 0;
    long sum = 0;
    int pass, row;
    double least = 1e9;
    if (!file || fread(rows, 1, sizeof rows, file) != sizeof rows) return 1;
    for (pass = 0; pass < {PASSES}; ++pass) {{
        clock_t start = clock();
        double seconds;
        for (row = 0; row < {number}; ++row) sum += net_predict(&rows[(long)row * {width}]);
        seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds < least) least = seconds;
    }}
    printf("%.4f %ld\\n", least / {number} * 1e6, sum);
    return 0;
}}
"""
