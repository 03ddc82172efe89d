"""An outside oracle: the same network in PyTorch, from the graph alone, without our plan."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import neurograph as ng

torch = pytest.importorskip("torch")

F = torch.nn.functional
FUNCTIONS = {
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": lambda s: s,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "step": lambda s: (s > 0).to(s.dtype) + 0 * s,
    "bipolar": lambda s: torch.where(s > 0, 1.0, -1.0).to(s.dtype) + 0 * s,
    "bipolar_logistic": lambda s: 2 * torch.sigmoid(s) - 1,
    "hard_tanh": F.hardtanh,
    "absolute": torch.abs,
    "inverse": lambda s: 1 - s,
    "selu": torch.selu,
    "softplus": lambda s: torch.logaddexp(s, torch.zeros_like(s)),
    "softsign": F.softsign,
    "swish": F.silu,
    "gelu": F.gelu,
    "gaussian": lambda s: torch.exp(-s * s),
    "sin": torch.sin,
    "bent_identity": lambda s: (torch.sqrt(s * s + 1) - 1) / 2 + s,
}


class Oracle:
    """Parameters as leaves of autograd, and the unrolled computation."""

    def __init__(self, net: ng.Network):
        self.net = net
        tensor = lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)  # noqa: E731
        self.group = {}  # tied synapses use one leaf
        leaf: dict = {}
        for u, v, d in net.edges(data=True):
            key = ("tie", d["tie"]) if "tie" in d else (u, v)
            self.group[u, v] = leaf.setdefault(key, tensor(d["weight"]))
        self.bias = {n: tensor(d.get("bias", 0.0)) for n, d in net.nodes(data=True)}

    def order(self) -> list:
        """A zero-delay order of its own, by networkx."""
        now = nx.DiGraph()
        now.add_nodes_from(self.net)
        for u, v, d in self.net.edges(data=True):
            if u != v and not d.get("delay"):
                now.add_edge(u, v)
            if "gater" in d and not d.get("gate_delay"):
                now.add_edge(d["gater"], v)
        return list(nx.topological_sort(now))

    def run(self, X: np.ndarray) -> torch.Tensor:
        """Outputs (B, T, n_out) for X (B, T, n_in); keeps X as `self.x`."""
        net = self.net
        self.x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
        n_samples, n_steps, _ = X.shape
        zero, one = torch.zeros(n_samples).double(), torch.ones(n_samples).double()
        s: dict = {}
        y: dict = {}
        order = self.order()
        for t in range(n_steps):
            for j in order:
                if j in net.inputs:
                    y[j, t] = self.x[:, t, net.inputs.index(j)]
                    continue
                total = self.bias[j] + zero
                for i, _, d in net.in_edges(j, data=True):
                    gain, late = one, d.get("gate_delay", 0)
                    if "gater" in d and t - late >= 0:
                        gain = y[d["gater"], t - late]
                    if i == j and d.get("reads", "state") == "state":
                        value = s.get((j, t - 1), zero)
                    else:
                        value = y.get((i, t - d.get("delay", int(i == j))), zero)
                    total = total + gain * self.group[i, j] * value
                s[j, t] = total
                y[j, t] = FUNCTIONS[net.nodes[j].activation](total)
        return torch.stack(
            [torch.stack([y[j, t] for j in net.outputs], -1) for t in range(n_steps)], 1
        )

    def gradients(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of weights, biases and X, in networkx's order, after `backward` of torch."""

        def grad(leaf: torch.Tensor) -> np.ndarray:
            return np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()

        weights = np.array([grad(self.group[e]) for e in self.net.edges]).reshape(-1)
        biases = np.array([grad(self.bias[n]) for n in self.net]).reshape(-1)
        return weights, biases, grad(self.x)
