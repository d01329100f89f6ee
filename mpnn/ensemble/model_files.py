"""Saving fitted estimators: int8 weights and beliefs in one safetensors file, everything else as JSON.

Nothing is pickled, so a file from someone else can be opened without running anything of theirs.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mpnn.encoders import TableEncoder
from mpnn.encoders.codes import from_json, num_bits, to_json
from mpnn.ensemble.compact_files import compacted, expanded, is_compact
from mpnn.ensemble.pairwise import PairwiseVoteClassifier
from mpnn.ensemble.votes import all_pairs
from mpnn.message_passing.checkpoints import CheckpointError, load_arrays, save_arrays
from mpnn.message_passing.classifier.estimator import MessagePassingClassifier
from mpnn.message_passing.fields import LayerState, Natural
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.layers import Unflatten
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec, spec_from_json, spec_to_json
from mpnn.preprocessing.scaling import InputTransform, require_offsets, require_sums
from mpnn.preprocessing.units import InputUnit
from mpnn.validation import flag
from mpnn.validation import path as path_of

__all__ = ["load_model", "save_model"]


def save_model(
    model: MessagePassingClassifier | PairwiseVoteClassifier, path: str | Path, *, beliefs: bool = True
) -> None:
    """Write a fitted estimator to a file, atomically.

    An ensemble can be saved if its members are :class:`MessagePassingClassifier`. Parameters that JSON
    cannot hold (schedules, RandomState objects) are left out; predictions do not need them.

    Parameters
    ----------
    model : MessagePassingClassifier or PairwiseVoteClassifier
        The fitted estimator.
    path : str or path
        By custom ``*.safetensors``; an existing file is replaced.
    beliefs : bool, default=True
        Whether the file keeps the beliefs. Without, it has the discrete weights at their bits and what
        prediction by them needs: a loaded model neither predicts by beliefs nor trains on from them.

    Raises
    ------
    ValueError
        If members are of another class, or ``beliefs=False`` leaves out weights that are beliefs themselves.
    """
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"model must be a fitted classifier of this library, got {model!r}")
    flag("beliefs", beliefs)
    path = path_of("path", path)
    check_is_fitted(model)
    members = model.estimators_ if isinstance(model, PairwiseVoteClassifier) else [model]
    if not all(isinstance(member, MessagePassingClassifier) for member in members):
        raise ValueError(
            "save_model writes networks trained by message passing, "
            f"got {_kind_of(model, members[0])}: mpnn.deploy.export writes any network of this library for "
            "prediction"
        )
    beliefs = beliefs and members[0].state_ is not None
    arrays: dict[str, NDArray] = {}
    for index, member in enumerate(members):
        arrays |= _weight_arrays(f"{index}", member)
        arrays |= _belief_arrays(f"{index}", member) if beliefs else {}
    transform = members[0].input_transform_
    if members[0].encoder_ is not None:  # whole factors and offsets, which are text with the rest
        transform = transform._replace(scale=np.ones(()), offset=np.zeros(()))
    for name in ("scale", "offset", "live"):
        arrays[f"beliefs/inputs/{name}"] = np.atleast_1d(np.asarray(getattr(transform, name), np.float32))
    metadata = _about(model, members)
    if beliefs:
        save_arrays(path, arrays, metadata)
        return
    if any(layer.family.levels is None for layer in members[0].spec_.weighted):
        raise ValueError("real weights are their own beliefs: save the model with beliefs=True")
    save_arrays(path, compacted(arrays, metadata))


def _about(
    model: MessagePassingClassifier | PairwiseVoteClassifier, members: list[MessagePassingClassifier]
) -> dict[str, Any]:
    """What a file holds beside its arrays."""
    first, transform = members[0], members[0].input_transform_
    return {
        "estimator": type(model).__name__,
        "parameters": _plain_parameters(model),
        "member_parameters": _plain_parameters(first, **_of_template(model)),
        "classes": _classes_as_json(model.classes_),
        "spec": spec_to_json(first.spec_),
        "power": transform.power,
        "dead_zone": transform.dead_zone,
        "sums": None if transform.sums is None else transform.sums.tolist(),
        "factors": None if transform.sums is None else transform.scale.astype(int).tolist(),
        "offsets": None if first.encoder_ is None else np.atleast_1d(transform.offset).astype(int).tolist(),
        "columns": None if first.encoder_ is None else to_json(first.encoder_.columns_),
        "num_features": int(first.n_features_in_),
        "input_unit": _unit_as_json(first.input_unit_),
        "image_shape": model.image_shape_,
        "feature_names": getattr(model, "feature_names_in_", np.array([])).tolist(),
        "training_errors": getattr(model, "training_errors_", np.array([])).tolist(),
        "seeds": [int(member.sampling_seed_) for member in members],
        "levels": _levels(first.spec_),
    }


def load_model(path: str | Path) -> MessagePassingClassifier | PairwiseVoteClassifier:
    """Read what :func:`save_model` wrote, in this release or an older one; it predicts as the saved one did.

    Parameters
    ----------
    path : str or Path
        The file. What a file of an older release lacks has its default.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    CheckpointError
        Where the file is damaged, holds no whole estimator, or parts that this release does not know.
    """
    arrays, metadata = load_arrays(path)
    try:
        if is_compact(arrays):
            arrays, metadata = expanded(arrays)
        return _rebuild(arrays, metadata)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} holds weights but no estimator that can be read ({error}): write it with mpnn.save_model"
        ) from error


def _rebuild(
    arrays: dict[str, NDArray], metadata: dict[str, Any]
) -> MessagePassingClassifier | PairwiseVoteClassifier:
    spec = spec_from_json(metadata["spec"])
    scale, offset, live = (arrays[f"beliefs/inputs/{name}"] for name in ("scale", "offset", "live"))
    transform = InputTransform(
        scale, metadata["power"], offset, live.astype(bool), metadata.get("dead_zone", 0.0)
    )
    if metadata.get("sums") is not None:  # older files have none
        sums, factors = np.array(metadata["sums"]), np.array(metadata["factors"])
        require_sums(sums, factors)
        transform = transform._replace(scale=factors.astype(np.float32), sums=sums)
    if metadata.get("offsets") is not None:
        offsets = np.array(metadata["offsets"])
        require_offsets(offsets, len(transform.live))
        transform = transform._replace(offset=offsets.astype(np.float32))
    classes = _classes_from_json(metadata["classes"])
    ensemble = metadata["estimator"] == PairwiseVoteClassifier.__name__
    encoder, shape = _encoder_of(metadata), _shape_of_inputs(metadata, spec)
    _check_counts(spec, metadata, len(classes), ensemble)
    members = []
    for index, seed in enumerate(metadata["seeds"]):
        member = _with_parameters(MessagePassingClassifier(**_hidden_of(spec)), metadata["member_parameters"])
        member.classes_ = np.array([False, True]) if ensemble else classes
        member.encoder_ = encoder
        member.n_features_in_, member.input_transform_ = metadata["num_features"], transform
        member.input_unit_ = _unit_from_json(metadata.get("input_unit"))
        member.image_shape_ = None if ensemble else shape
        _restore_member(member, f"{index}", spec, arrays)
        member.sampling_seed_ = seed
        members.append(member)
    if not ensemble:
        return _with_feature_names(members[0], metadata["feature_names"])
    template = _with_parameters(MessagePassingClassifier(**_hidden_of(spec)), metadata["member_parameters"])
    model = _with_parameters(PairwiseVoteClassifier(template), metadata["parameters"])
    model.classes_, model.n_features_in_ = classes, metadata["num_features"]
    model.image_shape_ = shape
    model.pairs_, model.estimators_ = all_pairs(len(classes)), members
    model.training_errors_ = np.array(metadata["training_errors"], dtype=int)
    return _with_feature_names(model, metadata["feature_names"])


def _check_counts(spec: NetworkSpec, metadata: dict[str, Any], num_classes: int, ensemble: bool) -> None:
    """Classes, networks and features must be as many as the weights have room for."""
    num_networks = len(all_pairs(num_classes)) if ensemble else 1
    if len(metadata["seeds"]) != num_networks:
        raise ValueError(f"{num_classes} classes need {num_networks} networks, got {len(metadata['seeds'])}")
    num_outputs = 1 if ensemble or num_classes == 2 else num_classes
    if spec.num_outputs != num_outputs:
        raise ValueError(
            f"{num_classes} classes need {num_outputs} outputs, the network has {spec.num_outputs}"
        )
    columns = metadata.get("columns")
    if columns is None and metadata["num_features"] != spec.widths[0]:
        raise ValueError(
            f"{metadata['num_features']} features do not fit a network of {spec.widths[0]} inputs"
        )
    if columns is not None and _num_inputs(metadata) != spec.widths[0]:
        raise ValueError(f"the code of the columns does not fit a network of {spec.widths[0]} inputs")


def _num_inputs(metadata: dict[str, Any]) -> int:
    """Inputs that a table becomes: its bits, one at least, and sums of them."""
    num = max(num_bits(from_json(metadata["columns"])), 1)
    sums = metadata.get("sums")
    if sums is None:
        return num
    if len(sums) != num:
        raise ValueError(f"the sums do not fit a code of {num} bits")
    return len(metadata["factors"])


def _hidden_of(spec: NetworkSpec) -> dict[str, Any]:
    """Hidden layers of a network of images, which JSON does not hold as a parameter."""
    shape = _image_shape_of(spec)
    return {} if shape is None else {"hidden": spec.layers[1:-1], "image_shape": shape}


def _image_shape_of(spec: NetworkSpec) -> tuple[int, ...] | None:
    """Shape of the images that a network reads in rows; None: it reads none."""
    first = spec.layers[0]
    return first.shape if isinstance(first, Unflatten) else None


def _shape_of_inputs(metadata: dict[str, Any], spec: NetworkSpec) -> tuple[int, ...] | None:
    """Shape of the images in training; older files hold that of networks with layers for images alone."""
    shape = metadata.get("image_shape")
    return _image_shape_of(spec) if shape is None else tuple(shape)


def _unit_as_json(unit: InputUnit | None) -> dict[str, Any] | None:
    return None if unit is None else {name: leaf.tolist() for name, leaf in unit._asdict().items()}


def _unit_from_json(stored: dict[str, Any] | None) -> InputUnit | None:
    """None in files of older releases, too."""
    return None if stored is None else InputUnit(**{name: np.array(leaf) for name, leaf in stored.items()})


def _encoder_of(metadata: dict[str, Any]) -> TableEncoder | None:
    """The fitted code of a table; None: inputs are numbers as they are."""
    if metadata.get("columns") is None:
        return None
    encoder = TableEncoder()
    encoder.columns_ = from_json(metadata["columns"])
    encoder.n_features_in_ = len(encoder.columns_)
    if encoder.n_features_in_ != metadata["num_features"]:
        raise ValueError(
            f"the code has {encoder.n_features_in_} columns, got {metadata['num_features']} features"
        )
    return _with_feature_names(encoder, metadata["feature_names"])


def _with_parameters(model: Any, stored: dict[str, Any]) -> Any:
    """Set an estimator's parameters from a file; missing ones keep their defaults."""
    unknown = sorted(set(stored) - set(model.get_params(deep=False)))
    if unknown:
        raise ValueError(
            f"its parameters {', '.join(unknown)} are not known to this release: update the library"
        )
    return model.set_params(**_with_tuples(stored))


def _with_feature_names(model: Any, names: list[str]) -> Any:
    """Scikit-learn knows inputs without names by the missing attribute."""
    if names:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def _levels(spec: NetworkSpec) -> list[int] | None:
    """The values that weights may take; links that do not exist are stored as 0."""
    levels: set[int] = set()
    for layer in spec.weighted:
        if layer.family.levels is None:
            return None
        levels |= {*layer.family.levels, *([0] if layer.density != 1.0 else [])}
    return sorted(levels)


def _kind_of(model: BaseEstimator, member: BaseEstimator) -> str:
    kind = type(member).__name__
    return f"an ensemble of {kind}" if isinstance(model, PairwiseVoteClassifier) else kind


def _of_template(model: MessagePassingClassifier | PairwiseVoteClassifier) -> dict[str, Any]:
    """What an ensemble's template has of its own: its seed, and a prediction that was set after fitting."""
    template = getattr(model, "estimator", None)
    names = ("prediction", "random_state") if isinstance(template, MessagePassingClassifier) else ()
    return {name: getattr(template, name) for name in names}


def _weight_arrays(name: str, member: MessagePassingClassifier) -> dict[str, NDArray]:
    weights = enumerate(member._joined_weights())
    return {f"weights/{name}/{layer}": own for layer, own in weights if own.dtype == np.int8}


def _belief_arrays(name: str, member: MessagePassingClassifier) -> dict[str, NDArray]:
    arrays: dict[str, NDArray] = {}
    for layer, state in enumerate(member._beliefs().weighted):
        prefix = f"beliefs/{name}/{layer}"
        parts = {
            "field": state.posterior.field,
            "precision": state.posterior.precision,
            "mean": state.mean,
            "variance": state.variance,
            "mask": state.mask,
        }
        arrays |= {f"{prefix}/{part}": np.asarray(leaf) for part, leaf in parts.items() if leaf is not None}
    numbers: Any = member.hyper_
    return arrays | {
        f"beliefs/{name}/numbers/{field}": np.asarray(leaf)
        for field, leaf in zip(Hyper._fields, numbers, strict=True)
    }


def _restore_member(
    member: MessagePassingClassifier, name: str, spec: NetworkSpec, arrays: dict[str, NDArray]
) -> None:
    if not any(array.startswith(f"beliefs/{name}/") for array in arrays):
        weights = [arrays[f"weights/{name}/{layer}"] for layer in range(spec.num_layers)]
        member._publish(spec, None, None, weights)
        return
    layers, weights = [], []
    for layer in range(spec.num_layers):
        own: dict[str, Any] = {
            part: arrays.get(f"beliefs/{name}/{layer}/{part}")
            for part in ("field", "precision", "mean", "variance", "mask")
        }
        natural = Natural(own["field"], own["precision"])
        layers.append(LayerState(natural, own["mean"], own["variance"], None, own["mask"]))
        # real weights are their own beliefs
        weights.append(
            arrays[f"weights/{name}/{layer}"] if spec.weighted[layer].family.levels else own["mean"]
        )
    numbers = _restore_numbers(f"beliefs/{name}/numbers/", spec, arrays)
    member._publish(spec, State(tuple(layers)), numbers, weights)


def _restore_numbers(prefix: str, spec: NetworkSpec, arrays: dict[str, NDArray]) -> Hyper:
    """The numbers of the last sweep; one that an older release did not have is its default."""
    stored = {name.removeprefix(prefix): leaf for name, leaf in arrays.items() if name.startswith(prefix)}
    unknown = sorted(set(stored) - set(Hyper._fields))
    if unknown:
        raise ValueError(
            f"its numbers {', '.join(unknown)} are not known to this release: update the library"
        )
    defaults = jax.device_get(Schedules().at_sweep(0, spec.num_layers))._asdict()
    return Hyper(**{**defaults, **stored})


def _plain_parameters(model: BaseEstimator, **changed: Any) -> dict[str, Any]:
    """The parameters that JSON can hold; the rest fall back to their defaults."""
    parameters = {name: _as_plain(value) for name, value in (model.get_params(deep=False) | changed).items()}
    return {name: value for name, value in parameters.items() if _is_plain(value)}


def _as_plain(value: Any) -> Any:
    """NumPy's numbers and arrays, which grids of parameters hand on, as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return tuple(map(_as_plain, value)) if isinstance(value, list | tuple) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _with_tuples(parameters: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples; estimators take them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}


def _classes_as_json(classes: NDArray) -> dict[str, Any]:
    kind = "object" if classes.dtype == object else classes.dtype.str
    if not all(_is_plain(value) for value in classes.tolist()):
        raise ValueError(f"classes must be numbers or strings to be saved, got {classes[0]!r}")
    return {"type": kind, "values": classes.tolist()}


def _classes_from_json(stored: dict[str, Any]) -> NDArray:
    return np.array(stored["values"], dtype=stored["type"])
