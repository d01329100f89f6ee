"""Rates of machines: named ones from their makers' data sheets, and the one at hand as it was measured."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mpnn.atomic_files import write_atomically

__all__ = ["MACHINES", "Machine", "load_machine", "machine_file", "save_machine"]


@dataclass(frozen=True)
class Machine:
    """One device, and the link to the next.

    Parameters
    ----------
    name : str
        Of the device.
    flops : float > 0
        Operations of wide matrix products a second, float32 inputs.
    half_width : float >= 0
        Narrowest side of a product that reaches half of them: a side w reaches ``w / (w + half_width)``.
    bandwidth : float > 0
        Bytes a second, between the memory and the arithmetic.
    functions : float > 0
        Exponentials, logarithms and the like a second.
    step_seconds : float >= 0
        Of a step of a loop that does next to no work.
    link_bandwidth : float > 0
        Bytes a second to another device, one way.
    link_seconds : float >= 0
        Of a sum of small arrays over two devices: one hop.
    share : float in (0, 1], default=1.0
        Share of the rates that a step reaches: 1 of rates that were measured.
    source : str, default="measured"
        Where the rates come from.
    """

    name: str
    flops: float
    half_width: float
    bandwidth: float
    functions: float
    step_seconds: float
    link_bandwidth: float
    link_seconds: float
    share: float = 1.0
    source: str = "measured"


# Peak rates. A step reaches a part of them: 0.4 is assumed, and was not measured on any of these. No sheet
# names the rate of functions (on NVIDIA one in 16 of float32's operations: a unit of its own computes them;
# on TPUs a guess), the width (a tile) and the latencies (guesses: a kernel's launch, a collective's hop).
MACHINES = {
    "h100": Machine(
        *("h100", 494e12, 128.0, 3.35e12, 4.2e12, 5e-6, 450e9, 20e-6, 0.4),
        "NVIDIA H100 SXM data sheet: TF32 without sparsity, HBM3, NVLink 900 GB/s both ways",
    ),
    "h200": Machine(
        *("h200", 494e12, 128.0, 4.8e12, 4.2e12, 5e-6, 450e9, 20e-6, 0.4),
        "NVIDIA H200 SXM data sheet: TF32 without sparsity, HBM3e, NVLink 900 GB/s both ways",
    ),
    "a100": Machine(
        *("a100", 156e12, 128.0, 2.039e12, 1.2e12, 5e-6, 300e9, 20e-6, 0.4),
        "NVIDIA A100 80 GB SXM data sheet: TF32 without sparsity, HBM2e, NVLink 600 GB/s both ways",
    ),
    "tpu_v5e": Machine(
        *("tpu_v5e", 197e12, 128.0, 819e9, 1e12, 2e-6, 100e9, 10e-6, 0.4),
        "Google Cloud, TPU v5e: bfloat16, HBM2, interchip links 1,600 Gbit/s both ways",
    ),
    "tpu_v5p": Machine(
        *("tpu_v5p", 459e12, 128.0, 2.765e12, 2e12, 2e-6, 300e9, 10e-6, 0.4),
        "Google Cloud, TPU v5p: bfloat16, HBM2e, interchip links 4,800 Gbit/s both ways",
    ),
}


def machine_file() -> Path:
    """Where the rates of this machine are kept."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "mpnn" / "machine.json"


def save_machine(machine: Machine, path: Path | None = None) -> Path:
    """Keep the rates of this machine; return the file.

    Parameters
    ----------
    machine : Machine
        Its rates.
    path : Path or None, default=None
        The file; None: :func:`machine_file`.
    """
    path = machine_file() if path is None else path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(machine), indent=1).encode())
    return path


def load_machine(name: str | None = None, path: Path | None = None) -> Machine:
    """Return the rates of a named machine, or those that were measured here.

    Parameters
    ----------
    name : str or None, default=None
        Of :data:`MACHINES`; None: this machine.
    path : Path or None, default=None
        File of this machine; None: :func:`machine_file`.

    Raises
    ------
    ValueError
        For an unknown name, or where nothing was measured.
    """
    if name is not None:
        if not isinstance(name, str) or name not in MACHINES:
            raise ValueError(f"machine must be one of {', '.join(MACHINES)}, got {name!r}")
        return MACHINES[name]
    path = machine_file() if path is None else path
    if not path.is_file():
        raise ValueError(
            f"the rates of this machine are not known: measure them (mpnn plan --measure), or name one of "
            f"{', '.join(MACHINES)}"
        )
    return Machine(**json.loads(path.read_text()))
