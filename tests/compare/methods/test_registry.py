import numpy as np
import pytest

from mpnn.compare.methods.contract import Task
from mpnn.compare.methods.pairwise import weight_size
from mpnn.compare.methods.registry import METHODS


@pytest.fixture(scope="module")
def task():
    from mpnn.data import load_dataset, sample_few_shot

    data = load_dataset("digits")
    x, y = sample_few_shot(data.x_train, data.y_train, per_class=5, seed=0)
    test = data.x_test[:100].reshape(100, -1)
    return Task(x, y, test, data.y_test[:100], data.image_shape, 16.0, seed=0, keep_weights=True)


@pytest.mark.parametrize("name", ["logistic_regression", "linear_svm", "rbf_svm", "nearest_neighbour"])
def test_baselines_learn(task, name):
    method = METHODS[name]
    model = method.build({}, task)
    model.fit(task.x_train, task.y_train)
    evaluation = method.evaluate(model, task)
    assert np.mean(evaluation.predictions["predict"] == task.y_test) > 0.75
    assert evaluation.facts["weight_bits"] == 64
    assert evaluation.facts["model_bytes"] > 5000
    assert ("predict" in evaluation.probabilities) == (name == "logistic_regression")


def test_images_are_scaled_by_one_factor_and_tables_by_column(task):
    from mpnn.compare.methods.scikit_learn import input_scaler

    np.testing.assert_allclose(input_scaler(task).fit_transform(task.x_train), task.x_train / 16.0)
    table = Task(task.x_train, task.y_train, task.x_test, task.y_test)
    assert input_scaler(table).fit_transform(task.x_train[:, 20:21]).mean() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.usefixtures("fake_estimators")
def test_the_vote_is_scored_hard_and_soft(task):
    method = METHODS["message_passing"]
    model = method.build({"threshold": 0.1, "pairs_per_batch": 5}, task)
    assert model.pairs_per_batch == 5
    assert model.estimator.threshold == 0.1
    assert model.estimator.random_state == task.seed
    before = model.get_params()
    model.fit(task.x_train, task.y_train)
    evaluation = method.evaluate(model, task)
    assert {name: before[name] for name in ("vote", "ties")} == {"vote": "hard", "ties": "head_to_head"}
    assert {name: model.get_params()[name] for name in before if name != "estimator"} == {
        name: before[name] for name in before if name != "estimator"
    }
    assert list(evaluation.scores) == ["vote", "bayes"]
    assert {name: found.shape for name, found in evaluation.probabilities.items()} == {"bayes": (100, 10)}
    assert sum(evaluation.scores["vote"]["label_status"].values()) == 100
    assert -1 in evaluation.predictions["vote"]
    assert -1 not in evaluation.predictions["bayes"]
    assert evaluation.facts["weight_bits"] == 2
    assert evaluation.facts["networks_without_error"] == pytest.approx(1 / 45)  # the fake has 0 to 44 errors
    assert evaluation.facts["model_bytes"] == 45 * 64 * 2 // 8
    assert evaluation.arrays["weights"].shape == (45, 64)
    assert evaluation.arrays["pairs"][0].tolist() == ["0", "1"]


@pytest.mark.usefixtures("fake_estimators")
def test_the_comparison_decides_what_is_predicted():
    known = METHODS["message_passing"].parameters()
    assert "threshold" in known
    assert "pairs_per_batch" in known
    assert not {"prediction", "random_state", "ties", "vote"} & set(known)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "predictions"),
    [
        ("data_splitting", {"hidden": (2,), "max_splits": 1, "time_limit": 2}, ["argmax", "all_good"]),
        ("data_splitting_vote", {"hidden": (2,), "max_splits": 1, "time_limit": 2}, ["vote"]),
        (
            "batch_averaging",
            {"hidden": (3,), "levels": 1, "batch_size": 8, "time_limit": 2},
            ["argmax", "all_good"],
        ),
    ],
)
def test_solvers_are_scored(name, params, predictions):
    pytest.importorskip("highspy")
    pytest.importorskip("ortools")
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    inputs = rng.normal(size=(24, 4)) + 4 * np.eye(4)[labels]
    task = Task(inputs, labels, inputs, labels)
    method = METHODS[name]
    model = method.build(params, task)
    model.fit(inputs, labels)
    evaluation = method.evaluate(model, task)
    assert list(evaluation.predictions) == list(evaluation.scores) == predictions
    assert np.mean(evaluation.predictions[predictions[0]] == labels) > 0.6


def test_biases_and_real_weights_count():
    class Network:
        weights_ = [np.zeros((3, 2), dtype=np.int8)]
        biases_ = [np.array([1, -1], dtype=np.int8)]

    assert weight_size([Network()]) == {"weight_bits": 2, "model_bytes": 2}
    Network.weights_ = [np.zeros((3, 2), dtype=np.float32)]
    assert weight_size([Network()]) == {"weight_bits": 32, "model_bytes": 32}


@pytest.mark.parametrize(("values", "bits"), [([-1, 1], 1), ([-1, 0, 1], 2), (range(-3, 4), 3), ([0], 1)])
def test_bits_are_counted_from_the_weights(values, bits):
    class Network:
        weights_ = [np.array(list(values), dtype=np.int8)[:, None]]

    size = weight_size([Network()])
    assert size == {"weight_bits": bits, "model_bytes": -(-bits * len(list(values)) // 8)}
