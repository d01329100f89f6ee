"""Ternary networks that fit every output of every sample, by the strategies of Toro Icarte et al. (CP 2019).

The programs are in :mod:`mpnn.solvers.toro_icarte_models`.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpnn.solvers.base import (
    MulticlassNetworkMixin,
    NoNetworkError,
    SolverClassifier,
    seconds_until,
)
from mpnn.solvers.engines import Limits, Solution
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import Announce, shown_progress
from mpnn.solvers.toro_icarte_models import OBJECTIVES, FitProgram, Samples, network_objective
from mpnn.solvers.warm_starts import starting_network
from mpnn.validation import check_parameters, choice, hidden_widths

__all__ = ["ToroIcarteClassifier"]

STRATEGIES = ("mip", "cp", "hw", "ha")


class ToroIcarteClassifier(MulticlassNetworkMixin, SolverClassifier):
    """A few-bit sign network that gets all outputs of all training samples right, or none at all.

    Parameters
    ----------
    hidden : sequence of int, default=(16,)
        Widths of the hidden layers; published: (), (16,) and (16, 16).
    time_limit : float > 0, default=60.0
        Seconds for all steps.
    objective : str, default="max_margin"
        ``"min_weight"`` or ``"max_margin"``.
    strategy : str, default="ha"
        ``"mip"``: the integer program on `engine`; ``"cp"``: the same on CP-SAT; ``"hw"``: CP-SAT without
        objective finds a network, from which `engine` goes on; ``"ha"``: CP-SAT finds a network, its hidden
        activations are kept, and every neuron is then optimised alone by `engine`.
    levels : int from 1 to 127, default=1
        P of the weights and biases {-P..P}.
    warm_start : str, None, list of ndarray or classifier, default="lp_rounding"
        What CP-SAT or the program starts from: ``"lp_rounding"`` (a neuron for each class by linear
        programming, rounded and handed on; None where a layer is narrower than that), None or False, a list
        of weight arrays [in, out], or a classifier with ``weights_``, fitted or not. Biases start at 0.
    engine : str, default="highs"
        Engine of the integer programs, ``"highs"``, ``"cpsat"``, ``"scip"`` or ``"gurobi"``.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show step, objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted.
    weights_ : list of int8 ndarray [in, out]
        Weights, a layer each.
    biases_ : list of int8 ndarray [out]
        Biases, a layer each.
    solutions_ : dict of Solution
        Outcomes of the steps, by name; ``"ha"`` has one a neuron.
    objective_ : float
        Sum of the magnitudes of the weights, or of all margins.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16,),
        time_limit: float = 60.0,
        *,
        objective: str = "max_margin",
        strategy: str = "ha",
        levels: int = 1,
        warm_start: Any = "lp_rounding",
        engine: str = "highs",
        input_scaling: str = "raw",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.objective = objective
        self.strategy = strategy
        self.levels = levels
        self.warm_start = warm_start
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "ToroIcarteClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of any type.

        Raises
        ------
        NoNetworkError
            No network fits all samples, or none was found in time.
        """
        own = {"objective": choice(OBJECTIVES), "strategy": choice(STRATEGIES)}
        check_parameters(self.get_params(deep=False), {**CHECKS, **own})
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        # a feature that is constant in training has weight 0, also where it is not 0
        self.input_transform_ = integer_inputs(inputs, self.input_scaling, constants_live=False)
        live = self.input_transform_(inputs)[:, self.input_transform_.live]
        targets = np.where(codes[:, None] == np.arange(len(self.classes_)), 1, -1)
        samples = Samples(live, targets, self.input_transform_.unit)
        widths = (live.shape[1], *hidden_widths(self.hidden), len(self.classes_))
        start = starting_network(
            self.warm_start,
            self.input_transform_,
            inputs,
            codes,
            widths,
            self.levels,
            self.random_state,
        )
        self.solutions_: dict[str, Solution] = {}
        with shown_progress(self.verbose) as announce:
            weights = self._train(samples, start, ends, self._seed(), announce)
        self.objective_ = float(network_objective(samples, weights, self.objective))
        self._publish(weights)
        return self

    def _train(
        self, samples: Samples, start: Weights | None, ends: float, seed: int, announce: Announce
    ) -> Weights:
        if self.strategy == "mip":
            return self._solve("mip", samples, start, self.objective, self.engine, ends, seed, announce)
        if self.strategy == "cp":
            return self._solve("cp", samples, start, self.objective, "cpsat", ends, seed, announce)
        found = self._solve("feasible", samples, start, None, "cpsat", ends, seed, announce)
        if self._interrupted():
            return found
        if self.strategy == "hw":
            return self._solve("hw", samples, found, self.objective, self.engine, ends, seed, announce)
        return self._optimise_neurons(samples, found, ends, seed, announce)

    def _solve(
        self,
        name: str,
        samples: Samples,
        start: Weights | None,
        objective: str | None,
        engine: str,
        ends: float,
        seed: int,
        announce: Announce,
    ) -> Weights:
        """Solve one program for the whole network; the seconds that are left are its limit."""
        widths = (samples.inputs.shape[1], *hidden_widths(self.hidden), samples.targets.shape[1])
        program = FitProgram(samples, widths, self.levels, objective)
        limits = Limits(seconds_until(ends), self.threads, seed)
        solution = program.solve(limits, engine, announce(name), start)
        self.solutions_[name] = solution
        if solution.status == "infeasible":
            raise NoNetworkError(
                f"no network of widths {widths} gets all {len(samples.inputs)} samples right; "
                "give it more hidden units or fewer samples"
            )
        if solution.values is None:
            raise NoNetworkError(
                f"{engine} found no network that gets all samples right in {self.time_limit:g} s; "
                "raise time_limit or give a warm_start"
            )
        return program.network.read(solution.values)

    def _optimise_neurons(
        self, samples: Samples, found: Weights, ends: float, seed: int, announce: Announce
    ) -> Weights:
        """With all activations kept, the program falls apart into one small one for each neuron."""
        if found.biases is None:
            raise AssertionError("the networks of this method have biases")
        outputs = forward(samples.inputs, found)
        signal, layers, biases = samples.inputs, [], []
        left = sum(layer.shape[1] for layer in found.layers)
        for index, layer in enumerate(found.layers):
            weights, bias = layer.copy(), found.biases[index].copy()
            signs = np.where(outputs[index] >= 0, 1, -1)
            for neuron in range(layer.shape[1]):
                if self._interrupted():
                    break
                seconds = seconds_until(ends, left)
                unit = samples.bias_unit if index == 0 else 1
                own = Samples(signal, signs[:, neuron : neuron + 1], unit)
                start = Weights((layer[:, neuron : neuron + 1],), (bias[neuron : neuron + 1],), unit)
                limits = Limits(seconds, self.threads, seed)
                name = f"layer {index}, neuron {neuron}"
                best = self._optimise_neuron(name, own, start, limits, announce)
                weights[:, neuron] = best.layers[0][:, 0]
                if best.biases is not None:
                    bias[neuron] = best.biases[0][0]
                left -= 1
            layers.append(weights)
            biases.append(bias)
            signal = signs
        return Weights(tuple(layers), tuple(biases), samples.bias_unit)

    def _optimise_neuron(
        self, name: str, samples: Samples, start: Weights, limits: Limits, announce: Announce
    ) -> Weights:
        program = FitProgram(samples, (samples.inputs.shape[1], 1), self.levels, self.objective)
        solution = program.solve(limits, self.engine, announce(name), start)
        self.solutions_[name] = solution
        return start if solution.values is None else program.network.read(solution.values)

    def _interrupted(self) -> bool:
        """Whether Ctrl-C ended a step; what is left is then not begun."""
        return any(solution.interrupted for solution in self.solutions_.values())
