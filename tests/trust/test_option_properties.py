"""What must hold of votes with each option, of layers in flax models and of plans, whatever is drawn."""

from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn import functional as mp
from mpnn.ensemble import votes as voting
from mpnn.flax_layers import Belief, BeliefLayers, FewBitLayer, counting_once
from mpnn.layers import Dense
from mpnn.planning import MACHINES, load_machine, plan_training, save_machine

pytestmark = pytest.mark.slow
many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))  # each compiles thrice
seeds = st.integers(0, 2**31)


def drawn_decisions(seed, num_classes, num_rows=9):
    """Decisions and probabilities of all pairs, which agree."""
    rng = np.random.default_rng(seed)
    pairs = voting.all_pairs(num_classes)
    probabilities = np.round(rng.random((num_rows, len(pairs))), rng.integers(1, 4))
    return pairs, probabilities >= 0.5, probabilities


@many
@given(seed=seeds, num_classes=st.integers(2, 8))
def test_votes_do_not_depend_on_the_order_of_classes(seed, num_classes):
    pairs, wins, probabilities = drawn_decisions(seed, num_classes)
    votes = voting.count_votes(wins, pairs, num_classes)
    assert np.all(votes.sum(axis=1) == len(pairs))
    assert votes.max() <= num_classes - 1
    winners, coupled = (
        voting.resolve_ties(votes, wins, pairs),
        voting.couple(probabilities, pairs, num_classes),
    )
    order = np.random.default_rng(seed).permutation(num_classes)  # class order[k] becomes class k
    places = {pair: index for index, pair in enumerate(pairs)}
    own = [(int(order[i]), int(order[j])) for i, j in pairs]
    columns, flipped = [places[tuple(sorted(pair))] for pair in own], np.array([i > j for i, j in own])
    moved, odds = wins[:, columns] ^ flipped, probabilities[:, columns]
    odds = np.where(flipped, 1.0 - odds, odds)
    again = voting.count_votes(moved, pairs, num_classes)
    np.testing.assert_array_equal(again, votes[:, order])
    labels = voting.resolve_ties(again, moved, pairs)
    np.testing.assert_array_equal(np.where(labels < 0, -1, order[labels]), winners)
    np.testing.assert_allclose(voting.couple(odds, pairs, num_classes), coupled[:, order], atol=1e-9)
    assert np.all(coupled >= 0.0)
    np.testing.assert_allclose(coupled.sum(axis=1), 1.0)


@many
@given(seed=seeds, num_classes=st.integers(2, 8))
def test_probabilities_that_agree_are_coupled_to_themselves(seed, num_classes):
    given_probabilities = np.random.default_rng(seed).dirichlet(np.full(num_classes, 3.0), size=5)
    pairs = voting.all_pairs(num_classes)
    of_pairs = [
        given_probabilities[:, i] / (given_probabilities[:, i] + given_probabilities[:, j]) for i, j in pairs
    ]
    found = voting.couple(np.stack(of_pairs, axis=1), pairs, num_classes)
    np.testing.assert_allclose(found, given_probabilities, atol=1e-3)


@many
@given(seed=seeds, num_classes=st.integers(2, 8))
def test_statuses_count_every_sample_once(seed, num_classes):
    pairs, wins, _ = drawn_decisions(seed, num_classes)
    votes = voting.count_votes(wins, pairs, num_classes)
    winners = voting.resolve_ties(votes, wins, pairs)
    classes = np.random.default_rng(seed).integers(-1, num_classes, size=len(votes))
    status = voting.label_status(votes, winners, classes)
    assert sum(status.values()) == len(votes)
    right = np.sum((winners == classes) & (classes >= 0))
    assert status["unique_right"] + status["two_way_right"] == right


MEMBER = {"hidden": (), "encoding": None, "num_sweeps": 5, "num_samples": 4}


@some
@given(
    seed=seeds,
    vote=st.sampled_from(["hard", "soft"]),
    ties=st.sampled_from(["confidence", "head_to_head"]),
    prediction=st.sampled_from(["mode", "bayes", "sample"]),
    class_weight=st.sampled_from([None, "balanced", "ones", "twos"]),
    weighted=st.sampled_from([None, "ones", "some"]),
)
def test_votes_with_every_option(seed, vote, ties, prediction, class_weight, weighted):
    """Labels are classes, probabilities are probabilities, rows are answered alone; weights of 1 are none."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(30, 6)), np.repeat(["a", "b", "c"], 10)
    weight = {None: None, "ones": np.ones(30), "some": np.tile([1.0, 0.0, 2.0], 10)}[weighted]
    of_classes = {"ones": dict.fromkeys("abc", 1.0), "twos": dict.fromkeys("abc", 2.0)}
    member = MessagePassingClassifier(**MEMBER, prediction=prediction)
    how = {"vote": vote, "ties": ties, "unlabelled": "?", "random_state": 0}

    def fitted(class_weight, rows, weight):
        model = PairwiseVoteClassifier(member, class_weight=class_weight, **how)
        return model.fit(X[rows], y[rows], sample_weight=weight)

    everything = np.arange(30)
    model = fitted(of_classes.get(class_weight, class_weight), everything, weight)
    labels, probabilities = model.predict(X), model.predict_proba(X)
    assert set(labels) <= set("abc?")
    assert np.all((probabilities >= 0.0) & (probabilities <= 1.0))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    if ties == "confidence":
        np.testing.assert_array_equal(labels, model.classes_[probabilities.argmax(axis=1)])
    if prediction != "sample":
        np.testing.assert_array_equal(model.predict(X[3:4]), labels[3:4])
        np.testing.assert_allclose(model.predict_proba(X[3:4]), probabilities[3:4], atol=1e-5)
    if class_weight in (None, "ones"):
        present = everything if weight is None else np.flatnonzero(weight)
        plain = fitted(None, present, None if weighted != "some" else weight[present])
        for one, other in zip(model.estimators_, plain.estimators_, strict=True):
            np.testing.assert_array_equal(one.weights_[0], other.weights_[0])


families = st.sampled_from(["binary", "ternary", 3])


@some
@given(
    seed=seeds,
    family=families,
    rule=st.sampled_from(["mean_field", "bp_inspired", "amp"]),
    bias=st.booleans(),
    exponent=st.integers(-10, 10),
)
def test_layers_in_flax_models_answer_and_learn(seed, family, rule, bias, exponent):
    """Means are within the units, of each row alone; derivatives are finite; a whole step is the messages."""
    rng = np.random.default_rng(seed)
    inputs = jnp.asarray(rng.normal(size=(8, 5)) * 2.0**exponent, jnp.float32)
    layers = (Dense(4, weights=family, rule=rule, bias=bias), Dense(3, weights=family, rule=rule))
    hidden = BeliefLayers((5,), layers, rngs=nnx.Rngs(seed), noise=0.5)
    means = hidden(inputs)
    assert means.shape == (8, 3)
    assert bool(jnp.all(jnp.abs(means) <= 1.0 + 1e-6))
    np.testing.assert_allclose(hidden(inputs[2:3]), means[2:3], atol=1e-5)
    order = rng.permutation(8)
    np.testing.assert_allclose(hidden(inputs[order]), means[order], atol=1e-5)
    largest = {"binary": 1, "ternary": 1}.get(family, family)
    assert all(own.dtype == jnp.int8 and int(jnp.abs(own).max()) <= largest for own in hidden.weights())
    assert set(np.unique(hidden.units(inputs))) <= {-1.0, 1.0}
    wanted = jnp.asarray(rng.choice([-1.0, 1.0], size=(8, 3)), jnp.float32)
    slopes = nnx.grad(
        lambda own: -jnp.sum(jnp.log1p(0.99 * wanted * own(inputs))), argnums=nnx.DiffState(0, Belief)
    )(hidden)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(slopes))
    nnx.Optimizer(hidden, counting_once(1.0, 2.0), wrt=Belief).update(hidden, slopes)
    for variable, slope in zip(hidden.fields, slopes["fields"].values(), strict=True):
        np.testing.assert_allclose(variable[...], -2.0 * slope[...], rtol=1e-4, atol=1e-4)


@some
@given(seed=seeds, family=families, output=st.sampled_from(["units", "moments"]))
def test_published_layers_are_those_of_the_network(seed, family, output):
    spec = mp.NetworkSpec.dense((5, 4, 1), weights=family)
    state = mp.init(seed, spec)
    layer = FewBitLayer.from_network(spec, state, index=0, output=output)
    np.testing.assert_array_equal(layer.weights[...], mp.decode(spec, state)[0])
    inputs = jnp.asarray(np.random.default_rng(seed).normal(size=(7, 5)), jnp.float32)
    units = np.asarray(layer(inputs))
    assert units.shape == (7, 4)
    assert np.all(np.abs(units) <= 1.0 + 1e-6)
    assert output == "moments" or set(np.unique(units)) <= {-1.0, 1.0}
    np.testing.assert_allclose(layer(inputs[1:2]), units[1:2], atol=1e-6)


@few
@given(
    name=st.sampled_from(sorted(MACHINES)),
    rows=st.integers(1, 10**12),
    widths=st.sampled_from([(), (8,), (8, 4)]),
    classes=st.sampled_from([2, 5]),
    epochs=st.integers(1, 50),
    devices=st.sampled_from([1, 2, 8]),
)
def test_plans_grow_with_what_is_asked(name, rows, widths, classes, epochs, devices):
    how = {
        "columns": 3,
        "bits": 4,
        "hidden": widths,
        "classes": classes,
        "batch_size": 64,
        "devices": devices,
    }
    machine = MACHINES[name]
    plan = plan_training(machine, rows=rows, epochs=epochs, **how)
    numbers = [value for value in plan if isinstance(value, int | float)]
    assert np.all(np.isfinite(numbers))
    assert min(numbers) >= 0
    assert plan.num_inputs == 12
    assert plan.seconds == pytest.approx(plan.num_steps * (plan.step_seconds + plan.link_seconds))
    assert (plan.link_seconds == 0) == (devices == 1)
    twice = plan_training(machine, rows=2 * rows, epochs=epochs, **how)
    for field in ("seconds", "operations", "bytes_read"):
        assert getattr(twice, field) == pytest.approx(2 * getattr(plan, field))
    slower = replace(machine, flops=machine.flops / 2, bandwidth=machine.bandwidth / 2)
    assert plan_training(slower, rows=rows, epochs=epochs, **how).seconds >= plan.seconds


@many
@given(seed=seeds, source=st.text(max_size=20))
def test_machines_come_back_as_they_were_written(seed, source, tmp_path_factory):
    rates = np.exp(np.random.default_rng(seed).normal(scale=20.0, size=7)).tolist()
    machine = replace(MACHINES["h100"], **dict(zip(list(asdict(MACHINES["h100"]))[1:8], rates, strict=True)))
    path = tmp_path_factory.mktemp("machine") / "machine.json"
    save_machine(replace(machine, source=source), path)
    assert load_machine(path=path) == replace(machine, source=source)
