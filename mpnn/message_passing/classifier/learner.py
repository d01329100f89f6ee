"""Training of the estimator: from samples as they are given to a published network."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import _check_partial_fit_first_call

from mpnn.callbacks import Callback
from mpnn.callbacks.estimators import callbacks_of
from mpnn.classifiers.base import check_several
from mpnn.classifiers.images import reads_images
from mpnn.message_passing.classifier import fitting, noise
from mpnn.message_passing.classifier.defaults import choose_hidden, choose_input_scaling
from mpnn.message_passing.classifier.inputs import bits_alone, columns_of_bits, transform_of_bits
from mpnn.message_passing.classifier.reading import Read, Reader
from mpnn.message_passing.classifier.resolution import resolve
from mpnn.message_passing.classifier.settings import Fit, Parameters, Samples, Settings
from mpnn.message_passing.classifier.watching import Watching, split_rows
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State, continued
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.weights import weight_family
from mpnn.preprocessing.augmentation import random_shifts
from mpnn.preprocessing.scaling import InputTransform, fit_transform_of, squared_norms
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import flag, whole

__all__ = ["Learner"]


class Learner(Reader):
    """The training half of :class:`mpnn.MessagePassingClassifier`, which holds the parameters."""

    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    callbacks: Sequence[Callback] | None
    verbose: int
    input_transform_: InputTransform
    spec_: NetworkSpec
    state_: State | None
    hyper_: Hyper | None

    @in_fresh_process
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """Train on labelled samples.

        Parameters
        ----------
        X : array [n, features], [n, height, width] or [n, height, width, channels]
            The inputs. Images become rows where no layer reads them; later ones must have their shape.
        y : array [n]
            Labels of any type, of at least two classes.
        sample_weight : array-like [n] or None, default=None
            How often each sample counts, at least 0: one of weight 2 is the same sample twice, one of
            weight 0 is absent. None: once.
        """
        goes_on = self.warm_start and hasattr(self, "state_")
        return self._learn(self._read(X, y, sample_weight, goes_on, goes_on), goes_on, in_portions=False)

    @in_fresh_process
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Any:
        """Train on one portion of the samples: the beliefs after the portions before are its prior.

        The first call fixes the code or scaling of the inputs, from its own samples: some hundreds are
        enough. After :meth:`fit`, training goes on from there.

        Parameters
        ----------
        X : array [n, features]
            The inputs of the portion.
        y : array [n]
            Their labels; classes may be missing.
        classes : array-like [C], default=None
            All labels that any portion will have; needed in the first call.
        sample_weight : array-like [n] or None, default=None
            As in :meth:`fit`.
        """
        goes_on = hasattr(self, "state_")
        _check_partial_fit_first_call(self, classes)
        check_several(self.classes_)
        return self._learn(self._read(X, y, sample_weight, goes_on, True), goes_on, in_portions=True)

    def _learn(self, read: Read, goes_on: bool, in_portions: bool) -> Any:
        """Train, from the present beliefs where training goes on, and publish the network."""
        self._checked_prediction()
        given, seed = self._parameters(in_portions), self._seed()
        read, validation = self._split(read, seed, in_portions)
        count = len(read.inputs)
        transform = self._transform_of(given, read.inputs, count, read.counts, goes_on)
        targets = self._targets(read.codes)

        def judge(settings: Settings, inputs: NDArray) -> float:
            return noise.log_likelihood(seed, Samples(inputs, targets, read.weight), settings)

        how = given, transform, read.inputs, count, read.counts, goes_on
        transform, inputs, settings = self._choose(judge, *how)
        samples = Samples(inputs, targets, read.weight)
        prior = self._prior(settings) if goes_on else None
        watching = Watching(callbacks_of(self.callbacks, self.verbose), None, self.n_iter_no_change)
        if validation is not None:
            watching = watching._replace(validation=(transform(validation.inputs), validation.codes))
        columns = self._columns_of_inputs(transform)
        fit, scores = fitting.fit(seed, settings, samples, columns, prior, watching)
        self._publish_fit(settings, transform, fit, seed)
        if validation is not None:
            self.validation_scores_ = scores
        return self

    def _split(self, read: Read, seed: int, in_portions: bool) -> tuple[Read, Read | None]:
        """Samples to train on, and those that tell when to stop, if any."""
        if not self.early_stopping:
            return read, None
        if in_portions:
            raise ValueError("early_stopping belongs to fit: whoever gives the portions decides when to stop")
        fraction = self.validation_fraction
        kept, validation = (
            jax.tree.map(operator.itemgetter(own), read) for own in split_rows(read.codes, fraction, seed)
        )
        return kept, validation

    def _prior(self, settings: Settings) -> State:
        """The present beliefs as the start of a training."""
        old, new = _architecture(self.spec_), _architecture(settings.spec)
        if old != new:
            raise ValueError(f"training cannot go on with another network: it has {old}, not {new}")
        return continued(self._beliefs(), settings.spec)

    def _beliefs(self) -> State:
        """The beliefs; a file may have left them out."""
        if self.state_ is None:
            raise ValueError(
                "this model was saved without beliefs: it predicts with prediction='mode' alone, and its "
                "training does not go on; save it with them: save_model(..., beliefs=True), or mpnn train "
                "without --no-beliefs"
            )
        return self.state_

    def _columns(self) -> NDArray | None:
        return None if self.encoder_ is None else columns_of_bits(self.encoder_)

    def _columns_of_inputs(self, transform: InputTransform) -> NDArray | None:
        """Of every input of the network, the number of its column in the table; None: each is its own."""
        columns = self._columns()
        if columns is None or transform.sums is None:
            return columns
        first_bits = np.unique(transform.sums, return_index=True)[1][int(transform.sums.min() < 0) :]
        return np.append(columns, columns[first_bits])

    def _transform_of(
        self, given: Parameters, inputs: NDArray, num_samples: int, counts: NDArray | None, goes_on: bool
    ) -> InputTransform:
        """The transform learned from ``[n, features]``, or earlier; a problem has ``num_samples`` of them."""
        if goes_on:
            return self.input_transform_
        if self.encoder_ is not None:
            largest_weight = max(weight_family(given.weights).levels or (1,))
            return transform_of_bits(self.encoder_, largest_weight).centred(inputs, counts)
        return fit_transform_of(inputs, choose_input_scaling(given, num_samples), counts)

    def _parameters(self, in_portions: bool) -> Parameters:
        flag("warm_start", self.warm_start)
        flag("early_stopping", self.early_stopping)
        whole("n_iter_no_change", self.n_iter_no_change)
        coded = self.encoder_ is not None
        images = self.image_shape_ if reads_images(self.hidden) else None
        return Parameters.of(self, coded, in_portions, images)

    def _choose(
        self,
        judge: Callable[[Settings, NDArray], float],
        given: Parameters,
        transform: InputTransform,
        inputs: NDArray,
        num_samples: int,
        counts: NDArray | None,
        goes_on: bool,
    ) -> tuple[InputTransform, NDArray, Settings]:
        """What ``judge`` scores best, one alone unjudged: transform, transformed inputs and settings.

        First what networks assume is chosen; under that, whether they read sums of bits.
        """
        counted = len(inputs) if counts is None else float(counts.sum())
        balanced = self.class_weight == "balanced"
        tried = noise.to_try(given, num_samples, counted, goes_on, balanced=balanced)
        transformed = transform.of_training(inputs)
        settings = [self._settings(own, transformed, num_samples, counts) for own in tried]
        if len(tried) == 1:
            return transform, transformed, settings[0]
        scores = [judge(own, transformed) for own in settings]
        best = int(np.argmax(scores))
        if transform.sums is not None:
            plain = bits_alone(transform).centred(inputs, counts)
            bits = plain.of_training(inputs)
            own = self._settings(tried[best], bits, num_samples, counts)
            if judge(own, bits) > scores[best]:
                return plain, bits, own
        return transform, transformed, settings[best]

    def _settings(
        self, given: Parameters, inputs: NDArray, num_samples: int, counts: NDArray | None
    ) -> Settings:
        """Settings of a run with ``num_samples`` of the transformed inputs ``[n, features]``."""
        norm = float(np.sqrt(np.average(squared_norms(inputs), weights=counts))) or 1.0
        num_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        widths = (inputs.shape[1], *choose_hidden(given, num_outputs), num_outputs)
        settings = resolve(given, widths, num_samples, norm)
        return replace(settings, augment=random_shifts(self.largest_shift, self.image_shape_))

    def _publish_fit(self, settings: Settings, transform: InputTransform, fit: Fit, seed: int) -> None:
        """Store the network, what its inputs go through, and what happened on the way."""
        self.input_transform_ = transform
        self._publish(settings.spec, fit.state, fit.hyper, fit.weights)
        self.history_, self.n_iter_ = fit.history, len(fit.history["error"])
        self.sampling_seed_ = seed

    def _publish(
        self, spec: NetworkSpec, state: State | None, hyper: Hyper | None, weights: Sequence[NDArray]
    ) -> None:
        """Store the network: NumPy arrays only. With bias, the last row of the weights is the bias."""
        self.spec_, self.state_, self.hyper_ = spec, state, hyper
        self._publish_weights(weights, [bool(layer.bias) for layer in spec.weighted])


def _architecture(spec: NetworkSpec) -> dict[str, Any]:
    """What beliefs of one network share with those of another that may take them over."""
    layers = spec.weighted
    return {
        "widths": spec.widths,
        "weights": [layer.family.levels for layer in layers],
        "activations": [layer.activation for layer in layers],
        "bias": [layer.bias for layer in layers],
    }
