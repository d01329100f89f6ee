"""The scikit-learn side of a network: labels to targets, outputs to labels, seeds.

Axes: samples n, outputs K (1 for two classes), classes C.
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.classifiers.images import as_rows
from mpnn.classifiers.labels import plain_labels
from mpnn.classifiers.linear_view import LinearView
from mpnn.classifiers.problems import BinaryProblems, blocks_of, decide_in_blocks
from mpnn.integer_networks.cache import discrete_network
from mpnn.integer_networks.discrete import DiscreteNetwork
from mpnn.preprocessing.precision import NUMBER_TYPES, with_known_floats
from mpnn.preprocessing.units import InputUnit
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import one_of, random_source, require_different_names, whole

__all__ = [
    "PREDICTIONS",
    "NetworkClassifier",
    "ProbabilisticClassifier",
    "check_several",
    "known_class_numbers",
    "network_on_processor",
    "read_table_and_labels",
]

PREDICTIONS = ("mode", "bayes", "sample")


def read_table_and_labels(
    estimator: Any, X: ArrayLike, y: ArrayLike, *, reset: bool = True
) -> tuple[Any, NDArray]:
    """Samples of an estimator that codes tables: inputs as they were given, labels ``[n]``.

    Sets the number and the names of features.

    Parameters
    ----------
    estimator : estimator
        Its number and names of features are set.
    X : array-like [n, features] or table
        Inputs; a table may hold text and missing values.
    y : array-like [n]
        Labels of any type.
    reset : bool, default=True
        Whether to set the number and the names of features; else they are checked.

    Raises
    ------
    ValueError
        Where there is no sample, inputs and labels are not as many, a label is missing, labels are of several
        types, or two columns have one name.
    """
    require_different_names(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    labels = column_or_1d(plain_labels(y), warn=True)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    check_consistent_length(X, labels)
    if len(labels) == 0:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required")
    return X, labels


def check_several(classes: NDArray) -> None:
    """Refuse fewer than two classes for all portions to come.

    Parameters
    ----------
    classes : ndarray [C]
        All labels that there may be.

    Raises
    ------
    ValueError
        For one class.
    """
    if len(classes) < 2:
        raise ValueError(f"classes must name at least two labels, got {classes.tolist()}")


def known_class_numbers(labels: NDArray, classes: NDArray) -> NDArray:
    """Class numbers of labels ``[n]``.

    Parameters
    ----------
    labels : ndarray [n]
        Labels.
    classes : ndarray [C]
        All labels that there may be, sorted.

    Raises
    ------
    ValueError
        For a label that is none of the classes.
    """
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"y holds the label {unknown.tolist()[0]!r}, which is none of the classes {classes.tolist()} of "
            "the first call: name all of them there"
        )
    return np.searchsorted(classes, labels)


def network_on_processor(model: Any) -> DiscreteNetwork | None:
    """The discrete network of a fitted classifier or vote, evaluated without compilation.

    None where it predicts by something else, or an accelerator is there to predict.

    Parameters
    ----------
    model : classifier
        Fitted.
    """
    jax = sys.modules.get("jax")
    if jax is not None and jax.default_backend() != "cpu":
        return None
    return discrete_network(model)


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A network as a scikit-learn classifier.

    Subclasses add ``fit`` and :meth:`_scores`; those with hidden layers have a parameter ``hidden``, those
    that draw numbers a parameter ``random_state``.

    Attributes
    ----------
    classes_ : array [C]
        The labels, sorted; of two, the second is the positive one, chosen by a score of 0 or more.
    weights_ : list of arrays [inputs, outputs]
        One a layer.
    biases_ : list of arrays [outputs], or None
        One a layer, None for a layer without; None where no layer has one.
    image_shape_ : triple of int or None
        Height, width and channels of the training images; None: inputs were rows.
    """

    classes_: NDArray
    weights_: list[NDArray]
    biases_: list[NDArray | None] | None
    input_transform_: Any
    input_unit_: InputUnit | None = None  # also of what was pickled before there were units
    image_shape_: tuple[int, ...] | None = None

    @abstractmethod
    def _scores(self, X: ArrayLike) -> NDArray:
        """Outputs, or whatever ranks the classes ``[n, K]``."""

    @in_fresh_process
    def decision_function(self, X: ArrayLike) -> NDArray:
        """Scores of the classes.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        scores : array [n] for two classes, [n, C] for more
            Of two classes, 0 and more choose the second.
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels of the largest scores.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        labels : array [n]
            Of ``classes_``.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores >= 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def _encode(self, X: ArrayLike, y: ArrayLike, **options: Any) -> tuple[NDArray, NDArray]:
        """Check the samples; inputs ``[n, features]`` and class numbers ``[n]``. Sets ``classes_``."""
        require_different_names(X)
        X, self.image_shape_ = as_rows(with_known_floats(X))
        inputs, labels = validate_data(self, X, plain_labels(y), **options)
        return inputs, self._class_numbers(labels)

    def _as_rows(self, X: Any) -> Any:
        """Images as rows, in the shape of those in training."""
        return as_rows(with_known_floats(X), self.image_shape_)[0]

    def _class_numbers(self, labels: NDArray) -> NDArray:
        """Class numbers of the labels; sets ``classes_``."""
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        name = type(self).__name__
        if len(self.classes_) < 2:
            raise ValueError(f"{name} needs at least two classes, got one class: {self.classes_.item(0)!r}")
        if len(self.classes_) > 2 and not self.__sklearn_tags__().classifier_tags.multi_class:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(labels)}; put {name} into PairwiseVoteClassifier"
            )
        return codes

    def _known_class_numbers(self, labels: NDArray) -> NDArray:
        """Class numbers of labels, all of which must be among ``classes_``."""
        check_classification_targets(labels)
        return known_class_numbers(labels, self.classes_)

    def _targets(self, codes: NDArray) -> NDArray:
        """Targets of class numbers: -1 and +1, float32, for two classes; else the numbers, int32."""
        if len(self.classes_) == 2:
            return (2.0 * codes - 1.0).astype(np.float32)
        return codes.astype(np.int32)

    def _seed(self) -> int:
        """A seed of the random state."""
        source = random_source("random_state", getattr(self, "random_state", None))
        return int(source.randint(np.iinfo(np.int32).max))


class ProbabilisticClassifier(LinearView, NetworkClassifier):
    """A network with a distribution over its weights: parameters ``prediction`` and ``num_samples``."""

    prediction: str
    num_samples: int

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels of the largest scores; of the discrete network, without compilation.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        labels : array [n]
            Of ``classes_``.
        """
        network = self._discrete_network()
        return super().predict(X) if network is None else self.classes_[network.winners(self._rows(X))]

    def _discrete_network(self) -> DiscreteNetwork | None:
        """The discrete network, if that predicts."""
        check_is_fitted(self)
        self._checked_prediction()
        return network_on_processor(self)

    def _rows(self, X: ArrayLike) -> Iterable[NDArray]:
        """Checked inputs, uint8 or float32, some rows at a time."""
        return [self._numbers(X)]

    def _numbers(self, X: ArrayLike) -> NDArray:
        """Checked inputs ``[n, features]`` as the transform takes them, uint8 or float32, in their unit."""
        kinds: Any = [np.float32, np.uint8] if self.input_unit_ is None else NUMBER_TYPES
        numbers = validate_data(self, self._as_rows(X), dtype=kinds, reset=False)
        return numbers if self.input_unit_ is None else self.input_unit_(numbers)

    @classmethod
    @abstractmethod
    def _joint_decision(cls, members: Sequence[Any]) -> Callable[[NDArray], tuple[Any, Any]]:
        """From inputs ``[B, features]`` to scores ``[P, B, 1]`` and probabilities ``[P, B, 2]``."""

    @classmethod
    def decide_many(cls, members: Sequence[Any], X: ArrayLike) -> tuple[NDArray, NDArray]:
        """Decisions of binary members that were fitted together.

        Parameters
        ----------
        members : sequence of P classifiers of this class
            Fitted, equal but for what they learned.
        X : array [n, features]
            The inputs.

        Returns
        -------
        second_wins : bool array [n, P]
            Whether a member chooses its second class.
        probabilities : float32 array [n, P]
            Of that class.
        """
        return decide_in_blocks(cls._joint_decision(members), members[0]._blocks(X), len(members))

    def _blocks(self, X: ArrayLike) -> Iterable[NDArray]:
        """Inputs of a joint decision, some rows at a time."""
        return blocks_of(self._numbers(X))

    @abstractmethod
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities of the classes ``[n, C]``.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """

    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Logarithms of the probabilities; one that is 0 counts as the smallest number above it.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        log_probabilities : array [n, C]
            In nats.
        """
        probabilities = self.predict_proba(X)
        return np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny))

    def _checked_prediction(self) -> tuple[str, int]:
        """How to predict, and from how many drawn networks."""
        return one_of("prediction", self.prediction, PREDICTIONS), whole("num_samples", self.num_samples)

    def _publish_weights(self, layers: Sequence[NDArray], with_bias: Sequence[bool]) -> None:
        """Store discrete weights; the last row of a layer with a bias is the bias."""
        pairs = list(zip(layers, with_bias, strict=True))
        self.weights_ = [layer[:-1] if bias else layer for layer, bias in pairs]
        self.biases_ = [layer[-1] if bias else None for layer, bias in pairs] if any(with_bias) else None

    def _joined_weights(self) -> list[NDArray]:
        """The published weights with the biases as last rows."""
        if self.biases_ is None:
            return self.weights_
        pairs = zip(self.weights_, self.biases_, strict=True)
        return [layer if bias is None else np.concatenate([layer, bias[None]]) for layer, bias in pairs]

    @staticmethod
    def _binary_problems(
        members: Sequence[Any],
        num_features: int,
        problems: Sequence[tuple[NDArray, NDArray]],
        sample_weights: Sequence[NDArray] | None = None,
    ) -> BinaryProblems:
        """Targets of each member's problem (rows of the pool and their labels); sets its classes.

        Members that have classes keep them: then a problem may lack one.
        """
        rows_of, targets_of = [], []
        for member, (rows, labels) in zip(members, problems, strict=True):
            member.n_features_in_ = num_features
            has_classes = hasattr(member, "classes_")
            codes = member._known_class_numbers(labels) if has_classes else member._class_numbers(labels)
            if len(member.classes_) != 2:
                raise ValueError(f"fit_many needs two classes a problem, got {len(member.classes_)}")
            rows_of.append(rows)
            targets_of.append(member._targets(codes))
        return BinaryProblems(rows_of, targets_of, sample_weights)
