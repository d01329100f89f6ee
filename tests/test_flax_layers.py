"""Layers of flax models whose parameters are beliefs: their derivatives are the library's messages."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from mpnn import functional as mp
from mpnn.flax_layers import Belief, BeliefLayers, counting_once
from mpnn.layers import Conv2D, Dense, Flatten, MaxPool2D
from tests.marks import mostly_slow

INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(16, 9)), jnp.float32)
LABELS = jnp.sign(INPUTS[:, 0])
# odd numbers of units below the output: no tie to decide
OUTPUT = Dense(1, rule="mean_field")
DENSE = Dense(5, rule="mean_field", weights="ternary", bias=True, density=0.7)
IMAGES = (Conv2D(3, 2, padding="same", rule="mean_field"), MaxPool2D(3), Flatten())
NETWORKS = {
    "dense": mp.NetworkSpec((9,), (DENSE, OUTPUT), anchored=True),
    "images": mp.NetworkSpec((3, 3, 1), (*IMAGES, OUTPUT), anchored=True),
}
RATE, BATCHES, NOISE = 0.3, 4.0, 1.0


def loss_of_output(weights, inputs):
    """The loss that the output layer of a network is: probit, the variance known, as its rule has it."""

    def loss(hidden):
        units = hidden(inputs)
        variance = jax.lax.stop_gradient(jnp.sum(1 - jnp.square(weights * units), axis=1))
        certainty = LABELS * (units @ weights) / jnp.sqrt(variance + NOISE**2)
        return -jnp.sum(jax.scipy.stats.norm.logcdf(certainty))

    return loss


def hidden_of(spec, state):
    """The layers below the output, with the beliefs of a state, as layers of a flax model."""
    hidden = BeliefLayers(spec.input_shape, spec.layers[:-1], rngs=nnx.Rngs(0), noise=NOISE)
    natural, mask = state.weighted[0].posterior, state.weighted[0].mask
    for variables, array in ((hidden.fields, natural.field), (hidden.precisions, natural.precision)):
        if array is not None:
            variables[0][...] = array
    if mask is not None:
        hidden.masks[0][...] = mask
    return hidden


@pytest.mark.slow
@mostly_slow("name", NETWORKS)
def test_a_step_is_that_of_the_network_with_that_output(name):
    spec, inputs = NETWORKS[name], INPUTS.reshape(-1, *NETWORKS[name].input_shape)
    state = mp.init(0, spec)
    numbers = mp.Schedules.counting_once(RATE, BATCHES, noise=NOISE).at_sweep(0, 2)
    moved, _ = jax.jit(mp.step, static_argnums=0)(spec, state, mp.Batch(inputs, LABELS), numbers)
    hidden = hidden_of(spec, state)
    loss = loss_of_output(state.weighted[1].mean[:, 0], inputs)
    slopes = nnx.jit(nnx.grad(loss, argnums=nnx.DiffState(0, Belief)))(hidden)
    nnx.Optimizer(hidden, counting_once(RATE, BATCHES), wrt=Belief).update(hidden, slopes)
    expected = moved.weighted[0].posterior
    np.testing.assert_allclose(hidden.fields[0][...], expected.field, atol=1e-5)
    if expected.precision is not None:
        np.testing.assert_allclose(hidden.precisions[0][...], expected.precision, atol=1e-5)
    np.testing.assert_array_equal(hidden.weights()[0], mp.decode(spec, moved, numbers)[0])


@pytest.mark.slow
def test_what_is_below_gets_the_derivative_of_the_means():
    hidden = hidden_of(NETWORKS["dense"], mp.init(0, NETWORKS["dense"]))
    means, one = jax.jit(lambda inputs: hidden(inputs)), INPUTS[:1]
    (slopes,) = jax.vjp(means, one)[1](jnp.ones((1, 5)))
    for column in range(3):
        shift = 1e-2 * np.eye(9, dtype=np.float32)[column]
        change = np.sum(means(one + shift) - means(one - shift)) / 2e-2
        np.testing.assert_allclose(slopes[0, column], change, atol=2e-3)


@pytest.mark.slow
def test_layers_of_images_learn_between_real_ones():
    """Which half of an image is bright, by a real layer, a few-bit convolution, and a real layer."""
    rng = np.random.default_rng(1)
    images = jnp.asarray(rng.normal(size=(64, 4, 4, 1)), jnp.float32)
    labels = jnp.asarray(images[:, :, :2].sum((1, 2, 3)) > images[:, :, 2:].sum((1, 2, 3)), jnp.float32)

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.scale = nnx.Linear(1, 1, rngs=rngs)
            self.hidden = BeliefLayers((4, 4, 1), (Conv2D(6, 2, padding="same"),), rngs=rngs)
            self.head = nnx.Linear(96, 1, rngs=rngs)

        def __call__(self, inputs, layer="__call__"):
            units = getattr(self.hidden, layer)(self.scale(inputs))
            return self.head(units.reshape(len(inputs), -1))[:, 0]

    model = Model(nnx.Rngs(0))
    messages = nnx.Optimizer(model, counting_once(0.03, 5.0), wrt=Belief)
    descent = nnx.Optimizer(model, optax.adam(0.03), wrt=nnx.Param)

    @nnx.jit
    def step(model, messages, descent):
        def loss(own):
            return optax.sigmoid_binary_cross_entropy(own(images), labels).sum()

        slopes = nnx.grad(loss, argnums=nnx.DiffState(0, nnx.Any(Belief, nnx.Param)))(model)
        messages.update(model, slopes)
        descent.update(model, slopes)

    for _ in range(40):
        step(model, messages, descent)
    assert model.hidden.weights()[0].dtype == jnp.int8
    assert float(jnp.mean((model(images) > 0) == labels)) > 0.9
    assert set(np.unique(model.hidden.units(images))) == {-1.0, 1.0}


@pytest.mark.parametrize("layers", [(), (MaxPool2D(),), (Dense(2, weights="gaussian"),)])
def test_layers_need_discrete_weights(layers):
    with pytest.raises(ValueError, match="weights of discrete levels"):
        BeliefLayers((8,), layers, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rule": "max_sum"}, "temperature 1, got rule='max_sum'"), ({"messages": "exact"}, "messages='exact'")],
)
def test_messages_are_derivatives(options, message):
    with pytest.raises(ValueError, match=message):
        BeliefLayers((8,), (Dense(3), Dense(2, **options)), rngs=nnx.Rngs(0))


def test_inputs_have_the_shape_of_the_layers():
    hidden = BeliefLayers((8,), (Dense(3),), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"inputs must be \[B, 8\], got \[16, 9\]"):
        hidden(INPUTS)


@pytest.mark.parametrize(("numbers", "message"), [((0.0, 1.0), "rate"), ((0.1, 0.0), "num_batches")])
def test_steps_out_of_range_are_refused(numbers, message):
    with pytest.raises(ValueError, match=f"{message} must be"):
        counting_once(*numbers)
