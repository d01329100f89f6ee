"""Codes of -1, 0 and +1 for the columns of tables.

The transformers are imported on first use; :mod:`mpnn.encoders.codes` needs NumPy alone.
"""

from importlib import import_module
from typing import Any

_LAZY = {
    "ThermometerEncoder": "mpnn.encoders.transformers",
    "TableEncoder": "mpnn.encoders.transformers",
    "ColumnCode": "mpnn.encoders.codes",
    "apply_codes": "mpnn.encoders.codes",
    "bit_names": "mpnn.encoders.codes",
    "from_json": "mpnn.encoders.codes",
    "to_json": "mpnn.encoders.codes",
    "is_intensity": "mpnn.preprocessing.intensity",
}

__all__ = [  # noqa: F822
    "ColumnCode",
    "TableEncoder",
    "ThermometerEncoder",
    "apply_codes",
    "bit_names",
    "from_json",
    "is_intensity",
    "to_json",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mpnn.encoders' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
