"""The `mpnn` command: train, predict, compare, report, data.

Heavy imports live inside the commands, so that `mpnn --help` answers at once.
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from tyro.conf import Positional

from mpnn import __version__
from mpnn.compare.config import (
    CompareConfig,
    ConfigError,
    load_config,
    override_params,
    read_toml_value,
    unknown_name,
)

__all__ = ["main"]

_DESCRIPTION = (
    "Neural networks with few-bit weights, trained by message passing. "
    "`mpnn COMMAND --help` explains a command, `mpnn --version` names the version."
)


@dataclass(frozen=True)
class Train:
    """Train few-bit networks on a data set or a file, and save them."""

    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA")]
    """Name of a data set (see `mpnn data`), or a file: .npz with x_train, y_train (or x, y), or .csv."""
    output: Path = Path("model")
    """Where the model goes."""
    shots: int | None = None
    """Training examples per class; None: all."""
    seed: int = 0
    """Seed of the draw and of the training."""
    ensemble: Literal["pairwise", "none"] = "pairwise"
    """One network for each pair of classes and a vote, or one network."""
    hidden: tuple[int, ...] = ()
    """Widths of the hidden layers."""
    weights: str = "ternary"
    """binary, ternary, or a whole number P for weights from -P to P."""
    rule: str = "bp_inspired"
    """mean_field, amp, bp_inspired, belief_propagation or max_sum."""
    num_epochs: int | None = None
    """Passes over the training set; None: the estimator's default."""
    batch_size: int | None = None
    """Examples in a mini-batch; None: the estimator's default."""
    set: tuple[str, ...] = ()
    """Further parameters of the estimator, KEY=VALUE."""
    label: str = "-1"
    """Label column of a .csv file: its name, or its number (from 0; negative: from the end)."""


@dataclass(frozen=True)
class Predict:
    """Label examples with a saved model, and write labels and probabilities as CSV."""

    model: Annotated[Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """What `mpnn train` wrote."""
    data: str
    """Name of a data set (its test half is used), or a file: .npz with x_test (or x), or .csv."""
    output: Path = Path("predictions.csv")
    """The CSV file to write."""
    label: str | None = None
    """Label column of a .csv file, if it has one: its name or number."""


@dataclass(frozen=True)
class Compare:
    """Compare methods as a config file says; what is given here beats the file. Stopped runs resume."""

    config: Annotated[Positional[Path], tyro.conf.arg(metavar="CONFIG")]
    """The TOML file of the comparison; it stands right after `compare`."""
    output: Path | None = None
    """The folder of results and report; None: runs/NAME."""
    datasets: tuple[str, ...] = ()
    """Data sets."""
    shots: tuple[int, ...] = ()
    """Training examples per class."""
    draws: int = 0
    """Independent training sets for each number of shots."""
    seed: int = 0
    """Seed of the first draw."""
    test_limit: int | None = None
    """At most this many test examples; None: all."""
    only: tuple[str, ...] = ()
    """Names of the methods to run, where not all."""
    set: tuple[str, ...] = ()
    """Parameters of methods, METHOD.KEY=VALUE."""
    fresh: bool = False
    """Remove the results that the folder holds."""
    retry_errors: bool = False
    """Fit the methods that failed once more."""
    workers: int = 1
    """Jobs at once, each in a process of its own (they share the cores; see the how-to on comparisons)."""
    cluster: str | None = None
    """Submit each job to this partition of Slurm, --workers at once; "local": to processes here."""
    cluster_set: tuple[str, ...] = ()
    """Resources of a submitted job, KEY=VALUE: timeout_min=60 cpus_per_task=2 mem_gb=8 ..."""


@dataclass(frozen=True)
class Report:
    """Write the report of a comparison's output folder again."""

    run: Annotated[Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The output folder."""


@dataclass(frozen=True)
class Data:
    """Show the data sets and where they are."""

    download: tuple[str, ...] = field(default=())
    """Sets to download if they are not on this machine."""


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

    from mpnn.compare.console import print_table, progress
    from mpnn.compare.engine import run_comparison
    from mpnn.compare.jobs import list_jobs
    from mpnn.compare.report import read_run, write_report
    from mpnn.compare.tables import headline_table

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
    from mpnn.compare.cluster import Cluster

    return Cluster(command.cluster, _assignments(command.cluster_set, "timeout_min=60"))


def _train(command: Train, arguments: list[str], console: Console) -> None:
    from mpnn.compare.inputs import read_inputs

    inputs = read_inputs(command.data, label=command.label)
    from mpnn.compare.training import save, score, train

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
    from mpnn.compare.inputs import read_inputs
    from mpnn.compare.training import load, write_predictions

    examples = read_inputs(command.data, label=command.label).test
    if examples is None:
        raise ConfigError(f"{command.data} holds no x_test and no x")
    accuracy = write_predictions(load(command.model), examples, command.output)
    if accuracy is not None:
        console.print(f"accuracy {accuracy:.2%}")
    console.print(f"{len(examples.x)} predictions in {command.output}", markup=False, soft_wrap=True)


def _report(command: Report, arguments: list[str], console: Console) -> None:
    from mpnn.compare.report import write_report

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
