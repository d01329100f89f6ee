"""How often samples and classes count, samples in portions, and fits that go on from earlier ones."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.message_passing import portions, training
from mpnn.message_passing.classifier import compiled, fitting
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.spec import NetworkSpec

QUICK = MessagePassingClassifier(hidden=(), num_sweeps=10, encoding=None, random_state=0)
VOTE = PairwiseVoteClassifier(QUICK, random_state=0)
WEIGHTS = np.tile([0, 1, 3, 2], 6)


def both(three_blobs):
    """The samples, and so many copies of each as its weight says."""
    X, y = three_blobs
    X, y = X[: len(WEIGHTS)], y[: len(WEIGHTS)]
    return (X, y), (np.repeat(X, WEIGHTS, axis=0), np.repeat(y, WEIGHTS))


@pytest.mark.parametrize(
    "classifier",
    [
        VOTE,
        pytest.param(MessagePassingClassifier(random_state=0), marks=pytest.mark.slow),
        pytest.param(PairwiseVoteClassifier(random_state=0), marks=pytest.mark.slow),
        pytest.param(
            PairwiseVoteClassifier(
                MessagePassingClassifier((4,), num_sweeps=9, encoding=None, random_state=0)
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["single layers", "table", "vote on a table", "exact messages"],
)
def test_a_weight_is_so_many_copies(classifier, three_blobs):
    """In messages, codes, scalings and rounding alike."""
    samples, copies = both(three_blobs)
    weighted = clone(classifier).fit(*samples, sample_weight=WEIGHTS)
    repeated = clone(classifier).fit(*copies)
    np.testing.assert_allclose(
        weighted.predict_proba(samples[0]), repeated.predict_proba(samples[0]), atol=2e-6
    )


@pytest.mark.parametrize("weights", [[-1.0, 1.0], [np.nan, 1.0], [0.0, 0.0], [1.0]])
def test_weights_that_mean_nothing_are_refused(weights, two_blobs):
    X, y = two_blobs
    for classifier in (QUICK, VOTE):
        with pytest.raises(ValueError, match=r"sample_weight|Sample weights"):
            clone(classifier).fit(X, y, sample_weight=np.resize(weights, len(y) - (len(weights) == 1)))


def test_members_without_weights_refuse_them(two_blobs):
    X, y = two_blobs
    vote = PairwiseVoteClassifier(KNeighborsClassifier(1))
    with pytest.raises(ValueError, match="KNeighborsClassifier takes no sample_weight"):
        vote.fit(X, y, sample_weight=np.full(len(y), 2.0))
    assert not hasattr(vote, "partial_fit")


def test_weights_of_classes_are_weights_of_their_samples(three_blobs):
    X, y = three_blobs
    own = {0: 2.0, 2: 3.0}
    counts = np.array([2.0, 1.0, 3.0])[y]
    for classifier in (QUICK, VOTE):
        prefix = "estimator__" if classifier is VOTE else ""
        plain = clone(classifier).set_params(**{f"{prefix}input_scaling": None, f"{prefix}noise": 0.0})
        named = clone(plain).set_params(class_weight=own).fit(X, y)
        weighted = clone(plain).fit(X, y, sample_weight=counts)
        np.testing.assert_array_equal(named.predict_proba(X), weighted.predict_proba(X))


def rare_class(seed, num_samples):
    """One sample in fifty is of the second class; the classes overlap."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(num_samples, 20))
    score = X @ generator.normal(size=20) + generator.normal(size=num_samples)
    return X, (score > np.quantile(score, 0.98)).astype(int)


def test_portions_teach_what_the_whole_teaches(three_blobs):
    X, y = three_blobs
    for classifier in (QUICK, VOTE):
        learner = clone(classifier)
        for missing in (0, 1, 2):
            rows = np.flatnonzero(y != missing)
            learner.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        assert learner.score(X, y) > 0.9
        assert learner.classes_.tolist() == [0, 1, 2]


@pytest.mark.slow
def test_the_first_portion_names_all_classes(two_blobs):
    X, y = two_blobs
    for classifier in (QUICK, VOTE):
        with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
            clone(classifier).partial_fit(X, y)
        with pytest.raises(ValueError, match="at least two"):
            clone(classifier).partial_fit(X, y, classes=[1])
        learner = clone(classifier).partial_fit(X, y, classes=[0, 1])
        with pytest.raises(ValueError, match=re.escape("y holds the label 7, which is none of the classes")):
            learner.partial_fit(X, y + 7)
        with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
            learner.partial_fit(X, y, classes=[0, 1, 2])


def test_a_posterior_is_the_next_prior(two_blobs):
    """One sweep without damping adds the messages of the samples to the field, whatever it was."""
    X, y = two_blobs
    numbers = {"num_sweeps": 1, "damping": 0.0, "reinforcement": 0.0, "rule": "mean_field"}
    learner = clone(QUICK).set_params(warm_start=True, **numbers)
    first = learner.fit(X[:10], y[:10]).state_.layers[0].posterior.field
    learner.fit(X[10:], y[10:], sample_weight=np.full(len(y) - 10, 1e-6))
    np.testing.assert_allclose(learner.state_.layers[0].posterior.field, first, atol=1e-4)
    assert np.abs(first).max() > 1.0
    cold = clone(learner).set_params(warm_start=False).fit(X[10:], y[10:])
    assert np.abs(cold.state_.layers[0].posterior.field - first).max() > 1.0
    with pytest.raises(ValueError, match="training cannot go on with another network"):
        learner.set_params(hidden=(3,)).fit(X, y)


def test_a_vote_goes_on_with_its_members(three_blobs):
    X, y = three_blobs
    vote = clone(VOTE).set_params(warm_start=True).fit(X, y)
    members = vote.estimators_
    assert vote.fit(X, y).estimators_ is members
    with pytest.raises(ValueError, match="warm_start=True needs members with it, got KNeighbors"):
        PairwiseVoteClassifier(KNeighborsClassifier(1), warm_start=True).fit(X, y)


def test_another_number_of_rows_compiles_nothing(three_blobs):
    X, y = three_blobs
    for classifier in (QUICK, VOTE):
        clone(classifier).fit(X[:24], y[:24])
        programs = portions.portion._cache_size(), compiled._decode._cache_size()
        clone(classifier).fit(X[:30], y[:30], sample_weight=np.arange(30) + 1)
        assert (portions.portion._cache_size(), compiled._decode._cache_size()) == programs


@pytest.mark.slow
def test_mini_batches_do_not_read_the_padding(two_blobs):
    X, y = np.tile(two_blobs[0], (2, 1)), np.tile(two_blobs[1], 2)
    spec = NetworkSpec.dense((X.shape[1], 1))
    numbers = Schedules(damping=0.5)
    state = init(jax.random.key(0), spec, numbers.at_sweep(0, 1))
    fields = []
    for padding in (0, 5, 20):
        inputs = np.pad(X, ((0, padding), (0, 0)), constant_values=1e3)
        data = Batch(
            jnp.asarray(inputs), jnp.asarray(np.pad(2.0 * y - 1.0, (0, padding), constant_values=1.0))
        )
        how = {"num_epochs": 2, "batch_size": 7, "num_samples": len(X)}
        trained, infos = training.train(jax.random.key(1), spec, state, data, numbers, **how)
        fields.append(trained.layers[0].posterior.field)
        assert len(infos[0].error) == (len(X) + padding) // 7
        assert not infos[0].error[len(X) // 7 :].any()
    np.testing.assert_array_equal(fields[0], fields[1])
    np.testing.assert_array_equal(fields[0], fields[2])


def test_many_classes_are_trained_in_groups_of_pairs(three_blobs, monkeypatch, capsys):
    X, y = three_blobs
    together = clone(VOTE).fit(X, y)
    monkeypatch.setattr(fitting, "MOST_PROBLEMS", 2)
    in_groups = clone(VOTE).set_params(estimator__verbose=2).fit(X, y)
    np.testing.assert_allclose(in_groups.predict_proba(X), together.predict_proba(X), atol=1e-6)
    assert "epoch 2 of 2" in capsys.readouterr().err


def test_a_thousand_classes_are_refused_with_what_they_take():
    X = np.random.default_rng(0).normal(size=(3000, 3))
    with pytest.raises(ValueError, match=r"1000 classes make 499,500 pairs, .* some 12 GiB, .* take Message"):
        PairwiseVoteClassifier().fit(X, np.arange(3000) % 1000)


@pytest.mark.slow
def test_a_class_of_one_in_fifty_is_learned():
    """Within four points of logistic regression where that is the true model, and far from a guess."""
    found, expected = [], []
    for seed in range(3):
        X, y = rare_class(seed, 6000)
        for results, classifier in (
            (found, MessagePassingClassifier(class_weight="balanced", random_state=0)),
            (expected, LogisticRegression(class_weight="balanced")),
        ):
            results.append(
                balanced_accuracy_score(y[2000:], classifier.fit(X[:2000], y[:2000]).predict(X[2000:]))
            )
    assert np.mean(found) > np.mean(expected) - 0.03


@pytest.mark.slow
def test_balanced_classes_of_many_samples_are_trained_on_in_one_batch():
    """The single network, a balanced vote and a vote of balanced members see the same rows alike."""
    generator = np.random.default_rng(0)
    y = (np.arange(5000) < 60).astype(int)
    X = generator.normal(size=(5000, 3)) + 1.5 * y[:, None]
    quick = {"noise": 1.0, "rounding": "feedback", "hidden": (), "num_sweeps": 20, "random_state": 0}
    member = MessagePassingClassifier(**quick)
    balanced = MessagePassingClassifier(class_weight="balanced", **quick)
    for model in (
        balanced,
        PairwiseVoteClassifier(member, class_weight="balanced"),
        PairwiseVoteClassifier(balanced),
    ):
        model.fit(X, y)
        network = getattr(model, "estimators_", [model])[0]
        assert network.n_iter_ == 20
        assert balanced_accuracy_score(y, model.predict(X)) > 0.85
