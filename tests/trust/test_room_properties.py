"""What must hold of encoders, scalings, solvers, pure functions, exports and draws, whatever the table.

Hundreds of tables each (slow); the classifiers that train are in ``test_properties.py``.
"""

import csv
import json
import pickle
import unicodedata
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from mpnn import functional as mp
from mpnn.data import read_table, sample_few_shot, validation_draw
from mpnn.deploy import export, load
from mpnn.encoders import TableEncoder, ThermometerEncoder, apply_codes, from_json, to_json
from mpnn.preprocessing.scaling import INPUT_SCALINGS, fit_transform_of
from mpnn.preprocessing.units import in_float32, unit_of
from mpnn.solvers import LocalSearchClassifier, ParallelTemperingClassifier, SingleNeuronClassifier

pytestmark = pytest.mark.slow
many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**31)
# Powers of two and multiples of them are maps of a column that float64 resolves.
factors, offsets = st.integers(-60, 60), st.integers(-1000, 1000)


def whole_table(seed, rows=14, columns=4, levels=6):
    return np.random.default_rng(seed).integers(0, levels, size=(rows, columns))


@many
@given(seed=seeds, factor=factors, offset=offsets, levels=st.integers(1, 20))
def test_codes_do_not_change_under_maps_repetition_and_order(seed, factor, offset, levels):
    rng = np.random.default_rng(seed)
    table = whole_table(seed).astype(float)
    bits = ThermometerEncoder(levels).fit_transform(table)
    assert set(np.unique(bits)) <= {-1, 1}
    mapped = (table + offset) * 2.0**factor
    np.testing.assert_array_equal(ThermometerEncoder(levels).fit_transform(mapped), bits)
    order = rng.permutation(len(table))
    repeated = ThermometerEncoder(levels).fit(np.concatenate([table[order]] * 3))
    np.testing.assert_array_equal(repeated.transform(table), bits)
    names = rng.permutation(table.shape[1])
    moved = ThermometerEncoder(levels).fit(table[:, names])
    own = np.concatenate([np.flatnonzero(_column_of(moved.columns_) == place) for place in np.argsort(names)])
    np.testing.assert_array_equal(moved.transform(table[:, names])[:, own], bits)


def _column_of(columns):
    return np.repeat(np.arange(len(columns)), [code.num_bits for code in columns])


@many
@given(seed=seeds, missing=st.booleans(), kind=st.sampled_from(["<f4", "<i8", "u1", "O", "longdouble"]))
def test_codes_are_the_same_of_every_type_and_after_a_round_trip(seed, missing, kind):
    table = whole_table(seed).astype(float)
    encoder = TableEncoder().fit(table)
    bits = encoder.transform(table)
    np.testing.assert_array_equal(encoder.transform(table.astype(kind)), bits)
    np.testing.assert_array_equal(TableEncoder().fit_transform(table.astype(kind)), bits)
    columns = from_json(json.loads(json.dumps(to_json(encoder.columns_))))
    assert columns == encoder.columns_
    if missing:
        table[0] = np.nan
        assert not encoder.transform(table)[0].any()
    np.testing.assert_array_equal(apply_codes(columns, table), encoder.transform(table))
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(encoder)).transform(table), encoder.transform(table)
    )
    np.testing.assert_array_equal(clone(encoder).fit(table).columns_, TableEncoder().fit(table).columns_)


@many
@given(
    seed=seeds,
    exponent=st.integers(-300, 300),
    offset=st.sampled_from([0.0, 1.0, -1e4, 1e6]),
    kind=st.sampled_from(INPUT_SCALINGS),
)
def test_scaled_inputs_are_finite_and_do_not_depend_on_the_unit(seed, exponent, offset, kind):
    table = np.random.default_rng(seed).normal(size=(20, 3)) + offset
    scaled = [table * 2.0**shift for shift in (0, exponent)]
    if kind not in ("features", "standard", "centred") and (offset != 0.0 or abs(exponent) > 100):
        return  # what float32 does not tell apart, or hold, is refused by the column's name
    found = []
    for own in scaled:
        inputs = in_float32(own, unit_of(own, kind, False))
        found.append(fit_transform_of(inputs, kind)(inputs))
        assert np.all(np.isfinite(found[-1]))
    if kind in ("features", "max_abs", "root", "mild_root", "centred"):
        np.testing.assert_allclose(found[1], found[0], atol=2e-2)  # a column has at least a hundred steps


def _classifiers():
    yield SingleNeuronClassifier("lp_rounding", random_state=0)
    yield LocalSearchClassifier((2,), 30.0, max_restarts=1, random_state=0)
    yield ParallelTemperingClassifier(20, num_replicas=2, random_state=0)


@some
@given(seed=seeds, scale=st.integers(0, 8), names=st.sampled_from([("a", "b"), (False, True), (3, 7)]))
def test_solver_networks_answer_alike(seed, scale, names):
    inputs = whole_table(seed)
    labels = np.random.default_rng(seed).permutation(np.arange(len(inputs)) % 2)
    asked = np.random.default_rng(seed + 1).integers(len(inputs), size=9)
    for classifier in _classifiers():
        fitted = classifier.fit(inputs, labels)
        answers, outputs = fitted.predict(inputs), fitted.decision_function(inputs)
        assert np.isin(answers, labels).all()
        assert np.all(np.isfinite(outputs))
        np.testing.assert_array_equal(answers, outputs >= 0)
        np.testing.assert_array_equal(fitted.predict(inputs[asked]), answers[asked])
        for own in (
            inputs.astype(np.float16),
            inputs.astype(object),
            np.asfortranarray(inputs),
            inputs.tolist(),
        ):
            np.testing.assert_array_equal(fitted.predict(own), answers)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(inputs), answers)
        renamed = clone(classifier).fit(inputs, np.array(names)[labels])
        np.testing.assert_array_equal(renamed.predict(inputs), np.array(names)[answers.astype(int)])
        if isinstance(classifier, ParallelTemperingClassifier):
            shares = classifier.decide_many([fitted], inputs)[1]
            np.testing.assert_array_equal(classifier.decide_many([fitted], inputs[asked])[1], shares[asked])


@some
@given(seed=seeds, kind=st.sampled_from(["packed", "c", "onnx"]))
def test_exported_networks_answer_as_the_classifier(seed, kind, tmp_path_factory):
    if kind == "onnx":
        pytest.importorskip("onnx", reason="writes ONNX")
    inputs = np.random.default_rng(seed).integers(0, 256, size=(20, 5), dtype=np.uint8)
    labels = np.array(["no", "yes"])[np.random.default_rng(seed).permutation(20) % 2]
    model = LocalSearchClassifier((2,), 30.0, max_restarts=0, random_state=0).fit(inputs, labels)
    path = tmp_path_factory.mktemp("export") / "a"
    report = export(model, path, kind, inputs="uint8", check=inputs)
    assert (report.labels_compared, report.labels_changed) == (20, 0)
    if kind == "packed":
        deployed = load(path)
        for own in (inputs, inputs.astype(float), np.asfortranarray(inputs), inputs.tolist()):
            np.testing.assert_array_equal(deployed.predict(own), model.predict(inputs))
        assert deployed.predict(inputs[:0]).shape == (0,)


SPEC = mp.NetworkSpec.dense((4, 3, 1), weights="ternary")
STATE = mp.init(0, SPEC)


def _finite(tree):
    return all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(tree))


@some
@given(
    seed=seeds,
    exponent=st.integers(-12, 12),
    kind=st.sampled_from(["bfloat16", "float16", "int8", "uint8", "float64", "bool"]),
)
def test_steps_are_finite_and_do_not_depend_on_types_and_order(seed, exponent, kind):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 2 if kind == "bool" else 5, size=(6, 4))
    labels = rng.choice([-1.0, 1.0], size=6)
    given_inputs = jnp.asarray(inputs.astype(kind))
    state, info = mp.step(SPEC, STATE, mp.Batch(given_inputs, jnp.asarray(labels)))
    plain, _ = mp.step(SPEC, STATE, mp.Batch(jnp.asarray(inputs, jnp.float32), jnp.asarray(labels)))
    assert _finite((state, info))
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other), state, plain)
    order = rng.permutation(6)
    moved, _ = mp.step(SPEC, STATE, mp.Batch(given_inputs[order], jnp.asarray(labels[order])))
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-4), moved, state)
    scaled = jnp.asarray(inputs * 2.0 ** (3 * exponent), jnp.float32)  # sums are exact, and so are ties
    for method in ("bayes", "mode", "sample"):
        found = mp.predict(SPEC, state, scaled, method=method)
        assert _finite(found)
        np.testing.assert_allclose(np.sum(found.probabilities, axis=1), 1.0, atol=1e-5)
        one_by_one = mp.predict(SPEC, state, scaled[:1], method=method)
        np.testing.assert_allclose(one_by_one.probabilities, found.probabilities[:1], atol=1e-5)


@some
@given(seed=seeds)
def test_what_is_learned_is_added_and_taken_out(seed):
    rng = np.random.default_rng(seed)
    batch = mp.Batch(jnp.asarray(rng.normal(size=(6, 4))), jnp.asarray(rng.choice([-1.0, 1.0], size=6)))
    state, _ = mp.step(SPEC, STATE, batch)
    evidence = mp.learned(state, STATE)
    added = mp.add_evidence(SPEC, STATE, evidence)
    back = mp.forget(SPEC, added, evidence)
    for one, other in zip(back.weighted, STATE.weighted, strict=True):
        np.testing.assert_allclose(one.posterior.field, other.posterior.field, atol=1e-4)
    merged = mp.merge(SPEC, [state], STATE)
    for one, other in zip(merged.weighted, added.weighted, strict=True):
        np.testing.assert_allclose(one.posterior.field, other.posterior.field, atol=1e-5)


@many
@given(seed=seeds, per_class=st.integers(1, 4), text=st.booleans())
def test_draws_are_balanced_nested_and_apart(seed, per_class, text):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(24) % 3)
    labels = np.array(["a", "b", "c"])[labels] if text else labels
    images = np.arange(24)[:, None] * np.ones((1, 2))
    chosen, drawn = sample_few_shot(images, labels, per_class, seed=seed)
    assert [int(count) for count in np.unique(drawn, return_counts=True)[1]] == [per_class] * 3
    np.testing.assert_array_equal(labels[chosen[:, 0].astype(int)], drawn)
    larger, _ = sample_few_shot(images, labels, per_class + 1, seed=seed)
    assert set(chosen[:, 0]) <= set(larger[:, 0])
    split = validation_draw(images, labels, per_class, 5, seed)
    np.testing.assert_array_equal(split.x_train, chosen)
    assert not set(split.x_train[:, 0]) & set(split.x_validation[:, 0])
    assert len(set(split.x_validation[:, 0])) == 5


# Names are compared, and kept, in one form of what Unicode writes in several.
names = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]), min_size=1, max_size=8
).map(partial(unicodedata.normalize, "NFC"))


@many
@given(
    header=st.lists(names, min_size=2, max_size=4, unique_by=str.casefold),
    numbers=st.lists(st.floats(-1e300, 1e300, allow_nan=False), min_size=3, max_size=8),
)
def test_tables_come_back_as_they_were_written(header, numbers, tmp_path_factory):
    assume(not any(_reads_as_number(name) for name in header))
    path = tmp_path_factory.mktemp("table") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = [[repr(number)] * len(header) for number in numbers]
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    table = read_table(path, header=True, delimiter=",", decimal=".")
    assert [column.name for column in table.columns] == [name.strip() for name in header]
    for column in table.columns:
        np.testing.assert_array_equal(np.asarray(column.values, float), numbers)


def _reads_as_number(name):
    try:
        float(name)
    except ValueError:
        return False
    return True
