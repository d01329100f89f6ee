"""Bytes of a fitted model, by one rule: what has to be stored to predict, nothing else.

A real number is a float32; an inner node of a tree is a column, a threshold and a child. Networks with
discrete weights are the packed file, whole, with its thresholds of columns.
"""

import copy
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mpnn import PairwiseVoteClassifier
from mpnn.deploy.packed import to_bytes
from mpnn.encoders import ThermometerEncoder
from mpnn.integer_networks.lowering import lower

__all__ = ["BYTES_OF_NODE", "BYTES_OF_NUMBER", "model_bytes"]

BYTES_OF_NODE, BYTES_OF_NUMBER = 7, 4


def model_bytes(model: Pipeline, examples: Any) -> int:
    """Bytes of a pipeline of scikit-learn's, fitted; ``examples [n, F]`` show the range of inputs."""
    classifier = model[-1]
    if isinstance(classifier, RandomForestClassifier):
        return BYTES_OF_NODE * sum(tree.tree_.node_count for tree in classifier.estimators_)
    if isinstance(classifier, DecisionTreeClassifier):
        return BYTES_OF_NODE * classifier.tree_.node_count
    if isinstance(classifier, HistGradientBoostingClassifier):
        trees = (tree for trees_of_step in classifier._predictors for tree in trees_of_step)
        return BYTES_OF_NODE * sum(len(tree.nodes) for tree in trees)
    if isinstance(classifier, LogisticRegression):
        arrays = [classifier.coef_, classifier.intercept_]
    elif isinstance(classifier, SVC):
        arrays = [classifier.support_vectors_, classifier.dual_coef_, classifier.intercept_]
    elif isinstance(classifier, MLPClassifier):
        arrays = [*classifier.coefs_, *classifier.intercepts_]
    else:
        if isinstance(classifier, PairwiseVoteClassifier):  # a soft vote has the same networks
            classifier = copy.copy(classifier).set_params(vote="hard")
        whole = Pipeline([*model.steps[:-1], ("classifier", classifier)]) if len(model) > 1 else classifier
        return len(to_bytes(lower(whole, examples=examples)))
    return BYTES_OF_NUMBER * (sum(np.size(array) for array in arrays) + _thresholds(model[0]))


def _thresholds(first: Any) -> int:
    if not isinstance(first, ThermometerEncoder):
        return 0
    return sum(len(code.thresholds) for code in first.columns_)
