"""Networks with few hidden units: exact messages above the first layer, annealed to discrete weights."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.classifier.resolution import resolve
from mpnn.message_passing.classifier.settings import Parameters
from mpnn.message_passing.exact import annealing
from mpnn.message_passing.exact.prediction import exact_probabilities
from mpnn.message_passing.exact.requirements import unmet_requirement
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems

DRAW = 20


@pytest.fixture(scope="module")
def digits():
    return load_digits(n_class=4, return_X_y=True)


@pytest.fixture(scope="module")
def training(digits):
    X, y = digits
    rows = np.concatenate([np.flatnonzero(y == label)[:DRAW] for label in range(4)])
    return X[rows], y[rows]


@pytest.fixture(scope="module")
def ensemble(training):
    member = MessagePassingClassifier(hidden=(4, 4), random_state=0)
    return PairwiseVoteClassifier(member, ties="head_to_head").fit(*training)


def network_of(classifier, X):
    """The discrete network, written out with the published weights alone."""
    inputs = classifier.input_transform_(X.astype(np.float32))
    for layer in classifier.weights_:
        inputs = np.where(inputs @ layer.astype(np.float32) >= 0, 1.0, -1.0)
    return inputs[:, 0]


@pytest.mark.slow
def test_fits_every_training_sample_and_votes_well(digits, training, ensemble):
    X, y = digits
    assert ensemble.training_errors_.sum() == 0
    assert ensemble.score(X, y) > 0.85
    assert all(member.spec_.exact for member in ensemble.estimators_)


@pytest.mark.slow
def test_bayes_and_samples_predict(digits, ensemble):
    X, y = digits
    for kind in ("bayes", "sample"):
        soft = clone(ensemble).set_params(vote="soft", ties="confidence", estimator__prediction=kind)
        for name in ("classes_", "pairs_", "estimators_", "n_features_in_"):
            setattr(soft, name, getattr(ensemble, name))
        probabilities = soft.predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
        assert np.mean(soft.predict(X) == y) > 0.85


def test_weights_are_discrete_and_decide_alone(digits, ensemble):
    X, _ = digits
    for member in ensemble.estimators_:
        assert [layer.shape for layer in member.weights_] == [(64, 4), (4, 4), (4, 1)]
        assert all(
            layer.dtype == np.int8 and set(np.unique(layer)) <= {-1, 0, 1} for layer in member.weights_
        )
    member = ensemble.estimators_[0].set_params(prediction="mode")
    np.testing.assert_array_equal(member.predict(X), network_of(member, X) > 0)


def test_history_tells_the_error_of_every_sweep(ensemble):
    history = ensemble.estimators_[0].history_
    assert history["error"].shape == (120,)
    assert history["error"].min() == 0.0


@pytest.mark.slow
def test_beliefs_are_moments_of_their_natural_parameters(ensemble):
    member = ensemble.estimators_[0]
    family = member.spec_.weighted[0].family
    for index, layer in enumerate(member.state_.layers):
        mean, variance = family.moments(*layer.posterior)
        if index > 0:  # the first layer's moments are damped
            np.testing.assert_allclose(layer.mean, mean, atol=1e-5)
            np.testing.assert_allclose(layer.variance, variance, atol=1e-5)
    dead = ~member.input_transform_.live
    assert np.all(member.state_.layers[0].mean[dead] == 0)
    assert np.all(member.weights_[0][dead] == 0)


@pytest.fixture(scope="module")
def problems(training):
    """Three pairs, the last with fewer samples and so with padding."""
    X, y = training
    inputs = jnp.asarray(X / 16.0, jnp.float32)
    rows, labels, mask = np.zeros((3, 2 * DRAW), int), np.zeros((3, 2 * DRAW)), np.zeros((3, 2 * DRAW))
    for index, (first, second, taken) in enumerate([(0, 1, DRAW), (1, 2, DRAW), (2, 3, 12)]):
        own = np.concatenate([np.flatnonzero(y == first)[:taken], np.flatnonzero(y == second)[:taken]])
        rows[index, : 2 * taken], mask[index, : 2 * taken] = own, 1.0
        labels[index, : 2 * taken] = np.where(y[own] == first, 1.0, -1.0)
    return Problems(
        inputs, jnp.asarray(rows), jnp.asarray(labels, jnp.float32), jnp.asarray(mask, jnp.float32)
    )


SPEC = NetworkSpec.dense((64, 3, 1), "ternary", sweeps_per_batch=40, messages="exact")


@pytest.mark.slow
def test_side_by_side_is_as_alone_with_padding_or_without(problems):
    keys = jax.random.split(jax.random.key(1), 3)
    together = annealing.fit_many(keys, SPEC, annealing.Annealing(), problems, at_once=2)
    rows, labels = problems.rows[2, :24], problems.labels[2, :24]
    alone = annealing.fit_one(keys[2], SPEC, annealing.Annealing(), Batch(problems.inputs[rows], labels))
    for many, one in zip(together.weights, alone.weights, strict=True):
        assert np.mean(many[2] == one) > 0.99
    np.testing.assert_allclose(together.state.layers[0].mean[2], alone.state.layers[0].mean, atol=1e-3)
    assert together.errors.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(problems):
    fits = [
        annealing.fit_many(jax.random.split(jax.random.key(3), 3), SPEC, annealing.Annealing(), problems, 2)
        for _ in range(2)
    ]
    for first, second in zip(*(fit.weights for fit in fits), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_one_program_serves_all_numbers_and_restarts(problems):
    """Contradicting labels cannot be fitted: every restart is used, and none compiles anew."""
    keys = jax.random.split(jax.random.key(2), 3)
    annealing.fit_many(keys, SPEC, annealing.Annealing(), problems, at_once=2)
    before = annealing._run_many._cache_size()
    impossible = problems._replace(rows=jnp.zeros_like(problems.rows))
    fit = annealing.fit_many(keys, SPEC, annealing.Annealing(step=10.0, threshold=1.0), impossible, at_once=2)
    assert annealing._run_many._cache_size() == before
    assert (fit.errors > 0).all()


@pytest.mark.slow
def test_bayesian_prediction_averages_the_upper_layers_exactly():
    """Against the sum over all signs and weights of a hidden layer of 3."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(4, 5)).astype(np.float32)
    below = Moments(jnp.asarray(generator.uniform(-0.5, 0.5, (5, 3))), jnp.full((5, 3), 0.4))
    levels = generator.dirichlet([1.0, 1.0, 1.0], size=3)
    mean = levels[:, 2] - levels[:, 0]
    variance = levels[:, 2] + levels[:, 0] - mean**2
    above = Moments(jnp.asarray(mean)[:, None], jnp.asarray(variance)[:, None])
    average = jax.jit(exact_probabilities)
    found = average([below, above], inputs, jnp.zeros(2))
    scaled = (inputs @ below.mean) / np.sqrt(np.square(inputs) @ below.variance)
    positive = np.asarray(jax.scipy.stats.norm.cdf(scaled))
    expected = np.zeros(4)
    for signs in itertools.product((-1, 1), repeat=3):
        chance = np.prod(np.where(np.array(signs) > 0, positive, 1 - positive), axis=1)
        for weights in itertools.product((-1, 0, 1), repeat=3):
            weight_chance = np.prod([levels[j, weight + 1] for j, weight in enumerate(weights)])
            expected += chance * weight_chance * (np.dot(signs, weights) >= 0)
    np.testing.assert_allclose(found[:, 1], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


def settings_of(classifier, num_outputs=1):
    """Settings for 40 samples of 64 features."""
    return resolve(Parameters.of(classifier), (64, *classifier.hidden, num_outputs), 40, input_norm=1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden": (17,)}, "hidden layers of 1 to 16 units"),
        ({"hidden": ()}, "hidden layers of 1 to 16 units"),
        ({"weights": "binary"}, "weights='ternary'"),
        ({"rule": "mean_field"}, "rule='bp_inspired'"),
        ({"activation": "relu"}, "activation='sign'"),
        ({"bias": True}, "bias=False"),
        ({"density": 0.5}, "density=1.0"),
        ({"batch_size": 8}, "batch_size=None"),
        ({"reinforcement": 0.5}, "reinforcement=None"),
        ({"damping": (0.5, 0.8, 0.5)}, "one number as damping"),
        ({"cavity": "exact"}, "cavity='second_order'"),
    ],
)
def test_says_what_hinders_exact_messages(changed, message):
    parameters = {"hidden": (4, 4)} | changed
    classifier = MessagePassingClassifier(**parameters)
    assert settings_of(classifier).annealing is None
    classifier.set_params(small_fan_in="exact")
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        settings_of(classifier)


def test_more_classes_and_other_choices_take_gaussian_messages():
    classifier = MessagePassingClassifier(hidden=(4, 4))
    assert settings_of(classifier).spec.exact
    assert not settings_of(classifier.set_params(small_fan_in="gaussian")).spec.exact
    with pytest.raises(ValueError, match="small_fan_in must be one of"):
        settings_of(classifier.set_params(small_fan_in="sometimes"))
    spec = settings_of(classifier.set_params(small_fan_in="auto"), num_outputs=3).spec
    assert not spec.exact
    assert "output='binary_label'" in unmet_requirement(spec)
