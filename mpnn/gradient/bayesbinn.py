"""Bernoulli weights learned by the Bayesian learning rule (BayesBiNN) and its relatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import optax
from jax import Array

from mpnn.callbacks import Callback
from mpnn.gradient import surrogates
from mpnn.gradient.classifier import GradientClassifier
from mpnn.gradient.families import Bernoulli
from mpnn.gradient.method import Leaves, Method, Plan, cosine, partitioned
from mpnn.gradient.optimizers import bayesbinn, bimu, relaxed_sample, sign_ema
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.validation import above_zero, at_least_zero, below_one, one_of, whole

__all__ = ["BayesBiNNClassifier", "BayesianRule"]

# The rules with their learning rates, for full batches and for others.
RATES = {"bayesbinn": (0.2, 0.01), "sign_ema": (0.1, 1e-4), "bimu": (100.0, 100.0)}
# Factor of the divergence from the prior for full batches (few samples): at 1, fields hardly leave it.
# Chosen on held-out training digits (configs/gradient/held_out_bayesbinn.toml).
COLD_PRIOR_WEIGHT = 0.01
# Initial fields of "sign_ema": signs at random, which the first gradients overrule.
NEGLIGIBLE_FIELD = 1e-9


@dataclass(frozen=True)
class PointField(Bernoulli):
    """Fields whose signs are all there is."""

    deterministic = True


@dataclass(frozen=True)
class BayesianRule(Method):
    """Fields as parameters, relaxed samples of the weights in the forward pass."""

    rule: str = "bayesbinn"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    temperature: float = 1.0
    momentum: float = 0.0
    prior_weight: float = 1.0
    derivative_floor: float = 0.0
    largest_gradient: float | None = None

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Relaxed samples; the signs themselves for ``"sign_ema"``."""
        if self.rule == "sign_ema":
            return tuple(surrogates.sign(latent, "identity") for latent in latents)
        keys = jax.random.split(key, len(latents))
        return tuple(
            relaxed_sample(own, latent, self.temperature, self.derivative_floor)
            for own, latent in zip(keys, latents, strict=True)
        )

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The rule for the fields, Adam for batch norm if it is trained."""
        rate = cosine(self.learning_rate, plan) if self.schedule == "cosine" else self.learning_rate
        if self.rule == "sign_ema":
            discrete = sign_ema(rate)
        elif self.rule == "bimu":
            discrete = bimu(
                memory=plan.num_samples, prior_weight=self.prior_weight, largest_step=self.learning_rate
            )
        else:
            discrete = bayesbinn(
                rate, plan.num_samples, self.momentum, self.prior_weight, self.largest_gradient
            )
        return partitioned(discrete, optax.adam(1e-2))


class BayesBiNNClassifier(GradientClassifier):
    """Binary weights with a Bernoulli distribution, learned by the Bayesian learning rule (Meng et al. 2020).

    **Not binary**: hidden units (ReLU or tanh, unless ``activation="sign"``), batch norm's running statistics
    where there is batch norm, inputs and outputs.

    Parameters
    ----------
    hidden : sequence of int or layers, default=()
        Widths of the hidden layers, or layers (:mod:`mpnn.layers`), such as ``(Conv2D(32, 5, stride=2), 64)``
        for images ``[n, height, width]`` or ``[n, height, width, channels]``; () for a single layer.
    prediction : str, default="mode"
        ``"mode"`` (most probable weights), ``"bayes"`` and ``"sample"`` (mean probabilities of
        ``num_samples`` drawn networks). May be changed after fitting.
    rule : str, default="bayesbinn"
        ``"bayesbinn"``; ``"sign_ema"``, what the published image classifiers compute (see
        :func:`mpnn.gradient.optimizers.sign_ema`); or ``"bimu"``, which forgets and never saturates (Cottart
        et al. 2026).
    learning_rate : float > 0 or None, default=None
        Initial rate, falling to 0 as a cosine (BiMU: its largest step per unit of gradient, constant); None
        for the rule's: 0.2, 0.1 and 100 for full batches, else 0.01, 1e-4 and 100.
    temperature : float > 0, default=1.0
        Temperature of the relaxed samples; below 0.01 gradients vanish almost everywhere.
    initial_field : float > 0 or None, default=None
        Scale of the random initial fields; None: 0.1, for ``"sign_ema"`` next to nothing.
    momentum : float in [0, 1), default=0.0
        Weight of the old average gradient.
    prior_weight : float >= 0 or None, default=None
        Factor of the divergence from the prior; 1 is Bayes, less a colder posterior. None: 0.01 for full
        batches of ``"bayesbinn"``, else 1.
    derivative_floor : float >= 0, default=0.0
        Smallest derivative of a relaxed sample; the published code's is about 1e-10, see
        :func:`mpnn.gradient.optimizers.relaxed_sample`.
    largest_gradient : float > 0 or None, default=None
        Bound of the gradients by the weights' means; None: none; see
        :func:`mpnn.gradient.optimizers.bayesbinn`.
    num_draws : int >= 1, default=1
        Draws of the weights that each gradient is averaged over.
    activation : str, default="relu"
        Activation of hidden units: ``"relu"``, ``"tanh"`` or ``"sign"``.
    norm : str or None, default="auto"
        ``"batch"`` (no trained numbers), ``"batch_affine"`` or None; ``"auto"``: batch norm with hidden
        layers.
    dropout : pair of float, default=(0.0, 0.0)
        Shares of inputs and hidden units that are dropped in training, in [0, 1).
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
    num_samples : int >= 1, default=32
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
        prediction: str = "mode",
        *,
        rule: str = "bayesbinn",
        learning_rate: float | None = None,
        temperature: float = 1.0,
        initial_field: float | None = None,
        momentum: float = 0.0,
        prior_weight: float | None = None,
        derivative_floor: float = 0.0,
        largest_gradient: float | None = None,
        num_draws: int = 1,
        activation: str = "relu",
        norm: str | None = "auto",
        dropout: tuple[float, float] = (0.0, 0.0),
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
        self.rule = rule
        self.learning_rate = learning_rate
        self.temperature = temperature
        self.initial_field = initial_field
        self.momentum = momentum
        self.prior_weight = prior_weight
        self.derivative_floor = derivative_floor
        self.largest_gradient = largest_gradient
        self.num_draws = num_draws
        self.activation = activation
        self.norm = norm
        self.dropout = dropout
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

    def _method(self, widths: tuple[Any, ...], plan: Plan) -> BayesianRule:
        one_of("rule", self.rule, RATES)
        norm = self._norm(self.norm, "batch")
        network = PerceptronSpec(
            widths,
            image_shape=self._shape_for_layers(),
            activation=self.activation,
            norm=norm,
            scaled=norm is None,
            bias=self.bias,
            dropout=(self.dropout[0], self.dropout[1]),
        )
        point = self.rule == "sign_ema"
        field = (NEGLIGIBLE_FIELD if point else 0.1) if self.initial_field is None else self.initial_field
        family = PointField if point else Bernoulli
        return BayesianRule(
            network=network,
            family=family(above_zero("initial_field", field), two_valued=True),
            num_draws=whole("num_draws", self.num_draws),
            rule=self.rule,
            learning_rate=self._rate(plan, *RATES[self.rule]),
            temperature=above_zero("temperature", self.temperature),
            momentum=below_one("momentum", self.momentum),
            prior_weight=self._prior_weight(plan),
            derivative_floor=at_least_zero("derivative_floor", self.derivative_floor),
            largest_gradient=(
                None
                if self.largest_gradient is None
                else above_zero("largest_gradient", self.largest_gradient)
            ),
        )

    def _prior_weight(self, plan: Plan) -> float:
        if self.prior_weight is not None:
            return at_least_zero("prior_weight", self.prior_weight)
        full_batches = plan.steps_per_epoch == 1
        return COLD_PRIOR_WEIGHT if self.rule == "bayesbinn" and full_batches else 1.0
