"""What every row of a registry must be, whichever it is: a new row is tested by being a row.

Signatures, shapes, finite values and the identities that the contracts state; the tests of each room hold
what only some rows can do. To add a registry, list its rows at the top and state its contract below.
"""

import dataclasses
import importlib
import inspect
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import ClassifierMixin, clone, is_classifier

import mpnn.gradient
from mpnn.compare.methods.contract import Evaluation, Method, Task
from mpnn.compare.methods.registry import METHODS
from mpnn.gradient.method import Method as GradientMethod
from mpnn.linear_maps.base import Moments
from mpnn.message_passing import weights
from mpnn.message_passing.channels import ACTIVATIONS, OUTPUTS
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.layers import (
    LAYERS,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    MeanPool2D,
    Place,
    Residual,
    Unflatten,
)
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.rules import RULES, RuleEntry
from mpnn.message_passing.rules.base import Inputs, Rule
from mpnn.message_passing.spec import NetworkSpec, spec_from_json, spec_to_json
from mpnn.solvers.engines import ENGINES, Expression, Limits, Model, installed_engines, solve
from tests.marks import mostly_slow
from tests.oracles.helpers import (
    compiled_batch,
    discrete_outputs,
    first_numbers,
    moment_outputs,
    numbers_for,
    random_batch,
    start,
)

# The registries. Families have no table: every public class with the contract's methods.
FAMILY_CLASSES = [
    kind
    for name in weights.__all__
    if inspect.isclass(kind := getattr(weights, name)) and hasattr(kind, "decode") and name != "WeightFamily"
]
FAMILIES = [kind(2) if "largest" in inspect.signature(kind).parameters else kind() for kind in FAMILY_CLASSES]
OUTPUT_CHANNELS = [make(0) for make in OUTPUTS.values()]
CLASSIFIERS = [getattr(mpnn.gradient, name) for name in mpnn.gradient.__all__]
# One of each kind, on inputs of its shape.
EXAMPLES = {
    "Dense": ((6,), Dense(4, bias=True)),
    "Conv2D": ((5, 4, 2), Conv2D(3, 2, stride=2, padding="same", bias=True)),
    "MaxPool2D": ((5, 4, 2), MaxPool2D(2)),
    "MeanPool2D": ((5, 4, 2), MeanPool2D(2)),
    "Flatten": ((5, 4, 2), Flatten()),
    "Unflatten": ((40,), Unflatten((5, 4, 2))),
    "Residual": ((5, 4, 2), Residual((Conv2D(3, 3, padding="same"), Conv2D(2, 1)))),
}

each_family = pytest.mark.parametrize("family", FAMILIES, ids=str)
each_hidden = pytest.mark.parametrize("name", ACTIVATIONS)
each_output = pytest.mark.parametrize("channel", OUTPUT_CHANNELS, ids=str)
each_layer = pytest.mark.parametrize("kind", LAYERS)
each_rule = pytest.mark.parametrize("name", RULES)
each_method = pytest.mark.parametrize("name", METHODS)
each_classifier = pytest.mark.parametrize("kind", CLASSIFIERS, ids=lambda kind: kind.__name__)
each_engine = pytest.mark.parametrize("name", ENGINES)

BELIEFS = {
    "field": jnp.linspace(-3.0, 3.0, 7)[:, None] * jnp.ones(4),
    "precision": jnp.asarray([0.0, 0.5, 2.0, 9.0]) * jnp.ones((7, 1)) + 0.1,
}


def assert_finite(*arrays):
    for array in arrays:
        assert np.isfinite(array).all()


def assert_static(value):
    """Frozen and hashable, so that equal values share one compiled program."""
    assert hash(value) == hash(dataclasses.replace(value))
    assert value == dataclasses.replace(value)
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        value.anything = 1


# Weight families


@each_family
def test_a_family_derives_its_moments_from_its_partition(family, x64):
    """``psi' = mean`` and ``psi'' = variance``; what ``uses_precision`` denies has no effect."""
    assert_static(family)
    field, precision = (np.asarray(values, np.float64) for values in BELIEFS.values())
    for sparsity in (0.0, 0.7):
        mean, variance = jax.jit(family.moments)(field, precision, sparsity)
        assert mean.shape == variance.shape == field.shape

        def partition(one, sparsity=sparsity, precision=precision):
            return family.log_partition(one, precision, sparsity).sum()

        @jax.jit
        def slope_and_curvature(field, partition=partition):
            return jax.jvp(jax.grad(partition), (field,), (jnp.ones_like(field),))

        slope, curvature = slope_and_curvature(field)
        np.testing.assert_allclose(mean, slope, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(variance, curvature, rtol=1e-8, atol=1e-12)
    if not family.uses_precision:
        np.testing.assert_array_equal(mean, family.moments(field, precision + 1.0, sparsity).mean)


@each_family
def test_a_family_decides_for_one_of_its_levels(family):
    field, precision = BELIEFS.values()
    belief = family.moments(field, precision)
    decisions = (
        family.mode(field, precision),
        family.decode(belief, field, precision),
        family.sample(jax.random.key(0), field, precision),
    )
    for weight in decisions:
        assert weight.shape == field.shape
        assert_finite(weight)
        if family.levels is None:
            assert jnp.issubdtype(weight.dtype, jnp.floating)
        else:
            assert weight.dtype == jnp.int8
            assert set(np.unique(weight)) <= set(family.levels)
    assert family.levels is None or list(family.levels) == sorted(set(family.levels))


# Channels


@each_hidden
def test_a_hidden_channel_is_its_free_energy(name, x64):
    """``g = Phi'``, ``Gamma = -Phi''``, and the unit's mean is the derivative by the field from above."""
    channel = ACTIVATIONS[name]
    assert_static(channel)
    generator = np.random.default_rng(0)
    field, omega = generator.normal(size=(2, 5, 3))
    precision, variance = generator.uniform(0.2, 2.0, size=(2, 5, 3))

    def energy(field, omega):
        return channel.free_energy(field, precision, omega, variance).sum()

    @jax.jit
    def slope_and_curvature(omega):
        return jax.jvp(lambda at: jax.grad(energy, 1)(field, at), (omega,), (jnp.ones_like(omega),))

    derivatives = jax.jit(channel.derivatives)(field, precision, omega, variance)
    slope, curvature = slope_and_curvature(omega)
    np.testing.assert_allclose(derivatives.gradient, slope, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(derivatives.curvature, -curvature, rtol=1e-6, atol=1e-9)
    assert derivatives.second.shape == omega.shape
    activation = jax.jit(channel.activation)
    unit = activation(omega, variance, field, precision)
    np.testing.assert_allclose(unit.mean, jax.jit(jax.grad(energy))(field, omega), rtol=1e-6, atol=1e-9)
    assert (unit.variance >= 0).all()
    silent = activation(omega, variance, None, None)
    zero = activation(omega, variance, np.zeros_like(omega), np.zeros_like(omega))
    np.testing.assert_allclose(silent.mean, zero.mean, atol=1e-12)
    decided = channel.decide(jnp.asarray(omega))
    assert decided.shape == omega.shape
    assert decided.dtype == omega.dtype
    if channel.values_square_to_one:
        np.testing.assert_array_equal(decided**2, np.ones_like(decided))


@each_output
def test_an_output_channel_is_its_free_energy(channel, x64):
    assert_static(channel)
    omega, variance = np.random.default_rng(1).normal(size=(5, 3)), np.full((5, 3), 0.8)
    takes = inspect.signature(channel.free_energy).parameters
    label = np.where(np.arange(15).reshape(5, 3) % 2, 1.0, -1.0) if "margin" in takes else np.arange(5) % 3
    more = {"margin": 0.1, "confidence": 2.0} if "margin" in takes else {}

    def energy(omega):
        return channel.free_energy(label, omega, variance, **more).sum()

    derivatives = jax.jit(channel.derivatives)(label, omega, variance, **more)
    np.testing.assert_allclose(derivatives.gradient, jax.jit(jax.grad(energy))(omega), rtol=1e-6, atol=1e-9)
    assert all(part.shape == omega.shape for part in derivatives)
    assert_finite(*derivatives)


# Rules


@each_rule
def test_a_rule_has_the_functions_of_its_contract(name):
    def places(function):
        return len(inspect.signature(function).parameters)

    entry = RULES[name]
    for form in filter(None, (entry, entry.with_one_sweep)):
        assert isinstance(form, RuleEntry)
        for part in ("forward", "backward"):
            wanted = places(getattr(Rule, part)) - 1  # without self
            assert places(getattr(form, part)) == wanted, f"{part} of {name}"
        assert form.refresh is None or places(form.refresh) == 2
    if entry.with_one_sweep is not None:
        assert entry.with_one_sweep.messages is entry.messages


@each_rule
@mostly_slow("output", OUTPUTS)
def test_a_rule_trains_a_network_of_every_output(name, output):
    """The state keeps its shapes and stays finite; weights are levels of the family."""
    widths, kind = ((6, 4, 1), {}) if output == "binary_label" else ((6, 4, 3), {"output": output})
    if RULES[name].messages.zero_temperature and output != "binary_label":
        with pytest.raises(ValueError, match=f"rule '{name}' needs output="):
            NetworkSpec.dense(widths, rule=name, **kind)
        return
    spec = NetworkSpec.dense(widths, rule=name, sweeps_per_batch=2, **kind)
    state, batch, numbers = start(spec), random_batch(spec, 0, 5), numbers_for(spec, damping=0.5)
    shapes = jax.tree.map(jnp.shape, state)
    if output != "binary_label":  # compiled for one output only
        after = jax.eval_shape(lambda *given: compiled_batch(spec, *given)[0], state, batch, numbers)
        assert jax.tree.map(lambda leaf: leaf.shape, after) == shapes
        return
    after, _ = compiled_batch(spec, state, batch, numbers)
    assert jax.tree.map(jnp.shape, after) == shapes
    assert_finite(*(leaf for leaf in jax.tree.leaves(after) if jnp.issubdtype(leaf.dtype, jnp.floating)))
    for layer in decode(spec, after, first_numbers(spec)):
        assert set(np.unique(layer)) <= {-1, 1}


# Layers


@each_layer
@pytest.mark.parametrize("one_sweep", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_layer_keeps_its_contract(kind, one_sweep):
    """Shapes go up and come down, and the beliefs keep theirs."""
    shape, layer = EXAMPLES[kind]
    layer = layer.complete() if hasattr(layer, "complete") else layer
    assert_static(layer)
    place = Place(in_shape=shape, known_inputs=False, averaged_signs=1, one_sweep=one_sweep)
    layer.check(place)
    spec = NetworkSpec.dense((2,) * (layer.num_weighted + 2))
    numbers = spec.numbers(first_numbers(spec))[: layer.num_weighted]
    keys = list(jax.random.split(jax.random.key(0), max(layer.num_weighted, 1)))[: layer.num_weighted]
    state = jax.jit(layer.init, static_argnums=1)(keys, place, numbers, 1.0)
    fields = jnp.asarray(np.random.default_rng(0).normal(size=(3, *shape)), jnp.float32)
    mean = jnp.tanh(fields)
    below = Inputs(mean, 1.0 - mean**2, None, None, fields)
    memory = layer.begin(place, state, 3, mean.dtype, numbers)
    units = (3, *layer.out_shape(shape))
    precision = None if layer.averaged_signs(place.averaged_signs) == 1 else jnp.full(units, 0.1)

    @jax.jit
    def up_and_down(state, below, above, memory):
        outputs, cache = layer.forward(place, state, below, memory, numbers)
        return outputs.mean, layer.backward(place, state, cache, above, memory, numbers, jnp.ones(3))

    above = Natural(jnp.full(units, 0.3), precision)
    mean, (moved, kept, down) = up_and_down(state, below, above, memory)
    assert mean.shape == units
    assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, state)
    assert one_sweep or jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, memory)
    assert down.field.shape == fields.shape
    assert_finite(*(leaf for leaf in jax.tree.leaves((moved, down, mean))))


@each_layer
def test_certain_weights_and_inputs_make_the_discrete_network(kind):
    shape, layer = EXAMPLES[kind]
    layer = layer.complete() if hasattr(layer, "complete") else layer
    images = Conv2D(shape[-1], 1) if len(shape) == 3 else Dense(shape[0])
    above = () if len(layer.out_shape(shape)) == 1 else (Flatten(),)
    spec = NetworkSpec(shape, (images, layer, *above, Dense(1)))
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec
    generator = np.random.default_rng(1)
    weights = [
        jnp.asarray(generator.choice([-1.0, 1.0], (fan_in, width)), jnp.float32)
        for fan_in, width in zip(spec.fan_ins, spec.widths[1:], strict=True)
    ]
    inputs = jnp.asarray(generator.normal(size=(4, *shape)), jnp.float32)
    certain = [Moments(own, jnp.zeros_like(own)) for own in weights]
    mean = moment_outputs(spec, certain, inputs, jnp.zeros(spec.num_layers)).mean
    found = discrete_outputs(spec, weights, inputs)
    largest_step = 1.0  # what keeps a sum of 0 from being a tie
    assert np.all((np.asarray(mean) >= found - 1e-3) & (np.asarray(mean) <= found + largest_step + 1e-3))


def test_every_layer_has_an_example():
    assert set(EXAMPLES) == set(LAYERS)


# Methods of comparisons, gradient methods


@pytest.fixture(scope="module")
def task():
    generator = np.random.default_rng(0)
    labels = np.arange(18) % 3
    inputs = generator.normal(size=(18, 4)) + 3.0 * np.eye(4)[labels]
    return Task(inputs, labels, inputs, labels, seed=3)


def is_external(name):
    """Whether a method is scikit-learn's, which fits in no time."""
    nothing = np.zeros((0, 1))
    model = METHODS[name].build({}, Task(nothing, nothing[:, 0], nothing, nothing[:, 0]))
    return type(model).__module__.startswith("sklearn.")


@each_method
def test_a_method_is_built_from_its_parameters(name, task):
    """Each parameter that a config may set is taken; the seed is the draw's."""
    method = METHODS[name]
    assert isinstance(method, Method)
    assert len(method.summary.splitlines()) == 1
    known = method.parameters()
    assert "random_state" not in known or is_external(name)
    model = method.build({}, task)
    assert callable(model.fit)
    given = {key: value for key, value in known.items() if key in inspect.signature(type(model)).parameters}
    assert callable(method.build(given, task).fit)
    parameters = model.get_params()
    seeds = [value for key, value in parameters.items() if key.split("__")[-1] == "random_state"]
    assert set(seeds) <= {task.seed, None}


# Seconds for each fit.
QUICK = {"time_limit": 4.0, "num_epochs": 2}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if is_external(name) else pytest.mark.slow) for name in METHODS]
)
def test_a_fitted_method_is_scored(name, task):
    method = METHODS[name]
    known = method.parameters()
    params = {key: value for key, value in QUICK.items() if key in known}
    if name == "bemi":
        params["time_limit"] = (1.0, 1.0, 1.0)
    model = method.build(params, task)
    model.fit(task.x_train, task.y_train)
    found = method.evaluate(model, task)
    assert isinstance(found, Evaluation)
    assert set(found.predictions) == set(found.scores) >= set(found.probabilities)
    for label in found.predictions.values():
        assert label.shape == task.y_test.shape
    for probabilities in found.probabilities.values():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    for score in found.scores.values():
        assert score["predict_seconds"] >= 0.0
    assert {"weight_bits", "model_bytes"} <= set(found.facts)


@each_classifier
def test_a_gradient_classifier_is_one_of_scikit_learn(kind):
    """Plain parameters with a text each, a seed, and a description that training compiles for."""
    classifier = kind()
    assert isinstance(classifier, ClassifierMixin)
    assert is_classifier(classifier)
    assert clone(classifier).get_params() == classifier.get_params()
    names = inspect.signature(kind).parameters
    assert {"random_state", "num_epochs", "prediction"} <= set(names)
    assert kind.__name__ in importlib.import_module(kind.__module__).__all__
    image_shape = names["image_shape"].default if "image_shape" in names else None
    features = math.prod(image_shape or (6,))
    plan = classifier._plan(20)
    method, again = (one._method((features, 3), plan) for one in (classifier, clone(classifier)))
    assert method == again
    assert hash(method) == hash(again)
    if type(method).optimizer is not GradientMethod.optimizer:  # coordinate descent has none
        assert callable(method.optimizer(plan).update)


# Engines of solvers


@each_engine
def test_an_engine_proves_the_best_of_a_small_program(name):
    if name not in installed_engines():
        pytest.skip(f"the engine {name} is not installed")
    engine = ENGINES[name]()
    assert len(inspect.signature(engine.run).parameters) == 4
    assert not inspect.signature(engine.stop).parameters
    model = Model()
    variables = model.add_variables(3, -1, 1)
    model.add_row(Expression(variables, np.ones(3)), upper=1)
    model.maximise(variables, [2.0, -1.0, 1.0])
    solution = solve(model, Limits(5), engine=name)
    assert solution.status == "optimal"
    assert solution.values.tolist() in ([1, -1, 1], [1.0, -1.0, 1.0])
    assert solution.objective == pytest.approx(4.0)
    assert solution.bound == pytest.approx(4.0)
