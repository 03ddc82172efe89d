"""Peers on a graph of levels: forward and backward, one level after the other.

Each is called with nothing and returns a dict: "output" (n_out, B), and the gradients of
L = Σ d_output · output, "weight gradient" (E,) and "bias gradient" (N,).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from benchmarks.graphs import Graph

__all__ = ["JaxLevels", "NeatForward", "SciPyLevels", "TorchLevels", "synapse_gradient"]


def synapse_gradient(graph: Graph, y: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Return Σ_b delta[target, b] y[source, b] of every synapse, piece by piece in cache."""
    if y.ndim == 1:
        return delta[graph.target] * y[graph.source]
    found = np.empty(len(graph.source), y.dtype)
    size = max(1, 2**18 // y.shape[1])
    for a in range(0, len(found), size):
        here = slice(a, a + size)
        pair = delta[graph.target[here]], y[graph.source[here]]
        np.einsum("eb,eb->e", *pair, out=found[here])
    return found


class SciPyLevels:
    """A CSR matrix for each level, and one of its transpose; vectors if there is one sample."""

    def __init__(self, graph: Graph, X: np.ndarray, d_output: np.ndarray):
        from scipy.sparse import csr_array

        self.graph = graph
        shape = graph.n, graph.n
        indices = graph.source.astype(np.int32), graph.indptr.astype(np.int32)
        W = csr_array((graph.weight, *indices), shape=shape)
        self.levels = list(pairwise(graph.first.tolist()))
        self.incoming = [W[a:b] for a, b in self.levels]
        transposed = W.T.tocsr()
        self.outgoing = [transposed[a:b] for a, b in self.levels]
        one = X.shape[1] == 1
        self.X, self.d_output = (x[:, 0] if one else x for x in (X, d_output))
        self.bias = graph.bias if one else graph.bias[:, None]

    def __call__(self) -> dict[str, np.ndarray]:
        """Return output and gradients."""
        graph = self.graph
        y = np.zeros((graph.n, *self.X.shape[1:]), np.float32)
        y[: graph.n_in] = self.X
        for (a, b), W in zip(self.levels[1:], self.incoming[1:], strict=True):
            y[a:b] = np.tanh(W @ y + self.bias[a:b])
        delta = np.zeros_like(y)
        a = graph.n - graph.n_out
        delta[a:] = self.d_output * (1 - y[a:] ** 2)
        for (a, b), W in zip(self.levels[-2:0:-1], self.outgoing[-2:0:-1], strict=True):
            delta[a:b] = (W @ delta) * (1 - y[a:b] ** 2)
        return {
            "output": y[-graph.n_out :].reshape(graph.n_out, -1),
            "weight gradient": synapse_gradient(graph, y, delta),
            "bias gradient": delta.reshape(graph.n, -1).sum(1),
        }


class TorchLevels:
    """Gather, multiply, index_add for each level; gradients by autograd."""

    def __init__(self, graph: Graph, X: np.ndarray, d_output: np.ndarray, threads: int):
        import torch

        self.torch, self.graph, self.threads = torch, graph, threads
        self.X, self.d_output = torch.from_numpy(X), torch.from_numpy(d_output)
        self.weight, self.bias = (
            torch.tensor(a, requires_grad=True) for a in (graph.weight, graph.bias)
        )
        ends = graph.indptr[graph.first]
        self.sizes = np.diff(graph.first).tolist()
        self.counts = np.diff(ends).tolist()
        level = np.repeat(np.arange(len(self.counts)), self.counts)
        local = graph.target - graph.first[level]
        self.source = torch.from_numpy(graph.source).split(self.counts)
        self.target = torch.from_numpy(local).split(self.counts)

    def __call__(self) -> dict:
        """Return output and gradients."""
        torch, graph, B = self.torch, self.graph, self.X.shape[1]
        torch.set_num_threads(self.threads)
        self.weight.grad = self.bias.grad = None
        y = torch.zeros(graph.n, B)
        y[: graph.n_in] = self.X
        weights, biases = self.weight.split(self.counts), self.bias.split(self.sizes)
        for i in range(1, len(self.sizes)):
            a, b = graph.first[i], graph.first[i + 1]
            passed = weights[i][:, None] * y.index_select(0, self.source[i])
            s = biases[i][:, None].expand(-1, B).index_add(0, self.target[i], passed)
            y[a:b] = torch.tanh(s)
        output = y[graph.n - graph.n_out :]
        output.backward(self.d_output)
        return {
            "output": output.detach().numpy(),
            "weight gradient": self.weight.grad.numpy(),
            "bias gradient": self.bias.grad.numpy(),
        }


class JaxLevels:
    """segment_sum for each level, gradients by jax.grad, all in one jit."""

    def __init__(self, graph: Graph, X: np.ndarray, d_output: np.ndarray):
        import jax

        self.jax = jax
        given = X, d_output, graph.source.astype(np.int32), graph.target.astype(np.int32)
        self.parameters = jax.device_put((graph.weight, graph.bias))
        self.given = jax.device_put(given)
        ends = graph.indptr[graph.first]
        cuts = list(zip(pairwise(graph.first.tolist()), pairwise(ends.tolist()), strict=True))

        def loss(parameters, X, d_output, source, target):
            weight, bias = parameters
            y = jax.numpy.zeros((graph.n, X.shape[1]), X.dtype).at[: graph.n_in].set(X)
            for (a, b), (p, q) in cuts[1:]:
                passed = weight[p:q, None] * y[source[p:q]]
                s = jax.ops.segment_sum(passed, target[p:q] - a, b - a, indices_are_sorted=True)
                y = y.at[a:b].set(jax.numpy.tanh(s + bias[a:b, None]))
            output = y[graph.n - graph.n_out :]
            return (output * d_output).sum(), output

        self.run = jax.jit(jax.grad(loss, has_aux=True))

    def __call__(self) -> dict:
        """Return output and gradients."""
        found = self.run(self.parameters, *self.given)
        (weight, bias), output = self.jax.block_until_ready(found)
        return {"output": output, "weight gradient": weight, "bias gradient": bias}


class NeatForward:
    """neat-python's FeedForwardNetwork: one sample, forward only."""

    def __init__(self, graph: Graph, X: np.ndarray):
        from neat.nn import FeedForwardNetwork

        ends = graph.indptr.tolist()
        pairs = list(zip(graph.source.tolist(), graph.weight.tolist(), strict=True))
        outputs = list(range(graph.n - graph.n_out, graph.n))
        evaluations = [
            (j, math.tanh, sum, float(graph.bias[j]), 1.0, pairs[ends[j] : ends[j + 1]])
            for j in range(graph.n_in, graph.n)
        ]
        self.net = FeedForwardNetwork(list(range(graph.n_in)), outputs, evaluations)
        self.x = X[:, 0].tolist()

    def __call__(self) -> dict[str, np.ndarray]:
        """Return the output."""
        return {"output": np.array(self.net.activate(self.x))[:, None]}
