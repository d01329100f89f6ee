"""A convolutional network as a dense one: every window a copy of the weights, links that do not exist masked.

The slow twin of :mod:`mpnn.message_passing.layers`: what the layers do by patches and sums, here plain
matrices do.
"""

import itertools

import jax.numpy as jnp
import numpy as np

from mpnn.message_passing.fields import LayerState
from mpnn.message_passing.layers import Conv2D, Dense
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["summed_over_copies", "tied"]


def windows(layer, in_shape):
    """Of each position, the input numbers of its window, -1 outside of the image ``[positions, fan in]``."""
    height, width, channels = in_shape
    out_height, out_width, _ = layer.out_shape(in_shape)
    before = [0, 0]
    if layer.padding == "same":
        for axis, (side, out) in enumerate(zip(in_shape[:2], (out_height, out_width), strict=True)):
            before[axis] = max((out - 1) * layer.stride + layer.size - side, 0) // 2
    found = []
    for row, column in itertools.product(range(out_height), range(out_width)):
        own = []
        for down, right in itertools.product(range(layer.size), range(layer.size)):
            y, x = row * layer.stride + down - before[0], column * layer.stride + right - before[1]
            inside = 0 <= y < height and 0 <= x < width
            own += [(y * width + x) * channels + c if inside else -1 for c in range(channels)]
        found.append(own)
    return np.array(found)


def spread(layer, in_shape, values):
    """Weights ``[fan in, channels]`` as ``[inputs, positions channels]``, 0 where there is no link."""
    places, units = windows(layer, in_shape), values.shape[1]
    size = int(np.prod(in_shape))
    full = np.zeros((size + 1, len(places), units))  # the last row takes what lies outside
    for position, place in enumerate(places):
        full[place, position] = values[: len(place)]
    full = full[:-1].reshape(size, -1)
    if layer.bias:
        full = np.concatenate([full, np.tile(values[-1], len(places))[None]])
    return full


def summed_over_copies(layer, in_shape, full):
    """The transpose of :func:`spread`: what reached the copies of each weight, summed."""
    places = windows(layer, in_shape)
    units = full.shape[1] // len(places)
    copies = np.concatenate([full[: int(np.prod(in_shape))], np.zeros((1, full.shape[1]))])
    copies = copies.reshape(-1, len(places), units)
    total = sum(copies[place, position] for position, place in enumerate(places))
    if layer.bias:
        total = np.concatenate([total, full[-1].reshape(len(places), units).sum(axis=0)[None]])
    return total


def tied(spec, state):
    """The dense network, and its state with copies of the same beliefs."""
    layers, states = [], []
    for place, layer, own in zip(spec.places, spec.layers, state.layers, strict=True):
        if isinstance(layer, Conv2D):
            ones = spread(layer, place.in_shape, np.ones(own.mean.shape))

            def full(leaf, layer=layer, place=place):
                return jnp.asarray(spread(layer, place.in_shape, np.asarray(leaf)))

            posterior = own.posterior.mapped(full)
            variance = full(1.0 - own.mean**2 if own.variance is None else own.variance)
            states.append(LayerState(posterior, full(own.mean), variance, None, jnp.asarray(ones)))
            options = {name: getattr(layer, name) for name in ("weights", "rule", "activation", "bias")}
            layers.append(Dense(ones.shape[1], density=0.5, **options))
        elif isinstance(layer, Dense):
            layers.append(layer)
            states.append(own)
    dense = NetworkSpec((int(np.prod(spec.input_shape)),), tuple(layers), spec.output, spec.sweeps_per_batch)
    return dense, State(tuple(states))
