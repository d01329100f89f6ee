"""Classifiers with convolutions: images in any shape, every prediction, files, votes, what is refused."""

import numpy as np
import pytest
from sklearn.base import clone

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.layers import Conv2D, MaxPool2D

HIDDEN = (Conv2D(6, 3, bias=True), MaxPool2D(2), Conv2D(5, 2, weights="ternary"), 9)
PREDICTIONS = ("mode", "bayes", "sample")


@pytest.fixture(scope="module")
def fitted(digit_images):
    images, labels = digit_images
    network = MessagePassingClassifier(
        HIDDEN, "binary", "mean_field", batch_size=50, num_epochs=4, num_samples=3, random_state=0
    ).set_params(freezing=(0.75,))
    return network.fit(images[:400], labels[:400])


def answers(network, images):
    return [network.set_params(prediction=how).predict_proba(images) for how in PREDICTIONS]


@pytest.mark.slow
def test_a_network_of_convolutions_learns(fitted, digit_images):
    images, labels = digit_images
    assert fitted.set_params(prediction="bayes").score(images[400:], labels[400:]) > 0.9
    assert [layer.shape for layer in fitted.weights_] == [(9, 6), (24, 5), (20, 9), (9, 3)]
    assert [None if own is None else own.shape for own in fitted.biases_] == [(6,), None, None, None]
    assert [sorted(set(layer.ravel().tolist())) for layer in fitted.weights_][1:3] == [[-1, 0, 1], [-1, 1]]


@pytest.mark.slow
def test_photographs_are_centred_and_a_dark_background_is_not(fitted):
    photographs = np.random.default_rng(0).normal(120, 40, (40, 8, 8)).clip(0, 255).astype(np.uint8)
    network = MessagePassingClassifier((Conv2D(2, 3),), num_epochs=1, random_state=0)
    inputs = network.fit(photographs, np.arange(40) % 2).input_transform_(photographs.reshape(40, -1))
    assert abs(inputs.mean()) < 1e-3
    assert fitted.input_transform_(np.zeros((1, 64))).tolist() == [[0.0] * 64]


@pytest.mark.slow
def test_a_layer_that_was_rounded_in_training_is_published_as_it_is(fitted):
    first, second, *_ = fitted.state_.weighted
    np.testing.assert_array_equal(first.mean, [*fitted.weights_[0], fitted.biases_[0]])
    assert np.abs(second.mean).min() < 1


@pytest.mark.slow
def test_images_may_be_flat_or_have_a_channel(fitted, digit_images):
    images = digit_images[0][:20]
    expected = answers(fitted, images)
    for same in (images[..., None], images.reshape(20, -1), images.tolist()):
        np.testing.assert_array_equal(answers(fitted, same), expected)
    assert clone(fitted).hidden == HIDDEN


def test_files_hold_convolutions(fitted, digit_images, tmp_path):
    save_model(fitted, tmp_path / "images.safetensors")
    loaded = load_model(tmp_path / "images.safetensors")
    np.testing.assert_array_equal(
        answers(loaded, digit_images[0][:20]), answers(fitted, digit_images[0][:20])
    )
    assert [type(layer).__name__ for layer in loaded.hidden][:2] == ["Conv2D", "MaxPool2D"]


@pytest.mark.slow
def test_a_vote_of_convolutions(digit_images, tmp_path):
    images, labels = digit_images
    flat = images.reshape(len(images), -1)
    member = MessagePassingClassifier((Conv2D(4, 3, stride=2),), image_shape=(8, 8), random_state=0)
    member.set_params(freezing=(0.5,), batch_size=20)
    vote = PairwiseVoteClassifier(member).fit(flat[:60], labels[:60])
    assert vote.score(flat[60:], labels[60:]) > 0.85
    assert all(np.abs(each.state_.weighted[0].mean).min() == 1 for each in vote.estimators_)
    save_model(vote, tmp_path / "vote.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "vote.safetensors").predict(flat), vote.predict(flat))


@pytest.mark.slow
def test_few_images_are_met_often_and_shifted(digit_images):
    """With nothing else set: binary weights, mini-batches, a falling step, all hidden layers rounded."""
    images, labels = digit_images
    network = MessagePassingClassifier((Conv2D(6, 3, stride=2),), largest_shift=1, random_state=0)
    network.set_params(num_epochs=100).fit(images[:120], labels[:120])
    assert network.score(images[120:], labels[120:]) > 0.7
    assert [sorted(set(layer.ravel().tolist())) for layer in network.weights_] == [[-1, 1], [-1, 1]]
    assert network.spec_.weighted[0].rule == "mean_field"
    assert network.spec_.output_gain == 1.0


def test_what_is_no_image_is_refused(fitted, digit_images):
    images, labels = digit_images
    network = MessagePassingClassifier((Conv2D(4, 3),))
    with pytest.raises(ValueError, match="give image_shape="):
        network.fit(images.reshape(len(images), -1), labels)
    with pytest.raises(ValueError, match="hold 49 numbers, got 64"):
        network.set_params(image_shape=(7, 7)).fit(images.reshape(len(images), -1), labels)
    with pytest.raises(ValueError, match=r"must be of the shape \(8, 8, 1\), got \(7, 8, 1\)"):
        fitted.predict(images[:, 1:])
    with pytest.raises(ValueError, match="does not fit into 8 x 8"):
        MessagePassingClassifier((Conv2D(4, 9),)).fit(images, labels)
