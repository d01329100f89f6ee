"""Images as inputs of dense networks: the same as their rows, in the shape of training."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.classifiers.images import as_rows, reads_images
from mpnn.gradient import STEClassifier
from mpnn.layers import Conv2D, Dense, Residual
from mpnn.solvers import LocalSearchClassifier
from tests.marks import mostly_slow

CLASSIFIERS = {
    "message_passing": MessagePassingClassifier((), num_sweeps=5, random_state=0),
    "coded": MessagePassingClassifier((), num_sweeps=5, encoding="table", random_state=0),
    "vote": PairwiseVoteClassifier(MessagePassingClassifier((), num_sweeps=5, random_state=0)),
    "vote_of_others": PairwiseVoteClassifier(LogisticRegression(C=1e-3)),
    "gradient": STEClassifier(num_epochs=3, random_state=0),
}


@pytest.fixture(scope="module")
def digits():
    pixels, labels = load_digits(n_class=2, return_X_y=True)
    return pixels[:80].reshape(-1, 8, 8), labels[:80]


@mostly_slow(
    "name", [pytest.param(own, marks=pytest.mark.slow if own == "coded" else ()) for own in CLASSIFIERS]
)
def test_images_are_their_rows(name, digits):
    images, labels = digits
    rows = images.reshape(len(images), 64)
    model = CLASSIFIERS[name]
    expected = model.fit(rows[:40], labels[:40]).predict(rows)
    np.testing.assert_array_equal(model.predict(images), expected)
    for train, test in ((images, images), (images[..., None], images), (images.tolist(), rows)):
        model.fit(train[:40], labels[:40])
        assert (model.n_features_in_, model.image_shape_) == (64, (8, 8, 1))
        np.testing.assert_array_equal(model.predict(test), expected)
    with pytest.raises(ValueError, match=r"images must be of the shape \(8, 8, 1\), got \(4, 16, 1\)"):
        model.predict(images.reshape(-1, 4, 16))
    with pytest.raises(ValueError, match="hold 64 numbers, got 60"):
        model.predict(rows[:, :60])


@pytest.mark.slow
def test_probabilities_and_files_know_the_shape(digits, tmp_path):
    images, labels = digits
    for name in ("message_passing", "vote"):
        model = CLASSIFIERS[name].fit(images, labels)
        expected = model.predict_proba(images)
        np.testing.assert_array_equal(model.predict_proba(images.reshape(len(images), 64)), expected)
        save_model(model, tmp_path / "model")
        loaded = load_model(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict_proba(images), expected)
        with pytest.raises(ValueError, match="images must be of the shape"):
            loaded.predict(images[:, 1:])


@pytest.mark.slow
def test_a_vote_tells_convolutions_the_shape_of_its_images(digits):
    images, labels = digits
    member = MessagePassingClassifier((Conv2D(2, 5),), num_sweeps=5, random_state=0)
    vote = PairwiseVoteClassifier(member).fit(images, labels)
    assert vote.predict(images).shape == labels.shape
    with pytest.raises(ValueError, match=r"must be of the shape \(4, 16, 1\), got \(8, 8, 1\)"):
        PairwiseVoteClassifier(member.set_params(image_shape=(4, 16))).fit(images, labels)


def test_solvers_take_images(digits):
    images, labels = digits
    model = LocalSearchClassifier((2,), time_limit=0.1, random_state=0).fit(images, labels)
    np.testing.assert_array_equal(model.predict(images), model.predict(images.reshape(len(images), 64)))


def test_colours_come_last():
    rows, shape = as_rows(np.arange(48).reshape(2, 2, 4, 3))
    assert shape == (2, 4, 3)
    np.testing.assert_array_equal(rows[1], np.arange(24, 48))


def test_branches_of_dense_layers_read_rows():
    assert not reads_images((12, Residual((Dense(5), Dense(12)))))
    assert reads_images((Residual((Conv2D(1, 3, padding="same"),)), 12))
