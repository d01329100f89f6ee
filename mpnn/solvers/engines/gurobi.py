"""Gurobi: commercial; the licence that comes from PyPI solves models of up to 2000 variables and rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines.base import Outcome, Report, import_solver
from mpnn.solvers.engines.model import Expression, Model
from mpnn.solvers.engines.solution import Limits

__all__ = ["Gurobi"]


class Gurobi:
    """Engine "gurobi"."""

    def __init__(self) -> None:
        self.gurobi = import_solver("gurobipy", "'gurobi' (gurobipy)", "gurobi")
        self.solver: Any = None

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve the model."""
        try:
            with self.gurobi.Env(params={"OutputFlag": 0}) as env, self.gurobi.Model(env=env) as solver:
                self.solver = solver
                return self._run(model, limits, start, report)
        except self.gurobi.GurobiError as error:
            if error.errno == self.gurobi.GRB.Error.SIZE_LIMIT_EXCEEDED:
                raise ValueError(
                    f"the model has {model.num_variables} variables and {len(model.rows)} rows, more than "
                    "the installed Gurobi licence allows (2000 of each): install a full licence, or choose "
                    "engine='cpsat' or 'highs'"
                ) from error
            raise RuntimeError(f"Gurobi failed: {error}") from error
        finally:
            self.solver = None

    def stop(self) -> None:
        """End the search."""
        if self.solver is not None:
            self.solver.terminate()

    def _run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        solver = self.solver
        solver.Params.TimeLimit = limits.seconds
        solver.Params.Threads = limits.threads
        solver.Params.Seed = limits.seed
        solver.Params.MIPGap = 0.0
        # A big number times this must stay below 1, else a binary variable leaks.
        solver.Params.IntFeasTol = 1e-9
        if limits.work is not None:
            solver.Params.WorkLimit = limits.work
        variables = self._translate(model)
        if start is not None:
            variables.Start = start
        solver.optimize(self._callback(report))
        return self._outcome(model, variables)

    def _translate(self, model: Model) -> Any:
        solver, symbols = self.solver, self.gurobi.GRB
        kinds = np.where(model.integer, symbols.INTEGER, symbols.CONTINUOUS)
        kinds[sorted({row.when[0] for row in model.rows if row.when is not None})] = symbols.BINARY
        variables = solver.addMVar(model.num_variables, lb=model.lower, ub=model.upper, vtype=kinds)
        flat = variables.tolist()

        def linear(expression: Expression) -> Any:
            return self.gurobi.LinExpr(
                expression.coefficients.tolist(), [flat[column] for column in expression.columns]
            )

        for row in model.rows:
            left = linear(row.expression)
            for side, sense in ((row.lower, symbols.GREATER_EQUAL), (row.upper, symbols.LESS_EQUAL)):
                if not np.isfinite(side):
                    continue
                if row.when is None:
                    solver.addLConstr(left, sense, side)
                else:
                    solver.addGenConstrIndicator(flat[row.when[0]], bool(row.when[1]), left, sense, side)
        direction = symbols.MAXIMIZE if model.maximised else symbols.MINIMIZE
        solver.setObjective(linear(model.objective), direction)
        return variables

    def _callback(self, report: Report) -> Any:
        where_found = self.gurobi.GRB.Callback.MIPSOL
        objective, bound = self.gurobi.GRB.Callback.MIPSOL_OBJ, self.gurobi.GRB.Callback.MIPSOL_OBJBND

        def callback(solver: Any, where: int) -> None:
            if where == where_found:
                report(solver.cbGet(objective), solver.cbGet(bound))

        return callback

    def _outcome(self, model: Model, variables: Any) -> Outcome:
        solver, symbols = self.solver, self.gurobi.GRB
        if solver.Status in (symbols.INFEASIBLE, symbols.INF_OR_UNBD):
            return Outcome("infeasible", None, None)
        if solver.SolCount == 0:
            return Outcome("none_found", None, None)
        values = variables.X.copy()
        whole = np.asarray(model.integer, bool)
        values[whole] = np.round(values[whole])
        bound = solver.ObjBound if solver.IsMIP else solver.ObjVal
        return Outcome("optimal" if solver.Status == symbols.OPTIMAL else "feasible", values, bound)
