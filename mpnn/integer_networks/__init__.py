"""Networks in whole numbers: read from fitted classifiers, evaluated without compilation. NumPy only."""
