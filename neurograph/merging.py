"""One network put into another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from neurograph.elements import Synapse
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.layers import Layer

__all__ = ["merge"]


def merge(
    graph: Any,
    other: Any,
    ports: Mapping[Hashable, Hashable] | None,
    prefix: str | None,
) -> dict[Hashable, Hashable]:
    """Add a copy of another network; see `Network.merge`."""
    graph.require_own()
    if not isinstance(other, NeuronGraph):
        raise ParameterError(f"merge takes another network, got {other!r:.80}")
    other.require_own()
    driver = _drivers(graph, other, {} if ports is None else ports)
    names = _names(graph, other, driver, prefix)
    layers = _layers(graph, other, names, driver, prefix)

    handles = dict(other.nodes(data=True))
    neurons = [(names[n], _items(h, "port")) for n, h in handles.items() if n not in driver]
    # What ends in an input plays no part, so it does not come along to a neuron of ours.
    coming = [s for _, _, s in other.edges(data=True) if s.target not in driver]
    synapses = [(names[s.source], names[s.target], _synapse(other, s, names)) for s in coming]
    pairs = {s._id: pair[:2] for s, pair in zip(coming, synapses, strict=True)}
    groups = [
        [pairs[id] for id in ids if id in pairs] for ids in other._store.synapses.ties.groups()
    ]
    driving = set(driver.values())
    inputs = [*graph.inputs, *(names[n] for n in other.inputs if n not in driver)]
    outputs = [n for n in graph.outputs if n not in driving] + [names[n] for n in other.outputs]

    graph._check_synapses(synapses)
    graph.add_nodes_from(neurons)
    graph.add_edges_from(synapses)
    for group in groups:
        if len(group) > 1:
            graph.tie(graph.edges[pair] for pair in group)
    graph.inputs, graph.outputs = inputs, outputs
    for name, members in layers.items():
        graph.layers[name] = Layer(graph, name, [graph.nodes[n] for n in members])
    return names


def _drivers(graph: NeuronGraph, other: NeuronGraph, ports: Mapping) -> dict:
    """Return the neuron of ours that drives each input of the other that is taken."""
    if not isinstance(ports, Mapping):
        raise ParameterError(
            "ports must map neurons of this network to inputs of the other, as"
            f" {{'output.0': 'input.0'}}; got {ports!r:.80}"
        )
    driver: dict[Hashable, Hashable] = {}
    for ours, theirs in ports.items():
        graph.neuron(ours)
        try:
            neuron = other.neuron(theirs)
        except ParameterError as error:
            raise ParameterError(f"ports: in the other network, {error}") from None
        if neuron.role != "input":
            raise ParameterError(
                f"ports: {neuron} of the other network is no input of it but {neuron.role}; its"
                f" inputs are {', '.join(map(repr, other.inputs))}"
            )
        if neuron.name in driver:
            raise ParameterError(
                f"ports: input {theirs!r} of the other network is driven twice, by"
                f" {driver[neuron.name]!r} and {ours!r}"
            )
        driver[neuron.name] = ours
    return driver


def _names(graph: NeuronGraph, other: NeuronGraph, driver: dict, prefix: str | None) -> dict:
    names = {n: driver.get(n, _prefixed(n, prefix)) for n in other}
    new = [names[n] for n in other if n not in driver]
    _require_free("neuron", new, graph)
    if len(set(new)) < len(new):
        raise ParameterError(
            f"prefix={prefix!r} gives one name to two neurons of the other network"
        )
    return names


def _layers(
    graph: Any, other: Any, names: dict, driver: dict, prefix: str | None
) -> dict[str, list]:
    """Return names of neurons for each layer that comes: those of which any neuron comes."""
    layers = {}
    for name, layer in getattr(other, "layers", {}).items():
        members = [n.name for n in layer if not n.detached]
        if any(n not in driver for n in members):
            layers[_prefixed(name, prefix)] = [names[n] for n in members]
    there = {name for name, layer in graph.layers.items() if not all(n.detached for n in layer)}
    _require_free("layer", layers, there)
    return layers


def _prefixed(name: Any, prefix: str | None) -> Any:
    return name if prefix is None else f"{prefix}{name}"


def _require_free(what: str, names: Iterable[Hashable], taken: Any) -> None:
    for name in names:
        if name in taken:
            raise ParameterError(
                f"there is a {what} {name!r} in both networks: say prefix='other.', or another"
                " one, to put before the names of what comes in"
            )


def _items(handle: Any, *without: str) -> dict:
    return {key: value for key, value in handle.items() if key not in without}


def _synapse(other: NeuronGraph, synapse: Synapse, names: dict) -> dict:
    """Return the attributes of a synapse with the name that its gater has here."""
    attributes = _items(synapse, "tie")
    if synapse.gater is not None:
        gater = synapse.gater
        if gater not in other or other.neuron(gater)._id != synapse.gater_id:
            raise ParameterError(
                f"{synapse} of the other network is gated by {gater!r}, which was removed; name"
                " another gater there, or ungate it"
            )
        attributes["gater"] = names[gater]
    return attributes
