"""Scores of a fitted model on disturbed test inputs: one fit, scored many times.

All methods see the same disturbances of a draw. Noise of size 2 is twice the noise of size 1, and what a
small share flips is among what a larger one flips.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.config import Robustness
from mpnn.compare.methods.contract import Method, Task

__all__ = ["flip", "robustness_scores", "shift"]


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
    for name, inputs in disturbed.items():
        evaluation = method.evaluate(model, replace(task, x_test=inputs, keep_weights=False))
        for prediction in evaluation.scores:
            right = evaluation.predictions[prediction] == task.y_test
            scores.setdefault(prediction, {})[name] = float(np.mean(right))
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


def _ranges(task: Task) -> tuple[NDArray, NDArray]:
    """Return least and largest training value: of all pixels of images, of each column of a table."""
    if task.image_shape is not None:
        return np.asarray(min(0.0, float(task.x_train.min()))), np.asarray(task.input_scale)
    values = task.x_train.astype(float)
    return values.min(axis=0), values.max(axis=0)
