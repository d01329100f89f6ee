"""Data sets, tables in files, and few-shot draws; knows nothing of training."""

from mpnn.data.array_files import holds_test_part
from mpnn.data.column_names import match_columns, require_complete
from mpnn.data.columns import Column, ColumnSummary, Table, TableFormat
from mpnn.data.datasets import Dataset, DatasetStatus, dataset_status, load_dataset
from mpnn.data.errors import DataError, DataNotFoundError
from mpnn.data.registry import DatasetInfo, list_datasets
from mpnn.data.sampling import ValidationDraw, sample_consecutive, sample_few_shot, validation_draw
from mpnn.data.shards import Parts, Shards, is_shards
from mpnn.data.table_files import is_table_file, read_table
from mpnn.data.table_warnings import identifier_columns

__all__ = [
    "Column",
    "ColumnSummary",
    "DataError",
    "DataNotFoundError",
    "Dataset",
    "DatasetInfo",
    "DatasetStatus",
    "Parts",
    "Shards",
    "Table",
    "TableFormat",
    "ValidationDraw",
    "dataset_status",
    "holds_test_part",
    "identifier_columns",
    "is_shards",
    "is_table_file",
    "list_datasets",
    "load_dataset",
    "match_columns",
    "read_table",
    "require_complete",
    "sample_consecutive",
    "sample_few_shot",
    "validation_draw",
]
