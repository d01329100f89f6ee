"""What every classifier trained by a solver has in common."""

from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.classifiers.base import NetworkClassifier
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.integer_inputs import IntegerInputs

__all__ = [
    "BinaryNetworkMixin",
    "MulticlassNetworkMixin",
    "NoNetworkError",
    "SolverClassifier",
    "expected_accuracy",
    "hold_out",
    "seconds_until",
]

# What a program gets when the time is up: enough to return its start.
LEAST_SECONDS = 0.01


class NoNetworkError(RuntimeError):
    """The solver found no network in the time it had, or there is none."""


class SolverClassifier(NetworkClassifier):
    """Whole weights and sign activations on whole inputs; subclasses add `fit`."""

    input_transform_: IntegerInputs

    def _publish(self, weights: Weights) -> None:
        """Store weights of the live inputs as the whole network's."""
        live = self.input_transform_.live
        first = np.zeros((len(live), weights.layers[0].shape[1]), np.int8)
        first[live] = weights.layers[0]
        self.weights_ = [first, *(layer.astype(np.int8) for layer in weights.layers[1:])]
        self.biases_ = None if weights.biases is None else [bias.astype(np.int8) for bias in weights.biases]

    def _scores(self, X: ArrayLike) -> NDArray:
        """The outputs as real numbers, [n, K]."""
        return self._outputs(X).astype(float)

    def _outputs(self, X: ArrayLike) -> NDArray:
        """Pre-activations of the last layer, whole numbers [n, K]."""
        check_is_fitted(self)
        transform = self.input_transform_
        inputs = transform.of_live(validate_data(self, self._as_rows(X), reset=False))
        first, *above = (layer.astype(np.int64) for layer in self.weights_)
        biases = None
        if self.biases_ is not None:
            biases = tuple(bias.astype(np.int64) for bias in self.biases_ if bias is not None)
        return forward(inputs, Weights((first[transform.live], *above), biases, transform.unit))[-1]


class BinaryNetworkMixin:
    """One output; positive or 0 means the second class."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.classifier_tags.multi_class = False
        return tags


class MulticlassNetworkMixin:
    """One output a class, +1 for the sample's own and -1 for the others."""

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return outputs [n, C], whole numbers; for two classes their difference [n]."""
        outputs = self._outputs(X).astype(float)  # type: ignore[attr-defined]
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the labels [n] of the largest outputs; ties are drawn, alike for the same sample."""
        outputs = self._outputs(X)  # type: ignore[attr-defined]
        winners = outputs.argmax(axis=1)
        top = outputs == outputs.max(axis=1, keepdims=True)
        rows = np.asarray(X)
        for sample in np.flatnonzero(top.sum(axis=1) > 1):
            tied = np.flatnonzero(top[sample])
            own = np.asarray(rows[sample], float) + 0.0  # 0 and -0 are the same sample
            draw = np.random.default_rng(crc32(own.tobytes()))
            winners[sample] = draw.choice(tied)
        return self.classes_[winners]  # type: ignore[attr-defined]

    def predict_all_good(self, X: ArrayLike) -> NDArray:
        """Return class numbers [n], -1 where not exactly one output is positive or 0.

        The measure of Toro Icarte et al.: a sample is right only if all its outputs are.
        """
        on = self._outputs(X) >= 0  # type: ignore[attr-defined]
        return np.where(on.sum(axis=1) == 1, on.argmax(axis=1), -1)


def hold_out(codes: NDArray, share: float, seed: int) -> tuple[NDArray, NDArray]:
    """Return the rows to train on and, of every class, a share of the rows to choose among networks by.

    codes : class numbers [n]; share : in [0, 1), of which 0 holds out none.
    """
    rows = np.arange(len(codes))
    if share == 0.0:
        return rows, rows[:0]
    try:
        training, held = train_test_split(rows, test_size=share, random_state=seed, stratify=codes)
    except ValueError as error:
        raise ValueError(
            f"{len(codes)} samples are too few to hold out a share of {share:g} of every class; "
            "set validation_share=0"
        ) from error
    return np.sort(training), np.sort(held)


def expected_accuracy(outputs: NDArray, codes: NDArray) -> float:
    """Return the share of samples whose own output is the largest; a draw among k tied ones counts 1 / k.

    outputs : [n, C]; codes : class numbers [n].
    """
    top = outputs == outputs.max(axis=1, keepdims=True)
    return float((top[np.arange(len(codes)), codes] / top.sum(axis=1)).mean())


def seconds_until(ends: float, shares: int = 1) -> float:
    """Return a program's limit: one share of the seconds that are left until a moment of `perf_counter`."""
    return max((ends - perf_counter()) / shares, LEAST_SECONDS)
