"""Configs of comparisons from TOML, and overrides from the command line.

Only the standard library is imported here, so that the command line can check a file at once.
"""

import dataclasses
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mpnn.compare.config import CompareConfig, MethodConfig
from mpnn.runs.toml import ConfigError, from_table, read_table, read_toml_value, unknown_name

__all__ = ["load_config", "override_params", "split_by_needs"]

# Among shots: all training examples.
ALL = "all"


def load_config(path: str | Path) -> CompareConfig:
    """Read a comparison from a TOML file.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        If the file is missing or not TOML, or holds an unknown key, a wrong type or a value out of
        range. The message names the file, the key and a repair.
    """
    path = Path(path)
    table, every = _without_all(read_table(path))
    config = from_table(CompareConfig, _with_files(table, path), str(path))
    if every:
        config = _with_all_examples(config, path, numbers=config.shots[:-1])
    for method in config.methods:
        for name in method.datasets or ():
            if name not in config.datasets:
                where = f"{path}: method {method.name!r}"
                raise ConfigError(unknown_name("data set", name, config.datasets, where))
    return config


def _without_all(table: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the table, a number in place of ``"all"`` last among its shots, and whether that was there."""
    shots = table.get("shots")
    listed = [shots] if isinstance(shots, str) else shots
    if not isinstance(listed, list) or ALL not in listed:
        return table, False
    numbers = [entry for entry in listed if entry != ALL]
    largest = max((entry for entry in numbers if type(entry) is int), default=0)
    return table | {"shots": [*numbers, largest + 1]}, True


def _with_all_examples(config: CompareConfig, path: Path, numbers: tuple[int, ...]) -> CompareConfig:
    """Return the config with the size of the largest class as its last number of shots.

    Smaller classes then give all that they have, as those of files do.
    """
    from mpnn.compare.run.own_files import largest_class

    known = [name for name in config.datasets if name not in config.files]
    if known:
        raise ConfigError(
            f'{path}: shots = "all" is for files of your own, got the data set {known[0]!r}; '
            "write a number, e.g. shots = [100]"
        )
    sizes = [largest_class(name, config.files[name]) for name in config.datasets]
    own = {number for number in numbers if number < max(sizes)}
    return dataclasses.replace(config, shots=(*sorted(own), max(sizes)))


def _with_files(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the table with the files among its data sets under their names, relative to the config."""
    listed = table.get("datasets")
    if not isinstance(listed, list) or not any(isinstance(entry, dict) for entry in listed):
        return table
    names, files = [], dict(table.get("files", {}))
    for place, entry in enumerate(listed):
        if not isinstance(entry, dict):
            names.append(entry)
            continue
        if not isinstance(entry.get("file"), str):
            example = '{ file = "mine.csv", label = "kind" }'
            raise ConfigError(f"{path}: datasets[{place}] must name a file; write e.g. {example}")
        name = entry.get("name", Path(entry["file"]).name.partition(".")[0])
        if name in files:
            raise ConfigError(f"{path}: two files are called {name!r}; give one of them another name = ...")
        names.append(name)
        files[name] = {key: _beside(path, key, value) for key, value in entry.items() if key != "name"}
    return table | {"datasets": names, "files": files}


def _beside(path: Path, key: str, value: Any) -> Any:
    return str(path.parent / value) if key in ("file", "test") and isinstance(value, str) else value


def split_by_needs(config: CompareConfig) -> tuple[CompareConfig, tuple[MethodConfig, ...]]:
    """Return the config without methods whose package is not installed, and these methods.

    Parameters
    ----------
    config : CompareConfig
        The comparison.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        If no method is left.
    """
    missing = tuple(method for method in config.methods if method.needs and not find_spec(method.needs))
    kept = tuple(method for method in config.methods if method not in missing)
    if not kept:
        packages = ", ".join(dict.fromkeys(str(method.needs) for method in missing))
        raise ConfigError(f"no method of {config.name} can run: install {packages}")
    return dataclasses.replace(config, methods=kept), missing


def override_params(config: CompareConfig, assignments: Iterable[str]) -> CompareConfig:
    """Return the config with method parameters replaced by `METHOD.KEY=VALUE` assignments.

    METHOD is the name of a method or its registered key (then every method of that kind is meant);
    VALUE is TOML, and a bare word is a string.

    Parameters
    ----------
    config : CompareConfig
        The comparison.
    assignments : iterable of str
        ``METHOD.KEY=VALUE``, each.
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
