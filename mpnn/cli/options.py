"""The options of the `mpnn` command: a dataclass for each of its commands, which tyro reads and explains."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

__all__ = ["Compare", "Data", "Export", "Inspect", "Layout", "Predict", "Report", "Train"]


@dataclass(frozen=True)
class Layout:
    """How a file is laid out; what is not told is found."""

    label: str | None = None
    """The label column: its name, or its number (from 0; negative: from the end)."""
    id: str | None = None
    """The column of identifiers, which is no feature and is passed through to predictions."""
    delimiter: str | None = None
    """What parts the cells: one character, or tab, space, comma, semicolon or bar."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign."""
    encoding: str | None = None
    """Of the text, e.g. latin-1; None: UTF-8, or what a byte-order mark says."""
    header: bool = False
    """The first row holds names."""
    no_header: bool = False
    """The first row holds data; columns are then matched by position."""
    max_classes: int = 100
    """The most different labels that are taken for classes."""


FileLayout = Annotated[Layout, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True)
class Train:
    """Train few-bit networks on a file or a data set, and save them."""

    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA")]
    """A file (.csv, .tsv, .csv.gz, .parquet, .npz, .npy), "-" for CSV from the standard input, or the name of
    a data set (see `mpnn data`)."""
    output: Path = Path("model")
    """Where the model goes."""
    test: Path | None = None
    """A file of held-out examples, whose accuracy is shown."""
    test_size: float | None = None
    """Share of the examples that is held out of training, and whose accuracy is shown: 0.2."""
    drop: tuple[str, ...] = ()
    """Columns to leave out, by name or number."""
    categorical: tuple[str, ...] = ()
    """Columns of numbers that name categories, by name or number."""
    shots: int | None = None
    """Training examples per class; None: all."""
    seed: int = 0
    """Seed of the draws and of the training."""
    ensemble: Literal["pairwise", "none"] = "pairwise"
    """One network for each pair of classes and a vote, or one network."""
    hidden: tuple[int, ...] | None = None
    """Widths of the hidden layers; None: the estimator's choice."""
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
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Predict:
    """Label examples with a saved model, and write labels and probabilities as CSV."""

    model: Annotated[Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """What `mpnn train` wrote."""
    data: str
    """A file, whose columns are matched by name, "-" for CSV from the standard input, or the name of a data
    set, of which the test part is used."""
    output: Path = Path("predictions.csv")
    """The CSV file to write; "-": the standard output."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Export:
    """Write a model as a file that needs no training library."""

    model: Annotated[Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """What `mpnn train` wrote."""
    output: Path
    """The file to write; of C, a header is written beside it."""
    format: Literal["packed", "c", "onnx"] = "packed"
    """packed (read by mpnn.deploy.runtime with NumPy alone), c (C99) or onnx."""
    check: str | None = None
    """A file, or a data set's name, whose labels by the export are compared with the model's."""
    inputs: Literal["auto", "uint8", "whole", "real"] = "auto"
    """What the inputs are: uint8, whole numbers from 0 to 255; whole numbers; or real ones."""
    optimize: Literal["size", "speed"] = "size"
    """What the C source is written for."""
    layout: FileLayout = field(default_factory=Layout)


@dataclass(frozen=True)
class Inspect:
    """Show what a model is: layers, weights, bytes, classes, columns, operations."""

    model: Annotated[Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """What `mpnn train` wrote."""


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
