"""Fair comparisons: the same draws, votes and metrics for every method.

A TOML file defines a comparison (`load_config`), `run_comparison` fits what is missing and appends
one row per fitted model, `write_report` turns the rows into a page. `METHODS` is where methods are added.

The way of a config to its rows, six files: `config_files` reads it, `run.engine` opens the folder, `run.jobs`
lists what is asked for and draws each problem, `run.fitting` fits and scores with the row of
`methods.registry`, `mpnn.runs.rows` writes. `run.workers` and `run.cluster` do the same in other processes.
`report` reads rows and nothing else.
"""

from importlib import import_module
from typing import Any

from mpnn.compare.config import CompareConfig, MethodConfig
from mpnn.compare.config_files import load_config
from mpnn.runs.toml import ConfigError

# Imported on first use, so that a config can be checked without scikit-learn and matplotlib.
_LAZY = {
    "Cluster": "mpnn.compare.run.cluster",
    "METHODS": "mpnn.compare.methods.registry",
    "Evaluation": "mpnn.compare.methods.contract",
    "Method": "mpnn.compare.methods.contract",
    "Task": "mpnn.compare.methods.contract",
    "pairwise_method": "mpnn.compare.methods.pairwise",
    "run_comparison": "mpnn.compare.run.engine",
    "sklearn_method": "mpnn.compare.methods.scikit_learn",
    "write_report": "mpnn.compare.report.page",
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
