"""Layers one after the other: their places, the loop up and the loop down of a sweep."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.layers.base import Labels, Layer, Numbers, Place
from mpnn.message_passing.rules.base import Inputs

__all__ = [
    "apply_chain",
    "backward_chain",
    "begin_chain",
    "forward_chain",
    "init_chain",
    "moments_chain",
    "places_of",
    "shares",
]

Item = TypeVar("Item")


def places_of(layers: Sequence[Layer], start: Place) -> tuple[Place, ...]:
    """The place of each layer; ``start`` is that of the first, and its output that of the last."""
    places: list[Place] = []
    place = dataclasses.replace(start, output=None, feeds_pool=False)
    for index, layer in enumerate(layers):
        last = index == len(layers) - 1
        following = start.feeds_pool if last else layers[index + 1].needs_fields
        own = dataclasses.replace(place, output=start.output if last else None, feeds_pool=following)
        layer.check(own)
        places.append(own)
        place = dataclasses.replace(
            place,
            in_shape=layer.out_shape(place.in_shape),
            known_inputs=place.known_inputs and layer.num_weighted == 0,
            averaged_signs=layer.averaged_signs(place.averaged_signs),
        )
    return tuple(places)


def shares(layers: Sequence[Layer], items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Split a list with one item for each weight layer into the items of each layer."""
    ends = list(itertools.accumulate((layer.num_weighted for layer in layers), initial=0))
    return (items[start:end] for start, end in itertools.pairwise(ends))


def init_chain(
    keys: Sequence[Array],
    layers: Sequence[Layer],
    places: Sequence[Place],
    numbers: Numbers,
    initial_field: Any,
) -> tuple[Any, ...]:
    """Initial beliefs of every layer; ``keys``: one for each weight layer."""
    own = zip(layers, places, shares(layers, keys), shares(layers, numbers), strict=True)
    return tuple(layer.init(key, place, number, initial_field) for layer, place, key, number in own)


def begin_chain(
    layers: Sequence[Layer],
    places: Sequence[Place],
    states: Sequence[Any],
    batch_size: int,
    dtype: Any,
    numbers: Numbers,
) -> tuple[Any, ...]:
    """Memories before the first sweep over a batch."""
    own = zip(layers, places, states, shares(layers, numbers), strict=True)
    return tuple(layer.begin(place, state, batch_size, dtype, number) for layer, place, state, number in own)


def forward_chain(
    layers: Sequence[Layer],
    places: Sequence[Place],
    states: Sequence[Any],
    below: Inputs,
    memories: Sequence[Any],
    numbers: Numbers,
) -> tuple[Inputs, list[Any]]:
    """The loop up: moments of the last layer's outputs, and what every layer keeps for the way down."""
    caches = []
    own = zip(layers, places, states, memories, shares(layers, numbers), strict=True)
    for layer, place, state, memory, number in own:
        below, cache = layer.forward(place, state, below, memory, number)
        caches.append(cache)
    return below, caches


def backward_chain(
    layers: Sequence[Layer],
    places: Sequence[Place],
    states: Sequence[Any],
    caches: Sequence[Any],
    above: Natural | Labels,
    memories: Sequence[Any],
    numbers: Numbers,
    sample_weight: Array | None,
) -> tuple[tuple[Any, ...], tuple[Any, ...], Natural | None]:
    """The loop down: new states and memories, and the message to what is below the first layer.

    A layer gets the message of the layer above as it was before that layer's update.
    """
    moved, kept = list(states), list(memories)
    down: Any = above
    own = list(zip(layers, places, shares(layers, numbers), strict=True))
    for index, (layer, place, number) in reversed(list(enumerate(own))):
        moved[index], kept[index], down = layer.backward(
            place, states[index], caches[index], down, memories[index], number, sample_weight
        )
    return tuple(moved), tuple(kept), down


def moments_chain(
    layers: Sequence[Layer],
    places: Sequence[Place],
    beliefs: Sequence[Moments],
    below: Inputs,
    noise: Sequence[Array],
    visit: Callable[[Layer, Inputs], None] | None = None,
) -> Inputs:
    """Moments of the outputs with nothing above; ``visit`` sees those of every layer."""
    own = zip(layers, places, shares(layers, beliefs), shares(layers, noise), strict=True)
    for layer, place, belief, number in own:
        below = layer.moments(place, belief, below, number)
        if visit is not None:
            visit(layer, below)
    return below


def apply_chain(
    layers: Sequence[Layer],
    weights: Sequence[Array],
    inputs: Array,
    visit: Callable[[Layer, Array], None] | None = None,
) -> Array:
    """Outputs of the discrete network; ``visit`` sees those of every layer."""
    for layer, own in zip(layers, shares(layers, weights), strict=True):
        inputs = layer.apply(own, inputs)
        if visit is not None:
            visit(layer, inputs)
    return inputs
