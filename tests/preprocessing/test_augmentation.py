"""Random shifts and mirrors of training images, alone and inside a compiled epoch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import decode, discrete_outputs
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems, Schedules, train, train_many
from mpnn.preprocessing.augmentation import ImageAugmentation
from tests.oracles.helpers import compiled_init, first_numbers, start


def every_version(image, largest_shift, mirror, padding):
    """All images that augmentation may make of one ``[height, width, channels]``."""
    height, width = image.shape[:2]
    edge = (largest_shift, largest_shift)
    versions = []
    for source in [image, image[:, ::-1]] if mirror else [image]:
        padded = np.pad(source, (edge, edge, (0, 0)), mode=padding)
        for row in range(2 * largest_shift + 1):
            versions += [
                padded[row : row + height, column : column + width] for column in range(2 * largest_shift + 1)
            ]
    return np.stack(versions)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "largest_shift", "mirror", "padding"),
    [
        ((5, 4, 1), 1, False, "edge"),
        ((4, 6, 3), 2, True, "constant"),
        ((3, 3, 1), 0, True, "edge"),
    ],
)
def test_every_version_occurs_and_no_other(shape, largest_shift, mirror, padding):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = every_version(image, largest_shift, mirror, padding)
    augment = ImageAugmentation(shape, largest_shift, mirror, padding)
    inputs = jnp.broadcast_to(image.reshape(-1), (40 * len(expected), image.size))
    found = np.asarray(augment(jax.random.key(0), inputs)).reshape(-1, 1, *shape)
    same = np.all(found == expected[None], axis=(2, 3, 4))
    np.testing.assert_array_equal(same.sum(axis=1), 1)
    assert np.all(same.sum(axis=0) > 15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"largest_shift": -1}, "largest_shift must be at least 0 and whole, got -1"),
        ({"padding": "wrap"}, "padding must be 'edge' or 'constant', got 'wrap'"),
    ],
)
def test_bad_augmentation(options, message):
    with pytest.raises(ValueError, match=message):
        ImageAugmentation((3, 3, 1), **options)


def digits_as_network_inputs():
    from sklearn.datasets import load_digits

    inputs, classes = load_digits(return_X_y=True)
    return jnp.asarray((inputs - inputs.mean()) / inputs.std(), jnp.float32), jnp.asarray(classes)


NUMBERS = {"rho": [1.0, 0.9], "damping": 0.8}
SPEC = NetworkSpec.dense((64, 41, 10), rule="mean_field", output="argmax")


def wrong_when_shifted(augment):
    """Errors on the last 597 digits, each shifted by up to one pixel, after ten epochs on the others."""
    inputs, classes = digits_as_network_inputs()
    state, _ = train(
        jax.random.key(1),
        SPEC,
        start(SPEC, **NUMBERS),
        Batch(inputs[:1200], classes[:1200]),
        Schedules(**NUMBERS),
        num_epochs=10,
        batch_size=50,
        augment=augment,
    )
    weights = decode(SPEC, state, first_numbers(SPEC, **NUMBERS))
    shifted = ImageAugmentation((8, 8, 1), largest_shift=1)(jax.random.key(2), inputs[1200:])
    return np.mean(np.argmax(discrete_outputs(SPEC, weights, shifted), axis=1) != classes[1200:])


@pytest.mark.slow
def test_a_network_learns_what_it_is_shown():
    shown = wrong_when_shifted(ImageAugmentation((8, 8, 1), largest_shift=1))
    assert shown < wrong_when_shifted(None) - 0.1


@pytest.mark.slow
def test_many_networks_are_augmented_as_one_is():
    """The same batches and the same shifts, each network by its own key."""
    inputs, classes = digits_as_network_inputs()
    inputs, classes = inputs[:200], classes[:200]
    augment = ImageAugmentation((8, 8, 1), largest_shift=1, mirror=True)
    numbers = first_numbers(SPEC, **NUMBERS)
    keys = jax.random.split(jax.random.key(3), 2)
    options = {"num_epochs": 2, "batch_size": 50, "augment": augment}
    rows = jnp.broadcast_to(jnp.arange(200), (2, 200))
    states = jax.jit(jax.vmap(lambda key: compiled_init(key, SPEC, numbers)))(keys)
    many, _ = train_many(
        keys,
        SPEC,
        states,
        Problems(inputs, rows, jnp.broadcast_to(classes, (2, 200))),
        Schedules(**NUMBERS),
        **options,
    )
    for index, key in enumerate(keys):
        one, _ = train(
            key,
            SPEC,
            compiled_init(key, SPEC, numbers),
            Batch(inputs, classes),
            Schedules(**NUMBERS),
            **options,
        )
        for layer, own in zip(one.layers, many.layers, strict=True):
            np.testing.assert_allclose(layer.mean, own.mean[index], atol=1e-3)
