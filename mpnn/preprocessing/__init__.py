"""Transforms of inputs: scaling and augmentation."""
