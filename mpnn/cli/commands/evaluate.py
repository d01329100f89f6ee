"""`mpnn evaluate`."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.interrupts import in_background
from mpnn.cli.models import decide, load
from mpnn.cli.options import Evaluate
from mpnn.cli.scores import Judgement, judge
from mpnn.cli.sources import read_examples
from mpnn.data.cells import counted

__all__ = ["run"]

# Confusions that are listed where the whole table does not fit.
_SHOWN = 10


def run(command: Evaluate, arguments: list[str], console: Console) -> None:
    """Judge a model on labelled examples."""
    with activity("loading") as shown:
        model, schema, _ = load(command.model)
        shown.text = f"reading {command.data}"
        examples = in_background(partial(read_examples, labelled=True), command.data, command.layout, schema)
        shown.text = f"labelling {counted(len(examples.x), 'example')}"
        decision = in_background(decide, model, examples.x, command.prediction)
    judgement = judge(decision, model.classes_, np.asarray(examples.y))
    for line in _lines(judgement, decision.by_votes):
        print_line(console, line)
    _print_confusions(console, judgement)


def _lines(judgement: Judgement, by_votes: bool) -> Iterator[str]:
    yield f"accuracy {judgement.accuracy}"
    yield f"  always the largest class: {judgement.majority.share:.1%}"
    yield f"balanced accuracy {judgement.balanced:.1%}"
    if judgement.scores is not None:
        yield f"log loss {judgement.scores.negative_log_likelihood:.3f} nats"
        yield f"calibration error {judgement.scores.expected_calibration_error:.3f}"
    if by_votes:
        yield "(labels by votes; log loss and calibration by probabilities)"
    if len(judgement.unknown):
        names, counts = np.unique(judgement.unknown, return_counts=True)
        shown = ", ".join(f"{name} ({count})" for name, count in zip(names[:5], counts[:5], strict=True))
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield f"warning: the model does not know the labels {shown}{more}; these examples count as wrong"


def _print_confusions(console: Console, judgement: Judgement) -> None:
    """Print true class against predicted class; where that is too wide, the most frequent confusions."""
    names, counts = [*judgement.classes, "no label"], judgement.confusion
    if not counts[:, -1].any():
        names, counts = names[:-1], counts[:, :-1]
    width = max(map(len, names)) + sum(max(len(name), 4) + 2 for name in names)
    print_line(console, "")
    if width > console.width:
        _print_most_frequent(console, judgement)
        return
    shown = Table("true \\ predicted", box=None, header_style="dim")
    for name in names:
        shown.add_column(Text(name), justify="right")
    for place, (name, row) in enumerate(zip(judgement.classes, counts, strict=True)):
        cells = (Text(str(count), "bold" if place == at else "") for at, count in enumerate(row.tolist()))
        shown.add_row(Text(name), *cells)
    console.print(shown)


def _print_most_frequent(console: Console, judgement: Judgement) -> None:
    names, counts = [*judgement.classes, "no label"], judgement.confusion.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_SHOWN]
    pairs = [divmod(int(place), counts.shape[1]) for place in order if counts.flat[place]]
    print_line(console, "most frequent confusions" if pairs else "no confusions")
    for true, predicted in pairs:
        print_line(console, f"  {counts[true, predicted]} of {names[true]} taken for {names[predicted]}")
