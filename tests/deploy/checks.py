"""Checks that back-ends and classifiers give the labels of an integer network."""

import subprocess

import numpy as np
import pytest

from mpnn.deploy.c_source import save_c
from mpnn.deploy.packed import from_bytes, to_bytes
from mpnn.deploy.runtime import Predictor
from mpnn.integer_networks.decisions import Vote
from mpnn.integer_networks.lowering import lower

WARNINGS = ["all", "extra", "pedantic", "conversion", "sign-conversion", "shadow", "error"]
STRICT = ["-std=c99", *(f"-W{name}" for name in WARNINGS)]
SANITIZE = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def reference(network, X):
    codes = network.codes(X)
    return network.winners(codes, network.outputs(codes))


def check_packed(network, X):
    again = Predictor(from_bytes(to_bytes(network)))
    np.testing.assert_array_equal(again.outputs(X), network.outputs(network.codes(X)))
    np.testing.assert_array_equal(again.predict(X), network.predict(X))
    np.testing.assert_array_equal(again.predict(X[:1]), network.predict(X)[:1])


def check_c(compiler, folder, network, X, optimize):
    """Every row in the compiled test vector, with the sanitizers on; gcc warns of nothing."""
    source, _ = save_c(network, folder / "net.c", X, optimize=optimize)
    program = folder / "net"
    command = [compiler, *STRICT, "-O1", *SANITIZE, "-DNET_MAIN", str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.stdout == f"0 of {len(X)} classes differ\n", done.stdout + done.stderr[:2000]


def check_c_of_many(compiler, folder, drawn, optimize, **options):
    """The same of many networks in one program."""
    lines = []
    for index, (network, X) in enumerate(drawn):
        save_c(network, folder / f"net{index}.c", X, optimize=optimize, **options)
        lines += [f"#define NET{index}_MAIN", f"#define main net{index}_main", f'#include "net{index}.c"']
        lines.append("#undef main")
    calls = " + ".join(f"net{index}_main()" for index in range(len(drawn)))
    source, program = folder / "many.c", folder / "many"
    source.write_text("\n".join([*lines, f"int main(void) {{ return {calls}; }}\n"]))
    sanitize = SANITIZE if "gcc" in compiler else []  # a package of its own for clang
    command = [compiler, *STRICT, "-O1", *sanitize, str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    done = subprocess.run([str(program)], capture_output=True, text=True)
    expected = [f"0 of {len(X)} classes differ" for _, X in drawn]
    assert done.stdout.splitlines() == expected, done.stdout + done.stderr[:2000]


def check_onnx(network, X):
    onnxruntime = pytest.importorskip("onnxruntime", reason="install mpnn[onnx] to test the ONNX model")
    from mpnn.deploy.onnx_model import onnx_inputs, onnx_model

    session = onnxruntime.InferenceSession(onnx_model(network).SerializeToString())
    labels, scores = session.run(None, {"x": onnx_inputs(network, X)})
    np.testing.assert_array_equal(labels, network.predict(X))
    expected = Predictor(network).scores(X)
    np.testing.assert_array_equal(scores, expected if expected.ndim == 2 else expected[:, None])


def check_against_classifier(network, model, X):
    """Equal labels, but for three reasons.

    A table of codes rounds; confidences may differ by less than their precision; and where a sum is exactly
    its threshold, the classifier's float32 sees a rounded one.
    """
    expected, labels = model.predict(X), network.predict(X)
    differ = np.flatnonzero(expected != labels)
    if isinstance(network.decision, Vote) and network.decision.confidence is not None and len(differ):
        shares = model.decision_function(X)
        shares = np.stack([-shares, shares], axis=1) / 2 if shares.ndim == 1 else shares
        names = model.classes_.tolist()
        own, other = ([names.index(label) for label in found[differ]] for found in (expected, labels))
        differ = differ[shares[differ, own] - shares[differ, other] >= 2e-3]
        assert not network.exact or not len(differ), shares[differ]
    elif network.exact:
        first = network.layers[0]
        codes = network.codes(X[differ]).astype(np.int64)
        codes = codes if first.windows is None else network.everywhere(codes)
        tied = (first.sums(codes) == first.unit_thresholds).any(axis=1)
        assert tied.all()
    assert len(differ) <= len(X) // 40, differ


def lower_any(model, X):
    """The integer network, codes of reals where inputs have scales of their own."""
    transform = getattr(model, "estimators_", [model])[0].input_transform_
    return lower(model, inputs="real" if np.ndim(transform.scale) else "auto", examples=X)
