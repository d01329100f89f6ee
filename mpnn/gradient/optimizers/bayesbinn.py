"""BayesBiNN: the Bayesian learning rule for Bernoulli weights (Meng, Bachmann and Khan 2020).

A weight is +1 with probability ``sigmoid(2 f)``, where the field f is its natural parameter; its mean is
``tanh f`` and its Fisher information ``sech² f``. With N samples, prior fields ``f0`` and learning rate a,
the rule is ``f <- (1 - a) f - a (N dL/dmean - f0)``, equation (9) there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree
from jax import Array

from mpnn.gradient.optimizers.checks import require_params

__all__ = [
    "FISHER_FLOOR",
    "PriorState",
    "bayesbinn",
    "divide_by_fisher",
    "fisher_information",
    "pull_to_prior",
    "relaxed_sample",
    "set_prior",
    "sign_ema",
]

# Smallest Fisher information that anything is divided by.
FISHER_FLOOR = 1e-10


class PriorState(NamedTuple):
    """State of :func:`pull_to_prior`.

    Parameters
    ----------
    prior : pytree of arrays
        Fields of the prior.
    """

    prior: ArrayTree


def relaxed_sample(key: Array, field: Array, temperature: float, floor: float = 0.0) -> Array:
    """Draw weights in (-1, 1) that depend smoothly on their fields: ``tanh((f + d) / temperature)``.

    d is half a standard logistic variable (Concrete distribution); as the temperature goes to 0 the weights
    become exact Bernoulli draws, and their gradients vanish.

    Parameters
    ----------
    key : Array
        Random key.
    field : Array
        Fields f.
    temperature : float > 0
        Width of the transition between the signs.
    floor : float >= 0, default=0.0
        Least derivative ``sech²((f + d) / temperature)``; above 0 it keeps the derivative from vanishing.
        With :data:`FISHER_FLOOR`, what the published code amounts to, weights so certain that their Fisher
        information is at its floor too are trained straight-through, and can change their signs.
    """
    argument = (field + 0.5 * jax.random.logistic(key, field.shape, field.dtype)) / temperature
    weights = jnp.tanh(argument)
    if floor == 0.0:
        return weights
    lost = jnp.maximum(floor - _squared_sech(argument), 0.0)
    return weights + jax.lax.stop_gradient(lost) * (argument - jax.lax.stop_gradient(argument))


def _squared_sech(x: Array) -> Array:
    decay = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * decay / jnp.square(1.0 + decay)


def fisher_information(field: Array) -> Array:
    """``sech² f``, without the cancellation of ``1 - tanh² f``; at least ``FISHER_FLOOR``.

    Parameters
    ----------
    field : Array
        Fields f.
    """
    return jnp.maximum(_squared_sech(field), FISHER_FLOOR)


def divide_by_fisher() -> optax.GradientTransformation:
    """Turn gradients by fields into gradients by means; the parameters are the fields."""
    return optax.stateless(
        lambda updates, params: jax.tree.map(
            lambda update, field: update / fisher_information(field), updates, params
        )
    )


def pull_to_prior(weight: float = 1.0) -> optax.GradientTransformation:
    """Add ``weight (f - f0)``, the gradient by the mean of the divergence from the prior.

    ``f0`` is 0 (uniform) until :func:`set_prior` changes it.

    Parameters
    ----------
    weight : float >= 0, default=1.0
        Factor of the divergence.
    """

    def update(
        updates: ArrayTree, state: PriorState, params: ArrayTree | None = None
    ) -> tuple[ArrayTree, PriorState]:
        require_params(params)
        pulled = jax.tree.map(
            lambda update, field, prior: update + weight * (field - prior), updates, params, state.prior
        )
        return pulled, state

    return optax.GradientTransformation(lambda params: PriorState(optax.tree.zeros_like(params)), update)


def set_prior(state: ArrayTree, fields: ArrayTree) -> ArrayTree:
    """Return an optimizer state with another prior, such as the posterior of an earlier task.

    Parameters
    ----------
    state : pytree of arrays
        State of an optimizer that contains :func:`pull_to_prior`.
    fields : pytree of arrays
        Fields of the prior, shaped as the parameters.
    """

    def replace(leaf: Any) -> Any:
        if not isinstance(leaf, PriorState):
            return leaf
        # in a partition, the parameters of other transformations are masked out of the structure
        return PriorState(jax.tree.unflatten(jax.tree.structure(leaf.prior), jax.tree.leaves(fields)))

    return jax.tree.map(replace, state, is_leaf=lambda leaf: isinstance(leaf, PriorState))


def bayesbinn(
    learning_rate: optax.ScalarOrSchedule,
    num_samples: int,
    momentum: float = 0.0,
    prior_weight: float = 1.0,
    largest_gradient: float | None = None,
) -> optax.GradientTransformation:
    """The rule, for parameters that are fields and gradients taken through :func:`relaxed_sample`.

    Parameters
    ----------
    learning_rate : float in (0, 1] or schedule
        Step of the fields.
    num_samples : int
        Size N of the data set whose mean loss the gradients belong to.
    momentum : float in [0, 1), default=0.0
        Weight of the old average gradient.
    prior_weight : float >= 0, default=1.0
        Factor of the divergence from the prior; 1 is Bayes.
    largest_gradient : float > 0 or None, default=None
        Bound of ``N dL/dmean``; None: none. One sample near zero of a weight that is all but certain brings a
        gradient over a vanishing Fisher information, and without a bound a field that takes thousands of
        steps to come back from.
    """
    return optax.chain(
        optax.scale(num_samples),
        divide_by_fisher(),
        optax.identity() if largest_gradient is None else optax.clip(largest_gradient),
        pull_to_prior(prior_weight),
        optax.ema(momentum, debias=True) if momentum else optax.identity(),
        optax.scale_by_learning_rate(learning_rate),
    )


def sign_ema(learning_rate: optax.ScalarOrSchedule, gain: float = 1.0) -> optax.GradientTransformation:
    """What the rule becomes at the released image settings: ``f <- (1 - a) f - a gain g``.

    There the temperature is 1e-10 and float32 saturates every weight: the weights are ``sign(f)``, g is their
    straight-through gradient, and the field is an exponentially decayed sum of gradients whose scale does not
    matter. Neither noise, nor the divergence from the prior, nor the number of samples is left.

    Parameters
    ----------
    learning_rate : float in (0, 1] or schedule
        Share a of the new gradient.
    gain : float > 0, default=1.0
        Factor of the gradient.
    """
    return optax.chain(
        optax.scale(gain), optax.add_decayed_weights(1.0), optax.scale_by_learning_rate(learning_rate)
    )
