"""Straight-through training of networks with binary weights and sign units (BinaryNet)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient import surrogates
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import Family, LatentBinary, LatentTernary
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned
from mpnn.gradient.optimizers import keep_in_box
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.validation import above_zero

__all__ = ["STEClassifier", "StraightThrough"]

RECIPES = ("plain", "batch_norm")
QUANTIZERS = {"binary": surrogates.sign, "ternary": surrogates.ternary}
FAMILIES: dict[str, Callable[[], Family]] = {"binary": LatentBinary, "ternary": LatentTernary}


@dataclass(frozen=True)
class StraightThrough(Method):
    """Forward with quantized latent weights; backward as if the quantizer were its surrogate."""

    weights: str = "binary"
    recipe: str = "plain"
    learning_rate: float = 10.0

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Quantize; the box keeps the latent weights where the surrogate is not 0."""
        quantize = QUANTIZERS[self.weights]
        return tuple(quantize(latent, "identity") for latent in latents)

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """SGD, or Adam with every layer's rate over its Glorot coefficient; then the box."""
        schedule = cosine(self.learning_rate, plan)
        if self.recipe == "plain":
            return partitioned(optax.chain(optax.sgd(schedule), keep_in_box()), optax.adam(1e-2))
        faster = optax.chain(optax.adam(schedule), divide_by_glorot(), keep_in_box())
        return partitioned(faster, optax.adam(schedule))


def divide_by_glorot() -> optax.GradientTransformation:
    """Divide updates by ``sqrt(1.5 / (inputs + outputs))`` (Courbariaux et al. 2016)."""

    def scale(update: Array) -> Array:
        fan_in, fan_out = update.shape[-2:]
        receptive = update.size // (fan_in * fan_out)
        return update * jnp.sqrt((fan_in + fan_out) * receptive / 1.5)

    return optax.stateless_with_tree_map(lambda update, _: scale(update))


class STEClassifier(GradientClassifier):
    """Binary weights and sign units, trained by straight-through estimation.

    Two recipes. ``"plain"``: pre-activations over the root of the fan-in, SGD with a large rate, latent
    weights clipped to [-1, 1], cross-entropy (the baseline of Lucibello et al. 2022, with a cosine schedule);
    weights and hidden units are all discrete, nothing else is trained. ``"batch_norm"``: batch norm after
    every layer, Adam with per-layer rates, square hinge, dropout (Courbariaux et al. 2016); **not binary**:
    batch norm's scales, shifts and running statistics. Inputs and outputs are real in both.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    weights : str, default="binary"
        ``"binary"``, or ``"ternary"`` (latent weights below 0.7 of their layer's mean magnitude are 0).
    prediction : str, default="mode"
        ``"mode"``, ``"bayes"`` or ``"sample"``; a point estimate answers the same to all three.
    recipe : str, default="plain"
        ``"plain"`` or ``"batch_norm"``.
    learning_rate : float > 0 or None, default=None
        Initial rate, a cosine to 0; None for the recipe's.
    surrogate : str, default="clip"
        Derivative of the sign of hidden units: ``"clip"``, ``"approx_sign"``, ``"swish"``, ``"identity"``.
    clip : float > 0, default=1.0
        Half-width of the surrogate.
    dropout : pair of float, default=(0.0, 0.0)
        Shares of inputs and hidden units that are dropped in training, in [0, 1).
    loss : str or None, default=None
        ``"cross_entropy"`` or ``"square_hinge"``; None for the recipe's.
    num_epochs : int or None, default=None
        Passes over the samples; None: 200 with up to 2000 samples, 20 with more.
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
    >>> from mpnn.gradient import STEClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = STEClassifier(hidden=(101,), random_state=0).fit(X[:1000], y[:1000])
    >>> sorted(set(classifier.weights_[0].ravel().tolist()))
    [-1, 1]
    >>> bool(classifier.score(X[1000:], y[1000:]) > 0.85)
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (),
        weights: str = "binary",
        prediction: str = "mode",
        *,
        recipe: str = "plain",
        learning_rate: float | None = None,
        surrogate: str = "clip",
        clip: float = 1.0,
        dropout: tuple[float, float] = (0.0, 0.0),
        loss: str | None = None,
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
        self.recipe = recipe
        self.learning_rate = learning_rate
        self.surrogate = surrogate
        self.clip = clip
        self.dropout = dropout
        self.loss = loss
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

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> StraightThrough:
        for name, allowed in (("recipe", RECIPES), ("weights", tuple(FAMILIES))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        plain = self.recipe == "plain"
        # the plain ones: chosen on validation draws of MNIST and Fashion-MNIST training images, 10 a class
        rates = (10.0 if len(widths) > 2 else 100.0, 10.0) if plain else (3e-3, 3e-3)
        network = PerceptronSpec(
            widths,
            image_shape=self._shape_for_layers(),
            surrogate=self.surrogate,
            clip=above_zero("clip", self.clip),
            norm=None if plain else "batch_affine",
            scaled=plain,
            bias=self.bias,
            dropout=(self.dropout[0], self.dropout[1]),
        )
        return StraightThrough(
            network=network,
            family=FAMILIES[self.weights](),
            loss=self.loss or ("cross_entropy" if plain else "square_hinge"),
            weights=self.weights,
            recipe=self.recipe,
            learning_rate=self._rate(plan, *rates),
        )
