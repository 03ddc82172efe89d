"""Everything that a network is, for comparing two of them bit for bit; and networks with all of it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io.native import describe
from neurograph.io.native_reader import read
from tests.strategies import NAMES, networks, numbers

COPIES = {
    "copy": ng.Network.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "save and load": lambda net: read(written(net), type(net)),
}


def written(net):
    """The bytes that `net.save` writes."""
    return b"".join(bytes(piece) for piece in describe(net))


def typed(value):
    """A value in which everything counts: types, order in dicts, every bit of every number."""
    if isinstance(value, np.ndarray):
        return "array", str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, np.generic):
        return "scalar", str(value.dtype), value.tobytes()
    if isinstance(value, (ng.Neuron, ng.Synapse)):
        return "handle", str(value)
    if isinstance(value, (list, tuple)):
        return type(value), [typed(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, map(typed, value)))
    if isinstance(value, dict):
        return type(value), [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, complex):
        return "complex", repr(value)
    return type(value), value.hex() if isinstance(value, float) else value


def everything(net):
    """All that there is of a network, by the names of neurons."""
    store, online = net._store, net._online
    tables = {"neuron": store.neurons, "synapse": store.synapses}
    columns = {
        (kind, name): table.values(name, table.alive())
        for kind, table in tables.items()
        for name in sorted(table.arrays)
        if name not in ("source", "target", "gater")
        and (table.values(name, table.alive()) != table.column(name).default).any()
    }
    rng = net._rng
    origin = None if rng is None else rng.bit_generator.seed_seq.state
    return typed(
        {
            "dtype": str(net.dtype),
            "nodes": [(n, neuron._own) for n, neuron in net._node.items()],
            "edges": [(u, v, s._own, s.gater, s.tie) for u, v, s in net.edges(data=True)],
            "arrival": {v: list(row) for v, row in net._pred.items()},
            "columns": columns,
            "ports": (net.inputs, net.outputs, list(store.next_port)),
            "ties": [[str(find(net, i)) for i in g] for g in store.synapses.ties.ids.values() if g],
            "waiting": list(store.ghosts),
            "activations": store.activations,
            "optimizer": (store.optimizer, store.updates),
            "engine": net.engine,
            "layers": [
                (key, layer.name, [n.name for n in layer if not n.detached])
                for key, layer in net.layers.items()
                if not all(n.detached for n in layer)
            ],
            "graph": net.graph,
            "seed": net.seed,
            "rng": None if rng is None else (dict(rng.bit_generator.state), origin),
            "rule": repr(online.rule),
            "online": dict(sorted(online.fields.items())),
            "clock": (online.clock, online.version == store.version),
        }
    )


def find(net, id):
    table = net._store.synapses
    return table.row_type(table, id)


def future(net, seed=0):
    """What a network does next, and everything that it is then: all of it changes `net`."""
    net._tape = net._input_gradient = None  # of the last run, which is not part of a copy
    rng = np.random.default_rng(seed)
    n_in, n_out = len(net.inputs), len(net.outputs)
    X, Y = rng.uniform(-1, 1, (3, 2, n_in)), rng.uniform(0.1, 0.9, (3, 2, n_out))
    seen = []

    def see(what, *arguments, **options):
        try:
            with np.errstate(all="ignore"):
                seen.append(what(*arguments, **options))
        except ng.NeurographError as error:  # diverged, or nothing to learn from: so does its twin
            seen.append(str(error))

    see(net.propagate, 0.01, Y[0, 0])
    for t in range(2):
        see(net.activate, X[0, t])
        see(net.propagate, 0.01, Y[0, t])
    see(net.forward, X)
    see(net.backward, Y)
    see(lambda: net.input_gradient)
    see(lambda: net.fit(X, Y, epochs=2, batch_size=2, optimizer=ng.Adam(1e-3)).loss)
    if net.inputs and net.outputs:
        see(lambda: net.add_synapse(net.inputs[0], net.outputs[0]).weight)
    see(net.rng.random, 3)
    return typed(seen), everything(net)


keys = st.one_of(
    st.text("abλ", min_size=1, max_size=2), st.integers(-2, 2), st.tuples(st.booleans())
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(st.characters(), max_size=3),  # halves of surrogate pairs as well
        st.binary(max_size=3),
        st.complex_numbers(),
        st.sampled_from(
            [
                np.float32(0.1),
                np.int16(-3),
                np.uint64(2**64 - 1),
                np.bool_(True),
                np.str_("λ"),
                np.float64("nan"),
                np.arange(6, dtype=np.float32).reshape(2, 3),
                np.array(2.5),
                np.zeros((0, 3), np.int8),
                np.array([True, False]),
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=3),
        st.sets(keys, max_size=3),
        st.frozensets(keys, max_size=3),
    ),
    max_leaves=4,
)
attributes = st.dictionaries(keys, values, max_size=3)
names = st.one_of(
    NAMES,
    st.binary(max_size=2),
    st.text(st.characters(), max_size=3),
    st.sampled_from([-7, 2**80, 0.5, (None, (1, "λ")), True, np.str_("np")]),
)
RULES = ["lstm-g", "rtrl", "bptt", ng.BPTT(3), ng.RTRL(10**6), ng.LSTMG()]


@st.composite
def everyone(draw, **options) -> ng.Network:
    """A network of any kind, in the middle of anything."""
    dtype = draw(st.sampled_from(["float64", "float64", "float32"]))
    net = draw(networks(names=names, dtype=dtype, max_hidden=3, **options))
    net.engine = "walker"
    nodes, synapses = list(net), list(net.synapses)
    if draw(st.booleans()):
        net.graph.update(draw(attributes))
        for neuron in draw(st.lists(st.sampled_from(nodes), max_size=2)):
            net.nodes[neuron].update(draw(attributes))
        for synapse in draw(st.lists(st.sampled_from(synapses), max_size=2)):
            synapse.update(draw(attributes))
    for name in draw(st.lists(st.sampled_from(["l", "m"]), unique=True)):
        members = draw(st.lists(st.sampled_from(nodes), min_size=1, unique=True))
        net.layers[name] = ng.Layer(net, name, [net.nodes[n] for n in members])
    for synapse in draw(st.lists(st.sampled_from(synapses), max_size=3)):
        synapse.update(draw(st.sampled_from([
            {"trainable": False}, {"rate_factor": 0.5}, {"lower": -2, "upper": 2}, {"dropout": 0.1},
        ])))  # fmt: skip
    net.nodes[draw(st.sampled_from(nodes))].update(
        draw(
            st.sampled_from(
                [{"trainable": False}, {"sign": 1}, {"dropout": 0.2}, {"rate_factor": 2}]
            )
        )
    )
    net.rule = draw(st.sampled_from(RULES))
    bits = draw(st.sampled_from([None, "PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"]))
    if bits:
        net._rng = np.random.Generator(getattr(np.random, bits)(draw(st.integers(0, 2**70))))
        net.rng.integers(0, 5, dtype=np.int32)
        net.rng.spawn(1)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    for step in draw(st.lists(st.sampled_from("afrpedgtn"), max_size=5)):
        try:
            with np.errstate(all="ignore"):
                live(net, step, rng, draw)
        except ng.NeurographError:  # diverged, a gater is gone, the rule cannot: that is life too
            pass
        if not (net.inputs and net.outputs):  # "or [0]" below may have been one of them
            break
    return net


def live(net, step, rng, draw):
    """Let something happen to a network."""
    X = rng.uniform(-1, 1, (2, 2, len(net.inputs)))
    Y = rng.uniform(0.1, 0.9, (2, 2, len(net.outputs)))
    if step == "a":
        net.activate(X[0, 0])
    elif step == "p":
        net.activate(X[0, 1])
        net.propagate(0.01, Y[0, 0])
    elif step == "f":
        net.fit(
            X,
            Y,
            optimizer=draw(st.sampled_from([ng.Adam(0.01), ng.Momentum(0.01), ng.Rprop(0.01)])),
        )
    elif step == "r":
        net.forward(X)
        net.backward(Y)
    elif step == "e":
        net.add_node("new", bias=draw(numbers))
        net.add_edge("new", net.outputs[-1])
        net.add_edge(net.inputs[0], "new", gater="yet to come" if draw(st.booleans()) else None)
    elif step == "d":
        gone = draw(
            st.sampled_from([n for n in net if n not in (net.inputs[0], net.outputs[0])] or [0])
        )
        if gone in net:
            net.remove_node(gone)
    elif step == "g":
        net.remove_edge(*draw(st.sampled_from(list(net.edges)))) if net.edges else None
    elif step == "t" and net.edges:
        both = draw(st.lists(st.sampled_from(list(net.synapses)), max_size=2, unique=True))
        if len(both) == 2:
            net.tie(both)
    else:
        net.relabel({net.inputs[0]: ("renamed", 1.5)})


def rich():
    """A small network with everything that a file can hold; `tests/data/format-1.ng` is one."""
    net = ng.Network(seed=2**100 + 7, title="rich", made=(1, 2.5, None))
    x, y = net.add_layer("x", 2, role="input"), None
    gate, cell = net.add_neuron("gate"), net.add_neuron(("cell", 1), activation="tanh", bias=0.1)
    y = net.add_neuron("λ", role="output", activation="softplus", dropout=0.0)
    z = net.add_neuron(frozenset({1, 2}), role="output", activation="identity", bias=-0.5)
    for neuron in x:
        net.add_synapse(neuron, gate)
        net.add_synapse(neuron, cell)
    memory = net.add_synapse(cell, cell, weight=0.9, note="carousel", place=np.array([1.5, 2.5]))
    net.gate(gate, memory)
    net.add_synapse(cell, y, weight=0.5, lower=-1, upper=1)
    net.add_synapse(cell, z, weight=0.25, rate_factor=0.5)
    net.add_synapse(y, cell, weight=0.2, delay=2)
    net.add_synapse(z, z, weight=0.1, reads="output", delay=3, trainable=False)
    net.tie([net.edges["x.0", "gate"], net.edges["x.1", "gate"]])
    net.edges["x.0", "gate"].tie = "shared"
    net.edges["x.1", "gate"].tie = "shared"
    cell.update(kind=b"\x00\xff", friends={"gate": gate, "memory": [memory]}, λ=np.float32(0.1))
    net.add_node("gone")
    net.add_edge("x.0", z.name, weight=-0.3, gater="gone", gate_delay=1)
    net.remove_node("gone")
    net.ungate(net.edges["x.0", z.name])
    net.engine = "walker"
    rng = np.random.default_rng(5)
    X, Y = rng.uniform(-1, 1, (4, 3, 2)), rng.uniform(0.1, 0.9, (4, 3, 2))
    net.fit(X, Y, epochs=2, batch_size=2, optimizer=ng.Adam(0.01))
    net.learn(X[0], Y[0], 0.05)
    return net
