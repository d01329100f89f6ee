"""A small description of an integer program, the same for every engine."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Expression", "Model", "Row"]

FEASIBILITY_TOLERANCE = 1e-6
INTEGRALITY_TOLERANCE = 1e-5


class Expression(NamedTuple):
    """A linear form of the variables.

    Parameters
    ----------
    columns : int ndarray [terms]
        The variables' numbers, each once.
    coefficients : ndarray [terms]
        Their coefficients.
    """

    columns: NDArray
    coefficients: NDArray

    def plus(self, columns: ArrayLike, coefficients: ArrayLike) -> "Expression":
        """Return the sum with further terms.

        Parameters
        ----------
        columns : array-like of int
            Numbers of variables that are new to the form.
        coefficients : array-like
            Their coefficients, one for each or one for all.
        """
        columns = np.atleast_1d(columns)
        more = np.broadcast_to(coefficients, columns.shape)
        return Expression(np.append(self.columns, columns), np.append(self.coefficients, more))

    def times(self, factor: float) -> "Expression":
        """Return the form times a number.

        Parameters
        ----------
        factor : float
            The number.
        """
        return Expression(self.columns, self.coefficients * factor)


class Row(NamedTuple):
    """`lower <= expression <= upper`, always or only where a binary variable has a value.

    Parameters
    ----------
    expression : Expression
        The linear form.
    lower, upper : float
        Its bounds; infinite where there is none.
    when : pair of int or None, default=None
        Number of the binary variable and its value, 0 or 1; None for a row that always holds.
    big_m : float or None, default=None
        What an engine without implications relaxes the row by; None for the least valid number.
    """

    expression: Expression
    lower: float
    upper: float
    when: tuple[int, int] | None = None
    big_m: float | None = None


@dataclass
class Model:
    """Bounded variables, linear rows, implications and a linear objective.

    Variables are numbered in the order in which they are added; a solution is an array of their values.

    Parameters
    ----------
    lower, upper : list of float
        Bounds of each variable, finite.
    integer : list of bool
        Which variables are whole.
    rows : list of Row
        The constraints.
    objective : Expression
        The linear form that is optimised; without terms, any solution will do.
    maximised : bool, default=False
        Whether the objective is to be large rather than small.
    """

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    objective: Expression = Expression(np.empty(0, np.intp), np.empty(0))
    maximised: bool = False

    @property
    def num_variables(self) -> int:
        """How many variables there are."""
        return len(self.lower)

    def add_variables(
        self, shape: int | tuple[int, ...], lower: float, upper: float, *, integer: bool = True
    ) -> NDArray[np.intp]:
        """Add an array of variables; return their numbers in that shape.

        Parameters
        ----------
        shape : int or tuple of int
            Shape of the array.
        lower, upper : float
            Bounds, finite.
        integer : bool, default=True
            Whether the variables are whole.
        """
        if not (np.isfinite(lower) and np.isfinite(upper) and lower <= upper):
            raise ValueError(f"bounds must be finite and ordered, got {lower} and {upper}")
        count = int(np.prod(shape))
        first = self.num_variables
        self.lower += [float(lower)] * count
        self.upper += [float(upper)] * count
        self.integer += [integer] * count
        return np.arange(first, first + count).reshape(shape)

    def add_row(
        self,
        expression: Expression,
        *,
        lower: float = -np.inf,
        upper: float = np.inf,
        when: tuple[int, int] | None = None,
        big_m: float | None = None,
    ) -> None:
        """Demand `lower <= expression <= upper`.

        Parameters
        ----------
        expression : Expression
            The linear form.
        lower : float
            Lower bound; minus infinity: none.
        upper : float
            Upper bound; infinity: none.
        when : pair of int or None, default=None
            Number of a binary variable and the value for which the row holds; None: it always does.
        big_m : float or None, default=None
            What an engine without implications relaxes the row by; None: the least valid number.
        """
        if len(expression.columns):
            self.rows.append(Row(expression, float(lower), float(upper), when, big_m))
        elif not lower <= 0.0 <= upper:
            self._forbid(when)

    def fix(self, variables: ArrayLike, values: ArrayLike) -> None:
        """Give variables one possible value.

        Parameters
        ----------
        variables : array-like of int
            Numbers of the variables.
        values : array-like
            Their values, one for each or one for all.
        """
        variables = np.atleast_1d(variables).ravel()
        for variable, value in zip(variables, np.broadcast_to(values, variables.shape), strict=True):
            self.lower[variable] = self.upper[variable] = float(value)

    def confine(self, variables: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> None:
        """Tighten the bounds of variables.

        Parameters
        ----------
        variables : array-like of int
            Numbers of the variables.
        lower, upper : array-like
            The bounds that hold beside the present ones.
        """
        variables = np.atleast_1d(variables).ravel()
        for place, low, high in zip(variables, np.ravel(lower), np.ravel(upper), strict=True):
            self.lower[place] = max(self.lower[place], float(low))
            self.upper[place] = min(self.upper[place], float(high))

    def maximise(self, columns: ArrayLike, coefficients: ArrayLike = 1.0) -> None:
        """Set the objective, to be as large as possible.

        Parameters
        ----------
        columns : array-like of int
            Numbers of the variables.
        coefficients : array-like, default=1.0
            Their coefficients, one for each or one for all.
        """
        self._aim(columns, coefficients, maximised=True)

    def minimise(self, columns: ArrayLike, coefficients: ArrayLike = 1.0) -> None:
        """Set the objective, to be as small as possible.

        Parameters
        ----------
        columns : array-like of int
            Numbers of the variables.
        coefficients : array-like, default=1.0
            Their coefficients, one for each or one for all.
        """
        self._aim(columns, coefficients, maximised=False)

    def value(self, values: NDArray) -> float:
        """Return the objective of a solution.

        Parameters
        ----------
        values : ndarray [num_variables]
            Value of each variable.
        """
        return float(values[self.objective.columns] @ self.objective.coefficients)

    def accepts(self, values: NDArray) -> bool:
        """Whether an assignment of all variables meets bounds, integrality and rows.

        Parameters
        ----------
        values : ndarray [num_variables]
            Value of each variable.
        """
        if len(values) != self.num_variables or not np.all(np.isfinite(values)):
            return False
        slack = FEASIBILITY_TOLERANCE * np.maximum(1.0, np.abs(values))
        if np.any(values < self.lower - slack) or np.any(values > self.upper + slack):
            return False
        whole = values[np.asarray(self.integer, bool)]
        if np.any(np.abs(whole - np.round(whole)) > INTEGRALITY_TOLERANCE):
            return False
        return all(self._holds(row, values) for row in self.rows)

    def without_implications(self) -> Iterator[Row]:
        """Yield the rows, each implication as one or two rows with a big number (big-M).

        Where the row gives no number of its own, it is the least valid one, from the bounds of the
        variables in the row: for pixels, the sum over one image rather than one bound for all.
        """
        for row in self.rows:
            if row.when is None:
                yield row
                continue
            least, largest = self._range(row.expression)
            variable, value = row.when
            if np.isfinite(row.lower) and row.lower > least:
                slack = row.lower - least if row.big_m is None else row.big_m
                yield _relaxed(row.expression, variable, value, -slack, lower=row.lower)
            if np.isfinite(row.upper) and row.upper < largest:
                slack = largest - row.upper if row.big_m is None else row.big_m
                yield _relaxed(row.expression, variable, value, slack, upper=row.upper)

    def linearised(self) -> "Model":
        """Return the same program without implications."""
        return replace(self, rows=list(self.without_implications()))

    def _range(self, expression: Expression) -> tuple[float, float]:
        columns, coefficients = expression
        at_lower = coefficients * np.array([self.lower[column] for column in columns])
        at_upper = coefficients * np.array([self.upper[column] for column in columns])
        return float(np.minimum(at_lower, at_upper).sum()), float(np.maximum(at_lower, at_upper).sum())

    def _holds(self, row: Row, values: NDArray) -> bool:
        if row.when is not None and round(values[row.when[0]]) != row.when[1]:
            return True
        terms = values[row.expression.columns] * row.expression.coefficients
        slack = FEASIBILITY_TOLERANCE * max(1.0, float(np.abs(terms).sum()))
        return row.lower - slack <= terms.sum() <= row.upper + slack

    def _forbid(self, when: tuple[int, int] | None) -> None:
        """An empty row that cannot hold: its condition must not."""
        if when is None:
            raise ValueError("a row without variables can never hold: the model is infeasible")
        variable, value = when
        self.rows.append(Row(Expression(np.array([variable]), np.ones(1)), 1.0 - value, 1.0 - value))

    def _aim(self, columns: ArrayLike, coefficients: ArrayLike, *, maximised: bool) -> None:
        columns = np.asarray(columns).ravel()
        factors = np.broadcast_to(np.asarray(coefficients, float), columns.shape)
        self.objective, self.maximised = Expression(columns, factors), maximised


def _relaxed(
    expression: Expression,
    variable: int,
    value: int,
    slack: float,
    *,
    lower: float = -np.inf,
    upper: float = np.inf,
) -> Row:
    """Loosen a bound by `slack` (negative: below) unless the binary variable has the value.

    For value 1: expression + slack * variable against bound + slack; for value 0: expression - slack *
    variable against the bound.
    """
    sign = 1.0 if value else -1.0
    shift = slack if value else 0.0
    return Row(expression.plus(variable, sign * slack), lower + shift, upper + shift)
