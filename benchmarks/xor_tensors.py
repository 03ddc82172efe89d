"""XOR with tensor libraries, in float64: NumPy by hand, PyTorch eager, JAX."""

from __future__ import annotations

import numpy as np

from benchmarks.xor_problem import RATE, X, Y, start

__all__ = ["Jax", "NumPy", "Torch"]


class NumPy:
    """Vectors and matrices; gradients by hand."""

    def __init__(self) -> None:
        given = start()
        self.V, self.b, self.w = given.hidden.copy(), given.hidden_bias.copy(), given.out.copy()
        self.c = given.out_bias

    def step(self, i: int) -> None:
        """Learn sample i."""
        x, t = X[i], Y[i, 0]
        h = 1 / (1 + np.exp(-(self.V @ x + self.b)))
        y = 1 / (1 + np.exp(-(self.w @ h + self.c)))
        delta = (y - t) * y * (1 - y)
        deltas = delta * self.w * h * (1 - h)
        self.w -= RATE * delta * h
        self.c -= RATE * delta
        self.V -= RATE * np.outer(deltas, x)
        self.b -= RATE * deltas

    def outputs(self) -> np.ndarray:
        """Return the outputs for all samples."""
        h = 1 / (1 + np.exp(-(X @ self.V.T + self.b)))
        return 1 / (1 + np.exp(-(h @ self.w + self.c)))

    def vector(self) -> np.ndarray:
        """Return the parameters in the order of `Parameters.vector`."""
        return np.array([*self.V.ravel(), *self.b, *self.w, self.c])


class Torch:
    """Two nn.Linear, autograd, optim.SGD, one thread."""

    def __init__(self) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(1)
        self.X, self.Y = torch.from_numpy(X), torch.from_numpy(Y)
        layers = nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid()
        self.model = nn.Sequential(*layers).double()
        given = start()
        values = given.hidden, given.hidden_bias, given.out[None], [given.out_bias]
        with torch.no_grad():
            for p, value in zip(self.model.parameters(), values, strict=True):
                p.copy_(torch.as_tensor(np.array(value)))
        self.optimizer = torch.optim.SGD(self.model.parameters(), RATE)

    def step(self, i: int) -> None:
        """Learn sample i."""
        self.optimizer.zero_grad()
        loss = 0.5 * (self.model(self.X[i]) - self.Y[i]).square().sum()
        loss.backward()
        self.optimizer.step()

    def outputs(self) -> np.ndarray:
        """Return the outputs for all samples."""
        return self.model(self.X).detach().numpy()[:, 0]

    def vector(self) -> np.ndarray:
        """Return the parameters in the order of `Parameters.vector`."""
        parts = (p.detach().numpy().ravel() for p in self.model.parameters())
        return np.concatenate(list(parts))


class Jax:
    """jax.grad; a jitted function for one step, or all steps in one jitted scan."""

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax = jax
        given = start()
        values = given.hidden, given.hidden_bias, given.out, given.out_bias
        self.parameters = tuple(map(jax.numpy.asarray, values))
        if Jax.compiled is None:
            Jax.compiled = _jitted(jax)
        self.one, self.many, self.all = Jax.compiled

    compiled: tuple | None = None  # once in a process, as users do

    def step(self, i: int) -> None:
        """Learn sample i."""
        self.parameters = self.jax.block_until_ready(self.one(self.parameters, i))

    def scan(self, samples: np.ndarray) -> np.ndarray:
        """Learn samples in a row, from the start each time; return the parameters."""
        return _flat(self.many(self.parameters, samples))

    def outputs(self) -> np.ndarray:
        """Return the outputs for all samples."""
        return np.asarray(self.all(self.parameters))

    def vector(self) -> np.ndarray:
        """Return the parameters in the order of `Parameters.vector`."""
        return _flat(self.parameters)


def _flat(parameters: tuple) -> np.ndarray:
    return np.concatenate([np.asarray(p).ravel() for p in parameters])


def _output(jax, parameters: tuple, x):
    V, b, w, c = parameters
    return jax.nn.sigmoid(w @ jax.nn.sigmoid(V @ x + b) + c)


def _jitted(jax) -> tuple:
    """Return a step, a scan over steps, and the outputs for all samples."""
    samples, targets = jax.numpy.asarray(X), jax.numpy.asarray(Y[:, 0])

    def loss(parameters, i):
        return 0.5 * (_output(jax, parameters, samples[i]) - targets[i]) ** 2

    def step(parameters, i):
        gradients = jax.grad(loss)(parameters, i)
        return tuple(p - RATE * g for p, g in zip(parameters, gradients, strict=True))

    def scan(parameters, order):
        return jax.lax.scan(lambda p, i: (step(p, i), None), parameters, order)[0]

    def outputs(parameters):
        return jax.vmap(lambda x: _output(jax, parameters, x))(samples)

    return jax.jit(step), jax.jit(scan), jax.jit(outputs)
