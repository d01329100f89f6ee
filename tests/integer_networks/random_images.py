"""Random networks of convolutions and pools: fitted classifiers with drawn weights, and images."""

import numpy as np

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual
from mpnn.message_passing.classifier.architecture import network_layers
from mpnn.message_passing.spec import NetworkSpec
from mpnn.preprocessing.scaling import fit_transform_of
from tests.integer_networks.random_networks import LABELS, draw_weights

SCALINGS = ("max_abs", "root", "mild_root", "standard", "centred", None)


def draw_layers(rng):
    """Hidden layers that read images: convolutions, pools and dense ones in a random order that fits."""
    image = (int(rng.integers(6, 11)), int(rng.integers(6, 11)), int(rng.integers(1, 4)))
    layers, shape = [], image
    if rng.random() < 0.2:
        layers.append(MeanPool2D(2))
        shape = layers[-1].out_shape(shape)
    for _ in range(int(rng.integers(0 if layers else 1, 3))):
        padding = str(rng.choice(["same", "valid"]))
        size = int(rng.integers(1, min(4, 1 + min(shape[:2]))))
        layers.append(Conv2D(int(rng.integers(1, 20)), size, int(rng.integers(1, 3)), padding=padding))
        shape = layers[-1].out_shape(shape)
        for kind in rng.choice(["none", "max", "mean", "max mean"]).split():
            if kind != "none" and min(shape[:2]) >= 2:
                layers.append((MaxPool2D if kind == "max" else MeanPool2D)(int(rng.integers(2, 3))))
                shape = layers[-1].out_shape(shape)
    hidden = [Flatten(), *(int(rng.integers(1, 20)) for _ in range(int(rng.integers(0, 2))))]
    return image, (*layers, *hidden)


def draw_images(rng, shape):
    """Images of whole numbers with many zeros and an input that is always the same."""
    images = rng.integers(0, 17, (60, *shape)) * (rng.random((60, *shape)) < 0.6)
    images[:, 0, 0, 0], images[0, -1, -1, -1] = 0, 16
    return images.reshape(len(images), -1)


def fitted_to_images(rng, transform, image, hidden, weights, outputs, classes, *, bias):
    """A fitted message-passing classifier of layers of images with drawn weights."""
    model = MessagePassingClassifier(hidden=hidden, weights=weights, bias=bias)
    layers = network_layers(hidden, outputs, image, weights=weights, bias=bias)
    output = "binary_label" if outputs == 1 else "argmax"
    spec = NetworkSpec((int(np.prod(image)),), layers, output=output)
    model.spec_, model.input_transform_, model.classes_ = spec, transform, classes
    model.n_features_in_, model.image_shape_ = int(np.prod(image)), image
    layers = zip(spec.weighted, spec.fan_ins, strict=True)
    shapes = [(fan_in - bias, layer.linear_map.units) for layer, fan_in in layers]
    model.weights_ = [draw_weights(rng, weights, shape) for shape in shapes]
    model.biases_ = [draw_weights(rng, weights, units) for _, units in shapes] if bias else None
    model.state_ = model.hyper_ = model.encoder_ = None
    model.sampling_seed_ = 0
    return model


def draw_linked_layers(rng):
    """Hidden layers with residual links, around one layer or several, dense or of images."""
    side, channels = int(rng.integers(4, 7)), int(rng.integers(1, 12))
    image = (side, int(rng.integers(4, 7)), channels if rng.random() < 0.3 else 1)
    if rng.random() < 0.3:
        layers, units = [Flatten()], int(rng.integers(1, 40))
        layers.append(units if rng.random() < 0.7 else Residual((Dense(int(np.prod(image))),)))
        units = units if layers[1] == units else int(np.prod(image))
        return image, (*layers, *(_dense_branch(rng, units) for _ in range(int(rng.integers(1, 3)))))
    first = Conv2D(channels, 3, padding="same")
    layers = [Residual((first,)) if image[2] == channels else first]
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < 0.4:
            layers.append(MaxPool2D(2 if len(layers) == 1 else 1))
        layers.append(_image_branch(rng, channels))
    return image, (*layers, *([MeanPool2D(2)] if rng.random() < 0.3 else []), Flatten(), 3)


def _dense_branch(rng, units):
    inner = [Dense(int(rng.integers(1, 40))) for _ in range(int(rng.integers(0, 2)))]
    inner += [_dense_branch(rng, inner[-1].units)] if inner and rng.random() < 0.3 else []
    return Residual((*inner, Dense(units)))


def _image_branch(rng, channels):
    sizes = rng.integers(1, 4, int(rng.integers(0, 2)))
    inner = [Conv2D(int(rng.integers(1, 12)), int(size), padding="same") for size in sizes]
    return Residual((*inner, Conv2D(channels, int(rng.integers(1, 4)), padding="same")))


def draw_image_classifier(seed, draw=draw_layers):
    """A fitted classifier or vote over images, and rows to predict; ``draw`` gives their shape and layers."""
    rng = np.random.default_rng(seed)
    image, hidden = draw(rng)
    X = draw_images(rng, image)
    transform = fit_transform_of(X.astype(np.float32), SCALINGS[seed % len(SCALINGS)])
    weights, bias = ["binary", "ternary", 2, 5][int(rng.integers(4))], bool(rng.integers(2))
    count = int(rng.integers(2, 5))
    classes = LABELS[["numbers", "texts"][seed % 2]](count)
    if seed % 3:
        outputs = 1 if count == 2 else count
        return fitted_to_images(rng, transform, image, hidden, weights, outputs, classes, bias=bias), X
    model = PairwiseVoteClassifier(ties="head_to_head")
    model.estimator = MessagePassingClassifier()
    model.classes_, model.n_features_in_, model.image_shape_ = classes, X.shape[1], image
    model.pairs_ = [(i, j) for i in range(count) for j in range(i + 1, count)]
    own = np.array([False, True])
    model.estimators_ = [
        fitted_to_images(rng, transform, image, hidden, weights, 1, own, bias=bias) for _ in model.pairs_
    ]
    return model, X
