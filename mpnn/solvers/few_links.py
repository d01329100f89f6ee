"""One ternary neuron with few links: margins on samples and moved copies, and agreement with beliefs."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, vstack

from mpnn.solvers.base import BinaryNetworkMixin, SolverClassifier
from mpnn.solvers.engines import Expression, Limits, Model, Solution, solve
from mpnn.solvers.formulation import Weights
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import shown_progress
from mpnn.solvers.warm_starts import fitted_source, given_moments
from mpnn.validation import check_parameters

__all__ = ["FewLinksClassifier", "moved_copies"]


class FewLinksClassifier(BinaryNetworkMixin, SolverClassifier):
    """The sign of one weighted sum with at most a share of the links, weights {-1, 0, 1}, no bias.

    With K links allowed, the program is ``min mean_k max(0, t - y_k x_k.w) - b m.w`` over all samples x_k
    and, of images, their copies moved by a pixel; m are the means of the weights under given beliefs. A
    ternary vector of K links has norm sqrt(K), so t is a true margin, and a change of every input by e moves
    the sum by e K at most. The linear relaxation leaves few weights open; rounded, it is the start.

    Parameters
    ----------
    links : float in (0, 1], default=0.1
        Largest share of all weights that are not 0.
    margin : float > 0, default=0.1
        t as a share of the norm of a sample times sqrt(K).
    agreement : float >= 0, default=0.02
        b in units of the norm of a sample over the norm of m.
    beliefs : classifier or None, default=None
        Has `weight_moments_` of a single layer, such as `MessagePassingClassifier(())`; if unfitted, a clone
        is fitted on the same samples and copies. None: b is 0.
    image_shape : sequence of int or None, default=None
        Height and width of images, which are also moved by one pixel in eight directions; None: no copies.
    time_limit : float > 0, default=1.0
        Seconds of the integer program, after the relaxation.
    engine : str, default="highs"
        ``"highs"``, ``"scip"`` or ``"gurobi"``: the program has real coefficients.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``, see :func:`mpnn.solvers.integer_inputs.integer_inputs`.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; a sum of 0 votes for the second.
    weights_ : list of int8 ndarray [features, 1]
        The weights, one array.
    solution_ : Solution
        Status, bound and gap of the integer program.
    """

    def __init__(
        self,
        links: float = 0.1,
        *,
        margin: float = 0.1,
        agreement: float = 0.02,
        beliefs: Any = None,
        image_shape: Sequence[int] | None = None,
        time_limit: float = 1.0,
        engine: str = "highs",
        input_scaling: str = "raw",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.links = links
        self.margin = margin
        self.agreement = agreement
        self.beliefs = beliefs
        self.image_shape = image_shape
        self.time_limit = time_limit
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "FewLinksClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.
        """
        check_parameters(self.get_params(deep=False), CHECKS)
        if self.engine == "cpsat":
            raise ValueError("engine must be 'highs', 'scip' or 'gurobi' for real coefficients, got 'cpsat'")
        inputs, codes = self._encode(X, y)
        num_features = inputs.shape[1]
        if self.image_shape is not None and prod(self.image_shape) != num_features:
            raise ValueError(f"image_shape must hold {num_features} pixels, got {tuple(self.image_shape)}")
        if self.image_shape is not None:
            inputs = moved_copies(inputs, self.image_shape)
            codes = np.tile(codes, len(inputs) // len(codes))
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = self.input_transform_.live
        samples = self.input_transform_(inputs)[:, live].astype(float)
        norm = np.linalg.norm(samples, axis=1).mean() or 1.0
        signed = (2 * codes - 1)[:, None] * samples / norm
        most = max(1, int(self.links * inputs.shape[1]))
        costs = -self.agreement * self._direction(inputs, codes, live)
        target = self.margin * np.sqrt(most)
        start = _rounded_relaxation(signed, target, costs, most)
        self.solution_, weights = self._solve(signed, target, costs, most, start)
        self._publish(Weights((weights[:, None],)))
        return self

    def _direction(self, inputs: NDArray, codes: NDArray, live: NDArray) -> NDArray:
        """Return the mean weights of the live inputs under the beliefs, scaled to norm 1; zeros without."""
        if self.beliefs is None:
            return np.zeros(int(live.sum()))
        source = fitted_source(self.beliefs, inputs, self.classes_[codes], self.random_state)
        moments = given_moments(source, live)
        if moments is None or moments[0].mean.shape != (int(live.sum()), 1):
            raise ValueError(
                f"beliefs must be a classifier with weight_moments_ of one layer [features, 1], got {source}"
            )
        mean = moments[0].mean[:, 0].astype(float)
        return mean / (np.linalg.norm(mean) or 1.0)

    def _solve(
        self, signed: NDArray, target: float, costs: NDArray, most: int, start: NDArray
    ) -> tuple[Solution, NDArray]:
        count, features = signed.shape
        model = Model()
        weights = model.add_variables(features, -1, 1)
        used = model.add_variables(features, 0, 1)
        reach = float(np.abs(signed).sum(axis=1).max()) + target
        missed = model.add_variables(count, 0, reach, integer=False)
        for weight, switch in zip(weights, used, strict=True):
            pair = np.array([weight, switch])
            model.add_row(Expression(pair, np.array([1.0, -1.0])), upper=0.0)
            model.add_row(Expression(pair, np.array([1.0, 1.0])), lower=0.0)
        model.add_row(Expression(used, np.ones(features)), upper=most)
        for row, short in zip(signed, missed, strict=True):
            seen = np.flatnonzero(row)
            form = Expression(weights[seen], row[seen]).plus(int(short), 1.0)
            model.add_row(form, lower=target)
        model.minimise(np.concatenate([weights, missed]), np.append(costs, np.full(count, 1.0 / count)))
        short = np.maximum(0.0, target - signed @ start)
        values = np.concatenate([start, start != 0, short]).astype(float)
        limits = Limits(self.time_limit, self.threads, self._seed())
        with shown_progress(self.verbose) as announce:
            listener = announce("few links")
            solution = solve(model, limits, engine=self.engine, start=values, listener=listener)
        found = start if solution.values is None else np.round(solution.values[weights])
        return solution, found.astype(np.int64)


def moved_copies(images: NDArray, image_shape: Sequence[int]) -> NDArray:
    """Return images and their copies moved by a pixel in eight directions, [9 n, features].

    What comes in at the rim is 0.

    Parameters
    ----------
    images : ndarray [n, features]
        Flat images.
    image_shape : sequence of int
        Height and width, and channels if there are some.
    """
    height, width = image_shape[:2]
    grid = images.reshape(len(images), height, width, -1)
    framed = np.pad(grid, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [(1, 1), *((down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1))]
    windows = [framed[:, down : down + height, right : right + width] for down, right in places]
    return np.concatenate([window.reshape(images.shape) for window in windows])


def _rounded_relaxation(signed: NDArray, target: float, costs: NDArray, most: int) -> NDArray[np.int64]:
    """Return whole weights [features] from the program with real ones, the largest kept where too many are.

    Variables: positive parts, negative parts, and what each sample misses.
    """
    count, features = signed.shape
    matrix = csr_array(signed)
    # t - x.(p - q) <= z, and sum (p + q) <= K
    samples = hstack([-matrix, matrix, -eye_array(count)])
    budget = csr_array(np.append(np.ones(2 * features), np.zeros(count))[None])
    found = linprog(
        np.concatenate([costs, -costs, np.full(count, 1.0 / count)]),
        A_ub=vstack([samples, budget], format="csr"),
        b_ub=np.append(np.full(count, -target), most),
        bounds=[(0.0, 1.0)] * (2 * features) + [(0.0, None)] * count,
        method="highs",
    )
    if found.x is None:
        raise RuntimeError(f"the linear program of few links failed: {found.message}")
    real = found.x[:features] - found.x[features : 2 * features]
    weights = np.round(real).astype(np.int64)
    surplus = np.argsort(np.abs(real) + 2.0 * (weights == 0))[: max(0, np.count_nonzero(weights) - most)]
    weights[surplus] = 0
    return weights
