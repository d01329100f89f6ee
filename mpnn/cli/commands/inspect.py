"""`mpnn inspect`."""

from rich.console import Console

from mpnn.cli.console import print_line
from mpnn.cli.inspection import describe
from mpnn.cli.models import load
from mpnn.cli.options import Inspect

__all__ = ["run"]


def run(command: Inspect, arguments: list[str], console: Console) -> None:
    """Show what a model is, a line each."""
    saved = load(command.model)
    for name, value in describe(saved, command.model):
        print_line(console, f"{name}: {value}")
