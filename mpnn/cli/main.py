"""The `mpnn` command: train, predict, compare, report, data.

Heavy imports live inside the commands, so that `mpnn --help` answers at once.
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from mpnn import __version__
from mpnn.cli.options import Compare, Data, Predict, Report, Train
from mpnn.compare.config import CompareConfig
from mpnn.compare.config_files import load_config, override_params
from mpnn.runs.toml import ConfigError, read_toml_value, unknown_name

__all__ = ["main"]

_DESCRIPTION = (
    "Neural networks with few-bit weights, trained by message passing. "
    "`mpnn COMMAND --help` explains a command, `mpnn --version` names the version."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for a mistake of the user's, or 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    if arguments == ["--version"]:
        console.print(f"mpnn {__version__}", highlight=False)
        return 0
    try:
        command = _parse(arguments)
        _COMMANDS[type(command)](command, arguments, console)
    except ConfigError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        Console(stderr=True).print(_resume_advice(arguments), markup=False, highlight=False, soft_wrap=True)
        return 130
    return 0


def _parse(arguments: list[str]) -> Any:
    """Parse the arguments; the config file of `compare` is read first and becomes the default."""
    compare: Any = Compare
    if arguments[:1] == ["compare"] and not {"-h", "--help"} & set(arguments[1:2]):
        compare = Annotated[
            Compare, tyro.conf.subcommand("compare", default=_compare_defaults(arguments[1:]))
        ]
    commands = Train | Predict | compare | Report | Data
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


def _compare(command: Compare, arguments: list[str], console: Console) -> None:
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
    from mpnn.cli.sources import read_inputs

    inputs = read_inputs(command.data, label=command.label)
    from mpnn.cli.models import save, score, train

    parameters = _estimator_parameters(command)
    model, seconds = train(inputs, parameters, command.ensemble, command.shots, command.seed)
    save(model, command.output)
    for name, accuracy in score(model, inputs).items():
        console.print(f"{name} accuracy {accuracy:.2%}")
    console.print(f"trained in {seconds:.2f} s, saved to {command.output}", markup=False, soft_wrap=True)


def _estimator_parameters(command: Train) -> dict[str, Any]:
    """Return what the command line says about the estimator; the rest keeps its defaults."""
    parameters: dict[str, Any] = {
        "hidden": command.hidden,
        "weights": int(command.weights) if command.weights.isdigit() else command.weights,
        "rule": command.rule,
        "random_state": command.seed,
    }
    for key in ("num_epochs", "batch_size"):
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
    from mpnn.cli.models import load, write_predictions
    from mpnn.cli.sources import read_inputs

    examples = read_inputs(command.data, label=command.label).test
    if examples is None:
        raise ConfigError(f"{command.data} holds nothing to predict: neither an array x_test nor an array x")
    accuracy = write_predictions(load(command.model), examples, command.output)
    if accuracy is not None:
        console.print(f"accuracy {accuracy:.2%}")
    console.print(f"{len(examples.x)} predictions in {command.output}", markup=False, soft_wrap=True)


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
    Compare: _compare,
    Report: _report,
    Data: _data,
}


if __name__ == "__main__":
    sys.exit(main())
