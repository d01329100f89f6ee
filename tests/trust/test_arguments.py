"""Values that mean nothing: every public estimator and function refuses them in a sentence that names them.

With counts: ``python -m experiments.trust.arguments``.
"""

import pickle

import numpy as np
import pytest

from experiments.trust.arguments import CALLS, ESTIMATORS, NONSENSE, faults_of_call, faults_of_estimator
from mpnn import validation
from mpnn.callbacks import CSVLog, Epoch, ProgressBar
from mpnn.solvers import SingleNeuronClassifier

AN_OBJECT = {"an object": NONSENSE["an object"]}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_refuse_an_object_as_any_parameter(name):
    assert list(faults_of_estimator(name, AN_OBJECT)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_refuse_what_means_nothing(name):
    assert list(faults_of_estimator(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_functions_refuse_what_means_nothing(name):
    assert list(faults_of_call(name)) == []


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (validation.whole, 10**400, "x must be a whole number of at least 1, got 1000"),
        (validation.whole, 10**10, "at most 2147483647, got 10000000000"),
        (validation.whole, True, "x must be a whole number of at least 1, got True"),
        (validation.above_zero, 10**400, "x must be above 0 and finite, got 1000"),
        (validation.random_source, -1, "x must be None, a whole number from 0"),
        (validation.random_source, np.random.default_rng(0), "a NumPy RandomState, got Generator"),
        (validation.path, "a\0b", "which holds no zero byte, got 'a"),
    ],
)
def test_checks_name_the_value(check, value, message):
    with pytest.raises(ValueError, match=message):
        check("x", value)


def test_what_has_no_hash_is_no_name():
    with pytest.raises(ValueError, match=r"x must be one of \('a',\), got \['a'\]"):
        validation.one_of("x", ["a"], {"a": 1})


def test_widths_that_can_be_read_once_are_refused():
    with pytest.raises(ValueError, match="hidden must be a sequence of widths"):
        validation.hidden_widths(width for width in (4, 4))
    with pytest.raises(ValueError, match="hidden must be a sequence of widths"):
        validation.hidden_widths(b"ab")


@pytest.mark.parametrize("offset", [1e8, 1e16])
def test_columns_that_steps_do_not_tell_apart_are_refused(offset):
    inputs = np.random.default_rng(0).integers(0, 5, size=(12, 2)) + offset
    with pytest.raises(ValueError, match=r"column 0 of X, from 1.*set input_scaling='unit'"):
        SingleNeuronClassifier().fit(inputs, np.tile([0, 1], 6))


def test_a_column_that_is_lost_beside_a_larger_one_is_named():
    inputs = np.column_stack([np.arange(12) / 8, np.arange(12) * 1e9])
    with pytest.warns(UserWarning, match="column 0 of X, from 0.0 to 1.375, varies by less"):
        SingleNeuronClassifier("lp_rounding").fit(inputs, np.tile([0, 1], 6))


def test_inputs_of_zeros_have_a_network_of_zeros():
    classifier = SingleNeuronClassifier().fit(np.zeros((6, 2)), np.tile([0, 1], 3))
    assert not classifier.weights_[0].any()


def test_masked_and_missing_labels_are_refused_by_row():
    pandas = pytest.importorskip("pandas")
    inputs = np.arange(12.0).reshape(6, 2)
    labels = np.tile([0, 1], 3)
    for wrong, message in (
        (np.ma.masked_array(labels, mask=labels == 1), r"label 1 \(from 0\) is masked"),
        (pandas.Series(labels, dtype="Int64").where(labels == 0), r"label 1 \(from 0\) is missing"),
        (np.array([1, "b"] * 3, object), r"several types, such as 1 \(int\) and 'b' \(str\)"),
    ):
        with pytest.raises(ValueError, match=message):
            SingleNeuronClassifier("lp_rounding").fit(inputs, wrong)


def test_masked_inputs_are_missing():
    inputs = np.ma.masked_array(np.arange(12.0).reshape(6, 2), mask=np.arange(12).reshape(6, 2) == 3)
    with pytest.raises(ValueError, match="contains NaN"):
        SingleNeuronClassifier("lp_rounding").fit(inputs, np.tile([0, 1], 3))


def test_nullable_labels_keep_their_type():
    pandas = pytest.importorskip("pandas")
    inputs, labels = np.arange(12.0).reshape(6, 2), np.tile([0, 1], 3)
    for kind, expected in (("Int64", "int64"), ("boolean", "bool"), ("UInt8", "uint8")):
        given = pandas.Series(labels, dtype=kind)
        found = SingleNeuronClassifier("lp_rounding").fit(inputs, given).classes_
        assert found.dtype == expected


def test_callbacks_can_be_pickled_after_a_training(tmp_path):
    for callback in (CSVLog(tmp_path / "log.csv"), ProgressBar()):
        with pytest.raises(ValueError, match="call on_begin before the first epoch"):
            callback.on_epoch(Epoch(1, 2, {"error": 0.5}, 0.1))
        callback.on_begin(2)
        callback.on_epoch(Epoch(1, 2, {"error": 0.5}, 0.1))
        callback.on_end()
        callback.on_end()
        pickle.loads(pickle.dumps(callback))
    assert (tmp_path / "log.csv").read_text().splitlines() == ["epoch,seconds,error", "1,0.1,0.5"]


def test_metrics_that_the_first_epoch_had_not_are_named(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    log.on_begin(2)
    log.on_epoch(Epoch(1, 2, {"error": 0.5}, 0.1))
    with pytest.raises(ValueError, match="the first epoch had no 'score'"):
        log.on_epoch(Epoch(2, 2, {"score": 0.5}, 0.1))
    log.on_end()
