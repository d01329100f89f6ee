"""An integer program with most variables fixed: the small one that is left, and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mpnn.solvers.engines.model import Expression, Model

__all__ = ["Restrictable", "Restriction"]

ALWAYS = -1


@dataclass(frozen=True)
class Restriction:
    """The program of some of the variables.

    Parameters
    ----------
    model : Model
        The small program.
    columns : int ndarray [variables of the small program]
        Their numbers in the whole one.
    """

    model: Model
    columns: NDArray[np.intp]

    def of(self, values: NDArray) -> NDArray:
        """Return the small program's part of an assignment of all variables."""
        return values[self.columns]

    def into(self, values: NDArray, found: NDArray) -> NDArray:
        """Return the assignment with the small program's solution in it."""
        whole = values.copy()
        whole[self.columns] = found
        return whole


class Restrictable:
    """A program in arrays, so that fixing variables costs what is left and not what there was.

    Parameters
    ----------
    model : Model
        The whole program; later changes of it are not noticed.
    """

    def __init__(self, model: Model) -> None:
        rows = model.rows
        self.model = model
        self.lower, self.upper = np.array(model.lower), np.array(model.upper)
        self.integer = np.array(model.integer, bool)
        lengths = np.array([len(row.expression.columns) for row in rows], int)
        columns = np.concatenate([row.expression.columns for row in rows] or [np.empty(0, int)])
        coefficients = np.concatenate([row.expression.coefficients for row in rows] or [np.empty(0)])
        starts = np.append(0, np.cumsum(lengths))
        self.matrix = csr_array((coefficients, columns, starts), shape=(len(rows), model.num_variables))
        self.by_column = self.matrix.tocsc()
        self.row_lower = np.array([row.lower for row in rows], float)
        self.row_upper = np.array([row.upper for row in rows], float)
        self.switch = np.array([ALWAYS if row.when is None else row.when[0] for row in rows], int)
        self.switch_value = np.array([ALWAYS if row.when is None else row.when[1] for row in rows], int)
        self.costs = np.zeros(model.num_variables)
        np.add.at(self.costs, model.objective.columns, model.objective.coefficients)

    def touching(self, free: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the rows that read a free variable, as a term or as their condition."""
        starts, ends = self.by_column.indptr[:-1][free], self.by_column.indptr[1:][free]
        pieces = [self.by_column.indices[start:end] for start, end in zip(starts, ends, strict=True)]
        switched = np.flatnonzero((self.switch != ALWAYS) & free[self.switch])
        return np.unique(np.concatenate([*pieces, switched]))

    def restrict(self, values: NDArray, free: NDArray[np.bool_]) -> Restriction:
        """Fix all but the free variables at a solution's values.

        Parameters
        ----------
        values : ndarray [num_variables]
            A solution, so that rows without free variables hold.
        free : bool ndarray [num_variables]
            Which variables stay variables.
        """
        columns = np.flatnonzero(free)
        number = np.full(len(free), -1)
        number[columns] = np.arange(len(columns))
        small = Model(
            self.lower[columns].tolist(), self.upper[columns].tolist(), self.integer[columns].tolist()
        )
        rows = self.touching(free)
        fixed = np.where(free, 0.0, values)
        shifts = self.matrix[rows] @ fixed
        for row, shift in zip(rows.tolist(), shifts.tolist(), strict=True):
            switch, value = int(self.switch[row]), int(self.switch_value[row])
            when = None
            if switch != ALWAYS:
                if free[switch]:
                    when = (int(number[switch]), value)
                elif round(values[switch]) != value:
                    continue
            start, end = self.matrix.indptr[row], self.matrix.indptr[row + 1]
            terms = self.matrix.indices[start:end]
            kept = free[terms]
            form = Expression(number[terms[kept]], self.matrix.data[start:end][kept])
            lower, upper = self.row_lower[row] - shift, self.row_upper[row] - shift
            small.add_row(form, lower=lower, upper=upper, when=when)
        aimed = np.flatnonzero(self.costs[columns])
        aim = small.maximise if self.model.maximised else small.minimise
        aim(aimed, self.costs[columns][aimed])
        return Restriction(small, columns)
