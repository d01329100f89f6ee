"""Inputs of a classifier: read once, coded where they are a table, in blocks of rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from mpnn.classifiers.problems import ACCELERATOR_ROWS, ROWS_AT_ONCE
from mpnn.encoders import TableEncoder, is_intensity
from mpnn.encoders.tables import categorical_columns
from mpnn.preprocessing.precision import NUMBER_TYPES, with_known_floats
from mpnn.preprocessing.scaling import InputTransform
from mpnn.preprocessing.units import InputUnit, unit_of
from mpnn.programs.devices import at_once
from mpnn.programs.memory import refuse_beyond_memory
from mpnn.validation import one_of

__all__ = [
    "ENCODINGS",
    "bits_alone",
    "choose_encoder",
    "coded",
    "coded_blocks",
    "columns_of_bits",
    "numbers_of",
    "plain",
    "transform_of_bits",
    "unit_for",
]

ENCODINGS = ("auto", "table", None)
# Bits of a code over all columns: wide tables get fewer thresholds a column.
MOST_BITS = 4096
MOST_LEVELS, FEWEST_LEVELS = 16, 2
# Mean square of the sum of 16 bits by quantiles, which other columns have, too; and the factor of bits beside
# a sum. Chosen on held-out parts of training parts and on drawn tables (docs/experiments/tables.md).
POWER_OF_A_COLUMN = MOST_LEVELS * (MOST_LEVELS + 2) / 3
BIT_BESIDE_SUM = 2.0
# Ten times as large, what a bit without a sum counts, weights still fit eight bits.
LARGEST_WEIGHT_BESIDE_SUMS = 12
# Of the code, of what the network makes of it, and of the copy that is trained on.
BYTES_OF_A_BIT = 1 + 1 + 1
IN_PORTIONS = "train in portions (partial_fit, or mpnn train on a folder of files), or on fewer columns"


def choose_encoder(encoding: str | None, input_scaling: str | None, X: Any) -> TableEncoder | None:
    """The unfitted code of a table, or None for inputs that stay numbers.

    Parameters
    ----------
    encoding : {"auto", "table", None}
        ``"table"`` codes every table, None none; ``"auto"`` those that are not intensities of one scale,
        such as pixels and counts, unless an ``input_scaling`` was chosen.
    input_scaling : str or None
        Of the estimator.
    X : array-like, data frame or sparse matrix [n, features]
        Training inputs.

    Raises
    ------
    ValueError
        For another encoding.
    """
    one_of("encoding", encoding, ENCODINGS)
    if encoding is None or (encoding == "auto" and (input_scaling != "auto" or _stays_numbers(X))):
        return None
    shape = X.shape if hasattr(X, "shape") else np.asarray(X, dtype=object).shape
    num_columns = shape[1] if len(shape) == 2 else 1
    return TableEncoder(int(np.clip(MOST_BITS // max(num_columns, 1), FEWEST_LEVELS, MOST_LEVELS)))


def _stays_numbers(X: Any) -> bool:
    return not categorical_columns(X) and is_intensity(X)


def plain(X: Any) -> Any:
    """Intensities as scikit-learn's checks take them: sparse ones, such as weights of words, as an array."""
    if not sparse.issparse(X):
        return with_known_floats(X)
    refuse_beyond_memory(
        float(X.shape[0]) * X.shape[1] * X.dtype.itemsize,
        f"X, {X.shape[0]:,} rows of {X.shape[1]:,} numbers,",
        IN_PORTIONS,
    )
    return X.toarray()


def unit_for(input_scaling: str | None, numbers: NDArray) -> InputUnit | None:
    """The unit of training inputs ``[n, features]`` that stay numbers; None: as they are."""
    return unit_of(numbers, input_scaling, input_scaling == "auto" and is_intensity(numbers))


def numbers_of(estimator: Any, X: Any) -> NDArray:
    """Checked inputs ``[n, features]``, as a fitted estimator's transform takes them: uint8 or float32."""
    unit = estimator.input_unit_
    kinds: Any = [np.float32, np.uint8] if unit is None else NUMBER_TYPES
    numbers = validate_data(estimator, plain(X), dtype=kinds, reset=False)
    return numbers if unit is None else unit(numbers)


def coded(encoder: TableEncoder, X: Any) -> NDArray[np.int8]:
    """A table in code, int8 ``[n, N]``; of a table that never varied, one input of 0."""
    X = _with_length(X)
    num_rows, num_bits = _num_rows(X), sum(code.num_bits for code in encoder.columns_)
    refuse_beyond_memory(
        float(num_rows) * num_bits * BYTES_OF_A_BIT,
        f"X in code, {num_rows:,} rows of {num_bits:,} bits,",
        IN_PORTIONS,
    )
    bits = encoder.transform(X)
    return bits if bits.shape[1] else np.zeros((len(bits), 1), np.int8)


def coded_blocks(encoder: TableEncoder, X: Any) -> Iterator[NDArray]:
    """As :func:`coded`, some rows at a time, float32."""
    X = _with_length(X)
    num_rows = _num_rows(X)
    size = at_once(ROWS_AT_ONCE, ACCELERATOR_ROWS)
    if num_rows <= size:
        yield coded(encoder, X).astype(np.float32)
        return
    for start in range(0, num_rows, size):
        rows = np.arange(start, min(start + size, num_rows))
        yield coded(encoder, _safe_indexing(X, rows)).astype(np.float32)


def _with_length(X: Any) -> Any:
    return X if hasattr(X, "shape") or hasattr(X, "__len__") else np.asarray(X)


def _num_rows(X: Any) -> int:
    shape = X.shape if hasattr(X, "shape") else (len(X),)  # sparse matrices have no length
    if not shape:
        raise ValueError(f"X must be a table [n, features], got {str(X)[:100]!r}")
    return int(shape[0])


def columns_of_bits(encoder: TableEncoder) -> NDArray:
    """Of every bit, the number of the table's column that it belongs to ``[N]``."""
    bits = [code.num_bits for code in encoder.columns_]
    return np.repeat(np.arange(len(bits)), bits) if sum(bits) else np.zeros(1, int)


def transform_of_bits(encoder: TableEncoder, largest_weight: int = 1) -> InputTransform:
    """From the bits of a table to inputs: every column has the same say, however few its values are.

    Beside the bits of a numeric column, their sum is an input: how many thresholds a value passes, less those
    it does not. It lets a unit follow a column in a straight line with one weight, where the bits alone need
    all of theirs. Sums have whole factors that make their variances alike, were levels equally frequent; so
    have bits of columns with one threshold, whose sum would be the bit itself, and the bits of a column of
    categories together. In a table of these columns alone, bits stay as they are. Exported networks fold the
    sums into their weights, which have eight bits: larger weights than 12 read bits alone.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted.
    largest_weight : int >= 1, default=1
        Of the network's levels.
    """
    columns = [code for code in encoder.columns_ if code.num_bits]
    sizes = np.array([code.num_bits for code in columns])
    summed = np.array([code.kind == "thermometer" and code.num_bits > 1 for code in columns])
    zero = np.zeros((), np.float32)
    if not summed.any() or largest_weight > LARGEST_WEIGHT_BESIDE_SUMS:
        live = np.ones(max(1, sizes.sum(dtype=int)), bool)  # a table that never varies is an input of 0
        return InputTransform(np.ones((), np.float32), 1.0, zero, live)
    numbers = np.where(summed, np.cumsum(summed) - 1, -1)
    of_bits = np.where(summed, BIT_BESIDE_SUM, np.sqrt(POWER_OF_A_COLUMN / _variances(sizes)))
    of_sums = np.sqrt(3.0 * POWER_OF_A_COLUMN / (sizes * (sizes + 2.0)))[summed]
    scale = np.rint(np.concatenate([np.repeat(of_bits, sizes), of_sums])).astype(np.float32)
    return InputTransform(scale, 1.0, zero, np.ones(len(scale), bool), sums=np.repeat(numbers, sizes))


def _variances(sizes: NDArray) -> NDArray:
    """Of the bits of columns with equally frequent values: one bit of two, or k bits of k, summed."""
    return np.where(sizes == 1, 1.0, 4.0 * (1.0 - 1.0 / sizes))


def bits_alone(transform: InputTransform) -> InputTransform:
    """The same number of inputs, the sums of which are 0 and the bits -1 and +1.

    Parameters
    ----------
    transform : InputTransform
        Of :func:`transform_of_bits`.
    """
    if transform.sums is None:
        raise AssertionError("there are sums to leave out")
    is_bit = np.arange(len(transform.scale)) < len(transform.sums)
    return transform._replace(scale=is_bit.astype(np.float32), live=is_bit)
