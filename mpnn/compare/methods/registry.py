"""What can be compared: a registry from names to methods.

To add a method, give `METHODS` one more entry. A binary classifier joins the pairwise vote with one
line, `pairwise_method(MyClassifier, "what it is")`; a multi-class scikit-learn classifier with
`sklearn_method(...)`; anything else is a `Method` of its own.
"""

from collections.abc import Mapping
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from mpnn.compare.config import CompareConfig, MethodConfig
from mpnn.compare.methods.contract import Method
from mpnn.compare.methods.pairwise import pairwise_method
from mpnn.compare.methods.scikit_learn import sklearn_method
from mpnn.compare.methods.solvers import (
    BATCH_AVERAGING,
    BDNN,
    BEMI,
    DATA_SPLITTING,
    DATA_SPLITTING_VOTE,
    INTEGER_NETWORK,
    LOCAL_SEARCH,
    SINGLE_NEURON,
    TORO_ICARTE,
)
from mpnn.runs.toml import ConfigError, unknown_name

__all__ = ["METHODS", "check_methods", "check_params"]


def check_methods(config: CompareConfig) -> None:
    """Refuse methods and parameters that do not exist, naming the nearest that does."""
    for entry in config.methods:
        where = f"method {entry.name!r}"
        if entry.method not in METHODS:
            raise ConfigError(unknown_name("method", entry.method, METHODS, where))
        check_params(entry, METHODS[entry.method].parameters())


def check_params(entry: MethodConfig, known: Mapping[str, Any]) -> None:
    """Refuse parameters that the estimator does not have."""
    for key in entry.params:
        if key == "random_state":
            raise ConfigError(
                f"method {entry.name!r}: random_state is the seed of the draw; set `seed` instead"
            )
        if key not in known:
            raise ConfigError(
                unknown_name("parameter", key, known, f"method {entry.name!r} ({entry.method})")
            )


def _message_passing(**params: Any) -> Any:
    from mpnn import MessagePassingClassifier

    return MessagePassingClassifier(**params)


def _gradient(name: str, summary: str) -> Method:
    """A classifier of :mod:`mpnn.gradient` by its name, which is imported on first use."""

    def classifier(**params: Any) -> Any:
        import mpnn.gradient

        return getattr(mpnn.gradient, name)(**params)

    return pairwise_method(classifier, f"{summary}, one per pair of classes")


METHODS: dict[str, Method] = {
    "message_passing": pairwise_method(
        _message_passing, "Few-bit networks by message passing, one per pair of classes"
    ),
    "bemi": BEMI,
    "bdnn": BDNN,
    "data_splitting": DATA_SPLITTING,
    "data_splitting_vote": DATA_SPLITTING_VOTE,
    "single_neuron": SINGLE_NEURON,
    "local_search": LOCAL_SEARCH,
    "toro_icarte": TORO_ICARTE,
    "integer_network": INTEGER_NETWORK,
    "batch_averaging": BATCH_AVERAGING,
    "straight_through": _gradient(
        "STEClassifier", "Binary or ternary networks by straight-through estimation"
    ),
    "moment_propagation": _gradient("MomentPropagationClassifier", "Gradients through means and variances"),
    "bop": _gradient("BopClassifier", "Binary networks by flipping weights"),
    "bayesbinn": _gradient("BayesBiNNClassifier", "Bernoulli weights by the Bayesian learning rule"),
    "local_reparameterization": _gradient("LocalReparameterizationClassifier", "LR-Nets"),
    "proxquant": _gradient("ProxQuantClassifier", "Binary weights by proximal steps"),
    "adaste": _gradient("AdaSTEClassifier", "Binary weights by adaptive straight-through steps"),
    "conntra": _gradient("CoNNTrAClassifier", "Ternary networks by coordinate descent"),
    # Multinomial, L2 penalty with C = 1 (scikit-learn's defaults); more steps, so that it converges.
    "logistic_regression": sklearn_method(
        LogisticRegression,
        "Multinomial logistic regression, L2 penalty",
        ("coef_", "intercept_"),
        probabilities=True,
        max_iter=2000,
    ),
    # One-vs-one, as the pairwise vote is; C = 1.
    "linear_svm": sklearn_method(
        SVC, "Linear support vector machine, one-vs-one", ("coef_", "intercept_"), kernel="linear"
    ),
    # One-vs-one; C = 10 is the usual choice on MNIST-like pixels, gamma = 1 / (features * variance).
    "rbf_svm": sklearn_method(
        SVC,
        "Support vector machine with a Gaussian kernel, one-vs-one",
        ("support_vectors_", "dual_coef_", "intercept_"),
        kernel="rbf",
        gamma="scale",
        C=10.0,
    ),
    "nearest_neighbour": sklearn_method(
        KNeighborsClassifier, "The label of the nearest training example", ("_fit_X",), n_neighbors=1
    ),
}
