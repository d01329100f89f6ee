"""Tables as strangers have them, with nothing set."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.encoders import TableEncoder
from mpnn.message_passing.classifier.inputs import POWER_OF_A_COLUMN, bits_alone, transform_of_bits
from mpnn.preprocessing.scaling import InputTransform, squared_norms
from tests.marks import mostly_slow

# The vote chooses as its members do; it trains many times as long.
NETWORK_AND_VOTE = [MessagePassingClassifier, pytest.param(PairwiseVoteClassifier, marks=pytest.mark.slow)]


def halves(load):
    X, y = load(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)


def people(num_rows=120, seed=0):
    """Numbers, text, categories, truth values, and holes; the label follows two of them."""
    generator = np.random.default_rng(seed)
    age = generator.uniform(18, 80, num_rows)
    job = generator.choice(["baker", "driver", "nurse"], num_rows)
    frame = pd.DataFrame(
        {
            "age": np.where(generator.random(num_rows) < 0.1, np.nan, age),
            "job": pd.Series(job, dtype=object).where(generator.random(num_rows) > 0.05, None),
            "member": generator.random(num_rows) < 0.5,
            "city": pd.Categorical(generator.choice(["Oslo", "Rome"], num_rows)),
        }
    )
    return frame, np.where((age > 45) | (job == "nurse"), "yes", "no")


@pytest.mark.parametrize(
    "load",
    [load_iris, *(pytest.param(own, marks=pytest.mark.slow) for own in (load_wine, load_breast_cancer))],
)
@pytest.mark.parametrize("make", NETWORK_AND_VOTE)
def test_defaults_are_near_logistic_regression(load, make):
    train, test, y_train, y_test = halves(load)
    rival = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, y_train).score(test, y_test)
    assert make(random_state=0).fit(train, y_train).score(test, y_test) >= rival - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, pytest.param(0.2, marks=pytest.mark.slow)])
def test_wrong_labels_do_not_end_training(share):
    generator = np.random.default_rng(0)
    direction, y = generator.choice([-1.0, 1.0], 20), np.arange(5000) % 2
    X = generator.normal(size=(5000, 20)) + np.outer(2 * y - 1, direction) * 0.45
    labels = np.where(generator.random(5000) < share, 1 - y, y)
    rival = LogisticRegression().fit(X, labels).score(X, y)
    assert MessagePassingClassifier(random_state=0).fit(X, labels).score(X, y) >= rival - 0.01


@pytest.mark.slow
def test_an_unsure_output_keeps_what_the_beliefs_know():
    """Of many rows with wrong labels, where most single weights of the output may be 0."""
    generator, normal = np.random.default_rng(0), np.random.default_rng(5).normal(size=20)
    X = generator.normal(size=(20_000, 20))
    right = X @ normal > 0
    labels = np.where(generator.random(20_000) < 0.2, ~right, right)
    model = MessagePassingClassifier(random_state=1).fit(X, labels)
    discrete = model.score(X, right)
    assert discrete >= model.set_params(prediction="bayes").score(X, right) - 0.02


@pytest.mark.slow
def test_many_levels_round_what_damping_averaged():
    """In mini-batches the output's field is that of the last batches; its damped mean is not."""
    generator = np.random.default_rng(0)
    y = np.arange(3000) % 2
    X = generator.normal(size=(3000, 10)) + 0.8 * (2 * y - 1)[:, None]
    model = MessagePassingClassifier(weights=3, random_state=0).fit(X, y)
    discrete = model.score(X, y)
    assert discrete >= model.set_params(prediction="bayes").score(X, y) - 0.02


@pytest.mark.parametrize("make", NETWORK_AND_VOTE)
def test_columns_of_every_kind(make, tmp_path):
    frame, labels = people()
    model = make(random_state=0).fit(frame, labels)
    assert model.feature_names_in_.tolist() == ["age", "job", "member", "city"]
    assert model.score(frame, labels) > 0.9
    other, other_labels = people(seed=1)
    other.loc[0, "job"] = "astronaut"
    assert model.score(other, other_labels) > 0.8
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(other), model.predict(other))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(other.rename(columns={"age": "years"}))


@pytest.mark.slow
@pytest.mark.parametrize("make", NETWORK_AND_VOTE)
def test_the_answer_does_not_depend_on_units(make):
    train, test, y_train, _ = halves(load_iris)
    expected = make(random_state=0).fit(train, y_train).predict(test)
    scale, offset = np.array([1e-30, 1e30, 1e6, -2.0]), np.array([0.0, 0.0, 1e9, 5.0])
    for units in (lambda X: X * np.abs(scale), lambda X: X + offset):
        moved = make(random_state=0).fit(units(train), y_train)
        np.testing.assert_array_equal(moved.predict(units(test)), expected)


def test_sparse_rows_of_words():
    generator = np.random.default_rng(0)
    y = np.arange(200) % 2
    words = generator.random((200, 300)) < 0.03
    words[:, :10] |= (generator.random((200, 10)) < 0.5) & (y == 1)[:, None]
    X = sparse.csr_matrix(words.astype(float))
    model = MessagePassingClassifier(noise=1.0, sparsity=1.0, random_state=0).fit(X[:150], y[:150])
    assert model.score(X[150:], y[150:]) > 0.85
    np.testing.assert_array_equal(model.predict(X), model.predict(X.toarray()))


@pytest.mark.slow
def test_sparse_weights_of_words_are_numbers():
    generator = np.random.default_rng(0)
    y = np.arange(120) % 2
    words = generator.random((120, 50)) * (generator.random((120, 50)) < 0.05)
    words[:, :10] += generator.random((120, 10)) * (y == 1)[:, None]
    X = sparse.csr_matrix(words)
    vote = PairwiseVoteClassifier(MessagePassingClassifier((), random_state=0)).fit(X[:80], y[:80])
    assert vote.estimators_[0].encoder_ is None
    assert vote.score(X[80:], y[80:]) > 0.9
    np.testing.assert_array_equal(vote.predict(X), vote.predict(words))
    single = MessagePassingClassifier((), random_state=0).fit(X[:80], y[:80])
    np.testing.assert_array_equal(single.predict(X), single.predict(words))


@pytest.mark.slow
def test_intensities_and_chosen_scalings_stay_numbers():
    images = np.random.default_rng(0).integers(0, 17, (40, 64)) * (np.arange(64) % 3 > 0)
    y = (images[:, 1] > 8).astype(int)
    quick = MessagePassingClassifier((), noise=1.0, num_sweeps=2)
    assert quick.fit(images, y).encoder_ is None
    table = np.random.default_rng(1).normal(size=(40, 5))
    assert clone(quick).set_params(input_scaling="features").fit(table, y).encoder_ is None
    assert clone(quick).set_params(encoding=None).fit(table, y).encoder_ is None
    assert clone(quick).set_params(encoding="table").fit(images, y).encoder_ is not None


@pytest.mark.slow
def test_a_table_that_never_varies_is_the_majority():
    y = np.array([0] * 12 + [1] * 5)
    model = MessagePassingClassifier(random_state=0).fit(np.ones((17, 3)), y)
    assert set(model.predict(np.zeros((4, 3)))) == {0}


@pytest.mark.slow
@mostly_slow("make", [MessagePassingClassifier, PairwiseVoteClassifier])
def test_two_rows_many_times_leave_nothing_to_hold_out(make):
    truth = np.arange(60) % 2
    labels = np.where(np.arange(60) < 6, 1 - truth, truth)
    assert make().fit(truth[:, None], labels).score(truth[:, None], truth) == 1.0


def test_new_numbers_of_rows_share_programs():
    from mpnn.message_passing.classifier import compiled

    train, test, y_train, _ = halves(load_iris)
    model = MessagePassingClassifier(random_state=0).fit(train, y_train)
    model.predict(test[:20])
    before = compiled.score._cache_size()
    for rows in range(17, 32):
        assert len(model.predict(test[:rows])) == rows
    assert compiled.score._cache_size() == before


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2_200, 2_600, 4_000, 10_000])
def test_clusters_of_three_classes_are_learned(rows):
    """With 400 steps, hidden units knew nothing in the end, and a third of the labels was right."""
    X, y = make_classification(
        rows + 4000, 20, n_informative=8, n_redundant=4, n_classes=3, n_clusters_per_class=3, random_state=5
    )
    model = MessagePassingClassifier(random_state=0).fit(X[:rows], y[:rows])
    assert model.score(X[rows:], y[rows:]) > 0.55


def test_columns_have_the_same_say():
    """Of few values or many: variances, were levels equally frequent; folded weights do the same."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "flag": np.arange(400) % 2,
            "job": pd.Categorical.from_codes(np.arange(400) % 8, list("abcdefgh")),
            "grade": np.arange(400) % 5,
            "constant": 1.0,
            "length": generator.permutation(400),
        }
    )
    encoder = TableEncoder().fit(frame)
    transform, bits = transform_of_bits(encoder), encoder.transform(frame)
    inputs = transform(bits)
    assert transform.sums.tolist() == [-1] * 9 + [0] * 4 + [1] * 16
    assert inputs.shape == (400, 31)
    variances = inputs.var(axis=0)
    for variance in (variances[0], variances[1:9].sum(), variances[29], variances[30]):  # flag, job, two sums
        assert variance == pytest.approx(POWER_OF_A_COLUMN, rel=0.3)
    weights = generator.integers(-1, 2, size=(31, 6))
    np.testing.assert_array_equal(bits.astype(int) @ transform.folded(weights), inputs @ weights)
    plain = bits_alone(transform)
    for own in (transform, plain):
        assert own.of_bits(bits).dtype == np.int8
        np.testing.assert_array_equal(own.of_bits(bits), own(bits))
        assert own.of_training(bits).dtype == np.int8
    np.testing.assert_array_equal(plain(bits), np.pad(bits, ((0, 0), (0, 2))))
    np.testing.assert_array_equal(plain.folded(weights), weights[:29])


def test_inputs_of_training_are_those_of_prediction():
    """In eight bits where factors are whole and small, else in float32; their norms do not overflow."""
    bits = np.where(np.random.default_rng(0).random((9, 40)) < 0.5, -1, 1).astype(np.int8)
    live, sums = np.ones(41, bool), np.repeat(0, 40)
    for factor, kind in ((3.0, np.int8), (3.5, np.float32), (4.0, np.float32)):  # a sum of 40 bits, times 4
        scale = np.full(41, factor, np.float32)
        transform = InputTransform(scale, 1.0, np.zeros((), np.float32), live, sums=sums)
        inputs = transform.of_training(bits)
        assert inputs.dtype == kind
        np.testing.assert_array_equal(inputs, transform(bits))
        np.testing.assert_array_equal(squared_norms(inputs), np.square(transform(bits)).sum(axis=1))


def test_bits_of_columns_with_one_threshold_stay_bits():
    words = np.random.default_rng(0).integers(0, 2, size=(50, 30))
    encoder = TableEncoder().fit(words)
    bits = encoder.transform(words)
    transform = transform_of_bits(encoder)
    assert transform.sums is None
    np.testing.assert_array_equal(transform(bits), bits)


@pytest.mark.slow
def test_inputs_are_centred_in_whole_numbers():
    """As often as rows count; training, prediction and the discrete network read the same."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=150), rng.poisson(0.4, size=(150, 3))])
    y, counts = (X[:, 1] + X[:, 2] > X[:, 0]).astype(int), rng.integers(1, 4, size=150)
    encoder = TableEncoder().fit(X)
    bits, repeated = encoder.transform(X), encoder.transform(np.repeat(X, counts, axis=0))
    for plain in (transform_of_bits(encoder), bits_alone(transform_of_bits(encoder))):
        transform = plain.centred(bits, counts)
        np.testing.assert_array_equal(transform.offset, np.rint(plain(repeated).mean(axis=0, dtype=float)))
        np.testing.assert_array_equal(transform.offset, plain.centred(repeated).offset)
        assert transform.of_training(bits).dtype == np.int8
        np.testing.assert_array_equal(transform.of_training(bits), plain(bits) - transform.offset)
    network = MessagePassingClassifier(noise=0.5, num_sweeps=10, random_state=0).fit(X, y)
    assert network.input_transform_.offset.any()
    values = network.input_transform_(network.encoder_.transform(X))
    for weights, biases in zip(network.weights_, network.biases_, strict=True):
        values = np.where(values @ weights.astype(int) + biases >= 0, 1, -1)
    np.testing.assert_array_equal(network.predict(X), (values.ravel() > 0).astype(int))


@pytest.mark.slow
def test_counts_of_words_of_several_classes_are_learned():
    """Bits of rare words are nearly always -1: not centred, their common part drowns what differs."""
    rng, labels = np.random.default_rng(0), np.arange(400) % 4
    topics = rng.dirichlet(np.full(250, 0.1), size=4)
    words = np.stack([rng.multinomial(30, 0.5 * topics[label] + 0.5 / 250) for label in labels])
    network = MessagePassingClassifier(encoding="table", noise=0.5, rounding="feedback", random_state=0)
    assert network.fit(words[:300], labels[:300]).score(words[300:], labels[300:]) > 0.9


@pytest.mark.parametrize("weights", [12, 13, pytest.param(31, marks=pytest.mark.slow)])
def test_large_weights_beside_sums_fit_eight_bits(weights):
    """A flag counts ten times beside numbers: times 15 or 31, eight bits do not hold its weights."""
    flags, numbers = np.arange(200) % 2, np.arange(200.0) / 100.0
    X = np.stack([flags, numbers], axis=1)
    transform = transform_of_bits(TableEncoder().fit(X), largest_weight=weights)
    inputs = np.full((len(transform.live), 1), weights)
    assert (inputs if transform.sums is None else transform.folded(inputs)).max() <= 127
    assert (transform.sums is not None) == (weights <= 12)


def test_scores_and_probabilities_rank_rows_alike():
    """Of one layer, where the spread of the output differs from row to row."""
    frame, labels = people(60)
    network = MessagePassingClassifier(hidden=(), noise=0.5, num_sweeps=3, random_state=0)
    network.fit(frame, labels)
    order = np.argsort(network.decision_function(frame), kind="stable")
    assert (np.diff(network.predict_proba(frame)[order, 1]) >= 0).all()
