"""The adding problem and the copy problem: remember numbers, or symbols, over many steps."""

from __future__ import annotations

import numpy as np

from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.tasks.base import Score, Task, units
from neurograph.values import natural

__all__ = ["adding", "copying"]


def adding(length: int = 100, hidden: int = 8) -> Task:
    """Return the adding problem.

    Two inputs: a number from -1 to 1, and a mark. Sequences have `length` steps to a tenth more.
    One of the first ten steps and another one of the first length / 2 - 1 are marked by 1; the
    first and the last step are marked by -1, if not by 1; all others by 0. At the last step the
    output shall be ½ + (a + b) / 4, where a and b are the numbers that are marked by 1. A number in
    the very first step is 0 if it is marked by 1.

    Parameters
    ----------
    length : int
        Steps of the shortest sequences; 22 or more. After a shorter one come zeros.
    hidden : int
        Units of the GRU that learns it.

    Examples
    --------
    >>> X, Y = adding(30).draw(5, np.random.default_rng(0))
    >>> numbers, marks = X.transpose(2, 0, 1)
    >>> bool(np.allclose(np.nansum(Y, (1, 2)), 0.5 + (numbers * (marks == 1)).sum(1) / 4))
    True
    """
    if natural("length", length) < 22:
        raise ParameterError(f"length must be 22 or more, for two marks in its half; got {length}")
    longest = length + length // 10

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rows, last = np.arange(n), rng.integers(length, longest + 1, n) - 1
        numbers, marks = rng.uniform(-1, 1, (n, longest)), np.zeros((n, longest))
        numbers[np.arange(longest) > last[:, None]] = 0
        first = rng.integers(0, 10, n)
        second = rng.integers(0, length // 2 - 2, n)
        second += second >= first  # another one
        marks[:, 0] = marks[rows, last] = -1
        marks[rows, first] = marks[rows, second] = 1
        numbers[marks[:, 0] == 1, 0] = 0
        Y = np.full((n, longest, 1), np.nan)
        Y[rows, last, 0] = 0.5 + (numbers[rows, first] + numbers[rows, second]) / 4
        return np.stack([numbers, marks], 2), Y

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = draw(2000, rng)
        error = np.abs(net.predict(X) - Y)[~np.isnan(Y)]
        wrong, mean = int((error >= 0.04).sum()), float(error.mean())
        words = f"{wrong} of 2,000 new sequences off by 0.04 or more; mean error {mean:.4f}"
        return Score(words, wrong == 0 and mean < 0.01)

    return Task(
        name=f"adding problem, {length} steps",
        source="S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997), experiment 4",
        criterion="2,000 sequences with an error below 0.04 each and below 0.01 on average; theirs"
        " are the last ones learned from, ours are new",
        draw=draw,
        score=score,
        network=lambda seed: units(2, hidden, 1, seed, "identity", update=2.0),
        loss="squared_error",
        batch_size=4,
        limit=300_000,
    )


def copying(symbols: int = 4, delay: int = 10, alphabet: int = 4, hidden: int = 24) -> Task:
    """Return the copy problem.

    Some symbols, then blanks, `delay` steps of them, the last of which is a mark instead; then
    as many blanks as there were symbols, during which the network says the symbols in their
    order. At all other steps it says "blank".

    Parameters
    ----------
    symbols, delay, alphabet : int
        How many to remember, for how long, of how many kinds; 10, 100 or more, and 8 in the
        paper, where LSTM does not learn it.
    hidden : int
        Units of the GRU that learns it.

    Examples
    --------
    >>> X, Y = copying(2, delay=3).draw(1, np.random.default_rng(0))
    >>> X[0].argmax(1), Y[0].argmax(1)                    # 4 is blank, 5 the mark
    (array([3, 2, 4, 4, 5, 4, 4]), array([4, 4, 4, 4, 4, 3, 2]))
    """
    for name, value in ("symbols", symbols), ("delay", delay), ("alphabet", alphabet):
        if natural(name, value) < 1:
            raise ParameterError(f"{name} must be 1 or more, got 0")
    blank, mark, length = alphabet, alphabet + 1, 2 * symbols + delay
    baseline = symbols * np.log(alphabet) / length

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        said = rng.integers(0, alphabet, (n, symbols))
        heard, asked = np.full((2, n, length), blank)
        heard[:, :symbols], heard[:, symbols + delay - 1] = said, mark
        asked[:, -symbols:] = said
        return np.eye(alphabet + 2)[heard], np.eye(alphabet + 1)[asked]

    def score(net: Network, rng: np.random.Generator) -> Score:
        X, Y = draw(1000, rng)
        said = net.predict_proba(X)
        right = float((said.argmax(2) == Y.argmax(2)).all(1).mean())
        entropy = float(-np.log(np.maximum(1e-300, (said * Y).sum(2))).mean())
        words = (
            f"cross-entropy {entropy:.4f}, without memory {baseline:.4f}; {right:.1%} of 1,000 new"
            " sequences copied without an error"
        )
        return Score(words, bool(entropy < baseline / 10))

    return Task(
        name=f"copy problem, {symbols} symbols, delay {delay}",
        source="M. Arjovsky, A. Shah, Y. Bengio, ICML (2016), after S. Hochreiter, J. Schmidhuber,"
        " Neural Computation 9 (1997)",
        criterion="a cross-entropy of a tenth (ours) of what is possible without memory (theirs)",
        draw=draw,
        score=score,
        network=lambda seed: units(alphabet + 2, hidden, alphabet + 1, seed, "identity"),
        loss="categorical_cross_entropy",
    )
