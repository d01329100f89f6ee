"""`mpnn predict`."""

import sys

from rich.console import Console

from mpnn.atomic_files import write_atomically
from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import load, predictions, require_writable
from mpnn.cli.options import Predict
from mpnn.cli.scores import accuracy_of
from mpnn.cli.sources import read_examples
from mpnn.data.cells import counted
from mpnn.runs.toml import ConfigError

__all__ = ["run"]


def run(command: Predict, arguments: list[str], console: Console) -> None:
    """Label examples; with labels in the file, tell the accuracy too."""
    source, to_file = command.data or command.examples, str(command.output) != "-"
    if not source or (command.data and command.examples):
        raise ConfigError("mpnn predict needs DATA once, a file or a data set; see mpnn predict --help")
    if to_file:
        require_writable(command.output, "--output", [command.model, source])
    with activity("loading") as shown:
        model, schema, _ = load(command.model)
        shown.text = f"reading {source}"
        examples = in_background(read_examples, source, command.layout, schema)
        shown.text = f"labelling {counted(len(examples.x), 'example')}"
        labels, content = in_background(predictions, model, examples, command.prediction)
    if to_file:
        try:
            write_atomically(command.output, content)
        except OSError as error:
            raise ConfigError(f"cannot write {command.output}: {error.strerror or error}") from error
        print_line(console, f"{counted(len(labels), 'prediction')} in {command.output}")
    else:
        sys.stdout.write(content.decode())
        sys.stdout.flush()
        console = Console(stderr=True)
    if examples.y is not None:
        print_line(console, f"accuracy {accuracy_of(labels, examples.y)}")
