"""Writes the files of this folder; run once, with release 0.1: ``python tests/files_of_0_1/record.py``."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, save_model
from mpnn.message_passing.checkpoints import save_networks, save_state, save_weights
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Schedules, train

FOLDER = Path(__file__).parent


def problem(num_classes, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(num_classes, 6))
    classes = np.arange(40) % num_classes
    return centres[classes] + 0.5 * generator.normal(size=(40, 6)), classes


MODELS = {
    "single": (lambda: MessagePassingClassifier(random_state=0), 2, None),
    "hidden_with_bias": (lambda: MessagePassingClassifier(hidden=(7, 5), bias=True, random_state=0), 3, None),
    "masked_binary": (
        lambda: MessagePassingClassifier(weights="binary", density=0.5, random_state=0),
        2,
        None,
    ),
    "real_weights": (
        lambda: MessagePassingClassifier(weights="gaussian", hidden=(4,), random_state=0),
        2,
        None,
    ),
    "max_sum": (
        lambda: MessagePassingClassifier(weights="binary", rule="max_sum", hidden=(3,), random_state=0),
        2,
        None,
    ),
    "mini_batches": (
        lambda: MessagePassingClassifier(hidden=(7,), batch_size=8, num_epochs=3, random_state=0),
        3,
        ["b", "a", "c"],
    ),
    "few_units": (lambda: MessagePassingClassifier(hidden=(4, 4), random_state=0), 2, None),
    "vote": (lambda: PairwiseVoteClassifier(MessagePassingClassifier(random_state=0)), 4, None),
    "soft_vote": (
        lambda: PairwiseVoteClassifier(
            MessagePassingClassifier(hidden=(5,), weights=3, prediction="bayes", random_state=0), vote="soft"
        ),
        3,
        None,
    ),
}


def main():
    for name, (make, num_classes, names) in MODELS.items():
        inputs, classes = problem(num_classes)
        labels = classes if names is None else np.array(names)[classes]
        model = make().fit(inputs, labels)
        save_model(model, FOLDER / f"{name}.safetensors")
        answers = {"inputs": inputs, "predict": model.predict(inputs)}
        if hasattr(model, "predict_proba"):
            answers["predict_proba"] = model.predict_proba(inputs)
        np.savez_compressed(FOLDER / f"{name}.npz", **answers)
    save_weights(FOLDER / "weights.safetensors", [np.eye(3, dtype=np.int8)], {"levels": [0, 1]})
    save_networks(FOLDER / "networks.safetensors", [[np.eye(3, dtype=np.int8)]] * 2)
    write_checkpoints()


SPECS = {
    "anchored": NetworkSpec((6, 5, 3), weights="ternary", output="argmax", anchored=True, bias=True),
    "focused": NetworkSpec((6, 5, 1), focusing=True, density=0.5, sweeps_per_batch=2),
}


def write_checkpoints():
    for name, spec in SPECS.items():
        inputs, classes = problem(max(spec.widths[-1], 2))
        labels = classes if spec.output == "argmax" else 2.0 * classes - 1.0
        data = Batch(jnp.asarray(inputs, jnp.float32), jnp.asarray(labels))
        schedules = Schedules(damping=0.5, coupling=0.1, replicas=2.0)
        key = jax.random.key(1)
        state = init(jax.random.key(0), spec, schedules.at_sweep(0, spec.num_layers))
        state, _ = train(key, spec, state, data, schedules, num_epochs=2, batch_size=8)
        save_state(FOLDER / name, state, epoch=2, key=key, spec=spec, metadata={"note": name})
        leaves = {str(index): np.asarray(leaf) for index, leaf in enumerate(jax.tree.leaves(state))}
        np.savez_compressed(FOLDER / f"{name}.npz", **leaves)


if __name__ == "__main__":
    main()
