"""A link that carries a layer's inputs past a branch and adds them before its last sign."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.fields import Natural, damped_moments
from mpnn.message_passing.layers.base import Labels, Layer, Numbers, Place, Shape
from mpnn.message_passing.layers.chain import (
    apply_chain,
    backward_chain,
    begin_chain,
    forward_chain,
    init_chain,
    moments_chain,
    places_of,
)
from mpnn.message_passing.layers.linear import Cache, Linear, Summed
from mpnn.message_passing.rules.base import Inputs, Preactivation

__all__ = ["Residual"]


class ResidualCache(NamedTuple):
    """Caches of the branch below its last layer and of the last layer, and the inputs that were added."""

    below: list[Any]
    last: Cache
    inputs: Inputs


@dataclasses.dataclass(frozen=True)
class Residual:
    """Units ``channel(branch(x) + x)``: the branch's last pre-activation plus the inputs.

    Parameters
    ----------
    layers : tuple of Layer
        The branch. Its last layer has weights, and its outputs have the shape of the inputs.

    Notes
    -----
    The pre-activation's moments are those of the branch plus those of the inputs, which count as independent.
    The branch's rule subtracts its own product from the *total*, so that its cavities are right as they
    are; the link is one more weight, of known value 1, and its message to input i is the gradient at the
    cavity ``omega - <x_i>``.
    """

    layers: tuple[Layer, ...]

    needs_fields = False

    def __post_init__(self) -> None:
        if not self.layers or not isinstance(self.layers[-1], Linear):
            raise ValueError("the branch of Residual ends with a layer with weights, such as Dense or Conv2D")

    @property
    def num_weighted(self) -> int:
        """Weight layers of the branch."""
        return sum(layer.num_weighted for layer in self.layers)

    @property
    def last(self) -> Linear:
        """The layer whose pre-activation the inputs are added to."""
        if not isinstance(self.layers[-1], Linear):
            raise AssertionError("checked when made")
        return self.layers[-1]

    def complete(self, **options: Any) -> "Residual":
        """The same branch with options for its layers where these have none.

        Parameters
        ----------
        **options : keyword arguments
            Options of :class:`mpnn.message_passing.layers.weighted.WeightedLayer`.
        """
        filled = (layer.complete(**options) if hasattr(layer, "complete") else layer for layer in self.layers)
        return Residual(tuple(filled))

    def out_shape(self, in_shape: Shape) -> Shape:
        """The shape of the inputs, which the branch must keep."""
        shape = in_shape
        for layer in self.layers:
            shape = layer.out_shape(shape)
        if shape != in_shape:
            raise ValueError(f"a residual branch must keep the shape {in_shape} of its inputs, got {shape}")
        return shape

    def averaged_signs(self, of_inputs: int) -> int:
        """As the branch's last layer."""
        return self.last.averaged_signs(of_inputs)

    def check(self, place: Place) -> None:
        """Refuse the place of the last layer, and rules that pass no moments."""
        if place.output is not None:
            raise ValueError("the last layer cannot be Residual: end with Dense")
        if self.last.rule == "max_sum":
            raise ValueError("Residual needs a rule that passes means, got rule='max_sum'")
        self._places(place)

    def _places(self, place: Place) -> tuple[Place, ...]:
        return places_of(self.layers, place)

    def init(
        self, keys: Sequence[Array], place: Place, numbers: Numbers, initial_field: Array | float
    ) -> tuple[Any, ...]:
        """Initial beliefs of the branch."""
        return init_chain(keys, self.layers, self._places(place), numbers, initial_field)

    def begin(
        self, place: Place, state: tuple[Any, ...], batch_size: int, dtype: Any, numbers: Numbers
    ) -> tuple[Any, ...]:
        """Memories of the branch."""
        return begin_chain(self.layers, self._places(place), state, batch_size, dtype, numbers)

    def forward(
        self, place: Place, state: tuple[Any, ...], below: Inputs, memory: tuple[Any, ...], numbers: Numbers
    ) -> tuple[Inputs, ResidualCache]:
        """Moments of the units under the last message from above."""
        *places, last_place = self._places(place)
        inside, caches = forward_chain(self.layers[:-1], places, state[:-1], below, memory[:-1], numbers[:-1])
        cache = self.last.sum_up(last_place, state[-1], inside, memory[-1], numbers[-1:])
        total = self._settle(place, damped_moments(state[-1]), cache, below, numbers[-1].noise)
        cache = cache._replace(preactivation=total)
        units = self.last.activate(last_place, cache.preactivation, memory[-1].above)
        return units, ResidualCache(caches, cache, below)

    def _settle(
        self, place: Place, weights: Moments, branch: Cache | Summed, below: Inputs, noise: Array
    ) -> Preactivation:
        """The branch's pre-activation plus the inputs, noise included, decided where it is 0."""
        mean, variance = branch.preactivation
        mean = mean + below.mean.reshape(mean.shape)
        if below.variance is not None:
            variance = variance + below.variance.reshape(mean.shape)
        last_place = self._places(place)[-1]
        extra = 1 if place.sign_inputs and last_place.sign_inputs else None
        return self.last.settle(last_place, weights, branch.rows, Preactivation(mean, variance), noise, extra)

    def backward(
        self,
        place: Place,
        state: tuple[Any, ...],
        cache: ResidualCache,
        above: Natural | Labels,
        memory: tuple[Any, ...],
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], Natural | None]:
        """Messages through the branch, and past it."""
        *places, last_place = self._places(place)
        last_state, last_memory, down = self.last.backward(
            last_place, state[-1], cache.last, above, memory[-1], numbers[-1:], sample_weight
        )
        if len(self.layers) > 1:
            if down is None:
                raise AssertionError("a layer above others sends its message down")
            states, memories, down = backward_chain(
                self.layers[:-1],
                places,
                state[:-1],
                cache.below,
                down,
                memory[:-1],
                numbers[:-1],
                sample_weight,
            )
        else:
            states, memories = (), ()
        if down is not None:
            derive = self.last.signal(last_place, above, numbers[-1])
            down = down.plus(self._message_past(place, cache, derive))
        return (*states, last_state), (*memories, last_memory), down

    def _message_past(self, place: Place, cache: ResidualCache, derive: Any) -> Natural:
        """The link's message to the inputs."""
        omega, variance = cache.last.preactivation
        inputs = cache.inputs.mean.reshape(omega.shape)
        derivatives = derive(omega - inputs, variance)
        shape = cache.inputs.mean.shape
        precision = None if place.sign_inputs else derivatives.curvature.reshape(shape)
        return Natural(derivatives.gradient.reshape(shape), precision)

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """Moments of the units with nothing above."""
        *places, last_place = self._places(place)
        inside = moments_chain(self.layers[:-1], places, beliefs[:-1], below, noise[:-1])
        branch = self.last.moments_of_sum(last_place, beliefs[-1], inside)
        total = self._settle(place, beliefs[-1], branch, below, noise[-1])
        return self.last.unit_moments(last_place, total)

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """Units of the discrete network."""
        inside = apply_chain(self.layers[:-1], weights[:-1], inputs)
        return self.last.channel.decide(self.last.preactivation_of(weights[-1], inside) + inputs)
