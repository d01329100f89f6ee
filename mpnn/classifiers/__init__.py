"""What classifiers of all families share: labels, seeds, predictions, and many problems over one pool."""
