"""SCIP: mixed-integer programs with indicator constraints."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines.base import Outcome, Report, import_solver
from mpnn.solvers.engines.model import Expression, Model
from mpnn.solvers.engines.solution import Limits

__all__ = ["Scip"]


class Scip:
    """Engine "scip"."""

    def __init__(self) -> None:
        self.scip = import_solver("pyscipopt", "'scip' (PySCIPOpt)", "scip")
        self.solver = self.scip.Model()

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve the model."""
        if limits.work is not None:
            raise ValueError("SCIP has no work limit; choose engine='cpsat' or 'gurobi', or leave it out")
        solver = self.solver
        solver.hideOutput()
        solver.setParam("limits/time", limits.seconds)
        solver.setParam("randomization/randomseedshift", limits.seed)
        # Ctrl-C is handled where the solve was started.
        solver.setParam("misc/catchctrlc", False)
        variables = self._translate(model)
        if start is not None:
            given = solver.createSol()
            for variable, value in zip(variables, start.tolist(), strict=True):
                solver.setSolVal(given, variable, value)
            solver.addSol(given)
        self._listen(report)
        solver.optimizeNogil()
        return self._outcome(model, variables)

    def stop(self) -> None:
        """End the search."""
        self.solver.interruptSolve()

    def _translate(self, model: Model) -> list[Any]:
        solver = self.solver
        kinds = ["I" if whole else "C" for whole in model.integer]
        binary = {row.when[0] for row in model.rows if row.when is not None}
        for variable in binary:
            kinds[variable] = "B"
        bounds = zip(model.lower, model.upper, kinds, strict=True)
        variables = [solver.addVar(lb=low, ub=high, vtype=kind) for low, high, kind in bounds]

        def linear(expression: Expression) -> Any:
            terms = zip(expression.columns, expression.coefficients.tolist(), strict=True)
            return self.scip.quicksum(factor * variables[column] for column, factor in terms)

        for row in model.rows:
            left = linear(row.expression)
            if row.when is None:
                if row.lower == row.upper:
                    solver.addCons(left == row.lower)
                    continue
                if np.isfinite(row.lower):
                    solver.addCons(left >= row.lower)
                if np.isfinite(row.upper):
                    solver.addCons(left <= row.upper)
                continue
            variable, value = variables[row.when[0]], bool(row.when[1])
            if np.isfinite(row.lower):
                solver.addConsIndicator(-left <= -row.lower, variable, activeone=value)
            if np.isfinite(row.upper):
                solver.addConsIndicator(left <= row.upper, variable, activeone=value)
        sense = "maximize" if model.maximised else "minimize"
        solver.setObjective(linear(model.objective), sense)
        return variables

    def _listen(self, report: Report) -> None:
        events = self.scip.SCIP_EVENTTYPE

        class Handler(self.scip.Eventhdlr):  # type: ignore[name-defined]
            def eventinit(self) -> None:
                self.model.catchEvent(events.BESTSOLFOUND, self)

            def eventexit(self) -> None:
                self.model.dropEvent(events.BESTSOLFOUND, self)

            def eventexec(self, event: Any) -> None:
                best = self.model.getBestSol()
                report(self.model.getSolObjVal(best), self.model.getDualbound())

        self.solver.includeEventhdlr(Handler(), "incumbents", "reports better solutions")

    def _outcome(self, model: Model, variables: list[Any]) -> Outcome:
        status = self.solver.getStatus()
        if status == "infeasible":
            return Outcome("infeasible", None, None)
        if self.solver.getNSols() == 0:
            return Outcome("none_found", None, None)
        best = self.solver.getBestSol()
        values = np.array([self.solver.getSolVal(best, variable) for variable in variables])
        whole = np.asarray(model.integer, bool)
        values[whole] = np.round(values[whole])
        return Outcome("optimal" if status == "optimal" else "feasible", values, self.solver.getDualbound())
