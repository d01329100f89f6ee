"""Few-bit networks outside of Python's training stack: packed files, C99, ONNX.

    from mpnn.deploy import export
    export(classifier, "digits.mpnn", examples=X_train)
    from mpnn.deploy.runtime import load
    load("digits.mpnn").predict(X)

:mod:`mpnn.deploy.runtime` needs NumPy alone.
"""

from importlib import import_module
from typing import Any

_LAZY = {
    "Costs": "mpnn.deploy.costs",
    "IntegerNetwork": "mpnn.integer_networks.network",
    "Report": "mpnn.deploy.exporting",
    "deployment_costs": "mpnn.deploy.costs",
    "export": "mpnn.deploy.exporting",
    "load": "mpnn.deploy.runtime",
    "lower": "mpnn.integer_networks.lowering",
}

__all__ = ["Costs", "IntegerNetwork", "Report", "deployment_costs", "export", "load", "lower"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mpnn.deploy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
