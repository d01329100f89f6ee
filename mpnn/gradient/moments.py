"""Means and variances through a network of random weights: the forward half of mean-field message passing.

With inputs of mean m and variance v and independent weights of mean t and variance s, a pre-activation is
Gaussian in the limit of many inputs, with mean ``sum m t`` and variance ``sum (m² + v) s + v t²`` (Soudry,
Hubara and Meir 2014; Shayer, Levi and Fetaya 2018; Peters and Welling 2018).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.scipy.stats import norm

from mpnn.gradient import surrogates
from mpnn.linear_maps import products
from mpnn.linear_maps.base import Moments

__all__ = ["MomentNorm", "dense_moments", "expected_logits", "unit_sample", "sign_moments", "sign_sample"]

# Keeps the derivative of a deviation finite where nothing is uncertain.
VARIANCE_FLOOR = 1e-6
NORM_EPSILON = 1e-4


def dense_moments(
    mean: Array, variance: Array | None, weight: Moments, scale: float, *, unit_power: bool = False
) -> Moments:
    """Moments ``[B, K]`` of ``scale * x @ w``.

    Parameters
    ----------
    mean : Array [B, N]
        Means of x.
    variance : Array [B, N] or None
        Variances of x; None: x is known.
    weight : moments [N, K]
        Moments of w.
    scale : float
        The factor.
    unit_power : bool, default=False
        Whether ``m² + v = 1``, as for signs, which saves a matrix product.
    """
    total = scale * products.contract(weight.mean, mean)
    power = None
    if not unit_power:
        power = jnp.square(mean) if variance is None else jnp.square(mean) + variance
    certain = weight.variance.ndim == 0
    spread = jnp.zeros_like(total)
    if not certain:
        spread = products.sum_variance(weight, power, variance, total)
    elif variance is not None:
        spread = products.contract(jnp.square(weight.mean), variance)
    return Moments(total, scale**2 * spread + VARIANCE_FLOOR)


def sign_moments(state: Moments) -> Moments:
    """Moments of the sign of a Gaussian: ``2 Phi(m / sqrt v) - 1`` and 1 less its square.

    Parameters
    ----------
    state : moments
        Moments of the Gaussian pre-activation.
    """
    mean = 2.0 * norm.cdf(state.mean / jnp.sqrt(state.variance)) - 1.0
    return Moments(mean, 1.0 - jnp.square(mean))


def unit_sample(key: Array, state: Moments, activate: Callable[[Array], Array]) -> Array:
    """Draw the pre-activation and apply the unit to it.

    Parameters
    ----------
    key : Array
        Random key.
    state : moments
        Moments of the Gaussian pre-activation.
    activate : callable
        The unit, a function of the pre-activation.
    """
    noise = jax.random.normal(key, state.mean.shape, state.mean.dtype)
    return activate(state.mean + jnp.sqrt(state.variance) * noise)


def sign_sample(key: Array, state: Moments, temperature: float) -> Array:
    """Draw signs, with the derivative of the Concrete distribution at a temperature (Berger et al. 2023).

    Parameters
    ----------
    key : Array
        Random key.
    state : moments
        Moments of the Gaussian pre-activation.
    temperature : float > 0
        Temperature of the Concrete distribution.
    """
    logit = norm.logcdf(state.mean / jnp.sqrt(state.variance)) - norm.logcdf(
        -state.mean / jnp.sqrt(state.variance)
    )
    noise = jax.random.logistic(key, logit.shape, logit.dtype)
    relaxed = jnp.tanh((logit + noise) / (2.0 * temperature))
    return relaxed + jax.lax.stop_gradient(surrogates.sign(relaxed) - relaxed)


def expected_logits(state: Moments) -> Array:
    """Logits whose softmax is about the mean softmax of Gaussian outputs: ``m / sqrt(1 + pi v / 8)``.

    (MacKay 1992, for one output; applied to each of several.)

    Parameters
    ----------
    state : moments
        Moments of the outputs.
    """
    return state.mean / jnp.sqrt(1.0 + jnp.pi / 8.0 * state.variance)


class MomentNorm(nnx.BatchNorm):
    """Batch norm of numbers, as in flax, and of moments: the variance of a batch is ``E[v] + Var[m]``.

    Parameters
    ----------
    num_features : int
        Size of the last axis.
    momentum : float in [0, 1)
        Weight of the old running statistics.
    use_bias, use_scale : bool
        Whether shifts and scales are trained.
    rngs : nnx.Rngs
        Random keys of the initial arrays.
    """

    def __init__(
        self, num_features: int, *, momentum: float, use_bias: bool, use_scale: bool, rngs: nnx.Rngs
    ):
        super().__init__(
            num_features,
            momentum=momentum,
            epsilon=NORM_EPSILON,
            use_bias=use_bias,
            use_scale=use_scale,
            rngs=rngs,
        )

    def moments(self, state: Moments, *, train: bool, mask: Array | None = None) -> Moments:
        """Normalize moments.

        Parameters
        ----------
        state : moments [..., features]
            Moments of what is normalized.
        train : bool
            Whether to use the batch's statistics and update the running ones, rather than use the latter.
        mask : bool Array or None, default=None
            Which entries count for the batch's statistics; None: all.
        """
        if train:
            axes = tuple(range(state.mean.ndim - 1))
            mean = jnp.mean(state.mean, axes, where=mask)
            spread = jnp.mean(state.variance + jnp.square(state.mean), axes, where=mask) - jnp.square(mean)
            for running, new in ((self.mean, mean), (self.var, spread)):
                running[...] = self.momentum * running[...] + (1.0 - self.momentum) * new
        else:
            mean, spread = self.mean[...], self.var[...]
        scale = jax.lax.rsqrt(spread + self.epsilon)
        if self.scale is not None:
            scale = scale * self.scale[...]
        shift = 0.0 if self.bias is None else self.bias[...]
        return Moments((state.mean - mean) * scale + shift, state.variance * jnp.square(scale))
