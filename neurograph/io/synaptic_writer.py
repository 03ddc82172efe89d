"""Networks as `Network.toJSON()` of the JavaScript library Synaptic writes them.

What a file can hold, and what Synaptic does with it, is told in `neurograph.io.synaptic`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable
from itertools import groupby

import networkx as nx
import numpy as np

from neurograph.elements import Synapse
from neurograph.errors import ParameterError
from neurograph.io.files import shown, warn_lost, write_text
from neurograph.io.synaptic import SQUASH
from neurograph.network import Network

__all__ = ["write_synaptic"]

SQUASH_OF = {ours: theirs for theirs, ours in SQUASH.items()}


def write_synaptic(net: Network, path: str | os.PathLike | None = None) -> dict:
    """Write a network as `Network.toJSON()` of Synaptic would; its `fromJSON` loads it.

    Inputs come first and outputs last, both in the order of their columns; hidden neurons in an
    order of activation that makes the delays of the network, where there is one. The states
    and outputs of the last `activate` are written, so that the JavaScript network goes on from
    there; at rest they are 0.

    Parameters
    ----------
    net : Network
    path : path, optional
        A file to write too, whole or not at all.

    Returns
    -------
    dict
        What is in the file: "neurons" and "connections".

    Raises
    ------
    CycleError, ParameterError
        The network has no plan.

    Warns
    -----
    NeurographWarning
        One for each kind of thing that Synaptic cannot hold or would do otherwise, naming the
        first few: delays and gate delays other than those of the order, weights of self-synapses
        other than 1 (they are in the file, but `fromJSON` does not look), autapses (left out),
        gates by inputs, activations without a name there (written as null, which `fromJSON`
        takes for LOGISTIC), ties, frozen parameters, names, layers, attributes of one's own,
        float32, traces and gains of a network in the middle of a sequence, and hidden neurons
        that Synaptic's optimised mode takes for inputs or outputs.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> described = ng.io.write_synaptic(net)
    >>> described["connections"][0] == {
    ...     "from": 0, "to": 2, "weight": net.weights[0], "gater": None}
    True
    >>> twin = ng.io.read_synaptic(described)
    >>> bool((twin.forward([0, 1]) == net.forward([0, 1])).all())
    True
    """
    if not isinstance(net, Network):
        raise ParameterError(f"write_synaptic takes a Network, got {shown(net)}")
    layers = _layers(net)
    order = [name for _, names in layers for name in names]
    place = {name: n for n, name in enumerate(order)}
    neurons = _written_neurons(net, layers)
    connections = _written_connections(net, order, place)
    described = {"neurons": neurons, "connections": connections}
    warn_lost({**_otherwise(net, place), **_not_held(net, layers), **_passing(net)})
    if path is not None:
        write_text(path, json.dumps(described, allow_nan=False) + "\n")
    return described


def _layers(net: Network) -> list[tuple[str | int, list[Hashable]]]:
    """Return the layers to write and their neurons, in the order of activation.

    Hidden neurons that follow each other and are in one layer here, or in none, make one.
    """
    layer_of = {n.name: name for name, layer in net.layers.items() for n in layer if not n.detached}
    runs = [list(names) for _, names in groupby(_hidden_order(net), layer_of.get)]
    return [("input", net.inputs), *enumerate(runs), ("output", net.outputs)]


def _hidden_order(net: Network) -> list[Hashable]:
    """Return the hidden neurons in an order that makes their delays, else in that of the plan."""
    position = net.plan().position
    hidden = [name for name in position if net.nodes[name].role == "hidden"]
    wanted = nx.DiGraph()
    wanted.add_nodes_from(hidden)
    for synapse in net.synapses:
        target = synapse.target
        before = [(synapse.source, synapse.delay)] if not synapse.loop else []
        if synapse.gater is not None and synapse.gater != target:
            before.append((synapse.gater, synapse.gate_delay))
        for source, delay in before:
            if source in wanted and target in wanted and source != target:
                wanted.add_edge(*((target, source) if delay else (source, target)))
    try:
        return list(nx.lexicographical_topological_sort(wanted, position.__getitem__))
    except nx.NetworkXUnfeasible:
        return hidden


def _written_neurons(net: Network, layers: list) -> list[dict]:
    standing = dict(zip(net.nodes, net._online.standing(net).T.tolist(), strict=True))
    made = []
    for layer, names in layers:
        for name in names:
            old, state, output = standing[name]
            neuron = net.nodes[name]
            made.append(
                {
                    "trace": {"elegibility": {}, "extended": {}},
                    "state": state,
                    "old": old,
                    "activation": output,
                    "bias": neuron.bias,
                    "layer": layer,
                    "squash": SQUASH_OF.get(neuron.activation),
                }
            )
    return made


def _written_connections(net: Network, order: list, place: dict) -> list[dict]:
    """Return the connections source by source, its self-connection last, as `toJSON` does."""
    made = []
    for name in order:
        for synapse in sorted(net.outgoing(name), key=lambda s: s.loop):
            if synapse.loop and synapse.reads == "output":
                continue
            gater = None if synapse.gater is None else place[synapse.gater]
            ends = {"from": place[synapse.source], "to": place[synapse.target]}
            made.append({**ends, "weight": synapse.weight, "gater": gater})
    return made


def _otherwise(net: Network, place: dict) -> dict[str, list]:
    """Return what Synaptic computes otherwise."""
    synapses = list(net.synapses)
    inputs = set(net.inputs)
    gated = [s for s in synapses if s.gater is not None]
    hidden = [n for n in net.neurons if n.role == "hidden"]

    def runs_back(source: Hashable, target: Hashable) -> int:
        return int(place[source] >= place[target])

    return {
        "Synaptic knows only delays that its order of activation makes, 1 for what runs back and"
        " else 0; other delays are lost": [
            f"{s} has delay {s.delay}"
            for s in synapses
            if not s.loop and s.delay != runs_back(s.source, s.target)
        ],
        "Synaptic knows only gate delays that its order of activation makes; others are lost": [
            f"the gate of {s.gater!r} on {s} has {s.gate_delay}"
            for s in gated
            if s.gater not in inputs and s.gate_delay != runs_back(s.gater, s.target)
        ],
        "Synaptic lets no input gate: what these multiply here has the gain 1 there": [
            f"{s.gater!r} gates {s}" for s in gated if s.gater in inputs
        ],
        "Synaptic's fromJSON gives every self-connection the weight 1, although the file has it": [
            f"{s} has {s.weight:.6g}"
            for s in synapses
            if s.loop and s.reads == "state" and s.weight != 1
        ],
        "self-connections of Synaptic feed back the state, so autapses are left out": [
            s for s in synapses if s.loop and s.reads == "output"
        ],
        "Synaptic has no such activation; its fromJSON takes LOGISTIC instead": [
            f"{n} has {n.activation!r}"
            for n in net.neurons
            if n.activation not in SQUASH_OF and n.role != "input"
        ],
        "Synaptic's optimised mode, its default, takes hidden neurons where nothing comes in for"
        " inputs; call setOptimize(false) on the network there": [
            n for n in hidden if all(s.loop for s in n.incoming)
        ],
        "Synaptic's optimised mode, its default, takes hidden neurons that lead nowhere for"
        " outputs; call setOptimize(false) on the network there": [
            n for n in hidden if all(s.loop for s in n.outgoing) and not n.gated
        ],
    }


def _not_held(net: Network, layers: list) -> dict[str, list]:
    """Return what is in the network but not in the file."""
    synapses, neurons = list(net.synapses), list(net.neurons)
    hidden = [names for layer, names in layers if isinstance(layer, int)]
    called = ["hidden"] if len(hidden) == 1 else [f"hidden{k}" for k in range(1, len(hidden) + 1)]
    written = {"input": net.inputs, **dict(zip(called, hidden, strict=True)), "output": net.outputs}
    changed = [
        f"{name!r} -> {f'{layer}.{i}'!r}"
        for layer, names in written.items()
        for i, name in enumerate(names)
        if name != f"{layer}.{i}"
    ]
    own = {*net.node_attr_dict_factory.keyed, *net.edge_attr_dict_factory.keyed}
    groups = [list(names) for names in written.values()]
    return {
        "Synaptic numbers neurons; names are lost, and read_synaptic gives others": changed,
        "Synaptic's layers follow each other; these layers are lost": [
            repr(name)
            for name, layer in net.layers.items()
            if not any(n.detached for n in layer) and layer.names not in groups
        ],
        "Synaptic has no tied weights; each of these goes its own way": [
            s for s in synapses if s.tie is not None
        ],
        "Synaptic learns every weight and bias; that these are frozen is lost": [
            *(n for n in neurons if not n.trainable and n.role != "input"),
            *(s for s in synapses if not (s.trainable or (s.loop and s.reads == "state"))),
        ],
        "attributes of one's own are lost": [
            *map(repr, net.graph),
            *(
                f"{key!r} of {one}"
                for one in (*neurons, *synapses)
                for key in one
                if key not in own
            ),
        ],
        "Synaptic computes in float64": [net.dtype] if net.dtype != np.float64 else [],
    }


def _passing(net: Network) -> dict[str, list]:
    """Return what a network in the middle of a sequence has, and the file has not."""
    if not net._online.steps:
        return {}
    remembers = {s.source for s in net.synapses if s.loop and s.reads == "state"}
    return {
        "the gains of gates that act one step later start at 1 in Synaptic": [
            f"{synapse} has {gain:.6g}" for synapse, gain in _late_gains(net) if gain != 1
        ],
        "traces start at 0 in Synaptic; here there are some of": [
            *(s for s in net.synapses if s.target in remembers and s.eligibility and not s.loop),
            *(
                f"neuron {trace.target!r} gated by {trace.gater!r}"
                for trace in net.extended_traces()
                if trace.target in remembers and trace.value
            ),
        ],
    }


def _late_gains(net: Network) -> list[tuple[Synapse, float]]:
    """Return what gates that act one step later give in the step to come."""
    online = net._online
    output: dict[Hashable, float] = dict(
        zip(net.nodes, online.standing(net)[2].tolist(), strict=True)
    )
    kept: dict[int, float] = {}  # rule "synaptic" keeps gains by themselves
    if "gain" in online.fields:
        ids = online.keys["synapse"].tolist()
        kept = dict(zip(ids, online.fields["gain"].tolist(), strict=True))
    late = [s for s in net.synapses if s.gate_delay and s.gater is not None]
    return [(s, kept.get(s._id, output[s.gater])) for s in late]
