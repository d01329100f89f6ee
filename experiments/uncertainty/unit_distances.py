"""How far what a network's hidden units say lies from what they say for training images.

The units of all hidden layers together, for each class a Gaussian with the covariance that all classes share
(Lee et al. 2018); nothing is to be chosen. The distance of an image is that to the nearest class, in units of
that covariance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf


class KnownUnits(NamedTuple):
    """Centres ``[C, U]`` of the classes, and what whitens units: ``units @ whitening``, ``[U, U]``."""

    centres: NDArray
    whitening: NDArray


def known_units(units: NDArray, classes: NDArray) -> KnownUnits:
    """Of training images: units ``[n, U]`` and class numbers ``[n]``, of which each occurs.

    The covariance is shrunk (Ledoit and Wolf), since units that never change leave it without an inverse.
    """
    centres = np.stack([units[classes == each].mean(axis=0) for each in range(classes.max() + 1)])
    within = LedoitWolf(assume_centered=True).fit(units - centres[classes])
    return KnownUnits(centres, np.linalg.cholesky(within.precision_))


def squared_distances(known: KnownUnits, units: NDArray) -> NDArray:
    """To the nearest class, ``[n]``, of units ``[n, U]``."""
    whitened = (each @ known.whitening for each in (units, known.centres))
    return cdist(*whitened, "sqeuclidean").min(axis=1)
