"""Samples of the estimator as they are given, checked: rows of numbers or of code, class numbers, counts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, validate_data

from mpnn.classifiers.base import ProbabilisticClassifier, read_table_and_labels
from mpnn.classifiers.images import read_images, reads_images
from mpnn.classifiers.labels import plain_labels
from mpnn.classifiers.weights import balanced_draw, class_weights, only_present, read_weights
from mpnn.encoders import TableEncoder
from mpnn.message_passing.classifier.defaults import FULL_BATCH_LIMIT
from mpnn.message_passing.classifier.inputs import choose_encoder, coded, plain, unit_for
from mpnn.preprocessing.precision import NUMBER_TYPES
from mpnn.preprocessing.units import in_float32
from mpnn.validation import require_different_names, whole

__all__ = ["Read", "Reader"]


class Read(NamedTuple):
    """Checked samples.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Numbers, or a table in code.
    codes : int ndarray [n]
        Class numbers.
    counts : ndarray [n] or None
        How often rows count in statistics of the inputs; None: once.
    weight : ndarray [n] or None
        How often they count in training, with their classes; None: once.
    """

    inputs: NDArray
    codes: NDArray
    counts: NDArray | None
    weight: NDArray | None


class Reader(ProbabilisticClassifier):
    """The reading half of :class:`mpnn.MessagePassingClassifier`, which holds the parameters."""

    encoding: str | None
    input_scaling: str | None
    class_weight: Any
    batch_size: Any
    hidden: Any
    image_shape: Sequence[int] | None
    largest_shift: int
    encoder_: TableEncoder | None

    def _read(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, known_inputs: bool, known_classes: bool
    ) -> Read:
        """Check samples and weigh them, of balanced classes those that are trained on."""
        table, codes, counts = self._read_rows(X, y, sample_weight, known_inputs, known_classes)
        own = self._balanced(codes, counts)
        table, codes, counts = table[own], codes[own], None if counts is None else counts[own]
        return Read(table, codes, counts, class_weights(self.class_weight, self.classes_, codes, counts))

    def _read_rows(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, known_inputs: bool, known_classes: bool
    ) -> tuple[NDArray, NDArray, NDArray | None]:
        """Inputs, class numbers and counts; what is not known yet, code of a table and classes, is fitted."""
        X = self._read_images(X, known_inputs)
        if not known_inputs:
            self.encoder_ = self._choose_encoder(X)
        if self.encoder_ is None:
            require_different_names(X)
            own = validate_data(self, plain(X), plain_labels(y), dtype=NUMBER_TYPES, reset=not known_inputs)
            table, labels = own
        else:
            table, labels = read_table_and_labels(self, X, y, reset=not known_inputs)
        table, labels, counts = only_present(table, labels, read_weights(sample_weight, labels))
        codes = self._known_class_numbers(labels) if known_classes else self._class_numbers(labels)
        if self.encoder_ is not None:
            if not known_inputs:
                self.encoder_.fit(table, sample_weight=counts)
            table = coded(self.encoder_, table)
        else:
            table = self._in_units(table, known_inputs)
        return table, codes, counts

    def _balanced(self, codes: NDArray, counts: NDArray | None) -> NDArray | slice:
        """Rows to train on: of balanced classes no more than make a batch, where the batch is left open."""
        if self.class_weight != "balanced" or self.batch_size != "auto":
            return slice(None)
        return balanced_draw(codes, counts, FULL_BATCH_LIMIT)

    def _balanced_problems(
        self, problems: Sequence[tuple[NDArray, NDArray]], weights: Sequence[NDArray] | None
    ) -> tuple[Sequence[tuple[NDArray, NDArray]], Sequence[NDArray] | None]:
        """As :meth:`_balanced`, for many problems and how often their rows count."""
        codes = [np.unique(labels, return_inverse=True)[1] for _, labels in problems]
        given = [None] * len(codes) if weights is None else weights
        chosen = [self._balanced(*own) for own in zip(codes, given, strict=True)]
        pairs = zip(problems, chosen, strict=True)
        found = [(rows[own], labels[own]) for (rows, labels), own in pairs]
        if weights is None:
            return found, None
        return found, [weight[own] for weight, own in zip(weights, chosen, strict=True)]

    def _read_images(self, X: Any, known_inputs: bool) -> Any:
        """Images as rows; the first ones fix their shape, which layers that read images need."""
        if known_inputs:
            return self._as_rows(X)
        rows, self.image_shape_ = read_images(X, self._needs_images(), self.image_shape)
        return rows

    def _needs_images(self) -> bool:
        shifted = whole("largest_shift", self.largest_shift, at_least=0) > 0
        return reads_images(self.hidden) or shifted

    def _choose_encoder(self, X: Any) -> TableEncoder | None:
        if self._needs_images():
            return None
        return choose_encoder(self.encoding, self.input_scaling, X)

    def _pool(self, X: Any, counts: NDArray | None, known_inputs: bool) -> NDArray:
        """Inputs of many problems ``[n, features]``, numbers or a table in code."""
        X = self._read_images(X, known_inputs)
        if not known_inputs:
            self.encoder_ = self._choose_encoder(X)
        if self.encoder_ is None:
            numbers = check_array(plain(X), dtype=NUMBER_TYPES, input_name="X")
            return self._in_units(numbers, known_inputs)
        if not known_inputs:
            self.encoder_.fit(X, sample_weight=counts)
        return coded(self.encoder_, X)

    def _in_units(self, numbers: NDArray, known_inputs: bool) -> NDArray:
        """Training inputs that stay numbers, float32; the first ones fix their unit."""
        if not known_inputs:
            self.input_unit_ = unit_for(self.input_scaling, numbers)
        return in_float32(numbers, self.input_unit_)
