"""The contract between the engine and the methods that it compares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from mpnn.runs.rows import row_key
from mpnn.runs.toml import to_jsonable

__all__ = ["Build", "Evaluation", "Method", "Task", "class_named", "timed_prediction"]

Build = Callable[..., Any]


@dataclass(frozen=True)
class Task:
    """One few-shot problem: everything that a method may see.

    Parameters
    ----------
    x_train, y_train : ndarray
        The draw: [n, features] and [n].
    x_test, y_test : ndarray
        The test set, for the evaluation only.
    image_shape : tuple of int or None, default=None
        Shape of one example, `(28, 28)` for instance; None for tables.
    input_scale : float, default=1.0
        Largest absolute feature of the whole training set; images are divided by it.
    seed : int, default=0
        The seed of the draw, also the `random_state` of the model.
    keep_weights : bool, default=False
        Whether the evaluation should keep weights to show.
    class_names : tuple of str or None, default=None
        Name of each class, in the order of the labels; None: the labels themselves.
    """

    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray
    image_shape: tuple[int, ...] | None = None
    input_scale: float = 1.0
    seed: int = 0
    keep_weights: bool = False
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What a fitted model scored.

    Parameters
    ----------
    predictions : dict of ndarray
        Predicted test labels [n] by the name of the prediction ("vote", "bayes", "predict").
    scores : dict of dict
        By the same names: "predict_seconds" and, where they exist, "train_accuracy", "label_status".
    facts : dict
        Plain values of the model: "weight_bits", "model_bytes", "links_removed" and, of a vote,
        "networks_without_error", the share that gets all its training examples right.
    arrays : dict of ndarray
        What the report shows of the model, by name.
    probabilities : dict of ndarray
        By the same names, where they exist: probabilities [n, C] of the classes, in sorted order.
    """

    predictions: dict[str, NDArray]
    scores: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray] = field(default_factory=dict)
    probabilities: dict[str, NDArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A way to train and judge a classifier.

    Parameters
    ----------
    summary : str
        One line for people.
    parameters : callable
        Returns the parameters that a config may set, with their defaults.
    build : callable
        Returns an unfitted model from the parameters of a config and the task; the model has `fit(x, y)`.
    evaluate : callable
        Returns what a fitted model scores on the task's test set.
    resolved : callable, default=dict
        Returns what those parameters become that the method itself chooses, where it chooses any.
    """

    summary: str
    parameters: Callable[[], dict[str, Any]]
    build: Callable[[Mapping[str, Any], Task], Any]
    evaluate: Callable[[Any, Task], Evaluation]
    resolved: Callable[[], Mapping[str, Any]] = dict

    @cached_property
    def defaults_key(self) -> str:
        """The key of all defaults: rows that were measured with other ones answer another question."""
        return row_key(to_jsonable({"parameters": self.parameters(), "resolved": self.resolved()}))


def class_named(name: str | Build) -> Build:
    """Return what builds the class at a dotted name, which is imported when it is first called.

    Parameters
    ----------
    name : str or callable
        For instance `"mpnn.gradient.bop.BopClassifier"`; a class, or a function that returns a classifier,
        stays as it is.
    """
    if not isinstance(name, str):
        return name
    module, _, attribute = name.rpartition(".")

    def build(**params: Any) -> Any:
        return getattr(import_module(module), attribute)(**params)

    return build


def timed_prediction(predict: Callable[[NDArray], Any], inputs: NDArray) -> tuple[Any, float]:
    """Return the predictions for the inputs, and the seconds they took.

    Parameters
    ----------
    predict : callable
        A function of the inputs.
    inputs : ndarray [n, features]
        Inputs.
    """
    start = perf_counter()
    return predict(inputs), perf_counter() - start
