"""Pipelines of scalers and a classifier are exported as networks of what the pipeline takes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PowerTransformer, RobustScaler, StandardScaler

from mpnn import MessagePassingClassifier
from mpnn.deploy import export
from mpnn.integer_networks.inputs import Column, Thermometer
from mpnn.integer_networks.lowering import _thermometer, lower
from mpnn.integer_networks.scalers import before_scalers
from mpnn.preprocessing.scaling import fit_transform_of
from tests.deploy.checks import check_onnx, check_packed
from tests.integer_networks.random_networks import draw_classifier, fitted, plain_encoder

SCALERS = {
    "standard": [StandardScaler()],
    "no mean": [StandardScaler(with_mean=False)],
    "no deviation": [StandardScaler(with_std=False)],
    "range": [MinMaxScaler((-1, 3))],
    "robust": [RobustScaler()],
    "largest": [MaxAbsScaler()],
    "two": [RobustScaler(with_centering=False), MinMaxScaler()],
}


def rows_far_apart(seed, num_columns=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(200, num_columns)) * 10.0 ** rng.integers(-30, 30, num_columns) + 3.0


@pytest.mark.parametrize("name", SCALERS)
def test_thresholds_of_scaled_columns_are_exact(name):
    """At the least number that passes, at the one below, and at all rows."""
    X = rows_far_apart(1)
    scaler = make_pipeline(*SCALERS[name]).fit(X)
    scaled = scaler.transform(X)
    cuts = [tuple(np.sort(scaled[:9, column]).tolist()) for column in range(4)]
    table = Thermometer((*(Column("thermometer", own) for own in cuts[:3]), Column("thermometer")))
    before = before_scalers(table, [step for _, step in scaler.steps])
    least = np.array([column.thresholds for column in before.columns[:3]]).T
    least = np.concatenate([least, least[:, :1]], axis=1)
    for rows in (X, least, np.nextafter(least, -np.inf)):
        np.testing.assert_array_equal(before.encode(rows), table.encode(scaler.transform(rows)))


@pytest.mark.parametrize("name", SCALERS)
def test_numbers(name):
    model, X = draw_classifier(1)
    rows = np.random.default_rng(0).normal(size=X.shape) * 1e-9 + 3.0
    scaler = make_pipeline(*SCALERS[name]).fit(rows)
    transform = fit_transform_of(scaler.transform(rows).astype(np.float32), "features")
    for member in getattr(model, "estimators_", [model]):
        member.input_transform_ = transform
    pipeline = Pipeline([*scaler.steps, ("network", model)])
    network = lower(pipeline, examples=rows)
    differ = network.predict(rows) != model.predict(scaler.transform(rows))
    assert differ.mean() <= 0.03
    check_packed(network, rows)
    check_onnx(network, rows)


def test_tables():
    rng, encoder = np.random.default_rng(0), plain_encoder()
    encoder.columns_ = encoder.columns_[:1] + encoder.columns_[2:]
    table = rng.uniform(-10, 90, (70, 2))
    scaler = MinMaxScaler((0, 9)).fit(table)
    bits = _thermometer(encoder).encode(scaler.transform(table))
    transform = fit_transform_of(bits.astype(np.float32), None)
    model = fitted(rng, transform, (3, 7, 3), "ternary", bias=True, density=1.0, classes=np.array([4, 5, 6]))
    network = lower(Pipeline([("scaler", scaler), ("encoder", encoder), ("network", model)]))
    assert network.exact
    np.testing.assert_array_equal(network.predict(table), model.predict(bits))
    check_packed(network, table)


@pytest.mark.parametrize("step", [PowerTransformer(), MinMaxScaler(clip=True)])
def test_other_steps_are_refused_by_name(step):
    model, _ = draw_classifier(0)
    with pytest.raises(ValueError, match=f"a pipeline with {type(step).__name__}"):
        lower(make_pipeline(step, model))


def test_categories_behind_a_scaler_are_refused():
    table = Thermometer((Column("categories", categories=(1.0, 2.0)),))
    with pytest.raises(ValueError, match="leave the scaler out"):
        before_scalers(table, [MaxAbsScaler().fit(np.ones((3, 1)))])


def test_a_pipeline_is_checked_on_the_frame_that_it_was_fitted_on(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["height", "weight", "age"])
    member = MessagePassingClassifier((), num_sweeps=3, encoding=None, random_state=0)
    model = make_pipeline(StandardScaler(), member).fit(frame, frame["height"] > 0)
    report = export(model, tmp_path / "model.mpnn", check=frame)  # a warning about names would be an error
    assert (report.labels_compared, report.labels_changed) == (60, 0)
