"""Networks whose binary weights are flipped, not rounded (Bop)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optax
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import Bernoulli
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned
from mpnn.gradient.optimizers import bop
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.validation import above_zero, at_least_zero

__all__ = ["BopClassifier", "Flips"]


@dataclass(frozen=True)
class SignsOnly(Bernoulli):
    """Weights that are their own latent array, -1 or +1 at random to begin with."""

    spread: float = 1.0
    two_valued: bool = True
    deterministic = True


@dataclass(frozen=True)
class Flips(Method):
    """The weights themselves are the parameters."""

    adaptivity: float = 1e-3
    threshold: float = 1e-6
    learning_rate: float = 0.01

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """The weights as they are."""
        return latents

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Bop for the weights, Adam for batch norm; the adaptivity falls as a cosine."""
        return partitioned(
            bop(cosine(self.adaptivity, plan), self.threshold), optax.adam(cosine(self.learning_rate, plan))
        )


class BopClassifier(GradientClassifier):
    """Binary weights and sign units, trained by Bop (Helwegen et al. 2019): no latent weights at all.

    **Not binary**: batch norm's scales, shifts and running statistics, where there is batch norm; inputs and
    outputs.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    adaptivity : float in (0, 1] or None, default=None
        Share of the new gradient in the moving average, falling to 0 as a cosine; None: 0.1 for full batches,
        else 0.001.
    threshold : float >= 0, default=1e-06
        Least average gradient of a flip.
    learning_rate : float > 0, default=0.01
        Initial rate of Adam for batch norm.
    norm : str or None, default="auto"
        ``"batch_affine"`` after every layer, or None; ``"auto"``: batch norm with hidden layers.
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
        adaptivity: float | None = None,
        threshold: float = 1e-6,
        learning_rate: float = 0.01,
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
        self.adaptivity = adaptivity
        self.threshold = threshold
        self.learning_rate = learning_rate
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

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> Flips:
        adaptivity = self.adaptivity
        if adaptivity is None:
            adaptivity = 0.1 if plan.steps_per_epoch == 1 else 1e-3
        if not 0.0 < adaptivity <= 1.0:
            raise ValueError(f"adaptivity must be in (0, 1], got {adaptivity}")
        norm = self._norm(self.norm, "batch_affine")
        return Flips(
            network=PerceptronSpec(
                widths,
                image_shape=self._shape_for_layers(),
                norm=norm,
                scaled=norm is None,
                bias=self.bias,
            ),
            family=SignsOnly(),
            adaptivity=adaptivity,
            threshold=at_least_zero("threshold", self.threshold),
            learning_rate=above_zero("learning_rate", self.learning_rate),
        )
