"""The options of the `mpnn` command: a dataclass for each of its commands, which tyro reads and explains."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

__all__ = ["Compare", "Data", "Predict", "Report", "Train"]


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
