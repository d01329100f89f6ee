"""The options of the `mpnn` command: a dataclass for each of its commands, which tyro reads and explains."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

__all__ = [
    "Compare",
    "Data",
    "Evaluate",
    "Export",
    "Init",
    "Inspect",
    "Layout",
    "Plan",
    "Predict",
    "Report",
    "Streams",
    "Train",
]


def _named(metavar: str) -> Any:
    """Return how the help names a value that has no default."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Name = Annotated[str | None, _named("NAME")]
Names = Annotated[tuple[str, ...], _named("NAME ...")]
Assignments = Annotated[tuple[str, ...], _named("KEY=VALUE ...")]
Number = Annotated[int | None, _named("NUMBER")]
Share = Annotated[float | None, _named("SHARE")]
File = Annotated[Path | None, _named("FILE")]
Model = Annotated[Positional[Path], tyro.conf.arg(metavar="MODEL")]
Prediction = Annotated[Literal["mode", "bayes", "sample"] | None, _named("{mode,bayes,sample}")]


@dataclass(frozen=True)
class Layout:
    """How a file is laid out; what is not told is found."""

    label: Name = None
    """The label column: its name, or its number (from 0; negative: from the end)."""
    id: Name = None
    """The column of identifiers, which is no feature and is passed through to predictions."""
    delimiter: Annotated[str | None, _named("SIGN")] = None
    """What parts the cells: one character, or tab, space, comma, semicolon or bar."""
    decimal: Annotated[Literal[".", ","] | None, _named("SIGN")] = None
    """The decimal sign, "." or ","."""
    encoding: Name = None
    """Of the text, e.g. latin-1; else UTF-8, or what a byte-order mark says."""
    header: bool = False
    """The first row holds names."""
    no_header: bool = False
    """The first row holds data; columns are then matched by position."""
    max_classes: int = 100
    """The most different labels that are taken for classes."""


FileLayout = Annotated[Layout, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True)
class Streams:
    """How many files that need not fit into memory are trained on."""

    checkpoints: Annotated[Path | None, _named("FOLDER")] = None
    """Of many files, where checkpoints go: the same command goes on from the last one."""
    rows_at_once: Number = None
    """Of many files, rows that are in memory and shuffled together, about: 65536."""
    readers: Number = None
    """Of many files, shares that every mini-batch is read in: as many as processes, or a multiple."""
    num_processes: Number = None
    """Of many files, processes on this machine that train together, each reading its own share."""
    distributed: bool = False
    """Take part in a training of processes that Slurm, Kubernetes or a TPU pod has started."""


@dataclass(frozen=True)
class Train:
    """Train few-bit networks on a file or a data set, and save them."""

    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = ""
    """A file (.csv, .tsv, .csv.gz, .parquet, .npz, .npy), "-" for CSV from the standard input, the name of a
    data set (see `mpnn data`), or many files by a folder or a quoted pattern: "clicks/*.parquet"."""
    output: Path = Path("model")
    """Where the model goes."""
    test: File = None
    """A file of held-out examples, whose accuracy is shown."""
    test_size: Share = None
    """Share of the examples that is held out of training, and whose accuracy is shown: 0.2."""
    cv: Number = None
    """Parts of a cross-validation, which holds each out once: 5. The saved model learns from all examples."""
    drop: Names = ()
    """Columns to leave out, by name or number."""
    categorical: Names = ()
    """Columns of numbers that name categories, by name or number."""
    shots: Number = None
    """Training examples per class, where not all."""
    seed: int = 0
    """Seed of the draws and of the training."""
    ensemble: Literal["pairwise", "none"] = "pairwise"
    """One network for each pair of classes and a vote, or one network; of many files always one."""
    hidden: Annotated[tuple[int, ...] | None, _named("NUMBER ...")] = None
    """Widths of the hidden layers, where not the estimator's choice."""
    weights: str = "ternary"
    """binary, ternary, or a whole number P for weights from -P to P."""
    rule: str = "bp_inspired"
    """mean_field, amp, bp_inspired, belief_propagation or max_sum."""
    num_epochs: Number = None
    """Passes over the training set, where not the estimator's choice."""
    batch_size: Number = None
    """Examples in a mini-batch, where not the estimator's choice."""
    set: Assignments = ()
    """Further parameters of the estimator."""
    beliefs: bool = True
    """Save the discrete weights alone, at their bits: no prediction by beliefs, a file of kilobytes."""
    list_parameters: bool = False
    """Show what --set takes, with the defaults of each regime, and do nothing else."""
    layout: FileLayout = field(default_factory=Layout)
    streams: Annotated[Streams, tyro.conf.OmitArgPrefixes] = field(default_factory=Streams)


@dataclass(frozen=True)
class Predict:
    """Label examples with a saved model, and write labels and probabilities as CSV."""

    model: Model
    """What `mpnn train` wrote."""
    examples: Annotated[Positional[str], tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = ""
    """A file, whose columns are matched by name, "-" for CSV from the standard input, or the name of a data
    set, of which the test part is used."""
    data: Annotated[str | None, _named("DATA")] = None
    """The same, as an option."""
    output: Path = Path("predictions.csv")
    """The CSV file to write; "-": the standard output."""
    prediction: Prediction = None
    """By the discrete weights (mode), by the beliefs (bayes), or by networks drawn from these (sample), where
    not as the model was saved (mode)."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Evaluate:
    """Judge a saved model on labelled examples: accuracy, log loss, calibration, confusions."""

    model: Model
    """What `mpnn train` wrote."""
    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA")]
    """A file, whose columns are matched by name, "-" for CSV from the standard input, or the name of a data
    set, of which the test part is used. Labels are in the column of that name in training, or --label."""
    prediction: Prediction = None
    """By the discrete weights (mode), by the beliefs (bayes), or by networks drawn from these (sample), where
    not as the model was saved (mode)."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Export:
    """Write a model as a file that needs no training library."""

    model: Model
    """What `mpnn train` wrote."""
    output: Path
    """The file to write, or a folder, for one named as the model; of C, a header is written beside it."""
    format: Literal["packed", "c", "onnx"] = "packed"
    """packed (read by mpnn.deploy.runtime with NumPy alone), c (C99) or onnx."""
    check: Name = None
    """A file, or a data set's name, whose labels by the export are compared with the model's."""
    inputs: Literal["auto", "uint8", "whole", "real"] = "auto"
    """What the inputs are: uint8, whole numbers from 0 to 255; whole numbers; or real ones."""
    optimize: Literal["size", "speed"] = "size"
    """What the C source is written for."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Inspect:
    """Show what a model is: layers, weights, bytes, classes, columns, operations."""

    model: Model
    """What `mpnn train` wrote."""


@dataclass(frozen=True)
class Init:
    """Write the config of a comparison on a file, with comments; it runs as it is."""

    data: Annotated[Positional[str], tyro.conf.arg(metavar="FILE")]
    """A table with a label column."""
    output: File = None
    """The config to write, where not STEM.toml in this folder; a file that exists is kept."""
    drop: Names = ()
    """Columns to leave out, by name or number, beside those that only tell rows apart."""
    categorical: Names = ()
    """Columns of numbers that name categories, by name or number."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Compare:
    """Compare methods as a config file says; what is given here beats the file. Stopped runs resume."""

    config: Annotated[Positional[Path], tyro.conf.arg(metavar="CONFIG")]
    """The TOML file of the comparison; it stands right after `compare`. `mpnn init FILE` writes one."""
    output: Annotated[Path | None, _named("FOLDER")] = None
    """The folder of results and report, where not runs/NAME."""
    datasets: Names = ()
    """Data sets, of those in the config or known by name."""
    shots: tuple[int, ...] = ()
    """Training examples per class."""
    draws: int = 0
    """Independent training sets for each number of shots."""
    seed: int = 0
    """Seed of the first draw."""
    test_limit: Number = None
    """At most this many test examples, where not all."""
    only: Names = ()
    """Names of the methods to run, where not all."""
    set: Assignments = ()
    """Parameters of methods, METHOD.KEY=VALUE."""
    fresh: bool = False
    """Remove the results that the folder holds."""
    retry_errors: bool = False
    """Fit the methods that failed once more."""
    workers: int = 1
    """Jobs at once, each in a process of its own (they share the cores; see the how-to on comparisons)."""
    cluster: Name = None
    """Submit each job to this partition of Slurm, --workers at once; "local": to processes here."""
    cluster_set: Assignments = ()
    """Resources of a submitted job: timeout_min=60 cpus_per_task=2 mem_gb=8 ..."""


@dataclass(frozen=True)
class Plan:
    """Say what a training takes before it runs: operations, bytes, seconds, communication."""

    rows: float = 1e6
    """Examples."""
    columns: int = 39
    """Columns of the table."""
    hidden: tuple[int, ...] = (32,)
    """Widths of the hidden layers."""
    classes: int = 2
    """Classes of the labels."""
    bits: int = 16
    """Bits that a column becomes; 1 for numbers that stay numbers."""
    epochs: int = 1
    """Passes over the rows."""
    batch_size: int = 1024
    """Examples in a mini-batch, over all devices."""
    devices: int = 1
    """Devices that share out every mini-batch."""
    machine: Name = None
    """Rates by name (h100, h200, a100, tpu_v5e, tpu_v5p), where not those measured here."""
    rule: str = "bp_inspired_second_order"
    """Of the messages."""
    measure: bool = False
    """Measure the rates of this machine and its loopback link, and keep them."""


@dataclass(frozen=True)
class Report:
    """Write the report of a comparison's output folder again."""

    run: Annotated[Positional[Path], tyro.conf.arg(metavar="RUN")]
    """The output folder."""


@dataclass(frozen=True)
class Data:
    """Show the data sets and where they are."""

    download: Names = ()
    """Sets to download if they are not on this machine."""
    json: bool = False
    """As JSON, for programs."""
