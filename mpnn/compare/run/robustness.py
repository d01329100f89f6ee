"""Scores of a fitted model on disturbed test inputs: one fit, scored many times.

Random disturbances first, then shifts of images, then the worst change, bounded from both sides
(:mod:`mpnn.compare.run.worst_case`).

All methods see the same disturbances of a draw. Noise of size 2 is twice the noise of size 1, and what a
small share flips is among what a larger one flips.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.config import Robustness
from mpnn.compare.methods.contract import Method, Task
from mpnn.compare.run.decisions import decisions_of
from mpnn.compare.run.worst_case import Bounds, worst_case
from mpnn.metrics import label_positions

__all__ = ["flip", "move", "robustness_scores", "shift"]

# Test samples of which the worst change is sought; the first ones.
WORST_SAMPLES = 1000
GREY_LEVELS = 255


def robustness_scores(
    method: Method, model: Any, task: Task, robustness: Robustness
) -> dict[str, dict[str, float]]:
    """Return test accuracy under each disturbance, such as "noise 0.5", for each prediction.

    Parameters
    ----------
    method : Method
        The method of training.
    model : classifier
        The fitted model.
    task : Task
        The problem.
    robustness : Robustness
        Disturbances of the test inputs.
    """
    scores: dict[str, dict[str, float]] = {}
    disturbed = {f"noise {size:g}": shift(task, size) for size in robustness.noise}
    disturbed |= {f"flips {share:g}": flip(task, share) for share in robustness.flips}
    if task.image_shape is not None:
        disturbed |= {f"moves {pixels}": move(task, pixels) for pixels in robustness.moves}
    for name, inputs in disturbed.items():
        evaluation = method.evaluate(model, replace(task, x_test=inputs, keep_weights=False))
        for prediction in evaluation.scores:
            right = evaluation.predictions[prediction] == task.y_test
            scores.setdefault(prediction, {})[name] = float(np.mean(right))
    of_weights = "vote" if hasattr(model, "estimators_") else "predict"
    for size in robustness.worst:
        bounds = _bounds(model, task, size)
        if bounds is not None:
            found = {f"certified {size:g}": bounds.certified, f"worst {size:g}": bounds.attacked}
            scores.setdefault(of_weights, {}).update(found)
    return scores


def shift(task: Task, size: float) -> NDArray[np.float64]:
    """Move every test feature up or down, each as likely, by `size` times its range, [n, features].

    The attack of Kurtz and Bah (2021); what leaves the range is not cut off.

    Parameters
    ----------
    task : Task
        The problem.
    size : float >= 0
        Share of the range.
    """
    low, high = _ranges(task)
    signs = np.random.default_rng([task.seed, 0]).choice([-1.0, 1.0], task.x_test.shape)
    return task.x_test + size * (high - low) * signs


def flip(task: Task, share: float) -> NDArray[np.float64]:
    """Mirror this share of the test features in the middle of their range: black pixels become white.

    Returns [n, features]; each feature of each example is drawn alone.

    Parameters
    ----------
    task : Task
        The problem.
    share : float in [0, 1]
        Share of features.
    """
    low, high = _ranges(task)
    chosen = np.random.default_rng([task.seed, 1]).random(task.x_test.shape) < share
    return np.where(chosen, low + high - task.x_test, task.x_test)


def move(task: Task, pixels: int) -> NDArray:
    """Move every test image so many pixels in one of eight directions, drawn alike, [n, features].

    What comes in at the rim is 0.

    Parameters
    ----------
    task : Task
        The problem, with images.
    pixels : int >= 1
        Distance along each axis that the direction has.
    """
    height, width = (task.image_shape or ())[:2]
    images = task.x_test.reshape(len(task.x_test), height, width, -1)
    moved = np.zeros_like(images)
    directions = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    drawn = np.random.default_rng([task.seed, 2]).integers(len(directions), size=len(images))
    for number, (down, right) in enumerate(directions):
        (to_rows, from_rows), (to_columns, from_columns) = _overlap(down * pixels), _overlap(right * pixels)
        chosen = drawn == number
        moved[chosen, to_rows, to_columns] = images[chosen, from_rows, from_columns]
    return moved.reshape(task.x_test.shape)


def _overlap(distance: int) -> tuple[slice, slice]:
    """Return where pixels go and where they come from, along one axis."""
    if distance >= 0:
        return slice(distance, None), slice(None, -distance or None)
    return slice(None, distance), slice(-distance, None)


def _bounds(model: Any, task: Task, size: float) -> Bounds | None:
    """Bound the accuracy under the worst change of `size` 255ths of each feature's range, None if unknown."""
    classes = np.unique(task.y_train)
    decisions = decisions_of(model, len(classes))
    if decisions is None:
        return None
    inputs = task.x_test[:WORST_SAMPLES].astype(float)
    least, largest = _ranges(task)
    reach = size / GREY_LEVELS * (largest - least)
    low = np.maximum(inputs - reach, np.minimum(inputs, least))
    high = np.minimum(inputs + reach, np.maximum(inputs, largest))

    def predict(rows: NDArray) -> NDArray:
        return label_positions(model.predict(rows), classes)

    codes = label_positions(task.y_test[:WORST_SAMPLES], classes)
    return worst_case(decisions, predict, inputs, codes, low, high)


def _ranges(task: Task) -> tuple[NDArray, NDArray]:
    """Return least and largest training value: of all pixels of images, of each column of a table."""
    if task.image_shape is not None:
        return np.asarray(min(0.0, float(task.x_train.min()))), np.asarray(task.input_scale)
    values = task.x_train.astype(float)
    return values.min(axis=0), values.max(axis=0)
