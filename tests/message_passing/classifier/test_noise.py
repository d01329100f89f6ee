import numpy as np

from mpnn import MessagePassingClassifier
from mpnn.message_passing.classifier.noise import folds_of, noises_to_try
from mpnn.message_passing.classifier.settings import Parameters


def test_folds_hold_every_class_and_ignore_order_and_repetition():
    rng = np.random.default_rng(0)
    inputs, targets = rng.choice([-1.0, 1.0], (60, 8)).astype(np.float32), np.repeat([-1.0, 1.0], 30)
    folds = folds_of(inputs, targets)
    for target in (-1.0, 1.0):
        assert np.ptp(np.bincount(folds[targets == target], minlength=3)) <= 2
    order = rng.permutation(np.repeat(np.arange(60), 2))
    np.testing.assert_array_equal(folds_of(inputs[order], targets[order]), folds[order])


def test_a_given_noise_stays():
    for given, tried in ((None, 2), (0.7, 1), ([1.0, 0.5], 1)):
        parameters = Parameters.of(MessagePassingClassifier(noise=given), coded=True)
        noises = noises_to_try(parameters, 100, 100, goes_on=False)
        assert len(noises) == tried
        assert given is None or noises == (given,)
