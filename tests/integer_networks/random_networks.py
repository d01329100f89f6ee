"""Random networks: fitted classifiers with drawn weights, and integer networks of every kind."""

from types import SimpleNamespace

import numpy as np

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.integer_networks.decisions import Argmax, Confidence, Sign, Vote
from mpnn.integer_networks.inputs import PixelTable, RealInputs
from mpnn.integer_networks.network import IntegerNetwork, Layer
from mpnn.message_passing.spec import NetworkSpec
from mpnn.preprocessing.scaling import fit_transform_of

LABELS = {
    "numbers": lambda count: np.arange(count) * 3 - 2,
    "texts": lambda count: np.array([f'"class\\{k}"?é' for k in range(count)]),
}


def draw_weights(rng, kind, shape):
    """Weights of a kind, a third of them 0 where they may be."""
    if kind == "binary":
        return rng.choice([-1, 1], shape).astype(np.int8)
    largest = 1 if kind == "ternary" else kind
    return (rng.integers(-largest, largest + 1, shape) * (rng.random(shape) < 0.7)).astype(np.int8)


def draw_inputs(rng, num_features, largest=16):
    """Intensities with many zeros, as pixels have, and two dead features."""
    X = rng.integers(0, largest + 1, (90, num_features)) * (rng.random((90, num_features)) < 0.6)
    X[:, rng.integers(0, num_features, 2)] = 0
    X[0, -1] = largest
    return X


def fitted(rng, transform, widths, weights, *, bias, density, classes):
    """A fitted message-passing classifier with drawn weights."""
    model = MessagePassingClassifier(hidden=widths[1:-1], weights=weights, bias=bias, density=density)
    output = "binary_label" if widths[-1] == 1 else "argmax"
    model.spec_ = NetworkSpec.dense(widths, weights=weights, output=output, bias=bias, density=density)
    model.input_transform_, model.classes_, model.n_features_in_ = transform, classes, widths[0]
    model.weights_ = [
        draw_weights(rng, weights, shape) * (rng.random(shape) < density).astype(np.int8)
        for shape in zip(widths[:-1], widths[1:], strict=True)
    ]
    model.biases_ = [draw_weights(rng, weights, width) for width in widths[1:]] if bias else None
    model.state_ = model.hyper_ = model.encoder_ = None
    model.sampling_seed_ = 0
    return model


def draw_classifier(seed):
    """A fitted classifier or pairwise vote of random depth, weights, inputs, and rows to predict."""
    rng = np.random.default_rng(seed)
    num_features, depth = int(rng.integers(3, 40)), int(rng.integers(0, 4))
    X = draw_inputs(rng, num_features)
    scaling = ["max_abs", "root", "mild_root", "standard", "centred", "features", None][seed % 7]
    transform = fit_transform_of(X.astype(np.float32), scaling)
    weights = ["binary", "ternary", 2, 5][int(rng.integers(4))]
    count = int(rng.integers(2, 6))
    classes = LABELS[["numbers", "texts"][seed % 2]](count)
    options = {"bias": bool(rng.integers(2)), "density": float(rng.choice([1.0, 0.6]))}
    hidden = tuple(int(rng.integers(1, 40)) for _ in range(depth))
    if seed % 3 == 0:
        widths = (num_features, *hidden, 1 if count == 2 else count)
        return fitted(rng, transform, widths, weights, classes=classes, **options), X
    model = PairwiseVoteClassifier(ties=["head_to_head", "confidence"][seed % 2])
    model.estimator = MessagePassingClassifier()
    model.classes_, model.n_features_in_ = classes, num_features
    model.pairs_ = [(i, j) for i in range(count) for j in range(i + 1, count)]
    own = np.array([False, True])
    widths = (num_features, *hidden, 1)
    model.estimators_ = [
        fitted(rng, transform, widths, weights, classes=own, **options) for _ in model.pairs_
    ]
    return model, X


def draw_network(seed):
    """An integer network with parts that no classifier has at once, and rows to predict."""
    rng = np.random.default_rng(seed)
    num_inputs, used = int(rng.integers(1, 90)), None
    columns = np.flatnonzero(rng.random(num_inputs) < rng.choice([0.5, 1.0]))
    kind = ["binary", "ternary", 3, 127][seed % 4]
    real = seed % 5 == 4
    if real:
        X = rng.normal(size=(40, num_inputs)) * 5
        inputs = RealInputs(
            rng.normal(size=1), rng.random(num_inputs) * 50, [1.0, 0.5][seed % 2], 300, num_inputs
        )
    else:
        X = rng.integers(0, 256, (40, num_inputs)).astype(np.uint8)
        tables = int(rng.integers(1, 4))
        codes = rng.integers(-200, 32768, (tables, 256)) * (rng.random((tables, 256)) < 0.8)
        if seed % 3 == 0:
            tables, codes = 1, np.arange(256)[None]
        inputs = PixelTable(codes.astype(np.int64), rng.integers(0, tables, num_inputs).astype(np.uint8))
    decision, outputs = _draw_decision(rng, seed, len(columns))
    depth = int(rng.integers(0, 4))
    if isinstance(decision, Vote) and decision.confidence is not None:
        depth = max(depth, 1) if decision.confidence.roots is not None else 0
    layers = _draw_layers(rng, kind, depth, len(columns), outputs, inputs)
    names = tuple(LABELS["texts"](decision.num_classes).tolist())
    return IntegerNetwork(inputs, columns, layers, decision, names, "none", exact=used is None), X


def _draw_decision(rng, seed, used):
    count = int(rng.integers(2, 8))
    pairs = count * (count - 1) // 2
    choice = seed % 6
    if choice == 0:
        return Sign(), 1
    if choice == 1:
        return Argmax(count), count
    if choice == 2:
        return Argmax(count, rng.integers(-900, 900, count), rng.integers(-(10**6), 10**6, count)), count
    if choice == 3:
        return Vote(count), pairs
    points = np.linspace(0.0, 5.0, 81)
    losing, winning = (4096 / (1 + np.exp(sign * points)) * 100 + 1 for sign in (-1, 1))
    tables = (losing.astype(np.uint32), winning.astype(np.uint32), 6)
    if choice == 4:
        return Vote(count, "confidence", Confidence(*tables, 30, rng.integers(1, 2**23, pairs))), pairs
    offsets, extra = rng.integers(-5, 3000, used), rng.integers(0, 9, pairs)
    return Vote(count, "confidence", Confidence(*tables, 12, None, offsets, extra, 2)), pairs


def _draw_layers(rng, kind, depth, used, outputs, inputs):
    """Layers whose upper ones have blocks where the outputs can be shared among some."""
    blocks = int(rng.choice([1, outputs]))
    widths = [int(rng.integers(1, 70 // blocks + 2)) for _ in range(depth)]
    layers = []
    for index in range(depth + 1):
        last = index == depth
        units = outputs // blocks if last else widths[index]
        shape = (blocks, widths[index - 1], units) if index else (1, used, blocks * units)
        weights = draw_weights(rng, kind, shape)
        if not isinstance(inputs, PixelTable) and index == 0:
            weights = np.clip(weights, -20, 20)
        spread = 30 if index == 0 else 3
        layers.append(Layer(weights, rng.integers(-spread, spread, shape[0] * shape[2])))
    return tuple(layers)


def plain_encoder():
    """An encoder of a table of three columns, as fitted encoders look."""
    code = SimpleNamespace
    columns = [
        code(kind="thermometer", thresholds=(0.5, 2.25, 7.0), categories=(), off=-1),
        code(kind="categories", thresholds=(), categories=("red", "blue"), off=0),
        code(kind="thermometer", thresholds=(), categories=(), off=-1),
    ]
    return SimpleNamespace(columns_=columns)
