"""Arguments that mean nothing, given to every public estimator and function: what each raises.

    python -m experiments.trust.arguments

Every parameter of every estimator, and every argument of the functions, gets values of types that it cannot
have. A fault is a value that is taken, an exception other than those of Python for misuse (ValueError,
TypeError, OSError), one that comes out of another package than this one or scikit-learn, or one whose
sentence does not name the argument. Counts are printed, a line an estimator or function.
"""

import inspect
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, gradient, load_model, save_model, solvers

__all__ = ["CALLS", "ESTIMATORS", "NONSENSE", "Call", "faults_of_call", "faults_of_estimator"]

# Nothing takes them, whatever it is: the values are those of no type, of a type without order, and of text
# that is no name.
NONSENSE: dict[str, Any] = {"an object": object(), "a complex number": 1j, "bytes": b"\xff"}
MISUSE = (ValueError, TypeError, OSError)
OWN = ("mpnn", "sklearn")
# What may be anything: a label of no class; and what is checked by the first fit that uses it.
FREE = {"unlabelled"}

ROWS = np.random.default_rng(0).integers(0, 5, size=(12, 3))
LABELS = np.tile([0, 1], 6)
PAIRS = np.array([0, 1, 2] * 4)


def _estimators() -> dict[str, Callable[..., Any]]:
    found = {name: getattr(solvers, name) for name in solvers.__all__ if name.endswith("Classifier")}
    found |= {name: getattr(gradient, name) for name in gradient.__all__}
    return {**found, "MessagePassingClassifier": MessagePassingClassifier}


ESTIMATORS = _estimators()
# Without these some parameters are not looked at.
NEEDED: dict[str, dict[str, Any]] = {
    "MessagePassingClassifier": {"early_stopping": True, "batch_size": 4},
    "BinaryConvClassifier": {"image_shape": (1, 3, 1)},
}


class Call(NamedTuple):
    """A function, and arguments that it takes.

    Parameters
    ----------
    function : callable
        Is given the arguments by name.
    arguments : mapping
        Valid ones.
    tried : tuple of str
        Which of them, or of its other parameters, get other values.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    tried: tuple[str, ...]


def place_of(error: BaseException) -> str:
    """The package that raised an exception."""
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename).parts
    return next((part for part in reversed(last[:-1]) if part in OWN), "/".join(last[-3:]))


def fault_of(run: Callable[[], Any], name: str) -> str | None:
    """What is wrong with how a value is taken; None where it is refused in a sentence that names it."""
    try:
        run()
    except MISUSE as error:
        if place_of(error) not in OWN:
            return f"{type(error).__name__} out of {place_of(error)}: {str(error)[:100]}"
        return None if name in str(error) else f"does not name it: {str(error)[:100]}"
    except Exception as error:  # noqa: BLE001 - every other exception is what is looked for
        return f"{type(error).__name__} out of {place_of(error)}: {str(error)[:100]}"
    return "taken"


def faults_of_estimator(name: str, values: Mapping[str, Any] = NONSENSE) -> Iterator[str]:
    """Yield parameters of an estimator that take a value of no meaning, or refuse it badly."""
    make = ESTIMATORS[name]
    for parameter in inspect.signature(make).parameters:
        for kind, value in {} if parameter in FREE else values.items():
            given = {**NEEDED.get(name, {}), parameter: value}

            def run(given: dict[str, Any] = given) -> Any:
                return make(**given).fit(ROWS, LABELS)

            with warnings.catch_warnings(action="ignore"):
                fault = fault_of(run, parameter)
            if fault is not None:
                yield f"{parameter} = {kind}: {fault}"


def faults_of_call(name: str, values: Mapping[str, Any] = NONSENSE) -> Iterator[str]:
    """Yield arguments of a function that take a value of no meaning, or refuse it badly."""
    call = CALLS[name]()
    for argument in call.tried:
        for kind, value in values.items():
            given = {**call.arguments, argument: value}

            def run(given: dict[str, Any] = given) -> Any:
                return call.function(**given)

            with warnings.catch_warnings(action="ignore"):
                fault = fault_of(run, argument)
            if fault is not None:
                yield f"{argument} = {kind}: {fault}"


def _vote() -> Call:
    def fit(**parameters: Any) -> Any:
        member = solvers.SingleNeuronClassifier("lp_rounding", random_state=0)
        return PairwiseVoteClassifier(**{"estimator": member} | parameters).fit(ROWS, PAIRS)

    return Call(fit, {}, ("estimator", "ties", "vote", "pairs_per_batch", "class_weight", "random_state"))


def _functional(function: str) -> Call:
    import jax.numpy as jnp

    from mpnn import functional as mp

    spec = mp.NetworkSpec.dense((3, 2, 1))
    state = mp.init(0, spec)
    inputs = jnp.asarray(ROWS, jnp.float32)
    batch = mp.Batch(inputs, jnp.asarray(2.0 * LABELS - 1.0))
    evidence = mp.learned(state, state)
    calls = {
        "init": Call(mp.init, {"key": 0, "spec": spec}, ("key", "spec", "hyper", "initial_field")),
        "step": Call(mp.step, {"spec": spec, "state": state, "batch": batch}, ("spec", "state", "batch")),
        "train": Call(
            mp.train,
            {"key": 0, "spec": spec, "state": state, "data": batch, "num_epochs": 1, "batch_size": 4},
            ("key", "spec", "state", "schedules", "num_epochs", "batch_size", "augment", "tolerance"),
        ),
        "freeze": Call(
            mp.freeze,
            {"spec": spec, "state": state, "inputs": inputs, "layer": 0},
            ("spec", "state", "inputs", "layer", "hyper", "sample_weight"),
        ),
        "decode": Call(mp.decode, {"spec": spec, "state": state}, ("spec", "state", "hyper")),
        "predict": Call(
            mp.predict,
            {"spec": spec, "state": state, "inputs": inputs, "method": "sample"},
            ("spec", "state", "inputs", "hyper", "method", "weights", "key", "num_samples"),
        ),
        "learned": Call(mp.learned, {"posterior": state, "prior": state}, ("posterior", "prior")),
        "merge": Call(
            mp.merge, {"spec": spec, "posteriors": [state], "prior": state}, ("spec", "posteriors", "hyper")
        ),
        "add_evidence": Call(
            mp.add_evidence, {"spec": spec, "state": state, "evidence": evidence}, ("state", "evidence")
        ),
        "forget": Call(
            mp.forget, {"spec": spec, "state": state, "evidence": evidence}, ("state", "evidence", "hyper")
        ),
        "NetworkSpec.dense": Call(
            mp.NetworkSpec.dense,
            {"widths": (3, 2, 1)},
            ("widths", "weights", "rule", "activation", "density", "messages", "output")
            + ("sweeps_per_batch", "focusing", "anchored", "argmax_draws"),
        ),
    }
    return calls[function]


def _export(format: str) -> Call:
    from mpnn.deploy import export

    model = solvers.SingleNeuronClassifier("lp_rounding", random_state=0).fit(ROWS, LABELS)
    folder = Path(tempfile.mkdtemp())
    tried = ("path", "format", "inputs", "bits", "examples", "check", "name", "optimize", "column_names")
    return Call(export, {"model": model, "path": folder / "a", "format": format}, tried)


def _files(function: str) -> Call:
    from mpnn.callbacks import CSVLog, TensorBoard
    from mpnn.data import Shards, holds_test_part, is_shards, is_table_file, load_dataset, read_table
    from mpnn.deploy import load

    folder = Path(tempfile.mkdtemp())
    table = folder / "a.csv"
    table.write_text("a,b,kind\n1,2,x\n3,4,y\n")
    model = MessagePassingClassifier()
    options = ("label", "delimiter", "decimal", "encoding", "header", "drop", "id", "categorical")
    options += ("max_classes", "kinds", "part")
    calls = {
        "load": Call(load, {"path": table}, ("path",)),
        "save_model": Call(save_model, {"model": model, "path": folder / "b"}, ("model",)),
        "load_model": Call(load_model, {"path": table}, ("path",)),
        "CSVLog": Call(CSVLog, {"path": table}, ("path",)),
        "TensorBoard": Call(TensorBoard, {"folder": folder}, ("folder",)),
        "load_dataset": Call(load_dataset, {"name": "mnist", "download": False}, ("folder",)),
        "read_table": Call(read_table, {"source": table}, ("source", *options)),
        "is_table_file": Call(is_table_file, {}, ("source",)),
        "is_shards": Call(is_shards, {}, ("source",)),
        "holds_test_part": Call(holds_test_part, {}, ("path",)),
        "Shards": Call(Shards, {"source": [table]}, ("drop", "categorical")),
    }
    return calls[function]


def _draws(function: str) -> Call:
    from mpnn.data import sample_consecutive, sample_few_shot, validation_draw

    given = {"x": ROWS, "y": LABELS, "per_class": 2}
    calls = {
        "sample_few_shot": Call(sample_few_shot, given, ("per_class", "seed", "at_most")),
        "sample_consecutive": Call(
            sample_consecutive, given, ("per_class", "instance", "shots", "num_instances")
        ),
        "validation_draw": Call(
            validation_draw, {**given, "num_validation": 2}, ("per_class", "num_validation", "seed")
        ),
    }
    return calls[function]


def _encoder(name: str) -> Call:
    from mpnn import encoders

    make = getattr(encoders, name)
    return Call(lambda **given: make(**given).fit(ROWS), {}, tuple(inspect.signature(make).parameters))


def _preprocessing(function: str) -> Call:
    from mpnn.preprocessing.augmentation import ImageAugmentation, random_shifts
    from mpnn.preprocessing.scaling import fit_transform_of

    calls = {
        "fit_transform_of": Call(fit_transform_of, {"inputs": ROWS, "kind": "auto"}, ("inputs",)),
        "ImageAugmentation": Call(
            ImageAugmentation, {"image_shape": (2, 2, 1)}, ("image_shape", "largest_shift", "padding")
        ),
        "random_shifts": Call(random_shifts, {"image_shape": (2, 2, 1)}, ("largest_shift",)),
    }
    return calls[function]


def _table(make: Callable[[str], Call], *names: str) -> dict[str, Callable[[], Call]]:
    return {name: lambda name=name: make(name) for name in names}  # type: ignore[misc]


CALLS: dict[str, Callable[[], Call]] = {
    "PairwiseVoteClassifier": _vote,
    **_table(_functional, "init", "step", "train", "freeze", "decode", "predict", "learned", "merge"),
    **_table(_functional, "add_evidence", "forget", "NetworkSpec.dense"),
    **{f"export {kind}": lambda kind=kind: _export(kind) for kind in ("packed", "c", "onnx")},  # type: ignore[misc]
    **_table(_files, "load", "save_model", "load_model", "CSVLog", "TensorBoard", "load_dataset"),
    **_table(_files, "read_table", "is_table_file", "is_shards", "holds_test_part", "Shards"),
    **_table(_draws, "sample_few_shot", "sample_consecutive", "validation_draw"),
    **_table(_encoder, "ThermometerEncoder", "TableEncoder"),
    **_table(_preprocessing, "fit_transform_of", "ImageAugmentation", "random_shifts"),
}


def main() -> None:
    """Print a line for every estimator and function."""
    counts: Counter[str] = Counter()
    for names, faults_of in ((ESTIMATORS, faults_of_estimator), (CALLS, faults_of_call)):
        for name in names:
            faults = list(faults_of(name))
            counts.update(names=1, faults=len(faults))
            print(name, len(faults), *faults, sep="\n  ", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
