"""Checks at the boundary of :mod:`mpnn.functional`: keys, samples, states, numbers.

Values are looked at only where they are known; inside a transformation (``jit``, ``vmap``, ``grad``) shapes
and types are all that is checked.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.programs import refuse_forked_child

__all__ = ["as_key", "check_array", "check_batch", "check_state", "numbers_of"]


def as_key(key: Any) -> Array:
    """A typed key from one, from a legacy key ``uint32 [2]``, or from a whole number.

    Parameters
    ----------
    key : Array
        Random key.

    Raises
    ------
    TypeError
        For anything else.
    """
    refuse_forked_child()
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        if not -(2**63) <= int(key) < 2**64:
            raise ValueError(f"key must be a whole number of at most 64 bits, got {key}")
        return jax.random.key(int(key))
    if isinstance(key, Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    if isinstance(key, Array | np.ndarray) and key.dtype == np.uint32 and key.shape[-1:] == (2,):
        return jax.random.wrap_key_data(jnp.asarray(key))
    raise TypeError(f"key must be a key of jax.random.key, a legacy key or a whole number, got {key!r}")


def _check_type(name: str, value: Any, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise TypeError(f"{name} must be a {wanted.__name__} of mpnn.functional, got {str(value)[:100]!r}")


def check_array(name: str, value: Any) -> None:
    """Refuse what is no array of numbers, known or traced.

    Parameters
    ----------
    name : str
        Name of the argument, for the error.
    value : Array
        What is checked.
    """
    if not isinstance(value, Array | np.ndarray):
        raise TypeError(f"{name} must be an array, got {type(value).__name__}: give jax.numpy.asarray of it")
    if not (jnp.issubdtype(value.dtype, jnp.number) or jnp.issubdtype(value.dtype, jnp.bool)):
        raise TypeError(f"{name} must hold numbers, got {value.dtype}")
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}")


def check_batch(spec: NetworkSpec, batch: Batch) -> None:
    """Refuse samples that do not belong to a network.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    batch : Batch
        Inputs and labels.

    Raises
    ------
    ValueError
        Where inputs have another shape than ``[n, *input_shape]`` or are not finite, labels are not one a
        sample (or one an output), or not of the kind that the output takes.
    """
    refuse_forked_child()
    _check_type("spec", spec, NetworkSpec)
    _check_type("batch", batch, Batch)
    for name in ("inputs", "labels", "sample_weight"):
        if (given := getattr(batch, name)) is not None:
            check_array(name, given)
    shape, wanted = batch.inputs.shape, spec.input_shape
    if shape[1:] != wanted:
        raise ValueError(
            f"inputs must be [n, {', '.join(map(str, wanted))}], as the network has it, got {list(shape)}"
        )
    allowed: list[tuple[int, ...]] = [(shape[0],)]
    if not spec.output_channel.joint:
        allowed.append((shape[0], spec.num_outputs))
    if batch.labels.shape not in allowed:
        raise ValueError(f"labels must be one a sample, [{shape[0]}], got {list(batch.labels.shape)}")
    if batch.sample_weight is not None:
        _check_weights(batch.sample_weight, spec, shape[0])
    known = not isinstance(batch.inputs, Tracer) and jnp.issubdtype(batch.inputs.dtype, jnp.inexact)
    if known and not np.all(np.isfinite(np.asarray(batch.inputs))):
        raise ValueError("inputs must be finite, got NaN or infinity: replace what is missing")
    labels = _counted_labels(batch)
    if spec.output_channel.joint:
        _check_classes(labels, spec.num_outputs)
    else:
        _check_signs(labels)


def _check_weights(weights: Array, spec: NetworkSpec, num_samples: int) -> None:
    """How often samples count: one number a sample, or one an output of a single layer."""
    allowed: list[tuple[int, ...]] = [(num_samples,)]
    if spec.num_layers == 1 and not spec.output_channel.joint:
        allowed.append((num_samples, spec.num_outputs))
    if weights.shape not in allowed:
        raise ValueError(f"sample_weight must be [{num_samples}], got {list(weights.shape)}")
    known = None if isinstance(weights, Tracer) else np.asarray(weights)
    if known is not None and not (np.all(known >= 0) and np.all(np.isfinite(known))):
        raise ValueError("sample_weight must be finite and at least 0: it says how often a sample counts")


def _counted_labels(batch: Batch) -> Any:
    """Labels of samples that are not absent."""
    weight = batch.sample_weight
    if weight is None or weight.ndim > batch.labels.ndim or isinstance(batch.labels, Tracer):
        return batch.labels
    if isinstance(weight, Tracer):
        return batch.labels
    return np.asarray(batch.labels)[np.asarray(weight) > 0]  # a device array would compile for its length


def _check_classes(labels: Any, num_classes: int) -> None:
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels of output 'argmax' are whole numbers, got {labels.dtype}: cast them")
    if isinstance(labels, Tracer) or labels.size == 0:
        return
    lowest, highest = int(np.min(np.asarray(labels))), int(np.max(np.asarray(labels)))
    if lowest < 0 or highest >= num_classes:
        wrong = lowest if lowest < 0 else highest
        raise ValueError(f"labels of {num_classes} outputs are 0 to {num_classes - 1}, got {wrong}")


def _check_signs(labels: Any) -> None:
    if isinstance(labels, Tracer) or labels.size == 0:
        return
    found = set(np.unique(np.asarray(labels)).tolist())
    if not found <= {-1.0, 0.0, 1.0}:
        wrong = sorted(found - {-1.0, 0.0, 1.0})[0]
        raise ValueError(f"labels of output 'binary_label' are -1 and +1 (0: no label), got {wrong}")
    if found == {0.0, 1.0}:
        raise ValueError(
            "labels of output 'binary_label' are -1 and +1, got 0 and 1, and 0 means no label: "
            "give 2 * labels - 1"
        )


def check_state(spec: NetworkSpec, state: State) -> None:
    """Refuse a state of another network, or one whose buffers were donated.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    """
    refuse_forked_child()
    _check_type("spec", spec, NetworkSpec)
    _check_type("state", state, State)
    found = [tuple(layer.mean.shape[-2:]) for layer in state.weighted]
    wanted = list(zip(spec.fan_ins, spec.widths[1:], strict=True))
    if found != wanted:
        raise ValueError(f"the state has weights of the shapes {found}, the network needs {wanted}")
    for leaf in jax.tree.leaves(state):
        if isinstance(leaf, Array) and not isinstance(leaf, Tracer) and leaf.is_deleted():
            raise ValueError("the state was given away to an earlier call: keep what that call returned")


def numbers_of(spec: NetworkSpec, hyper: Hyper | None) -> Hyper:
    """Given numbers, each with one value a weight layer, or the defaults.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    hyper : Hyper or None
        Numbers, leaves ``[..., L]``; None: the defaults.

    Raises
    ------
    ValueError
        Where a number has not one value a weight layer.
    """
    _check_type("spec", spec, NetworkSpec)
    if hyper is not None:
        _check_type("hyper", hyper, Hyper)
    if hyper is None:
        return Schedules().at_sweep(0, spec.num_layers)
    for name, leaf in zip(Hyper._fields, hyper, strict=True):
        if jnp.shape(leaf)[-1:] != (spec.num_layers,):
            raise ValueError(
                f"{name} must have one value for each of {spec.num_layers} weight layers, got the shape "
                f"{jnp.shape(leaf)}: make the numbers with Schedules(...).at_sweep(0, {spec.num_layers})"
            )
    return hyper
