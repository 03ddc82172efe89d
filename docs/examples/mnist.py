"""Nielsen's network: handwritten digits with 784-30-10, and the same with skips.

    python docs/examples/mnist.py mnist.npz

The program of chapter 1 of M. Nielsen, "Neural Networks and Deep Learning" (2015): logistic
neurons, quadratic cost, mini-batches of 10, rate 3.0, pixels divided by 256. He draws weights
and biases from N(0, 1), which saturates hidden neurons at first: `--normal` does so; otherwise
weights are drawn as Glorot & Bengio (2010) do. mnist.npz has x_train, y_train, x_test, y_test.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np

import neurograph as ng


def nielsen(
    seed: int, sizes: tuple[int, ...] = (784, 30, 10), dtype: str = "float32"
) -> ng.Network:
    """Return his network."""
    return ng.perceptron(*sizes, seed=seed, dtype=dtype)


def with_skips(seed: int, sizes: tuple[int, ...] = (784, 30, 10)) -> ng.Network:
    """Return the same with a synapse from every pixel to every output besides."""
    net = nielsen(seed, sizes)
    net.layers["input"].project(net.layers["output"], weight=0.0)
    return net


def draw_normal(net: ng.Network) -> None:
    """Draw all weights, and all biases but those of inputs, from N(0, 1)."""
    net.weights = net.rng.normal(size=net.number_of_edges())
    inputs = np.array([n.role == "input" for n in net.neurons])
    net.biases = np.where(inputs, 0, net.rng.normal(size=len(net)))


def train(net: ng.Network, data: ng.datasets.DataSet, epochs: int) -> list[float]:
    """Train epoch by epoch; return the accuracies on the test images."""
    Y = data.train.targets(one_hot=True)
    accuracies: list[float] = []
    started = perf_counter()

    def measure(epoch: ng.Epoch) -> None:
        accuracies.append(data.test.accuracy(epoch.network.predict(data.test.X)))
        seconds = perf_counter() - started
        print(f"  epoch {epoch.number + 1:2}: {accuracies[-1]:.2%}  ({seconds:.1f} s)", flush=True)

    net.fit(data.train.X, Y, epochs=epochs, batch_size=10, optimizer=ng.SGD(3.0), callbacks=measure)
    return accuracies


def main(arguments: list[str] | None = None) -> dict[str, list[float]]:
    """Train both; print and return the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", nargs="?", help="an .npz of MNIST; scikit-learn's digits if left out"
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--normal", action="store_true", help="his initial weights, N(0, 1)")
    options = parser.parse_args(arguments)
    data = ng.datasets.mnist(options.data) if options.data else ng.datasets.digits()
    sizes = data.train.X.shape[1], 30, 10
    found = {}
    for name, make in ("784-30-10", nielsen), ("with skips", with_skips):
        net = make(options.seed, sizes)
        if options.normal:
            draw_normal(net)
        print(f"{name}: {net!r}")
        found[name] = train(net, data, options.epochs)
    for name, accuracies in found.items():
        print(f"{name}: best {max(accuracies):.2%}, last {accuracies[-1]:.2%}")
    return found


if __name__ == "__main__":
    main()
