"""The numbers of message passing: one table of defaults, ranges and meanings, from which ranges, errors and
documentation follow.

A row of :class:`Hyper` is a number. Its default and range, the fields of :class:`Schedules`, the sentence
that refuses a value and the documentation come from that row.

Shapes: sweeps T, layers with weights L.
"""

import dataclasses
import numbers
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

__all__ = ["NUMBERS", "Hyper", "Number", "Schedule", "Schedules", "described"]

# A number, one value a layer, or an optax schedule of either; arrays may be traced.
Schedule: TypeAlias = float | Array | Sequence[Any] | NDArray | Callable[[Any], Any]

INFINITY = float("inf")
# What single precision can hold: messages are float32.
LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.nextafter(np.float32(0.0), np.float32(1.0)))
BELOW_ONE = float(np.nextafter(np.float32(1.0), np.float32(0.0)))


class Number(NamedTuple):
    """A row of the table.

    Parameters
    ----------
    default : float
        The value where none is chosen.
    low, high : float
        Smallest and largest value, both allowed.
    text : str
        The range in words, as errors and documentation print it.
    meaning : str
        What the number does.
    """

    default: float
    low: float
    high: float
    text: str
    meaning: str

    def check(self, name: str, value: Schedule) -> None:
        """Refuse numbers out of range; those that a schedule returns or that are traced are not checked.

        Parameters
        ----------
        name : str
            The name.
        value : number, sequence or schedule
            What is checked.
        """
        if callable(value):
            return
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value))
        try:
            values: Any = jnp.asarray(value) if traced else np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise _no_number(name, value) from error
        if values.ndim > 1 or values.size == 0:
            raise _no_number(name, value)
        for number in () if traced else values.ravel().tolist():
            if not self.low <= number <= self.high:
                raise ValueError(f"{name} must be {self.text}, got {number}")

    def check_one(self, name: str, value: Any) -> None:
        """Refuse what is not one number in range; a traced number passes.

        Parameters
        ----------
        name : str
            The name.
        value : object
            What is checked.
        """
        if isinstance(value, jax.core.Tracer) and value.ndim == 0:
            return
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not (is_number or getattr(value, "ndim", None) == 0) or not self.low <= value <= self.high:
            raise ValueError(f"{name} must be {self.text}, got {value!r}")

    def describe(self, name: str, default: str | None = None) -> str:
        """The number as a numpydoc parameter; a default of None is the number's own.

        Parameters
        ----------
        name : str
            The name.
        default : str or None, default=None
            The default to print; None: the number's own.
        """
        default = str(self.default) if default is None else default
        kind = f"{name} : float {self.text}, schedule or one value a layer, default={default}"
        return f"{kind}\n    {self.meaning}"


def _no_number(name: str, value: Any) -> ValueError:
    return ValueError(f"{name} must be a number, one value a layer or a schedule, got {value!r}")


# Ranges, both ends allowed, and what they are called.
AT_LEAST_ZERO = (0.0, LARGEST, "at least 0 and finite")
UP_TO_ONE = (0.0, 1.0, "in [0, 1]")
ABOVE_ZERO = (SMALLEST, LARGEST, "above 0 and finite")


class Hyper(NamedTuple):
    """The numbers of a sweep: traced, one value a layer ``[L]``.

    Parameters
    ----------
    {numbers}
    """

    rho: Annotated[
        Array, Number(1.0, *AT_LEAST_ZERO, "Share of the posterior that is the next batch's prior.")
    ]
    damping: Annotated[Array, Number(0.0, 0.0, BELOW_ONE, "in [0, 1)", "Weight of the old message.")]
    reinforcement: Annotated[
        Array, Number(0.0, *UP_TO_ONE, "Weight of a batch's messages of earlier sweeps.")
    ]
    sparsity: Annotated[
        Array,
        Number(
            0.0, -LARGEST, LARGEST, "finite", "Log odds of a zero weight before data. Not for binary weights."
        ),
    ]
    noise: Annotated[
        Array, Number(0.0, *AT_LEAST_ZERO, "Standard deviation assumed on every pre-activation.")
    ]
    margin: Annotated[
        Array, Number(0.0, *AT_LEAST_ZERO, "Pre-activation that a label of two classes asks for.")
    ]
    confidence: Annotated[
        Array,
        Number(
            INFINITY, 0.0, INFINITY, "at least 0", "Field of a label of two classes; infinite if never wrong."
        ),
    ]
    replicas: Annotated[
        Array, Number(1.0, 1.0, LARGEST, "at least 1 and finite", "Replicas y of focusing; 1 is none.")
    ]
    coupling: Annotated[Array, Number(0.0, *AT_LEAST_ZERO, "Coupling gamma of the replicas to their centre.")]
    evidence: Annotated[Array, Number(1.0, *AT_LEAST_ZERO, "Weight of the messages of a batch's data.")]


_HINTS = get_type_hints(Hyper, include_extras=True)
NUMBERS: dict[str, Number] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}

# Numbers of a step that falls to 0, which sets rho and evidence.
RATE = Number(1.0, SMALLEST, 1.0, "in (0, 1]", "First step.")
COUNTS = Number(1.0, *ABOVE_ZERO, "How often each sample counts.")
BATCHES = Number(1.0, *ABOVE_ZERO, "Batches whose evidence a layer holds.")

Documented = TypeVar("Documented", bound=type)


def described(
    names: Iterable[str] = tuple(NUMBERS), default: str | None = None
) -> Callable[[Documented], Documented]:
    """Class decorator: rows of the table in the place of ``{numbers}`` in the docstring.

    Parameters
    ----------
    names : iterable of str
        Which numbers; names of no number are passed over. All by default.
    default : str or None, default=None
        The default to print; None prints each number's own.
    """
    chosen = set(names)
    rows = [number.describe(name, default) for name, number in NUMBERS.items() if name in chosen]

    def describe(documented: Documented) -> Documented:
        if documented.__doc__ is not None:  # None under python -OO
            text = textwrap.indent("\n".join(rows), "    ").lstrip()
            documented.__doc__ = documented.__doc__.replace("{numbers}", text)
        return documented

    return describe


described()(Hyper)
for _name, _number in NUMBERS.items():
    getattr(Hyper, _name).__doc__ = f"{_number.meaning} A float {_number.text}."

_Table: Any = dataclasses.make_dataclass(
    "_Table",
    [(name, "Schedule", number.default) for name, number in NUMBERS.items()],
    frozen=True,
    namespace={"__post_init__": lambda self: self._check()},
)


@described()
class Schedules(_Table):
    """The numbers of a training run: each constant, one value a layer, or an optax schedule.

    A schedule is a function of the sweep, counted over the whole training from 0; it returns a number or one
    value a layer. Constants may be traced: a run can be mapped and differentiated over them.

    Parameters
    ----------
    {numbers}

    Raises
    ------
    ValueError
        If a number that is not traced is out of its range.
    """

    def _check(self) -> None:
        for name, number in NUMBERS.items():
            number.check(name, getattr(self, name))

    @classmethod
    def counting_once(
        cls, rate: Schedule, num_batches: float | Sequence[float], **others: Schedule
    ) -> "Schedules":
        """Numbers with which layers that have an anchor count a sample once.

        The equation is in :mod:`mpnn.message_passing.fields`.

        Parameters
        ----------
        rate : float in (0, 1], one value a layer or a schedule
            The step.
        num_batches : float above 0, or one value a layer
            Batches whose evidence a layer holds; as many as an epoch has count each sample once.
        **others : schedules
            The other numbers.
        """
        RATE.check("rate", rate)
        BATCHES.check("num_batches", num_batches)
        step = rate if callable(rate) else lambda count: jnp.asarray(rate)
        total = jnp.asarray(num_batches)
        return cls(rho=lambda count: 1.0 - step(count), evidence=lambda count: total * step(count), **others)

    @classmethod
    def falling_step(
        cls,
        rate: float | Array,
        counts: float | Array | tuple[Any, Any],
        num_batches: float,
        num_steps: int,
        num_layers: int,
        output_batches: float | Array = 1.0,
        output_counts: float | Array | tuple[Any, Any] | None = None,
        **others: Schedule,
    ) -> "Schedules":
        """Numbers of :meth:`counting_once` whose step falls from ``rate`` to 0, by half a cosine.

        The output layer of several holds the evidence of few batches, averaged by damping: it would else be
        certain before the hidden layers have settled.

        Parameters
        ----------
        rate : float in (0, 1]
            The first step.
        counts : float above 0, or a pair
            How often a sample counts; of a pair, at first and at last, geometric in between.
        num_batches : float above 0
            Batches of an epoch, each seen by one step.
        num_steps : int >= 1
            Steps of the whole training.
        num_layers : int >= 1
            Layers with weights.
        output_batches : float above 0, default=1.0
            Batches whose evidence the output layer of several holds. More of them make more certain
            probabilities, and short trainings of small networks unstable (docs/experiments/calibration.md).
        output_counts : float above 0, a pair or None, default=None
            How often a sample counts in the output layer of several, which then forgets as the others do;
            None: it holds ``output_batches`` instead.
        **others : schedules
            The other numbers.
        """
        import optax  # takes half a second, and only schedules need it

        RATE.check_one("rate", rate)
        below = _first_and_last("counts", counts)
        output = None if output_counts is None else _first_and_last("output_counts", output_counts)
        BATCHES.check_one("output_batches", output_batches)
        falling = optax.schedules.cosine_decay_schedule(rate, num_steps)

        def weight(count: Array, pair: tuple[Any, Any]) -> Array:
            start, end = pair
            return start * num_batches * jnp.power(end / start, count / num_steps) * falling(count)

        num_below = num_layers - int(num_layers > 1)

        def layers(below: Array, output: float | Array) -> Array:
            return jnp.asarray([below] * num_below + [output] * (num_layers - num_below))

        def forgotten(count: Array) -> Array:
            return layers(falling(count), 1.0 if output is None else falling(count))

        def evidence(count: Array) -> Array:
            return layers(weight(count, below), output_batches if output is None else weight(count, output))

        return cls(rho=lambda count: 1.0 - forgotten(count), evidence=evidence, **others)

    def frozen(self, from_sweeps: Sequence[int], num_layers: int) -> "Schedules":
        """The same numbers, but the lowest layers stay as they are from a sweep on.

        Parameters
        ----------
        from_sweeps : sequence of int
            Of each of the lowest layers, the first sweep in which its beliefs stay.
        num_layers : int >= 1
            Layers with weights.
        """
        if not len(from_sweeps):
            return self
        never = np.iinfo(np.int32).max
        ends = jnp.asarray([*from_sweeps, *[never] * (num_layers - len(from_sweeps))], jnp.int32)

        def until_then(value: Schedule, at_rest: float) -> Schedule:
            return lambda count: jnp.where(count < ends, _now(value, count), at_rest)

        resting = {"rho": 1.0, "damping": 0.0, "evidence": 0.0}
        changed = {name: until_then(getattr(self, name), number) for name, number in resting.items()}
        return dataclasses.replace(self, **changed)

    def at(self, steps: Array | NDArray, num_layers: int) -> Hyper:
        """The numbers at the sweeps ``steps [T]``: leaves ``[T, L]``. May be called inside ``jit``.

        Parameters
        ----------
        steps : int Array or ndarray [T]
            Sweeps, counted over the whole training from 0.
        num_layers : int >= 1
            L.

        Raises
        ------
        ValueError
            If a number has neither one value nor ``num_layers``.
        """
        return Hyper(*(_at(name, getattr(self, name), steps, num_layers) for name in Hyper._fields))

    def at_sweep(self, sweep: int | Array, num_layers: int) -> Hyper:
        """The numbers at one sweep: leaves ``[L]``.

        Parameters
        ----------
        sweep : int >= 0
            The sweep, counted over the whole training.
        num_layers : int >= 1
            L.
        """
        return jax.tree.map(lambda leaf: leaf[0], self.at(jnp.asarray([sweep]), num_layers))


def _now(value: Schedule, count: Array) -> Array:
    """A number in one sweep: one value, or one a layer."""
    return jnp.asarray(value(count) if callable(value) else value)


def _first_and_last(name: str, counts: Any) -> tuple[Any, Any]:
    """How often a sample counts at first and at last, checked."""
    pair = counts if isinstance(counts, (tuple, list)) else (counts, counts)
    if len(pair) != 2:
        raise ValueError(f"{name} must be one number or two, at first and at last, got {counts!r}")
    for own in pair:
        COUNTS.check_one(name, own)
    return pair[0], pair[1]


def _at(name: str, value: Schedule, steps: Array | NDArray, num_layers: int) -> Any:
    """A number at the sweeps ``steps [T]``, ``[T, L]``."""
    if callable(value):
        values = jax.vmap(lambda step: jnp.asarray(value(step)))(steps)
        values = values[:, None] if values.ndim == 1 else values
    else:
        # constants need no compiled program
        values = (jnp if any(isinstance(leaf, Array) for leaf in jax.tree.leaves(value)) else np).asarray(
            value
        )
    if values.ndim > 2 or values.shape[-1:] not in ((), (1,), (num_layers,)):
        raise ValueError(f"{name} must be one number or {num_layers}, one a layer; got {values.shape[-1]}")
    library = np if isinstance(values, np.ndarray) else jnp
    return library.broadcast_to(library.asarray(values, jnp.result_type(float)), (steps.shape[0], num_layers))
