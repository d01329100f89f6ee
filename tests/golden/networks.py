"""Networks whose discrete weights are kept from release to release: each a function that trains one."""

import numpy as np

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import load_dataset, sample_few_shot
from mpnn.gradient import STEClassifier

__all__ = ["NETWORKS"]


def few_digits(classes=10, per_class=10):
    """A draw of 8x8 digits."""
    digits = load_dataset("digits")
    inputs, labels = sample_few_shot(digits.x_train, digits.y_train, per_class=per_class, seed=0)
    chosen = labels < classes
    return inputs[chosen], labels[chosen]


def all_digits():
    """All training digits, for mini-batches."""
    digits = load_dataset("digits")
    return digits.x_train.reshape(len(digits.x_train), -1), digits.y_train


def single(data, **parameters):
    """The layers of one network."""
    return MessagePassingClassifier(random_state=0, **parameters).fit(*data).weights_


def ensemble(data, **parameters):
    """The layers of a vote's networks, stacked: ``[P, inputs, outputs]`` each."""
    member = MessagePassingClassifier(random_state=0, **parameters)
    vote = PairwiseVoteClassifier(member).fit(*data)
    layers = zip(*(member.weights_ for member in vote.estimators_), strict=True)
    return [np.stack(layer) for layer in layers]


NETWORKS = {
    "ternary_ensemble": lambda: ensemble(few_digits()),
    "binary_ensemble": lambda: ensemble(few_digits(), weights="binary"),
    "hidden_ensemble": lambda: ensemble(few_digits(4), hidden=(5,), weights=3, bias=True),
    "few_units_ensemble": lambda: ensemble(few_digits(4), hidden=(4, 4)),
    "few_units": lambda: single(few_digits(2), hidden=(4, 4)),
    "max_sum": lambda: single(few_digits(2), hidden=(5,), weights="binary", rule="max_sum", bias=True),
    "two_layers_of_501": lambda: single(all_digits(), hidden=(501, 501), num_epochs=1),
    "mean_field": lambda: single(
        all_digits(), hidden=(31, 31), weights="binary", rule="mean_field", num_epochs=2
    ),
    "amp": lambda: single(all_digits(), hidden=(31,), rule="amp", density=0.5, num_epochs=2, num_sweeps=3),
    "belief_propagation": lambda: single(
        few_digits(3), hidden=(7,), rule="belief_propagation", num_sweeps=5, bias=True
    ),
    "exact_cavities": lambda: single(few_digits(2), hidden=(7,), small_fan_in="gaussian", cavity="exact"),
    "interpolated_cavities": lambda: single(all_digits(), hidden=(31,), cavity="interpolated", num_epochs=2),
    "posterior_as_prior": lambda: single(all_digits(), hidden=(31,), rho=1.0, num_epochs=2),
    "focusing": lambda: single(few_digits(3), hidden=(7,), replicas=3, coupling=0.5),
    "straight_through": lambda: (
        STEClassifier(hidden=(31,), num_epochs=2, random_state=0).fit(*all_digits()).weights_
    ),
}
