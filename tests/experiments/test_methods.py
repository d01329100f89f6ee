"""Calibration and flatness: what the experiments measure, on the digits."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from experiments.common.methods import Classifier
from experiments.common.networks import Model, hold_out
from experiments.uncertainty import calibration, flatness
from experiments.uncertainty.unit_distances import known_units, squared_distances
from mpnn.data import load_dataset
from mpnn.runs.rows import read_rows

MODEL = Model("posterior as prior", [20], "mean_field", numbers={"rho": [1.0, 0.9], "damping": 0.8})
CLASSIFIER = Classifier(
    "straight-through", "STEClassifier", {"hidden": [20], "num_epochs": 4, "batch_size": 40}
)


def test_held_out_samples_leave_the_training_set():
    data = load_dataset("digits")
    half = hold_out(data, 100)
    np.testing.assert_array_equal(np.concatenate([half.x_train, half.x_test]), data.x_train)
    assert len(half.y_test) == 100
    with pytest.raises(ValueError, match="held_out must be from 1 to"):
        hold_out(data, len(data.y_train))


@pytest.mark.slow
def test_flips_cost_every_method_what_they_cost(tmp_path):
    config = flatness.Config(
        "digits", ["odd_even"], [0], [0.0, 0.1, 0.5], 4, [MODEL], [CLASSIFIER], 40, num_draws=4
    )
    flatness.run(config, tmp_path, "test")
    rows = read_rows(tmp_path / "results.jsonl")
    assert [row["method"]["name"] for row in rows] == [MODEL.name, CLASSIFIER.name]
    for row in rows:
        added, error = np.array(row["added"]), np.array(row["train_error"])
        assert added.shape == (1, 3)
        np.testing.assert_array_equal(added[:, 0], 0.0)
        assert np.all((added[:, 1] > 0.0) & (added[:, 1] < added[:, 2]))
        # half of the signs at random leave nothing of what was learned
        assert np.all(abs(added[:, 2] + error - 50.0) < 15.0)
    assert (tmp_path / "flatness.png").stat().st_size > 0


@pytest.mark.slow
def test_calibration_scores_networks_and_ensembles(tmp_path):
    digits = load_dataset("digits")
    noise = np.random.default_rng(0).integers(0, 17, digits.x_test.shape).astype(digits.x_test.dtype)
    data = {"digits": digits, "noise": replace(digits, x_test=noise)}
    config = calibration.Config(["digits", "noise"], [0, 1], [0, 1], 300, 6, [MODEL], [CLASSIFIER], 40)
    for method in (MODEL, CLASSIFIER):
        found = calibration.measure(config, data, {"dataset": "digits", "method": asdict(method)})
        each = {name: [network[name] for network in found["networks"]] for name in found["ensemble"]}
        assert len(found["networks"]) == 2
        assert min(each["accuracy"]) > 60.0
        # by Jensen's inequality
        assert found["ensemble"]["negative_log_likelihood"] < np.mean(each["negative_log_likelihood"])
        assert found["ensemble"]["detected_by_maximum"] > 0.6
        assert found["ensemble"]["detected_by_evidence"] > 0.6
        assert found["ensemble"]["detected_by_units"] > 0.9
        assert sum(share for *_, share in found["reliability"]) == pytest.approx(1.0)


def test_a_temperature_undoes_overconfidence():
    generator = np.random.default_rng(0)
    honest = generator.dirichlet(np.ones(4), size=4000)
    classes = np.array([generator.choice(4, p=own) for own in honest])
    sharp = calibration.tempered_by(1 / 3, honest)
    assert calibration.best_temperature(sharp, classes) == pytest.approx(3.0, rel=0.1)
    np.testing.assert_allclose(calibration.tempered_by(3.0, sharp), honest, atol=1e-4)  # but for the floor


@pytest.mark.parametrize(("datasets", "trained_on"), [(["digits"], None), (["digits", "noise"], ["letters"])])
def test_calibration_needs_two_data_sets_and_trains_on_these(datasets, trained_on):
    with pytest.raises(ValueError, match="calibration needs two datasets"):
        calibration.Config(datasets, [0], [0], 10, 1, [MODEL], [CLASSIFIER], trained_on=trained_on)


def test_other_images_are_detected_where_their_score_is_smaller():
    known, other = np.array([3.0, 2.0, 1.0]), np.array([0.0, 0.5])
    assert calibration.detection(known, other) == 1.0
    assert calibration.detection(other, known) == 0.0
    assert calibration.detection(known, known) == 0.5


def test_distances_are_those_to_the_nearest_class_in_deviations():
    generator = np.random.default_rng(0)
    classes = generator.integers(0, 3, 20000)
    centres, deviations = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]), [1.0, 2.0, 0.5]
    units = centres[classes] + deviations * generator.normal(size=(len(classes), 3))
    units = np.concatenate([units, np.ones((len(classes), 1))], axis=1)  # of a unit that never changes
    known = known_units(units, classes)
    other = np.array([[0.0, 0.0, 1.0, 1.0], [9.0, 2.0, 0.0, 1.0], [1.0, 9.0, 0.0, 1.0]])
    np.testing.assert_allclose(squared_distances(known, other), [4.0, 1.0, 1.0], rtol=0.1)
