"""XOR one number at a time: a walk over dicts, and automatic differentiation of scalars."""

from __future__ import annotations

from math import exp

import numpy as np

from benchmarks.xor_problem import RATE, X, Y, start

__all__ = ["DictWalk", "ValueWalk"]


class DictWalk:
    """A dict of neurons and a dict of weights, visited in order; gradients by hand."""

    def __init__(self) -> None:
        given = start()
        self.bias = {j + 2: float(b) for j, b in enumerate(given.hidden_bias)}
        self.bias[5] = given.out_bias
        self.incoming = {
            j + 2: {i: float(given.hidden[j, i]) for i in range(2)} for j in range(3)
        } | {5: {j + 2: float(given.out[j]) for j in range(3)}}
        self.outgoing = {j: [5] for j in (2, 3, 4)} | {5: []}
        self.y: dict[int, float] = {}

    def forward(self, i: int) -> float:
        """Return the output for sample i."""
        y = self.y
        y[0], y[1] = INPUTS[i]
        for j, synapses in self.incoming.items():
            s = self.bias[j]
            for k, w in synapses.items():
                s += w * y[k]
            y[j] = 1 / (1 + exp(-s))
        return y[5]

    def step(self, i: int) -> None:
        """Learn sample i."""
        y, delta = self.y, {}
        epsilon = self.forward(i) - TARGETS[i]
        for j in (5, 4, 3, 2):
            if j != 5:
                epsilon = sum(self.incoming[k][j] * delta[k] for k in self.outgoing[j])
            delta[j] = epsilon * y[j] * (1 - y[j])
        for j, synapses in self.incoming.items():
            change = RATE * delta[j]
            for k in synapses:
                synapses[k] -= change * y[k]
            self.bias[j] -= change

    def outputs(self) -> np.ndarray:
        """Return the outputs for all samples."""
        return np.array([self.forward(i) for i in range(len(X))])

    def vector(self) -> np.ndarray:
        """Return the parameters in the order of `Parameters.vector`."""
        hidden = [self.incoming[j][i] for j in (2, 3, 4) for i in range(2)]
        biases = [self.bias[j] for j in (2, 3, 4)]
        return np.array([*hidden, *biases, *self.incoming[5].values(), self.bias[5]])


INPUTS = [tuple(x) for x in X.tolist()]
TARGETS = Y[:, 0].tolist()


class Value:
    """A number that knows how it was made, as in Karpathy's micrograd (2020)."""

    __slots__ = ("data", "grad", "made_of")

    def __init__(self, data: float, made_of: tuple = ()):
        self.data, self.grad = data, 0.0
        self.made_of = made_of  # pairs (value, ∂self/∂value)

    def __add__(self, other: Value) -> Value:
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other: Value) -> Value:
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    def logistic(self) -> Value:
        """Return 1 / (1 + exp(-x))."""
        y = 1 / (1 + exp(-self.data))
        return Value(y, ((self, y * (1 - y)),))

    def backward(self) -> None:
        """Add ∂self/∂v to v.grad of everything self was made of, in reverse order."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            value, done = stack.pop()
            if done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack.append((value, True))
                stack.extend((part, False) for part, _ in value.made_of)
        self.grad = 1.0
        for value in reversed(order):
            for part, slope in value.made_of:
                part.grad += slope * value.grad


class ValueWalk:
    """Every product and sum is an object; gradients by a walk over them."""

    def __init__(self) -> None:
        self.parameters = [Value(float(p)) for p in start().vector()]

    def forward(self, i: int) -> Value:
        """Return the output for sample i."""
        p, (a, b) = self.parameters, map(Value, INPUTS[i])
        s = p[12]
        for j in range(3):
            h = (p[2 * j] * a + p[2 * j + 1] * b + p[6 + j]).logistic()
            s = s + p[9 + j] * h
        return s.logistic()

    def step(self, i: int) -> None:
        """Learn sample i."""
        error = self.forward(i) + Value(-TARGETS[i])
        (error * error * Value(0.5)).backward()
        for p in self.parameters:
            p.data -= RATE * p.grad
            p.grad = 0.0

    def outputs(self) -> np.ndarray:
        """Return the outputs for all samples."""
        return np.array([self.forward(i).data for i in range(len(X))])

    def vector(self) -> np.ndarray:
        """Return the parameters in the order of `Parameters.vector`."""
        return np.array([p.data for p in self.parameters])
