"""XOR, the smallest task that needs a hidden neuron."""

from __future__ import annotations

import numpy as np

from neurograph.architectures import perceptron
from neurograph.learning.optimizers import Adam
from neurograph.network import Network
from neurograph.tasks.base import Score, Task

__all__ = ["xor"]

X = np.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]], float)
Y = np.array([[[0]], [[1]], [[1]], [[0]]], float)


def xor(hidden: int = 3) -> Task:
    """Return XOR: 2 inputs, 1 output, patterns drawn one by one.

    Examples
    --------
    >>> X, Y = xor().draw(3, np.random.default_rng(0))
    >>> X.shape, bool((Y[:, 0, 0] == X[:, 0, 0] + X[:, 0, 1] - 2 * X[:, 0].prod(1)).all())
    ((3, 1, 2), True)
    """

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        which = rng.integers(0, 4, n)
        return X[which], Y[which]

    def score(net: Network, rng: np.random.Generator) -> Score:
        worst = float(np.abs(net.predict(X) - Y).max())
        return Score(f"largest error {worst:.3f}", worst < 0.1)

    return Task(
        name="XOR",
        source="D. Rumelhart, G. Hinton, R. Williams, Nature 323 (1986)",
        criterion="no output is off by 0.1 (ours)",
        draw=draw,
        score=score,
        network=lambda seed: perceptron(2, hidden, 1, seed=seed),
        optimizer=Adam(0.03),
        batch_size=4,
        block=1000,
        limit=100_000,
    )
