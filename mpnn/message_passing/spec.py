"""The static description of a network: the shape of its inputs, its layers, its output."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mpnn.message_passing.channels.outputs import OUTPUTS, OutputChannel
from mpnn.message_passing.exact.requirements import unmet_requirement
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers import LAYERS, Dense, Layer, Linear, Place, Residual
from mpnn.message_passing.layers.base import Shape
from mpnn.message_passing.layers.chain import places_of
from mpnn.validation import above_zero, flag, one_of, whole

__all__ = ["NetworkSpec", "SpecError", "completed", "spec_from_json", "spec_to_json", "weighted_layers"]


class SpecError(ValueError):
    """A description that does not make a network, or is not of this release."""


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """Everything static about a network: shapes and choices, hashable, no arrays.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample: ``(N,)``, or ``(height, width, channels)`` for images.
    layers : tuple of Layer
        From the inputs to the output, the last one :class:`~mpnn.message_passing.layers.Dense`. What a layer
        leaves open is as :data:`mpnn.message_passing.layers.weighted.OPTIONS` has it.
    output : {"binary_label", "argmax"}, default="binary_label"
        Independent labels -1 and +1, mostly of one output (0: no label), or labels 0..C-1.
    sweeps_per_batch : int, default=1
        Inner iterations over a batch, at least 1.
    focusing : bool, default=False
        Whether the layers are coupled to replicas (see :mod:`mpnn.message_passing.fields`).
    anchored : bool, default=False
        Whether the prior moves towards an anchor, so that samples count once (same place).
    argmax_draws : int, default=0
        Quadrature points of the argmax output; 0 for the closed form.
    output_gain : float above 0 or None, default=None
        Largest gain of a step of the argmax output (:mod:`mpnn.message_passing.gain`), which gets less
        evidence where it would be larger; None: its evidence is as the numbers have it.

    Examples
    --------
    >>> from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D
    >>> from mpnn.message_passing.spec import NetworkSpec
    >>> layers = (Conv2D(8, 3), MaxPool2D(2), Flatten(), Dense(10))
    >>> NetworkSpec((8, 8, 1), layers, output="argmax").shapes
    ((8, 8, 1), (6, 6, 8), (3, 3, 8), (72,), (10,))
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    output: str = "binary_label"
    sweeps_per_batch: int = 1
    focusing: bool = False
    anchored: bool = False
    argmax_draws: int = 0
    output_gain: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.input_shape, tuple) or not self.input_shape:
            raise ValueError(f"input_shape must be a tuple of at least one size, got {self.input_shape!r}")
        for size in self.input_shape:
            whole("every size in input_shape", size)
        one_of("output", self.output, OUTPUTS)
        whole("sweeps_per_batch", self.sweeps_per_batch)
        whole("argmax_draws", self.argmax_draws, at_least=0)
        flag("focusing", self.focusing)
        flag("anchored", self.anchored)
        if not isinstance(self.layers, tuple):
            raise ValueError(f"layers must be a tuple of layers of mpnn.layers, got {self.layers!r}")
        if not self.layers or not isinstance(self.layers[-1], Dense):
            raise ValueError("layers must end with Dense, the output")
        object.__setattr__(self, "layers", tuple(map(completed, self.layers)))
        if self.output_channel.joint and self.layers[-1].units == 1:
            raise ValueError(f"output {self.output!r} needs at least two output units, got 1")
        if self.output_gain is not None:
            above_zero("output_gain", self.output_gain)
            if not self.output_channel.joint:
                raise ValueError(f"output_gain bounds the output 'argmax', got output={self.output!r}")
        _ = self.places  # every layer checks its own
        if self.exact and (requirement := unmet_requirement(self)):
            raise ValueError(f"messages='exact' needs {requirement}")

    @classmethod
    def dense(
        cls,
        widths: Sequence[int],
        weights: str | int = "binary",
        rule: str = "bp_inspired",
        *,
        activation: str = "sign",
        bias: bool = False,
        density: float = 1.0,
        messages: str = "gaussian",
        **options: Any,
    ) -> "NetworkSpec":
        """A network of dense layers, all alike.

        Parameters
        ----------
        widths : sequence of int
            Inputs, hidden layers, outputs, e.g. ``(784, 101, 10)``.
        weights : str or int, default="binary"
            Of every layer (:class:`mpnn.message_passing.layers.weighted.WeightedLayer`), as the next four.
        rule : str, default="bp_inspired"
            The rule.
        activation : str, default="sign"
            Of the hidden units.
        bias : bool, default=False
            Whether every unit has a constant input of 1.
        density : float in (0, 1], default=1.0
            Share of the weights that exist.
        messages : {"gaussian", "exact"}, default="gaussian"
            Of the layers above the first, whose units sum few signs.
        **options : keyword arguments
            Of the network, see :class:`NetworkSpec`.
        """
        if not isinstance(widths, Sequence | np.ndarray) or isinstance(widths, str | bytes):
            raise ValueError(f"widths must be a sequence such as (784, 101, 10), got {widths!r}")
        widths = [whole("every width", width) for width in widths]
        if len(widths) < 2:
            raise ValueError(f"widths need at least inputs and outputs, all >= 1, got {tuple(widths)}")
        common: dict[str, Any] = {"weights": weights, "rule": rule, "activation": activation}
        common |= {"bias": bias, "density": density}
        kinds = ["gaussian", *[messages] * (len(widths) - 2)]
        layers = (
            Dense(int(units), messages=kind, **common) for units, kind in zip(widths[1:], kinds, strict=True)
        )
        return cls((int(widths[0]),), tuple(layers), **options)

    def with_layers(self, **options: Any) -> "NetworkSpec":
        """The same network with other options of every layer with weights, such as ``rule="amp"``.

        Parameters
        ----------
        **options : keyword arguments
            Options of :class:`mpnn.message_passing.layers.weighted.WeightedLayer`.
        """
        return dataclasses.replace(self, layers=tuple(_with(layer, options) for layer in self.layers))

    def with_exact_messages(self, num_sweeps: int) -> "NetworkSpec":
        """The same dense network with exact messages above its first layer, in a run of so many sweeps.

        Parameters
        ----------
        num_sweeps : int >= 1
            Sweeps of the run.
        """
        first, *others = self.weighted
        exact = (dataclasses.replace(layer, messages="exact") for layer in others)
        return dataclasses.replace(self, layers=(first, *exact), sweeps_per_batch=num_sweeps)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where each layer stands."""
        start = Place(
            in_shape=self.input_shape,
            output=self.output_channel,
            one_sweep=self.sweeps_per_batch == 1,
            focusing=self.focusing,
            anchored=self.anchored,
            output_gain=self.output_gain,
        )
        return places_of(self.layers, start)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of one sample of the inputs and of every layer's outputs."""
        last = self.layers[-1].out_shape(self.places[-1].in_shape)
        return (*(place.in_shape for place in self.places), last)

    @cached_property
    def weighted(self) -> tuple[Linear, ...]:
        """Layers with weights, those of residual branches included, from the inputs to the output."""
        return weighted_layers(self.layers)

    @property
    def num_layers(self) -> int:
        """Number of weight layers."""
        return len(self.weighted)

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, and the units (or channels) of every weight layer."""
        size = 1
        for side in self.input_shape:
            size *= side
        return (size, *(layer.linear_map.units for layer in self.weighted))

    @property
    def fan_ins(self) -> tuple[int, ...]:
        """Inputs of a unit of every weight layer, the constant one included."""
        return tuple(
            layer.fan_in(shape) for layer, shape in zip(self.weighted, self.weighted_shapes, strict=True)
        )

    @cached_property
    def weighted_shapes(self) -> tuple[Shape, ...]:
        """Shape of one sample of the inputs of every weight layer."""
        return tuple(_input_shapes(self.layers, self.input_shape))

    @property
    def num_outputs(self) -> int:
        """Units of the last layer."""
        return self.widths[-1]

    @property
    def output_channel(self) -> OutputChannel:
        """The channel of the labels."""
        return OUTPUTS[self.output](self.argmax_draws)

    @property
    def exact(self) -> bool:
        """Whether layers above the first exchange exact messages (:mod:`mpnn.message_passing.exact`)."""
        return any(layer.messages == "exact" for layer in self.weighted)

    def numbers(self, hyper: Hyper) -> tuple[Hyper, ...]:
        """The numbers of each weight layer, scalars, from leaves ``[L]``.

        Parameters
        ----------
        hyper : Hyper
            The numbers of the sweep, leaves ``[L]``.
        """
        return tuple(Hyper(*(leaf[index] for leaf in hyper)) for index in range(self.num_layers))


def completed(layer: Any) -> Any:
    """The layer with a choice for each of its options.

    Parameters
    ----------
    layer : Layer
        Any layer.
    """
    return layer.complete() if isinstance(layer, Linear | Residual) else layer


def _with(layer: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(layer, Residual):
        return Residual(tuple(_with(inner, options) for inner in layer.layers))
    return dataclasses.replace(layer, **options) if isinstance(layer, Linear) else layer


def weighted_layers(layers: Sequence[Any]) -> tuple[Linear, ...]:
    """Layers with weights, those of residual branches included, in order.

    Parameters
    ----------
    layers : sequence of Layer
        Any layers.
    """
    found: list[Linear] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += weighted_layers(layer.layers)
        elif isinstance(layer, Linear):
            found.append(layer)
    return tuple(found)


def _input_shapes(layers: Sequence[Any], shape: Shape) -> list[Shape]:
    found: list[Shape] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += _input_shapes(layer.layers, shape)
        elif isinstance(layer, Linear):
            found.append(shape)
        shape = layer.out_shape(shape)
    return found


def spec_to_json(spec: NetworkSpec) -> dict[str, Any]:
    """Plain values that JSON can hold, layers by kind and keyword.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    """
    plain = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    return plain | {
        "input_shape": list(spec.input_shape),
        "layers": [_layer_to_json(layer) for layer in spec.layers],
    }


def _layer_to_json(layer: Any) -> dict[str, Any]:
    plain = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    if isinstance(layer, Residual):
        plain = {"layers": [_layer_to_json(inner) for inner in layer.layers]}
    return {"kind": type(layer).__name__, **plain}


def spec_from_json(stored: Mapping[str, Any]) -> NetworkSpec:
    """Read what :func:`spec_to_json` wrote, in this release or an older one.

    A missing keyword is its default.

    Parameters
    ----------
    stored : mapping
        What :func:`spec_to_json` returned, also in an older release.

    Raises
    ------
    SpecError
        For a keyword or a layer that this release does not know, or values that make no network.
    """
    if not isinstance(stored, Mapping):
        raise SpecError(f"the description of a network is a table, got {stored!r}")
    values = dict(stored)
    try:
        if "widths" in values:  # files of release 0.1 hold dense networks by their widths
            exact = values.pop("small_fan_in", False)
            known = {*_names(NetworkSpec), "widths", "weights", "rule", "activation", "bias", "density"}
            _refuse_unknown("the network", values, known)
            return NetworkSpec.dense(messages="exact" if exact else "gaussian", **values)
        _refuse_unknown("the network", values, _names(NetworkSpec))
        values["input_shape"] = tuple(int(side) for side in values["input_shape"])
        values["layers"] = tuple(_layer_from_json(layer) for layer in values["layers"])
        return NetworkSpec(**values)
    except (TypeError, KeyError, ValueError) as error:
        raise SpecError(f"the description of the network cannot be read: {error}") from error


def _layer_from_json(stored: Mapping[str, Any]) -> Layer:
    values = dict(stored)
    kind = values.pop("kind")
    if kind not in LAYERS:
        raise ValueError(f"layers of the kind {kind!r} are not known to this release: update the library")
    _refuse_unknown(kind, values, _names(LAYERS[kind]))
    if kind == Residual.__name__:
        return Residual(tuple(_layer_from_json(layer) for layer in values["layers"]))
    layer: Layer = LAYERS[kind](**values)
    return layer


def _names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _refuse_unknown(what: str, values: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(
            f"{what} has {', '.join(unknown)}, which this release does not know: update the library"
        )
