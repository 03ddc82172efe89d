"""The adding problem and the copy problem: remember numbers, or symbols, over many steps."""

from __future__ import annotations

import numpy as np

from neurograph.architectures import gru
from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.tasks.base import Score, Task, gated
from neurograph.values import natural

__all__ = ["adding", "copying"]


def adding(length: int = 50, hidden: int = 12) -> Task:
    """Return the adding problem.

    Two inputs: a number in [0, 1], and a mark which is 1 at two steps, one in each half. At the
    last step the output shall be the sum of the two marked numbers, halved so that it stays in
    [0, 1].

    Parameters
    ----------
    length : int
        Steps of a sequence.
    hidden : int
        Cells of the GRU that learns it.

    Examples
    --------
    >>> X, Y = adding(10).draw(5, np.random.default_rng(0))
    >>> bool(np.allclose(Y[:, -1, 0], (X[..., 0] * X[..., 1]).sum(1) / 2)), X[..., 1].sum(1)
    (True, array([2., 2., 2., 2., 2.]))
    """
    if natural("length", length) < 2:
        raise ParameterError(f"length must be 2 or more, got {length}")

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rows, half = np.arange(n), length // 2
        X = np.stack([rng.random((n, length)), np.zeros((n, length))], 2)
        X[rows, rng.integers(0, half, n), 1] = 1
        X[rows, rng.integers(half, length, n), 1] = 1
        Y = np.full((n, length, 1), np.nan)
        Y[:, -1, 0] = (X[..., 0] * X[..., 1]).sum(1) / 2
        return X, Y

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = draw(2000, rng)
        error = np.abs(net.predict(X)[:, -1] - Y[:, -1])
        wrong = int((error >= 0.04).sum())
        return Score(
            f"{wrong} of 2,000 new sequences off by 0.04 or more; mean error {error.mean():.4f}",
            wrong <= 20,
        )

    return Task(
        name=f"adding problem, {length} steps",
        source="S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997), experiment 4",
        criterion="an error below 0.04 (theirs) in 99 % of 2,000 new sequences (ours)",
        draw=draw,
        score=score,
        network=lambda seed: gated(
            gru(2, hidden, 1, output_activation="identity", seed=seed), update=2.0
        ),
        loss="mse",
    )


def copying(symbols: int = 4, delay: int = 10, alphabet: int = 4, hidden: int = 24) -> Task:
    """Return the copy problem.

    Some symbols, a delay, and a mark at the end of it; from the mark on the network says the
    symbols in their order.

    Parameters
    ----------
    symbols, delay, alphabet : int
        How many to remember, for how long, of how many kinds.
    hidden : int
        Cells of the GRU that learns it.

    Examples
    --------
    >>> X, Y = copying(2, delay=3).draw(1, np.random.default_rng(0))
    >>> X[0].argmax(1)[:2].tolist() == Y[0].argmax(1)[-2:].tolist(), X.shape
    (True, (1, 7, 6))
    """
    for name, value in ("symbols", symbols), ("delay", delay), ("alphabet", alphabet):
        if natural(name, value) < 1:
            raise ParameterError(f"{name} must be 1 or more, got 0")
    blank, mark = alphabet, alphabet + 1
    length = 2 * symbols + delay

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        said = rng.integers(0, alphabet, (n, symbols))
        codes = np.full((n, length), blank)
        codes[:, :symbols], codes[:, symbols + delay] = said, mark
        Y = np.full((n, length, alphabet), np.nan)
        Y[:, symbols + delay :] = np.eye(alphabet)[said]
        return np.eye(alphabet + 2)[codes], Y

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = draw(1000, rng)
        said = net.predict(X)[:, symbols + delay :].argmax(2)
        right = float((said == Y[:, symbols + delay :].argmax(2)).all(1).mean())
        return Score(f"{right:.1%} of 1,000 new sequences copied without an error", right >= 0.99)

    return Task(
        name=f"copy problem, {symbols} symbols, delay {delay}",
        source="S. Hochreiter, J. Schmidhuber (1997); as in M. Arjovsky et al., ICML (2016)",
        criterion="99 % of 1,000 new sequences copied without an error (ours)",
        draw=draw,
        score=score,
        network=lambda seed: gated(
            gru(alphabet + 2, hidden, alphabet, output_activation="identity", seed=seed)
        ),
        loss="categorical_cross_entropy",
    )
