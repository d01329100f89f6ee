"""The `mpnn` command: train, predict, export, inspect, compare, report, data.

Heavy imports live inside the commands, so that `mpnn --help` answers at once.
"""

import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.text import Text

from mpnn import __version__
from mpnn.cli.interrupts import Interrupted, in_background
from mpnn.cli.options import Compare, Data, Export, Inspect, Predict, Report, Train
from mpnn.compare.config import CompareConfig
from mpnn.compare.config_files import load_config, override_params
from mpnn.runs.toml import ConfigError, read_toml_value, unknown_name

__all__ = ["main"]

_DESCRIPTION = (
    "Neural networks with few-bit weights, trained by message passing. "
    "`mpnn COMMAND --help` explains a command, `mpnn --version` names the version."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1: every row failed, 2: a mistake of the user, 130: Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    if arguments == ["--version"]:
        console.print(f"mpnn {__version__}", highlight=False)
        return 0
    try:
        command = _parse(arguments)
        return _COMMANDS[type(command)](command, arguments, console) or 0
    except ConfigError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt as error:
        Console(stderr=True).print(_resume_advice(arguments), markup=False, highlight=False, soft_wrap=True)
        if isinstance(error, Interrupted):  # the compiled program would keep the process waiting
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(130)
        return 130


def _parse(arguments: list[str]) -> Any:
    """Parse the arguments; the config file of `compare` is read first and becomes the default."""
    if arguments and not arguments[0].startswith("-"):
        known = [command.__name__.lower() for command in _COMMANDS]
        if arguments[0] not in known:
            raise ConfigError(unknown_name("command", arguments[0], known, "mpnn"))
    compare: Any = Compare
    if arguments[:1] == ["compare"] and not {"-h", "--help"} & set(arguments[1:2]):
        compare = Annotated[
            Compare, tyro.conf.subcommand("compare", default=_compare_defaults(arguments[1:]))
        ]
    commands = Train | Predict | Export | Inspect | compare | Report | Data
    return tyro.cli(
        commands,
        prog="mpnn",
        description=_DESCRIPTION,
        args=arguments or ["--help"],
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _compare_defaults(arguments: list[str]) -> Compare:
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError("name the config right after `compare`: mpnn compare CONFIG [options]")
    path = Path(arguments[0])
    config = load_config(path)
    return Compare(path, **{key: getattr(config, key) for key in _OVERRIDES})


_OVERRIDES = ("datasets", "shots", "draws", "seed", "test_limit")


def _compare(command: Compare, arguments: list[str], console: Console) -> int:
    config = _overridden(load_config(command.config), command)
    output = command.output or Path("runs") / config.name

    from mpnn.cli.console import print_table, progress
    from mpnn.compare.report.page import read_run, write_report
    from mpnn.compare.report.tables import headline_table
    from mpnn.compare.run.engine import run_comparison
    from mpnn.compare.run.jobs import list_jobs

    with progress(console, len(list_jobs(config))) as listener:
        run_comparison(
            config,
            output,
            fresh=command.fresh,
            retry_errors=command.retry_errors,
            workers=command.workers,
            cluster=_cluster(command),
            command=shlex.join(["mpnn", *arguments]),
            listener=listener,
        )
    page = write_report(output)
    rows = read_run(output)[1]
    for dataset in config.datasets:
        print_table(console, headline_table(rows, dataset))
    console.print(f"Report: {page}", markup=False, highlight=False, soft_wrap=True)
    if rows and all(row["error"] for row in rows):
        sentence = f"every row failed; the first says: {rows[0]['error']}"
        Console(stderr=True).print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _overridden(config: CompareConfig, command: Compare) -> CompareConfig:
    """Return the config with what the command line says instead."""
    config = dataclasses.replace(config, **{key: getattr(command, key) for key in _OVERRIDES})
    if command.only:
        known = [method.name for method in config.methods]
        for name in command.only:
            if name not in known:
                raise ConfigError(unknown_name("method", name, known, "--only"))
        chosen = tuple(method for method in config.methods if method.name in command.only)
        config = dataclasses.replace(config, methods=chosen)
    return override_params(config, command.set)


def _cluster(command: Compare) -> Any:
    """Return where jobs go, None for this machine."""
    if command.cluster is None:
        if command.cluster_set:
            raise ConfigError("--cluster-set needs --cluster PARTITION")
        return None
    from mpnn.compare.run.cluster import Cluster

    return Cluster(command.cluster, _assignments(command.cluster_set, "timeout_min=60"))


def _train(command: Train, arguments: list[str], console: Console) -> None:
    from mpnn.cli.models import build, save, train
    from mpnn.cli.sources import Schema, read_training

    if not command.output.absolute().parent.is_dir():
        raise ConfigError(f"the folder {command.output.absolute().parent} of --output does not exist")
    model = build(_estimator_parameters(command), command.ensemble)
    data = read_training(command)
    table = data.train.table
    if table is not None:
        _print_columns(console, table)
    for note in data.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    start = perf_counter()
    with console.status(f"training on {len(data.train.x)} examples"):
        in_background(train, model, data.train)
    seconds = perf_counter() - start
    _print_scores(console, model, data)
    save(model, None if table is None else Schema.of(table), command.output)
    console.print(f"trained in {seconds:.2f} s, saved to {command.output}", markup=False, soft_wrap=True)


def _print_columns(console: Console, table: Any) -> None:
    """Print name, kind, distinct values and missing ones of the features, the first 30 of many."""
    from rich.table import Table

    shown = Table("name", "kind", "distinct", "missing", box=None, header_style="dim")
    summary = table.summary()
    for row in summary[:30]:
        shown.add_row(Text(row.name), row.kind, str(row.distinct), str(row.missing))
    if table.label_name is not None and table.labels is not None:
        shown.add_row(Text(table.label_name), "label", str(len(set(table.labels.tolist()))), "0")
    console.print(shown)
    if len(summary) > 30:
        console.print(f"and {len(summary) - 30} more columns")


def _print_scores(console: Console, model: Any, data: Any) -> None:
    """Print training accuracy, and the held-out one beside the majority's and logistic regression's."""
    from mpnn.cli.scores import accuracy_of, logistic_regression, majority_share

    train, test = data.train, data.test
    training = accuracy_of(model.predict(train.x), train.y)
    lines = [f"training accuracy {training.share:.1%} ({training.total} examples)"]
    majority = majority_share(train.y, train.y)
    if training.share < majority.share:
        lines.append(f"training accuracy is below the share of the largest class, {majority.share:.1%}")
    if test is None or test.y is None:
        lines.append("for a held-out accuracy: --test-size 0.2 or --test FILE")
    else:
        lines.append(f"test accuracy {accuracy_of(model.predict(test.x), test.y)}")
        lines.append(f"  always the largest class: {majority_share(train.y, test.y).share:.1%}")
        linear = logistic_regression(train, test)
        lines += [] if linear is None else [f"  logistic regression: {linear.share:.1%}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _estimator_parameters(command: Train) -> dict[str, Any]:
    """Return what the command line says about the estimator; the rest keeps its defaults."""
    parameters: dict[str, Any] = {
        "weights": int(command.weights) if command.weights.isdigit() else command.weights,
        "rule": command.rule,
        "random_state": command.seed,
    }
    for key in ("hidden", "num_epochs", "batch_size"):
        if getattr(command, key) is not None:
            parameters[key] = getattr(command, key)
    return parameters | _assignments(command.set, "damping=0.5")


def _assignments(texts: Sequence[str], example: str) -> dict[str, Any]:
    """Read KEY=VALUE, the value as TOML."""
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"cannot read the parameter {text!r}; write KEY=VALUE, e.g. {example}")
        values[key.strip()] = read_toml_value(value)
    return values


def _predict(command: Predict, arguments: list[str], console: Console) -> None:
    from mpnn.atomic_files import write_atomically
    from mpnn.cli.models import load, predictions
    from mpnn.cli.scores import accuracy_of
    from mpnn.cli.sources import read_examples

    model, schema = load(command.model)
    examples = read_examples(command.data, command.layout, schema)
    labels, content = in_background(predictions, model, examples)
    if str(command.output) == "-":
        sys.stdout.write(content.decode())
        console = Console(stderr=True)
    else:
        try:
            write_atomically(command.output, content)
        except OSError as error:
            raise ConfigError(f"cannot write {command.output}: {error.strerror or error}") from error
    if examples.y is not None:
        console.print(f"accuracy {accuracy_of(labels, examples.y)}", highlight=False)
    console.print(f"{len(labels)} predictions in {command.output}", markup=False, soft_wrap=True)


def _export(command: Export, arguments: list[str], console: Console) -> None:
    from mpnn.cli.models import export, load
    from mpnn.cli.sources import read_examples

    model, schema = load(command.model)
    check = None if command.check is None else read_examples(command.check, command.layout, schema)
    report = export(model, command.output, command.format, command.inputs, check, command.optimize)
    lines = [f"{path}: {path.stat().st_size} bytes" for path in report.files]
    lines.append("inputs are coded exactly" if report.exact else "inputs are rounded to whole codes")
    if report.labels_compared:
        lines.append(f"{report.labels_changed} of {report.labels_compared} labels differ from the model's")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _inspect(command: Inspect, arguments: list[str], console: Console) -> None:
    from mpnn.cli.inspection import describe
    from mpnn.cli.models import load

    model, schema = load(command.model)
    for name, value in describe(model, schema, command.model):
        console.print(f"{name}: {value}", markup=False, highlight=False, soft_wrap=True)


def _report(command: Report, arguments: list[str], console: Console) -> None:
    from mpnn.compare.report.page import write_report

    console.print(f"Report: {write_report(command.run)}", markup=False, highlight=False, soft_wrap=True)


def _data(command: Data, arguments: list[str], console: Console) -> None:
    from rich.table import Table

    from mpnn.data import dataset_status, load_dataset

    for name in command.download:
        try:
            load_dataset(name)
        except (ValueError, OSError) as error:
            raise ConfigError(str(error)) from error
    table = Table("name", "task", "training", "test", "where")
    for row in dataset_status():
        shapes = (" x ".join(map(str, shape)) for shape in (row.train_shape, row.test_shape))
        table.add_row(row.name, row.task, *shapes, row.found)
    console.print(table)


def _resume_advice(arguments: list[str]) -> str:
    if arguments[:1] != ["compare"]:
        return "stopped; nothing was written"
    again = [argument for argument in arguments if argument not in ("--fresh", "--retry-errors")]
    return f"stopped; finished rows are kept. To resume: {shlex.join(['mpnn', *again])}"


_COMMANDS: dict[type, Any] = {
    Train: _train,
    Predict: _predict,
    Export: _export,
    Inspect: _inspect,
    Compare: _compare,
    Report: _report,
    Data: _data,
}


if __name__ == "__main__":
    sys.exit(main())
