"""Small problems, each fitted in milliseconds once its program is compiled."""

import numpy as np

__all__ = ["blobs"]


def blobs(num_classes, per_class=12, num_features=8, seed=0):
    """Gaussian clouds around random centres, shuffled: inputs ``[n, features]`` and class numbers ``[n]``."""
    generator = np.random.default_rng(seed)
    centres = 2.0 * generator.normal(size=(num_classes, num_features))
    codes = generator.permutation(np.repeat(np.arange(num_classes), per_class))
    return centres[codes] + generator.normal(size=(len(codes), num_features)), codes
