"""HiGHS: mixed-integer programs; implications become rows with a big number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mpnn.solvers.engines.base import Outcome, Report, import_solver
from mpnn.solvers.engines.model import Model
from mpnn.solvers.engines.solution import Limits

__all__ = ["Highs"]


class Highs:
    """Engine "highs"."""

    def __init__(self) -> None:
        self.highspy = import_solver("highspy", "'highs' (HiGHS)", "solvers")
        self.solver = self.highspy.Highs()
        self.stopped = False

    def run(self, model: Model, limits: Limits, start: NDArray | None, report: Report) -> Outcome:
        """Solve the model."""
        self._set_options(limits)
        self.solver.passModel(self._translate(model))
        if start is not None:
            solution = self.highspy.HighsSolution()
            solution.col_value = start.tolist()
            self.solver.setSolution(solution)
        self._listen(report)
        self.solver.run()
        return self._outcome(model)

    def stop(self) -> None:
        """End the search."""
        self.stopped = True

    def _set_options(self, limits: Limits) -> None:
        if limits.work is not None:
            raise ValueError("HiGHS has no work limit; choose engine='cpsat' or 'gurobi', or leave it out")
        options: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "time_limit": limits.seconds,
            "threads": limits.threads,
            "random_seed": limits.seed,
            "mip_rel_gap": 0.0,
        }
        if limits.threads == 1:
            options["parallel"] = "off"
        for name, value in options.items():
            self.solver.setOptionValue(name, value)

    def _translate(self, model: Model) -> Any:
        rows = list(model.without_implications())
        lengths = [len(row.expression.columns) for row in rows]
        matrix = csr_array(
            (
                np.concatenate([row.expression.coefficients for row in rows] or [np.empty(0)]),
                np.concatenate([row.expression.columns for row in rows] or [np.empty(0, int)]),
                np.append(0, np.cumsum(lengths, dtype=int)),
            ),
            shape=(len(rows), model.num_variables),
        )
        program = self.highspy.HighsLp()
        program.num_col_, program.num_row_ = model.num_variables, len(rows)
        program.col_lower_, program.col_upper_ = np.array(model.lower), np.array(model.upper)
        program.row_lower_ = np.array([row.lower for row in rows], float)
        program.row_upper_ = np.array([row.upper for row in rows], float)
        costs = np.zeros(model.num_variables)
        np.add.at(costs, model.objective.columns, model.objective.coefficients)
        program.col_cost_ = -costs if model.maximised else costs
        program.a_matrix_.format_ = self.highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = matrix.indptr
        program.a_matrix_.index_ = matrix.indices
        program.a_matrix_.value_ = matrix.data
        kinds = self.highspy.HighsVarType
        program.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in model.integer]
        self.sign = -1.0 if model.maximised else 1.0
        return program

    def _listen(self, report: Report) -> None:
        def improved(event: Any) -> None:
            data = event.data_out
            report(self.sign * data.objective_function_value, self.sign * data.mip_dual_bound)

        def interrupt(event: Any) -> None:
            if self.stopped:
                event.interrupt()

        self.solver.cbMipImprovingSolution += improved
        self.solver.cbMipInterrupt += interrupt

    def _outcome(self, model: Model) -> Outcome:
        kinds = self.highspy.HighsModelStatus
        code = self.solver.getModelStatus()
        info = self.solver.getInfo()
        if code in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return Outcome("infeasible", None, None)
        if info.primal_solution_status != self.highspy.SolutionStatus.kSolutionStatusFeasible:
            return Outcome("none_found", None, None)
        values = np.array(self.solver.getSolution().col_value)
        whole = np.asarray(model.integer, bool)
        values[whole] = np.round(values[whole])
        is_program = any(model.integer)
        bound = self.sign * (info.mip_dual_bound if is_program else info.objective_function_value)
        return Outcome("optimal" if code == kinds.kOptimal else "feasible", values, bound)
