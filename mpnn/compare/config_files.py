"""Configs from TOML: read strictly, so that no key is ignored, and every refusal names file, key and repair.

Only the standard library is imported here, so that the command line can check a file at once.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mpnn.compare.config import CompareConfig, ConfigError, unknown_name

__all__ = ["check_keys", "load_config", "override_params", "read_table", "read_toml_value"]


def load_config(path: str | Path) -> CompareConfig:
    """Read a comparison from a TOML file.

    Raises
    ------
    mpnn.compare.config.ConfigError
        If the file is missing or not TOML, or holds an unknown key, a wrong type or a value out of
        range. The message names the file, the key and a repair.
    """
    path = Path(path)
    config = _from_table(CompareConfig, read_table(path), str(path))
    for method in config.methods:
        for name in method.datasets or ():
            if name not in config.datasets:
                where = f"{path}: method {method.name!r}"
                raise ConfigError(unknown_name("data set", name, config.datasets, where))
    return config


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file; a ConfigError says why it cannot be."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def check_keys(kind: Any, table: Mapping[str, Any], where: str) -> None:
    """Refuse keys that the dataclass `kind` does not declare, and tables without one that it needs."""
    declared = {item.name: item for item in dataclasses.fields(kind)}
    for key in table:
        if key not in declared:
            raise ConfigError(unknown_name("key", key, declared, where))
    for name, item in declared.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise ConfigError(f"{where}: the key {name!r} is missing")


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


def _from_table(kind: Any, table: Mapping[str, Any], where: str) -> Any:
    """Build the dataclass `kind` from a TOML table, refusing whatever it does not declare."""
    check_keys(kind, table, where)
    hints = typing.get_type_hints(kind)
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
