"""The methods that a comparison can run.

`registry` names them, `contract` defines a method; `pairwise`, `scikit_learn` and `solvers` make methods
of classifiers.
"""
