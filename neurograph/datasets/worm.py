"""The nervous system of the nematode C. elegans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from neurograph.datasets.connectomes import Connectome, drive, first_weights, named
from neurograph.datasets.files import counts, read_columns, shipped
from neurograph.layers import Layer
from neurograph.network import Network
from neurograph.values import flag

__all__ = ["celegans", "celegans_tables"]


def celegans_tables() -> Connectome:
    """Return the tables behind `celegans`, with muscles and all other cells.

    Returns
    -------
    Connectome
        `neurons` (302,): neuron, kind ("sensory", "interneuron", "motor", joined by ";", or
        "unknown"), transmitter (joined by ";", empty where unknown).
        `edges` (6329,): pre, post, type ("chemical" or "electrical"), count. A row of type
        electrical is a gap junction of an unordered pair.

    Notes
    -----
    Source: Cook et al. (2019), Nature 571:63-71, adult hermaphrodite, corrected July 2020;
    kinds and transmitters from OpenWorm (WormAtlas; Bentley et al. 2016; Pereira et al. 2015).
    `count` is the number of serial sections in which a connection was seen: a strength, not a
    number of synapses.

    Examples
    --------
    >>> tables = celegans_tables()
    >>> tables
    <Connectome: 302 neurons, 6329 edges>
    >>> tables.edges[tables.edges["post"] == "vm2AL"][:1]
    array([('HSNL', 'vm2AL', 'chemical', 6)],
          dtype=[('pre', '<U7'), ('post', '<U8'), ('type', '<U10'), ('count', '<i8')])
    """
    file = shipped("celegans_neurons.csv.gz")
    neurons = read_columns(file, ("neuron", "kind", "neurotransmitter"))
    neurons["transmitter"] = neurons.pop("neurotransmitter")
    file = shipped("celegans_edges.csv.gz")
    edges: dict[str, Any] = dict(read_columns(file, ("pre", "post", "type", "count")))
    edges["count"] = counts(file, "count", edges["count"])
    return Connectome(_table(neurons), _table(edges))


def _table(columns: dict[str, Any]) -> np.ndarray:
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    n = len(next(iter(arrays.values())))
    table = np.empty(n, [(name, array.dtype) for name, array in arrays.items()])
    for name, array in arrays.items():
        table[name] = array
    return table


def celegans(
    *,
    gap_junctions: bool = True,
    inputs: Iterable | None = None,
    outputs: Iterable | None = None,
    clamp: bool = False,
    activation: str = "tanh",
    weight: str = "count",
    inhibitory: Iterable[str] = ("GABA",),
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return the 302 neurons of C. elegans as a network that is ready to run and to learn.

    3,709 chemical synapses and 1,107 gap junctions. Every one passes on what its source did
    one step ago, so activity spreads by a synapse a step: give it some steps.

    Parameters
    ----------
    gap_junctions : bool
        With them, or chemical synapses alone.
    inputs, outputs : sequence of names, optional
        The 111 neurons that are sensory and the 147 that are motor (27 are both), unless given.
    clamp : bool
        If False, an input neuron "sense.ADEL" drives "ADEL" in the same step, and the wiring
        works as a whole. If True, the inputs *are* these neurons: their output is x, and all
        that they receive from others (a quarter of the chemical synapses) has no effect. A
        neuron has one role, so the outputs are the motor neurons that are no inputs then.
    activation : str
        Of the 302 neurons.
    weight : {"count", "random"}
        "count": ± count / sum of the counts of all that comes into the neuron, so Σ|w| into a
        neuron is at most 1. "random": drawn from N(0, 1 / fan-in), signs too.
    inhibitory : sequence of str
        Transmitters whose neurons get negative weights under "count": a coarse rule, for the
        sign depends on the receptor.
    seed, dtype
        As in `Network`.

    Returns
    -------
    Network
        `net.layers["neurons"]` are the 302, `net.layers["relays"]` the relay neurons.

    Raises
    ------
    ParameterError
        A neuron or transmitter that is not in the tables, or an option that does not exist.

    Notes
    -----
    Neurons have the attributes `kind` and `transmitter` of `celegans_tables`; synapses `kind`
    ("chemical" or "electrical"), `count`, and the `transmitter` of their source. They are left
    out where the table has none.

    A gap junction is two synapses, one each way, that are tied: one weight. An ordered pair
    holds one synapse, so where a chemical one is there already (759 pairs), it leads through
    an identity neuron "gap.ADAL.AVDR" marked `relay=True`: source → relay has the weight
    and the delay, relay → target is frozen at 1 and has none. So the graph has
    302 + 759 + 111 nodes. A gap junction of a cell with itself (14) is one self-synapse. This
    passes on outputs; the current of a real one goes by the *difference* of two voltages.
    Self-synapses read the output.

    All is excluded that begins or ends in another cell than these 302 (muscles, glia, organs);
    it is in `celegans_tables`.

    Examples
    --------
    >>> net = celegans(seed=0)
    >>> net
    <Network: 1172 neurons (111 inputs, 147 outputs), 6779 synapses; ready>
    >>> len(net.layers["neurons"]), dict(net.nodes["AVAL"])["kind"]
    (302, 'interneuron')
    >>> X = np.zeros((1, 6, 111))
    >>> X[0, 0, net.inputs.index("sense.PLML")] = 1             # touch the tail
    >>> bool(net.forward(X)[0, -1].any())                       # and motor neurons answer
    True
    """
    gap_junctions, clamp = flag("gap_junctions", gap_junctions), flag("clamp", clamp)
    tables = celegans_tables()
    kinds = {name: kind.split(";") for name, kind, _ in tables.neurons.tolist()}
    sensory, motor = ([n for n in kinds if k in kinds[n]] for k in ("sensory", "motor"))
    inputs = named("inputs", inputs, sensory, kinds)
    free = [n for n in motor if not (clamp and n in inputs)]
    outputs = named("outputs", outputs, free, kinds)
    net = Network(seed=seed, dtype=dtype)
    net.graph["name"] = "C. elegans, hermaphrodite (Cook et al. 2019)"
    for name, kind, transmitter in tables.neurons.tolist():
        own = {"transmitter": transmitter} if transmitter else {}
        net.add_neuron(name, activation=activation, kind=kind, **own)
    net.layers["neurons"] = Layer(net, "neurons", list(net.neurons))
    chosen = _among_neurons(tables, gap_junctions)
    values = _weights(net, tables, chosen, weight, inhibitory)
    _connect(net, chosen, values)
    drive(net, inputs, outputs, clamp)
    return net


def _among_neurons(tables: Connectome, gap_junctions: bool) -> np.ndarray:
    """Return the edges between neurons: the chemical ones first, gap junctions if wanted."""
    edges, neurons = tables.edges, tables.neurons["neuron"]
    edges = edges[np.isin(edges["pre"], neurons) & np.isin(edges["post"], neurons)]
    chemical, electrical = (edges[edges["type"] == t] for t in ("chemical", "electrical"))
    return np.concatenate([chemical, electrical]) if gap_junctions else chemical


def _weights(
    net: Network, tables: Connectome, edges: np.ndarray, weight: str, inhibitory: Iterable[str]
) -> np.ndarray:
    """Return a first weight for each edge; see `first_weights`."""
    position = {name: i for i, name in enumerate(net)}
    pre, post = (np.array([position[n] for n in edges[end].tolist()]) for end in ("pre", "post"))
    transmitters = [set(t.split(";")) for t in tables.neurons["transmitter"].tolist()]
    known = {t for found in transmitters for t in found if t}
    negative = set(named("inhibitory", inhibitory, [], known, "transmitter"))
    inhibits = np.array([bool(found & negative) for found in transmitters])
    mutual = edges["type"] == "electrical"
    sign = np.where(inhibits[pre] & ~mutual, -1.0, 1.0)
    return first_weights(weight, net.rng, pre, post, edges["count"], sign, mutual)


def _connect(net: Network, edges: np.ndarray, weights: np.ndarray) -> None:
    """Add the synapses of all edges, and the relays that gap junctions need."""
    synapses: list[tuple] = []
    relays: dict[str, tuple] = {}
    junctions: list[list[tuple]] = []
    taken = set()
    for (u, v, kind, count), w in zip(edges.tolist(), weights.tolist(), strict=True):
        given = {"weight": w, "delay": 1, "kind": kind, "count": count}
        if kind == "chemical":
            taken.add((u, v))
            if "transmitter" in net.nodes[u]:
                given["transmitter"] = net.nodes[u]["transmitter"]
            synapses.append((u, v, given))
            continue
        ways = []
        for a, b in dict.fromkeys([(u, v), (v, u)]):  # one way only from a cell to itself
            end = b
            if (a, b) in taken:
                end = f"gap.{a}.{b}"
                relays[end] = (end, b, {"weight": 1.0, "trainable": False, "relay": True})
            synapses.append((a, end, given))
            ways.append((a, end))
        junctions.append(ways)
    for u, v, given in synapses:
        if u == v:
            given["reads"] = "output"
    net.add_nodes_from(relays, activation="identity", trainable=False, relay=True)
    net.add_edges_from([*synapses, *relays.values()])
    for ways in junctions:
        if len(ways) > 1:
            net.tie(net.edges[way] for way in ways)
    if relays:
        net.layers["relays"] = Layer(net, "relays", [net.nodes[name] for name in relays])
