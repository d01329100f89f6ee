"""Both encoders keep scikit-learn's contract."""

from functools import partial

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from mpnn.encoders import TableEncoder, ThermometerEncoder

# The others are slow: they take more time and say less.
FAST = ("check_transformer_general", "check_estimator_sparse_array", "check_n_features_in_after_fitting")


def cases():
    for estimator in (ThermometerEncoder(), TableEncoder()):
        for own, check in estimator_checks_generator(estimator, mark="skip"):
            name = check.func.__name__ if isinstance(check, partial) else check.__name__
            marks = () if name in FAST else pytest.mark.slow
            yield pytest.param(own, check, id=f"{type(estimator).__name__}-{name}", marks=marks)


@pytest.mark.parametrize(("estimator", "check"), list(cases()))
def test_scikit_learn_contract(estimator, check):
    check(estimator)
