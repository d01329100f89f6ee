"""Which models a comparison fits, and the few-shot problem of each."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace

import numpy as np

from mpnn.compare.config import CompareConfig, MethodConfig, Robustness
from mpnn.compare.methods.contract import Task
from mpnn.compare.methods.registry import METHODS
from mpnn.compare.run.own_files import file_key, read_file
from mpnn.data import Dataset, load_dataset, sample_few_shot
from mpnn.runs.rows import Row, row_key
from mpnn.runs.toml import ConfigError, to_jsonable

__all__ = ["DoneJobs", "Job", "list_jobs", "make_task", "open_dataset"]


@dataclass(frozen=True)
class Job:
    """One model to fit: a method on one draw of one data set.

    Parameters
    ----------
    method : MethodConfig
        The method.
    dataset : str
        Name of the data set.
    shots : int >= 1
        Training examples per class.
    draw : int >= 0
        Number of the draw.
    seed : int >= 0
        Seed of the draw.
    test_limit : int or None
        Largest number of test examples; None: all.
    classes : tuple of int or None, default=None
        Labels that take part; None: all.
    robustness : Robustness or None, default=None
        Disturbed test inputs; None: none.
    data : str or None, default=None
        Of a file of one's own: the key of its content and of how it is read.
    """

    method: MethodConfig
    dataset: str
    shots: int
    draw: int
    seed: int
    test_limit: int | None
    classes: tuple[int, ...] | None = None
    robustness: Robustness | None = None
    data: str | None = None

    @property
    def key(self) -> str:
        """The key of the job's row: a hash of all that a config says about it."""
        identity = to_jsonable(asdict(self))
        for name in (
            "shots",
            "datasets",
            "draws",
            "figures",
            "needs",
        ):  # which rows there are, not what one row holds
            del identity["method"][name]
        for name in ("classes", "robustness", "data"):
            if identity[name] is None:
                del identity[name]
        for name in ("moves", "worst"):  # rows without them are older than these
            if not identity.get("robustness", {}).get(name, True):
                del identity["robustness"][name]
        return row_key(identity)

    @property
    def defaults(self) -> str:
        """The key of what the config leaves to the method; a row measured with other defaults is outdated."""
        return METHODS[self.method.method].defaults_key

    def describe(self) -> Row:
        """Return the part of the row that is known before the fit."""
        return {
            "key": self.key,
            "name": self.method.name,
            "method": self.method.method,
            "params": to_jsonable(self.method.params),
            "dataset": self.dataset,
            "shots": self.shots,
            "draw": self.draw,
            "seed": self.seed,
            "defaults": self.defaults,
            "error": None,
        }

    def failed(self, error: str) -> Row:
        """Return the row of a job whose process ended without one.

        Parameters
        ----------
        error : str
            What happened.
        """
        return self.describe() | {"error": error, "warnings": [], "cold": True}


DoneJobs = Generator[tuple[Job, Row], None, None]


def list_jobs(config: CompareConfig) -> list[Job]:
    """Return the jobs in the order they run: all methods of one draw follow each other.

    Parameters
    ----------
    config : CompareConfig
        The comparison.
    """
    keys = {name: file_key(config.files[name]) for name in config.datasets if name in config.files}
    return [
        Job(
            method,
            dataset,
            shots,
            draw,
            config.seed + draw,
            config.test_limit,
            config.classes,
            config.robustness,
            keys.get(dataset),
        )
        for dataset in config.datasets
        for shots in config.shots
        for draw in range(config.draws)
        for method in config.methods
        if draw < (method.draws or config.draws)
        and shots in (method.shots or config.shots)
        and dataset in (method.datasets or config.datasets)
    ]


def open_dataset(name: str, config: CompareConfig) -> Dataset:
    """Load a data set with the classes of the config, and check that it has enough examples.

    Parameters
    ----------
    name : str
        Name of the data set.
    config : CompareConfig
        The comparison.
    """
    own = config.files.get(name)
    try:
        dataset = load_dataset(name) if own is None else read_file(name, own)
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot load the data set {name!r}: {error}") from error
    if config.classes is not None:
        dataset = _only_classes(dataset, config.classes)
    smallest = int(np.min(np.unique(dataset.y_train, return_counts=True)[1]))
    if own is None and max(config.shots) > smallest:
        raise ConfigError(
            f"{name} has only {smallest} training examples of its rarest class; "
            f"shots must not exceed that, got {max(config.shots)}"
        )
    return dataset


def _only_classes(dataset: Dataset, classes: tuple[int, ...]) -> Dataset:
    unknown = sorted(set(classes) - set(dataset.y_train.tolist()))
    if unknown:
        raise ConfigError(f"{dataset.name} has no class {unknown[0]!r}; leave it out of classes")
    train, test = (np.isin(labels, classes) for labels in (dataset.y_train, dataset.y_test))
    return replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_test[test],
        y_test=dataset.y_test[test],
    )


def make_task(dataset: Dataset, job: Job) -> Task:
    """Draw the training set of a job; the inputs of both halves are flat.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    job : Job
        The job.
    """
    own = job.data is not None  # where classes are of unequal sizes, smaller ones give all that they have
    x_train, y_train = sample_few_shot(
        dataset.x_train, dataset.y_train, per_class=job.shots, seed=job.seed, at_most=own
    )
    x_test, y_test = dataset.x_test.reshape(len(dataset.x_test), -1), dataset.y_test
    if job.test_limit is not None and job.test_limit < len(x_test):
        # The same test examples for every draw: a choice of the comparison, not of the draw.
        first_seed = job.seed - job.draw
        chosen = np.random.default_rng(first_seed).permutation(len(x_test))[: job.test_limit]
        x_test, y_test = x_test[chosen], y_test[chosen]
    return Task(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        image_shape=dataset.image_shape,
        input_scale=max(float(dataset.x_train.max()), -float(dataset.x_train.min())) or 1.0,
        seed=job.seed,
        keep_weights=job.draw == 0,
        class_names=dataset.class_names if own else None,
    )
