"""What the classifiers of step networks have in common: inputs, thresholds, outputs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.solvers.base import SolverClassifier
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.step_network import StepNeurons, StepWeights

__all__ = ["StepClassifier"]


class StepClassifier(SolverClassifier):
    """Real or whole weights, and thresholds; subclasses add `fit` and how outputs become labels."""

    integer_weights: bool
    bias: bool
    radius: float
    engine: str
    input_scaling: str
    thresholds_: list[NDArray]

    def _neurons(self) -> StepNeurons:
        """Check how parameters go together; return what neurons there can be, for inputs as in `_live`."""
        if not self.integer_weights and self.engine == "cpsat":
            raise ValueError(
                "engine='cpsat' takes whole weights only: set integer_weights, or choose 'highs'"
            )
        if not self.integer_weights and self.input_scaling != "unit":
            raise ValueError(f"real weights go with input_scaling='unit', got {self.input_scaling!r}")
        steps = self.input_transform_.unit
        radius = float(round(self.radius * steps)) if self.integer_weights else self.radius
        return StepNeurons(self.integer_weights, self.bias, radius)

    def _live(self, inputs: NDArray) -> NDArray:
        """Learn the input transform from [n, features]; return the live inputs as the program takes them."""
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        return self._transform(inputs)[:, self.input_transform_.live]

    def _transform(self, inputs: NDArray) -> NDArray:
        """Return whole inputs for whole weights, inputs in [0, 1] for real ones."""
        unit = 1 if self.integer_weights else self.input_transform_.unit
        return np.asarray(self.input_transform_(inputs) / unit, float)

    def _store(self, weights: StepWeights) -> None:
        """Store weights of the live inputs as the whole network's."""
        live = self.input_transform_.live
        kind = np.int8 if self.integer_weights else np.float64
        first = np.zeros((len(live), weights.layers[0].shape[1]), kind)
        first[live] = weights.layers[0]
        self.weights_ = [first, *(layer.astype(kind) for layer in weights.layers[1:])]
        self.biases_ = None
        self.thresholds_ = list(weights.thresholds)

    def _outputs(self, X: ArrayLike) -> NDArray:
        """Return the outputs less their thresholds, [n, K]; an output is on from 0 on."""
        check_is_fitted(self)
        inputs = self._transform(validate_data(self, self._as_rows(X), reset=False))
        tolerance = 0.5 * StepNeurons(self.integer_weights).eps
        return StepWeights(tuple(self.weights_), tuple(self.thresholds_)).forward(inputs, tolerance)[-1]
