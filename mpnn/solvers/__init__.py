"""Few-bit networks trained by integer and constraint programming; knows nothing of message passing.

    from mpnn.solvers import BeMiClassifier

The engines are optional: `pip install 'mpnn[solvers]'` brings OR-Tools CP-SAT and HiGHS, `mpnn[scip]` and
`mpnn[gurobi]` the others.
"""

from mpnn.solvers.base import NoNetworkError
from mpnn.solvers.batch_averaging import BatchAveragingClassifier, Epoch
from mpnn.solvers.bdnn import BDNNClassifier
from mpnn.solvers.bemi import BeMiClassifier
from mpnn.solvers.data_splitting import DataSplittingClassifier, Split
from mpnn.solvers.engines import MissingEngineError, installed_engines
from mpnn.solvers.few_links import FewLinksClassifier
from mpnn.solvers.local_search import LocalSearchClassifier
from mpnn.solvers.parallel_tempering import ParallelTemperingClassifier
from mpnn.solvers.single_neuron import SingleNeuronClassifier
from mpnn.solvers.thorbjarnarson import IntegerNetworkClassifier
from mpnn.solvers.toro_icarte import ToroIcarteClassifier

__all__ = [
    "BDNNClassifier",
    "BatchAveragingClassifier",
    "BeMiClassifier",
    "DataSplittingClassifier",
    "Epoch",
    "FewLinksClassifier",
    "IntegerNetworkClassifier",
    "LocalSearchClassifier",
    "MissingEngineError",
    "NoNetworkError",
    "ParallelTemperingClassifier",
    "SingleNeuronClassifier",
    "Split",
    "ToroIcarteClassifier",
    "installed_engines",
]
