"""Fitted models as linear maps and signs, for what looks inside: sign networks and linear classifiers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import SVC

__all__ = ["Decisions", "Network", "decisions_of"]


class Network(NamedTuple):
    """Two-class network of signs: an output of 0 or more chooses `positive`, else `negative`."""

    layers: list[NDArray]
    biases: list[NDArray]
    positive: int
    negative: int


class Decisions(NamedTuple):
    """A model as linear maps and signs.

    Parameters
    ----------
    transform : callable
        From raw inputs [n, features] to those of the networks.
    networks : list of Network
        One a pair of classes; class numbers.
    scores : pair of ndarray or None
        Weights [features, C] and biases [C] of a linear multi-class decision, instead of networks.
    head_to_head : bool, default=False
        Whether the network of a pair decides where these two classes alone have most votes.
    """

    transform: Callable[[NDArray], NDArray]
    networks: list[Network]
    scores: tuple[NDArray, NDArray] | None
    head_to_head: bool = False

    @property
    def classes(self) -> range:
        """Class numbers."""
        if self.scores is not None:
            return range(len(self.scores[1]))
        return range(1 + max(max(network.positive, network.negative) for network in self.networks))


def decisions_of(model: Any, num_classes: int) -> Decisions | None:
    """Describe a pairwise vote of sign networks, or a linear classifier behind a scaler; else None.

    Parameters
    ----------
    model : classifier
        Fitted.
    num_classes : int
        Of the task.
    """
    if hasattr(model, "estimators_") and hasattr(model, "pairs_"):
        return _of_ensemble(model)
    if hasattr(model, "steps") and hasattr(model[-1], "coef_") and not hasattr(model[-1], "weights_"):
        return _of_linear(model, num_classes)
    return None


def _of_ensemble(model: Any) -> Decisions | None:
    members = model.estimators_
    plain = all(
        isinstance(getattr(member, "weights_", None), list)
        and hasattr(member, "input_transform_")
        and getattr(member, "encoder_", None) is None
        and getattr(member, "input_unit_", None) is None
        for member in members
    )
    if not plain or getattr(model, "vote", "hard") != "hard":
        return None
    networks, transform = [], members[0].input_transform_
    for member, (first, second) in zip(members, model.pairs_, strict=True):
        layers = [np.asarray(layer, float) for layer in member.weights_]
        if hasattr(member.input_transform_, "unit"):  # solvers' inputs differ in what is live alone
            layers[0] = layers[0] * member.input_transform_.live[:, None]
        biases = [np.zeros(layer.shape[1]) for layer in layers]
        if getattr(member, "biases_", None) is not None:
            biases = [np.asarray(bias, float) for bias in member.biases_]
            biases[0] = biases[0] * getattr(member.input_transform_, "unit", 1)
        networks.append(Network(layers, biases, first, second))
    if hasattr(transform, "unit"):
        transform = transform._replace(live=np.ones_like(transform.live))
    precision = np.dtype(float if hasattr(transform, "unit") else np.float32)

    def transformed(inputs: NDArray) -> NDArray:
        return transform(np.asarray(inputs, precision)).astype(float)

    return Decisions(transformed, networks, None, getattr(model, "ties", None) == "head_to_head")


def _of_linear(model: Any, num_classes: int) -> Decisions:
    weights, biases = np.asarray(model[-1].coef_), np.asarray(model[-1].intercept_)
    if num_classes == 2:
        return Decisions(model[:-1].transform, [Network([weights.T], [biases], 1, 0)], None)
    if not isinstance(model[-1], SVC | OneVsOneClassifier):
        return Decisions(model[:-1].transform, [], (weights.T, biases))
    pairs = [(first, second) for first in range(num_classes) for second in range(first + 1, num_classes)]
    networks = [
        Network([row[:, None]], [bias[None]], *pair)
        for row, bias, pair in zip(weights, biases, pairs, strict=True)
    ]
    return Decisions(model[:-1].transform, networks, None)
