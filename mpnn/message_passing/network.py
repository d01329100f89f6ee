"""State of a network: initial beliefs, and the anchor of the beliefs before a task.

Shapes: batch B, layer widths N -> K, weight layers L.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.message_passing.fields import LayerState
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers.chain import init_chain
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["Batch", "State", "anchor_at_posterior", "continued", "init", "replaced"]


class State(NamedTuple):
    """State between steps: that of every layer, None for layers without weights.

    Parameters
    ----------
    layers : tuple of LayerState
        The layers, the lowest first.
    """

    layers: tuple[Any, ...]

    @property
    def weighted(self) -> tuple[LayerState, ...]:
        """States of the layers with weights, those of residual branches included, in order."""
        return tuple(jax.tree.leaves(self.layers, is_leaf=_is_layer_state))


def _is_layer_state(node: Any) -> bool:
    return isinstance(node, LayerState)


class Batch(NamedTuple):
    """Inputs ``[B, *input_shape]``, labels ``[B]``, and how often samples count ``[B]`` (None: once).

    Labels are class numbers for the argmax output; -1, +1 or 0 (no label) for binary ones, and ``[B, K]``
    where there are several.

    Parameters
    ----------
    inputs : Array [B, N]
        Inputs.
    labels : Array [B] or [B, K]
        Class numbers for the argmax output; -1, +1 or 0 (no label) for binary ones, ``[B, K]`` where there
        are several.
    sample_weight : Array [B] or [B, K] or None, default=None
        How often each sample counts, at least 0: one of weight 2 is the same sample twice, one of weight 0 is
        absent or pads the batch. ``[B, K]``: of each output of a single layer. None: every sample once.
    """

    inputs: Array
    labels: Array
    sample_weight: Array | None = None

    def astype(self, dtype: Any) -> "Batch":
        """Real arrays of one type; class numbers stay whole.

        Parameters
        ----------
        dtype : dtype
            A floating-point type.
        """
        is_real = jnp.issubdtype(self.labels.dtype, jnp.floating)
        labels = self.labels.astype(dtype) if is_real else self.labels
        weight = None if self.sample_weight is None else self.sample_weight.astype(dtype)
        return Batch(self.inputs.astype(dtype), labels, weight)


def init(key: Array, spec: NetworkSpec, hyper: Hyper, initial_field: Array | float = 1.0) -> State:
    """Return the initial state: fields ``initial_field * N(0, 1)``, or a Gaussian prior of that scale.

    For Gaussian weights the prior is ``N(m, s^2)`` with ``s = initial_field / sqrt(fan in)`` and ``m``
    itself drawn from ``N(0, s^2)``. An anchor is the same prior without the noise.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    initial_field : float >= 0, default=1.0
        Scale of the random initial fields.

    Examples
    --------
    >>> import jax
    >>> from mpnn.message_passing.network import init
    >>> from mpnn.message_passing.spec import NetworkSpec
    >>> from mpnn.message_passing.training import Schedules
    >>> spec = NetworkSpec.dense((64, 11, 10), weights="ternary", output="argmax")
    >>> first = Schedules(sparsity=1.0).at_sweep(0, spec.num_layers)
    >>> [layer.mean.shape for layer in init(jax.random.key(0), spec, first).weighted]
    [(64, 11), (11, 10)]
    """
    keys = list(jax.random.split(key, spec.num_layers))
    return State(init_chain(keys, spec.layers, spec.places, spec.numbers(hyper), initial_field))


def anchor_at_posterior(state: State) -> State:
    """Anchor every layer at its present beliefs: before the next task of continual learning.

    Parameters
    ----------
    state : State
        The network's beliefs.
    """

    def anchored(layer: LayerState) -> LayerState:
        return layer._replace(anchor=jax.tree.map(jnp.copy, layer.posterior))

    return State(jax.tree.map(anchored, state.layers, is_leaf=_is_layer_state))


def replaced(state: State, index: int, layer: LayerState) -> State:
    """The same state with another one of a single weight layer.

    Parameters
    ----------
    state : State
        The network's beliefs.
    index : int >= 0
        The layer, those inside of residual links counted.
    layer : LayerState
        Its new state.
    """
    layers, structure = jax.tree.flatten(state.layers, is_leaf=_is_layer_state)
    layers[index] = layer
    return State(jax.tree.unflatten(structure, layers))


def continued(state: State, spec: NetworkSpec) -> State:
    """Beliefs as the start of another training, whose prior they are.

    Anchors are at these beliefs, or none, and focusing begins anew, as the specification has it.

    Parameters
    ----------
    state : State
        The network's beliefs.
    spec : NetworkSpec
        Of the training to come, with layers of the same shapes.
    """

    def begun(layer: LayerState) -> LayerState:
        posterior = jax.tree.map(jnp.asarray, layer.posterior.plus(layer.focus, -1.0))
        focus = posterior.scaled(jnp.zeros(())) if spec.focusing else None
        anchor = jax.tree.map(jnp.copy, posterior) if spec.anchored else None
        return layer._replace(posterior=posterior, focus=focus, anchor=anchor)

    return State(jax.tree.map(begun, state.layers, is_leaf=_is_layer_state))
