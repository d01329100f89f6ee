"""Binary convolutional networks: every kind of block, and augmentation.

Compiled with optimizations: convolutions without them are naive loops.
"""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn.gradient import BinaryConvClassifier
from mpnn.gradient.method import Plan
from mpnn.linear_maps.conv import _convolve, convolve


@pytest.mark.slow
@pytest.mark.parametrize("block", ["residual", "dense", "plain"])
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


def test_kernels_are_binary_and_real_layers_are_apart():
    X, y = load_digits(n_class=3, return_X_y=True)
    classifier = BinaryConvClassifier(
        (8, 8, 1), "residual", ((4, 1),), stem=(4, 1), num_epochs=1, batch_size=20, random_state=0
    ).fit(X[:50], y[:50])  # the last batch is not full
    assert [set(np.unique(kernel)) for kernel in classifier.weights_] == [{-1, 1}]
    assert classifier.weights_[0].shape == (3, 3, 4, 4)
    assert classifier.predict_proba(X[:5]).shape == (5, 3)


@pytest.mark.parametrize(("side", "window", "stride"), [(6, 3, 1), (7, 3, 2), (5, 1, 1)])
def test_convolution_is_the_one_of_jax_on_every_platform(side, window, stride):
    image_key, kernel_key = jax.random.split(jax.random.key(0))
    images = jax.random.normal(image_key, (2, side, side + 1, 3))
    kernel = jax.random.normal(kernel_key, (window, window, 3, 4))
    expected = _convolve(stride, images, kernel)
    np.testing.assert_allclose(convolve(images, kernel, stride), expected, atol=1e-4)


def test_augmented_images_are_mirrored_and_shifted():
    method = BinaryConvClassifier((6, 6, 1), augment=True)._method((36, 2), Plan(1, 200, 200))
    images = np.zeros((200, 6, 6, 1), np.float32)
    images[:, 2, 3] = 1.0
    found = np.asarray(method.augment(jax.random.key(0), images.reshape(200, -1))).reshape(images.shape)
    rows, columns = np.nonzero(found[..., 0])[1:]
    assert set(rows) == {0, 1, 2, 3, 4, 5}
    assert set(columns) == {0, 1, 2, 3, 4, 5}
    assert set(found.sum(axis=(1, 2, 3))) <= {0.0, 1.0}
