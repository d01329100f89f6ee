"""What goes wrong with data files, as two exceptions."""

from pathlib import Path


class DataError(ValueError):
    """A data file is damaged, or does not hold what its name promises."""


class DataNotFoundError(OSError, DataError):
    """A data set is neither on this machine nor to be had from the network."""


def damaged(path: Path | str, problem: str) -> DataError:
    """Return a `DataError` that names the file, what is wrong with it, and what to do."""
    return DataError(f"{path}: {problem}. Replace the file, or delete it and load the data set again.")
