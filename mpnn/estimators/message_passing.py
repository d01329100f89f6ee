"""A network with few-bit weights as a scikit-learn classifier, trained by message passing."""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.estimators import compiled
from mpnn.estimators.settings import Settings, resolve
from mpnn.network import Batch, Info, State
from mpnn.training import Problems

__all__ = ["MessagePassingClassifier"]

PREDICTIONS = ("mode", "bayes", "sample")
# Bounds the memory of many networks deciding side by side.
ROWS_AT_ONCE = 2048
# Keeps constant inputs finite when they are divided by their standard deviation.
DEVIATION_FLOOR = 1e-5
INPUT_SCALINGS = ("auto", "max_abs", "standard", None)


class MessagePassingClassifier(ClassifierMixin, BaseEstimator):
    """A sign network with discrete weights, trained by messages of the belief-propagation family.

    What is left at None is set to the best value known for the regime: full batch for up to 2000 samples,
    mini-batches above.

    Parameters
    ----------
    hidden : widths of the hidden layers; () for a single layer.
    weights : ``"binary"`` (-1, +1), ``"ternary"``, an int P for {-P..P}, or ``"gaussian"`` (real).
    rule : ``"mean_field"``, ``"amp"``, ``"bp_inspired"``, ``"bp_inspired_second_order"``,
        ``"belief_propagation"`` or ``"max_sum"``.
    prediction : ``"mode"`` (the discrete weights alone), ``"bayes"`` (means and variances of the weights, no
        sampling) or ``"sample"`` (average over drawn networks). May be changed after fitting.
    num_epochs, batch_size : mini-batch training; ``batch_size=None`` is full batch, ``"auto"`` chooses.
    num_sweeps : sweeps of messages over each batch, >= 1.
    damping : weight of the old message, in [0, 1).
    reinforcement : weight of a batch's earlier evidence, in [0, 1].
    rho : share of the posterior that is the next batch's prior, > 0.
    sparsity : log odds of a zero weight before data; more removes more links. Not for binary weights.
    noise : standard deviation assumed on every pre-activation, >= 0, in units of the scaled inputs.
    margin : pre-activation that a label asks for, >= 0, in units of the scaled inputs. Two classes only.
    replicas, coupling : focusing: number of replicas >= 1 and their coupling >= 0.
    initial_field : scale of the random initial fields, >= 0.
    activation : of hidden units: ``"sign"``, ``"relu"`` or ``"identity"``.
    bias : adds a constant input of 1 to every layer.
    density : share of links that exist, in (0, 1]; the others are removed at random before training.
    input_scaling : ``"max_abs"`` divides all inputs by their largest magnitude, ``"standard"`` subtracts the
        global mean and divides by the global standard deviation, None leaves them, ``"auto"`` chooses.
    num_samples : networks drawn by ``prediction="sample"``, >= 1.
    random_state : int, RandomState or None.

    rho, damping, reinforcement, sparsity, noise and margin also take one value a layer, or a schedule: a
    function of the sweep's number, as optax makes them.

    Attributes
    ----------
    classes_ : the labels, sorted; for two, the second is the positive one, and an output of 0 votes for it.
    weights_ : list of int8 arrays ``[inputs, outputs]``, a layer each.
    biases_ : list of int8 arrays ``[outputs]``, or None.
    state_ : the beliefs, apart from the weights: :class:`mpnn.network.State` of NumPy arrays.
    history_ : dict of arrays with one row a sweep: ``error``, ``change``, ``polarization``.
    live_inputs_ : which inputs were not constantly zero in training, bool ``[inputs]``.
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
        input_scaling: str | None = "auto",
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
        self.input_scaling = input_scaling
        self.num_samples = num_samples
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "MessagePassingClassifier":
        """Train on inputs ``[n, features]`` and labels ``[n]`` of any type."""
        inputs, labels = validate_data(self, X, y, dtype=np.float32)
        codes = self._encode(labels)
        settings = self._settings(inputs.shape[1], len(inputs))
        self._remember_inputs(inputs, settings.input_scaling)
        key, seed = self._keys()
        data = Batch(self._scale(inputs), self._targets(codes))
        self._finish(settings, *compiled.fit(key, settings, data), seed)
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
        """Fit equally configured members, one a problem, as one compiled program.

        Parameters
        ----------
        members : unfitted, equal but for their random states.
        X : pool of inputs ``[n, features]``, finite.
        problems : for each member, rows of ``X`` and their labels; every problem has the same number of
            classes. Shorter problems are padded with samples that send no messages.
        problems_at_once : bounds the memory; None trains all side by side.
        """
        X = np.asarray(X, np.float32)
        longest = max(len(rows) for rows, _ in problems)
        targets = []
        for member, (_, y) in zip(members, problems, strict=True):
            member.n_features_in_ = X.shape[1]
            targets.append(np.asarray(member._targets(member._encode(y))))
        settings = members[0]._settings(X.shape[1], longest)
        rows_of = np.zeros((len(problems), longest), np.int32)
        labels = np.zeros(rows_of.shape, targets[0].dtype)
        sample_mask = np.zeros(rows_of.shape, np.float32)
        for index, (member, (rows, _)) in enumerate(zip(members, problems, strict=True)):
            member._remember_inputs(X[rows], settings.input_scaling)
            rows_of[index, : len(rows)], labels[index, : len(rows)] = rows, targets[index]
            sample_mask[index, : len(rows)] = 1.0
        offset = np.array([member.input_offset_ for member in members], np.float32)
        scale = np.array([member.input_scale_ for member in members], np.float32)
        keys, seeds = zip(*(member._keys() for member in members), strict=True)
        trained = compiled.fit_many(
            jnp.stack(keys),
            settings,
            Problems(*(jnp.asarray(leaf) for leaf in (X, rows_of, labels, sample_mask, offset, scale))),
            problems_at_once,
        )
        for index, (member, seed) in enumerate(zip(members, seeds, strict=True)):
            own = jax.tree.map(operator.itemgetter(index), trained)
            member._finish(settings, *own, seed)

    @classmethod
    def decide_many(
        cls, members: Sequence["MessagePassingClassifier"], X: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Whether each member chooses its second class, and its probability: ``[n, P]`` each."""
        X = np.asarray(X, np.float32)
        spec, how, num_samples = members[0].spec_, members[0]._checked_prediction(), members[0].num_samples
        first_wins = np.zeros((len(X), len(members)), bool)
        probabilities = np.zeros(first_wins.shape, np.float32)
        scalings = [(member.input_offset_, member.input_scale_) for member in members]
        for offset, scale in dict.fromkeys(scalings):
            own = [index for index, scaling in enumerate(scalings) if scaling == (offset, scale)]
            models = jax.tree.map(
                lambda *leaves: np.stack(leaves), *(members[index]._model() for index in own)
            )
            for start in range(0, len(X), ROWS_AT_ONCE):
                rows = slice(start, start + ROWS_AT_ONCE)
                inputs = jnp.asarray((X[rows] - offset) * scale)
                scores, shares = compiled.decide_many(spec, how, num_samples, models, inputs)
                first_wins[rows, own] = np.asarray(scores)[:, :, 0].T >= 0
                probabilities[rows, own] = np.asarray(shares)[:, :, 1].T
        return first_wins, probabilities

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Scores ``[n]`` for two classes (positive or 0: the second), ``[n, C]`` for more.

        ``"mode"``: the network's outputs; else the log odds or log probabilities of :meth:`predict_proba`.
        """
        scores = self._decide(X)[0]
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
        return self._decide(X)[1]

    def _decide(self, X: ArrayLike) -> tuple[NDArray, NDArray]:
        """Scores ``[n, K]`` and probabilities ``[n, C]``."""
        check_is_fitted(self)
        inputs = self._scale(validate_data(self, X, dtype=np.float32, reset=False))
        decided = compiled.decide(
            self.spec_, self._checked_prediction(), self.num_samples, self._model(), inputs
        )
        return np.asarray(decided[0]), np.asarray(decided[1])

    def _checked_prediction(self) -> str:
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction must be one of {PREDICTIONS}, got {self.prediction!r}")
        return self.prediction

    def _model(self) -> compiled.Model:
        """The published weights (bias rows last, as the network multiplies them) and the beliefs."""
        weights = self.weights_
        if self.biases_ is not None:
            pairs = zip(self.weights_, self.biases_, strict=True)
            weights = [np.concatenate([layer, bias[None]]) for layer, bias in pairs]
        return compiled.Model(weights, self.state_, self.hyper_, np.int32(self.sampling_seed_))

    def _scale(self, inputs: NDArray) -> jax.Array:
        return jnp.asarray((inputs - self.input_offset_) * self.input_scale_)

    def _encode(self, y: NDArray) -> NDArray:
        """Class numbers of the labels; sets ``classes_``."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, got one class: {self.classes_[0]!r}"
            )
        return codes

    def _targets(self, codes: NDArray) -> jax.Array:
        """Labels as the network takes them: -1 and +1 for two classes, else class numbers."""
        if len(self.classes_) == 2:
            return jnp.asarray(2.0 * codes - 1.0, jnp.float32)
        return jnp.asarray(codes, jnp.int32)

    def _settings(self, num_features: int, num_samples: int) -> Settings:
        if self.input_scaling not in INPUT_SCALINGS:
            raise ValueError(f"input_scaling must be one of {INPUT_SCALINGS}, got {self.input_scaling!r}")
        num_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        widths = (num_features, *(int(width) for width in self.hidden), num_outputs)
        return resolve(self.get_params(deep=False), widths, num_samples)

    def _remember_inputs(self, X: NDArray, scaling: str | None) -> None:
        """Offset and scale of all inputs together, and which of them ever differ from 0."""
        self.live_inputs_ = np.any(X != 0.0, axis=0)
        self.input_offset_, self.input_scale_ = 0.0, 1.0
        if scaling == "max_abs":
            self.input_scale_ = 1.0 / (float(np.abs(X).max()) or 1.0)
        elif scaling == "standard":
            self.input_offset_ = float(X.mean())
            self.input_scale_ = 1.0 / (float(X.std()) + DEVIATION_FLOOR)

    def _finish(self, settings: Settings, state: State, history: list[Info], seed: int) -> None:
        """Publish what training found, as NumPy arrays."""
        spec = self.spec_ = settings.spec
        self.n_iter_ = sum(info.error.size for info in history)
        self.hyper_ = jax.device_get(compiled.numbers_at(settings, self.n_iter_ - 1))
        self.state_ = state
        weights = [np.asarray(layer) for layer in compiled.decode(spec, state, self.hyper_)]
        self.weights_ = [layer[: spec.widths[index]] for index, layer in enumerate(weights)]
        self.biases_ = [layer[-1] for layer in weights] if spec.bias else None
        # an epoch's Info is [batches, sweeps, ...]: one row a sweep
        self.history_ = {
            name: np.concatenate([leaf.reshape(-1, *leaf.shape[2:]) for leaf in leaves])
            for name, *leaves in zip(Info._fields, *history, strict=True)
        }
        self.sampling_seed_ = seed

    def _keys(self) -> tuple[jax.Array, int]:
        """The training key, and the seed of sampled predictions."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return jax.random.key(seed), seed
