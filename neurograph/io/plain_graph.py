"""Networks as plain graphs with attributes, as node-link JSON and GraphML hold them: the writer.

A neuron is an id and attributes, a synapse two ids and attributes, in the order of insertion, on
which the order of sums depends. A gate is an attribute of the synapse: the id of its gater. What a
format cannot hold as it is (a name that is a tuple, say, or an attribute that is an array) goes as
JSON of `neurograph.io.plain` into one attribute more, "neurograph"; that of the graph has
the version, dtype, seed and generator, layers, and the entries of all arrays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from neurograph.elements import Synapse
from neurograph.errors import ParameterError
from neurograph.io.files import shown
from neurograph.io.generators import described
from neurograph.io.plain import Writer
from neurograph.network import Network

__all__ = ["OWN", "VERSION", "Form", "PlainGraph", "passing", "plain_graph", "require_gaters"]

OWN = "neurograph"  # the attribute with what a format cannot hold as it is
VERSION = "1"


class Form(NamedTuple):
    """What a format can hold as it is.

    Attributes
    ----------
    holds : callable
        Whether it holds a value of an attribute, without loss.
    names : callable
        Whether a name of a neuron can be its id.
    key : callable
        Whether it holds a key of an attribute.
    taken : tuple of set of str
        Keys that mean something else, of the graph, of a neuron, of a synapse.
    """

    holds: Callable[[Any], bool]
    names: Callable[[Any], bool]
    key: Callable[[Any], bool]
    taken: tuple[set[str], set[str], set[str]]


@dataclass
class PlainGraph:
    """A graph of plain values, ready to be written."""

    graph: dict[str, Any]
    nodes: list[tuple[Any, dict[str, Any]]]
    edges: list[tuple[Any, Any, dict[str, Any]]]


def plain_graph(net: Network, form: Form) -> PlainGraph:
    """Return what a network is, in the values that a format can hold.

    Raises
    ------
    ParameterError
        A name or an attribute that no file can hold, or a gater that is not in the network.
    """
    if not isinstance(net, Network):
        raise ParameterError(f"there must be a Network to write, got {shown(net)}")
    net.require_own()
    synapses = require_gaters(net)
    return _Plain(net, form, synapses).made()


def require_gaters(net: Network) -> list[Synapse]:
    """Return the synapses in the order of insertion, or raise if a gater is not there."""
    synapses = sorted((s for _, _, s in net.edges(data=True)), key=lambda s: s._id)
    for synapse in synapses:
        gater = synapse.gater
        if gater is not None and (gater not in net or net.nodes[gater]._id != synapse.gater_id):
            raise ParameterError(
                f"{synapse} is gated by {gater!r:.80}, which is not in the network; add it, or"
                " net.ungate the synapse. net.save keeps such gates"
            )
    return synapses


class _Plain:
    """A network on its way to a plain graph."""

    def __init__(self, net: Network, form: Form, synapses: list[Synapse]):
        self.net, self.form, self.synapses = net, form, synapses
        neurons = {n._id: i for i, n in enumerate(net._node.values())}
        numbers = {s._id: e for e, s in enumerate(synapses)}
        store = net._store
        self.writer = Writer(
            lambda h: neurons[h._id] if h._home is store.neurons else -1,
            lambda h: numbers[h._id] if h._home is store.synapses else -1,
        )
        self.namer = Writer(_stranger, _stranger)
        self.ids = self._ids()

    def _ids(self) -> dict[Hashable, Any]:
        """Return the id of each neuron in the file: its name, or a text that stands for it."""
        told = {name: self.namer.name(name, f"the name {name!r:.50}") for name in self.net}
        ids = {name: name for name in told if self.form.names(name)}
        used = set(ids)
        for name in told:
            if name not in ids:
                text = json.dumps(told[name])
                while text in used:
                    text += "'"
                ids[name] = text
                used.add(text)
        self.told = {name: told[name] for name in told if not self.form.names(name)}
        return ids

    def made(self) -> PlainGraph:
        of_graph, of_node, of_edge = self.form.taken
        net = self.net
        graph, own = self._split(net.graph, of_graph, "net.graph")
        own = {
            "version": VERSION,
            "dtype": net.dtype.name,
            "seed": None if net.seed is None else self.writer.value(net.seed, "net.seed"),
            "generator": described(net._rng, self.writer),
            "layers": self._layers(),
            **own,
        }
        nodes, edges = [], []
        for name, neuron in net._node.items():
            held, rest = self._split(dict(neuron), of_node, neuron)
            if name in self.told:
                rest = {"name": self.told[name], **rest}
            nodes.append((self.ids[name], {**held, OWN: rest} if rest else held))
        for synapse in self.synapses:
            held, rest = self._split(self._of_synapse(synapse), of_edge, synapse)
            ends = self.ids[synapse.source], self.ids[synapse.target]
            edges.append((*ends, {**held, OWN: rest} if rest else held))
        arrays = self.writer.tensors()
        if arrays:
            own["arrays"] = {
                code.removeprefix("array."): array.astype(array.dtype.newbyteorder("<"))
                .tobytes()
                .hex()
                for code, array in arrays.items()
            }
        return PlainGraph({**graph, OWN: own}, nodes, edges)

    def _of_synapse(self, synapse: Synapse) -> dict:
        attributes = dict(synapse)
        if synapse.loop:  # said in so many words: other programs know one kind of self-loop
            attributes["reads"] = synapse.reads
        if "gater" in attributes:
            attributes["gater"] = self.ids[synapse.gater]
        return attributes

    def _split(self, attributes: dict, taken: set[str], where: Any) -> tuple[dict, dict]:
        """Return what the format holds as it is, and what goes into the attribute of our own."""
        held, rest = {}, []
        for key, value in attributes.items():
            fits = key == "gater" or (self.form.key(key) and self.form.holds(value))
            if fits and key not in taken and key != OWN:
                held[key] = value
            else:
                place = f"{where}: attribute {key!r:.50}"
                writer = self.namer if key == "tie" else self.writer
                rest.append([self.namer.value(key, place), writer.value(value, place)])
        return held, {"attributes": rest} if rest else {}

    def _layers(self) -> list:
        """Return the layers that have neurons here: key, name, ids."""
        found = []
        for key, layer in self.net.layers.items():
            members = [self.ids[n.name] for n in layer if not n.detached and n.name in self.net]
            if members:
                told = [self.namer.value(of, f"layer {key!r:.50}") for of in (key, layer.name)]
                found.append([*told, members])
        return found


def _stranger(handle: Any) -> int:
    return -1  # no handle is part of a name


def passing(net: Network) -> dict[str, list]:
    """Return what a network has at the moment that only a file of our own holds, for a warning."""
    rule = net.rule if isinstance(net.rule, str) else getattr(net.rule, "name", net.rule)
    store = net._store
    return {
        "the network is in the middle of a sequence; the file holds no states and traces, net.save"
        " does. Steps since rest": [net._online.steps] if net._online.steps else [],
        "the file does not hold what an optimizer keeps, net.save does": (
            [store.optimizer] if store.optimizer else []
        ),
        "the file does not hold the rule of online learning, net.save does": (
            [repr(rule)] if net.rule != "lstm-g" else []
        ),
    }
