"""From classifiers to whole numbers: every family of the library, and what is refused."""

import numpy as np
import pytest

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.deploy import export, lower
from mpnn.deploy.runtime import load
from mpnn.gradient import BayesBiNNClassifier, BopClassifier, STEClassifier
from mpnn.integer_networks.network import IntegerNetwork
from mpnn.solvers import BDNNClassifier, IntegerNetworkClassifier, LocalSearchClassifier
from tests.integer_networks.random_networks import draw_classifier, draw_inputs
from tests.marks import mostly_slow

RNG = np.random.default_rng(0)
X = draw_inputs(RNG, 12)
Y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int) + (X[:, 4] > 8)


def equal_labels(model, rows=X, **options):
    network = lower(model, examples=rows, **options)
    np.testing.assert_array_equal(network.predict(rows), model.predict(rows))
    return network


def test_trained_message_passing_network():
    model = MessagePassingClassifier(hidden=(7,), bias=True, input_scaling="max_abs", random_state=0).fit(
        X, Y
    )
    assert equal_labels(model).exact


def test_trained_vote():
    member = MessagePassingClassifier(input_scaling="max_abs", random_state=0)
    model = PairwiseVoteClassifier(member, ties="head_to_head").fit(X, Y)
    network = equal_labels(model)
    assert network.layers[0].weights.shape[2] == 3
    np.testing.assert_array_equal(network.decision.votes(network.outputs(network.codes(X))), model.votes(X))


@pytest.mark.slow
@mostly_slow(
    "model",
    [
        STEClassifier(hidden=(6, 5), recipe="batch_norm", num_epochs=3, random_state=0),
        STEClassifier(hidden=(6,), recipe="plain", num_epochs=3, random_state=0),
        BayesBiNNClassifier(hidden=(6,), activation="sign", num_epochs=3, random_state=0, prediction="mode"),
        BopClassifier(hidden=(4,), norm=None, num_epochs=1, bias=True, random_state=0),
    ],
    ids=["batch_norm", "plain", "bayesbinn", "bias"],
)
def test_gradient_networks(model):
    equal_labels(model.fit(X, Y))


def test_batch_norm_with_negative_and_zero_scales():
    model = STEClassifier(hidden=(6, 5), recipe="batch_norm", num_epochs=3, random_state=0).fit(X, Y)
    rng = np.random.default_rng(1)
    # per layer: bias, then scale
    model.real_ = [rng.normal(size=leaf.shape).astype(np.float32) for leaf in model.real_]
    model.statistics_[2] = rng.normal(size=5).astype(np.float32)
    model.real_[1][:2] = 0.0
    equal_labels(model)


@pytest.mark.slow
def test_vote_of_gradient_networks():
    model = PairwiseVoteClassifier(STEClassifier(num_epochs=3, random_state=0)).fit(X, Y)
    equal_labels(model)


@pytest.mark.parametrize("scaling", ["raw", "unit"])
def test_solver_networks(scaling):
    model = LocalSearchClassifier(time_limit=0.3, random_state=0).fit(X, Y > 0)
    network = equal_labels(model)
    assert network.exact
    rows = X[:40] / 7.0
    model = LocalSearchClassifier(time_limit=0.3, random_state=0).fit(rows, Y[:40] > 0)
    assert equal_labels(model, rows).exact


@pytest.mark.slow
def test_vote_of_solver_networks():
    member = LocalSearchClassifier(time_limit=0.2, random_state=0)
    for ties in ("head_to_head", "confidence"):
        equal_labels(PairwiseVoteClassifier(member, ties=ties).fit(X, Y))


def test_step_network_of_whole_weights():
    model = BDNNClassifier(integer_weights=True, input_scaling="raw", time_limit=2.0)
    equal_labels(model.fit(X[:20], Y[:20] > 0))


def test_draws_of_solver_networks_are_noted():
    model = IntegerNetworkClassifier(hidden=(2,), time_limit=2.0).fit(X[:12], Y[:12])
    network = lower(model, examples=X)
    assert "draws one" in network.provenance["notes"]
    outputs = model.decision_function(X)
    outputs = outputs if outputs.ndim == 2 else np.stack([-outputs, outputs], axis=1)
    unique = (outputs == outputs.max(axis=1, keepdims=True)).sum(axis=1) == 1
    np.testing.assert_array_equal(network.predict(X)[unique], model.predict(X)[unique])


@pytest.mark.slow
def test_real_inputs_are_inexact_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 9))
    labels = (rows[:, :3].sum(axis=1) > 0).astype(int)
    model = MessagePassingClassifier(encoding=None, random_state=0).fit(rows, labels)
    report = export(model, tmp_path / "real.mpnn", check=rows)
    assert not report.exact
    assert report.labels_compared == 200
    assert report.labels_changed == int(
        np.sum(load(tmp_path / "real.mpnn").predict(rows) != model.predict(rows))
    )
    coarse = export(model, tmp_path / "coarse.mpnn", check=rows, bits=2)
    assert coarse.labels_changed > report.labels_changed


def test_reports_what_is_written(tmp_path):
    model, rows = draw_classifier(9)
    for format, suffix in (("packed", "mpnn"), ("c", "c")):
        report = export(model, tmp_path / f"model.{suffix}", format, check=rows)
        assert report.num_bytes == sum(path.stat().st_size for path in report.files)
        assert report.operations["multiplications"] == 0
    with pytest.raises(ValueError, match="format must be one of"):
        export(model, tmp_path / "model.x", "tflite")


CHEAP = {"encoding": None, "noise": 1.0, "num_sweeps": 1, "rounding": "mode"}
REFUSED = {
    "prediction='mode'": MessagePassingClassifier(prediction="bayes", **CHEAP),
    "real numbers": MessagePassingClassifier(weights="gaussian", **CHEAP),
    "not signs": MessagePassingClassifier(hidden=(3,), activation="relu", **CHEAP),
    "vote must be 'hard'": PairwiseVoteClassifier(MessagePassingClassifier(**CHEAP), vote="soft"),
}


@mostly_slow("message", REFUSED)
def test_refuses_what_is_not_few_bit(message):
    with pytest.raises(ValueError, match=message):
        lower(REFUSED[message].fit(X, Y))


def test_refuses_what_is_not_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        lower(MessagePassingClassifier())


@pytest.mark.slow
def test_refuses_inputs_that_are_no_pixels():
    model = MessagePassingClassifier(input_scaling="max_abs", random_state=0).fit(X, Y)
    network = lower(model, inputs="uint8")
    assert isinstance(network, IntegerNetwork)
    for wrong in (0.5, -1.0, 256.0, np.nan):
        rows = X.astype(float)
        rows[0, 0] = wrong
        with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
            network.predict(rows)
    with pytest.raises(ValueError, match="X must have shape"):
        network.predict(X[:, 1:])


@pytest.mark.slow
def test_scales_of_their_own_are_not_pixels():
    rows = RNG.integers(0, 200, (40, 30))
    model = MessagePassingClassifier(weights="binary", input_scaling="features", random_state=0)
    model.fit(rows, rows[:, 0] > 90)
    with pytest.raises(ValueError, match="one scale for all inputs"):
        lower(model, inputs="uint8")
    equal_labels(model, rows, inputs="real")


@pytest.mark.parametrize("vote", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_table_in_code_is_exact(vote, tmp_path):
    """The classifier's own thresholds become those of the network: no rounded number is left."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 9))
    rows[rng.random(rows.shape) < 0.05] = np.nan
    labels = (np.nan_to_num(rows[:, :3]).sum(axis=1) > 0).astype(int)
    network = MessagePassingClassifier(noise=1.0, random_state=0)
    model = PairwiseVoteClassifier(network) if vote else network
    save_model(model.fit(rows, labels), tmp_path / "model")
    for own in (model, load_model(tmp_path / "model")):
        report = export(own, tmp_path / "table.mpnn", check=rows)
        assert report.exact
        assert report.labels_changed == 0
