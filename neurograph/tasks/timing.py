"""The timing task: hold an output for as long as an input has said."""

from __future__ import annotations

import numpy as np

from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.tasks.base import Score, Task, units
from neurograph.values import natural

__all__ = ["timing"]

LONGEST = 20  # steps that an output is held at most


def timing(length: int = 60, hidden: int = 12) -> Task:
    """Return the timing task, as Synaptic has it.

    At a mark (first input 1) the second input says a duration, n / 20, and goes on saying it; the
    output shall be 0.5 in that step and the n that follow, then 0 for a while, until the next
    mark. The duration is counted, not read: it stays on the input afterwards.

    Parameters
    ----------
    length : int
        Steps of a sequence; Synaptic's is one of 7,000.
    hidden : int
        Cells of the GRU that learns it.

    Examples
    --------
    >>> X, Y = timing().draw(1, np.random.default_rng(0))
    >>> first = int(round(20 * X[0, 0, 1]))
    >>> bool(X[0, 0, 0]), bool((Y[0, : first + 1] == 0.5).all())
    (True, True)
    """
    if natural("length", length) < LONGEST + 1:
        raise ParameterError(f"length must be {LONGEST + 1} or more, got {length}")

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        X, Y = np.zeros((n, length, 2)), np.zeros((n, length, 1))
        for b in range(n):
            t = 0
            while t < length:
                held, pause = rng.integers(0, LONGEST + 1, 2)
                X[b, t, 0] = 1
                X[b, t : t + held + pause + 1, 1] = held / LONGEST
                Y[b, t : t + held + 1] = 0.5
                t += held + pause + 1
        return X, Y

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = draw(200, rng)
        error = float(((net.predict(X) - Y) ** 2).mean())
        return Score(f"mean squared error {error:.4f} on 200 new sequences", error <= 0.005)

    return Task(
        name="timing",
        source="Synaptic.js, after F. Gers, N. Schraudolph, J. Schmidhuber, JMLR 3 (2002)",
        criterion="mean squared error of at most 0.005, Synaptic's own",
        draw=draw,
        score=score,
        network=lambda seed: units(2, hidden, 1, seed, "logistic"),
        loss="mse",
        batch_size=8,
        block=1000,
        limit=60_000,
    )
