"""Sums over windows as ONNX operators: images with channels first, one group of a ``Conv`` a block."""

import numpy as np

from mpnn.deploy.onnx_graph import Graph
from mpnn.integer_networks.network import Layer

__all__ = ["largest_of_squares", "window_sums"]


def window_sums(graph: Graph, layer: Layer, below: str, kind: np.dtype, *, shared: bool) -> str:
    """Sums ``[n, G * Q * units]`` of units or codes ``[n, inputs]`` of a layer with windows.

    Parameters
    ----------
    graph : Graph
        Gets the nodes.
    layer : Layer
        With windows.
    below : str
        What they are over.
    kind : dtype
        float32 or float64; runtimes convolve the first alone, so that the other is a product of patches.
    shared : bool
        Whether all blocks read one image, that of the codes.
    """
    assert layer.windows is not None
    windows, (blocks, _, units) = layer.windows, layer.weights.shape
    if kind != np.float32:
        return _product(graph, layer, below, kind)
    height, width, channels = windows.shape
    groups = 1 if shared else blocks
    image = graph.reshape(below, -1, groups, height, width, channels)
    image = graph("Transpose", image, perm=[0, 1, 4, 2, 3])
    image = graph.reshape(image, -1, groups * channels, height, width)
    if windows.largest_of > 1:
        image = _max_pool(graph, image, windows.largest_of)
    if (size := windows.sum_of) > 1:  # not a mean, which is no whole number
        ones = graph.constant(np.ones((groups * channels, 1, size, size), np.float32))
        image = graph("Conv", image, ones, group=groups * channels, strides=[size] * 2)
    kernels = layer.weights.reshape(blocks, *windows.window, channels, units).transpose(0, 4, 3, 1, 2)
    kernels = kernels.reshape(blocks * units, channels, *windows.window)
    ends = [
        max((out - 1) * windows.stride + window - margin - side, 0)
        for out, window, margin, side in zip(
            windows.out_shape, windows.window, windows.margins, windows.pooled, strict=True
        )
    ]
    sums = graph(
        "Conv",
        image,
        graph.weights(kernels, kind),
        group=groups,
        strides=[windows.stride] * 2,
        pads=[*windows.margins, *ends],
    )
    sums = graph.reshape(sums, -1, blocks, units, windows.positions)
    return graph.reshape(graph("Transpose", sums, perm=[0, 1, 3, 2]), -1, layer.num_units)


def largest_of_squares(graph: Graph, layer: Layer, units: str) -> str:
    """Units ``[n, G * inputs]`` as a layer reads them, with the largest of each square where it takes that.

    Parameters
    ----------
    graph : Graph
        Gets the nodes.
    layer : Layer
        Which reads the units.
    units : str
        Signs.
    """
    if layer.windows is None or layer.windows.largest_of == 1:
        return units
    windows, blocks = layer.windows, len(layer.weights)
    image = graph("Transpose", graph.reshape(units, -1, *windows.shape), perm=[0, 3, 1, 2])
    image = graph("Transpose", _max_pool(graph, image, windows.largest_of), perm=[0, 2, 3, 1])
    return graph.reshape(image, -1, blocks * windows.num_pooled)


def _max_pool(graph: Graph, image: str, size: int) -> str:
    return graph("MaxPool", image, kernel_shape=[size] * 2, strides=[size] * 2)


def _product(graph: Graph, layer: Layer, codes: str, kind: np.dtype) -> str:
    """The same sums of codes ``[n, F]``, by a list of the inputs of all windows."""
    assert layer.windows is not None
    places, (blocks, fan_in, units) = layer.windows.places()[..., 0], layer.weights.shape
    # one more input, which is 0 where a window reaches out of the image
    padded = graph("Pad", codes, graph.constant(np.array([0, 0, 0, 1])))
    patches = graph("Gather", padded, graph.constant(places.ravel()), axis=1)
    patches = graph.reshape(patches, -1, *places.shape)
    patches = graph("ReduceSum", patches, graph.constant(np.array([3])), keepdims=0)
    kernels = layer.weights.transpose(1, 0, 2).reshape(fan_in, blocks * units)
    sums = graph("MatMul", patches, graph.weights(kernels, kind))
    sums = graph("Transpose", graph.reshape(sums, -1, len(places), blocks, units), perm=[0, 2, 1, 3])
    return graph.reshape(sums, -1, layer.num_units)
