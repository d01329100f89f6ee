"""Registry of methods by name.

To add a method, give `METHODS` one more row, with the dotted name of the classifier, which is imported when
it is first built. A binary classifier joins the pairwise vote with `pairwise_method("its.dotted.Name", "what
it is")`, one of a solver with `solver_vote`, which also keeps what its stages did; a multi-class classifier
of scikit-learn takes `sklearn_method`; anything else is a `Method` of its own.
"""

from collections.abc import Mapping
from typing import Any

from mpnn.compare.config import CompareConfig, MethodConfig
from mpnn.compare.methods.contract import Method
from mpnn.compare.methods.pairwise import pairwise_method
from mpnn.compare.methods.scikit_learn import sklearn_method
from mpnn.compare.methods.solvers import (
    bemi_classifier,
    few_links_classifier,
    solver_network,
    solver_vote,
)
from mpnn.runs.toml import ConfigError, unknown_name

__all__ = ["METHODS", "check_methods", "check_params"]


def check_methods(config: CompareConfig) -> None:
    """Refuse methods and parameters that do not exist, naming the nearest that does.

    Parameters
    ----------
    config : CompareConfig
        The comparison.
    """
    for entry in config.methods:
        where = f"method {entry.name!r}"
        if entry.method not in METHODS:
            raise ConfigError(unknown_name("method", entry.method, METHODS, where))
        check_params(entry, METHODS[entry.method].parameters())


def check_params(entry: MethodConfig, known: Mapping[str, Any]) -> None:
    """Refuse parameters that the estimator does not have.

    Parameters
    ----------
    entry : MethodConfig
        The method with its parameters.
    known : mapping
        Parameters that it has.
    """
    for key in entry.params:
        if key == "random_state":
            raise ConfigError(
                f"method {entry.name!r}: random_state is the seed of the draw; set `seed` instead"
            )
        if key not in known:
            raise ConfigError(
                unknown_name("parameter", key, known, f"method {entry.name!r} ({entry.method})")
            )


METHODS: dict[str, Method] = {
    "message_passing": pairwise_method(
        "mpnn.MessagePassingClassifier", "Few-bit networks by message passing, one per pair of classes"
    ),
    "bemi": solver_vote(
        bemi_classifier, "BeMi: three integer programs per pair of classes (confidence, margins, weights)"
    ),
    "bdnn": solver_vote(
        "mpnn.solvers.bdnn.BDNNClassifier",
        "Bah and Kurtz: step networks with the fewest training errors, one per pair",
    ),
    "data_splitting": solver_network(
        "mpnn.solvers.data_splitting.DataSplittingClassifier",
        "Kurtz and Bah: one step network on ever finer sets of the samples",
    ),
    "data_splitting_vote": solver_vote(
        "mpnn.solvers.data_splitting.DataSplittingClassifier",
        "Kurtz and Bah: step networks on ever finer sets of the samples, one per pair of classes",
    ),
    "single_neuron": solver_vote(
        "mpnn.solvers.single_neuron.SingleNeuronClassifier",
        "One ternary neuron per pair of classes by linear or integer programming",
    ),
    "few_links": solver_vote(
        few_links_classifier,
        "One ternary neuron per pair: margins on moved copies, few links, near message passing's beliefs",
    ),
    "local_search": solver_vote(
        "mpnn.solvers.local_search.LocalSearchClassifier",
        "Few-bit networks by iterated local search, one per pair of classes",
    ),
    "parallel_tempering": solver_vote(
        "mpnn.solvers.parallel_tempering.ParallelTemperingClassifier",
        "One ternary neuron per pair of classes, annealed at several temperatures at once",
    ),
    "toro_icarte": solver_network(
        "mpnn.solvers.toro_icarte.ToroIcarteClassifier",
        "Toro Icarte et al.: one network, every output of every sample a constraint",
    ),
    "integer_network": solver_network(
        "mpnn.solvers.thorbjarnarson.IntegerNetworkClassifier",
        "Thorbjarnarson and Yorke-Smith: one network, errors or margins counted",
    ),
    "batch_averaging": solver_network(
        "mpnn.solvers.batch_averaging.BatchAveragingClassifier",
        "Thorbjarnarson and Yorke-Smith: one network, the average of programs on batches",
    ),
    "straight_through": pairwise_method(
        "mpnn.gradient.ste.STEClassifier",
        "Binary or ternary networks by straight-through estimation, one per pair of classes",
    ),
    "moment_propagation": pairwise_method(
        "mpnn.gradient.moment_propagation.MomentPropagationClassifier",
        "Gradients through means and variances, one per pair of classes",
    ),
    "bop": pairwise_method(
        "mpnn.gradient.bop.BopClassifier", "Binary networks by flipping weights, one per pair of classes"
    ),
    "bayesbinn": pairwise_method(
        "mpnn.gradient.bayesbinn.BayesBiNNClassifier",
        "Bernoulli weights by the Bayesian learning rule, one per pair of classes",
    ),
    "local_reparameterization": pairwise_method(
        "mpnn.gradient.local_reparameterization.LocalReparameterizationClassifier",
        "LR-Nets, one per pair of classes",
    ),
    "proxquant": pairwise_method(
        "mpnn.gradient.quantization.ProxQuantClassifier",
        "Binary weights by proximal steps, one per pair of classes",
    ),
    "adaste": pairwise_method(
        "mpnn.gradient.quantization.AdaSTEClassifier",
        "Binary weights by adaptive straight-through steps, one per pair of classes",
    ),
    "conntra": pairwise_method(
        "mpnn.gradient.conntra.CoNNTrAClassifier",
        "Ternary networks by coordinate descent, one per pair of classes",
    ),
    # Multinomial, L2 penalty with C = 1 (scikit-learn's defaults); more steps, so that it converges.
    "logistic_regression": sklearn_method(
        "sklearn.linear_model.LogisticRegression",
        "Multinomial logistic regression, L2 penalty",
        ("coef_", "intercept_"),
        probabilities=True,
        max_iter=2000,
    ),
    # The vote of message passing with real weights: as many networks, as many links.
    "logistic_regression_vote": sklearn_method(
        "mpnn.compare.methods.scikit_learn.PairwiseLogisticRegression",
        "Logistic regression, one per pair of classes",
        ("coef_", "intercept_"),
    ),
    # One-vs-one, as the pairwise vote is; C = 1.
    "linear_svm": sklearn_method(
        "sklearn.svm.SVC",
        "Linear support vector machine, one-vs-one",
        ("coef_", "intercept_"),
        kernel="linear",
    ),
    # One-vs-one; C = 10 is the usual choice on MNIST-like pixels, gamma = 1 / (features * variance).
    "rbf_svm": sklearn_method(
        "sklearn.svm.SVC",
        "Support vector machine with a Gaussian kernel, one-vs-one",
        ("support_vectors_", "dual_coef_", "intercept_"),
        kernel="rbf",
        gamma="scale",
        C=10.0,
    ),
    "most_frequent": sklearn_method(
        "sklearn.dummy.DummyClassifier",
        "Always the most frequent class of the training examples",
        ("class_prior_",),
    ),
    "nearest_neighbour": sklearn_method(
        "sklearn.neighbors.KNeighborsClassifier",
        "The label of the nearest training example",
        ("_fit_X",),
        n_neighbors=1,
    ),
}
