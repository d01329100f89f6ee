"""The special functions against SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mpnn import numerics

pytestmark = pytest.mark.optimized  # the accuracy is that of the programs that users get
# JAX's own float64 log_ndtr is off by up to 4.1e-9 of the tail, near -20.
FLOAT64_TOLERANCE = 1e-8
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
# Tiny points, points about the branches at 0 and +-1, and points far in the tails.
POINTS = np.concatenate([np.linspace(-30, 30, 6001), [1e-6, -1e-6, 1e-3, 0.9999, 1.0001]]).astype(np.float32)
FIELDS = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 40), -np.geomspace(1e-6, 1e3, 40)]).astype(np.float32)
EXTREMES = np.array([0.0, -0.0, 1e-30, -1e-30, 1e4, -1e4, 1e8, -1e8], np.float32)

UNARY = {
    "scaled_tail": lambda x: special.erfcx(np.abs(x) / np.sqrt(2)) / 2,
    "ndtr": special.ndtr,
    "log_ndtr": special.log_ndtr,
    "atanh_erf": lambda x: (special.log_ndtr(x) - special.log_ndtr(-x)) / 2,
    "hazard": lambda x: np.sqrt(2 / np.pi) / special.erfcx(x / np.sqrt(2)),
    "sech_squared": lambda x: 1 / np.cosh(x) ** 2,
}


def sign_gradient(field, x):
    """``sinh(field) phi(x) / (e^field Phi(x) + e^-field Phi(-x)) * 2``, all in logarithms."""
    side, magnitude = np.sign(field), np.abs(field)
    with np.errstate(divide="ignore"):
        log_numerator = np.log(-np.expm1(-2 * magnitude)) - x**2 / 2 - np.log(2 * np.pi) / 2
    log_partition = np.logaddexp(special.log_ndtr(side * x), special.log_ndtr(-side * x) - 2 * magnitude)
    return side * np.exp(log_numerator - log_partition)


def log_sign_partition(field, x):
    magnitude, towards = np.abs(field), np.where(field >= 0, x, -x)
    near_one = np.log1p(special.ndtr(-towards) * np.expm1(-2 * magnitude) * (1 - 1e-16))
    general = np.logaddexp(special.log_ndtr(towards), special.log_ndtr(-towards) - 2 * magnitude)
    return np.where((towards >= 0) | (magnitude < 0.5), near_one, general)


def assert_relatively_close(actual, expected, tolerance):
    """Where the expected value is a normal float32 number; elsewhere only that it is as small."""
    actual = np.asarray(actual, np.float64)
    normal = np.abs(expected) >= SMALLEST_NORMAL
    np.testing.assert_allclose(actual[normal], expected[normal], rtol=tolerance)
    assert np.all(np.abs(actual[~normal]) <= 2 * SMALLEST_NORMAL)


@pytest.mark.parametrize("name", UNARY)
def test_matches_scipy_in_float32(name):
    actual = jax.jit(getattr(numerics, name))(jnp.asarray(POINTS))
    assert actual.dtype == jnp.float32
    assert_relatively_close(actual, UNARY[name](POINTS.astype(np.float64)), 1e-5)


@pytest.mark.parametrize("name", UNARY)
def test_matches_scipy_in_float64(name, x64):
    points = POINTS.astype(np.float64)
    actual = jax.jit(getattr(numerics, name))(jnp.asarray(points))
    assert actual.dtype == jnp.float64
    np.testing.assert_allclose(actual, UNARY[name](points), rtol=FLOAT64_TOLERANCE)


def grid():
    return np.meshgrid(FIELDS, POINTS[::15])


def test_sign_gradient_in_float32():
    field, x = grid()
    actual = jax.jit(numerics.sign_gradient)(jnp.asarray(field), jnp.asarray(x))
    # At |x| = 30 the exponent x^2 / 2 = 450 alone rounds by 1.5e-5, hence twice the tolerance.
    assert_relatively_close(actual, sign_gradient(field.astype(float), x.astype(float)), 2e-5)
    moderate = np.abs(x) <= 15
    expected = sign_gradient(field[moderate].astype(float), x[moderate].astype(float))
    assert_relatively_close(np.asarray(actual)[moderate], expected, 1e-5)


def test_log_sign_partition_in_float32():
    field, x = grid()
    actual = jax.jit(numerics.log_sign_partition)(jnp.asarray(field), jnp.asarray(x))
    assert_relatively_close(actual, log_sign_partition(field.astype(float), x.astype(float)), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "reference"),
    [(numerics.sign_gradient, sign_gradient), (numerics.log_sign_partition, log_sign_partition)],
)
def test_two_arguments_in_float64(function, reference, x64):
    field, x = (values.astype(np.float64) for values in grid())
    actual = np.asarray(function(jnp.asarray(field), jnp.asarray(x)))
    expected = reference(field, x)
    normal = np.abs(expected) >= SMALLEST_NORMAL
    np.testing.assert_allclose(actual[normal], expected[normal], rtol=FLOAT64_TOLERANCE)


@pytest.mark.slow
def test_sign_gradient_under_infinite_fields_is_the_hazard():
    x = jnp.asarray(POINTS)
    np.testing.assert_allclose(numerics.sign_gradient(jnp.inf, x), numerics.hazard(-x), rtol=1e-6)
    np.testing.assert_allclose(numerics.sign_gradient(-jnp.inf, x), -numerics.hazard(x), rtol=1e-6)


@jax.jit
def everything(field, x):
    values = {name: getattr(numerics, name)(x) for name in UNARY}
    values["sign_gradient"] = numerics.sign_gradient(field, x)
    values["log_sign_partition"] = numerics.log_sign_partition(field, x)
    return values


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_is_nan_or_infinite(dtype, x64):
    field = np.concatenate([EXTREMES, [np.inf, -np.inf, 88, -88, 44.5]])[:, None]
    for name, values in everything(field.astype(dtype), EXTREMES.astype(dtype)).items():
        assert values.dtype == dtype
        assert np.all(np.isfinite(values)), name


@pytest.mark.slow
def test_slopes_are_finite():
    """Automatic differentiation through both branches of every function."""
    x = jnp.asarray([-30.0, -3.0, -1.0, -1e-3, 0.5, 1.0, 3.0, 30.0])
    field = jnp.asarray([-20.0, -1e-3, 0.3, 20.0])[:, None]
    _, slopes = jax.jvp(lambda x: everything(field, x), (x,), (jnp.ones_like(x),))
    for name, values in slopes.items():
        assert np.all(np.isfinite(values)), name


@pytest.mark.slow
def test_known_values():
    """To ten digits, as the method's authors computed them."""
    np.testing.assert_allclose(
        numerics.atanh_erf(jnp.asarray([6.0, -0.5])), [10.36838447, -0.4034826732], 1e-6
    )
    np.testing.assert_allclose(numerics.hazard(jnp.asarray([-3.0, 20.0])), [4.437839e-3, 20.04975], 1e-6)
    np.testing.assert_allclose(numerics.sign_gradient(jnp.float32(3.0), jnp.float32(-3.0)), 1.155689271, 1e-6)
