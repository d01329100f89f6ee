"""What networks without hidden units say of their inputs: coefficients, and shares of columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

__all__ = ["LinearView", "importances_of"]


class LinearView:
    """Adds ``coef_``, ``intercept_`` and ``feature_importances_`` to a network; hidden units have none.

    Attributes
    ----------
    coef_ : array [K, N]
        Of networks without hidden units: weights of the N inputs of ``input_transform_``, a row an output (of
        two classes one, for the second). Of tables in code they are of the bits, named by
        ``encoder_.get_feature_names_out()``, the weights of columns' sums folded in. Inputs
        that never varied in training have 0.
    intercept_ : array [K]
        Of networks without hidden units: the weights of the constant input; of tables in code less what
        was subtracted from the bits and sums.
    feature_importances_ : array [F]
        Of networks without hidden units: each column's share of the sum of ``|coef_|``, over all its bits and
        all outputs.
    """

    weights_: list[NDArray]
    biases_: list[NDArray | None] | None
    input_transform_: Any
    n_features_in_: int

    @property
    def coef_(self) -> NDArray:
        """Weights of the inputs ``[K, N]``, without hidden units."""
        weights, transform = self._only_layer("coef_"), self.input_transform_
        if getattr(transform, "sums", None) is not None:
            return transform.folded(weights).T
        return (weights * transform.live[:, None]).T

    @property
    def intercept_(self) -> NDArray:
        """What outputs are beside ``coef_`` times the inputs ``[K]``, without hidden units."""
        weights, transform = self._only_layer("intercept_"), self.input_transform_
        bias = None if self.biases_ is None else self.biases_[0]
        constant = np.zeros(weights.shape[1], np.int8) if bias is None else bias
        if getattr(self, "encoder_", None) is None:
            return constant
        offset = np.broadcast_to(transform.offset * transform.live, (len(weights),))
        return constant - np.rint(offset @ weights.astype(np.float64)).astype(np.int64)

    @property
    def feature_importances_(self) -> NDArray:
        """Shares of the columns in the sum of ``|coef_|`` ``[F]``, without hidden units."""
        self._only_layer("feature_importances_")
        return importances_of([self])

    def _only_layer(self, wanted: str) -> NDArray:
        check_is_fitted(self)
        if len(self.weights_) > 1:
            raise AttributeError(
                f"{type(self).__name__} has {wanted} without hidden units alone: set hidden=(), or use "
                "sklearn.inspection.permutation_importance"
            )
        return self.weights_[0]

    def _columns(self) -> NDArray | None:
        """Of every input, the number of the table's column that it belongs to; None: each is its own."""
        return None


def importances_of(networks: Sequence[LinearView]) -> NDArray:
    """Shares of the columns in the sum of the magnitudes of all coefficients ``[F]``; all 0 where these are.

    Parameters
    ----------
    networks : sequence of LinearView
        Fitted, without hidden units, of the same inputs.
    """
    first = networks[0]
    magnitudes = np.sum([np.abs(network.coef_.astype(float)).sum(axis=0) for network in networks], axis=0)
    columns = first._columns()
    if columns is None:
        columns = np.arange(len(magnitudes))
    sums = np.bincount(columns, magnitudes, minlength=first.n_features_in_)
    return sums / (sums.sum() or 1.0)
