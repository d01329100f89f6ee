"""The best settings known, by regime; what a user leaves at None comes from here."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mpnn.message_passing.classifier import exact as small
from mpnn.message_passing.exact.sweep import Annealing
from mpnn.message_passing.rounding import can_round
from mpnn.message_passing.schedules import Schedule, Schedules
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.weights import weight_family
from mpnn.validation import at_least_zero, whole

__all__ = ["FULL_BATCH_LIMIT", "Settings", "in_units_of_inputs", "resolve"]

# Above this many samples a sweep over all of them is no longer the fastest way to learn.
FULL_BATCH_LIMIT = 2000
MINI_BATCH_SIZE = 128

# Few samples, all of them in every sweep. Chosen on validation draws of MNIST and Fashion-MNIST training
# images, 2 to 40 a class, the same for all (docs/experiments/few_shot.md).
FULL_BATCH: dict[str, Any] = {
    "num_epochs": 1,
    "num_sweeps": 100,
    "rho": 1.0,
    "damping": 0.8,
    "reinforcement": 0.98,
    "sparsity": 1.5,
    "initial_field": 0.0,
    "input_scaling": "auto",
    "noise": 0.2,
}
# Many samples in mini-batches that forget, with a step that falls to 0: numbers below.
MINI_BATCH: dict[str, Any] = {
    "num_epochs": 20,
    "num_sweeps": 1,
    "reinforcement": 0.0,
    "sparsity": 0.0,
    "initial_field": 1.0,
    "input_scaling": "auto",
    "noise": 0.0,
}
# The same where the posterior becomes the prior (Lucibello et al. 2022, appendix B.4); rho: below.
POSTERIOR_AS_PRIOR: dict[str, Any] = {**MINI_BATCH, "damping": 0.8, "input_scaling": "standard"}
COMMON: dict[str, Any] = {"margin": 0.0, "replicas": 1.0, "coupling": 0.0}
# Hidden units need unequal fields to become different; single units learn best from none.
HIDDEN_INITIAL_FIELD = 0.1
# At zero temperature a field of 0 answers nothing and stays 0.
MAX_SUM_INITIAL_FIELD = 1.0
# The width of real weights' prior, over 1 / sqrt(fan in): none would leave nothing to learn.
GAUSSIAN_INITIAL_FIELD = 1.0
# Of a batch, in the beliefs: the output layer holds what its damping averages.
FASTEST_AVERAGE = 0.1
ROUNDINGS = ("mode", "feedback")
CAVITIES = {
    "exact": "bp_inspired",
    "interpolated": "bp_inspired_interpolated",
    "second_order": "bp_inspired_second_order",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """One training run, with nothing left open.

    annealing: the numbers of networks with few hidden units (:mod:`mpnn.message_passing.exact.annealing`);
    None for the others.
    """

    spec: NetworkSpec
    schedules: Schedules
    num_epochs: int
    batch_size: int
    initial_field: float
    input_scaling: str | None
    rounding: str
    annealing: Annealing | None = None


def resolve(parameters: dict[str, Any], widths: tuple[int, ...], num_samples: int) -> Settings:
    """Fill the open parameters of an estimator for ``num_samples`` samples of a network ``widths``."""
    batch_size = _batch_size(parameters["batch_size"], num_samples)
    full_batch, num_layers = batch_size == num_samples, len(widths) - 1
    forgets = _forgets(parameters, full_batch)
    defaults = _defaults(parameters, num_layers, full_batch, forgets)

    def value(name: str) -> Any:
        given = parameters[name]
        return {**COMMON, **defaults}[name] if given is None else given

    replicas = value("replicas")
    spec = NetworkSpec(
        widths=widths,
        weights=parameters["weights"],
        rule=_rule(parameters["rule"], parameters["cavity"]),
        activation=parameters["activation"],
        output="binary_label" if widths[-1] == 1 else "argmax",
        bias=parameters["bias"],
        density=parameters["density"],
        sweeps_per_batch=whole("num_sweeps", value("num_sweeps")),
        focusing=replicas != 1.0,
        anchored=forgets,
    )
    if few_units := small.chosen(parameters, spec, full_batch):
        defaults = dict(small.DEFAULTS)
        spec = dataclasses.replace(spec, small_fan_in=True, sweeps_per_batch=int(value("num_sweeps")))
    num_epochs = whole("num_epochs", value("num_epochs"))
    num_steps = num_epochs * (num_samples // batch_size) * spec.sweeps_per_batch
    if forgets:
        defaults |= _falling_step(num_epochs, num_steps, num_layers)
    names = ("damping", "reinforcement", "sparsity", "noise", "margin", "coupling")
    numbers = {"replicas": replicas} | {name: value(name) for name in names}
    if forgets:
        step = value("rate"), value("counts"), num_samples / batch_size, num_steps, num_layers
        schedules = Schedules.falling_step(*step, **numbers)
    else:
        schedules = Schedules(rho=value("rho"), **numbers)
    scaling = parameters["input_scaling"]
    initial_field = _initial_field(value("initial_field"), parameters["weights"])
    return Settings(
        spec=spec,
        schedules=schedules,
        num_epochs=num_epochs,
        batch_size=batch_size,
        initial_field=initial_field,
        input_scaling=defaults["input_scaling"] if scaling == "auto" else scaling,
        rounding=_rounding(value("rounding"), spec),
        annealing=small.numbers(value("damping"), initial_field) if few_units else None,
    )


def _forgets(parameters: dict[str, Any], full_batch: bool) -> bool:
    """Whether a network forgets with a falling step; else its posterior becomes its prior."""
    rate, counts, rho = (parameters[name] for name in ("rate", "counts", "rho"))
    if rate is not None and rho is not None:
        raise ValueError("rate says how much of the prior is kept, and so does rho: set one of the two")
    if rate is not None and parameters["rule"] == "max_sum":
        raise ValueError("rate needs a rule that passes means, got rule='max_sum': set rho instead")
    chosen = not full_batch and rho is None
    forgets = rate is not None or (
        chosen and parameters["rule"] != "max_sum" and parameters["weights"] != "gaussian"
    )
    if counts is not None and not forgets:
        raise ValueError("counts belongs to training that forgets: set rate, too")
    return forgets


def _defaults(parameters: dict[str, Any], num_layers: int, full_batch: bool, forgets: bool) -> dict[str, Any]:
    """The numbers of the regime, and what layers, weights and rule change in them."""
    defaults = dict(MINI_BATCH if forgets else FULL_BATCH if full_batch else POSTERIOR_AS_PRIOR)
    if num_layers > 1:
        defaults["initial_field"] = max(defaults["initial_field"], HIDDEN_INITIAL_FIELD)
        # a hidden unit learns little from few samples: removing its weak links would leave none
        defaults["sparsity"] = 0.0
    if parameters["rule"] == "max_sum":
        defaults["initial_field"] = MAX_SUM_INITIAL_FIELD
    if parameters["weights"] == "gaussian":
        defaults["initial_field"] = GAUSSIAN_INITIAL_FIELD
    if "rho" not in defaults:
        # an output layer that forgets stays unpolarized and lets the layers below keep learning
        defaults["rho"] = (1.0001,) * (num_layers - 1) + (0.9,) if num_layers > 1 else 1.0
    defaults["rounding"] = _best_rounding(parameters, full_batch)
    return defaults


def _best_rounding(parameters: dict[str, Any], full_batch: bool) -> str:
    """Feedback with few samples, and for signs, which cannot be 0; zero temperature decides by itself."""
    levels = weight_family(parameters["weights"]).levels or ()
    if parameters["rule"] == "max_sum" or not can_round(levels):
        return "mode"
    return "feedback" if full_batch or 0 not in levels else "mode"


def _falling_step(num_epochs: int, num_steps: int, num_layers: int) -> dict[str, float]:
    """Numbers in units of the training's length: how often it forgets all, and how often it averages.

    Chosen on held-out training images of MNIST and Fashion-MNIST, 500 to 50,000 samples, 10 to 20 epochs
    (docs/choosing.md, docs/experiments/full_data.md).
    """
    if num_layers > 1:
        memories, averages, counts = 10.0, 50.0, 100.0
    else:  # fewer counts for few epochs, which would take too large a step
        memories, averages, counts = 10.0, 10.0, min(5.0, num_epochs / 4)
    return {
        "rate": min(1.0, memories / num_steps),
        "damping": 1.0 - min(FASTEST_AVERAGE, averages / num_steps),
        "counts": counts,
    }


def in_units_of_inputs(settings: Settings, inputs: NDArray) -> Settings:
    """Turn noise and margin from shares of the inputs' norm into units of the pre-activations.

    The norm is the root mean square over the training inputs ``[n, features]`` for the first layer, and the
    root of the fan-in above.
    """
    spec = settings.spec
    norm = float(np.sqrt(np.mean(np.sum(np.square(inputs), axis=1)))) or 1.0
    norms = (norm, *(spec.fan_in(layer) ** 0.5 for layer in range(1, spec.num_layers)))
    schedules = dataclasses.replace(
        settings.schedules,
        noise=_per_layer("noise", settings.schedules.noise, norms),
        margin=_per_layer("margin", settings.schedules.margin, norms),
    )
    return dataclasses.replace(settings, schedules=schedules)


def _per_layer(name: str, value: Schedule, factors: tuple[float, ...]) -> Schedule:
    """A number, a value per layer, or a schedule of either, times one factor a layer."""
    if callable(value):
        return lambda step: jnp.asarray(value(step)) * jnp.asarray(factors)
    values = np.atleast_1d(np.asarray(value, dtype=float))
    if len(values) not in (1, len(factors)):
        raise ValueError(f"{name} must be one number or {len(factors)}, one a layer; got {len(values)}")
    return (values * factors).tolist()


def _rule(rule: str, cavity: str) -> str:
    if cavity not in CAVITIES:
        raise ValueError(f"cavity must be one of {tuple(CAVITIES)}, got {cavity!r}")
    return CAVITIES[cavity] if rule == "bp_inspired" else rule


def _rounding(rounding: str, spec: NetworkSpec) -> str:
    if rounding not in ROUNDINGS:
        raise ValueError(f"rounding must be one of {ROUNDINGS}, got {rounding!r}")
    if rounding == "feedback" and not can_round(spec.family.levels or ()):
        raise ValueError("rounding='feedback' needs weights that are signs or whole numbers, use 'mode'")
    return rounding


def _initial_field(value: Any, weights: Any) -> float:
    if weights == "gaussian" and value == 0.0:
        raise ValueError("initial_field must be above 0 with weights='gaussian': it is their prior's width")
    return at_least_zero("initial_field", value)


def _batch_size(given: Any, num_samples: int) -> int:
    if given is None:
        return num_samples
    if given == "auto":
        return num_samples if num_samples <= FULL_BATCH_LIMIT else MINI_BATCH_SIZE
    if isinstance(given, str):
        raise ValueError(f"batch_size must be a whole number, None or 'auto', got {given!r}")
    return min(whole("batch_size", given), num_samples)
