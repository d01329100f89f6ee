"""Networks with few-bit weights trained by gradients, behind scikit-learn's classifier contract."""

from mpnn.gradient.bayesbinn import BayesBiNNClassifier
from mpnn.gradient.bop import BopClassifier
from mpnn.gradient.conntra import CoNNTrAClassifier
from mpnn.gradient.conv_network import BinaryConvClassifier
from mpnn.gradient.local_reparameterization import LocalReparameterizationClassifier
from mpnn.gradient.moment_propagation import MomentPropagationClassifier
from mpnn.gradient.quantization import AdaSTEClassifier, ProxQuantClassifier
from mpnn.gradient.ste import STEClassifier

__all__ = [
    "AdaSTEClassifier",
    "BayesBiNNClassifier",
    "BinaryConvClassifier",
    "BopClassifier",
    "CoNNTrAClassifier",
    "LocalReparameterizationClassifier",
    "MomentPropagationClassifier",
    "ProxQuantClassifier",
    "STEClassifier",
]
