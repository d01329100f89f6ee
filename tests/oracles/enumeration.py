"""All networks of a toy, and their pre-activations in plain loops."""

import itertools

import numpy as np


def all_networks(widths, levels=1, bias=False):
    """Every network of these widths: a list of weight matrices and one of bias vectors."""
    shapes = list(itertools.pairwise(widths))
    sizes = [rows * columns for rows, columns in shapes] + (
        [columns for _, columns in shapes] if bias else []
    )
    for flat in itertools.product(range(-levels, levels + 1), repeat=sum(sizes)):
        pieces = np.split(np.array(flat), np.cumsum(sizes)[:-1])
        layers = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=False)]
        biases = pieces[len(shapes) :] if bias else [np.zeros(columns, int) for _, columns in shapes]
        yield layers, biases


def pre_activations(inputs, layers, biases):
    """Of every layer, one sample and one neuron at a time."""
    signals, found = [list(map(int, row)) for row in inputs], []
    for layer, bias in zip(layers, biases, strict=True):
        sums = [
            [
                sum(s * int(w) for s, w in zip(row, column, strict=True)) + int(b)
                for column, b in zip(layer.T, bias, strict=True)
            ]
            for row in signals
        ]
        found.append(sums)
        signals = [[1 if a >= 0 else -1 for a in row] for row in sums]
    return found
