"""The description of a comparison: frozen dataclasses that check their values.

Only the standard library is imported here, so that the command line can check a file at once.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mpnn.runs.toml import ConfigError

__all__ = ["CompareConfig", "DataFile", "MethodConfig", "Robustness"]


@dataclass(frozen=True)
class DataFile:
    """A data set of one's own: a table in a file, as `mpnn.data.read_table` reads it.

    Parameters
    ----------
    file : str
        The file; in a config, relative to the config's folder.
    label : str, int or None, default=None
        The label column, by name or number; None: the file is an npz with y_train or y.
    test : str or None, default=None
        A file of test examples; None: the test part of an npz file, else a share of the file.
    test_size : float in (0, 1), default=0.3
        That share, the same of every class.
    split : int >= 0, default=0
        Seed of the split.
    id : str, int or None, default=None
        The column of identifiers, which is no feature.
    drop : tuple of str or int, default=()
        Columns to leave out.
    categorical : tuple of str or int, default=()
        Columns of numbers that name categories.
    delimiter, decimal, encoding : str or None, default=None
        How a text file is laid out; None: found.
    header : bool or None, default=None
        Whether the first row holds names; None: found.
    max_classes : int >= 2, default=100
        The largest number of different labels.
    """

    file: str
    label: str | int | None = None
    test: str | None = None
    test_size: float = 0.3
    split: int = 0
    id: str | int | None = None
    drop: tuple[str | int, ...] = ()
    categorical: tuple[str | int, ...] = ()
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    max_classes: int = 100

    def __post_init__(self) -> None:
        _require(bool(self.file.strip()), "file must not be empty", 'file = "mine.csv"')
        size = self.test_size
        _require(0.0 < size < 1.0, f"test_size must be above 0 and below 1, got {size}", "test_size = 0.3")
        _require(self.split >= 0, f"split must not be negative, got {self.split}", "split = 0")
        most = self.max_classes
        _require(most >= 2, f"max_classes must be at least 2, got {most}", "max_classes = 100")


@dataclass(frozen=True)
class MethodConfig:
    """One line of the comparison: a registered method with its parameters.

    Parameters
    ----------
    name : str
        What tables and plots call it.
    method : str
        A key of `mpnn.compare.METHODS`.
    params : dict
        Parameters of the method's estimator; what is left out keeps the estimator's default.
    shots : tuple of int or None, default=None
        The shots that this method runs at, for methods that cannot afford all of them; None: all.
    datasets : tuple of str or None, default=None
        The data sets that it runs on, likewise; None: all.
    draws : int >= 1 or None, default=None
        It runs on the first so many draws; None: on all.
    figures : bool, default=True
        Whether figures show it; tables always do.
    needs : str or None, default=None
        A package without which the command leaves the method out, and says so; None: none.
    """

    name: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    shots: tuple[int, ...] | None = None
    datasets: tuple[str, ...] | None = None
    draws: int | None = None
    figures: bool = True
    needs: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.name.strip()), "name must not be empty", 'name = "message passing"')
        if self.shots is not None:
            _check_shots(self.shots)
        if self.draws is not None:
            _check_draws(self.draws)


@dataclass(frozen=True)
class Robustness:
    """Disturbances of the test inputs, under which every fitted model is scored once more.

    Parameters
    ----------
    noise : tuple of float, default=()
        Sizes of additive noise, each at least 0: every feature moves up or down by this share of its range in
        the training draw (images: of the range of all pixels).
    flips : tuple of float, default=()
        Shares of features, each in [0, 1], that are mirrored in the middle of that range.
    moves : tuple of int, default=()
        Pixels, each at least 1, by which images are moved in one of eight directions; tables have none.
    worst : tuple of float, default=()
        Largest changes of every feature at once, in 255ths of its range (grey levels), for which the worst is
        sought; accuracy under it is bounded from both sides, for sign networks and linear classifiers.
    """

    noise: tuple[float, ...] = ()
    flips: tuple[float, ...] = ()
    moves: tuple[int, ...] = ()
    worst: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("noise", "flips", "worst"):  # whole numbers are sizes, too
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        example = "robustness = { noise = [0.1, 0.5], flips = [0.05], moves = [1], worst = [1, 8] }"
        kinds = {"noise": math.inf, "flips": 1.0, "moves": math.inf, "worst": math.inf}
        given = any(getattr(self, name) for name in kinds)
        _require(given, f"robustness must hold at least one of {', '.join(kinds)}", example)
        for name, most in kinds.items():
            _require_unique(getattr(self, name), name)
            for size in getattr(self, name):
                limit = "at least 0" if most == math.inf else "in [0, 1]"
                _require(0.0 <= size <= most, f"{name} must be {limit}, got {size}", example)
        _require(0 not in self.moves, "moves must be at least 1, got 0", example)


@dataclass(frozen=True)
class CompareConfig:
    """A few-shot comparison: every method sees the same draws of the same data sets.

    Parameters
    ----------
    name : str
        Name of the experiment; its results go to `runs/NAME` unless the command names another folder.
    datasets : tuple of str
        Names known to `mpnn.data.load_dataset`, or of `files`.
    shots : tuple of int
        Training examples per class, each at least 1. In a config of own files, ``"all"`` stands for the size
        of the largest class, of which smaller ones give all that they have.
    methods : tuple of MethodConfig
        What is compared. The first one is the reference of the paired differences.
    draws : int >= 1, default=5
        Independent training sets for each number of shots.
    seed : int, default=0
        Draw d of every data set and of every method uses the seed `seed + d`.
    test_limit : int or None, default=None
        At most this many test examples, drawn once for the whole comparison; None: all of them.
    classes : tuple of int or None, default=None
        Labels that are kept of every data set, at least two, for instance one pair; None: all of them.
    robustness : Robustness or None, default=None
        Disturbed test inputs to score every model on, too; None: none.
    files : dict of DataFile
        Files of one's own by name. A config lists them among its data sets:
        ``datasets = ["iris", {file = "mine.csv", label = "kind"}]``, named by the file or by ``name = ...``.
    """

    name: str
    datasets: tuple[str, ...]
    shots: tuple[int, ...]
    methods: tuple[MethodConfig, ...]
    draws: int = 5
    seed: int = 0
    test_limit: int | None = None
    classes: tuple[int, ...] | None = None
    robustness: Robustness | None = None
    files: dict[str, DataFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(
            re.fullmatch(r"[\w.-]+", self.name) is not None,
            f"name must be letters, digits, '_', '-' and '.' only, got {self.name!r}",
            'name = "few_shot_digits"',
        )
        _require(bool(self.datasets), "datasets must name at least one data set", 'datasets = ["digits"]')
        _require_unique(self.datasets, "datasets")
        _check_shots(self.shots)
        _check_draws(self.draws)
        _require(self.seed >= 0, f"seed must not be negative, got {self.seed}", "seed = 0")
        if self.test_limit is not None:
            _require(
                self.test_limit >= 1,
                f"test_limit must be at least 1, got {self.test_limit}",
                "test_limit = 1000, or leave it out for the whole test set",
            )
        if self.classes is not None:
            _require(
                len(self.classes) >= 2, f"classes must hold two labels at least, got {self.classes}", "[4, 9]"
            )
            _require_unique(self.classes, "classes")
        _require(bool(self.methods), "methods must hold at least one method", 'a table "[[methods]]"')
        _require_unique([method.name for method in self.methods], "names of methods")


def _require(condition: bool, problem: str, fix: str) -> None:
    if not condition:
        raise ConfigError(f"{problem}; write e.g. {fix}")


def _require_unique(names: Iterable[Any], what: str) -> None:
    names = list(names)
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    _require(not twice, f"{what} must differ, got {', '.join(twice)} twice", "each one once")


def _check_draws(draws: int) -> None:
    _require(draws >= 1, f"draws must be at least 1, got {draws}", "draws = 5")


def _check_shots(shots: tuple[int, ...]) -> None:
    _require(bool(shots), "shots must hold at least one number", "shots = [2, 10]")
    _require(min(shots) >= 1, f"shots must be at least 1, got {min(shots)}", "shots = [2, 10]")
    _require_unique(shots, "shots")
