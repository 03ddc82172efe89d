"""Layers and projections: ordered groups of neurons and of synapses of a graph."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.values import natural, same

__all__ = ["Layer", "Projection"]

PROJECTIONS = ("all_to_all", "one_to_one", "all_to_else")
GATES = ("input", "output", "one_to_one")


class Projection(Sequence):
    """The synapses from one layer to another, in order of creation: source by source."""

    def __init__(self, synapses: Sequence[Synapse]):
        self.synapses = tuple(synapses)

    def __len__(self) -> int:
        return len(self.synapses)

    def __getitem__(self, index: Any) -> Any:
        return self.synapses[index]

    def __repr__(self) -> str:
        return f"<Projection of {len(self)} synapses>"


class Layer(Sequence):
    """An ordered group of neurons of one network.

    Attributes
    ----------
    network : NeuronGraph
    name : str
    neurons : tuple of Neuron
    names : list
        Of the neurons.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network(seed=0)
    >>> x, h = net.add_layer("x", 2, role="input"), net.add_layer("h", 3, activation="tanh")
    >>> x.names, len(x.project(h)), len(h.project(h, kind="all_to_else", delay=1))
    (['x.0', 'x.1'], 6, 6)
    """

    def __init__(self, network: NeuronGraph, name: str, neurons: Sequence[Neuron]):
        self.network, self.name, self.neurons = network, name, tuple(neurons)

    @property
    def names(self) -> list[Hashable]:
        """Names of the neurons."""
        return [neuron.name for neuron in self.neurons]

    def __len__(self) -> int:
        return len(self.neurons)

    def __getitem__(self, index: Any) -> Any:
        return self.neurons[index]

    def __iter__(self) -> Iterator[Neuron]:
        return iter(self.neurons)

    def project(
        self,
        other: Layer,
        kind: str = "all_to_all",
        *,
        delay: int | None = None,
        weight: Any = None,
        reads: str | None = None,
    ) -> Projection:
        """Add synapses from this layer to another (or to itself).

        Parameters
        ----------
        other : Layer
        kind : {"all_to_all", "one_to_one", "all_to_else"}
            Each to each; i to i, for layers of one size; each to each but itself.
        delay : int, optional
            Of all of them.
        weight : number or array, optional
            One for all, a (len(self), len(other)) matrix, or one for each synapse; drawn
            unless given.
        reads : {"state", "output"}, optional
            What self-synapses read; the state unless given.

        Raises
        ------
        ParameterError
            Unknown kind, another network, layers of two sizes for one_to_one, or a synapse
            that is there already.
        """
        _one_of("kind", kind, PROJECTIONS)
        if not isinstance(other, Layer) or other.network is not self.network:
            what = f"layer {other.name!r}" if isinstance(other, Layer) else repr(other)
            raise ParameterError(f"{what} is not a layer of this network")
        for neuron in (*self.neurons, *other.neurons):
            neuron.require_attached()
        if kind == "one_to_one":
            _same_size(self, len(other), f"layer {other.name!r}")
        n, m = len(self), len(other)
        pairs = [
            (i, j)
            for i in range(n)
            for j in (range(m) if kind != "one_to_one" else [i])
            if kind != "all_to_else" or self.neurons[i] is not other.neurons[j]
        ]
        weights = _weights(weight, pairs, n, m)
        edges = []
        for (i, j), w in zip(pairs, weights, strict=True):
            u, v = self.neurons[i].name, other.neurons[j].name
            if self.network.has_edge(u, v):
                raise ParameterError(f"there is a synapse {u!r} -> {v!r} already")
            loop = same(u, v)
            given = {"weight": w, "delay": delay, "reads": reads if loop else None}
            edges.append((u, v, given))
        self.network.add_edges_from(edges)
        return Projection([self.network.edges[u, v] for u, v, _ in edges])

    def gate(self, projection: Projection, kind: str, *, delay: int = 0) -> None:
        """Let the neurons of this layer gate the synapses of a projection.

        Parameters
        ----------
        projection : Projection
        kind : {"input", "output", "one_to_one"}
            Neuron i gates all synapses that end in the i-th target ("input"), that start in
            the i-th source ("output"), or the i-th synapse.
        delay : {0, 1}
            1 uses the output of the step before.

        Raises
        ------
        ParameterError
            Unknown kind or delay, a synapse of another network or named twice, or a layer
            that has not a neuron for each target, source or synapse; nothing is gated then.
        """
        _one_of("kind", kind, GATES)
        delay = natural("delay of a gate", delay, most=1)
        if not isinstance(projection, Iterable):
            raise ParameterError(f"gate takes a projection, got {projection!r}")
        projection = Projection([self.network.own(synapse) for synapse in projection])
        if len(set(projection)) < len(projection):
            raise ParameterError("the projection holds a synapse twice; one gater for each")
        if kind == "one_to_one":
            keys: list = list(range(len(projection)))
        else:
            keys = [s.target if kind == "input" else s.source for s in projection]
        order = list(dict.fromkeys(keys))
        _same_size(self, len(order), f"a gate of kind {kind!r} of this projection")
        number = {key: i for i, key in enumerate(order)}
        for neuron in self.neurons:
            neuron.require_attached()
        for key, synapse in zip(keys, projection, strict=True):
            self.network.gate(self.neurons[number[key]], synapse, delay)

    def __repr__(self) -> str:
        return f"<Layer {self.name!r} of {len(self)} neurons>"


def _weights(weight: Any, pairs: list[tuple[int, int]], n: int, m: int) -> list:
    if weight is None or isinstance(weight, (str, int, float)):
        return [weight] * len(pairs)
    array = np.asarray(weight, object)
    if not array.ndim:
        return [weight] * len(pairs)
    if array.shape == (n, m):
        return [array[i, j] for i, j in pairs]
    if array.shape == (len(pairs),):
        return list(array)
    raise ShapeError(
        f"weight must be a number, a ({n}, {m}) matrix or {len(pairs)} numbers;"
        f" got shape {array.shape}"
    )


def _one_of(name: str, value: object, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ParameterError(
            f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}"
        )


def _same_size(layer: Layer, size: int, what: str) -> None:
    if len(layer) != size:
        raise ParameterError(
            f"layer {layer.name!r} has {len(layer)} neurons, but {what} needs {size}"
        )
