"""Networks that a search begins with: weights, a classifier's, or what linear programming finds."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mpnn.solvers.formulation import Weights
from mpnn.solvers.integer_inputs import IntegerInputs
from mpnn.solvers.linear_start import one_against_rest
from mpnn.solvers.neighbourhoods import Moments

__all__ = ["by_linear_programming", "fitted_source", "given_layers", "given_moments", "starting_network"]


def by_linear_programming(source: Any) -> bool:
    """Whether a warm start is to be computed rather than given; refuses names that mean nothing."""
    if isinstance(source, str) and source != "lp_rounding":
        raise ValueError(f"warm_start must be 'lp_rounding', None, weights or a classifier, got {source!r}")
    return isinstance(source, str)


def fitted_source(source: Any, inputs: NDArray, labels: NDArray, random_state: Any) -> Any:
    """Return a warm start whose classifier, if it is one, is fitted.

    A classifier that has no `weights_` yet is cloned and fitted on the same samples, with the given random
    state unless it has one of its own.

    Parameters
    ----------
    source : list of ndarray, classifier, None or False
        A warm start.
    inputs : ndarray [n, features]
        The samples.
    labels : ndarray [n]
        Their labels.
    random_state : int, RandomState or None
        Seed of a classifier that is fitted here.
    """
    if not hasattr(source, "fit") or hasattr(source, "weights_"):
        return source
    model = clone(source)
    if "random_state" in model.get_params() and model.random_state is None:
        model.set_params(random_state=random_state)
    return model.fit(inputs, labels)


def given_layers(source: Any, widths: Sequence[int], live: NDArray[np.bool_]) -> tuple[NDArray, ...] | None:
    """Return layers [in, out] from a list of arrays or a fitted classifier; None without a warm start.

    Parameters
    ----------
    source : list of ndarray, classifier, None or False
        Has weights for all features, where the network has them for the live ones.
    widths : sequence of int
        Widths of the network, the live inputs first.
    live : bool ndarray [features]
        Which inputs are live.
    """
    if source is None or source is False:
        return None
    given = getattr(source, "weights_", source)
    if not isinstance(given, list | tuple):
        raise ValueError(f"warm_start must be 'lp_rounding', None, weights or a classifier, got {source!r}")
    layers = [_whole_layer(layer) for layer in given]
    shapes, wanted = [layer.shape for layer in layers], [*pairwise((len(live), *widths[1:]))]
    if shapes != wanted:
        raise ValueError(f"warm_start must have layers of shapes {wanted}, got {shapes}")
    return (layers[0][live], *layers[1:])


def _whole_layer(layer: Any) -> NDArray[np.int64]:
    """An array of whole numbers."""
    found = np.asarray(layer)
    if found.dtype.kind not in "iufb" or not np.array_equal(found, np.trunc(found)):
        raise ValueError(
            f"warm_start must have whole weights, got {found.dtype} {found.ravel()[:3].tolist()}"
        )
    return found.astype(np.int64)


def given_moments(source: Any, live: NDArray[np.bool_]) -> list[Moments] | None:
    """Return a classifier's beliefs about the weights of live inputs; None where it has none.

    Parameters
    ----------
    source : object
        A fitted classifier with `weight_moments_`, pairs (mean, variance) of arrays [in, out], has beliefs.
    live : bool ndarray [features]
        Which inputs are live.
    """
    given = getattr(source, "weight_moments_", None)
    if given is None:
        return None
    first, *above = (Moments(*map(np.asarray, layer)) for layer in given)
    return [Moments(first.mean[live], first.variance[live]), *above]


def starting_network(
    source: Any,
    transform: IntegerInputs,
    inputs: NDArray,
    codes: NDArray,
    widths: tuple[int, ...],
    levels: int,
    random_state: Any,
) -> Weights | None:
    """Return the network that a multi-class method starts from, its biases 0.

    Parameters
    ----------
    source : str, None, list of ndarray or classifier
        "lp_rounding", or as in `given_layers`.
    transform : IntegerInputs
        The input transform.
    inputs : ndarray [n, features]
        The samples.
    codes : ndarray [n]
        Class numbers.
    widths : tuple of int
        Widths of the network, the live inputs first.
    levels : int from 1 to 127
        P of the weights {-P..P}.
    random_state : int, RandomState or None
        Seed of a classifier that is fitted here.
    """
    if by_linear_programming(source):
        return one_against_rest(transform(inputs)[:, transform.live], codes, widths, levels, transform.unit)
    layers = given_layers(fitted_source(source, inputs, codes, random_state), widths, transform.live)
    if layers is None:
        return None
    return Weights(layers, tuple(np.zeros(width, np.int64) for width in widths[1:]), transform.unit)
