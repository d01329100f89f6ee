"""Files of fitted estimators: the same predictions, and clear errors instead of strange ones."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.message_passing.checkpoints import CheckpointError, save_weights
from mpnn.weight_files import load_arrays, save_arrays
from tests.marks import mostly_slow

NAMES = np.array(["cat", "dog", "eel"])


@pytest.fixture(scope="module")
def ensemble(three_blobs):
    X, y = three_blobs
    member = MessagePassingClassifier(num_sweeps=12, random_state=0)
    return PairwiseVoteClassifier(member, ties="head_to_head", vote="soft").fit(X, NAMES[y])


@pytest.fixture
def saved(ensemble, tmp_path):
    path = tmp_path / "ensemble.safetensors"
    save_model(ensemble, path)
    return path


def test_an_ensemble_comes_back(ensemble, saved, three_blobs):
    X, _ = three_blobs
    found = load_model(saved)
    np.testing.assert_array_equal(found.predict(X), ensemble.predict(X))
    np.testing.assert_array_equal(found.predict_proba(X), ensemble.predict_proba(X))
    np.testing.assert_array_equal(found.training_errors_, ensemble.training_errors_)
    assert repr(found) == repr(ensemble)
    assert found.links_removed_ == ensemble.links_removed_
    for one, other in zip(found.estimators_, ensemble.estimators_, strict=True):
        assert one.weights_[0].dtype == np.int8
        np.testing.assert_array_equal(one.weights_[0], other.weights_[0])


@pytest.mark.parametrize(
    ("configuration", "kinds"),
    [
        pytest.param(
            {"hidden": (5,), "weights": "binary", "rule": "amp", "bias": True},
            ("mode",),
            marks=pytest.mark.slow,
        ),
        ({"weights": "gaussian"}, ("mode", "bayes")),
        pytest.param(
            {"density": 0.5, "damping": lambda sweep: 0.5 + 0.0 * sweep},
            ("mode", "bayes", "sample"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["bias", "real weights", "sparse links and a schedule"],
)
def test_a_network_comes_back(configuration, kinds, two_blobs, tmp_path):
    X, y = two_blobs
    classifier = MessagePassingClassifier(num_sweeps=12, random_state=0, **configuration).fit(X, y)
    save_model(classifier, tmp_path / "model.safetensors")
    found = load_model(tmp_path / "model.safetensors")
    for kind in kinds:
        expected = classifier.set_params(prediction=kind).predict_proba(X)
        np.testing.assert_array_equal(found.set_params(prediction=kind).predict_proba(X), expected)


@pytest.mark.slow
@mostly_slow("names", [[False, True], [-3, 8], [0.0, 1.0]], ids=["bool", "int", "float"])
def test_classes_keep_their_type(names, two_blobs, tmp_path):
    X, y = two_blobs
    classifier = MessagePassingClassifier(num_sweeps=12, random_state=0).fit(X, np.array(names)[y])
    save_model(classifier, tmp_path / "model")
    assert load_model(tmp_path / "model").classes_.dtype == np.array(names).dtype


def test_column_names_come_back(two_blobs, tmp_path):
    X, y = two_blobs
    table = pd.DataFrame(X, columns=[f"pixel {index}" for index in range(X.shape[1])])
    classifier = MessagePassingClassifier(num_sweeps=12, random_state=0).fit(table, y)
    save_model(classifier, tmp_path / "model")
    found = load_model(tmp_path / "model")
    np.testing.assert_array_equal(found.predict(table), classifier.predict(table))
    with pytest.raises(ValueError, match="feature names should match"):
        found.predict(table.iloc[:, ::-1])


def test_a_file_cut_short_or_changed_is_refused(saved):
    content = saved.read_bytes()
    saved.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(saved)
    saved.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="do not match their digest"):
        load_model(saved)
    saved.write_bytes(b"")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(saved)


SUMS = [-1, *[0] * 16, *[1] * 16]  # of a flag and two numbers
FACTORS = [10, *[2] * 32, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"sums": 5}, "numbered 0, 1, ... from left to right"),
        ({"sums": SUMS[::-1]}, "numbered 0, 1, ... from left to right"),
        ({"sums": [-1, *[0, 1] * 16]}, "numbered 0, 1, ... from left to right"),
        ({"sums": [-2, *SUMS[1:]]}, "numbered 0, 1, ... from left to right"),
        ({"sums": [0.5] * 33}, "numbered 0, 1, ... from left to right"),
        ({"sums": SUMS[:-1]}, "need as many factors"),
        ({"factors": FACTORS[:-1]}, "need as many factors"),
        ({"factors": None}, "need as many factors"),
        ({"factors": [1.5] * 35}, "whole numbers from 0 to 127"),
        ({"factors": [128] * 35}, "whole numbers from 0 to 127"),
        ({"factors": ["2"] * 35}, "whole numbers from 0 to 127"),
    ],
    ids=str,
)
def test_sums_that_no_table_has_are_refused(changed, sentence, tmp_path):
    """A file that was changed by someone else, and written as a whole again."""
    generator = np.random.default_rng(0)
    X = np.column_stack([np.arange(60) % 2, generator.normal(size=(60, 2))])
    model = MessagePassingClassifier((), num_sweeps=1, noise=1.0, random_state=0).fit(X, np.arange(60) % 2)
    save_model(model, tmp_path / "model")
    arrays, metadata = load_arrays(tmp_path / "model")
    assert (metadata["sums"], metadata["factors"]) == (SUMS, FACTORS)
    save_arrays(tmp_path / "changed", arrays, metadata | changed)
    with pytest.raises(CheckpointError, match=sentence):
        load_model(tmp_path / "changed")


class Trap:
    """Would leave a mark if anything unpickled it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(path)
    np.savez(tmp_path / "model.npz", weights=np.ones(3))
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(tmp_path / "model.npz")
    assert not (tmp_path / "mark").exists()


def test_weights_without_an_estimator_are_named_so(tmp_path):
    save_weights(tmp_path / "weights", [np.ones((3, 1), np.int8)])
    with pytest.raises(CheckpointError, match="no estimator that can be read"):
        load_model(tmp_path / "weights")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        load_model(tmp_path / "nothing")


def test_what_cannot_be_saved_says_so(three_blobs, tmp_path):
    X, y = three_blobs
    with pytest.raises(ValueError, match="got an ensemble of LogisticRegression"):
        save_model(PairwiseVoteClassifier(LogisticRegression()).fit(X, y), tmp_path / "model")
    with pytest.raises(ValueError, match="not fitted yet"):
        save_model(MessagePassingClassifier(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_without_beliefs_the_discrete_networks_are_whole(two_blobs, tmp_path):
    X, y = two_blobs
    labels = y + 2 * (X[:, 0] > np.median(X[:, 0]))
    vote = PairwiseVoteClassifier(MessagePassingClassifier((), num_sweeps=12, random_state=0)).fit(X, labels)
    for beliefs in (True, False):
        save_model(vote, tmp_path / f"model {beliefs}", beliefs=beliefs)
    found = load_model(tmp_path / "model False")
    np.testing.assert_array_equal(found.decision_function(X), vote.decision_function(X))
    assert all(member.state_ is None for member in found.estimators_)
    small, large = ((tmp_path / f"model {beliefs}").stat().st_size for beliefs in (False, True))
    assert 4 * small < large
    save_model(found, tmp_path / "again")
    again, before = (load_arrays(tmp_path / name)[0] for name in ("again", "model False"))
    assert {name: array.tolist() for name, array in again.items()} == {
        name: array.tolist() for name, array in before.items()
    }
    with pytest.raises(ValueError, match="saved without beliefs"):
        found.set_params(estimator__prediction="bayes").predict(X)


def test_a_file_without_beliefs_declares_no_more_than_it_holds(two_blobs, tmp_path):
    X, y = two_blobs
    model = MessagePassingClassifier(num_sweeps=12, random_state=0).fit(X, y)
    save_model(model, tmp_path / "model", beliefs=False)
    arrays, metadata = load_arrays(tmp_path / "model")
    save_arrays(tmp_path / "cut", arrays | {"packed/weights/0": arrays["packed/weights/0"][:-20]}, metadata)
    save_arrays(tmp_path / "bad", arrays | {"packed/about": arrays["packed/about"][:-9]}, metadata)
    for name in ("cut", "bad"):
        with pytest.raises(CheckpointError, match="no estimator that can be read"):
            load_model(tmp_path / name)
