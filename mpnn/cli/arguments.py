"""From the words of a command line to its options; every mistake is one sentence."""

import dataclasses
import re
import typing
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import tyro

from mpnn.cli import options
from mpnn.compare.config_files import load_config
from mpnn.runs.toml import ConfigError, unknown_name

__all__ = ["COMMANDS", "OVERRIDES", "parse"]

COMMANDS = {
    kind.__name__.lower(): kind
    for kind in (
        options.Train,
        options.Predict,
        options.Evaluate,
        options.Inspect,
        options.Export,
        options.Init,
        options.Compare,
        options.Report,
        options.Plan,
        options.Data,
    )
}
# Options of `compare` that replace what its config says.
OVERRIDES = ("datasets", "shots", "draws", "seed", "test_limit")
# Endings of tables that people name in place of a config.
_TABLES = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".gz")
_DESCRIPTION = (
    "Neural networks with few-bit weights, trained by message passing. "
    "`mpnn COMMAND --help` explains a command, `mpnn --version` names the version."
)
_HELP = {"-h", "--help"}
(_POSITIONAL,) = typing.get_args(tyro.conf.Positional[int])[1:]
_WORDS = {int: "a whole number", float: "a number", tuple[int, ...]: "whole numbers"}
# What it lists of a command that lacks a positional argument or an option.
_MISSING = re.compile(r"[A-Z]+$|--[\w-]+(?= )")
# What tyro begins its advice with, below what is wrong.
_ADVICE = ("For full helptext", "Argument helptext", "Perhaps you meant")
# What tyro writes of an option whose value it cannot read, or that lacks one.
_OPTION = re.compile(r"(?:parsing|for argument) '?(--[\w-]+)")


def parse(arguments: list[str]) -> Any:
    """Return the options of the command that the arguments name.

    Parameters
    ----------
    arguments
        Without the name of the program. The config file of `compare` is read first: its values are the
        defaults.

    Raises
    ------
    ConfigError
        If a command or option is unknown, or a value is missing or of another kind.
    SystemExit
        After the help was printed.
    """
    name = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if name is not None and name not in COMMANDS:
        raise ConfigError(unknown_name("command", name, COMMANDS, "mpnn"))
    kind: Any = COMMANDS[name] if name else typing.Union[tuple(COMMANDS.values())]  # noqa: UP007
    options_given: dict[str, Any] = {"config": (tyro.conf.FlagCreatePairsOff,), "description": _DESCRIPTION}
    if name is not None:
        options_given["description"] = None
    if name == "compare" and not _HELP & set(arguments[1:2]):
        options_given["default"] = _defaults_of_config(arguments[1:])
    complaint = StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                kind,
                prog="mpnn" if name is None else f"mpnn {name}",
                args=arguments[1:] if name else arguments or ["--help"],
                **options_given,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ConfigError(
            _sentence(complaint.getvalue(), name, arguments[1:] if name else arguments)
        ) from None


def _defaults_of_config(arguments: Sequence[str]) -> options.Compare:
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError("name the config right after `compare`: mpnn compare CONFIG [options]")
    path = Path(arguments[0])
    if path.suffix.lower() in _TABLES:
        raise ConfigError(f"{path} is a table; write a config for it with: mpnn init {path}")
    config = load_config(path)
    return options.Compare(path, **{key: getattr(config, key) for key in OVERRIDES})


def _sentence(complaint: str, name: str | None, arguments: Sequence[str]) -> str:
    """Return the box that tyro draws around a mistake as one sentence."""
    framed = [row.strip("│ ") for row in complaint.splitlines()]
    rows = [row for row in framed if row.strip("─-╰╯ ")][1:]  # without rules and title
    end = next((place for place, row in enumerate(rows) if row.startswith(_ADVICE)), len(rows))
    text = " ".join(rows[:end])
    if name is None:
        return f"mpnn: {arguments[0] if arguments else text!r} is no command; see mpnn --help"
    known, advice = {**_options_of(COMMANDS[name]), "--help": None}, f"see mpnn {name} --help"
    for word in arguments:
        option = word.partition("=")[0]
        if option.startswith("--") and option.replace("_", "-") not in known:
            return unknown_name("option", option, known, f"mpnn {name}")
    if text.startswith("Unrecognized"):
        extra = text.partition(": ")[2].partition(",")[0]
        return f"mpnn {name}: {extra!r} is one argument too many; {advice}"
    if text.startswith("Missing from"):
        missing = (match[0] for row in rows if (match := _MISSING.match(row)))
        return f"mpnn {name} needs {' and '.join(missing)}; {advice}"
    found = _OPTION.search(text)
    if found is None or found[1] not in known:
        return f"mpnn {name}: {text}; {advice}"
    given = " ".join(_values_after(found[1], arguments))
    got = f"got {given!r}" if given else "got nothing"
    return f"mpnn {name}: {found[1]} must be {_kind_in_words(known[found[1]])}, {got}"


def _options_of(kind: Any) -> dict[str, Any]:
    """Return the type of each option by its name on the command line, of nested dataclasses too."""
    found: dict[str, Any] = {}
    marked = typing.get_type_hints(kind, include_extras=True)
    on = {item.name for item in dataclasses.fields(kind) if item.default is True}  # a flag turns it off
    for key, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            found |= _options_of(hint)
        elif _POSITIONAL not in getattr(marked[key], "__metadata__", ()):
            found[f"--{'no-' * (key in on)}{key.replace('_', '-')}"] = hint
    return found


def _kind_in_words(hint: Any) -> str:
    if typing.get_args(hint)[-1:] == (type(None),):
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    return _WORDS.get(hint, "followed by a value")


def _values_after(option: str, arguments: Sequence[str]) -> list[str]:
    for place, word in enumerate(arguments):
        key, equals, value = word.partition("=")
        if key.replace("_", "-") == option:
            rest = list(arguments[place + 1 :])
            end = next((index for index, other in enumerate(rest) if other.startswith("--")), len(rest))
            return [value] if equals else rest[:end]
    return []
