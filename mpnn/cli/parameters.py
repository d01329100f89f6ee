"""Parameters by name: KEY=VALUE of a command line, and the list of what there is."""

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpnn.cli.console import print_line
from mpnn.runs.toml import ConfigError, read_toml_value

__all__ = ["assignments", "list_parameters"]

_ROLE = re.compile(r":\w+:`([^`]*)`")
_ITEM = re.compile(r"(\w+) : (.+?)(?:, default=(.+))?$")


def assignments(texts: Sequence[str], example: str) -> dict[str, Any]:
    """Read KEY=VALUE, the value as TOML.

    Parameters
    ----------
    texts
        As given.
    example
        Of such a text, for the message.
    """
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise ConfigError(f"cannot read the parameter {text!r}; write KEY=VALUE, e.g. {example}")
        values[key.strip()] = read_toml_value(value)
    return values


def list_parameters(console: Console) -> None:
    """Print every parameter of the estimator, and what those without a default are in each regime."""
    from mpnn import MessagePassingClassifier

    regimes = MessagePassingClassifier.defaults_by_regime()
    resolved = list(dict.fromkeys(name for values in regimes.values() for name in values))
    for name, kind, default in _documented(MessagePassingClassifier):
        shown = "by regime" if default == "None" and name in resolved else default
        print_line(console, f"{name} = {shown}  ({kind})")
    print_line(console, "")
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("by regime", no_wrap=True)
    for regime in regimes:
        table.add_column(Text(regime), justify="right", overflow="fold")
    for name in resolved:
        table.add_row(name, *(Text(_in_words(values.get(name, "-"))) for values in regimes.values()))
    console.print(table)


def _documented(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and default of each parameter, as the docstring has them."""
    text = inspect.getdoc(kind) or ""
    for line in text.partition("Parameters\n")[2].partition("\nNotes\n")[0].splitlines():
        found = None if line.startswith(" ") else _ITEM.match(line)
        if found:
            yield found[1], _ROLE.sub(r"\1", found[2]).replace("``", ""), found[3] or "None"


def _in_words(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_in_words, value)) or "no units"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
