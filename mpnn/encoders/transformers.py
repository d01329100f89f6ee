"""Transformers of scikit-learn that turn the columns of a table into bits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    validate_data,
)

from mpnn.encoders.codes import (
    ColumnCode,
    apply_codes,
    bit_names,
    column_of_numbers,
    missing_values,
    num_bits,
)
from mpnn.encoders.tables import (
    Distinct,
    categorical_columns,
    columns_of,
    distinct_numbers,
    read_table,
    sparse_chunks,
)
from mpnn.encoders.thresholds import thresholds_of
from mpnn.validation import number, one_of, require_different_names

__all__ = ["TableEncoder", "ThermometerEncoder"]

OFF = {"sign": -1, "zero_one": 0}


class ThermometerEncoder(TransformerMixin, BaseEstimator):
    """Bits of -1 and +1 by thresholds: bit k of a column is +1 where its value reaches threshold k.

    Thresholds lie between neighbouring distinct values of the training data, all of them where there are at
    most ``num_levels``, else those nearest to the quantiles. Units, outliers and increasing maps of a column
    change nothing. Boolean columns have one bit, text and categories one a category (one-hot). A missing
    value (NaN, None, ``pd.NA``) is 0 in all bits of its column, an unknown category has all bits off. A
    column that never varied in training has no bits.

    Parameters
    ----------
    num_levels : int, default=16
        At most so many thresholds a column, >= 1.
    max_categories : int, default=32
        Of a column of text, only the most frequent categories have a bit, >= 1.
    dtype : dtype, default=int8
        Of the output: any that holds -1.

    Attributes
    ----------
    columns_ : tuple of ColumnCode
        One a column; enough to encode elsewhere, by
        :func:`mpnn.encoders.apply_codes`.
    n_features_in_, feature_names_in_ : int, ndarray
        Of the training table.

    Examples
    --------
    >>> import numpy as np
    >>> from mpnn.encoders import ThermometerEncoder
    >>> encoder = ThermometerEncoder().fit([[1.0], [2.0], [4.0]])
    >>> encoder.transform([[1.0], [3.5], [np.nan]]).tolist()
    [[-1, -1], [1, 1], [0, 0]]
    >>> encoder.get_feature_names_out().tolist()
    ['x0>=1.5', 'x0>=3.0']
    """

    def __init__(self, num_levels: int = 16, *, max_categories: int = 32, dtype: DTypeLike = np.int8) -> None:
        self.num_levels = num_levels
        self.max_categories = max_categories
        self.dtype = dtype

    def fit(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> "ThermometerEncoder":
        """Choose the bits of every column of ``X [n, F]``; y is ignored.

        Parameters
        ----------
        X : table [n, F]
            Array, list of rows, frame or sparse matrix.
        y : object, default=None
            Not used; scikit-learn passes it.
        sample_weight : array-like [n] or None, default=None
            How often each row counts, at least 0, in quantiles and frequencies; None: once.
        """
        self._check_parameters()
        table = self._read(X, reset=True)
        names, weights = self._names(), _weights_of_rows(sample_weight, X)
        if sparse.issparse(table):
            total = weights.sum()
            self.columns_ = tuple(
                self._code_of_numbers(name, _distinct_of_sparse(table, index, name, weights, total))
                for index, name in enumerate(names)
            )
        else:
            categorical = self._declared() | categorical_columns(X)
            present = weights > 0
            self.columns_ = tuple(
                self._code_of_column(name, column[present], weights[present], index in categorical)
                for index, (name, column) in enumerate(zip(names, columns_of(table), strict=True))
            )
        return self

    def transform(self, X: ArrayLike) -> NDArray:
        """Bits ``[n, K]`` of ``X [n, F]``, dense: of sparse matrices too.

        Parameters
        ----------
        X : table [n, F]
            As in :meth:`fit`.
        """
        check_is_fitted(self)
        table = self._read(X, reset=False)
        if not sparse.issparse(table):
            return apply_codes(self.columns_, table, self.dtype)
        bits = np.empty((table.shape[0], num_bits(self.columns_)), self.dtype)
        place = 0
        for start, block in sparse_chunks(table):
            codes = self.columns_[start : start + block.shape[1]]
            width = num_bits(codes)
            bits[:, place : place + width] = apply_codes(codes, block, self.dtype)
            place += width
        return bits

    def get_feature_names_out(self, input_features: Any = None) -> NDArray:
        """Names of the K bits, such as ``age>=30.5`` and ``colour=red``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None: those seen in :meth:`fit`.
        """
        check_is_fitted(self)
        if input_features is None:
            return np.asarray(bit_names(self.columns_), dtype=object)
        if np.ndim(input_features) != 1:
            raise ValueError(f"input_features must be a list of names, got {input_features!r}")
        given = [str(name) for name in input_features]
        known = getattr(self, "feature_names_in_", None)
        if known is not None and given != [str(name) for name in known]:
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(given) != self.n_features_in_:
            raise ValueError(f"input_features should have length {self.n_features_in_}, got {len(given)}")
        renamed = [replace(code, name=name) for name, code in zip(given, self.columns_, strict=True)]
        return np.asarray(bit_names(renamed), dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _check_parameters(self) -> None:
        for name in ("num_levels", "max_categories"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if _kind_of(self.dtype) not in ("i", "f"):
            raise ValueError(f"dtype must hold -1, as int8 and float32 do, got {self.dtype!r}")

    def _read(self, X: Any, *, reset: bool) -> Any:
        require_different_names(X)
        table = read_table(X)
        validate_data(self, X, reset=reset, skip_check_array=True)
        return table

    def _names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{i}" for i in range(self.n_features_in_)] if names is None else [str(n) for n in names]

    def _code_of_column(
        self, name: str, column: NDArray, weights: NDArray, is_categorical: bool
    ) -> ColumnCode:
        """Numbers by thresholds, all else by categories."""
        if is_categorical or _holds_text(name, column):
            return self._code_of_categories(name, column, weights)
        return self._code_of_numbers(name, distinct_numbers(column_of_numbers(name, column), weights))

    def _code_of_numbers(self, name: str, distinct: Distinct) -> ColumnCode:
        return ColumnCode(name, "thermometer", thresholds_of(*distinct, self.num_levels))

    def _code_of_categories(self, name: str, column: NDArray, weights: NDArray) -> ColumnCode:
        """One bit for each of the most frequent categories; none for a constant column."""
        there = ~missing_values(column)
        counts: dict[Any, float] = {}
        for value, weight in zip(map(_plain, column[there].tolist()), weights[there].tolist(), strict=True):
            counts[value] = counts.get(value, 0) + weight
        if len(counts) < 2:
            return ColumnCode(name, "categories", off=self._off())
        order = sorted(counts, key=lambda value: (-counts[value], str(value)))[: self.max_categories]
        return ColumnCode(name, "categories", categories=tuple(sorted(order, key=str)), off=self._off())

    def _declared(self) -> set[int]:
        """Numbers of the columns that were declared categories."""
        return set()

    def _off(self) -> int:
        """Value of a category's bit that is off."""
        return OFF["sign"]


class TableEncoder(ThermometerEncoder):
    """A code for every column by its kind: thresholds for numbers, one bit a category for all else.

    As :class:`ThermometerEncoder`, but columns of numbers may be declared categories, and the bits of
    categories are 0 and 1 if wanted.

    Parameters
    ----------
    num_levels : int, default=16
        As of :class:`ThermometerEncoder`.
    max_categories : int, default=32
        As of :class:`ThermometerEncoder`.
    categorical_features : sequence of names or of numbers of columns, default=None
        Columns of numbers that are categories. Text and ``category`` columns always are.
    indicators : {"sign", "zero_one"}, default="sign"
        Bits of categories: -1 and +1, or 0 and 1.
    dtype : dtype, default=int8
        As of :class:`ThermometerEncoder`.
    """

    def __init__(
        self,
        num_levels: int = 16,
        *,
        max_categories: int = 32,
        categorical_features: Sequence[Any] | None = None,
        indicators: str = "sign",
        dtype: DTypeLike = np.int8,
    ) -> None:
        super().__init__(num_levels, max_categories=max_categories, dtype=dtype)
        self.categorical_features = categorical_features
        self.indicators = indicators

    def _check_parameters(self) -> None:
        super()._check_parameters()
        one_of("indicators", self.indicators, OFF)

    def _declared(self) -> set[int]:
        """Numbers of the columns that were declared categories."""
        names, declared = self._names(), set()
        declared_features = () if self.categorical_features is None else self.categorical_features
        if not isinstance(declared_features, Sequence | np.ndarray) or np.ndim(declared_features) != 1:
            text = "categorical_features must be a list of names or numbers of columns"
            raise ValueError(f"{text}, got {declared_features!r}")
        for given in declared_features:
            if isinstance(given, str):
                if given not in names:
                    raise ValueError(f"categorical_features names no column: {given!r}")
                declared.add(names.index(given))
            else:
                place = number(given)
                if not place.is_integer() or not -len(names) <= place < len(names):
                    raise ValueError(f"categorical_features has no column {given!r} of {len(names)}")
                declared.add(int(given) % len(names))
        return declared

    def _off(self) -> int:
        return OFF[self.indicators]


def _kind_of(dtype: Any) -> str:
    """Kind of a type of numbers; empty for what is none."""
    try:
        return np.dtype(dtype).kind
    except (TypeError, ValueError):
        return ""


def _weights_of_rows(sample_weight: ArrayLike | None, X: Any) -> NDArray:
    """How often rows count ``[n]``: whole numbers where they are, so that nothing is rounded."""
    if sample_weight is None:
        return np.ones(_num_samples(X), np.int64)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not np.any(weights > 0):
        raise ValueError("sample_weight is 0 for all samples: at least one must be above 0")
    return weights.astype(np.int64) if np.all(weights == np.floor(weights)) else weights


def _distinct_of_sparse(
    table: sparse.csc_matrix, index: int, name: str, weights: NDArray, total: Any
) -> Distinct:
    """Of one column; ``total`` is the sum of all weights."""
    stored = slice(table.indptr[index], table.indptr[index + 1])
    own = weights[table.indices[stored]]
    numbers = column_of_numbers(name, table.data[stored])
    distinct = distinct_numbers(numbers, own, total - own.sum())
    counted = distinct.counts > 0
    return Distinct(distinct.values[counted], distinct.counts[counted])


def _holds_text(name: str, column: NDArray) -> bool:
    """Whether a column is text; a mixture is refused."""
    if column.dtype.kind != "O":
        return column.dtype.kind in "UST"
    kinds = set(map(type, column[~missing_values(column)]))
    is_text = [issubclass(kind, (str, bytes)) for kind in kinds]
    if any(is_text) and not all(is_text):
        raise ValueError(
            f"column {name!r} holds both text and other values: make all of them text or numbers"
        )
    return any(is_text)


def _plain(value: Any) -> Any:
    """NumPy scalars as Python's, so that a code can be written as JSON."""
    return value.item() if isinstance(value, np.generic) else value
