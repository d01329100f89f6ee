"""What a comparison is: one TOML file, read strictly into frozen dataclasses.

Only the standard library is imported here, so that the command line can check a file at once.
"""

import dataclasses
import difflib
import math
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "CompareConfig",
    "ConfigError",
    "MethodConfig",
    "Robustness",
    "load_config",
    "override_params",
    "read_toml_value",
    "to_jsonable",
    "unknown_name",
]


class ConfigError(ValueError):
    """A mistake in a config, a file or a command that its user can repair; the message says how."""


@dataclass(frozen=True)
class MethodConfig:
    """One line of the comparison: a registered method with its parameters.

    Parameters
    ----------
    name
        What tables and plots call it.
    method
        A key of `mpnn.compare.METHODS`.
    params
        Parameters of the method's estimator; what is left out keeps the estimator's default.
    shots
        The shots that this method runs at, for methods that cannot afford all of them; None: all.
    datasets
        The data sets that it runs on, likewise; None: all.
    draws
        It runs on the first so many draws, at least 1; None: on all.
    figures
        Whether figures show it; tables always do.
    """

    name: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    shots: tuple[int, ...] | None = None
    datasets: tuple[str, ...] | None = None
    draws: int | None = None
    figures: bool = True

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
    noise
        Sizes of additive noise, each at least 0: every feature moves up or down by this share of its range in
        the training draw (images: of the range of all pixels).
    flips
        Shares of features, each in [0, 1], that are mirrored in the middle of that range.
    """

    noise: tuple[float, ...] = ()
    flips: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        example = "robustness = { noise = [0.1, 0.5], flips = [0.05] }"
        _require(bool(self.noise or self.flips), "robustness must hold noise, flips or both", example)
        for name, sizes, most in (("noise", self.noise, math.inf), ("flips", self.flips, 1.0)):
            _require_unique(sizes, name)
            for size in sizes:
                limit = "at least 0" if most == math.inf else "in [0, 1]"
                _require(0.0 <= size <= most, f"{name} must be {limit}, got {size}", example)


@dataclass(frozen=True)
class CompareConfig:
    """A few-shot comparison: every method sees the same draws of the same data sets.

    Parameters
    ----------
    name
        Name of the experiment; its results go to `runs/NAME` unless the command says otherwise.
    datasets
        Names known to `mpnn.data.load_dataset`.
    shots
        Training examples per class, each at least 1.
    methods
        What is compared. The first one is the reference of the paired differences.
    draws
        Independent training sets for each number of shots, at least 1.
    seed
        Draw d of every data set and of every method uses the seed `seed + d`.
    test_limit
        At most this many test examples, drawn once for the whole comparison; None: all of them.
    classes
        Labels that are kept of every data set, at least two, for instance one pair; None: all of them.
    robustness
        Disturbed test inputs to score every model on, too; None: none.
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


def load_config(path: str | Path) -> CompareConfig:
    """Read a comparison from a TOML file.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, or holds an unknown key, a wrong type or a value out of
        range. The message names the file, the key and a repair.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    config = _from_table(CompareConfig, table, str(path))
    for method in config.methods:
        for name in method.datasets or ():
            if name not in config.datasets:
                where = f"{path}: method {method.name!r}"
                raise ConfigError(unknown_name("data set", name, config.datasets, where))
    return config


def override_params(config: CompareConfig, assignments: Iterable[str]) -> CompareConfig:
    """Return the config with method parameters replaced by `METHOD.KEY=VALUE` assignments.

    METHOD is the name of a method or its registered key (then every method of that kind is meant);
    VALUE is TOML, and a bare word is a string.
    """
    methods = list(config.methods)
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        owner, dot, key = target.strip().rpartition(".")
        if not (equals and dot and owner and key):
            raise ConfigError(
                f"cannot read the parameter {assignment!r}; write METHOD.KEY=VALUE, "
                "e.g. message_passing.damping=0.5"
            )
        chosen = [place for place, entry in enumerate(methods) if owner in (entry.name, entry.method)]
        if not chosen:
            known = {name for entry in methods for name in (entry.name, entry.method)}
            raise ConfigError(unknown_name("method", owner, known, "the command line"))
        for place in chosen:
            params = {**methods[place].params, key: read_toml_value(text)}
            methods[place] = dataclasses.replace(methods[place], params=params)
    return dataclasses.replace(config, methods=tuple(methods))


def read_toml_value(text: str) -> Any:
    """Read one TOML value (`0.5`, `true`, `[9, 9]`, `"bayes"`); a bare word is itself."""
    try:
        return _frozen(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text.strip()


def to_jsonable(config: Any) -> Any:
    """Return dataclasses, tuples and mappings as dicts and lists that JSON can hold; NaN as None."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(key): to_jsonable(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [to_jsonable(value) for value in config]
    if isinstance(config, float) and not math.isfinite(config):
        return None
    return config


def unknown_name(kind: str, name: str, known: Iterable[str], where: str) -> str:
    """Return the sentence that refuses an unknown name and suggests the nearest known one."""
    names = {option.lower(): option for option in sorted(known)}
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    advice = f"did you mean {names[near[0]]!r}?" if near else f"choose from {', '.join(names.values())}"
    return f"{where}: unknown {kind} {name!r}; {advice}"


def _from_table(kind: Any, table: Mapping[str, Any], where: str) -> Any:
    """Build the dataclass `kind` from a TOML table, refusing whatever it does not declare."""
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise ConfigError(unknown_name("key", key, hints, where))
    for item in dataclasses.fields(kind):
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and item.name not in table:
            raise ConfigError(f"{where}: the key {item.name!r} is missing")
    values = {key: _convert(value, hints[key], where, key) for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _convert(value: Any, hint: Any, where: str, key: str) -> Any:
    """Return `value` as the type that the dataclass declares for `key`."""
    if isinstance(hint, types.UnionType):  # always "X | None" here; TOML has no null
        hint = next(option for option in typing.get_args(hint) if option is not types.NoneType)
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(value, list):
        element = typing.get_args(hint)[0]
        return tuple(_convert(item, element, where, f"{key}[{place}]") for place, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _from_table(hint, value, f"{where}: {key}")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    wanted, example = _WORDS.get(hint) or _WORDS.get(origin) or ("a table", f"[[{key.split('[')[0]}]]")
    fix = example if example.startswith("[[") else f"{key.split('[')[0]} = {example}"
    raise ConfigError(f"{where}: {key} must be {wanted}, got {value!r}; write e.g. {fix}")


_WORDS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "false"),
    int: ("a whole number", "5"),
    float: ("a number", "0.5"),
    str: ("a string", '"digits"'),
    tuple: ("a list", "[2, 10]"),
    dict: ("a table", "{ num_epochs = 60 }"),
}


def _frozen(value: Any) -> Any:
    """Return lists as tuples: the estimators take tuples, and a config never changes."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


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
