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
from mpnn.preprocessing.augmentation import Augment

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
    """What is trained.

    Parameters
    ----------
    latents : sequence of Array
        Latent arrays of the discrete weights.
    real : sequence of Array
        Numbers that stay real.
    """

    latents: Leaves
    real: Leaves


class Plan(NamedTuple):
    """How long training is: static.

    Parameters
    ----------
    num_epochs : int >= 1
        Passes over the samples.
    batch_size : int >= 1
        Samples of a mini-batch.
    num_samples : int >= 1
        Size of the data set.
    uneven : bool, default=False
        Whether masks leave samples out.
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
    network : spec of the module
        The network's shape and units.
    family : Family
        How a latent array determines weights and their distribution.
    loss : str, default="cross_entropy"
        A name in :data:`mpnn.gradient.losses.LOSSES`.
    num_draws : int, default=1
        Gradients averaged over this many draws of weights.
    warm_epochs : int, default=0
        Epochs of a real-valued network that the latent arrays start from; 0: none.
    augmentation : callable or None, default=None
        Changes the inputs of every batch at random (:mod:`mpnn.preprocessing.augmentation`).
    """

    network: Any
    family: Family
    loss: str = "cross_entropy"
    num_draws: int = 1
    warm_epochs: int = 0
    augmentation: Augment | None = None

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """The module that training runs forward.

        Parameters
        ----------
        rngs : nnx.Rngs
            Random keys of the initial arrays.
        """
        return Perceptron(self.network, self.family, rngs=rngs)

    def build_point(self, rngs: nnx.Rngs) -> nnx.Module:
        """The module of discrete weights, with the same arrays.

        Parameters
        ----------
        rngs : nnx.Rngs
            Random keys of the initial arrays.
        """
        return Perceptron(self.network, self.family, rngs=rngs)

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """What the training module multiplies by, from the latent arrays.

        Parameters
        ----------
        latents : sequence of Array
            Latent arrays of the discrete weights.
        key : Array
            Random key of drawn weights.
        step : int Array []
            Number of updates so far.
        plan : Plan or None
            How long training is; None at prediction.
        """
        raise NotImplementedError

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The transformation that updates :class:`Parameters`.

        Parameters
        ----------
        plan : Plan
            How long training is, for schedules.
        """
        raise NotImplementedError

    def logits(self, outputs: Any) -> Array:
        """What the loss sees ``[B, K]``.

        Parameters
        ----------
        outputs : Array [B, K] or moments
            The training module's outputs.
        """
        return outputs

    def penalty(self, latents: Leaves) -> Array | float:
        """Regularizer of the latent arrays, added to the loss.

        Parameters
        ----------
        latents : sequence of Array
            Latent arrays of the discrete weights.
        """
        return 0.0

    def augment(self, key: Array, inputs: Array) -> Array:
        """Change a batch of training inputs at random.

        Parameters
        ----------
        key : Array
            Random key.
        inputs : Array [B, features]
            The batch.
        """
        return inputs if self.augmentation is None else self.augmentation(key, inputs)

    @property
    def analytic(self) -> bool:
        """Whether means of the predictions are known without sampling."""
        return False


@dataclass(frozen=True)
class RealWeights(Method):
    """The same network with real weights, trained by Adam: what discrete ones may start from.

    Parameters
    ----------
    learning_rate : float > 0, default=0.001
        Initial rate of Adam, a cosine to 0.
    """

    learning_rate: float = 1e-3

    @classmethod
    def like(cls, method: Method) -> "RealWeights":
        """The real network of a method's shape.

        Parameters
        ----------
        method : Method
            The method of the discrete network.
        """
        return cls(method.network, LatentBinary(), method.loss, augmentation=method.augmentation)

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
    """Initial parameters and batch statistics.

    Parameters
    ----------
    method : Method
        The method of training.
    key : Array
        Random key.
    """
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

    Parameters
    ----------
    method : Method
        The method whose module it is.
    weights : sequence of Array
        What stands for the discrete arrays, in their order.
    real : sequence of Array
        Numbers that stay real.
    statistics : sequence of Array
        Batch statistics before.
    inputs : Array [B, features]
        The batch.
    point : bool, default=False
        Whether to run the module of discrete weights rather than that of training.
    **how : object
        Further arguments of the module's call.
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
    """One transformation for the latent arrays, another for the real numbers.

    Parameters
    ----------
    discrete : optax.GradientTransformation
        Updates the latent arrays.
    real : optax.GradientTransformation
        Updates the real numbers.
    """
    return optax.partition(
        {"discrete": discrete, "real": real},
        Parameters(latents="discrete", real="real"),  # type: ignore[arg-type]
    )


def cosine(learning_rate: float, plan: Plan) -> optax.Schedule:
    """From the learning rate to 0 over the whole training.

    Parameters
    ----------
    learning_rate : float > 0
        Initial rate.
    plan : Plan
        How long training is.
    """
    return optax.schedules.cosine_decay_schedule(learning_rate, max(plan.num_steps, 1))


def stacked_moments(family: Family, latents: Leaves) -> Leaves:
    """Means and variances of every array, stacked: what :class:`MomentPerceptron` multiplies by.

    Parameters
    ----------
    family : Family
        The family of the weights.
    latents : sequence of Array
        Latent arrays of the discrete weights.
    """
    return tuple(jnp.stack(family.moments(latent)) for latent in latents)
