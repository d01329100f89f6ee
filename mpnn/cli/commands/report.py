"""`mpnn report`."""

from rich.console import Console

from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.options import Report
from mpnn.compare.report.page import write_report

__all__ = ["run"]


def run(command: Report, arguments: list[str], console: Console) -> None:
    """Write the report of an output folder again."""
    with activity("writing the report"):
        page = write_report(command.run)
    print_line(console, f"Report: {page}")
