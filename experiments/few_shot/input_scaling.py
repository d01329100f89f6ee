"""Accuracy of the few-shot vote by the transform of its inputs, for images of several sizes.

    python -m experiments.few_shot.input_scaling

What `input_scaling="auto"` rests on. Training images only: draws of 2, 10 and 40 a class, each scored on a
thousand of the others. Images are made smaller by averaging squares of pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import tyro
from numpy.typing import NDArray

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import load_dataset

SCALINGS = ("root", "mild_root", "standard", "max_abs", "features")


@dataclass(frozen=True)
class Options:
    """What is compared. sizes: pixels along an edge, of the images of 28 x 28."""

    datasets: tuple[str, ...] = ("digits", "mnist", "fashion_mnist")
    sizes: tuple[int, ...] = (7, 14, 28)
    shots: tuple[int, ...] = (2, 10, 40)
    weights: tuple[str, ...] = ("ternary", "binary")
    draws: int = 4


def averaged(images: NDArray, size: int) -> NDArray:
    """Images ``[n, size * square, size * square]`` averaged over squares, flat."""
    square = images.shape[1] // size
    return images.reshape(-1, size, square, size, square).mean(axis=(2, 4)).reshape(len(images), -1)


def all_images(options: Options) -> Iterator[tuple[str, NDArray, NDArray]]:
    """Name, flat images and labels of every data set in every size."""
    for name in options.datasets:
        data = load_dataset(name)
        images = data.x_train.astype(np.float32)
        edge = images.shape[1]
        for size in options.sizes if edge == 28 else (edge,):
            yield f"{name} {size} x {size}", averaged(images, size), data.y_train


def accuracy(images: NDArray, labels: NDArray, shots: int, draw: int, weights: str, scaling: str) -> float:
    """Percent right of other training images."""
    generator = np.random.default_rng(100 + draw)
    classes = np.unique(labels)
    chosen = [generator.choice(np.flatnonzero(labels == own), shots, replace=False) for own in classes]
    train = np.concatenate(chosen)
    others = np.setdiff1d(np.arange(len(labels)), train)
    held_out = generator.choice(others, min(1000, len(others)), replace=False)
    network = MessagePassingClassifier(weights=weights, input_scaling=scaling, random_state=draw)
    ensemble = PairwiseVoteClassifier(network).fit(images[train], labels[train])
    return 100.0 * float(ensemble.score(images[held_out], labels[held_out]))


def main(options: Options) -> None:
    """Print a table, a line as soon as it is known."""
    print(f"| images | weights | per class | {' | '.join(SCALINGS)} |\n|---|---|---|{'---|' * len(SCALINGS)}")
    for name, images, labels in all_images(options):
        for weights, shots in product(options.weights, options.shots):
            means = [
                np.mean(
                    [accuracy(images, labels, shots, draw, weights, scaling) for draw in range(options.draws)]
                )
                for scaling in SCALINGS
            ]
            numbers = " | ".join(f"{mean:.1f}" for mean in means)
            print(f"| {name} | {weights} | {shots} | {numbers} |", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
