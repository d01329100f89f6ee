"""Binary convolutional networks: every kind of block, and augmentation.

Compiled with optimizations: convolutions without them are naive loops.
"""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn.gradient import BinaryConvClassifier
from mpnn.gradient.convolutional import ConvolutionalStraightThrough, ConvSpec
from mpnn.gradient.families import LatentBinary


@pytest.mark.parametrize(
    "block",
    [
        "residual",
        pytest.param("dense", marks=pytest.mark.slow),
        pytest.param("plain", marks=pytest.mark.slow),
    ],
)
def test_convolutional_blocks(block):
    X, y = load_digits(return_X_y=True)
    X, y, X_test, y_test = X[:200], y[:200], X[200:600], y[200:600]
    classifier = BinaryConvClassifier(
        (8, 8, 1),
        block,
        ((16, 1), (16, 1)),
        stem=(16, 1),
        num_epochs=15,
        batch_size=20,
        learning_rate=0.01,
        random_state=0,
    ).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.4
    assert len(classifier.weights_) == 2
    assert all(set(np.unique(kernel)) == {-1, 1} for kernel in classifier.weights_)
    assert all(kernel.shape[:2] == (3, 3) for kernel in classifier.weights_)


def test_augmented_images_are_mirrored_and_shifted():
    spec = ConvSpec((6, 6, 1), 2)
    method = ConvolutionalStraightThrough(network=spec, family=LatentBinary(), augmented=True)
    images = np.zeros((200, 6, 6, 1), np.float32)
    images[:, 2, 3] = 1.0
    found = np.asarray(method.augment(jax.random.key(0), images.reshape(200, -1))).reshape(images.shape)
    rows, columns = np.nonzero(found[..., 0])[1:]
    assert set(rows) == {0, 1, 2, 3, 4, 5}
    assert set(columns) == {0, 1, 2, 3, 4, 5}
    assert set(found.sum(axis=(1, 2, 3))) <= {0.0, 1.0}
