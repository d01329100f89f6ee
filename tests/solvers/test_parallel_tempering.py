"""Parallel tempering against Boltzmann's distribution and the least energy of all neurons of a toy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn import PairwiseVoteClassifier
from mpnn.solvers import ParallelTemperingClassifier
from mpnn.solvers.parallel_tempering import Replicas, _exchange, _step

TARGET, PENALTY = 0.4, 0.3


@pytest.fixture(scope="module")
def toy():
    rng = np.random.default_rng(0)
    signed = rng.normal(size=(7, 3)).astype(np.float32)
    levels = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    missed = np.maximum(0, TARGET - levels @ signed.T).mean(axis=1)
    return signed, levels, missed + PENALTY * np.count_nonzero(levels, axis=1) / 3


@pytest.mark.slow
def test_replicas_have_boltzmanns_distribution(toy):
    signed, levels, energies = toy
    inverse = jnp.array([8.0, 3.0])
    share, numbers, steps = jnp.full(7, 1 / 7), jnp.array([TARGET, PENALTY]), 40_000
    energy = jnp.full(2, TARGET)
    state = Replicas(jnp.zeros((2, 3)), jnp.zeros((2, 7)), energy, jnp.zeros(3), energy[0])

    @jax.jit
    def run(state):
        def step(state, now):
            key, number = now
            keys = jax.random.split(key, 4)
            proposal = (
                jax.random.randint(keys[0], (2,), 0, 3),
                jax.random.bernoulli(keys[1], shape=(2,)),
                jnp.log(jax.random.uniform(keys[2], (2,))),
            )
            state, _ = _step(jnp.asarray(signed), share, inverse, numbers, state, proposal)
            state = _exchange(keys[3], inverse, number, state)
            return state, state.weights

        keys = jax.random.split(jax.random.key(0), steps)
        return jax.lax.scan(step, state, (keys, jnp.arange(steps)))

    final, visited = run(state)
    for place in range(2):
        drawn = np.array([np.mean(np.all(visited[:, place] == level, axis=1)) for level in levels])
        expected = np.exp(-float(inverse[place]) * energies)
        np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.015)
    # sums and energies are carried along without drift
    np.testing.assert_allclose(final.sums, final.weights @ signed.T, atol=1e-4)


def test_the_least_energy_is_found_of_each_problem(toy):
    rng = np.random.default_rng(1)
    inputs = rng.integers(0, 9, (18, 5))
    labels = np.arange(18) % 3
    member = ParallelTemperingClassifier(2000, num_replicas=4, margin=0.5, penalty=0.2)
    ensemble = PairwiseVoteClassifier(member, random_state=0).fit(inputs, labels)
    for (first, second), fitted in zip(ensemble.pairs_, ensemble.estimators_, strict=True):
        rows = np.isin(labels, (first, second))
        own, signs = inputs[rows], np.where(labels[rows] == first, 1, -1)
        scaled = signs[:, None] * own / np.linalg.norm(own, axis=1).mean()
        levels = np.array(list(itertools.product((-1, 0, 1), repeat=5)))
        missed = np.maximum(0, 0.5 * np.sqrt(0.5) - levels @ scaled.T).mean(axis=1)
        least = (missed + 0.2 * np.count_nonzero(levels, axis=1) / 5).min()
        assert fitted.energy_ == pytest.approx(least, abs=1e-5)
        assert fitted.weights_[0].dtype == np.int8


@pytest.mark.slow
def test_one_network_alone(x64):
    """In a program that computes in float64, too."""
    inputs = np.random.default_rng(1).integers(0, 9, (12, 5))
    labels = inputs[:, 0] > inputs[:, 1]
    alone = ParallelTemperingClassifier(500, random_state=0).fit(inputs, labels)
    assert alone.score(inputs, labels) > 0.9
    assert alone.predict(inputs).dtype == bool


def test_portions_between_which_ctrl_c_is_heard_change_nothing(monkeypatch):
    inputs = np.random.default_rng(1).integers(0, 9, (12, 5))
    labels = inputs[:, 0] > inputs[:, 1]
    alone = ParallelTemperingClassifier(70, random_state=0).fit(inputs, labels)
    portions = iter([(0, 1), (1, 5), (5, 8)])
    monkeypatch.setattr("mpnn.programs.Pace.portions", lambda self, num_steps: portions)
    again = ParallelTemperingClassifier(70, random_state=0).fit(inputs, labels)
    assert next(portions, None) is None
    np.testing.assert_array_equal(again.weights_[0], alone.weights_[0])
    assert again.energy_ == alone.energy_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be"),
        ({"margin": 0.0}, "margin must be above 0"),
        ({"penalty": -1.0}, "penalty must be at least 0"),
        ({"temperatures": (0.0, 1.0)}, "temperatures must be above 0"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        ParallelTemperingClassifier(**options).fit(np.eye(4), [0, 1, 0, 1])
