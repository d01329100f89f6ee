"""Weights that real-valued training draws towards -1 and +1: ProxQuant and AdaSTE."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import LatentBinary
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned
from mpnn.gradient.optimizers import adaste_weights, proxquant, scale_by_adaste
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.validation import at_least_zero

__all__ = ["AdaSTEClassifier", "ProxQuantClassifier"]

# ProxQuant: twice the sum of the default proximal steps; weights start within 1 of a level.
TOTAL_PULL = 6.0
# AdaSTE: sharpness b at the start of training, and its largest value 1 / a at the end.
FIRST_SHARPNESS, LAST_SHARPNESS = 0.01, 100.0


@dataclass(frozen=True)
class Proximal(Method):
    """Real weights, a proximal step after each update of Adam; the strength grows linearly."""

    learning_rate: float = 0.01
    strength: float = 0.01

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """The real weights."""
        return latents

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, then the proximal map."""
        adam = optax.adam(cosine(self.learning_rate, plan))
        growing = optax.schedules.linear_schedule(0.0, self.strength, plan.num_steps)
        return partitioned(optax.chain(adam, proxquant(growing)), adam)


@dataclass(frozen=True)
class Adaptive(Method):
    """Latent weights under a map that sharpens to the sign."""

    learning_rate: float = 0.01

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Weights ``w(t)``, as if the map's derivative were 1: the optimizer knows the right one."""
        assert plan is not None  # only training reads
        sharpness = self._sharpness(plan)(step)

        def forward(latent: Array) -> Array:
            return latent + jax.lax.stop_gradient(adaste_weights(latent, sharpness) - latent)

        return tuple(forward(latent) for latent in latents)

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The map's adaptive derivative, then Adam."""
        adam = optax.adam(cosine(self.learning_rate, plan))
        return partitioned(optax.chain(scale_by_adaste(self._sharpness(plan)), adam), adam)

    def _sharpness(self, plan: Plan) -> optax.Schedule:
        """Exponential growth to the last value at the end."""
        factor = LAST_SHARPNESS / FIRST_SHARPNESS
        return lambda step: FIRST_SHARPNESS * jnp.power(factor, step / max(plan.num_steps, 1))


class _QuantizingClassifier(GradientClassifier):
    def _network(self, widths: tuple[Any, ...]) -> PerceptronSpec:
        norm = self._norm(self.norm, "batch_affine")
        return PerceptronSpec(
            widths,
            image_shape=self._shape_for_layers(),
            activation=self.activation,
            norm=norm,
            scaled=norm is None,
            bias=self.bias,
        )


class ProxQuantClassifier(_QuantizingClassifier):
    """Binary weights by proximal steps on real ones (Bai, Wang and Liberty 2019).

    **Not binary**: hidden units (ReLU), batch norm's scales, shifts and running statistics where there is
    batch norm, inputs and outputs. ``weights_`` are the signs of the final real weights.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    learning_rate : float > 0 or None, default=None
        Initial rate of Adam, a cosine to 0; None: 0.1 for full batches, else 0.01.
    strength : float >= 0 or None, default=None
        Proximal step at the end of training; it grows from 0. None: 6 over the number of updates, so that all
        steps add up to 3.
    warm_epochs : int, default=0
        Epochs of the real-valued network that training starts from.
    activation : str, default="relu"
        Activation of hidden units: ``"relu"``, ``"tanh"`` or ``"sign"``.
    norm : str or None, default="auto"
        ``"batch_affine"``, ``"batch"`` or None; ``"auto"``: batch norm with hidden layers.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 20 with more.
    batch_size : int, "auto" or None, default="auto"
        Samples of a mini-batch; None: full batches; ``"auto"``: full batches up to 2000 samples, 128 above.
    bias : bool, default=False
        Whether to add a constant input of 1 to every layer; its weights are binary too.
    input_scaling : str or None, default="auto"
        How inputs are scaled, see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    image_shape : triple of int or None, default=None
        Height, width and channels of flat images; None: that of the images given. For layers that read
        images, and for shifts.
    largest_shift : int >= 0, default=0
        Pixels that training images are shifted by at most, in every step anew and at random.
    num_samples : int, default=32
        Not used; here for all methods' common interface.
    callbacks : list of :class:`mpnn.callbacks.Callback` or None, default=None
        Called after every epoch; in a vote with ``pairs_per_batch``, after every group of pairs.
    verbose : {0, 1, 2}, default=0
        Nothing, a progress bar, or a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        prediction: str = "mode",
        *,
        learning_rate: float | None = None,
        strength: float | None = None,
        warm_epochs: int = 0,
        activation: str = "relu",
        norm: str | None = "auto",
        num_epochs: int | None = None,
        batch_size: int | str | None = "auto",
        bias: bool = False,
        input_scaling: str | None = "auto",
        image_shape: Sequence[int] | None = None,
        largest_shift: int = 0,
        num_samples: int = 32,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.prediction = prediction
        self.learning_rate = learning_rate
        self.strength = strength
        self.warm_epochs = warm_epochs
        self.activation = activation
        self.norm = norm
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.bias = bias
        self.input_scaling = input_scaling
        self.image_shape = image_shape
        self.largest_shift = largest_shift
        self.num_samples = num_samples
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> Proximal:
        strength = TOTAL_PULL / plan.num_steps if self.strength is None else self.strength
        return Proximal(
            network=self._network(widths),
            family=LatentBinary(),
            warm_epochs=self.warm_epochs,
            learning_rate=self._rate(plan),
            strength=at_least_zero("strength", strength),
        )


class AdaSTEClassifier(_QuantizingClassifier):
    """Binary weights by adaptive straight-through steps (Le et al. 2022).

    **Not binary**: hidden units (ReLU), batch norm's scales, shifts and running statistics where there is
    batch norm, inputs and outputs. Unlike the release, the loss is met at the sharpened weights, not at their
    signs.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    learning_rate : float > 0 or None, default=None
        Initial rate of Adam, a cosine to 0; None: 0.1 for full batches, else 0.01.
    warm_epochs : int, default=0
        Epochs of the real-valued network that training starts from.
    activation : str, default="relu"
        Activation of hidden units: ``"relu"``, ``"tanh"`` or ``"sign"``.
    norm : str or None, default="auto"
        ``"batch_affine"``, ``"batch"`` or None; ``"auto"``: batch norm with hidden layers.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 20 with more.
    batch_size : int, "auto" or None, default="auto"
        Samples of a mini-batch; None: full batches; ``"auto"``: full batches up to 2000 samples, 128 above.
    bias : bool, default=False
        Whether to add a constant input of 1 to every layer; its weights are binary too.
    input_scaling : str or None, default="auto"
        How inputs are scaled, see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    image_shape : triple of int or None, default=None
        Height, width and channels of flat images; None: that of the images given. For layers that read
        images, and for shifts.
    largest_shift : int >= 0, default=0
        Pixels that training images are shifted by at most, in every step anew and at random.
    num_samples : int, default=32
        Not used; here for all methods' common interface.
    callbacks : list of :class:`mpnn.callbacks.Callback` or None, default=None
        Called after every epoch; in a vote with ``pairs_per_batch``, after every group of pairs.
    verbose : {0, 1, 2}, default=0
        Nothing, a progress bar, or a line an epoch, on standard error.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        prediction: str = "mode",
        *,
        learning_rate: float | None = None,
        warm_epochs: int = 0,
        activation: str = "relu",
        norm: str | None = "auto",
        num_epochs: int | None = None,
        batch_size: int | str | None = "auto",
        bias: bool = False,
        input_scaling: str | None = "auto",
        image_shape: Sequence[int] | None = None,
        largest_shift: int = 0,
        num_samples: int = 32,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.prediction = prediction
        self.learning_rate = learning_rate
        self.warm_epochs = warm_epochs
        self.activation = activation
        self.norm = norm
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.bias = bias
        self.input_scaling = input_scaling
        self.image_shape = image_shape
        self.largest_shift = largest_shift
        self.num_samples = num_samples
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> Adaptive:
        return Adaptive(
            network=self._network(widths),
            family=LatentBinary(),
            warm_epochs=self.warm_epochs,
            learning_rate=self._rate(plan),
        )
