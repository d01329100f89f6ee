"""Prediction from a packed file: NumPy alone, no compilation, memory bounded.

from mpnn.deploy.runtime import load
labels = load("digits.mpnn").predict(X)
"""

from pathlib import Path

from mpnn.deploy.packed import load_network
from mpnn.integer_networks.prediction import Predictor

__all__ = ["Predictor", "load"]


def load(path: str | Path, engine: str = "numpy") -> Predictor:
    """Open a packed file; :class:`mpnn.deploy.packed.PackedFileError` if it is not one.

    Parameters
    ----------
    path : str or path
        The file.
    engine : str, default="numpy"
        See :class:`Predictor`.
    """
    return Predictor(load_network(path), engine)
