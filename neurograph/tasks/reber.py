"""The embedded Reber grammar: say which symbols may come next."""

from __future__ import annotations

import numpy as np

from neurograph.learning.optimizers import SGD, Adam
from neurograph.lessons import pad
from neurograph.network import Network
from neurograph.tasks.base import Score, Task, blocks

__all__ = ["SYMBOLS", "legal_next", "reber_grammar", "reber_string"]

SYMBOLS = "BTPSXVE"
# For each state of the grammar: a symbol, and the state it leads to; 7 is the end.
ARCS = (
    (("B", 1),),
    (("T", 2), ("P", 3)),
    (("S", 2), ("X", 4)),
    (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)),
    (("E", 7),),
)
STRINGS = 256  # to learn from, and as many others to test with


def reber_string(rng: np.random.Generator) -> str:
    """Return a string of the embedded grammar, as BTBTXSETE: a Reber string between B T … T E or
    B P … P E.

    >>> reber_string(np.random.default_rng(3))
    'BPBPTTTTVVEPE'
    """
    inner, state = "", 0
    while state < len(ARCS):
        symbol, state = ARCS[state][rng.integers(len(ARCS[state]))]
        inner += symbol
    branch = "TP"[rng.integers(2)]
    return f"B{branch}{inner}{branch}E"


def legal_next(string: str) -> list[set[str]]:
    """Return what may follow each symbol of a string but the last.

    >>> [sorted(s) for s in legal_next("BTBTXSETE")][:4]
    [['P', 'T'], ['B'], ['P', 'T'], ['S', 'X']]
    """
    found, state = [{"T", "P"}, {"B"}], 0
    for symbol in string[2:-2]:
        state = dict(ARCS[state])[symbol]
        found.append({a for a, _ in ARCS[state]} if state < len(ARCS) else {string[1]})
    return [*found, {"E"}]


def reber_grammar(hidden: int = 16, online: bool = False) -> Task:
    """Return the embedded Reber grammar: 7 inputs and outputs, a symbol each.

    The network reads a string and says at each step which symbols may come next. It learns from
    what does come next, in 256 strings; the score looks at them and at 256 others, none of which
    was learned.

    Parameters
    ----------
    hidden : int
        Cells of the LSTM that learns it.
    online : bool
        Learn step by step by rule "lstm-g", rather than backwards through time by Adam.

    Examples
    --------
    >>> X, Y = reber_grammar().draw(2, np.random.default_rng(0))
    >>> X.shape[0], X.shape[2], Y.shape == X.shape
    (2, 7, True)
    """

    def strings(rng: np.random.Generator, n: int, others: set[str]) -> list[str]:
        found: list[str] = []
        while len(found) < n:
            string = reber_string(rng)
            if string not in others:
                found.append(string)
        return found

    learned = strings(np.random.default_rng(0), STRINGS, set())
    tested = strings(np.random.default_rng(1), STRINGS, set(learned))

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return coded([learned[i] for i in rng.integers(0, STRINGS, n)])

    def score(net: Network, rng: np.random.Generator) -> Score:
        right = [sum(well_said(net, some)) for some in (learned, tested)]
        return Score(
            f"{right[0]} of {STRINGS} learned strings and {right[1]} of {STRINGS} others right at"
            " every step",
            sum(right) == 2 * STRINGS,
        )

    return Task(
        name="embedded Reber grammar",
        source="S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997), experiment 1",
        criterion="in all 512 strings, at every step, each symbol that may come next has a larger"
        " output than each that may not",
        draw=draw,
        score=score,
        network=lambda seed: blocks(7, hidden, 7, seed, online),
        optimizer=SGD(0.05) if online else Adam(0.01, l2=1e-4),
        batch_size=8,
        block=500,
        rule="lstm-g" if online else None,
    )


def coded(strings: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return strings as inputs and targets (n, T, 7): each symbol, and the one that follows."""
    rows = [np.eye(7)[[SYMBOLS.index(c) for c in s]] for s in strings]
    return pad([r[:-1] for r in rows])[0], pad([r[1:] for r in rows], np.nan)[0]


def well_said(net: Network, strings: list[str]) -> list[bool]:
    """Return for each string whether the network always knew what may come next."""
    outputs, found = net.predict(coded(strings)[0]), []
    for string, said in zip(strings, outputs, strict=True):
        legal = [[c in may for c in SYMBOLS] for may in legal_next(string)]
        pairs = list(zip(said, np.array(legal), strict=False))
        found.append(all(y[may].min() > y[~may].max() for y, may in pairs))
    return found
