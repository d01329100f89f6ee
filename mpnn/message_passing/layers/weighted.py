"""What a layer with weights is: its options and shapes, and where it may stand."""

import dataclasses
import math
from typing import Any, Self

from mpnn.linear_maps.base import LinearMap
from mpnn.message_passing.channels.hidden import ACTIVATIONS, HiddenChannel
from mpnn.message_passing.layers.base import Place, Shape
from mpnn.message_passing.rules import RuleEntry, find_rule
from mpnn.message_passing.weights import WeightFamily, weight_family
from mpnn.validation import one_of, share_above_zero

__all__ = ["OPTIONS", "WeightedLayer"]

# What a layer has where neither it nor its network chooses.
OPTIONS: dict[str, Any] = {
    "weights": "binary",
    "rule": "bp_inspired",
    "activation": "sign",
    "bias": False,
    "density": 1.0,
    "messages": "gaussian",
}
MESSAGES = ("gaussian", "exact")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightedLayer:
    """The options of a layer with weights; those at None are the network's.

    Parameters
    ----------
    weights : str or int or None
        ``"binary"``, ``"ternary"``, ``"gaussian"`` or an int P for the levels -P..P.
    rule : str or None
        A name in :data:`mpnn.message_passing.rules.RULES`.
    activation : str or None
        Of the units: ``"sign"``, ``"relu"`` or ``"identity"``; the last layer has that of its output.
    bias : bool or None
        Adds a constant input 1 to every unit; its weight is the last row of the weights.
    density : float or None
        Share of the weights that exist, in (0, 1]; the others are fixed to 0 at random.
    messages : {"gaussian", "exact"} or None
        Of a unit with few inputs, ``"exact"`` sums over all its terms
        (:mod:`mpnn.message_passing.exact`); else its pre-activation counts as Gaussian.
    """

    weights: str | int | None = None
    rule: str | None = None
    activation: str | None = None
    bias: bool | None = None
    density: float | None = None
    messages: str | None = None

    num_weighted = 1
    needs_fields = False

    def __post_init__(self) -> None:
        if self.weights is not None:
            weight_family(self.weights)
        if self.rule is not None:
            find_rule(self.rule, one_sweep=False)
        for name, allowed in (("activation", sorted(ACTIVATIONS)), ("messages", list(MESSAGES))):
            value = getattr(self, name)
            if value is not None:
                one_of(name, value, allowed)
        if self.density is not None:
            share_above_zero("density", self.density)

    @property
    def linear_map(self) -> LinearMap:
        """The map from inputs to sums."""
        raise NotImplementedError

    @property
    def family(self) -> WeightFamily:
        """The weight family."""
        return weight_family(self._chosen("weights"))

    @property
    def channel(self) -> HiddenChannel:
        """The channel of the units."""
        return ACTIVATIONS[self._chosen("activation")]

    def _chosen(self, name: str) -> Any:
        value = getattr(self, name)
        return OPTIONS[name] if value is None else value

    def complete(self, **options: Any) -> Self:
        """The same layer with these options where it has none, else those of :data:`OPTIONS`."""
        chosen = {**OPTIONS, **options}
        return dataclasses.replace(
            self, **{name: value for name, value in chosen.items() if getattr(self, name) is None}
        )

    def out_shape(self, in_shape: Shape) -> Shape:
        """Shape of one sample of the outputs."""
        return self.linear_map.out_shape(in_shape)

    def averaged_signs(self, of_inputs: int) -> int:
        """1 for signs."""
        return int(self.channel.values_square_to_one)

    def fan_in(self, in_shape: Shape) -> int:
        """Inputs of one unit, the constant one included."""
        return self.linear_map.fan_in(in_shape) + int(bool(self.bias))

    def check(self, place: Place) -> None:
        """Refuse a place where the layer's rule is not defined."""
        if self._entry(place).messages.zero_temperature:
            self._check_zero_temperature(place)
            if self._num_positions(place) > 1:
                raise ValueError(f"rule {self.rule!r} passes messages through dense layers only")
        elif self.rule == "belief_propagation" and not place.one_sweep and self._num_positions(place) > 1:
            raise ValueError(
                "rule 'belief_propagation' keeps cavities of dense layers only: take 'bp_inspired' for "
                "convolutions, or one sweep a batch"
            )

    def _check_zero_temperature(self, place: Place) -> None:
        """Max-sum knows signs alone; anything else would need max-marginals of its own."""
        needed = {"weights": "binary", "activation": "sign", "density": 1.0}
        given = {name: self._chosen(name) for name in needed}
        given |= {"output": "argmax" if place.output is not None and place.output.joint else "binary_label"}
        given |= {"focusing": place.focusing, "anchored": place.anchored}
        needed |= {"output": "binary_label", "focusing": False, "anchored": False}
        for name, value in needed.items():
            if given[name] != value:
                raise ValueError(f"rule {self.rule!r} needs {name}={value!r}, got {given[name]!r}")

    def _entry(self, place: Place) -> RuleEntry:
        """The rule: a joint output has no cavity and always uses mean field."""
        name = self._chosen("rule")
        zero_temperature = find_rule(name, False).messages.zero_temperature
        if place.output is not None and place.output.joint and not zero_temperature:
            name = "mean_field"
        return find_rule(name, place.one_sweep)

    def _num_positions(self, place: Place) -> int:
        return math.prod(self.out_shape(place.in_shape)[:-1])
