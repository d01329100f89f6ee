"""Fair comparisons: the same draws, votes and metrics for every method.

A TOML file says what is compared (`load_config`), `run_comparison` fits what is missing and appends
one row per fitted model, `write_report` turns the rows into a page. `METHODS` is where methods are added.
"""

from importlib import import_module
from typing import Any

from mpnn.compare.config import CompareConfig, ConfigError, MethodConfig
from mpnn.compare.config_files import load_config

# Imported on first use, so that a config can be checked without scikit-learn and matplotlib.
_LAZY = {
    "Cluster": "mpnn.compare.cluster",
    "METHODS": "mpnn.compare.methods",
    "Evaluation": "mpnn.compare.contract",
    "Method": "mpnn.compare.contract",
    "Task": "mpnn.compare.contract",
    "pairwise_method": "mpnn.compare.pairwise",
    "run_comparison": "mpnn.compare.engine",
    "sklearn_method": "mpnn.compare.baselines",
    "write_report": "mpnn.compare.report",
}

__all__ = [
    "METHODS",
    "Cluster",
    "CompareConfig",
    "ConfigError",
    "Evaluation",
    "Method",
    "MethodConfig",
    "Task",
    "load_config",
    "pairwise_method",
    "run_comparison",
    "sklearn_method",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mpnn.compare' has no attribute {name!r}")
