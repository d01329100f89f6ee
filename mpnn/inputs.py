"""Where input transforms were in 0.1: `from mpnn.inputs import ...` works with a warning, until 0.3."""

import warnings
from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    home = import_module("mpnn.preprocessing.scaling")
    if name not in home.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    text = f"import {name} from mpnn.preprocessing.scaling; mpnn.inputs goes with 0.3"
    warnings.warn(text, DeprecationWarning, stacklevel=2)
    return getattr(home, name)
