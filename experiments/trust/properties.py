"""What must hold for every classifier on every table: counts of tables tried and of faults, side by side.

    python -m experiments.trust.properties --tables 200

Answers are finite and in range; an answer about a row does not depend on the other rows, their order and how
often they occur; names of classes do not matter; pickle, joblib, clone and a model file give the same
answers. scikit-learn's logistic regression, alone and behind a scaler, is held to the same.
"""

import io
import pickle
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import tyro
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.gradient import BayesBiNNClassifier, BopClassifier, STEClassifier

NUM_ROWS, NUM_COLUMNS = 24, 5  # one shape, so that programs are compiled once


class Estimator(NamedTuple):
    """How to make a classifier, the number of classes it is tried on, and whether a model file keeps it."""

    make: Callable[[], Any]
    num_classes: int = 2
    saved: bool = False


def _passing(hidden: tuple[int, ...], **params: object) -> MessagePassingClassifier:
    return MessagePassingClassifier(hidden, **{"encoding": None, "random_state": 0, "num_sweeps": 3} | params)


OWN: dict[str, Estimator] = {
    "one unit": Estimator(lambda: _passing(()), saved=True),
    "one unit, Bayes": Estimator(lambda: _passing((), prediction="bayes"), saved=True),
    "few units": Estimator(lambda: _passing((3,)), saved=True),
    "many units": Estimator(lambda: _passing((30,), batch_size=8, num_epochs=1, num_sweeps=None), saved=True),
    "coded": Estimator(lambda: MessagePassingClassifier((), num_sweeps=3, random_state=0), saved=True),
    "pairs": Estimator(lambda: PairwiseVoteClassifier(_passing(())), 3, saved=True),
    "straight-through": Estimator(lambda: STEClassifier(hidden=(3,), num_epochs=2, random_state=0)),
    "BayesBiNN": Estimator(lambda: BayesBiNNClassifier(hidden=(3,), num_epochs=2, random_state=0), 3),
    "Bop": Estimator(lambda: BopClassifier(hidden=(3,), num_epochs=2, random_state=0), 3),
}
PEERS: dict[str, Estimator] = {
    "logistic regression": Estimator(lambda: LogisticRegression(), 3),
    "logistic regression, scaled": Estimator(
        lambda: make_pipeline(StandardScaler(), LogisticRegression()), 3
    ),
}


class Problem(NamedTuple):
    """A table [rows, columns], whole labels [rows], and rows to ask about [rows]."""

    X: np.ndarray
    y: np.ndarray
    asked: np.ndarray


def problem(
    seed: int, exponent: int, offset: float, levels: int, constant: bool, single: bool, num_classes: int
) -> Problem:
    """Draw a table: of a scale and an offset, of few levels, with a column of one value, in float32 or 64."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(NUM_ROWS, NUM_COLUMNS))
    X = np.round(X * levels) / levels if levels else X
    X = (X + offset) * 10.0**exponent
    if constant:
        X[:, int(rng.integers(NUM_COLUMNS))] = offset
    y = rng.permutation(np.arange(NUM_ROWS) % num_classes)
    X = np.asfortranarray(X.astype(np.float32 if single else np.float64))
    return Problem(X, y, rng.integers(NUM_ROWS, size=NUM_ROWS))


def answers(fitted: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels [rows] and probabilities [rows, classes], or empty."""
    probabilities = fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else np.zeros((len(X), 0))
    return fitted.predict(X), probabilities


def _same(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> bool:
    return bool(np.array_equal(one[0], other[0])) and np.allclose(one[1], other[1], atol=1e-5)


def _joblib(fitted: Any) -> Any:
    content = io.BytesIO()
    joblib.dump(fitted, content)
    content.seek(0)
    return joblib.load(content)


def _file(fitted: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        save_model(fitted, Path(folder) / "a.model")
        return load_model(Path(folder) / "a.model")


def violations(estimator: Estimator, drawn: Problem) -> Iterator[str]:
    """Yield what does not hold for this table."""
    X, y, asked = drawn
    fitted = estimator.make().fit(X, y)
    own = labels, probabilities = answers(fitted, X)
    if not np.isin(labels, y).all():
        yield "labels that are no classes"
    if probabilities.size and not (
        np.isfinite(probabilities).all()
        and (probabilities >= 0).all()
        and np.allclose(probabilities.sum(1), 1.0, atol=1e-5)
    ):
        yield "probabilities that are none"
    if not _same((labels[asked], probabilities[asked]), answers(fitted, X[asked])):
        yield "answers that depend on other rows"
    names = np.array(["a", "b", "c"])
    renamed = estimator.make().fit(X, names[y])
    if not _same((names[labels], probabilities), answers(renamed, X)):
        yield "answers that depend on names of classes"
    copies = {"pickle": lambda own: pickle.loads(pickle.dumps(own)), "joblib": _joblib}
    copies |= {"clone": lambda own: clone(own).fit(X, y)} | ({"file": _file} if estimator.saved else {})
    for name, copy in copies.items():
        if not _same(own, answers(copy(fitted), X)):
            yield f"other answers after {name}"


REFUSED = "refused, naming the column"


def faults_of(estimator: Estimator, drawn: Problem) -> list[str]:
    """What does not hold; a refusal that names the column is no fault, and listed as such."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return list(violations(estimator, drawn))
    except ValueError as error:
        return [REFUSED if "column" in str(error) else f"{type(error).__name__}: {str(error)[:100]}"]


def draw(rng: np.random.Generator, num_classes: int) -> Problem:
    """A random table."""
    return problem(
        seed=int(rng.integers(2**31)),
        exponent=int(rng.integers(-30, 31)),
        offset=float(rng.choice([0.0, 1.0, -100.0, 1e4])),
        levels=int(rng.choice([0, 1, 4])),
        constant=bool(rng.integers(2)),
        single=bool(rng.integers(2)),
        num_classes=num_classes,
    )


@dataclass(frozen=True)
class Options:
    """How many tables, of which seed."""

    tables: int = 200
    seed: int = 0


def main(options: Options) -> None:
    """Print a line for every classifier."""
    for name, estimator in {**OWN, **PEERS}.items():
        rng, faults = np.random.default_rng(options.seed), Counter[str]()
        for _ in range(options.tables):
            faults.update(faults_of(estimator, draw(rng, estimator.num_classes)))
        print(name, options.tables, dict(faults), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
