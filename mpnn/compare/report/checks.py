"""What a report reads of a folder's files, checked once: they may be of others, or damaged."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from mpnn.data.cells import shorten
from mpnn.runs.toml import ConfigError

__all__ = ["check_config", "check_environments", "check_row"]

Check = tuple[Callable[[Any], bool], str]
DISTURBANCE = r"\S+ [0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(each) for each in value.values())


def _are_disturbed(value: Any) -> bool:
    """Accuracies by a kind of disturbance and its size, as in "noise 0.1" or "noise 1e-05"."""
    return _are_numbers(value) and all(re.fullmatch(DISTURBANCE, name) for name in value)


def _or_none(check: Check) -> Check:
    of_value, words = check
    return lambda value: value is None or of_value(value), f"{words} or nothing"


def _a(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


TEXT: Check = (_a(str), "text")
KEY: Check = (lambda value: isinstance(value, str) and value.isalnum(), "letters and digits")  # names files
FLAG: Check = (_a(bool), "true or false")
TABLE: Check = (_a(dict), "a table")
COUNT: Check = (_is_count, "a whole number")
NUMBER: Check = (_is_number, "a number")
TEXTS: Check = (_are_texts, "a list of texts")
NUMBERS: Check = (_are_numbers, "a table of numbers")
COUNTS: Check = (
    lambda value: isinstance(value, list) and all(map(_is_count, value)),
    "a list of whole numbers",
)
TABLES: Check = (lambda value: isinstance(value, list) and all(map(_a(dict), value)), "a list of tables")
DISTURBED: Check = (_are_disturbed, "accuracies by disturbances such as 'noise 0.1'")

CONFIG = {"name": TEXT, "datasets": TEXTS, "shots": COUNTS, "draws": COUNT, "methods": TABLES}
METHOD = {"name": TEXT, "method": TEXT}
METHOD_MAY = {
    "shots": _or_none(COUNTS),
    "datasets": _or_none(TEXTS),
    "draws": _or_none(COUNT),
    "figures": FLAG,
}
ROW = {
    "key": KEY,
    "name": TEXT,
    "dataset": TEXT,
    "shots": COUNT,
    "draw": COUNT,
    "error": _or_none(TEXT),
    "warnings": TEXTS,
}
FITTED = {"cold": FLAG, "train_seconds": NUMBER, "scores": TABLE}
COSTS = ("packed_bytes", "flash_bytes", "c_microseconds", "model_bytes", "weight_bits", "train_cpu_seconds")
FITTED_MAY = {
    **{name: _or_none(NUMBER) for name in (*COSTS, "memory_before_bytes", "memory_peak_bytes")},
    "links_removed": NUMBERS,
    "size_note": TEXT,
}
SCORES_MAY = {"robustness": DISTURBED, "label_status": NUMBERS}


def check_config(config: Any, where: str) -> None:
    """Refuse a config that no comparison wrote.

    Parameters
    ----------
    config : object
        What the file holds.
    where : str
        The file, for the sentence.
    """
    if not isinstance(config, dict):
        raise ConfigError(f"{where} is no table")
    _require(config, CONFIG, where)
    for number, method in enumerate(config["methods"], start=1):
        place = f"{where}: method {number}"
        _require(method, METHOD, place)
        _require(method, METHOD_MAY, place, may_lack=True)


def check_environments(environments: Any, where: str) -> None:
    """Refuse what is no list of tables.

    Parameters
    ----------
    environments : object
        What the file holds.
    where : str
        The file, for the sentence.
    """
    _require({"it": environments}, {"it": TABLES}, where)
    for environment in environments:
        _require(environment, {"git_commit": _or_none(TEXT), "device": TEXT}, where, may_lack=True)


def check_row(row: Mapping[str, Any], where: str) -> None:
    """Refuse a row whose fields are not of their kinds.

    Parameters
    ----------
    row : mapping
        What one line of the results holds.
    where : str
        The file and the row, for the sentence.
    """
    _require(row, ROW, where)
    if row["error"]:
        return
    _require(row, FITTED, where)
    _require(row, FITTED_MAY, where, may_lack=True)
    for prediction, scores in row["scores"].items():
        place = f"{where}, {prediction}"
        _require({"scores": scores}, {"scores": TABLE}, place)
        _require(scores, {"accuracy": NUMBER}, place)
        _require(scores, SCORES_MAY, place, may_lack=True)
        others = scores.keys() - SCORES_MAY.keys()
        _require(scores, dict.fromkeys(others, _or_none(NUMBER)), place)


def _require(
    table: Mapping[str, Any], checks: Mapping[str, Check], where: str, may_lack: bool = False
) -> None:
    for name, (holds, words) in checks.items():
        if name not in table:
            if may_lack:
                continue
            raise ConfigError(f"{where} has no {name}, which must be {words}")
        if not holds(table[name]):
            raise ConfigError(f"{where}: {name} must be {words}, got {shorten(repr(table[name]))}")
