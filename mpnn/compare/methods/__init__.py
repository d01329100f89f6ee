"""The methods that a comparison can run.

`registry` names them, `contract` says what a method is; `pairwise`, `scikit_learn` and `solvers` make methods
of classifiers.
"""
