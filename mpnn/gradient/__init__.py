"""Networks with few-bit weights trained by gradients, behind scikit-learn's classifier contract."""

from mpnn.gradient.moment_propagation import MomentPropagationClassifier
from mpnn.gradient.ste import STEClassifier

__all__ = ["MomentPropagationClassifier", "STEClassifier"]
