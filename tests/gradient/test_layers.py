"""Layers of images trained by gradients: the same discrete network as by message passing, and its moments."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mpnn import PairwiseVoteClassifier
from mpnn.gradient import CoNNTrAClassifier, STEClassifier
from mpnn.gradient.families import Bernoulli, LatentBinary
from mpnn.gradient.method import apply, initial_leaves
from mpnn.gradient.moment_propagation import MomentPropagation
from mpnn.gradient.perceptron import Perceptron, PerceptronSpec
from mpnn.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual, Unflatten
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.layers.chain import apply_chain

SHAPE = (6, 6, 2)
BRANCH = Residual((Conv2D(3, 3, padding="same"),))
HIDDEN = (Conv2D(3, 3, padding="same"), MaxPool2D(2), BRANCH, MeanPool2D(2), 4)


def test_the_discrete_network_is_that_of_message_passing():
    spec = PerceptronSpec((72, *HIDDEN, 2), image_shape=SHAPE)
    network = Perceptron(spec, LatentBinary(), rngs=nnx.Rngs(0))
    signs = [jnp.sign(kernel[...]) for kernel in network.kernels]
    for kernel, own in zip(network.kernels, signs, strict=True):
        kernel[...] = own
    inputs = jax.random.normal(jax.random.key(1), (5, 72))
    layers = [Unflatten(SHAPE), *HIDDEN[:4], Flatten(), Dense(4), Dense(2, activation="identity")]
    expected = apply_chain(layers, signs, inputs)
    np.testing.assert_allclose(network(inputs), expected / 2.0, atol=1e-5)  # over the root of 4 inputs
    assert [kernel[...].shape for kernel in network.kernels] == [(18, 3), (27, 3), (3, 4), (4, 2)]


@pytest.mark.slow
def test_moments_of_certain_weights_are_the_discrete_network():
    """Through padding, pools and residual links; every sum is of an odd number of signs, so none is 0."""
    hidden = (Conv2D(3, 3, padding="same"), MaxPool2D(2), Residual((Conv2D(3, 1),)), 4)
    spec = PerceptronSpec((64, *hidden, 2), image_shape=(8, 8, 1), bias=True)
    method = MomentPropagation(network=spec, family=Bernoulli(5.0))
    latents = initial_leaves(method, jax.random.key(0))[0].latents
    weights = tuple(method.family.mode(latent) for latent in latents)
    sure = tuple(jnp.stack([weight, jnp.zeros_like(weight)]) for weight in weights)
    inputs = jax.random.normal(jax.random.key(3), (9, 64))
    point = apply(method, weights, (), (), inputs, point=True)[0]
    np.testing.assert_allclose(apply(method, sure, (), (), inputs)[0].mean, point, atol=1e-3)


@pytest.mark.slow
def test_moments_of_a_window_are_those_of_its_dense_twin():
    """One window of an image is a dense unit; its neighbours with padding are units of fewer inputs."""
    spec = PerceptronSpec((4, Conv2D(3, 3, padding="same"), 2), image_shape=(2, 2, 1))
    twin = PerceptronSpec((4, 12, 2))
    method = MomentPropagation(network=spec, family=Bernoulli(1.0))
    latents = initial_leaves(method, jax.random.key(0))[0].latents
    first, second = method.read(latents, jax.random.key(0), jnp.zeros([], jnp.int32), None)
    rows = spec.weighted[0].linear_map.unfold(jnp.eye(4).reshape(4, 2, 2, 1)).reshape(4, 4, 9)
    tied = jnp.einsum("ipf,mfk->mipk", rows, first).reshape(2, 4, 12)  # a mean and variance for every copy
    tied = tied * jnp.asarray([2.0 / 3.0, 4.0 / 9.0])[:, None, None]  # roots of the fan-ins
    inputs = jax.random.normal(jax.random.key(3), (9, 4))
    found = apply(method, (first, second), (), (), inputs)[0]
    expected = apply(dataclasses.replace(method, network=twin), (tied, second), (), (), inputs)[0]
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(found.variance, expected.variance, atol=1e-5)


def test_pooled_moments_are_those_of_independent_signs():
    mean = jnp.asarray([0.2, -0.5, 0.7, -0.1]).reshape(1, 2, 2, 1)
    every = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1)
    probability = np.prod((1.0 + every * np.asarray(mean).reshape(4, 1)) / 2.0, axis=0)
    for pool, value in ((MaxPool2D(2), every.max(axis=0)), (MeanPool2D(2), every.mean(axis=0))):
        found = pool.pooled(Moments(mean, 1.0 - mean**2))
        expected = probability @ value
        np.testing.assert_allclose(found.mean.ravel(), [expected], atol=1e-6)
        np.testing.assert_allclose(found.variance.ravel(), [probability @ value**2 - expected**2], atol=1e-6)


@pytest.fixture(scope="module")
def fitted(digit_images):
    images, labels = digit_images
    network = STEClassifier(
        (Conv2D(6, 3, stride=2),), recipe="batch_norm", largest_shift=1, num_epochs=10, random_state=0
    )
    return network.set_params(batch_size=50).fit(images[:350], labels[:350])


@pytest.mark.slow
def test_a_network_of_convolutions_learns(fitted, digit_images):
    images, labels = digit_images
    assert fitted.score(images[400:], labels[400:]) > 0.9
    assert [layer.shape for layer in fitted.weights_] == [(9, 6), (54, 3)]
    assert fitted.statistics_[0].shape == (6,)  # batch norm of channels, over samples and positions
    assert {-1, 1} == set(np.unique(fitted.weights_[0]).tolist())
    kept, fitted.latents_ = fitted.latents_, [np.full_like(own, np.nan) for own in fitted.latents_]
    scores = fitted.decision_function(images[:20])
    fitted.latents_ = kept
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).decision_function(images[:20]), scores)
    np.testing.assert_array_equal(fitted.decision_function(images[:20].reshape(20, -1)), scores)


def test_what_cannot_be_trained_is_refused(digit_images):
    images, labels = digit_images
    with pytest.raises(ValueError, match="share their weights"):
        STEClassifier((Conv2D(4, 3, weights="ternary"),)).fit(images, labels)
    with pytest.raises(ValueError, match="does not fit into 8 x 8"):
        STEClassifier((Conv2D(4, 9),)).fit(images, labels)
    with pytest.raises(ValueError, match="keeps the shape"):
        STEClassifier((Residual((Conv2D(4, 3),)),)).fit(images, labels)
    with pytest.raises(ValueError, match="every width in hidden"):
        CoNNTrAClassifier((Conv2D(4, 3),)).fit(images, labels)
    with pytest.raises(ValueError, match="give image_shape="):
        STEClassifier((5,), largest_shift=1).fit(images.reshape(len(images), -1), labels)
    with pytest.raises(ValueError, match="largest_shift must be a whole number"):
        STEClassifier((5,), largest_shift=1.5).fit(images, labels)


@pytest.mark.slow
def test_a_vote_of_convolutions(digit_images):
    images, labels = digit_images
    member = STEClassifier((Conv2D(8, 3, stride=2),), largest_shift=1, random_state=0)
    vote = PairwiseVoteClassifier(member).fit(images[:60], labels[:60])
    assert vote.score(images[60:], labels[60:]) > 0.75
