"""A network with few-bit weights as a scikit-learn classifier, trained by message passing."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.message_passing.classifier import compiled, many
from mpnn.message_passing.classifier import exact as small
from mpnn.message_passing.classifier.defaults import Settings, in_units_of_inputs, resolve
from mpnn.message_passing.fields import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.preprocessing.scaling import fit_transform_of
from mpnn.validation import hidden_widths, whole

__all__ = ["MessagePassingClassifier"]

PREDICTIONS = ("mode", "bayes", "sample")


class MessagePassingClassifier(ClassifierMixin, BaseEstimator):
    """A sign network with discrete weights, trained by messages of the belief-propagation family.

    What is left at None is set to the best value known for the regime: full batch for up to 2000 samples,
    mini-batches above.

    Parameters
    ----------
    hidden : widths of the hidden layers; () for a single layer.
    weights : ``"binary"`` (-1, +1), ``"ternary"``, an int P for {-P..P}, or ``"gaussian"`` (real).
    rule : ``"mean_field"``, ``"amp"``, ``"bp_inspired"``, ``"belief_propagation"`` or ``"max_sum"``.
    prediction : ``"mode"`` (the discrete weights alone), ``"bayes"`` (means and variances of the weights, no
        sampling) or ``"sample"`` (average over drawn networks). May be changed after fitting.
    num_epochs, batch_size : mini-batch training; ``batch_size=None`` is full batch, ``"auto"`` chooses.
    num_sweeps : sweeps of messages over each batch, >= 1.
    damping : weight of the old message, in [0, 1).
    reinforcement : weight of a batch's earlier evidence, in [0, 1].
    rate, counts : mini-batches that forget what earlier ones said: the first step, in (0, 1], which falls to
        0 by half a cosine, and how often a sample counts, > 0 (more: surer).
    rho : instead of rate, the share of the posterior that is the next batch's prior, > 0.
    sparsity : log odds of a zero weight before data; more removes more links. Not for binary weights.
    noise : standard deviation assumed on every pre-activation, >= 0, as a share of the inputs' norm.
    margin : pre-activation that a label asks for, >= 0, as a share of the inputs' norm. Two classes only.
    replicas, coupling : focusing: number of replicas >= 1 and their coupling >= 0.
    initial_field : scale of the random initial fields, >= 0.
    activation : of hidden units: ``"sign"``, ``"relu"`` or ``"identity"``.
    bias : adds a constant input of 1 to every layer.
    density : share of links that exist, in (0, 1]; the others are removed at random before training.
    cavity : of ``"bp_inspired"``: ``"second_order"`` or ``"interpolated"`` (matrix products only; the latter
        is exact to rounding in wide layers, also when weights are nearly certain) or ``"exact"``.
    small_fan_in : ``"exact"``: hidden layers of up to 16 units exchange exact messages and the beliefs are
        annealed to discrete weights (:mod:`mpnn.message_passing.exact.sweep`); for ternary weights, sign
        activations,
        rule ``"bp_inspired"``, two classes, full batch, no bias, and of the numbers only num_sweeps, damping
        and initial_field. ``"gaussian"``: messages as in wide layers. ``"auto"``: exact where possible.
    input_scaling : ``"root"``, ``"mild_root"``, ``"max_abs"``, ``"standard"``, ``"centred"``, ``"features"``,
        None or ``"auto"``, which chooses; see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    rounding : to discrete weights: ``"mode"`` (most probable levels) or ``"feedback"`` (the first layer one
        weight at a time, each repairing on the training inputs what earlier ones lost; then the mode).
    num_samples : networks drawn by ``prediction="sample"``, >= 1.
    random_state : int, RandomState or None.

    rho, damping, reinforcement, sparsity, noise and margin also take one value a layer, or a schedule: a
    function of the sweep's number, as optax makes them.

    Attributes
    ----------
    classes_ : the labels, sorted; for two, the second is the positive one, and an output of 0 votes for it.
    weights_ : list of int8 arrays ``[inputs, outputs]``, a layer each.
    biases_ : list of int8 arrays ``[outputs]``, or None.
    state_ : the beliefs, apart from the weights: :class:`mpnn.message_passing.network.State` of NumPy arrays.
    history_ : dict of arrays with one row a sweep: ``error``, ``change``, ``polarization``.
    input_transform_ : what inputs go through; ``live`` says which were ever non-zero in training.
    n_iter_ : sweeps done.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mpnn import MessagePassingClassifier
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> classifier = MessagePassingClassifier(random_state=0).fit(X[:40], y[:40])
    >>> sorted(set(classifier.weights_[0].ravel().tolist())) <= [-1, 0, 1]
    True
    >>> float(classifier.score(X[40:], y[40:])) > 0.95
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        weights: str | int = "ternary",
        rule: str = "bp_inspired",
        prediction: str = "mode",
        *,
        num_epochs: int | None = None,
        batch_size: int | str | None = "auto",
        num_sweeps: int | None = None,
        damping: Any = None,
        reinforcement: Any = None,
        rate: float | None = None,
        counts: float | None = None,
        rho: Any = None,
        sparsity: Any = None,
        noise: Any = None,
        margin: Any = None,
        replicas: float | None = None,
        coupling: float | None = None,
        initial_field: float | None = None,
        activation: str = "sign",
        bias: bool = False,
        density: float = 1.0,
        cavity: str = "second_order",
        small_fan_in: str = "auto",
        input_scaling: str | None = "auto",
        rounding: str | None = None,
        num_samples: int = 32,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.weights = weights
        self.rule = rule
        self.prediction = prediction
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.num_sweeps = num_sweeps
        self.damping = damping
        self.reinforcement = reinforcement
        self.rate = rate
        self.counts = counts
        self.rho = rho
        self.sparsity = sparsity
        self.noise = noise
        self.margin = margin
        self.replicas = replicas
        self.coupling = coupling
        self.initial_field = initial_field
        self.activation = activation
        self.bias = bias
        self.density = density
        self.cavity = cavity
        self.small_fan_in = small_fan_in
        self.input_scaling = input_scaling
        self.rounding = rounding
        self.num_samples = num_samples
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "MessagePassingClassifier":
        """Train on inputs ``[n, features]`` and labels ``[n]`` of any type."""
        inputs, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        codes = self._encode(labels)
        self._checked_prediction()
        settings = self._settings(inputs.shape[1], len(inputs))
        self.input_transform_ = fit_transform_of(inputs, settings.input_scaling)
        seed = self._seed()
        inputs = self.input_transform_(inputs)
        settings = in_units_of_inputs(settings, inputs)
        data = Batch(jnp.asarray(inputs), jnp.asarray(self._targets(codes)))
        train = compiled.train if settings.annealing is None else small.train
        state, hyper, weights, history = train(jax.random.key(seed), settings, data)
        self._publish(settings.spec, state, hyper, weights)
        self._remember(history, seed)
        return self

    @classmethod
    def fit_many(
        cls,
        members: Sequence["MessagePassingClassifier"],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        *,
        problems_at_once: int | None = None,
    ) -> None:
        """Fit equally configured binary members, one a problem, as one compiled program.

        Parameters
        ----------
        members : unfitted, equal but for their random states.
        X : pool of inputs ``[n, features]``, finite; all problems share its input transform.
        problems : for each member, rows of ``X`` and their labels of two classes.
        problems_at_once : bounds the memory of networks with hidden layers; None trains all side by side.
        """
        many.fit_many(members, check_array(X, dtype=np.float32, input_name="X"), problems, problems_at_once)

    @classmethod
    def decide_many(
        cls, members: Sequence["MessagePassingClassifier"], X: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Whether each binary member chooses its second class, and its probability: ``[n, P]`` each."""
        return many.decide_many(members, check_array(X, dtype=np.float32, input_name="X"))

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Scores ``[n]`` for two classes (positive or 0: the second), ``[n, C]`` for more.

        ``"mode"``: the network's outputs over their spread, see :meth:`predict_proba`; else its log odds or
        log probabilities.
        """
        scores = self._decided_by(compiled.score, X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels ``[n]`` by the chosen prediction."""
        scores = self.decision_function(X)
        return self.classes_[(scores >= 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities ``[n, C]``.

        ``"bayes"`` and ``"sample"``: from the beliefs. ``"mode"``: discrete weights know no uncertainty;
        their output, over its standard deviation were their signs random, goes through the normal
        distribution, which ranks samples by margin but is not calibrated.
        """
        return self._decided_by(compiled.decide, X)[1]

    def _decided_by(self, compiled_function: Callable[..., Any], X: ArrayLike) -> Any:
        """Scores ``[n, K]``, or these and probabilities ``[n, C]``, as the function returns them."""
        check_is_fitted(self)
        inputs = self.input_transform_(validate_data(self, X, dtype=np.float32, reset=False))
        return jax.device_get(
            compiled_function(self.spec_, *self._checked_prediction(), self._model(), inputs)
        )

    def _checked_prediction(self) -> tuple[str, int]:
        """How to predict, and from how many samples."""
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction must be one of {PREDICTIONS}, got {self.prediction!r}")
        return self.prediction, whole("num_samples", self.num_samples)

    def _model(self) -> compiled.Model:
        """The published weights (bias rows last, as the network multiplies them) and the beliefs."""
        weights = self.weights_
        if self.biases_ is not None:
            pairs = zip(self.weights_, self.biases_, strict=True)
            weights = [np.concatenate([layer, bias[None]]) for layer, bias in pairs]
        return compiled.Model(weights, self.state_, self.hyper_, np.int32(self.sampling_seed_))

    def _encode(self, y: NDArray) -> NDArray:
        """Class numbers of the labels; sets ``classes_``."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, got one class: {self.classes_.item(0)!r}"
            )
        return codes

    def _targets(self, codes: NDArray) -> NDArray:
        """Labels as the network takes them: -1 and +1 for two classes, else class numbers."""
        if len(self.classes_) == 2:
            return (2.0 * codes - 1.0).astype(np.float32)
        return codes.astype(np.int32)

    def _settings(self, num_features: int, num_samples: int) -> Settings:
        num_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        widths = (num_features, *hidden_widths(self.hidden), num_outputs)
        return resolve(self.get_params(deep=False), widths, num_samples)

    def _publish(self, spec: NetworkSpec, state: State, hyper: Hyper, weights: list[NDArray]) -> None:
        """Store the network: NumPy arrays only. With bias, the last row of the weights is the bias."""
        self.spec_, self.state_, self.hyper_ = spec, state, hyper
        self.weights_ = [layer[: spec.widths[index]] for index, layer in enumerate(weights)]
        self.biases_ = [layer[-1] for layer in weights] if spec.bias else None

    def _remember(self, history: dict[str, NDArray], seed: int) -> None:
        """Store what happened on the way."""
        self.history_ = history
        self.n_iter_ = len(history["error"])
        self.sampling_seed_ = seed

    def _seed(self) -> int:
        """The seed of training and of sampled predictions."""
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
