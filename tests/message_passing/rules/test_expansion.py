"""How the rules relate: cavity expansions and their orders, limits in which two rules are one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.linear_maps.base import Moments
from mpnn.message_passing import rules
from mpnn.message_passing.channels import Derivatives, Sign
from mpnn.message_passing.rules import RULES, bp_inspired, find_rule
from mpnn.message_passing.rules.base import Inputs, Layer, Preactivation, RequiredMessages, precision_messages
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import begin
from mpnn.message_passing.training import run_batch
from mpnn.message_passing.weights import Binary
from tests.oracles.helpers import assert_states_close, compiled_batch, numbers_for, random_batch, start

FIELDS_ONLY = RequiredMessages(precision=False, down=True, down_precision=False)


def random_layer(seed, num_inputs=14, num_outputs=5, batch_size=6):
    """A layer of binary weights between sign units, and the field that its units get from above."""
    generator = np.random.default_rng(seed)
    field = jnp.asarray(generator.normal(size=(num_inputs, num_outputs)))
    mean = jnp.tanh(field)
    layer = Layer(mean, 1 - mean**2, field, None, lambda h, g: Binary().moments(h, h), 0.0)
    unit = jnp.asarray(generator.uniform(-1, 1, (batch_size, num_inputs)))
    inputs = Inputs(unit, 1 - unit**2, None, respond=lambda heard: Moments(unit, 1 - unit**2))
    above = jnp.asarray(generator.normal(0, 2, (batch_size, num_outputs)))
    return layer, inputs, above


def messages(rule, layer, inputs, preactivation, above):
    """To the weights and down, from the first sweep; one program for all layers of a shape."""
    arrays = (
        layer.mean,
        layer.variance,
        layer.field,
        inputs.mean,
        inputs.variance,
        inputs.respond(None).mean,
    )
    return compiled_messages(rule, bp_inspired.CHUNK_ELEMENTS, *arrays, above, *preactivation)


@functools.partial(jax.jit, static_argnums=(0, 1))
def compiled_messages(
    rule, chunk, mean, spread, field, unit, unit_variance, response, above, omega, variance
):
    """``chunk`` is read where the rule is traced; here it makes another program."""
    layer = Layer(mean, spread, field, None, lambda h, g: Binary().moments(h, h), 0.0)
    inputs = Inputs(unit, unit_variance, None, lambda heard: Moments(response, 1 - response**2))
    memory = None if rule == "amp" else RULES[rule].init(layer, inputs)

    def derive(omega, variance):
        return Sign().derivatives(above, None, omega, variance)

    preactivation = Preactivation(omega, variance)
    told, _ = RULES[rule].backward(layer, inputs, preactivation, derive, memory, FIELDS_ONLY)
    return told.field, told.down_field


@pytest.mark.parametrize(("rule", "order"), [("mean_field", 1), ("amp", 2), ("bp_inspired_second_order", 3)])
def test_order_of_the_cavity_expansion(rule, order, x64):
    """With the pre-activation held fixed and m scaled by s, the error of the messages to the weights is
    O((m x / sqrt(V))^order): halving s divides it by 2^order. The messages down carry one more m.
    """
    layer, inputs, above = random_layer(0)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    errors = []
    for scale in (0.1, 0.05):
        small = layer._replace(mean=scale * layer.mean)
        exact = messages("bp_inspired", small, inputs, preactivation, above)
        approximate = messages(rule, small, inputs, preactivation, above)
        errors.append([float(np.abs(a - e).max()) for a, e in zip(approximate, exact, strict=True)])
    ratio = np.array(errors[0]) / np.array(errors[1])
    np.testing.assert_allclose(ratio, [2.0**order, 2.0 ** (order + 1)], rtol=0.1)


def test_size_of_the_second_order_error(x64):
    """At full scale, 14 sign inputs: third-order terms leave under 2 % of the largest message, AMP 6 %."""
    layer, inputs, above = random_layer(1)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    exact, _ = messages("bp_inspired", layer, inputs, preactivation, above)
    largest = float(jnp.abs(exact).max())
    second, _ = messages("bp_inspired_second_order", layer, inputs, preactivation, above)
    first, _ = messages("amp", layer, inputs, preactivation, above)
    assert float(jnp.abs(second - exact).max()) < 0.02 * largest
    assert float(jnp.abs(first - exact).max()) < 0.06 * largest


@pytest.mark.slow
@pytest.mark.parametrize(("num_inputs", "error"), [(14, 1e-3), (501, 1e-7)])
def test_size_of_the_interpolation_error(num_inputs, error, x64):
    """Degree 4 is exact to float32's rounding above 501 sign units; of few inputs, cavities differ more."""
    layer, inputs, above = random_layer(1, num_inputs=num_inputs)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    exact = messages("bp_inspired", layer, inputs, preactivation, above)
    interpolated = messages("bp_inspired_interpolated", layer, inputs, preactivation, above)
    for own, other in zip(interpolated, exact, strict=True):
        assert float(jnp.abs(own - other).max()) < error * float(jnp.abs(other).max())


@pytest.mark.slow
@pytest.mark.parametrize(("polarization", "error"), [(0.9, 1e-6), (0.99, 1e-2), (0.9987, 1e-2)])
def test_interpolation_of_nearly_certain_weights(polarization, error, x64):
    """With certain inputs the variance is all the weights': it vanishes with their doubt, and cavities move
    further than degree 4 follows.
    """
    layer, inputs, above = random_layer(1, num_inputs=501)
    mean = jnp.sign(layer.mean) * polarization**0.5
    layer = layer._replace(mean=mean, variance=1 - mean**2, field=jnp.arctanh(mean))
    unit = jnp.where(inputs.mean >= 0, 1.0, -1.0)
    inputs = Inputs(unit, 0 * unit, None, respond=lambda heard: Moments(unit, 0 * unit))
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    exact, _ = messages("bp_inspired", layer, inputs, preactivation, above)
    found, _ = messages("bp_inspired_interpolated", layer, inputs, preactivation, above)
    relative = float(jnp.abs(found - exact).max() / jnp.abs(exact).max())
    assert error / 50 < relative < error


def test_interpolation_without_any_input_or_belief(x64):
    """All inputs or all magnetizations 0: the messages are those of mean field, and finite."""
    layer, inputs, above = random_layer(1)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    for silent in (
        (layer._replace(mean=0.0 * layer.mean), inputs),
        (layer, inputs._replace(mean=0.0 * inputs.mean)),
    ):
        expected = messages("mean_field", *silent, preactivation, above)
        found = messages("bp_inspired_interpolated", *silent, preactivation, above)
        for own, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12)


def test_rules_agree_as_magnetizations_vanish(x64):
    layer, inputs, above = random_layer(2)
    tiny = layer._replace(mean=1e-5 * layer.mean)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    expected, _ = messages("mean_field", tiny, inputs, preactivation, above)
    rules_with_cavities = ("amp", "bp_inspired", "bp_inspired_second_order", "bp_inspired_interpolated")
    for rule in (*rules_with_cavities, "belief_propagation"):
        actual, _ = messages(rule, tiny, inputs, preactivation, above)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4, err_msg=rule)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["binary", "ternary"])
def test_belief_propagation_with_one_sweep_is_bp_inspired(weights, monkeypatch):
    """The full rule, with its cavity tensors, against the cheap one that the network puts in its place."""
    spec = NetworkSpec.dense((8, 6, 5, 1), rule="belief_propagation", weights=weights, bias=True)
    numbers = {"damping": 0.5, "rho": 0.9}
    batch, hyper = random_batch(spec, 0, batch_size=7), numbers_for(spec, **numbers)
    assert find_rule(spec.weighted[0].rule, one_sweep=True) is RULES["bp_inspired"]
    cheap, _ = jax.jit(lambda state: run_batch(spec, state, batch, hyper))(start(spec, **numbers))
    monkeypatch.setattr(
        "mpnn.message_passing.layers.weighted.find_rule", lambda name, one_sweep: rules.find_rule(name, False)
    )
    memory = begin(spec, start(spec, **numbers), 7, jax.tree.map(lambda leaf: leaf[0], hyper)).memories
    assert memory[0].rule.cavity_mean.shape == (9, 7, 6)
    full, _ = jax.jit(lambda state: run_batch(spec, state, batch, hyper))(start(spec, **numbers))
    assert_states_close(full, cheap, 2e-6)


@pytest.mark.slow
def test_chunks_do_not_change_bp_inspired(monkeypatch):
    """Chunks of one, of four (which does not divide 14) and of all inputs."""
    layer, inputs, above = random_layer(3)
    preactivation = Preactivation(*RULES["mean_field"].forward(layer, inputs, None))
    expected = messages("bp_inspired", layer, inputs, preactivation, above)
    for num_inputs in (1, 4, 14):
        monkeypatch.setattr(bp_inspired, "CHUNK_ELEMENTS", num_inputs * 6 * 5)
        actual = messages("bp_inspired", layer, inputs, preactivation, above)
        for one, other in zip(actual, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_precision_messages_are_the_sums_of_the_paper():
    """Against loops over weights, for inputs that do not square to one."""
    generator = np.random.default_rng(4)
    m, sigma = generator.normal(size=(4, 3)), generator.uniform(0.1, 1, (4, 3))
    x, delta = generator.normal(size=(5, 4)), generator.uniform(0.1, 1, (5, 4))
    g, gamma = generator.normal(size=(5, 3)), generator.normal(size=(5, 3))
    layer = Layer(jnp.asarray(m), jnp.asarray(sigma), jnp.asarray(m), None, None, 0.0)
    inputs = Inputs(jnp.asarray(x), jnp.asarray(delta), jnp.asarray(x**2 + delta))
    derivatives = Derivatives(jnp.asarray(g), jnp.asarray(gamma), jnp.asarray(0 * g))
    to_weights, down = precision_messages(layer, inputs, derivatives, RequiredMessages(True, True, True))
    for i in range(4):
        for k in range(3):
            expected = np.sum((x[:, i] ** 2 + delta[:, i]) * gamma[:, k] - delta[:, i] * g[:, k] ** 2)
            np.testing.assert_allclose(to_weights[i, k], expected, rtol=1e-5, atol=1e-5)
        for b in range(5):
            expected = np.sum((m[i] ** 2 + sigma[i]) * gamma[b] - sigma[i] * g[b] ** 2)
            np.testing.assert_allclose(down[b, i], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["amp", "belief_propagation", "bp_inspired"])
def test_converged_sweeps_are_a_fixed_point(rule):
    """Once the messages over a batch have converged, more sweeps change nothing."""
    spec = NetworkSpec.dense((20, 1), rule=rule, sweeps_per_batch=60)
    longer = NetworkSpec.dense((20, 1), rule=rule, sweeps_per_batch=70)
    batch = random_batch(spec, 5, batch_size=5)
    results = [
        compiled_batch(each, start(each, damping=0.5), batch, numbers_for(each, damping=0.5))[0]
        for each in (spec, longer)
    ]
    assert_states_close(results[0], results[1], 1e-5)


@pytest.mark.parametrize("rule", ["bp_inspired", "bp_inspired_interpolated", "bp_inspired_second_order"])
def test_cavities_need_no_array_of_every_weight_and_sample(rule):
    """Temporary memory is O(inputs x outputs + batch x (inputs + outputs)), a hundredth of the product."""
    num_inputs, num_outputs, batch_size = 2048, 512, 128

    def fields(mean, unit, omega, variance, above):
        layer = Layer(mean, 1 - mean**2, mean, None, None, 0.0)
        inputs = Inputs(unit, 1 - unit**2, None)

        def derive(omega, variance):
            return Sign().derivatives(above, None, omega, variance)

        told, _ = RULES[rule].backward(
            layer, inputs, Preactivation(omega, variance), derive, None, FIELDS_ONLY
        )
        return told.field, told.down_field

    shapes = [(num_inputs, num_outputs), (batch_size, num_inputs), *[(batch_size, num_outputs)] * 3]
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    used = jax.jit(fields).lower(*arguments).compile().memory_analysis().temp_size_in_bytes / 4
    assert used < 6 * (num_inputs * num_outputs + batch_size * (num_inputs + num_outputs))
