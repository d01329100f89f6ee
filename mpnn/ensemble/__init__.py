"""The pairwise majority vote, and model files."""
