"""Where the estimators were in 0.1: `from mpnn.estimators import ...` works with a warning, until 0.3."""

import warnings
from typing import Any

import mpnn

_MOVED = ("MessagePassingClassifier", "PairwiseVoteClassifier", "load_model", "save_model")


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"import {name} from mpnn; mpnn.estimators goes with 0.3", DeprecationWarning, stacklevel=2)
    return getattr(mpnn, name)
