"""What networks assume on tables, chosen by what they predict of training samples held out.

Tables differ in it: where columns decide the class, little noise lets hidden units bend the boundary; where
labels are wrong or overlap, much of it keeps them from fitting what is chance; where few of many columns
decide, a prior for weights of 0 keeps the others out. Held-out samples have weight
0, and as many problems are trained at once as later, so that no other programs are compiled.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.classifiers.problems import BinaryProblems
from mpnn.message_passing.classifier import compiled, fitting
from mpnn.message_passing.classifier.defaults import FULL_BATCH_LIMIT
from mpnn.message_passing.classifier.settings import Fit, Parameters, Samples, Settings

__all__ = ["folds_of", "log_likelihood", "log_likelihood_many", "to_try"]

# Noise as a share of the inputs' norm, and sparsity; the first wins ties.
ASSUMPTIONS: tuple[dict[str, Any], ...] = (
    {"noise": 1.0},
    {"noise": 0.5},
    {"noise": 0.5, "sparsity": 2.0},
    {"noise": 0.25},
)
# Where classes are balanced, few samples count, whatever their number.
ASSUMPTIONS_OF_BALANCED = (*ASSUMPTIONS, {"noise": 2.0})
NUM_FOLDS = 3
# Of fewer samples, what is held out says too little.
FEWEST_SAMPLES = 50
# Trainings of one choice: as many as there are problems, within these bounds.
FEWEST_TRAININGS, MOST_TRAININGS = 12, 60
LEAST_PROBABILITY = 1e-6


def to_try(
    given: Parameters, num_samples: int, counted: float, goes_on: bool, *, balanced: bool = False
) -> tuple[Parameters, ...]:
    """Parameters to choose from, which differ in what they assume; those given where none is chosen.

    Parameters
    ----------
    given : Parameters
        Of the estimator. A noise that is given stays, and so does a sparsity.
    num_samples : int >= 1
        Rows of the longest problem.
    counted : float
        Samples of all problems, each as often as it counts.
    goes_on : bool
        Whether training goes on from present beliefs.
    balanced : bool, default=False
        Whether samples of frequent classes count less, so that all classes count alike.
    """
    at_once = given.batch_size == "auto" or given.batch_size is None
    few = counted >= FEWEST_SAMPLES and num_samples <= FULL_BATCH_LIMIT and at_once and given.rate is None
    plain = given.rule != "max_sum" and given.small_fan_in != "exact" and not (goes_on or given.in_portions)
    if not (given.coded and given.noise is None and few and plain):
        return (given,)
    has_zero = given.weights not in ("binary", "gaussian")
    sparse = has_zero and given.sparsity is None
    assumptions = ASSUMPTIONS_OF_BALANCED if balanced else ASSUMPTIONS
    return tuple(replace(given, **own) for own in assumptions if sparse or "sparsity" not in own)


def folds_of(inputs: NDArray, targets: NDArray) -> NDArray:
    """Number of each sample's fold ``[n]``, 0 to 2: each class is spread over all of them.

    Equal samples stay together; neither the order of samples nor repeating some changes a sample's fold.

    Parameters
    ----------
    inputs : array [n, features]
        Inputs.
    targets : array [n]
        Labels as numbers.
    """
    samples = np.column_stack([targets, inputs])
    distinct, places = np.unique(samples, axis=0, return_inverse=True)
    order, folds = np.random.default_rng(0).permutation(len(distinct)), np.empty(len(distinct), int)
    for target in np.unique(targets):
        own = order[distinct[order, 0] == target]
        folds[own] = np.arange(len(own)) % NUM_FOLDS
    return folds[places.ravel()]


def log_likelihood(seed: int, samples: Samples, settings: Settings) -> float:
    """Log-likelihood of held-out samples under the beliefs of one network, summed over folds.

    Parameters
    ----------
    seed : int
        Of the initial beliefs.
    samples : Samples
        All training samples.
    settings : Settings
        Of the run.
    """
    folds = folds_of(samples.inputs, samples.targets)
    weight = np.ones(len(folds), np.float32) if samples.weight is None else samples.weight
    total, unrounded = 0.0, replace(settings, rounding="none")
    for fold in range(NUM_FOLDS):
        kept = np.where(folds == fold, np.float32(0.0), weight)
        fit, _ = fitting.fit(seed, unrounded, samples._replace(weight=kept))
        total += _log_likelihood(settings, fit, samples.inputs, samples.targets, weight - kept, len(folds))
    return total


def log_likelihood_many(
    seeds: Sequence[int],
    inputs: NDArray,
    problems: BinaryProblems,
    problems_at_once: int | None,
    settings: Settings,
) -> float:
    """As :func:`log_likelihood` for many problems of two classes; of very many, some of them stand for all.

    Parameters
    ----------
    seeds : sequence of int
        One a network.
    inputs : float32 array [n, features]
        The pool, transformed.
    problems : BinaryProblems
        Of the pool.
    problems_at_once : int or None
        Bounds the memory, as in training.
    settings : Settings
        Of every run.
    """
    count = min(len(problems), MOST_TRAININGS)
    num_chosen = min(len(problems), max(count, FEWEST_TRAININGS) // NUM_FOLDS)
    chosen = np.linspace(0, len(problems) - 1, num_chosen).round().astype(int)
    runs = [(int(index), fold) for index in chosen for fold in range(NUM_FOLDS)]
    folds = {index: folds_of(inputs[problems.rows[index]], problems.targets[index]) for index in chosen}
    total, unrounded = 0.0, replace(settings, rounding="none")
    for start in range(0, len(runs), count):
        own = runs[start : start + count]
        filled = [own[place % len(own)] for place in range(count)]  # one program for all
        weights = [_weight_of(problems, index) for index, _ in filled]
        kept = [
            np.where(folds[index] == fold, np.float32(0.0), weight)
            for (index, fold), weight in zip(filled, weights, strict=True)
        ]
        rows, targets = ([part[index] for index, _ in filled] for part in (problems.rows, problems.targets))
        held_back = BinaryProblems(rows, targets, kept, problems.most_samples)
        fits = fitting.fit_many(seeds[:count], unrounded, inputs, held_back, problems_at_once)
        for place in range(len(own)):
            held = weights[place] - kept[place]
            own_samples = inputs[rows[place]], targets[place]
            total += _log_likelihood(settings, fits[place], *own_samples, held, problems.most_samples)
    return total


def _weight_of(problems: BinaryProblems, index: int) -> NDArray:
    if problems.weights is None:
        return np.ones(len(problems.rows[index]), np.float32)
    return problems.weights[index].astype(np.float32)


def _log_likelihood(
    settings: Settings, fit: Fit, inputs: NDArray, targets: NDArray, weight: NDArray, room: int
) -> float:
    """Of samples that count ``weight [n]`` times; ``room``: see :func:`compiled.bayes_probabilities`."""
    own = weight > 0
    probabilities = compiled.bayes_probabilities(settings.spec, fit.state, fit.hyper, inputs[own], room)
    classes = targets[own].astype(int) if targets.dtype.kind == "i" else (targets[own] > 0).astype(int)
    right = np.maximum(probabilities[np.arange(len(classes)), classes], LEAST_PROBABILITY)
    return float(weight[own] @ np.log(right))
