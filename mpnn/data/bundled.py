"""The data sets that come with scikit-learn."""

import numpy as np

from mpnn.data.formats import Arrays


def read_bundled(name: str) -> Arrays:
    """Return digits, breast_cancer, iris or wine, split 70/30.

    The split is `train_test_split(test_size=0.3, random_state=0, stratify=y)` of scikit-learn. digits
    comes as uint8 [n, 8, 8] with values 0..16, the tables as float64.
    """
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    bunch = getattr(datasets, f"load_{name}")()
    x = bunch.images.astype(np.uint8) if name == "digits" else bunch.data
    y = bunch.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    names = None if name == "digits" else tuple(str(feature) for feature in bunch.feature_names)
    return Arrays(x_train, y_train, x_test, y_test, names)
