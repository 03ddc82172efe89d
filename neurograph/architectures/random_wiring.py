"""Networks whose synapses and gates are drawn at random: liquid and random networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurograph.architectures.building import layer_sizes
from neurograph.elements import Neuron
from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.values import natural

__all__ = ["draw_pairs", "liquid", "random_network"]


def liquid(
    n_in: int,
    n_hidden: int,
    n_out: int,
    *,
    connections: int | None = None,
    gates: int | None = None,
    activation: str = "logistic",
    output_activation: str | None = None,
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a liquid state machine as Synaptic's: a pool of hidden neurons wired at random.

    All inputs project to all of the pool, all of the pool to all outputs. Neurons are visited
    in order, and what runs back in it (a synapse or a gate) has delay 1. A self-synapse feeds
    back the state with weight 1 and is frozen, as in Synaptic, which never learns it.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
    connections : int
        Synapses within the pool, between different ordered pairs, self-synapses included;
        2 for each hidden neuron unless given. (Synaptic may draw a pair twice, and then has
        fewer of them.)
    gates : int
        How many of these have a gater, which may be any neuron of the pool; one for every
        three connections unless given.
    activation, output_activation : str
        Of the pool and the outputs; of the outputs, if it is another.
    seed, dtype
        As in `Network`. Weights are drawn from uniform(-0.1, 0.1), as Synaptic does; biases
        are 0.

    References
    ----------
    W. Maass, T. Natschläger, H. Markram, "Real-time computing without stable states", Neural
    Computation 14 (2002).

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.liquid(2, 20, 1, connections=30, gates=10, seed=0)
    >>> net
    <Network: 23 neurons (2 inputs, 1 output), 90 synapses; ready>
    >>> sum(s.gater is not None for s in net.synapses)
    10
    """
    sizes = layer_sizes("liquid", (n_in, n_hidden, n_out), 3, "liquid(2, 20, 1)")
    many = min(2, sizes[1]) * sizes[1]
    if connections is not None:
        many = natural("connections", connections)
    n_gates = many // 3 if gates is None else natural("gates", gates)
    net = Network(seed=seed, dtype=dtype)
    inputs = net.add_layer("input", sizes[0], role="input")
    pool = net.add_layer("hidden", sizes[1], activation=activation)
    outputs = net.add_layer(
        "output", sizes[2], role="output", activation=output_activation or activation
    )
    everything = np.ones((len(pool), len(pool)), bool)
    _connect(net, list(pool), draw_pairs(net.rng, "connections", many, everything))
    _gate(net, list(pool), list(pool), n_gates)
    inputs.project(pool)
    pool.project(outputs)
    return net


def random_network(
    n_in: int,
    n_hidden: int,
    n_out: int,
    *,
    connections: int | None = None,
    back_connections: int = 0,
    self_synapses: int = 0,
    gates: int = 0,
    activation: str = "logistic",
    output_activation: str | None = None,
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a network grown at random, in the manner of Neataptic's.

    It starts from synapses by which every input is read and every output is reached; each
    hidden neuron then splits a synapse drawn among those there are, so it lies on a path from
    an input to an output; the rest of the forward synapses are drawn among all pairs. Neurons
    are visited in order: inputs, hidden, outputs; what runs back in it has delay 1.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
    connections : int
        Synapses that run forward: max(n_in, n_out) + n_hidden or more;
        n_in · n_out + 2 · n_hidden unless given.
    back_connections : int
        Synapses that run back, between hidden neurons and outputs.
    self_synapses : int
        Hidden neurons and outputs with a self-synapse: it feeds back the state with weight 1,
        and is frozen.
    gates : int
        Synapses of any kind that have a gater, which is a hidden neuron or an output.
    activation, output_activation : str
        Of the hidden neurons and the outputs; of the outputs, if it is another.
    seed, dtype
        As in `Network`. Weights are drawn from uniform(-0.1, 0.1), biases are 0.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.random_network(2, 5, 1, connections=14, back_connections=3, gates=2, seed=0)
    >>> sum(s.delay == 0 for s in net.synapses), sum(s.delay == 1 for s in net.synapses)
    (14, 3)
    """
    example = "random_network(2, 5, 1)"
    n_in, n_hidden, n_out = layer_sizes("random_network", (n_in, n_hidden, n_out), 3, example)
    least = max(n_in, n_out) + n_hidden
    n_forward = n_in * n_out + 2 * n_hidden
    if connections is not None:
        n_forward = natural("connections", connections)
    if n_forward < least:
        raise ParameterError(
            f"connections must be {least} or more, so that every neuron lies on a path from an"
            f" input to an output; got {connections}"
        )
    net = Network(seed=seed, dtype=dtype)
    net.add_layer("input", n_in, role="input")
    net.add_layer("hidden", n_hidden, activation=activation)
    net.add_layer("output", n_out, role="output", activation=output_activation or activation)
    neurons = list(net.neurons)
    n = len(neurons)
    wired = np.zeros((n, n), bool)
    wired[tuple(np.array(_grow(net.rng, n_in, n_hidden, n_out)).T)] = True
    _connect(net, neurons, np.argwhere(wired).tolist())

    source, target = np.indices((n, n))
    forward = (source < target) & (target >= n_in) & (source < n - n_out) & ~wired
    back = (source > target) & (target >= n_in)
    loops = (source == target) & (target >= n_in)
    for name, many, already, allowed in (
        ("connections", n_forward, int(wired.sum()), forward),
        ("back_connections", back_connections, 0, back),
        ("self_synapses", self_synapses, 0, loops),
    ):
        _connect(net, neurons, draw_pairs(net.rng, name, many, allowed, already))
    _gate(net, neurons, neurons[n_in:], natural("gates", gates))
    return net


def draw_pairs(
    rng: np.random.Generator, name: str, many: Any, allowed: np.ndarray, already: int = 0
) -> list[tuple[int, int]]:
    """Return `many` different pairs, less those there are already, among those allowed.

    allowed : (N, N) bool
    """
    many, pairs = natural(name, many), np.argwhere(allowed)
    if many > len(pairs) + already:
        raise ParameterError(f"{name} must be at most {len(pairs) + already}, got {many}")
    return pairs[rng.choice(len(pairs), many - already, replace=False)].tolist()


def _grow(rng: np.random.Generator, n_in: int, n_hidden: int, n_out: int) -> list[tuple[int, int]]:
    """Return pairs of positions in the order of visits by which every neuron is on a path."""
    ends = range(n_in), range(n_in, n_in + n_out)
    size = max(n_in, n_out)
    pairs = list(zip(*(_cover(rng, list(names), size) for names in ends), strict=True))
    order = [*ends[0], *ends[1]]  # of visits; a hidden neuron comes just before its target
    for new in range(n_in + n_out, n_in + n_out + n_hidden):
        u, v = pairs.pop(int(rng.integers(len(pairs))))
        pairs += [(u, new), (new, v)]
        order.insert(min(order.index(v), len(order) - n_out), new)
    position = {name: i for i, name in enumerate(order)}
    return [(position[u], position[v]) for u, v in pairs]


def _cover(rng: np.random.Generator, names: list[int], size: int) -> list[int]:
    """Return `size` names in random order, each at least once."""
    more = rng.choice(names, size - len(names)).tolist()
    return rng.permutation([*names, *more]).tolist()


def _connect(net: Network, neurons: Sequence[Neuron], pairs: Sequence) -> None:
    """Add synapses between neurons given by their place in the order of visits."""
    loop = {"weight": 1, "trainable": False}
    net.add_edges_from(
        (neurons[i].name, neurons[j].name, loop if i == j else {"delay": int(i > j)})
        for i, j in pairs
    )


def _gate(net: Network, neurons: list[Neuron], gaters: list[Neuron], many: int) -> None:
    """Give some of the synapses that there are a gater each."""
    synapses = list(net.synapses)
    if many > len(synapses):
        raise ParameterError(
            f"gates must be at most {len(synapses)}, one for each connection; got {many}"
        )
    position = {neuron.name: i for i, neuron in enumerate(neurons)}
    for s in net.rng.choice(len(synapses), many, replace=False).tolist():
        gater = gaters[int(net.rng.integers(len(gaters)))]
        late = position[gater.name] >= position[synapses[s].target]
        net.gate(gater, synapses[s], delay=int(late))
