"""The scikit-learn side that all gradient methods share."""

from abc import abstractmethod
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.gradient import many, training
from mpnn.gradient import prediction as deciding
from mpnn.gradient.method import Method, Plan
from mpnn.preprocessing.scaling import InputTransform, fit_transform_of
from mpnn.validation import above_zero, hidden_widths, whole

__all__ = ["GradientClassifier"]

PREDICTIONS = ("mode", "bayes", "sample")
# Bounds the memory of deciding.
ROWS_AT_ONCE = 10_000


class GradientClassifier(ClassifierMixin, BaseEstimator):
    """A network with few-bit weights trained by gradients; subclasses say by which method.

    Subclasses have the parameters ``prediction``, ``num_epochs``, ``batch_size``, ``input_scaling``,
    ``num_samples`` and ``random_state`` beside their own, and implement :meth:`_method`.

    Attributes
    ----------
    classes_ : ndarray [C]
        The labels, sorted; for two, the second is the positive one, and an output of 0 votes for it.
    weights_ : list of int8 ndarray [inputs, outputs]
        Discrete weights, a layer each.
    biases_ : list of int8 ndarray [outputs], or None
        Discrete biases, a layer each; None without biases.
    latents_, real_, statistics_ : list of ndarray
        What the weights were read from, the numbers that stay real, and batch norm's running
        means and variances.
    history_ : dict of ndarray [epochs]
        ``loss`` and ``error`` of the training batches, one number an epoch.
    input_transform_ : InputTransform
        The transform of the inputs; ``live`` marks those that are not 0, or not constant, in all of training.
    n_iter_ : int
        Epochs done.
    """

    # Epochs and mini-batch size where they are None or "auto": up to this many samples, and above.
    few_samples = 2000
    few_epochs, many_epochs = 200, 20
    many_batch_size = 128
    # Trains one network; compiled and mapped over problems by the shared trainer.
    _fit_problem: training.FitProblem = staticmethod(training.fit_problem)

    @abstractmethod
    def _method(self, widths: tuple[int, ...], plan: Plan) -> Method:
        """The method for a network of these widths."""

    def _transform_of(self, inputs: NDArray) -> InputTransform:
        """The input transform; ``"auto"`` is as for message passing, one mean and deviation for many samples.

        Unit power makes pre-activations of random weights about 1. With smaller ones no loss saturates, and
        its best weights are no more than the signs of the difference of the class means.
        """
        if self.input_scaling is None:
            return fit_transform_of(inputs, None)
        many = self.input_scaling == "auto" and len(inputs) > self.few_samples
        return fit_transform_of(inputs, "standard" if many else self.input_scaling).with_unit_power(inputs)

    def fit(self, X: ArrayLike, y: ArrayLike) -> "GradientClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of any type.
        """
        inputs, labels = validate_data(self, X, y, dtype=np.float32)
        targets = self._targets(self._encode(labels))
        self.input_transform_ = self._transform_of(inputs)
        plan = self._plan(len(inputs))
        method = self._method(self._widths(inputs.shape[1]), plan)
        key, seed = self._keys()
        rows = jnp.arange(len(inputs))
        data = training.Data(
            jnp.asarray(self.input_transform_(inputs)), rows, jnp.asarray(targets), jnp.ones(len(inputs))
        )
        state, history = training.fit(self._fit_problem, key, method, plan, data)
        self._publish(method, jax.device_get(state), jax.device_get(history), seed)
        return self

    @classmethod
    def fit_many(
        cls,
        members: Sequence["GradientClassifier"],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        *,
        problems_at_once: int | None = None,
    ) -> None:
        """Fit equally configured binary members, one a problem, as one compiled program.

        Parameters
        ----------
        members : sequence of GradientClassifier
            Unfitted, equal but for their random states.
        X : ndarray [n, features]
            Pool of inputs, finite; all problems share its input transform.
        problems : sequence of pairs of ndarray
            For each member, rows of ``X`` and their labels of two classes.
        problems_at_once : int or None, default=None
            Problems that are trained side by side, which bounds the memory; None: all.
        """
        many.fit_many(members, np.asarray(X, np.float32), problems, problems_at_once)

    @classmethod
    def decide_many(cls, members: Sequence["GradientClassifier"], X: NDArray) -> tuple[NDArray, NDArray]:
        """Whether each binary member chooses its second class, and its probability: ``[n, P]`` each.

        Parameters
        ----------
        members : sequence of GradientClassifier
            Fitted by :meth:`fit_many`.
        X : ndarray [n, features]
            Inputs, finite.
        """
        return many.decide_many(members, np.asarray(X, np.float32))

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Outputs or log odds: ``[n]`` for two classes (0 and more: the second), ``[n, C]`` for more.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        scores = self._decide(X)[0]
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels ``[n]`` by the chosen prediction.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores >= 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities ``[n, C]``: the softmax of the outputs, or its mean over the weights.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        return self._decide(X)[1]

    def _decide(self, X: ArrayLike) -> tuple[NDArray, NDArray]:
        check_is_fitted(self)
        inputs = self.input_transform_(validate_data(self, X, dtype=np.float32, reset=False))
        how = self._checked_prediction()
        parts = [
            deciding.decide(
                self.method_, how, self.num_samples, self._model(), inputs[start : start + ROWS_AT_ONCE]
            )
            for start in range(0, len(inputs), ROWS_AT_ONCE)
        ]
        scores, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
        return scores, shares

    def _checked_prediction(self) -> str:
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction must be one of {PREDICTIONS}, got {self.prediction!r}")
        whole("num_samples", self.num_samples)
        return self.prediction

    def _model(self) -> deciding.Model:
        """What deciding needs; the published weights with their bias rows last."""
        weights = self.weights_
        if self.biases_ is not None:
            pairs = zip(self.weights_, self.biases_, strict=True)
            weights = [np.concatenate([layer, bias[None]]) for layer, bias in pairs]
        latents, real, statistics = (tuple(group) for group in (self.latents_, self.real_, self.statistics_))
        return deciding.Model(tuple(weights), latents, real, statistics, np.uint32(self.sampling_seed_))

    def _publish(
        self, method: Method, state: training.TrainState, history: training.History, seed: int
    ) -> None:
        """Store the network: NumPy arrays only."""
        self.method_, self.sampling_seed_ = method, seed
        self.latents_ = [np.asarray(leaf) for leaf in state.parameters.latents]
        self.real_ = [np.asarray(leaf) for leaf in state.parameters.real]
        self.statistics_ = [np.asarray(leaf) for leaf in state.statistics]
        layers = [np.asarray(method.family.mode(jnp.asarray(leaf))).astype(np.int8) for leaf in self.latents_]
        bias = getattr(method.network, "bias", False)
        self.weights_ = [layer[:-1] for layer in layers] if bias else layers
        self.biases_ = [layer[-1] for layer in layers] if bias else None
        self.history_ = {name: np.asarray(leaf) for name, leaf in zip(history._fields, history, strict=True)}
        self.n_iter_ = len(self.history_["loss"])

    def _encode(self, y: NDArray) -> NDArray:
        """Class numbers of the labels; sets ``classes_``."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, got one class: {self.classes_[0]!r}"
            )
        return codes

    def _targets(self, codes: NDArray) -> NDArray:
        """Targets as the losses take them: -1 and +1 for two classes, else class numbers."""
        if len(self.classes_) == 2:
            return (2 * codes - 1).astype(np.float32)
        return codes.astype(np.int32)

    def _widths(self, num_features: int) -> tuple[int, ...]:
        num_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        return (num_features, *hidden_widths(self.hidden), num_outputs)

    def _norm(self, given: str | None, with_hidden_layers: str) -> str | None:
        """Batch norm of that kind where it is left open and there are hidden layers."""
        if given != "auto":
            return given
        return with_hidden_layers if len(self.hidden) else None

    def _rate(self, plan: Plan, full_batch: float = 0.1, mini_batch: float = 0.01) -> float:
        """The learning rate, or the method's own where it is left open."""
        if self.learning_rate is not None:
            return above_zero("learning_rate", self.learning_rate)
        return full_batch if plan.steps_per_epoch == 1 else mini_batch

    def _plan(self, num_samples: int, *, uneven: bool = False) -> Plan:
        few = num_samples <= self.few_samples
        epochs, size = self.num_epochs, self.batch_size
        if epochs is None:
            epochs = self.few_epochs if few else self.many_epochs
        if size == "auto":
            size = None if few else self.many_batch_size
        size = num_samples if size is None else min(whole("batch_size", size), num_samples)
        epochs = whole("num_epochs", epochs)
        return Plan(epochs, size, num_samples, uneven or num_samples % size != 0)

    def _keys(self) -> tuple[jax.Array, int]:
        """The training key, and the seed of sampled predictions."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return jax.random.key(seed), seed
