"""What tells one gradient method from another: the frozen description that the trainer compiles for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from mpnn.gradient.families import Family, LatentBinary
from mpnn.gradient.perceptron import Discrete, Perceptron

__all__ = [
    "Leaves",
    "Method",
    "Parameters",
    "Plan",
    "RealWeights",
    "apply",
    "cosine",
    "initial_leaves",
    "partitioned",
    "stacked_moments",
]

Leaves = tuple[Array, ...]


class Parameters(NamedTuple):
    """What is trained: latent arrays of the discrete weights, and real numbers."""

    latents: Leaves
    real: Leaves


class Plan(NamedTuple):
    """How long training is: static.

    num_samples: size of the data set; uneven: whether masks leave samples out.
    """

    num_epochs: int
    batch_size: int
    num_samples: int
    uneven: bool = False

    @property
    def steps_per_epoch(self) -> int:
        """Mini-batches of an epoch; the last may be partly empty."""
        return -(-self.num_samples // self.batch_size)

    @property
    def num_steps(self) -> int:
        """Updates of the whole training."""
        return self.num_epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Method:
    """A method of training; hashable, so that equal methods share a compiled program.

    Parameters
    ----------
    network : the network's shape and units.
    family : what a latent array says about weights.
    loss : a name in :data:`mpnn.gradient.losses.LOSSES`.
    num_draws : gradients averaged over this many draws of weights.
    warm_epochs : epochs of a real-valued network that the latent arrays start from; 0: none.
    """

    network: Any
    family: Family
    loss: str = "cross_entropy"
    num_draws: int = 1
    warm_epochs: int = 0

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """The module that training runs forward."""
        return Perceptron(self.network, self.family, rngs=rngs)

    def build_point(self, rngs: nnx.Rngs) -> nnx.Module:
        """The module of discrete weights, with the same arrays."""
        return Perceptron(self.network, self.family, rngs=rngs)

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """What the training module multiplies by, from the latent arrays; no plan at prediction."""
        raise NotImplementedError

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The transformation that updates :class:`Parameters`."""
        raise NotImplementedError

    def logits(self, outputs: Any) -> Array:
        """What the loss sees ``[B, K]``, from the training module's outputs."""
        return outputs

    def penalty(self, latents: Leaves) -> Array | float:
        """Regularizer of the latent arrays."""
        return 0.0

    def augment(self, key: Array, inputs: Array) -> Array:
        """Change a batch of training inputs at random."""
        return inputs

    @property
    def analytic(self) -> bool:
        """Whether means of the predictions are known without sampling."""
        return False


@dataclass(frozen=True)
class RealWeights(Method):
    """The same network with real weights, trained by Adam: what discrete ones may start from."""

    learning_rate: float = 1e-3

    @classmethod
    def like(cls, method: Method) -> "RealWeights":
        """The real network of a method's shape."""
        return cls(network=method.network, family=LatentBinary(), loss=method.loss)

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """The weights themselves."""
        return latents

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, cosine."""
        return optax.adam(cosine(self.learning_rate, plan))


@lru_cache(maxsize=64)
def _skeleton(method: Method, point: bool) -> tuple[Any, tuple[Any, ...]]:
    """The static part of the module, and the tree structures of its three groups of arrays."""
    build = method.build_point if point else method.build
    graph, *groups = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))), Discrete, nnx.Param, ...)
    return graph, tuple(jax.tree.structure(group) for group in groups)


def initial_leaves(method: Method, key: Array) -> tuple[Parameters, Leaves]:
    """Initial parameters and batch statistics."""
    _, *groups = nnx.split(method.build(nnx.Rngs(params=key)), Discrete, nnx.Param, ...)
    latents, real, statistics = (tuple(jax.tree.leaves(group)) for group in groups)
    return Parameters(latents, real), statistics


def apply(
    method: Method,
    weights: Sequence[Array],
    real: Sequence[Array],
    statistics: Sequence[Array],
    inputs: Array,
    *,
    point: bool = False,
    **how: Any,
) -> tuple[Any, Leaves]:
    """Run a module forward; return its outputs and its batch statistics afterwards.

    weights: what stands for the discrete arrays, in their order; ``how`` goes to the module's call.
    """
    graph, structures = _skeleton(method, point)
    leaves = (weights, real, statistics)
    groups = [structure.unflatten(own) for structure, own in zip(structures, leaves, strict=True)]
    model = nnx.merge(graph, *groups)
    outputs = model(inputs, **how)
    _, *groups = nnx.split(model, Discrete, nnx.Param, ...)
    return outputs, tuple(jax.tree.leaves(groups[-1]))


def partitioned(
    discrete: optax.GradientTransformation, real: optax.GradientTransformation
) -> optax.GradientTransformation:
    """One transformation for the latent arrays, another for the real numbers."""
    return optax.partition(
        {"discrete": discrete, "real": real},
        Parameters(latents="discrete", real="real"),  # type: ignore[arg-type]
    )


def cosine(learning_rate: float, plan: Plan) -> optax.Schedule:
    """From the learning rate to 0 over the whole training."""
    return optax.schedules.cosine_decay_schedule(learning_rate, max(plan.num_steps, 1))


def stacked_moments(family: Family, latents: Leaves) -> Leaves:
    """Means and variances of every array, stacked: what :class:`MomentPerceptron` multiplies by."""
    return tuple(jnp.stack(family.moments(latent)) for latent in latents)
