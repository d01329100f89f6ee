"""The functional face: pure, transformable, and a sentence for what cannot be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mpnn import functional as mp
from mpnn.flax_layers import FewBitLayer, Published
from mpnn.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual
from mpnn.message_passing import training

NUM_SAMPLES = 48
INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(NUM_SAMPLES, 8)), jnp.float32)
LABELS = jnp.sign(INPUTS[:, 0] - INPUTS[:, 1])
DATA = mp.Batch(INPUTS, LABELS)
SPEC = mp.NetworkSpec.dense((8, 5, 1), weights="ternary")
RULES = ("mean_field", "amp", "bp_inspired", "bp_inspired_second_order", "belief_propagation", "max_sum")
SAME = Conv2D(3, 2, padding="same")
FAST = ("amp",)
NETWORKS = {
    **{rule: mp.NetworkSpec.dense((8, 5, 1), rule=rule, sweeps_per_batch=2, bias=True) for rule in RULES},
    "ternary links": mp.NetworkSpec.dense((8, 5, 1), "ternary", density=0.5),
    "levels": mp.NetworkSpec.dense((8, 5, 3), 2, output="argmax"),
    "real": mp.NetworkSpec.dense((8, 5, 3), "gaussian", "mean_field", output="argmax", argmax_draws=3),
    "anchored": mp.NetworkSpec.dense((8, 5, 1), anchored=True),
    "focusing": mp.NetworkSpec.dense((8, 5, 1), focusing=True),
    "convolution": mp.NetworkSpec(
        (4, 2, 1), (Conv2D(3, 2, padding="same"), MaxPool2D(), Flatten(), Dense(1))
    ),
    "residual": mp.NetworkSpec(
        (4, 2, 1),
        (Conv2D(3, 2, padding="same"), Residual((Conv2D(3, 1),)), MeanPool2D(), Flatten(), Dense(1)),
    ),
}


def data_of(spec):
    labels = jnp.arange(NUM_SAMPLES) % 3 if spec.num_outputs == 3 else LABELS
    return mp.Batch(INPUTS.reshape(-1, *spec.input_shape), labels)


def trained(spec=SPEC, num_epochs=2, seed=0, **options):
    schedules = mp.Schedules(damping=0.3, noise=0.2, coupling=0.1, replicas=2.0)
    state = mp.init(seed, spec)
    return mp.train(
        seed, spec, state, data_of(spec), schedules, num_epochs=num_epochs, batch_size=16, **options
    )


def test_training_is_that_of_the_host_loop():
    schedules = mp.Schedules(damping=lambda sweep: 0.5 / (1 + sweep), noise=[0.1, 0.3])
    state, key = mp.init(0, SPEC), jax.random.key(3)
    pure = mp.train(3, SPEC, state, DATA, schedules, num_epochs=3, batch_size=16)
    host, infos = training.train(key, SPEC, state, DATA, schedules, num_epochs=3, batch_size=16)
    for one, other in zip(jax.tree.leaves(pure.state), jax.tree.leaves(host), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pure.info.error, np.stack([info.error for info in infos]), atol=1e-6)
    assert (int(pure.num_epochs), mp.Status(int(pure.status))) == (3, mp.Status.ALL_EPOCHS)
    np.testing.assert_allclose(pure.hyper.damping, 0.5 / 9)


def likelihood(noise, spec=SPEC):
    run = mp.train(0, spec, mp.init(0, spec), DATA, mp.Schedules(noise=noise), num_epochs=2, batch_size=16)
    probabilities = mp.predict(spec, run.state, INPUTS, run.hyper).probabilities
    return jnp.mean(jnp.log(probabilities[jnp.arange(NUM_SAMPLES), (LABELS > 0).astype(int)]))


@pytest.mark.slow
def test_training_can_be_transformed():
    values = jnp.array([0.2, 0.6])
    own = functools.partial(likelihood, spec=mp.NetworkSpec.dense((8, 1), weights="ternary"))
    likelihoods, slopes = jax.jit(jax.vmap(jax.value_and_grad(own)))(values)
    np.testing.assert_allclose(likelihoods[1], own(0.6), rtol=1e-4)
    assert np.all(np.isfinite(slopes))
    assert np.all(slopes != 0.0)


@pytest.mark.slow
def test_slopes_of_training_are_differences(x64):
    values = jnp.array([0.2, 0.6])
    one_by_one = [float(likelihood(value)) for value in values]
    np.testing.assert_allclose(jax.jit(jax.vmap(likelihood))(values), one_by_one, rtol=1e-5)
    slope = jax.grad(likelihood)(0.6)
    difference = (likelihood(0.6 + 1e-4) - likelihood(0.6 - 1e-4)) / 2e-4
    np.testing.assert_allclose(slope, difference, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in NETWORKS],
)
def test_strict_promotion_and_float64(name, x64):
    spec = NETWORKS[name]
    with jax.numpy_dtype_promotion("strict"):
        run = trained(spec)
        for method in ("mode", "bayes", "sample"):
            found = mp.predict(spec, run.state, data_of(spec).inputs, run.hyper, method=method)
            assert np.all(np.isfinite(found.probabilities))
            np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert all(layer.mean.dtype == jnp.float64 for layer in run.state.weighted)


@pytest.mark.slow
def test_training_ends_where_nothing_changes():
    run = trained(num_epochs=60, tolerance=1e-2)
    assert mp.Status(int(run.status)) is mp.Status.CONVERGED
    done = int(run.num_epochs)
    assert 1 < done < 60
    assert float(jnp.max(jnp.mean(run.info.change[done - 1], axis=(0, 1)))) < 1e-2
    assert np.all(np.isnan(run.info.change[done:]))
    shorter = trained(num_epochs=done)
    np.testing.assert_allclose(run.state.weighted[0].mean, shorter.state.weighted[0].mean, atol=1e-6)


@pytest.mark.slow
def test_what_is_not_finite_is_told():
    run = mp.train(
        0, SPEC, mp.init(0, SPEC), DATA, mp.Schedules(rho=lambda _: jnp.nan), num_epochs=1, batch_size=16
    )
    assert mp.Status(int(run.status)) is mp.Status.NOT_FINITE


def test_a_step_is_one_batch():
    state = mp.init(0, SPEC)
    moved, info = mp.step(SPEC, state, DATA)
    again, _ = jax.jit(mp.step, static_argnums=0)(SPEC, state, DATA)
    np.testing.assert_allclose(moved.weighted[0].mean, again.weighted[0].mean, atol=1e-6)
    assert info.error.shape == (1,)


@pytest.mark.parametrize(
    "key", [5, np.int64(5), jax.random.key(5), jax.random.PRNGKey(5), np.asarray(jax.random.PRNGKey(5))]
)
def test_keys_of_every_kind_are_one(key):
    expected = mp.init(jax.random.key(5), SPEC).weighted[0].posterior.field
    np.testing.assert_array_equal(mp.init(key, SPEC).weighted[0].posterior.field, expected)


@pytest.mark.parametrize("key", ["5", None, True, 5.0, jnp.zeros(3)])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(TypeError, match="key must be a key of jax.random.key"):
        mp.init(key, SPEC)


ARGMAX = mp.NetworkSpec.dense((8, 3), output="argmax")


@pytest.mark.parametrize(
    ("spec", "batch", "sentence"),
    [
        (SPEC, mp.Batch(INPUTS, (LABELS > 0).astype(float)), r"got 0 and 1, and 0 means no label: give 2"),
        (SPEC, mp.Batch(INPUTS, 2 * LABELS), r"are -1 and \+1 \(0: no label\), got -2"),
        (
            SPEC,
            mp.Batch(INPUTS[:, :5], LABELS),
            r"must be \[n, 8\], as the network has it, got \[48, 5\]",
        ),
        (SPEC, mp.Batch(INPUTS, LABELS[:5]), r"labels must be one a sample, \[48\], got \[5\]"),
        (SPEC, mp.Batch(INPUTS.at[3, 2].set(jnp.nan), LABELS), "inputs must be finite"),
        (SPEC, mp.Batch(INPUTS, LABELS, LABELS[:3]), r"sample_weight must be \[48\], got \[3\]"),
        (ARGMAX, mp.Batch(INPUTS, jnp.full(NUM_SAMPLES, 7)), "labels of 3 outputs are 0 to 2, got 7"),
        (ARGMAX, mp.Batch(INPUTS, LABELS), "labels of output 'argmax' are whole numbers, got float32"),
    ],
)
def test_samples_that_do_not_fit_are_sentences(spec, batch, sentence):
    with pytest.raises(ValueError, match=sentence):
        mp.step(spec, mp.init(0, spec), batch)
    with pytest.raises(ValueError, match=sentence):
        training.train(
            jax.random.key(0), spec, mp.init(0, spec), batch, mp.Schedules(), num_epochs=1, batch_size=1
        )


def test_numbers_and_states_of_another_network_are_sentences():
    other = mp.NetworkSpec.dense((8, 1))
    with pytest.raises(ValueError, match="one value for each of 2 weight layers"):
        mp.step(SPEC, mp.init(0, SPEC), DATA, mp.Schedules().at_sweep(0, 1))
    with pytest.raises(ValueError, match=r"weights of the shapes \[\(8, 1\)\], the network needs"):
        mp.step(SPEC, mp.init(0, other), DATA)
    with pytest.raises(ValueError, match="method must be one of"):
        mp.predict(SPEC, mp.init(0, SPEC), INPUTS, method="map")


@pytest.mark.slow
def test_a_few_bit_layer_stands_in_a_flax_model():
    run = trained(num_epochs=10)

    class Model(nnx.Module):
        def __init__(self, output, rngs):
            self.scale = nnx.Linear(8, 8, rngs=rngs)
            self.hidden = FewBitLayer.from_network(SPEC, run.state, run.hyper, index=0, output=output)
            self.head = nnx.Linear(5, 1, rngs=rngs)

        def __call__(self, x):
            return self.head(self.hidden(self.scale(x)))

    model = Model("moments", nnx.Rngs(0))
    weights = mp.decode(SPEC, run.state, run.hyper)[0]
    assert model.hidden.weights[...].dtype == jnp.int8
    assert nnx.state(model, nnx.Param).keys() == {"scale", "head"}
    assert set(nnx.state(model, Published).keys()) == {"hidden"}
    slopes = nnx.jit(nnx.grad(lambda own: jnp.mean(own(INPUTS) ** 2)))(model)
    assert float(jnp.max(jnp.abs(slopes["scale"]["kernel"][...]))) > 0
    discrete = Model("units", nnx.Rngs(0)).hidden(INPUTS)
    expected = np.where(np.asarray(INPUTS) @ np.asarray(weights, np.float32) >= 0, 1.0, -1.0)
    np.testing.assert_array_equal(discrete, expected)
