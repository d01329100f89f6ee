"""Defaults by regime: the best settings known for parameters left at None."""

import dataclasses
import math
from typing import Any, NamedTuple

from mpnn.classifiers.images import hidden_layers
from mpnn.message_passing.classifier.settings import Parameters
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.rounding import can_round
from mpnn.message_passing.weights import weight_family
from mpnn.validation import whole

__all__ = [
    "FULL_BATCH_LIMIT",
    "Defaults",
    "Regime",
    "choose_hidden",
    "choose_input_scaling",
    "defaults_of",
    "either",
    "regime_of",
]

# Above this many samples a sweep over all of them is no longer the fastest way to learn.
FULL_BATCH_LIMIT = 2000
MINI_BATCH_SIZE = 128


@dataclasses.dataclass(frozen=True)
class Defaults:
    """Values of a regime for parameters left at None; fields as in the estimator.

    Numbers that ``numbers`` does not name have the defaults of :class:`mpnn.message_passing.hyper.Hyper`;
    noise and margin are shares of the norm of a layer's inputs.

    Parameters
    ----------
    num_epochs : int >= 1
        Passes over the samples.
    num_sweeps : int >= 1
        Sweeps over each batch.
    initial_field : float >= 0
        Scale of the random initial fields.
    numbers : Schedules
        The numbers of the sweeps.
    input_scaling : str or None, default="auto"
        The input transform.
    rounding : str, default="mode"
        ``"mode"`` or ``"feedback"``.
    """

    num_epochs: int
    num_sweeps: int
    initial_field: float
    numbers: Schedules
    input_scaling: str = "auto"
    rounding: str = "mode"


# Few samples, all of them in every sweep. Chosen on validation draws of MNIST and Fashion-MNIST training
# images, 2 to 40 a class, the same for all (docs/experiments/few_shot.md).
FULL_BATCH = Defaults(
    num_epochs=1,
    num_sweeps=100,
    initial_field=0.0,
    numbers=Schedules(damping=0.8, reinforcement=0.98, sparsity=1.5, noise=0.2),
)
# Many samples in mini-batches, with an anchor and a step that falls to 0, which sets rho and damping.
FALLING_STEP = Defaults(num_epochs=20, num_sweeps=1, initial_field=1.0, numbers=Schedules())
# Steps that hidden units of a table take: with fewer they may learn nothing, with more each step says less.
# Of more rows than these there are more steps in fewer epochs, down to the fewest that leave weights sure.
# Chosen on held-out rows (docs/experiments/tables.md).
STEPS_OF_TABLES, MANY_ROWS = 1_300, 60_000
SMALLEST_BATCH_OF_TABLES, LARGEST_BATCH_OF_TABLES = 16, 512
# The same where the posterior becomes the prior (Lucibello et al. 2022, appendix B.4); rho: below.
POSTERIOR_AS_PRIOR = dataclasses.replace(
    FALLING_STEP, numbers=Schedules(damping=0.8), input_scaling="standard"
)
# Networks of convolutions, always in mini-batches with a falling step; few images are met many times. Chosen
# on held-out MNIST training images, 10 a class to 10,000 in all (docs/experiments/convolutions.md).
OF_IMAGES = dataclasses.replace(FALLING_STEP, num_epochs=10, input_scaling="image")
# Images that training meets, at least: of one network for all classes, and of each of many for two.
IMAGES_MET, IMAGES_MET_OF_TWO_CLASSES = 100_000, 10_000
# Samples in portions, with the posterior of the portions before as prior: less reinforcement than where all
# samples are there. Chosen on bundled data (docs/howto/continual_learning.md).
IN_PORTIONS = dataclasses.replace(
    FULL_BATCH,
    num_sweeps=50,
    numbers=dataclasses.replace(FULL_BATCH.numbers, reinforcement=0.9),
)
# Few hidden units that exchange exact messages. Chosen on the same draws (docs/experiments/bemi_networks.md).
EXACT = Defaults(
    num_epochs=1,
    num_sweeps=120,
    initial_field=0.1,
    numbers=Schedules(damping=0.5, reinforcement=1.0),
)
# Tables in code: hidden units, and the noise assumed for few samples of two classes, and for others. Chosen
# on held-out halves of the development tables' training parts (docs/experiments/tables.md).
CODED_HIDDEN = (32,)
CODED_NOISE_OF_FEW_BINARY, CODED_NOISE = 1.0, 0.5
# Intensities of more than two classes in one network: a single layer is 15 points behind on held-out digits.
HIDDEN_OF_CLASSES = (101,)
# Hidden units need unequal fields to become different; single units learn best from none.
HIDDEN_INITIAL_FIELD = 0.1
# At zero temperature a field of 0 sends zero messages and stays 0.
MAX_SUM_INITIAL_FIELD = 1.0
# The width of real weights' prior, over 1 / sqrt(fan in): none would leave nothing to learn.
GAUSSIAN_INITIAL_FIELD = 1.0
# Fewer leave most weights unsure of their level (docs/experiments/scale.md).
FEW_EPOCHS = 5


class Regime(NamedTuple):
    """How a run sees its samples: all at once, or in mini-batches, with a falling step or without.

    Parameters
    ----------
    num_samples : int >= 1
        Training samples.
    batch_size : int >= 1
        Samples of a mini-batch.
    full_batch : bool
        Whether a batch holds all samples.
    falling_step : bool
        Whether the step falls to 0; else the posterior becomes the prior.
    of_images : bool
        Whether samples are met by convolutions, or shifted.
    """

    num_samples: int
    batch_size: int
    full_batch: bool
    falling_step: bool
    of_images: bool


def choose_hidden(given: Parameters, num_outputs: int) -> tuple[Any, ...]:
    """The hidden layers: of ``"auto"``, one, but none for two classes of intensities.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    num_outputs : int >= 1
        Outputs: 1 for two classes, else one a class.
    """
    if isinstance(given.hidden, str) and given.hidden == "auto":
        if given.coded:
            return CODED_HIDDEN
        return () if num_outputs == 1 else HIDDEN_OF_CLASSES
    return hidden_layers(given.hidden)


def choose_input_scaling(given: Parameters, num_samples: int) -> str | None:
    """The kind of input transform (:func:`mpnn.preprocessing.scaling.fit_transform_of`).

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    num_samples : int >= 1
        Number of samples.
    """
    if given.coded:
        return None
    if given.input_scaling != "auto":
        return given.input_scaling
    regime = regime_of(given, num_samples, hidden=False)
    return defaults_of(given, regime, num_layers=1, binary=True).input_scaling


def either(given: Any, default: Any) -> Any:
    """What is given, the default where nothing is.

    Parameters
    ----------
    given, default : object
        None for ``given``: nothing.
    """
    return default if given is None else given


def regime_of(given: Parameters, num_samples: int, hidden: bool) -> Regime:
    """How a run sees its samples, by their number and by what the parameters ask for.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    num_samples : int >= 1
        Training samples.
    hidden : bool
        Whether the network has hidden layers.
    """
    reads_images = given.image_shape is not None or given.largest_shift > 0
    of_images = reads_images and not given.in_portions
    batch_size = _batch_size(given, num_samples, of_images, hidden)
    full_batch = batch_size == num_samples
    return Regime(num_samples, batch_size, full_batch, _falls(given, full_batch and not of_images), of_images)


def _batch_size(given: Parameters, num_samples: int, of_images: bool, hidden: bool) -> int:
    if given.batch_size is None:
        return num_samples
    if given.batch_size == "auto":
        at_once = num_samples <= FULL_BATCH_LIMIT and not of_images
        return num_samples if at_once else min(_mini_batch(given, num_samples, hidden), num_samples)
    if isinstance(given.batch_size, str):
        raise ValueError(f"batch_size must be a whole number, None or 'auto', got {given.batch_size!r}")
    return min(whole("batch_size", given.batch_size), num_samples)


def _mini_batch(given: Parameters, num_samples: int, hidden: bool) -> int:
    """Of a table, samples that leave its hidden units enough steps; a power of 2, hence few programs."""
    if not (given.coded and hidden and given.rho is None):
        return MINI_BATCH_SIZE
    num_epochs = whole("num_epochs", either(given.num_epochs, FALLING_STEP.num_epochs))
    size = num_samples * num_epochs / STEPS_OF_TABLES
    return 1 << int(round(math.log2(min(max(size, SMALLEST_BATCH_OF_TABLES), LARGEST_BATCH_OF_TABLES))))


def _falls(given: Parameters, full_batch: bool) -> bool:
    """Whether a network is trained with a falling step; else its posterior becomes its prior."""
    if given.rate is not None and given.rho is not None:
        raise ValueError("rate says how much of the prior is kept, and so does rho: set one of the two")
    if given.rate is not None and given.rule == "max_sum":
        raise ValueError("rate needs a rule that passes means, got rule='max_sum': set rho instead")
    if given.rate is not None and given.in_portions:
        raise ValueError(f"rate belongs to fit, which knows the length of its training, got {given.rate!r}")
    possible = given.rule != "max_sum" and given.weights != "gaussian" and not given.in_portions
    falls = given.rate is not None or (not full_batch and given.rho is None and possible)
    if given.counts is not None and not falls:
        raise ValueError("counts belongs to training that forgets: set rate, too")
    return falls


def defaults_of(given: Parameters, regime: Regime, num_layers: int, binary: bool) -> Defaults:
    """What the regime, layers, weights and rule leave as best known.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    regime : Regime
        How the run sees its samples.
    num_layers : int >= 1
        Layers with weights.
    binary : bool
        Whether there are two classes.
    """
    if regime.falling_step and regime.of_images:
        images = IMAGES_MET_OF_TWO_CLASSES if binary else IMAGES_MET
        num_epochs = max(OF_IMAGES.num_epochs, math.ceil(images / regime.num_samples))
        defaults = dataclasses.replace(OF_IMAGES, num_epochs=num_epochs)
    elif regime.falling_step:
        defaults = FALLING_STEP
        if given.coded and regime.num_samples > MANY_ROWS:
            num_epochs = max(FEW_EPOCHS, math.ceil(defaults.num_epochs * MANY_ROWS / regime.num_samples))
            defaults = dataclasses.replace(FALLING_STEP, num_epochs=num_epochs)
    elif given.in_portions:
        defaults = IN_PORTIONS
    else:
        defaults = FULL_BATCH if regime.full_batch else POSTERIOR_AS_PRIOR
    initial_field, numbers = defaults.initial_field, defaults.numbers
    if num_layers > 1:
        initial_field = max(initial_field, HIDDEN_INITIAL_FIELD)
        # a hidden unit learns little from few samples: removing its weak links would leave none
        numbers = dataclasses.replace(numbers, sparsity=0.0)
        if defaults is POSTERIOR_AS_PRIOR:
            # an output layer that forgets stays unpolarized and lets the layers below keep learning
            numbers = dataclasses.replace(numbers, rho=(1.0001,) * (num_layers - 1) + (0.9,))
    if given.coded:
        noise = CODED_NOISE_OF_FEW_BINARY if regime.full_batch and binary else CODED_NOISE
        numbers = dataclasses.replace(numbers, noise=noise)
    if given.rule == "max_sum":
        initial_field = MAX_SUM_INITIAL_FIELD
    if given.weights == "gaussian":
        initial_field = GAUSSIAN_INITIAL_FIELD
    num_epochs = whole("num_epochs", either(given.num_epochs, defaults.num_epochs))
    rounding = _best_rounding(given, regime.full_batch, num_layers, num_epochs)
    return dataclasses.replace(defaults, initial_field=initial_field, numbers=numbers, rounding=rounding)


def _best_rounding(given: Parameters, full_batch: bool, num_layers: int, num_epochs: int) -> str:
    """Feedback with few samples or epochs, for signs, which cannot be 0, and for hidden units of tables.

    Zero temperature decides by itself.
    """
    levels = weight_family(given.weights).levels or ()
    if given.rule == "max_sum" or not can_round(levels):
        return "mode"
    once = full_batch and not given.in_portions  # hardening takes longer than learning from one portion
    if given.coded and once and num_layers <= 2 and given.activation == "sign":
        return "harden"
    # labels of tables may be uncertain, and then so is an output that holds the evidence of a mini-batch
    of_table = given.coded and num_layers > 1
    unsure = full_batch or given.in_portions or num_epochs < FEW_EPOCHS or of_table
    return "feedback" if unsure or 0 not in levels else "mode"
