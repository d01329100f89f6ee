"""The defaults of each regime as one table: what parameters at None or ``"auto"`` become.

For lists that people read, and for keys of measured rows, which must tell older defaults from newer ones.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mpnn.message_passing.classifier.defaults import choose_hidden, choose_input_scaling
from mpnn.message_passing.classifier.inputs import BIT_BESIDE_SUM, POWER_OF_A_COLUMN
from mpnn.message_passing.classifier.noise import to_try
from mpnn.message_passing.classifier.resolution import resolve
from mpnn.message_passing.classifier.settings import Parameters, Settings
from mpnn.message_passing.hyper import Schedule
from mpnn.preprocessing.scaling import DEAD_ZONES, POWERS

__all__ = ["REGIMES", "Regime", "defaults_by_regime"]

_NUM_INPUTS = 100


class Regime(NamedTuple):
    """An example of samples that are trained alike.

    Parameters
    ----------
    coded : bool
        Whether the inputs are a table in code.
    num_samples : int >= 1
        Training samples.
    num_outputs : int >= 1
        1 for two classes, else one a class.
    changes : dict, default={}
        Parameters that differ from the estimator's.
    """

    coded: bool
    num_samples: int
    num_outputs: int
    changes: dict[str, Any] = {}  # noqa: RUF012


# Of pairs of classes and of one network for all, few samples and many.
REGIMES = {
    "table": Regime(True, 500, 1),
    "table, many rows": Regime(True, 10_000, 1),
    "table, one network": Regime(True, 500, 5),
    "images": Regime(False, 500, 1),
    "images, many": Regime(False, 10_000, 1),
    "images, one network": Regime(False, 10_000, 5),
    "few hidden units": Regime(False, 500, 1, {"hidden": (8,)}),
}


def defaults_by_regime(given: Parameters) -> dict[str, dict[str, Any]]:
    """Return the resolved parameters of each regime in :data:`REGIMES`, by their names.

    Parameters
    ----------
    given : Parameters
        As given to the estimator; its own choice of regime is replaced.
    """
    return {name: _resolved(given, regime) for name, regime in REGIMES.items()}


def _resolved(given: Parameters, regime: Regime) -> dict[str, Any]:
    given = dataclasses.replace(given, coded=regime.coded, **regime.changes)
    hidden = choose_hidden(given, regime.num_outputs)
    # noise and margin are shares of the inputs' norm: of a norm of 1, the first layer's are the shares
    widths, count = (_NUM_INPUTS, *hidden, regime.num_outputs), regime.num_samples
    tried = [
        resolve(own, widths, count, input_norm=1.0) for own in to_try(given, count, count, goes_on=False)
    ]
    settings = tried[0]
    scaling = choose_input_scaling(given, regime.num_samples)
    roots = {"powers": tuple(POWERS.values()), "dead_zones": tuple(DEAD_ZONES.values())}
    of_tables = {"power_of_a_column": POWER_OF_A_COLUMN, "bit_beside_sum": BIT_BESIDE_SUM}
    return {
        "hidden": hidden,
        "bias": bool(settings.spec.weighted[0].bias),
        "input_scaling": scaling,
        **(roots if scaling == "auto" else {}),
        **(of_tables if given.coded else {}),
        "num_epochs": settings.num_epochs,
        "batch_size": settings.batch_size if settings.batch_size < regime.num_samples else "all",
        "num_sweeps": settings.spec.sweeps_per_batch,
        "initial_field": settings.initial_field,
        "rounding": settings.rounding,
        **_joined([_numbers(own, count) for own in tried]),
    }


def _joined(tried: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of the settings that a fit chooses from: one value where they agree."""
    values = {name: tuple(own[name] for own in tried) for name in tried[0]}
    return {name: own[0] if len(set(own)) == 1 else own for name, own in values.items()}


def _numbers(settings: Settings, num_samples: int) -> dict[str, Any]:
    """Return the numbers of the first layer's sweeps; of a falling step, as its two parameters."""
    if settings.annealing is not None:
        return {"damping": settings.annealing.damping}
    names = ("damping", "reinforcement", "sparsity", "noise", "margin")
    numbers = {name: _first(getattr(settings.schedules, name)) for name in names}
    if not callable(settings.schedules.rho):
        return numbers | {"rho": _first(settings.schedules.rho)}
    rate = 1.0 - _first(settings.schedules.rho)
    counts = _first(settings.schedules.evidence) * settings.batch_size / num_samples / rate
    return numbers | {"rate": float(f"{rate:.3g}"), "counts": float(f"{counts:.3g}")}


def _first(value: Schedule) -> float:
    """Return a number's value in the first step and the first layer."""
    return round(float(np.ravel(np.asarray(value(0) if callable(value) else value))[0]), 6)
