"""Coefficients are what decides, importances are their shares by column; hidden units have none."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.gradient import STEClassifier

X, LABELS = load_iris(return_X_y=True)
SINGLE = MessagePassingClassifier((), num_sweeps=10, rounding="mode", noise=1.0, random_state=0)


@pytest.mark.parametrize("options", [{"bias": True, "weights": "binary"}, {"input_scaling": "features"}])
def test_coefficients_decide(options):
    model = MessagePassingClassifier(**{**SINGLE.get_params(), **options}).fit(X, LABELS)
    coded = model.encoder_ is not None
    inputs = model.encoder_.transform(X) if coded else model.input_transform_(X.astype(np.float32))
    outputs = inputs @ model.coef_.T + model.intercept_
    np.testing.assert_array_equal(outputs.argmax(axis=1), model.predict(X))
    assert np.any(model.intercept_) == (model.encoder_ is not None)


def test_importances_are_shares_of_columns():
    noise = np.random.default_rng(0).normal(size=(len(X), 2))
    table = np.column_stack([noise[:, 0], X[:, 2], np.ones(len(X)), noise[:, 1]])
    vote = PairwiseVoteClassifier(SINGLE)
    for model in (MessagePassingClassifier(**SINGLE.get_params()), vote):
        shares = model.fit(table, LABELS).feature_importances_
        assert shares.shape == (4,)
        assert shares.argmax() == 1
        assert shares[2] == 0
        np.testing.assert_allclose(shares.sum(), 1)
    network = model.estimators_[0]
    names = network.encoder_.get_feature_names_out()
    own = [
        np.abs(network.coef_[:, [name.startswith(f"x{column}") for name in names]]).sum()
        for column in range(4)
    ]
    np.testing.assert_allclose(network.feature_importances_, np.array(own) / np.sum(own))


def test_scikit_learn_selects_by_them():
    vote = PairwiseVoteClassifier(SINGLE)
    assert SelectFromModel(vote, threshold="mean").fit(X, LABELS).get_support().any()


def test_a_table_that_never_varies_has_no_importances():
    model = MessagePassingClassifier(**SINGLE.get_params()).fit(np.ones((60, 3)), LABELS[:60])
    assert model.feature_importances_.tolist() == [0, 0, 0]


@pytest.mark.slow
def test_networks_with_hidden_units_have_none():
    model = STEClassifier((2,), num_epochs=2, random_state=0)
    with pytest.raises(NotFittedError):
        model.coef_  # noqa: B018
    model.fit(X, LABELS)
    for name in ("coef_", "intercept_", "feature_importances_"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match=f"STEClassifier has {name} without hidden units alone"):
            getattr(model, name)
    assert STEClassifier(num_epochs=2, bias=True).fit(X, LABELS).intercept_.shape == (3,)
    vote = PairwiseVoteClassifier(model).fit(X, LABELS)
    assert not hasattr(vote, "feature_importances_")
    assert not hasattr(PairwiseVoteClassifier(LogisticRegression()).fit(X, LABELS), "feature_importances_")
    assert not hasattr(PairwiseVoteClassifier(), "feature_importances_")
