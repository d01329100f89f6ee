"""Tables whose classes follow rules of several columns, without noise: few-bit networks beside others.

    python -m experiments.tables.rules configs/rules/rules.toml

No column says anything by itself in most of them. Networks that assume much noise explain the rows that they
miss by it; networks that assume little bend their boundary.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from experiments.common.runs import main, mean_text, refuse_unknown, run_jobs
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

Table = tuple[pd.DataFrame, NDArray]
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
TEST_SHARE = 0.3


def endgames(rng: Generator) -> Table:
    """All boards on which a game of noughts and crosses ends, and whether the crosses won."""
    found: dict[str, bool] = {}

    def play(board: str, player: str) -> None:
        won = [mark for mark in "xo" if any(all(board[place] == mark for place in line) for line in LINES)]
        if won or " " not in board:
            found[board] = "x" in won
            return
        for place in (place for place, mark in enumerate(board) if mark == " "):
            play(board[:place] + player + board[place + 1 :], "o" if player == "x" else "x")

    play(" " * 9, "x")
    return pd.DataFrame([list(board) for board in found]), np.array(list(found.values()))


def parity(rng: Generator) -> Table:
    """Whether three of eight bits have an odd sum."""
    bits = rng.integers(0, 2, (600, 8))
    return pd.DataFrame(bits), bits[:, :3].sum(axis=1) % 2


def equal_words(rng: Generator) -> Table:
    """Whether two of six columns of words are equal, or a third is the first word."""
    words = rng.integers(0, (3, 3, 2, 3, 4, 2), (432, 6))
    return _as_words(words), (words[:, 0] == words[:, 1]) | (words[:, 4] == 0)


def two_of_six(rng: Generator) -> Table:
    """Whether exactly two of six columns are their first word."""
    words = rng.integers(0, (3, 3, 2, 3, 4, 2), (432, 6))
    return _as_words(words), (words == 0).sum(axis=1) == 2


def opposite_signs(rng: Generator) -> Table:
    """Whether the product of two of four numbers is positive."""
    numbers = rng.normal(size=(600, 4))
    return pd.DataFrame(numbers), numbers[:, 0] * numbers[:, 1] > 0


def chess_board(rng: Generator) -> Table:
    """The colour of a field of four times four."""
    numbers = rng.random((1500, 2))
    return pd.DataFrame(numbers), np.floor(4 * numbers).sum(axis=1) % 2


def grades(rng: Generator) -> Table:
    """Four grades by the sum of two of six columns of whole numbers, which two others veto."""
    levels = rng.integers(0, 4, (1400, 6))
    vetoes = 2 * (levels[:, 2] < 1) + 2 * (levels[:, 5] < 1)
    total = levels[:, 0] + levels[:, 1] - vetoes + 0.5 * levels[:, 3]
    return pd.DataFrame(levels), np.digitize(total, [1.5, 4, 5.5])


def limits(rng: Generator) -> Table:
    """Whether a number is above a limit that a column of 60 words sets."""
    words, numbers, values = rng.integers(0, 60, 1500), rng.normal(size=1500), rng.normal(size=60)
    names = [f"word {word}" for word in words]
    return pd.DataFrame({"word": names, "number": numbers}), numbers > values[words]


def shells(rng: Generator) -> Table:
    """Three classes by the distance from the origin."""
    numbers = rng.normal(size=(900, 3))
    distances = np.linalg.norm(numbers, axis=1)
    return pd.DataFrame(numbers), np.digitize(distances, np.quantile(distances, [1 / 3, 2 / 3]))


def _as_words(numbers: NDArray) -> pd.DataFrame:
    return pd.DataFrame(np.array(list("abcd"))[numbers])


def _on_numbers(model: Any) -> Pipeline:
    """Words one-hot, numbers standardized."""

    def are_words(table: pd.DataFrame) -> list[Any]:
        return [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]

    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(make_column_transformer((one_hot, are_words), remainder=StandardScaler()), model)


TABLES: dict[str, Callable[[Generator], Table]] = {
    "endgames": endgames,
    "parity": parity,
    "equal words": equal_words,
    "two of six": two_of_six,
    "opposite signs": opposite_signs,
    "chess board": chess_board,
    "grades": grades,
    "shells": shells,
    "limits": limits,
}
METHODS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: _on_numbers(LogisticRegression(max_iter=3000)),
    "RBF SVM": lambda seed: _on_numbers(SVC()),
    "random forest": lambda seed: _on_numbers(RandomForestClassifier(200, random_state=seed)),
    "network": lambda seed: MessagePassingClassifier(random_state=seed),
    "network, noise 1": lambda seed: MessagePassingClassifier(noise=1.0, random_state=seed),
    "network, noise 0.5": lambda seed: MessagePassingClassifier(noise=0.5, random_state=seed),
    "network, noise 0.25": lambda seed: MessagePassingClassifier(noise=0.25, random_state=seed),
    "vote": lambda seed: PairwiseVoteClassifier(random_state=seed),
}


@dataclass(frozen=True)
class Config:
    """Every method on every draw of every table."""

    tables: list[str]
    methods: list[str]
    num_draws: int

    def __post_init__(self) -> None:
        refuse_unknown("tables", self.tables, TABLES)
        refuse_unknown("methods", self.methods, METHODS)


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy in per cent of held-out rows: of the discrete prediction and, of one network, the Bayesian."""
    draw = job["draw"]
    X, y = TABLES[job["table"]](np.random.default_rng(draw))
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, stratify=y, random_state=draw
    )
    model = METHODS[job["method"]](draw).fit(X_train, y_train)
    found = {"accuracy": 100.0 * model.score(X_test, y_test)}
    if isinstance(model, MessagePassingClassifier):
        model.set_params(prediction="bayes")
        found["bayes_accuracy"] = 100.0 * model.score(X_test, y_test)
    return found


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print a table, a method a line and a table a column."""
    names = itertools.product(config.tables, config.methods, range(config.num_draws))
    jobs = [{"table": table, "method": method, "draw": draw} for table, method, draw in names]
    rows = run_jobs(jobs, work, output, config, command)
    print(f"| | {' | '.join(config.tables)} |\n|{'---|' * (len(config.tables) + 1)}")
    for method, kind in itertools.product(config.methods, ("accuracy", "bayes_accuracy")):
        own = [row for row in rows if row["method"] == method and row.get(kind) is not None]
        if own:
            cells = (
                mean_text([row for row in own if row["table"] == table], kind) for table in config.tables
            )
            print(f"| {method}{', Bayesian' if kind == 'bayes_accuracy' else ''} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
