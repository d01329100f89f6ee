"""Scikit-learn estimators: one network, and the pairwise majority-vote ensemble of any binary classifiers."""

from mpnn.estimators.ensemble import PairwiseVoteClassifier
from mpnn.estimators.message_passing import MessagePassingClassifier
from mpnn.estimators.models import load_model, save_model

__all__ = ["MessagePassingClassifier", "PairwiseVoteClassifier", "load_model", "save_model"]
