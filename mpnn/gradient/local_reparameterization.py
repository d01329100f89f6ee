"""Discrete weights trained through sampled Gaussian pre-activations (LR-Nets and their successors)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import TernaryBelief
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned, stacked_moments
from mpnn.gradient.moment_propagation import BELIEFS
from mpnn.gradient.moments import expected_logits
from mpnn.gradient.perceptron import MomentPerceptron, PerceptronSpec
from mpnn.linear_maps.base import Moments
from mpnn.validation import above_zero, at_least_zero, one_of

__all__ = ["LocalReparameterization", "LocalReparameterizationClassifier"]


@dataclass(frozen=True)
class LocalReparameterization(Method):
    """Natural parameters of the weights, pre-activations drawn once a sample of the batch."""

    propagation: str = "sampled"
    temperature: float = 1.0
    learning_rate: float = 0.01
    weight_decay: float = 0.0

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """The network of means and variances, whose units are drawn in training."""
        return MomentPerceptron(self.network, self.family, self.propagation, self.temperature, rngs=rngs)

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Means and variances."""
        return stacked_moments(self.family, latents)

    def logits(self, outputs: Moments) -> Array:
        """Logits of the mean prediction over the last layer's weights."""
        return expected_logits(outputs)

    def penalty(self, latents: Leaves) -> Array | float:
        """``|logits|² / 2`` draws ternary weights to uniform, ``a (1 - a)`` binary ones to certainty."""
        if self.weight_decay == 0.0:
            return 0.0
        if isinstance(self.family, TernaryBelief):
            return self.weight_decay * sum(0.5 * jnp.sum(jnp.square(latent)) for latent in latents)
        variances = (self.family.moments(latent).variance for latent in latents)
        return self.weight_decay * sum(jnp.sum(variance) / 4.0 for variance in variances)

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, cosine."""
        adam = optax.adam(cosine(self.learning_rate, plan))
        return partitioned(adam, adam)

    @property
    def analytic(self) -> bool:
        """Only signs have known moments."""
        return self.network.activation == "sign"


class LocalReparameterizationClassifier(GradientClassifier):
    """Binary or ternary weights trained by local reparameterization.

    ``activation="relu"``: LR-Nets (Shayer, Levi and Fetaya 2018). ``activation="sign"``: Berger, Navon and
    Fetaya (2023), with hidden signs drawn by Gumbel-softmax (``propagation="gumbel"``) or handed on as
    moments (``"moments"``).

    **Not binary**: ReLU units; batch norm's scales, shifts and running statistics where there is batch norm;
    the last layer with ``real_output=True``, as published (its weights are then the last of ``real_``, not in
    ``weights_``); inputs and outputs. Predictions use batch norm's running statistics, those of drawn
    networks as well.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    weights : str, default="ternary"
        ``"binary"`` or ``"ternary"``.
    prediction : str, default="mode"
        ``"mode"`` (the discrete weights alone), ``"bayes"`` (analytic mean with signs, mean over drawn
        networks with ReLU) or ``"sample"`` (mean over drawn networks). May be changed after fitting.
    activation : str, default="relu"
        Activation of hidden units: ``"relu"`` or ``"sign"``.
    propagation : str, default="auto"
        What hidden layers hand on in training: ``"sampled"`` for ReLU; ``"gumbel"`` or ``"moments"`` for
        signs; ``"auto"``: sampled or gumbel.
    temperature : float > 0, default=1.0
        Temperature of the Gumbel-softmax.
    learning_rate : float > 0 or None, default=None
        Initial rate of Adam, a cosine to 0; None: 0.1 for full batches, else 0.01.
    weight_decay : float >= 0, default=0.0
        Factor of the regularizer.
    warm_epochs : int, default=0
        Epochs of the real-valued network that training starts from; 0: a random start.
    norm : str or None, default="auto"
        ``"batch_affine"`` or None; ``"auto"``: batch norm with hidden layers.
    real_output : bool, default=False
        Whether to keep the last layer's weights real.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 20 with more.
    batch_size : int, "auto" or None, default="auto"
        Samples of a mini-batch; None: full batches; ``"auto"``: full batches up to 2000 samples, 128 above.
    bias : bool, default=False
        Whether to add a constant input of 1 to every layer.
    input_scaling : str or None, default="auto"
        How inputs are scaled, see :func:`mpnn.preprocessing.scaling.fit_transform_of`.
    image_shape : triple of int or None, default=None
        Height, width and channels of flat images; None: that of the images given. For layers that read
        images, and for shifts.
    largest_shift : int >= 0, default=0
        Pixels that training images are shifted by at most, in every step anew and at random.
    num_samples : int, default=32
        Networks drawn by sampled predictions.
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
        weights: str = "ternary",
        prediction: str = "mode",
        *,
        activation: str = "relu",
        propagation: str = "auto",
        temperature: float = 1.0,
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        warm_epochs: int = 0,
        norm: str | None = "auto",
        real_output: bool = False,
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
        self.weights = weights
        self.prediction = prediction
        self.activation = activation
        self.propagation = propagation
        self.temperature = temperature
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warm_epochs = warm_epochs
        self.norm = norm
        self.real_output = real_output
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

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> LocalReparameterization:
        one_of("weights", self.weights, BELIEFS)
        if self.real_output and len(widths) == 2:
            raise ValueError("real_output=True needs hidden layers: a single layer would be all real")
        norm = self._norm(self.norm, "batch_affine")
        network = PerceptronSpec(
            widths,
            image_shape=self._shape_for_layers(),
            activation=self.activation,
            norm=norm,
            scaled=norm is None,
            bias=self.bias,
            real_output=self.real_output,
        )
        return LocalReparameterization(
            network=network,
            family=BELIEFS[self.weights](),
            warm_epochs=self.warm_epochs,
            propagation=self._propagation(),
            temperature=above_zero("temperature", self.temperature),
            learning_rate=self._rate(plan),
            weight_decay=at_least_zero("weight_decay", self.weight_decay),
        )

    def _propagation(self) -> str:
        signs = self.activation == "sign"
        chosen = ("gumbel" if signs else "sampled") if self.propagation == "auto" else self.propagation
        allowed = ("gumbel", "moments") if signs else ("sampled",)
        if chosen not in allowed:
            raise ValueError(
                f"propagation must be one of {allowed} for {self.activation} units, got {chosen!r}"
            )
        return chosen
