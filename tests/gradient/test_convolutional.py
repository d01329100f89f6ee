"""Binary convolutional networks: every kind of block, and augmentation.

Compiled with optimizations: convolutions without them are naive loops.
"""

import jax
import numpy as np
import pytest
from flax import nnx
from sklearn.datasets import load_digits

from mpnn.gradient import BinaryConvClassifier
from mpnn.gradient.conv_network import BinaryConvNet, ConvSpec, DenseTransition
from mpnn.gradient.families import LatentBinary
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


@pytest.mark.slow
def test_kernels_are_binary_and_real_layers_are_apart():
    X, y = load_digits(n_class=3, return_X_y=True)
    classifier = BinaryConvClassifier(
        (8, 8, 1), "residual", ((4, 1),), stem=(4, 1), num_epochs=1, batch_size=20, random_state=0
    ).fit(X[:50], y[:50])  # the last batch is not full
    assert [set(np.unique(kernel)) for kernel in classifier.weights_] == [{-1, 1}]
    assert classifier.weights_[0].shape == (3, 3, 4, 4)
    assert classifier.predict_proba(X[:5]).shape == (5, 3)


@pytest.mark.slow
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


def network_without_arrays(**options):
    """Shapes alone: nothing is compiled."""
    spec = ConvSpec((32, 32, 3), 1000, **options)
    return nnx.eval_shape(lambda: BinaryConvNet(spec, LatentBinary(), rngs=nnx.Rngs(0)))


def count(network, kind):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(network, kind)))


def test_residual_network_has_the_parameters_of_its_authors():
    """larq-zoo counts 11,699,368 of BinaryResNetE-18, with a 7x7 stem for large images and its norms."""
    stages = ((64, 4), (128, 4), (256, 4), (512, 4))
    network = network_without_arrays(block="residual", stages=stages, stem=(64, 1))
    stem_of_large_images = 64 * 3 * (7 * 7 - 3 * 3) + 2 * 4 * 64
    assert count(network, (nnx.Param, nnx.BatchStat)) + stem_of_large_images == 11_699_368


def test_dense_network_has_the_channels_of_its_authors():
    stages = ((64, 6), (64, 6), (64, 6), (64, 5))
    network = network_without_arrays(
        block="dense", stages=stages, stem=(64, 1), clip=1.3, reductions=(2.7, 2.7, 2.2)
    )
    transitions = [block for block in network.blocks if isinstance(block, DenseTransition)]
    assert [block.project.kernel.shape for block in transitions] == [(448, 160), (544, 192), (576, 256)]
    assert network.output.kernel.shape == (576, 1000)


@pytest.mark.slow
def test_a_stage_halves_whatever_the_side():
    """Odd sides too: what is added has the shape of the convolution."""
    for block, reductions in (("residual", ()), ("dense", (2.0,)), ("plain", ())):
        spec = ConvSpec((15, 14, 1), 3, block, ((4, 1), (4, 1)), (4, 1), reductions=reductions)
        network = BinaryConvNet(spec, LatentBinary(), rngs=nnx.Rngs(0))
        assert jax.eval_shape(network, jax.ShapeDtypeStruct((2, 210), np.float32)).shape == (2, 3)
