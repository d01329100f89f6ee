"""Integer programming engines behind one model description.

model = Model()
weight = model.add_variables(3, -1, 1)
model.maximise(weight, [2.0, -1.0, 1.0])
solve(model, Limits(seconds=10), engine="cpsat").values
"""

from mpnn.solvers.engines.base import MissingEngineError
from mpnn.solvers.engines.driver import ENGINES, check_engine, installed_engines, solve
from mpnn.solvers.engines.model import Expression, Model, Row
from mpnn.solvers.engines.solution import STATUSES, Incumbent, Limits, Listener, Solution

__all__ = [
    "ENGINES",
    "STATUSES",
    "Expression",
    "Incumbent",
    "Limits",
    "Listener",
    "MissingEngineError",
    "Model",
    "Row",
    "Solution",
    "check_engine",
    "installed_engines",
    "solve",
]
