"""Neural networks with few-bit weights and sign activations, trained by message passing.

The two estimators are the front door; everything below them is plain JAX functions over pytrees::

    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
    from mpnn.data import load_dataset, sample_few_shot
"""

from __future__ import annotations

# Known to type checkers by its name: typing takes most of the time until the command hears Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

# Imported on first use: scikit-learn alone takes longer to import than JAX.
_LAZY = {
    "MessagePassingClassifier": "mpnn.message_passing.classifier.estimator",
    "PairwiseVoteClassifier": "mpnn.ensemble.pairwise",
    "load_model": "mpnn.ensemble.model_files",
    "save_model": "mpnn.ensemble.model_files",
}

__all__ = [
    "MessagePassingClassifier",
    "PairwiseVoteClassifier",
    "__version__",
    "load_model",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mpnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY} - {"TYPE_CHECKING", "annotations"})
