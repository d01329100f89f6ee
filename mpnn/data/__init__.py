"""Data sets and few-shot draws; knows nothing of the rest of `mpnn`."""

from mpnn.data.datasets import Dataset, DatasetStatus, dataset_status, load_dataset
from mpnn.data.errors import DataError, DataNotFoundError
from mpnn.data.registry import DatasetInfo, list_datasets
from mpnn.data.sampling import ValidationDraw, sample_consecutive, sample_few_shot, validation_draw

__all__ = [
    "DataError",
    "DataNotFoundError",
    "Dataset",
    "DatasetInfo",
    "DatasetStatus",
    "ValidationDraw",
    "dataset_status",
    "list_datasets",
    "load_dataset",
    "sample_consecutive",
    "sample_few_shot",
    "validation_draw",
]
