"""Distracted sequence recall: remember two symbols among others, and say them when asked."""

from __future__ import annotations

import numpy as np

from neurograph.errors import ParameterError
from neurograph.learning.optimizers import SGD
from neurograph.network import Network
from neurograph.tasks.base import ADAM, Score, Task, blocks
from neurograph.values import natural

__all__ = ["distracted_recall"]

ASKED = 0.1  # part of the steps before the prompts at which the outputs are asked, to be 0


def distracted_recall(
    length: int = 24,
    targets: int = 4,
    distractors: int = 4,
    hidden: int = 16,
    online: bool = False,
) -> Task:
    """Return distracted sequence recall.

    A sequence is `length` symbols, one of the inputs each. All but the last two are distractors,
    but for two targets at random places; the last two are prompts, at which the network says
    the first and then the second target. At all other steps it shall say nothing.

    Parameters
    ----------
    length, targets, distractors : int
        Steps of a sequence; kinds of targets and of distractors.
    hidden : int
        Cells of the LSTM that learns it.
    online : bool
        Learn step by step by rule "lstm-g", rather than backwards through time by Adam.
        Synaptic's example is this with length 10, 2 targets, 2 distractors and 7 cells.

    Notes
    -----
    In batches a tenth of the steps before the prompts are learned from, drawn anew for each
    sequence (ours: most of what is asked there is the same); all count for the score.

    Examples
    --------
    >>> X, Y = distracted_recall(length=8).draw(1, np.random.default_rng(0))
    >>> X.shape, Y.shape, X[0].argmax(1)[-2:].tolist()
    ((1, 8, 10), (1, 8, 4), [0, 1])
    """
    if natural("length", length) < 4:
        raise ParameterError(f"length must be 4 or more, got {length}")
    for name, value in ("targets", targets), ("distractors", distractors):
        if natural(name, value) < 1:
            raise ParameterError(f"{name} must be 1 or more, got 0")
    body = length - 2

    def complete(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return sequences, and what is to be said at every step."""
        rows = np.arange(n)
        symbols = 2 + targets + rng.integers(0, distractors, (n, body))
        places = np.sort(np.argsort(rng.random((n, body)), 1)[:, :2], 1)
        said = rng.integers(0, targets, (n, 2))
        Y = np.zeros((n, length, targets))
        for k in range(2):
            symbols[rows, places[:, k]] = 2 + said[:, k]
            Y[rows, body + k, said[:, k]] = 1
        symbols = np.concatenate([symbols, np.tile([0, 1], (n, 1))], 1)
        return np.eye(2 + targets + distractors)[symbols], Y

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        X, Y = complete(n, rng)
        if online:
            return X, Y
        Y[:, :body][rng.random((n, body)) >= ASKED] = np.nan
        return X, Y

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = complete(1000, rng)
        right = float(((net.predict(X) > 0.5) == (Y > 0.5)).all((1, 2)).mean())
        return Score(f"{right:.1%} of 1,000 new sequences right at every step", right >= 0.95)

    return Task(
        name="distracted sequence recall",
        source="D. Monner, J. Reggia, Neural Networks 25 (2012)",
        criterion="95 % of 1,000 new sequences right at every step, outputs rounded",
        draw=draw,
        score=score,
        network=lambda seed: blocks(2 + targets + distractors, hidden, targets, seed, online),
        optimizer=SGD(0.1) if online else ADAM,
        batch_size=8,
        rule="lstm-g" if online else None,
    )
