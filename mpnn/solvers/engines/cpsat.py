"""OR-Tools CP-SAT: whole numbers only, so exact; implications are its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines.base import Outcome, Report, import_solver
from mpnn.solvers.engines.model import Expression, Model
from mpnn.solvers.engines.solution import Limits

__all__ = ["CpSat"]


class CpSat:
    """Engine "cpsat"."""

    def __init__(self) -> None:
        self.cp = import_solver("ortools.sat.python.cp_model", "'cpsat' (OR-Tools)", "solvers")
        self.solver = self.cp.CpSolver()
        self.stopped = False

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve the model."""
        translated, variables = self._translate(model)
        if start is not None:
            for variable, value in zip(variables, np.round(start).astype(int).tolist(), strict=True):
                translated.add_hint(variable, value)
        self._set_parameters(limits)
        callback = self._callback(report)
        if self.stopped:
            return Outcome("none_found", None, None)
        code = self.solver.solve(translated, callback)
        status = {
            self.cp.OPTIMAL: "optimal",
            self.cp.FEASIBLE: "feasible",
            self.cp.INFEASIBLE: "infeasible",
            self.cp.UNKNOWN: "none_found",
        }.get(code)
        if status is None:
            raise ValueError(f"CP-SAT refuses the model: {translated.validate()}")
        if status in ("infeasible", "none_found"):
            return Outcome(status, None, None)
        values = np.array([self.solver.value(variable) for variable in variables], float)
        return Outcome(status, values, self.solver.best_objective_bound)

    def stop(self) -> None:
        """End the search."""
        self.stopped = True
        self.solver.stop_search()

    def _set_parameters(self, limits: Limits) -> None:
        parameters = self.solver.parameters
        parameters.max_time_in_seconds = limits.seconds
        parameters.num_workers = limits.threads
        parameters.random_seed = limits.seed
        # Ctrl-C is handled where the solve was started.
        parameters.catch_sigint_signal = False
        if limits.work is not None:
            parameters.max_deterministic_time = limits.work

    def _translate(self, model: Model) -> tuple[Any, list[Any]]:
        if not all(model.integer):
            raise ValueError("CP-SAT takes integer variables only; choose engine='highs' for continuous ones")
        translated = self.cp.CpModel()
        bounds = zip(model.lower, model.upper, strict=True)
        variables = [translated.new_int_var(int(low), int(high), "") for low, high in bounds]

        def linear(expression: Expression) -> Any:
            coefficients = np.round(expression.coefficients).astype(np.int64)
            if np.any(coefficients != expression.coefficients):
                raise ValueError("CP-SAT takes whole coefficients only; choose engine='highs' for real ones")
            terms = [variables[column] for column in expression.columns]
            return self.cp.LinearExpr.weighted_sum(terms, coefficients.tolist())

        for row in model.rows:
            lower = int(np.ceil(row.lower)) if np.isfinite(row.lower) else self.cp.INT_MIN
            upper = int(np.floor(row.upper)) if np.isfinite(row.upper) else self.cp.INT_MAX
            constraint = translated.add_linear_constraint(linear(row.expression), lower, upper)
            if row.when is not None:
                variable, value = variables[row.when[0]], row.when[1]
                constraint.only_enforce_if(variable if value else variable.Not())
        if len(model.objective.columns):
            aim = linear(model.objective)
            if model.maximised:
                translated.maximize(aim)
            else:
                translated.minimize(aim)
        return translated, variables

    def _callback(self, report: Report) -> Any:
        class Callback(self.cp.CpSolverSolutionCallback):  # type: ignore[name-defined]
            def on_solution_callback(self) -> None:
                report(self.objective_value, self.best_objective_bound)

        return Callback()
