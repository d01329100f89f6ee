"""Moment propagation: gradients through the means and variances of a network of random weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import Bernoulli, Family, TernaryBelief
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned, stacked_moments
from mpnn.gradient.moments import expected_logits
from mpnn.gradient.perceptron import MomentPerceptron, PerceptronSpec
from mpnn.linear_maps.base import Moments
from mpnn.validation import above_zero, at_least_zero, one_of

__all__ = ["BELIEFS", "MomentPropagation", "MomentPropagationClassifier"]

BELIEFS: dict[str, Callable[..., Family]] = {"binary": Bernoulli, "ternary": TernaryBelief}


@dataclass(frozen=True)
class MomentPropagation(Method):
    """Cross-entropy of the mean prediction; the parameters are the natural parameters of the weights.

    Parameters
    ----------
    learning_rate : float > 0, default=0.01
        Initial rate of Adam, a cosine to 0.
    variance_penalty : float >= 0, default=0.0
        What the loss pays for the variance of a weight.
    """

    learning_rate: float = 0.01
    variance_penalty: float = 0.0

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """The network of means and variances."""
        return MomentPerceptron(self.network, self.family, "moments", rngs=rngs)

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Means and variances."""
        return stacked_moments(self.family, latents)

    def logits(self, outputs: Moments) -> Array:
        """Logits of the mean prediction."""
        return expected_logits(outputs)

    def penalty(self, latents: Leaves) -> Array | float:
        """Draws every belief to one level: the loss sees mean predictions, the mode has no doubts."""
        if self.variance_penalty == 0.0:
            return 0.0
        variances = (self.family.moments(latent).variance for latent in latents)
        return self.variance_penalty * sum(jnp.sum(variance) for variance in variances)

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, cosine."""
        adam = optax.adam(cosine(self.learning_rate, plan))
        return partitioned(adam, adam)

    @property
    def analytic(self) -> bool:
        """The forward pass is the mean prediction."""
        return True


class MomentPropagationClassifier(GradientClassifier):
    """Binary or ternary weights and sign units, trained through the moments of their distribution.

    The gradient twin of mean-field message passing: the forward pass hands on the mean and variance of every
    unit (:mod:`mpnn.gradient.moments`), the backward pass is automatic differentiation. All weights and
    hidden units of the discrete network are discrete and nothing else is trained; only inputs and outputs are
    real.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    weights : str, default="binary"
        ``"binary"`` or ``"ternary"``.
    prediction : str, default="mode"
        ``"mode"`` (the discrete weights alone), ``"bayes"`` (analytic mean, one pass, no sampling) or
        ``"sample"`` (mean probabilities of drawn networks). May be changed after fitting.
    learning_rate : float > 0 or None, default=None
        Initial rate of Adam, a cosine to 0; None: 0.1 for full batches, else 0.01.
    spread : float > 0, default=0.5
        Standard deviation of the initial natural parameters.
    variance_penalty : float >= 0 or None, default=None
        What the loss pays for the variance of each weight: the higher, the closer is the mode to the mean
        prediction. None: 0 for full batches, else 2.5e-7.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 10 with more.
    batch_size : int, "auto" or None, default="auto"
        Samples of a mini-batch; None: full batches; ``"auto"``: full batches up to 2000 samples, 128 above.
    bias : bool, default=False
        Whether to add a constant input of 1 to every layer; its weights are discrete too.
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

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mpnn.gradient import MomentPropagationClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = MomentPropagationClassifier(hidden=(101,), random_state=0).fit(X[:1000], y[:1000])
    >>> bool(classifier.set_params(prediction="bayes").score(X[1000:], y[1000:]) > 0.9)
    True
    """

    many_epochs = 10

    def __init__(
        self,
        hidden: Sequence[int] = (),
        weights: str = "binary",
        prediction: str = "mode",
        *,
        learning_rate: float | None = None,
        spread: float = 0.5,
        variance_penalty: float | None = None,
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
        self.learning_rate = learning_rate
        self.spread = spread
        self.variance_penalty = variance_penalty
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

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> MomentPropagation:
        one_of("weights", self.weights, BELIEFS)
        penalty = self.variance_penalty
        if penalty is None:
            penalty = 0.0 if plan.steps_per_epoch == 1 else 2.5e-7
        return MomentPropagation(
            network=PerceptronSpec(widths, bias=self.bias, image_shape=self._shape_for_layers()),
            family=BELIEFS[self.weights](spread=above_zero("spread", self.spread)),
            learning_rate=self._rate(plan),
            variance_penalty=at_least_zero("variance_penalty", penalty),
        )
