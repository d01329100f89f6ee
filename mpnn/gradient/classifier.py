"""The scikit-learn side that all gradient methods share."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.callbacks import Callback
from mpnn.callbacks.estimators import callbacks_of
from mpnn.classifiers.base import ProbabilisticClassifier
from mpnn.classifiers.images import hidden_layers, read_images, reads_images
from mpnn.classifiers.labels import plain_labels
from mpnn.classifiers.problems import in_few_shapes
from mpnn.gradient import fitting, prediction, training
from mpnn.gradient.method import Method, Plan
from mpnn.gradient.parameters import CHECKS
from mpnn.preprocessing.augmentation import random_shifts
from mpnn.preprocessing.intensity import is_intensity
from mpnn.preprocessing.precision import NUMBER_TYPES, with_known_floats
from mpnn.preprocessing.scaling import InputTransform, fit_transform_of
from mpnn.preprocessing.units import in_float32, unit_of
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import above_zero, check_parameters, require_different_names, whole

__all__ = ["GradientClassifier"]

# Bounds the memory of prediction.
ROWS_AT_ONCE = 10_000


class GradientClassifier(ProbabilisticClassifier):
    """A network with few-bit weights trained by gradients; subclasses add the method.

    Subclasses have the parameters ``hidden``, ``image_shape``, ``largest_shift``, ``prediction``,
    ``num_epochs``, ``batch_size``, ``input_scaling``, ``num_samples``, ``callbacks``, ``verbose`` and
    ``random_state`` beside their own, and implement :meth:`_method`.

    Attributes
    ----------
    classes_ : array [C]
        The labels, sorted; of two, the second is the positive one, and an output of 0 votes for it.
    weights_ : list of int8 arrays [inputs, outputs]
        One a layer.
    biases_ : list of int8 arrays [outputs], or None
        One a layer.
    latents_, real_, statistics_ : lists of arrays
        What the weights were read from, the numbers that stay real, and batch norm's running means and
        variances.
    coef_, intercept_, feature_importances_ : arrays [K, N], [K] and [N]
        Without hidden units: weights of the inputs and of the constant input, and shares of the inputs in the
        sum of ``|coef_|``.
    history_ : dict of arrays
        One number an epoch: ``loss`` and ``error`` of the training batches.
    input_transform_ : InputTransform
        What inputs go through; ``live`` marks those that may act.
    input_unit_ : InputUnit or None
        The origin and the unit in which inputs are float32 before that; None: as they are.
    n_iter_ : int
        Epochs done.
    """

    # Epochs and mini-batch size where they are None or "auto": up to this many samples, and above.
    few_samples = 2000
    few_epochs, many_epochs = 200, 20
    many_batch_size = 128
    # How a network begins and what an epoch does; compiled and mapped over problems by the shared trainer.
    _steps = training.BY_GRADIENTS

    hidden: Any
    image_shape: Sequence[int] | None
    largest_shift: int
    callbacks: Sequence[Callback] | None
    verbose: int

    @abstractmethod
    def _method(self, widths: tuple[Any, ...], plan: Plan) -> Method:
        """The method for a network of inputs, hidden widths and layers, and outputs."""

    def _hidden(self) -> tuple[Any, ...]:
        """Hidden widths and layers, checked."""
        return hidden_layers(self.hidden)

    def _widths(self, num_features: int) -> tuple[Any, ...]:
        """Inputs, hidden widths and layers, outputs: one for two classes, else one a class."""
        return (num_features, *self._hidden(), 1 if len(self.classes_) == 2 else len(self.classes_))

    def _complete_method(self, num_features: int, plan: Plan) -> Method:
        """The method, with the augmentation that is asked for."""
        method = self._method(self._widths(num_features), plan)
        shifts = random_shifts(self.largest_shift, self.image_shape_)
        return method if shifts is None else dataclasses.replace(method, augmentation=shifts)

    def _needs_images(self) -> bool:
        return reads_images(self.hidden) or self.largest_shift > 0

    def _shape_for_layers(self) -> tuple[int, ...] | None:
        """Shape of the images that layers read; None where none does."""
        return self.image_shape_ if reads_images(self.hidden) else None

    def _scaling_of(self, inputs: NDArray) -> str | None:
        many = self.input_scaling == "auto" and len(inputs) > self.few_samples
        return "standard" if many else self.input_scaling

    def _in_unit(self, inputs: NDArray) -> NDArray:
        """Training inputs as float32, in a unit of their own where float32 does not hold them as they are."""
        kind = self._scaling_of(inputs)
        self.input_unit_ = unit_of(inputs, kind, kind == "auto" and is_intensity(inputs))
        return in_float32(inputs, self.input_unit_)

    def _transform_of(self, inputs: NDArray) -> InputTransform:
        """The input transform; ``"auto"`` is as for message passing, one mean and deviation for many samples.

        Unit power makes pre-activations of random weights about 1. With smaller ones no loss saturates, and
        its best weights are no more than the signs of the difference of the class means.
        """
        if self.input_scaling is None:
            return fit_transform_of(inputs, None)
        return fit_transform_of(inputs, self._scaling_of(inputs)).with_unit_power(inputs)

    @in_fresh_process
    def fit(self, X: ArrayLike, y: ArrayLike) -> "GradientClassifier":
        """Train.

        Parameters
        ----------
        X : array [n, features]
            The inputs.
        y : array [n]
            Labels of any type, of at least two classes.
        """
        check_parameters(self.get_params(deep=False), CHECKS)
        X, self.image_shape_ = read_images(X, self._needs_images(), self.image_shape)
        require_different_names(X)
        inputs, labels = validate_data(self, with_known_floats(X), plain_labels(y), dtype=NUMBER_TYPES)
        codes = self._class_numbers(labels)
        inputs = self._in_unit(inputs)
        self.input_transform_ = self._transform_of(inputs)
        plan = self._plan(len(inputs))
        method = self._complete_method(inputs.shape[1], plan)
        seed = self._seed()
        how = self._steps, seed, method, plan
        callbacks = callbacks_of(self.callbacks, self.verbose)
        fit = fitting.fit(*how, self.input_transform_(inputs), self._targets(codes), callbacks)
        self._publish(method, fit, seed)
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
        """Fit equally configured binary members, one a problem, in place and as one compiled program.

        Parameters
        ----------
        members : sequence of classifiers of this class
            Unfitted, equal but for their random states.
        X : array [n, features]
            Pool of finite inputs; all problems share its input transform.
        problems : sequence of (int array, array)
            For each member, rows of ``X`` and their labels of two classes.
        problems_at_once : int or None, default=None
            Bounds the memory; None trains all side by side.
        """
        first = members[0]
        check_parameters(first.get_params(deep=False), CHECKS)
        X, first.image_shape_ = read_images(X, first._needs_images(), first.image_shape)
        inputs = first._in_unit(check_array(X, dtype=NUMBER_TYPES, input_name="X"))
        own = cls._binary_problems(members, inputs.shape[1], problems)
        padded = own.padded()
        transform = first._transform_of(inputs)
        plan = first._plan(own.most_samples, uneven=not padded.sample_weight.all())
        method = first._complete_method(inputs.shape[1], plan)
        seeds = [member._seed() for member in members]
        how = first._steps, seeds, method, plan
        callbacks = callbacks_of(first.callbacks, first.verbose)
        fits = fitting.fit_many(*how, transform(inputs), padded, problems_at_once, callbacks)
        for member, seed, fit in zip(members, seeds, fits, strict=True):
            member.input_transform_, member.input_unit_ = transform, first.input_unit_
            member.image_shape_ = first.image_shape_
            member._publish(method, fit, seed)

    @classmethod
    def _joint_decision(cls, members: Sequence["GradientClassifier"]) -> Callable[[NDArray], Any]:
        first = members[0]
        how = first.method_, *first._checked_prediction()
        models = jax.tree.map(lambda *leaves: np.stack(leaves), *(member._model() for member in members))

        def decide(block: NDArray) -> Any:
            inputs = jax.device_put(first.input_transform_(block))
            return prediction.decide_many(*how, models, inputs)

        return decide

    def _scores(self, X: ArrayLike) -> NDArray:
        """Outputs or log odds ``[n, K]``."""
        network = self._discrete_network()
        if network is None:
            return self._decide(X)[0]
        return np.concatenate([network.outputs(rows) for rows in self._rows(X)]).astype(np.float32)

    @in_fresh_process
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities of the classes: the softmax of the outputs, or its mean over the weights.

        Parameters
        ----------
        X : array [n, features]
            The inputs.

        Returns
        -------
        probabilities : array [n, C]
            Rows sum to 1.
        """
        return self._decide(X)[1]

    def _decide(self, X: ArrayLike) -> tuple[NDArray, NDArray]:
        check_is_fitted(self)
        inputs = self.input_transform_(self._numbers(X))
        how = self.method_, *self._checked_prediction(), self._model()
        parts = [
            in_few_shapes(partial(prediction.decide, *how), inputs[start : start + ROWS_AT_ONCE])
            for start in range(0, len(inputs), ROWS_AT_ONCE)
        ]
        scores, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
        return scores, shares

    def _model(self) -> prediction.Model:
        """What deciding needs; the published weights with their bias rows last."""
        latents, real, statistics = (tuple(group) for group in (self.latents_, self.real_, self.statistics_))
        seed = np.uint32(self.sampling_seed_)
        return prediction.Model(tuple(self._joined_weights()), latents, real, statistics, seed)

    def _publish(self, method: Method, fit: fitting.Fit, seed: int) -> None:
        """Store the network: NumPy arrays only."""
        parameters, history = fit.state.parameters, fit.history
        self.method_, self.sampling_seed_ = method, seed
        self.latents_ = [np.asarray(leaf) for leaf in parameters.latents]
        self.real_ = [np.asarray(leaf) for leaf in parameters.real]
        self.statistics_ = [np.asarray(leaf) for leaf in fit.state.statistics]
        layers = [np.asarray(method.family.mode(jnp.asarray(leaf))).astype(np.int8) for leaf in self.latents_]
        bias = bool(getattr(method.network, "bias", False))
        self._publish_weights(layers, [bias] * len(layers))
        self.history_ = {name: np.asarray(leaf) for name, leaf in zip(history._fields, history, strict=True)}
        self.n_iter_ = len(self.history_["loss"])

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
