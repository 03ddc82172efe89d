"""Row mnist: 784-30-10, logistic, quadratic cost, batch 10, rate 3.0, one thread.

The set-up of M. Nielsen, "Neural Networks and Deep Learning" (2015), chapter 1. Batches come
in the order of the data for everyone, so that all of them compute the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import neurograph as ng
from benchmarks import ours
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.options import Options
from neurograph.engines import Engine
from neurograph.engines.compiled import Compiled

__all__ = ["mnist"]

SIZES, BATCH, RATE = (784, 30, 10), 10, 3.0
CHECKED = 200  # samples after which the parameters of all are the same


class Digits(NamedTuple):
    """Images (n, 784) in [0, 1] and labels (n,), to learn and to test."""

    x: np.ndarray
    labels: np.ndarray
    x_test: np.ndarray
    labels_test: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """Labels as (n, 10) of zeros and ones."""
        return np.eye(10, dtype=self.x.dtype)[self.labels]

    def first(self, n: int) -> Digits:
        """Return the first n to learn."""
        return self._replace(x=self.x[:n], labels=self.labels[:n])


class Layers(NamedTuple):
    """Weights (n_out, n_in) and biases (n_out,) of both layers; copied by whoever learns."""

    V: np.ndarray
    b: np.ndarray
    W: np.ndarray
    c: np.ndarray

    @classmethod
    def start(cls, dtype: str) -> Layers:
        """Draw weights of variance 1 / fan-in, and biases, from a seed."""
        rng = np.random.default_rng(0)
        n, h, k = SIZES
        V, W = rng.standard_normal((h, n)) / np.sqrt(n), rng.standard_normal((k, h)) / np.sqrt(h)
        b, c = rng.standard_normal(h), rng.standard_normal(k)
        return cls(*(a.astype(dtype) for a in (V, b, W, c)))

    def copied(self) -> Layers:
        """Return arrays of one's own."""
        return Layers(*(a.copy() for a in self))

    def accuracy(self, digits: Digits) -> float:
        """Return which part of the test images is told right."""
        h = logistic(digits.x_test @ self.V.T + self.b)
        return float(((h @ self.W.T + self.c).argmax(1) == digits.labels_test).mean())


def mnist(options: Options) -> Iterator[Case]:
    """One epoch of 50,000 samples."""
    n = 20 if options.quick else 50_000
    for dtype in ("float64",) if options.quick else ("float32", "float64"):
        given = digits(options, n, dtype), dtype, options
        entries = [
            Entry("neurograph", partial(_contender, Ours, *given)),
            Entry("neurograph by synapse", partial(_contender, BySynapse, *given)),
            Entry("neurograph, Adam", partial(_contender, ByAdam, *given)),
            Entry("NumPy batched", partial(_contender, Batched, *given)),
            Entry("PyTorch eager", partial(_contender, Torch, *given), "torch"),
            Entry("Nielsen's program", partial(_contender, Nielsen, *given)),
        ]
        tolerance = 1e-3 if dtype == "float32" else 1e-9
        yield Case(dtype, entries, per="epoch", tolerance=tolerance)


def digits(options: Options, n: int, dtype: str) -> Digits:
    """Return n samples: those that were given, or generated ones."""
    found = _load(options.mnist, dtype) if options.mnist else _generated(n, dtype)
    return found.first(n)


def _load(path: Path, dtype: str) -> Digits:
    with np.load(path) as data:
        images = (data[k].reshape(-1, 784).astype(dtype) / 255 for k in ("x_train", "x_test"))
        (x, x_test), labels = images, (data[k].astype(np.int64) for k in ("y_train", "y_test"))
        y, y_test = labels
    return Digits(x[:50_000], y[:50_000], x_test, y_test)


def _generated(n: int, dtype: str) -> Digits:
    """Return data of the same shape: ten patterns in noise, a fifth of the pixels not 0."""
    rng = np.random.default_rng(0)
    patterns = rng.random((10, 784)) * (rng.random((10, 784)) < 0.2)
    labels = rng.integers(0, 10, n + n // 5)
    noise = 0.3 * rng.standard_normal((len(labels), 784), np.float32)
    x = np.clip(patterns[labels] + noise, 0, 1).astype(dtype)
    return Digits(x[:n], labels[:n], x[n:], labels[n:])


def _contender(make: Callable, digits: Digits, dtype: str, options: Options) -> Contender:
    """Measure one that has `reset()`, `epoch()` and `layers()`, always from the same start."""
    small = make(digits.first(CHECKED), dtype)
    large = make(digits, dtype)

    def numbers() -> dict:
        if make is ByAdam:  # another rule: nobody to compare it with
            return {}
        small.reset()
        small.epoch()
        return small.layers()._asdict()

    def train() -> None:
        for _ in range(options.epochs):
            large.epoch()

    def accuracy() -> str:
        right = large.layers().accuracy(digits)
        data = "" if options.mnist else " (generated data)"
        return f"{right:.2%} right after {options.epochs} epoch(s){data}"

    return Contender(timed(train, options.epochs, before=large.reset), numbers, accuracy)


def logistic(s: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-s))."""
    return 1 / (1 + np.exp(-s))


# ---------------------------------------------------------------- contenders


class Ours:
    """`net.fit` on a perceptron; dense blocks where the engine finds them."""

    engine: str | Engine = ours.ENGINE
    optimizer: ng.Optimizer = ng.SGD(RATE)

    def __init__(self, digits: Digits, dtype: str):
        self.digits, self.dtype = digits, dtype
        self.net = ng.perceptron(*SIZES, seed=0, dtype=dtype)
        self.y = digits.y

    def reset(self) -> None:
        """Go back to the start."""
        ours.set_threads(1)
        start, net = Layers.start(self.dtype), self.net
        # In the order of net.synapses: by source, and then as they were added.
        net.weights = np.concatenate([start.V.T.ravel(), start.W.T.ravel()])
        net.biases = np.concatenate([np.zeros(SIZES[0]), start.b, start.c])

    def epoch(self) -> None:
        """Learn all samples once."""
        options = {"optimizer": self.optimizer, "engine": self.engine, "shuffle": False}
        self.net.fit(self.digits.x, self.y, batch_size=BATCH, **options)

    def layers(self) -> Layers:
        """Return the parameters."""
        n, h, k = SIZES
        weights, biases = self.net.weights, self.net.biases
        V, W = weights[: n * h].reshape(n, h).T, weights[n * h :].reshape(h, k).T
        return Layers(V, biases[n : n + h], W, biases[n + h :])


class BySynapse(Ours):
    """The same, synapse by synapse, as a graph without blocks is run."""

    engine = Compiled(dense=False)


class ByAdam(Ours):
    """The same with Adam instead of plain descent."""

    optimizer = ng.Adam(1e-3)


class Batched:
    """NumPy, a matrix product for each batch and layer."""

    def __init__(self, digits: Digits, dtype: str):
        self.digits, self.y, self.begin = digits, digits.y, Layers.start(dtype)
        self.rate = self.begin.b.dtype.type(RATE / BATCH)

    def reset(self) -> None:
        """Go back to the start."""
        self.now = self.begin.copied()

    def epoch(self) -> None:
        """Learn all samples once."""
        V, b, W, c = self.now
        for a in range(0, len(self.y), BATCH):
            x, t = self.digits.x[a : a + BATCH], self.y[a : a + BATCH]
            h = logistic(x @ V.T + b)
            y = logistic(h @ W.T + c)
            outer = (y - t) * y * (1 - y)
            inner = (outer @ W) * h * (1 - h)
            W -= self.rate * (outer.T @ h)
            c -= self.rate * outer.sum(0)
            V -= self.rate * (inner.T @ x)
            b -= self.rate * inner.sum(0)

    def layers(self) -> Layers:
        """Return the parameters."""
        return self.now


class Nielsen(Batched):
    """The algorithm of network.py in Nielsen's book: sample by sample, column vectors."""

    def __init__(self, digits: Digits, dtype: str):
        super().__init__(digits, dtype)
        self.samples = list(zip(digits.x[:, :, None], self.y[:, :, None], strict=True))

    def epoch(self) -> None:
        """Learn all samples once."""
        for a in range(0, len(self.samples), BATCH):
            self._update(self.samples[a : a + BATCH])

    def _update(self, batch: list) -> None:
        V, b, W, c = self.now
        weights, biases = [V, W], [b[:, None], c[:, None]]
        d_weights, d_biases = ([np.zeros_like(a) for a in one] for one in (weights, biases))
        for x, t in batch:
            found = self._backprop(weights, biases, x, t)
            d_weights = [d + more for d, more in zip(d_weights, found[0], strict=True)]
            d_biases = [d + more for d, more in zip(d_biases, found[1], strict=True)]
        weights = [w - self.rate * d for w, d in zip(weights, d_weights, strict=True)]
        biases = [b - self.rate * d for b, d in zip(biases, d_biases, strict=True)]
        self.now = Layers(weights[0], biases[0][:, 0], weights[1], biases[1][:, 0])

    @staticmethod
    def _backprop(weights: list, biases: list, x: np.ndarray, t: np.ndarray) -> tuple:
        h = logistic(weights[0] @ x + biases[0])
        y = logistic(weights[1] @ h + biases[1])
        outer = (y - t) * y * (1 - y)
        inner = weights[1].T @ outer * h * (1 - h)
        return (inner @ x.T, outer @ h.T), (inner, outer)


class Torch:
    """Two nn.Linear, autograd, optim.SGD, one thread."""

    def __init__(self, digits: Digits, dtype: str):
        import torch
        from torch import nn

        self.torch, self.dtype = torch, dtype
        layers = nn.Linear(*SIZES[:2]), nn.Sigmoid(), nn.Linear(*SIZES[1:]), nn.Sigmoid()
        self.model = nn.Sequential(*layers).to(getattr(torch, dtype))
        self.x, self.y = torch.from_numpy(digits.x), torch.from_numpy(digits.y)

    def reset(self) -> None:
        """Go back to the start."""
        self.torch.set_num_threads(1)
        with self.torch.no_grad():
            pairs = zip(self.model.parameters(), Layers.start(self.dtype), strict=True)
            for p, value in pairs:
                p.copy_(self.torch.from_numpy(value))

    def epoch(self) -> None:
        """Learn all samples once."""
        optimizer = self.torch.optim.SGD(self.model.parameters(), RATE)
        batches = zip(self.x.split(BATCH), self.y.split(BATCH), strict=True)
        for x, t in batches:
            optimizer.zero_grad()
            loss = 0.5 * (self.model(x) - t).square().sum() / BATCH
            loss.backward()
            optimizer.step()

    def layers(self) -> Layers:
        """Return the parameters."""
        return Layers(*(p.detach().numpy() for p in self.model.parameters()))
