"""A convolution against the dense layer with tied copies of its weights, in float64: every rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.linear_maps.conv import ConvMap
from mpnn.message_passing.layers import Conv2D, Dense, Flatten
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from tests.marks import mostly_slow
from tests.oracles.helpers import compiled_batch, discrete_outputs, moment_outputs, numbers_for, start
from tests.oracles.tied_network import spread, summed_over_copies, tied

RULES = ("mean_field", "amp", "bp_inspired", "bp_inspired_second_order", "bp_inspired_interpolated")
FAST = ("mean_field", "bp_inspired_second_order")
SHAPE = (5, 6, 2)
# A polynomial lies in the interval of one row's inputs, a window here and a whole image there.
TOLERANCES = dict.fromkeys(RULES, {"rtol": 1e-9, "atol": 1e-12})
TOLERANCES["bp_inspired_interpolated"] = {"rtol": 0.0, "atol": 2e-3}


def network(rule, weights="ternary", sweeps=1, **convolution):
    layers = (Conv2D(3, 2, bias=True), Conv2D(2, 3, **convolution), Flatten(), Dense(1, bias=True))
    layers = tuple(
        layer if isinstance(layer, Flatten) else layer.complete(weights=weights, rule=rule)
        for layer in layers
    )
    return NetworkSpec(SHAPE, layers, sweeps_per_batch=sweeps)


def images(num_samples=4, seed=0):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(num_samples, *SHAPE))
    return Batch(jnp.asarray(inputs), jnp.asarray(generator.choice([-1.0, 1.0], num_samples)))


def flat(batch):
    return batch._replace(inputs=batch.inputs.reshape(len(batch.inputs), -1))


CONVOLUTIONS = {
    "plain": {},
    "strides": {"stride": 2},
    "padded": {"padding": "same"},
    "padded strides": {"padding": "same", "stride": 2},
}


@pytest.mark.parametrize(
    "convolution",
    [
        pytest.param(options, id=name, marks=() if name == "padded strides" else pytest.mark.slow)
        for name, options in CONVOLUTIONS.items()
    ],
)
@pytest.mark.parametrize(
    "rule", [pytest.param(rule, marks=() if rule in FAST else pytest.mark.slow) for rule in RULES]
)
def test_messages_are_those_of_tied_copies(rule, convolution, x64):
    spec = network(rule, **convolution)
    state, hyper = start(spec, seed=1, sparsity=0.3, noise=0.2), numbers_for(spec, sparsity=0.3, noise=0.2)
    dense, copies = tied(spec, state)
    batch = images()
    after, info = compiled_batch(spec, state, batch, hyper)
    expected, expected_info = compiled_batch(dense, copies, flat(batch), hyper)
    np.testing.assert_allclose(info.error, expected_info.error)
    convolutions = [(place, layer) for place, layer in zip(spec.places, spec.layers, strict=True)][:2]
    for (place, layer), *states in zip(
        convolutions, state.weighted, after.weighted, copies.weighted, expected.weighted, strict=False
    ):
        before, moved, copies_before, copies_moved = (own.posterior for own in states)
        for name in ("field", "precision"):
            message = np.asarray(getattr(moved, name) - getattr(before, name))
            of_copies = np.asarray(getattr(copies_moved, name) - getattr(copies_before, name))
            summed = summed_over_copies(layer, place.in_shape, of_copies)
            np.testing.assert_allclose(message, summed, **TOLERANCES[rule])
    last, last_expected = after.weighted[-1].posterior, expected.weighted[-1].posterior
    np.testing.assert_allclose(last.field, last_expected.field, **TOLERANCES[rule])


@mostly_slow("weights", ["ternary", 2, pytest.param("binary", marks=pytest.mark.slow)])
def test_predictions_are_those_of_tied_copies(weights, x64):
    spec = network("mean_field", weights, padding="same", stride=2)
    state = start(spec, seed=2)
    dense, copies = tied(spec, state)
    batch, noise = images(), jnp.full(3, 0.1)
    beliefs, dense_beliefs = (
        [(own.mean, own.variance if own.variance is not None else 1.0 - own.mean**2) for own in each.weighted]
        for each in (state, copies)
    )
    from mpnn.linear_maps.base import Moments

    beliefs, dense_beliefs = ([Moments(*pair) for pair in each] for each in (beliefs, dense_beliefs))
    found = moment_outputs(spec, beliefs, batch.inputs, noise)
    expected = moment_outputs(dense, dense_beliefs, flat(batch).inputs, noise)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-9)
    weights = [np.sign(np.asarray(own.mean)) for own in state.weighted]
    full = [
        spread(layer, place.in_shape, own) if isinstance(layer, Conv2D) else own
        for layer, place, own in zip(
            spec.weighted, [spec.places[0], spec.places[1], None], weights, strict=True
        )
    ]
    np.testing.assert_allclose(
        discrete_outputs(spec, [jnp.asarray(own) for own in weights], batch.inputs),
        discrete_outputs(dense, [jnp.asarray(own) for own in full], flat(batch).inputs),
    )


@pytest.mark.slow
def test_several_sweeps_go_through_a_convolution():
    spec = network("amp", sweeps=3)
    state, _ = compiled_batch(spec, start(spec), images(), numbers_for(spec, damping=0.5))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ((Conv2D(2, 9), Flatten(), Dense(1)), "does not fit into 5 x 6 inputs"),
        ((Conv2D(2, 2), Dense(1)), "Flatten first"),
        ((Flatten(), Conv2D(2, 2), Dense(1)), r"needs inputs \[height, width, channels\]"),
        ((Conv2D(2, 2), Flatten()), "must end with Dense"),
        ((Conv2D(2, 2, rule="max_sum"), Flatten(), Dense(1)), "dense layers only"),
    ],
)
def test_what_does_not_fit_is_a_sentence(layers, sentence):
    with pytest.raises(ValueError, match=sentence):
        NetworkSpec(SHAPE, layers)


def test_cavities_of_several_sweeps_are_kept_for_dense_layers_only():
    with pytest.raises(ValueError, match="take 'bp_inspired' for convolutions"):
        network("belief_propagation", sweeps=2)


@mostly_slow("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "stride"), [(5, 2), (2, 3), (3, 1)])
def test_fold_is_the_transpose_of_unfold(size, stride, padding, x64):
    windows, shape = ConvMap(1, size, stride, padding), (9, 8, 2)
    unfold, fold = jax.jit(windows.unfold), jax.jit(windows.fold, static_argnums=1)
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(3, *shape))
    rows = generator.normal(size=unfold(inputs).shape)
    folded = np.asarray(fold(rows, shape))
    assert folded.shape == inputs.shape
    np.testing.assert_allclose(np.sum(folded * inputs), np.sum(rows * np.asarray(unfold(inputs))))
    one = np.zeros_like(rows)
    one[7, windows.fan_in(shape) // 2] = 1.0  # a single number reaches a single pixel, or padding
    np.testing.assert_array_equal(np.asarray(fold(one, shape)), np.asarray(_transposed(windows, one, shape)))


def _transposed(windows, rows, shape):
    like = jax.ShapeDtypeStruct((3, *shape), rows.dtype)
    return jax.linear_transpose(windows.unfold, like)(rows)[0]
