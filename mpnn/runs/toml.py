"""Configs from TOML: read strictly, so that no key is ignored, and every refusal names file, key and repair.

Only the standard library is imported here, so that the command line can check a file at once.
"""

import dataclasses
import difflib
import math
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "ConfigError",
    "check_keys",
    "from_table",
    "read_config",
    "read_table",
    "read_toml_value",
    "to_jsonable",
    "unknown_name",
]

Config = TypeVar("Config")


class ConfigError(ValueError):
    """A mistake in a config, a file or a command that its user can repair; the message names the repair."""


def read_config(path: str | Path, kind: type[Config]) -> Config:
    """Read a TOML file into a dataclass, whose type hints give the type of each key.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : type
        A dataclass. Its hints may be ``bool``, ``int``, ``float``, ``str``, ``Any``, dataclasses (tables),
        ``tuple[X, ...]``, ``list[X]``, ``dict[str, X]``, and unions of these. Numbers stay as they are
        written, since values name the rows of a run.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        If the file is missing or not TOML, or holds an unknown key, a wrong type or a value out of range.
    """
    return from_table(kind, read_table(Path(path)), str(path))


def from_table(kind: Any, table: Mapping[str, Any], where: str) -> Any:
    """Build a dataclass from a TOML table, refusing whatever it does not declare.

    Parameters
    ----------
    kind : type
        The dataclass, as of `read_config`.
    table : mapping
        The table.
    where : str
        The file, for messages.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        As `read_config`.
    """
    check_keys(kind, table, where)
    hints = typing.get_type_hints(kind)
    values = {key: _convert(value, hints[key], where, key) for key, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file; a ConfigError names the fault.

    Parameters
    ----------
    path : str or path
        The file.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8; name a config in TOML") from error
    except ValueError as error:  # not TOML, or a number of thousands of digits
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def check_keys(kind: Any, table: Mapping[str, Any], where: str) -> None:
    """Refuse keys that the dataclass `kind` does not declare, and tables without one that it needs.

    Parameters
    ----------
    kind : type
        The dataclass.
    table : mapping
        The table.
    where : str
        Place in the file, for the message.
    """
    declared = {item.name: item for item in dataclasses.fields(kind)}
    for key in table:
        if key not in declared:
            raise ConfigError(unknown_name("key", key, declared, where))
    for name, item in declared.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise ConfigError(f"{where}: the key {name!r} is missing")


def to_jsonable(config: Any) -> Any:
    """Return dataclasses, tuples and mappings as dicts and lists that JSON can hold; NaN as None.

    Parameters
    ----------
    config : object
        The value.
    """
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
    """Return the sentence that refuses an unknown name and suggests the nearest known one.

    Parameters
    ----------
    kind : str
        What the name stands for, in the message.
    name : str
        The name.
    known : iterable of str
        Known names.
    where : str
        Place in the file, for the message.
    """
    names = {option.lower(): option for option in sorted(known)}
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    advice = f"did you mean {names[near[0]]!r}?" if near else f"choose from {', '.join(names.values())}"
    return f"{where}: unknown {kind} {name!r}; {advice}"


def read_toml_value(text: str) -> Any:
    """Read one TOML value (`0.5`, `true`, `[9, 9]`, `"bayes"`); a bare word is itself.

    Parameters
    ----------
    text : str
        The value.
    """
    try:
        return _frozen(tomllib.loads(f"value = {text}")["value"])
    except tomllib.TOMLDecodeError:
        return text.strip()


def _convert(value: Any, hint: Any, where: str, key: str) -> Any:
    """Return `value` as the type that the dataclass declares for `key`."""
    if hint is Any:
        return _frozen(value)
    if isinstance(hint, types.UnionType):
        return _convert_to_one(value, typing.get_args(hint), where, key)
    origin, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in (tuple, list) and isinstance(value, list):
        element = args[0] if args else Any
        return origin(_convert(item, element, where, f"{key}[{place}]") for place, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        element = args[1] if args else Any
        return {name: _convert(item, element, where, f"{key}.{name}") for name, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_table(hint, value, f"{where}: {key}")
    if _is_plain(value, origin):
        return value
    wanted, example = _WORDS.get(origin) or ("a table", f"[[{_plain_key(key)}]]")
    fix = example if example.startswith("[[") else f"{_plain_key(key)} = {example}"
    raise ConfigError(f"{where}: {key} must be {wanted}, got {value!r}; write e.g. {fix}")


def _convert_to_one(value: Any, options: Iterable[Any], where: str, key: str) -> Any:
    """Return `value` as the first type that takes it; None, which TOML lacks, is none of them."""
    *others, last = (option for option in options if option is not types.NoneType)
    for option in others:
        try:
            return _convert(value, option, where, key)
        except ConfigError:
            continue
    return _convert(value, last, where, key)


def _is_plain(value: Any, kind: Any) -> bool:
    """Whether a value that holds no others is of a type; whole numbers are numbers, truth values are not."""
    if kind not in (bool, int, float, str):
        return False
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _plain_key(key: str) -> str:
    return key.partition("[")[0].partition(".")[0]


_WORDS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "false"),
    int: ("a whole number", "5"),
    float: ("a number", "0.5"),
    str: ("a string", '"digits"'),
    tuple: ("a list", "[2, 10]"),
    list: ("a list", "[2, 10]"),
    dict: ("a table", "{ num_epochs = 60 }"),
}


def _frozen(value: Any) -> Any:
    """Return lists as tuples: the estimators take tuples, and a config never changes."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
