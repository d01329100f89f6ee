"""The jobs of a comparison, fitted and scored: `engine` runs them.

`jobs` lists what to fit, `fitting` makes a row of a job; `workers` and `cluster` run jobs in other
processes; `robustness` scores disturbed inputs.
"""
