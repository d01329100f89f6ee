"""Prediction from a packed file: NumPy alone, no compilation, memory bounded.

from mpnn.deploy.runtime import load
labels = load("digits.mpnn").predict(X)
"""

from pathlib import Path

from mpnn.deploy.packed import load_network
from mpnn.integer_networks.prediction import Predictor

__all__ = ["Predictor", "load"]


def load(path: str | Path) -> Predictor:
    """Open a packed file; :class:`mpnn.deploy.packed.PackedFileError` if it is not one.

    Parameters
    ----------
    path : str or path
        The file.
    """
    return Predictor(load_network(path))
