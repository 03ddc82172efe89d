"""Random graphs as arrays, from a seed: the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Graph", "dag", "recurrent"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of tanh neurons, numbered in an order of visits, in float32.

    Attributes
    ----------
    n : int
        Neurons. The first `n_in` are the inputs, the last `n_out` the outputs.
    source, target : (E,) int64
        Sorted by target, then source.
    weight, bias : (E,), (n,) float32
    delay : {0, 1}
        Of all synapses.
    first : (levels + 1,) int64
        Neurons first[l]:first[l + 1] are level l.
    """

    n: int
    n_in: int
    n_out: int
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    delay: int
    first: np.ndarray

    @property
    def indptr(self) -> np.ndarray:
        """Synapses indptr[j]:indptr[j + 1] end in neuron j."""
        return np.searchsorted(self.target, np.arange(self.n + 1))


def dag(n: int, n_synapses: int, depth: int, seed: int = 0) -> Graph:
    """Return a graph without cycles, of `depth` levels of the same size.

    Each neuron above level 0 has a synapse from the level below, so that the depth is what it
    says; the others run from any level to any higher one, all pairs being equally likely.
    """
    rng = np.random.default_rng(seed)
    level = np.arange(n) * depth // n
    first = np.searchsorted(level, np.arange(depth + 1))
    above = np.arange(first[1], n)
    below = level[above] - 1
    chain = above * n + rng.integers(first[below], first[below + 1])
    pairs = np.setdiff1d(_pairs(rng, level, n_synapses), chain)
    others = rng.permutation(pairs)[: n_synapses - len(chain)]
    code = np.sort(np.concatenate([chain, others]))
    sizes = int(first[1]), int(n - first[-2])
    return _graph(rng, n, *sizes, code % n, code // n, 0, first)


def recurrent(n: int, n_synapses: int, seed: int = 0, ports: int = 1000) -> Graph:
    """Return a graph of random synapses of delay 1, none of them into an input."""
    rng = np.random.default_rng(seed)
    code = np.empty(0, np.int64)
    while len(code) < n_synapses:
        more = rng.integers(ports * n, n * n, n_synapses - len(code) + n_synapses // 50)
        code = np.unique(np.concatenate([code, more]))
    code = np.delete(code, rng.choice(len(code), len(code) - n_synapses, replace=False))
    return _graph(rng, n, ports, ports, code % n, code // n, 1, np.array([0, n]))


def _pairs(rng: np.random.Generator, level: np.ndarray, wanted: int) -> np.ndarray:
    """Return at least `wanted` different pairs, as target * n + source, of rising level."""
    n, code = len(level), np.empty(0, np.int64)
    possible = int(np.searchsorted(level, level).sum())
    assert 2 * wanted < possible, "too dense to be drawn by chance"
    while len(code) < wanted:
        a, b = np.sort(rng.integers(0, n, (2, wanted)), axis=0)
        rising = level[a] < level[b]
        code = np.unique(np.concatenate([code, b[rising] * n + a[rising]]))
    return code


def _graph(
    rng: np.random.Generator,
    n: int,
    n_in: int,
    n_out: int,
    source: np.ndarray,
    target: np.ndarray,
    delay: int,
    first: np.ndarray,
) -> Graph:
    """Draw weights of variance 1 / fan-in, so that states keep their size at any depth."""
    fan_in = np.bincount(target, minlength=n)
    weight = rng.standard_normal(len(source), np.float32) / np.sqrt(fan_in[target])
    bias = 0.1 * rng.standard_normal(n, np.float32)
    numbers = weight.astype(np.float32), bias.astype(np.float32)
    return Graph(n, n_in, n_out, source, target, *numbers, delay, first)
