"""The examples in docs/examples, in a reduced form, and the program that one of them follows."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
from tests.strategies import close

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nielsen_in_numpy(W, b, X, Y, rate, size):
    """M. Nielsen's network.py: sample by sample, then the update of the mini-batch."""
    for first in range(0, len(X), size):
        dW, db = ([np.zeros_like(a) for a in arrays] for arrays in (W, b))
        for x, y in zip(X[first : first + size], Y[first : first + size], strict=True):
            outputs = [x]
            for w, c in zip(W, b, strict=True):
                outputs.append(1 / (1 + np.exp(-(w @ outputs[-1] + c))))
            delta = (outputs[-1] - y) * outputs[-1] * (1 - outputs[-1])
            for k in reversed(range(len(W))):
                dW[k] += np.outer(delta, outputs[k])
                db[k] += delta
                delta = (W[k].T @ delta) * outputs[k] * (1 - outputs[k])
        W = [w - rate / size * g for w, g in zip(W, dW, strict=True)]
        b = [c - rate / size * g for c, g in zip(b, db, strict=True)]
    return W, b


def test_a_hundred_batches_of_nielsens_program():
    net = example("mnist").nielsen(0, dtype="float64")
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (1000, 784)) * (rng.random((1000, 784)) < 0.2) / 256
    Y = np.eye(10)[rng.integers(0, 10, 1000)]

    def arrays():
        layers = [[n.name for n in net.layers[k]] for k in ("input", "hidden", "output")]
        place = {name: i for i, name in enumerate(net.nodes)}
        weights = dict(zip(net.edges, net.weights.tolist(), strict=True))
        W = [np.array([[weights[u, v] for u in a] for v in b])
             for a, b in pairwise(layers)]  # fmt: skip
        return W, [net.biases[[place[name] for name in layer]] for layer in layers[1:]]

    expected = nielsen_in_numpy(*arrays(), X, Y, 3.0, 10)
    net.fit(X, Y, batch_size=10, shuffle=False, optimizer=ng.SGD(3.0))
    for ours, theirs in zip(arrays(), expected, strict=True):
        assert all(close(a, b, 1e-12) for a, b in zip(ours, theirs, strict=True))


def test_mnist_in_a_reduced_form():
    pytest.importorskip("sklearn")
    found = example("mnist").main(["--epochs", "15"])
    assert max(found["784-30-10"]) > 0.9
    assert max(found["with skips"]) > 0.9


def test_vowels_in_a_reduced_form():
    assert min(example("vowels").main(["--epochs", "15", "--seeds", "1"])) > 0.93


def test_the_worm_in_a_reduced_form():
    results = example("celegans").main(["--epochs", "6", "--trials", "128", "--random", "1"])
    assert [r["name"] for r in results] == ["worm", "random 1"]
    for found in results:
        assert found["after"] > 0.7 > found["before"]
        assert found["loss"][-1] < 0.98 * found["loss"][0]


def test_rewiring_keeps_degrees():
    worm = ng.datasets.celegans(seed=0)
    twin = example("celegans").rewired(worm, np.random.default_rng(0))
    assert dict(twin.out_degree()) == dict(worm.out_degree())
    assert dict(twin.in_degree()) == dict(worm.in_degree())
    moved = set(worm.edges) - set(twin.edges)
    assert len(moved) > 2000
    assert sorted(twin.weights) == sorted(worm.weights)
