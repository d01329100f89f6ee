"""`mpnn export`."""

from rich.console import Console

from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import export, load, require_writable
from mpnn.cli.options import Export
from mpnn.cli.sources import read_examples

__all__ = ["run"]


def run(command: Export, arguments: list[str], console: Console) -> None:
    """Write a model as a file for other machines, and say what it costs."""
    from mpnn.deploy.exporting import file_in

    output = file_in(command.output, command.format, command.model.stem)
    require_writable(output, "--output", [command.model, command.check])
    saved = load(command.model)
    with activity("exporting"):
        check = None
        if command.check is not None:
            check = in_background(read_examples, command.check, command.layout, saved.schema)
        # written atomically, so that it may be cut off
        report = in_background(export, saved, output, command.format, command.inputs, check, command.optimize)
    for path in report.files:
        print_line(console, f"{path}: {path.stat().st_size} bytes")
    print_line(console, f"inputs are {'coded exactly' if report.exact else 'rounded to whole codes'}")
    if report.labels_compared:
        changed = f"{report.labels_changed} of {report.labels_compared} labels"
        print_line(console, f"{changed} differ from the model's")
