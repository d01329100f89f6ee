"""Input and output of a training run: parameters as given, settings as resolved, the fit."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mpnn.message_passing.exact.sweep import Annealing
from mpnn.message_passing.hyper import NUMBERS, Hyper, Schedule, Schedules
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.preprocessing.augmentation import Augment

__all__ = ["Fit", "Parameters", "Samples", "Settings"]

# What ``weights="auto"`` is: convolutions lose more by rounding where a weight may be 0
# (docs/experiments/convolutions.md).
WEIGHTS, WEIGHTS_OF_CONVOLUTIONS = "ternary", "binary"


# Parameters that name one of several; what they may be is checked where they act.
NAMED = ("rule", "activation", "cavity", "small_fan_in", "input_scaling", "rounding")


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Parameters of the estimator as given, unchecked; None and ``"auto"`` are not yet resolved.

    The parameters of :class:`mpnn.MessagePassingClassifier` that training needs, under the same names, the
    weights resolved;
    whether the inputs are a table in code, bits of -1 and +1; and whether samples come in portions, each with
    the posterior of the earlier ones as its prior.
    """

    hidden: Any
    weights: str | int
    rule: str
    num_epochs: int | None
    batch_size: int | str | None
    num_sweeps: int | None
    damping: Schedule | None
    reinforcement: Schedule | None
    rate: float | None
    counts: float | tuple[float, float] | None
    rho: Schedule | None
    sparsity: Schedule | None
    noise: Schedule | None
    margin: Schedule | None
    replicas: Schedule | None
    coupling: Schedule | None
    initial_field: float | None
    activation: str
    bias: bool | str
    density: float
    cavity: str
    small_fan_in: str
    input_scaling: str | None
    rounding: str | None
    freezing: Sequence[float] | None
    output_gain: float | str | None
    warm_start: bool
    largest_shift: int
    coded: bool = False
    in_portions: bool = False
    image_shape: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        estimator: Any,
        coded: bool = False,
        in_portions: bool = False,
        image_shape: tuple[int, ...] | None = None,
    ) -> "Parameters":
        """The parameters of an estimator; whether its inputs are a table in code, or rows that are images."""
        found: dict[str, Any] = {"coded": coded, "in_portions": in_portions, "image_shape": image_shape}
        names = {field.name for field in dataclasses.fields(cls)} - set(found)
        given = cls(**{name: getattr(estimator, name) for name in names}, **found)
        for name in NAMED:
            if not isinstance(value := getattr(given, name), str | None):
                raise ValueError(f"{name} must be a name among those of its description, got {value!r}")
        if given.weights == "auto":
            weights = WEIGHTS if image_shape is None else WEIGHTS_OF_CONVOLUTIONS
            given = dataclasses.replace(given, weights=weights)
        return given

    @property
    def given_numbers(self) -> dict[str, Schedule]:
        """Those numbers of :class:`mpnn.message_passing.hyper.Hyper` that are given."""
        values = {name: getattr(self, name, None) for name in NUMBERS}
        return {name: value for name, value in values.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings of a training run, resolved; numbers are in units of the pre-activations.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    schedules : Schedules
        Its numbers.
    num_epochs : int >= 1
        Passes over the samples.
    batch_size : int >= 1
        Samples of a mini-batch.
    initial_field : float >= 0
        Scale of the random initial fields.
    rounding : ``"mode"``, ``"feedback"``, ``"harden"`` or ``"none"``
        From beliefs to discrete weights; ``"none"``: there are none, only beliefs are asked for.
    freezing : tuple of int, default=()
        Epochs at whose start hidden layers, the lowest first, become discrete, to stay so.
    annealing : Annealing or None, default=None
        Numbers of exact messages (:mod:`mpnn.message_passing.exact.annealing`); None: Gaussian messages.
    augment : callable or None, default=None
        Changes the inputs of every batch at random; None: they stay as they are.
    """

    spec: NetworkSpec
    schedules: Schedules
    num_epochs: int
    batch_size: int
    initial_field: float
    rounding: str
    freezing: tuple[int, ...] = ()
    annealing: Annealing | None = None
    augment: Augment | None = None

    def as_columns(self, num_problems: int) -> "Settings":
        """The same for P single layers with one output as one layer with P outputs on the whole pool.

        Parameters
        ----------
        num_problems : int >= 1
            P.
        """
        layer = dataclasses.replace(self.spec.weighted[0], units=num_problems)  # type: ignore[call-arg]
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, layers=(layer,)))

    def with_batches_of(self, batch_size: int) -> "Settings":
        """The same with mini-batches of another size.

        Parameters
        ----------
        batch_size : int >= 1
            Samples of a mini-batch.
        """
        return dataclasses.replace(self, batch_size=batch_size)


class Samples(NamedTuple):
    """Training samples of one network.

    Parameters
    ----------
    inputs : float32 or int8 ndarray [n, N]
        Transformed; int8 where they are whole.
    targets : ndarray [n]
        -1 and +1, float32, for two classes; else class numbers, int32.
    weight : float32 ndarray [n] or None, default=None
        How often each sample counts; None: once.
    """

    inputs: NDArray
    targets: NDArray
    weight: NDArray | None = None


class Fit(NamedTuple):
    """The result of training, as NumPy arrays.

    The beliefs, the numbers of the last sweep, a discrete array ``[inputs, outputs]`` a layer (of a bias, the
    last row), and a dict of arrays with one row a sweep.

    Parameters
    ----------
    state : State
        Beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    weights : list of int8 Array [in, out]
        Discrete weights, a layer each.
    history : dict of ndarray [sweeps]
        ``error``, ``change`` and ``polarization``, one row a sweep.
    """

    state: State
    hyper: Hyper
    weights: list[NDArray]
    history: dict[str, NDArray]
