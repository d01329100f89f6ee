"""Gradient and solver networks: trained once, then given other weights, so that shapes are compiled once."""

import copy

import numpy as np

from mpnn import PairwiseVoteClassifier
from mpnn.gradient import BayesBiNNClassifier, BopClassifier, STEClassifier
from mpnn.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual
from mpnn.solvers import LocalSearchClassifier

LARGEST = 16


def images_in_rows(rng, number=40):
    """Rows of 12 whole numbers from 0 to 16, and labels of three classes."""
    X = rng.integers(0, LARGEST + 1, (number, 12)) * (rng.random((number, 12)) < 0.7)
    X[0] = LARGEST
    return X, np.arange(number) % 3


def trained_models():
    """Classifiers of every family that is exported, trained for an epoch."""
    X, y = images_in_rows(np.random.default_rng(0))
    # images of 3 x 4, of which a window of 2 x 2 leaves 2 x 3, and the pool one pixel
    images = {"image_shape": (3, 4, 1), "num_epochs": 1, "random_state": 0}
    means = (Conv2D(5, 2), MeanPool2D(2), Flatten(), 4)
    linked = (Conv2D(5, 3, padding="same"), MaxPool2D(2), Residual((Conv2D(5, 1), Conv2D(5, 1))))
    models = [
        STEClassifier(hidden=(Conv2D(5, 3, padding="same"), MaxPool2D(2)), recipe="batch_norm", **images),
        BopClassifier(hidden=means, **images),
        STEClassifier(hidden=linked, recipe="batch_norm", **images),
        BopClassifier(hidden=(6, Residual((Dense(6),))), norm=None, num_epochs=1, random_state=0),
        STEClassifier(hidden=(6, 5), recipe="batch_norm", num_epochs=1, random_state=0),
        STEClassifier(hidden=(6,), recipe="plain", num_epochs=1, random_state=0),
        BopClassifier(hidden=(4,), norm=None, num_epochs=1, bias=True, random_state=0),
        BayesBiNNClassifier(hidden=(4,), activation="sign", num_epochs=1, prediction="mode", random_state=0),
        PairwiseVoteClassifier(STEClassifier(num_epochs=1, random_state=0)),
        PairwiseVoteClassifier(LocalSearchClassifier(time_limit=0.1, random_state=0)),
    ]
    return [model.fit(X, y) for model in models]


def draw_like(trained, seed):
    """One of the trained classifiers with drawn weights and statistics, and rows to predict."""
    rng = np.random.default_rng(seed)
    model = copy.deepcopy(trained[seed // 4 % len(trained)])
    for member in getattr(model, "estimators_", [model]):
        levels = np.unique(np.concatenate([np.asarray(layer).ravel() for layer in member.weights_]))
        member.weights_ = [rng.choice(levels, np.shape(layer)).astype(np.int8) for layer in member.weights_]
        for name in ("real_", "statistics_"):
            leaves = getattr(member, name, None) or []
            # variances are positive, and every second leaf is one
            drawn = [rng.normal(0.0, 2.0, np.shape(leaf)).astype(np.float32) for leaf in leaves]
            if name == "statistics_":
                drawn = [np.abs(leaf) if index % 2 else leaf for index, leaf in enumerate(drawn)]
            setattr(member, name, drawn)
    return model, images_in_rows(rng)[0]
