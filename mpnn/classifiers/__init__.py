"""Base classes of all classifiers: labels, seeds, predictions, and many problems over one pool."""
