"""XOR 2-3-1: the samples, the rate, and the parameters at which everyone starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["RATE", "Parameters", "X", "Y", "start"]

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([[0.0], [1.0], [1.0], [0.0]])
RATE = 0.3


@dataclass(frozen=True)
class Parameters:
    """hidden (3, 2): to neuron j from input i; hidden_bias (3,); out (3,); out_bias."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    out_bias: float

    def vector(self) -> np.ndarray:
        """Return all thirteen in a row."""
        return np.array([*self.hidden.ravel(), *self.hidden_bias, *self.out, self.out_bias])

    def lists(self) -> dict:
        """Return them as JSON for benchmarks/node/xor.js."""
        rows = {"hidden": self.hidden.tolist(), "hiddenBias": self.hidden_bias.tolist()}
        return {**rows, "out": self.out.tolist(), "outBias": self.out_bias}


def start() -> Parameters:
    """Return the parameters at which everyone starts."""
    rng = np.random.default_rng(4)
    hidden, bias, out = (rng.uniform(-1, 1, shape) for shape in ((3, 2), 3, 3))
    return Parameters(hidden, bias, out, float(rng.uniform(-1, 1)))
