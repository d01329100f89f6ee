"""Whole inputs: exact at any size, or refused with their column."""

from fractions import Fraction

import numpy as np
import pytest

from mpnn.solvers.base import SolverClassifier
from mpnn.solvers.formulation import Weights
from mpnn.solvers.integer_inputs import integer_inputs


class Fitted(SolverClassifier):
    """A network of given weights."""

    def fit(self, X, y):
        """Nothing to do: `network` stores what is fitted."""
        return self


def network(weights, scaling="raw", training=None):
    """A fitted solver network with one output and given weights."""
    model = Fitted()
    training = np.eye(len(weights), dtype=int) * 8 if training is None else training
    model.n_features_in_ = training.shape[1]
    model.input_transform_ = integer_inputs(training, scaling)
    model._publish(Weights((np.asarray(weights)[:, None],)))
    model.classes_ = np.array([0, 1])
    return model


@pytest.mark.parametrize("far", [1.0, 1e9, 1e15, 1e18, 1e19, 1e30, 1e299])
def test_outputs_are_exact_at_any_size(far):
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, size=6)
    inputs = np.round(rng.normal(size=(50, 6)) * far)
    inputs[:20, 1], inputs[:20, 0] = -inputs[:20, 0], inputs[:20, 1]
    exact = [sum(Fraction(x) * int(w) for x, w in zip(row, weights, strict=True)) for row in inputs]
    model = network(weights)
    assert model._outputs(inputs)[:, 0].tolist() == exact
    np.testing.assert_array_equal(model.predict(inputs), [int(output >= 0) for output in exact])


def test_unsigned_numbers_beyond_int64_keep_their_sign():
    inputs = np.array([[2**63 + 1, 0], [0, 2**64 - 1]], np.uint64)
    np.testing.assert_array_equal(network([1, -1]).predict(inputs), [1, 0])


def test_too_large_inputs_are_refused_with_their_column():
    with pytest.raises(ValueError, match=r"column 1 of X holds 1e\+305"):
        network([1, 1]).predict([[0.0, 1e305]])


def test_columns_without_steps_are_refused():
    with pytest.raises(ValueError, match=r"column 0 of X spans inf"):
        integer_inputs(np.array([[-1e308, 0.0], [1e308, 1.0]]), "unit")
    with pytest.raises(ValueError, match=r"column 0 of X spans 4.94066e-324"):
        integer_inputs(np.array([[5e-324], [0.0]]))
    with pytest.warns(UserWarning, match=r"column 0 of X, from 0.0 to 5e-324, varies by less than the steps"):
        assert integer_inputs(np.array([[5e-324, 1.5], [0.0, 0.0]])).live.tolist() == [False, True]
