"""Networks as graphs of NIR, the intermediate representation of neuromorphic tools.

What a graph can hold is told in `neurograph.io.nir`.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Synapse
from neurograph.engines.base import Parameters, require_inputs
from neurograph.errors import ParameterError
from neurograph.io.files import shown, warn_lost, write_bytes
from neurograph.io.nir_file import DT, DT_KEY, MAX_NUMBERS, step_length
from neurograph.lessons import require_outputs
from neurograph.network import Network
from neurograph.schedule import NONE, Plan

__all__ = ["write_nir"]

KEPT = {"bias", "activation", "role", "port", "weight", "delay", "reads", "gater", "gate_delay"}
PLAIN_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


class Group(NamedTuple):
    """Neurons that are one population: none waits for another, all are of one kind.

    name : of the node that gives their outputs
    read_as : what `read_nir` calls them, with a number each
    neurons : their numbers in the plan
    memory : "LI" or "I" where they keep their state, else ""
    activation : "identity" or "step"; of inputs ""
    """

    name: str
    read_as: str
    neurons: list[int]
    memory: str
    activation: str


def write_nir(net: Network, path: str | os.PathLike | None = None, *, dt: float = DT) -> Any:
    """Write a network as a graph of NIR, for neuromorphic tools.

    Neurons of one level of the plan that are of one kind become a population. Of NIR's primitives
    these are used: ``Input``, ``Output``; ``Linear`` and ``Affine`` for synapses and biases;
    ``Delay`` of d · dt for synapses with a delay; ``Threshold`` for the activation "step";
    ``LI`` for a self-synapse that reads the state with a weight w between 0 and 1, with
    τ = dt / (1 - w) and R = 1 / (1 - w), so that Euler's method with step dt gives equation (2);
    ``I`` for one of weight 1; ``Scale`` by 1 where several of these add up.

    Needs the extra ``neurograph[nir]``. Source: J. E. Pedersen et al., "Neuromorphic intermediate
    representation", Nature Communications 15, 8122 (2024).

    Parameters
    ----------
    net : Network
    path : path, optional
        A file to write too, whole or not at all.
    dt : float
        Length of a step in seconds; 1e-4, as in most tools of NIR, unless given. It is kept in the
        metadata of the graph.

    Returns
    -------
    nir.NIRGraph
        What is in the file.

    Raises
    ------
    CycleError, ParameterError
        The network is not ready to run, or its matrices are too large.

    Warns
    -----
    NeurographWarning
        One for each kind of thing that NIR cannot hold, naming the first few: activations other
        than "identity" and "step" (written as an identity), gates (left out, what they multiply is
        not), other self-synapses that read the state, synapses of weight 0 (the matrices are
        dense), names, layers, ties and all that is for learning, attributes of one's own.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network(seed=0)
    >>> x = net.add_layer("x", 2, role="input")
    >>> h = net.add_layer("h", 3, activation="identity")
    >>> y = net.add_layer("y", 1, role="output", activation="step")
    >>> p, q, r = x.project(h), h.project(y), y.project(h, delay=2)
    >>> leaks = [net.make_leaky(n, tau=4) for n in h]
    >>> graph = ng.io.write_nir(net)
    >>> for name, node in sorted(graph.nodes.items()):
    ...     print(name, type(node).__name__)
    h LI
    h_to_y_units Linear
    x Input
    x_to_h Linear
    y Output
    y_units Threshold
    y_units_2_ago Delay
    y_units_2_ago_to_h Linear
    """
    if not isinstance(net, Network):
        raise ParameterError(f"write_nir takes a Network, got {shown(net)}")
    dt = step_length(dt)
    plan = net.plan()
    require_inputs(plan)
    require_outputs(plan)
    groups = _groups(net, plan)
    graph = _Writer(net, plan, groups, dt).graph()
    warn_lost({**_otherwise(net), **_not_held(net, plan, groups)})
    if path is not None:
        import nir

        file = io.BytesIO()
        nir.write(file, graph)
        write_bytes(path, [file.getbuffer()])
    return graph


# ---------------------------------------------------------------- who is together


def _groups(net: Network, plan: Plan) -> list[Group]:
    """Return the populations, the inputs first; from one to the next in an order of visits."""
    weight = Parameters.of(net).weight.tolist()
    inputs, port = plan.inputs.tolist(), {j: i for i, j in enumerate(plan.outputs.tolist())}
    members: dict[tuple, list[int]] = {}
    given = set(inputs)
    for j in range(plan.n_neurons):
        if j not in given:
            e = int(plan.memory[j])
            kept = "" if e == NONE else _memory(weight[e])
            step = plan.activations[plan.activation[j]] == "step"
            key = int(plan.level[j]), j in port, kept, "step" if step else "identity"
            members.setdefault(key, []).append(j)
    named = _Names(net, plan)
    groups = [Group(named.of(inputs, "input"), named.of(inputs, "input"), inputs, "", "")]
    named.taken.add(groups[0].name)
    out = named.of(plan.outputs.tolist(), "output")
    named.taken.add(out)
    for (_, is_output, kept, activation), js in sorted(members.items()):
        js.sort(key=port.__getitem__ if is_output else plan.neuron.__getitem__)
        every = len(js) == len(port) and is_output
        name = named.free(f"{out}_units") if every else named.of(js, "hidden")
        named.taken.add(name)
        groups.append(Group(name, out if every else name, js, kept, activation))
    return groups


class _Names:
    """Names of nodes: those of layers where they are plain, each only once."""

    def __init__(self, net: Network, plan: Plan):
        self.layers = {tuple(layer.names): name for name, layer in net.layers.items()}
        self.plan, self.taken = plan, set[str]()

    def of(self, js: list[int], otherwise: str) -> str:
        """Return the name of the layer that these neurons are, or another one."""
        name = self.layers.get(tuple(map(self.plan.name, js)))
        plain = isinstance(name, str) and PLAIN_NAME.fullmatch(name) and name not in self.taken
        return str(name) if plain else self.free(otherwise)

    def free(self, name: str) -> str:
        """Return this name, or one with a number that nobody has."""
        free = (f"{name}{n or ''}" for n in range(len(self.taken) + 1))
        return next(name for name in free if name not in self.taken)


def _memory(weight: float) -> str:
    """Return the primitive that keeps so much of its state."""
    return "I" if weight == 1 else "LI" if 0 < weight < 1 else ""


# ---------------------------------------------------------------- the graph


class _Writer:
    """Builds a graph, population by population."""

    def __init__(self, net: Network, plan: Plan, groups: list[Group], dt: float):
        self.dt, self.dtype, self.groups = dt, net.dtype, groups
        self.weight, self.bias = Parameters.of(net)
        self.plan = plan
        self.late: dict[tuple[int, int], str] = {}
        self.named = _Names(net, plan)
        self.out = self.named.of(plan.outputs.tolist(), "output")
        self.named.taken.update(group.name for group in groups)
        self.named.taken.add(self.out)
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.group, self.place = np.zeros((2, plan.n_neurons), int)
        for g, group in enumerate(groups):
            self.group[group.neurons] = g
            self.place[group.neurons] = np.arange(len(group.neurons))

    def graph(self) -> Any:
        """Return the graph, checked by NIR itself."""
        import nir

        matrices = self._matrices()
        self.nodes[self.groups[0].name] = nir.Input(np.array([len(self.groups[0].neurons)]))
        for g, group in enumerate(self.groups[1:], 1):
            into = {(h, d): w for (to, h, d), w in matrices.items() if to == g}
            self._population(group, into)
        self._output()
        return nir.NIRGraph(self.nodes, self.edges, metadata={DT_KEY: self.dt})

    def _matrices(self) -> dict[tuple[int, int, int], np.ndarray]:
        """Return the weights by target, source and delay: groups, groups and steps."""
        plan = self.plan
        to, come = self.group[plan.target], self.group[plan.source]
        keys = np.stack([to, come, plan.delay.astype(int)], 1)
        found, which = np.unique(keys[to > 0], axis=0, return_inverse=True)
        sizes = np.array([len(group.neurons) for group in self.groups])
        total = int((sizes[found[:, 0]] * sizes[found[:, 1]]).sum()) if len(found) else 0
        if total > MAX_NUMBERS:
            raise ParameterError(
                f"NIR holds dense matrices: those of this network have {total:,} numbers, and"
                f" {MAX_NUMBERS:,} are the most"
            )
        made = [np.zeros((sizes[g], sizes[h]), self.dtype) for g, h, _ in found.tolist()]
        synapses = np.flatnonzero(to > 0)
        rows, columns = self.place[plan.target[synapses]], self.place[plan.source[synapses]]
        for n, matrix in enumerate(made):
            mine = which.ravel() == n
            matrix[rows[mine], columns[mine]] = self.weight[synapses[mine]]
        return dict(zip(map(tuple, found.tolist()), made, strict=True))

    def _population(self, group: Group, into: dict[tuple[int, int], np.ndarray]) -> None:
        """Add the nodes of a population and of what leads to it."""
        import nir

        n, dt = len(group.neurons), self.dt
        bias = self._array(self.bias[group.neurons])
        into = into or {(0, 0): np.zeros((n, len(self.groups[0].neurons)), self.dtype)}
        core: list[Any] = []
        if group.memory:
            keeps = self.weight[self.plan.memory[group.neurons]].astype(float)
            if group.memory == "I":
                core.append(nir.I(self._array(np.full(n, 1 / dt))))
            else:
                tau, r = self._array(dt / (1 - keeps)), self._array(1 / (1 - keeps))
                core.append(nir.LI(tau, r, self._array(np.zeros(n))))
        if group.activation == "step":
            core.append(nir.Threshold(self._array(np.zeros(n))))
        if not core and len(into) > 1:
            core.append(nir.Scale(self._array(np.ones(n))))
        first = self._new(f"{group.name}_state") if len(core) == 2 else group.name
        for k, ((h, d), matrix) in enumerate(sorted(into.items(), key=lambda item: item[0][::-1])):
            source = self._late(h, d)
            name = self._new(f"{source}_to_{group.name}") if core else group.name
            biased = k == 0 and bias.any()
            self.nodes[name] = nir.Affine(matrix, bias) if biased else nir.Linear(matrix)
            self.edges.append((source, name))
            if core:
                self.edges.append((name, first))
        self.nodes.update(zip([first, group.name][-len(core) :] if core else [], core, strict=True))
        if len(core) == 2:
            self.edges.append((first, group.name))

    def _late(self, h: int, d: int) -> str:
        """Return the node that gives what a population gave d steps ago."""
        import nir

        name = self.groups[h].name
        if d and (h, d) not in self.late:
            self.late[h, d] = late = self._new(f"{name}_{d}_ago")
            delay = np.full(len(self.groups[h].neurons), d * self.dt)
            self.nodes[late] = nir.Delay(self._array(delay))
            self.edges.append((name, late))
        return self.late[h, d] if d else name

    def _output(self) -> None:
        """Add the output, and lead to it; with weight 0 from populations that lead nowhere."""
        import nir

        outputs = self.plan.outputs
        self.nodes[self.out] = nir.Output(np.array([len(outputs)]))
        leading = {source for source, _ in self.edges}
        for g, group in enumerate(self.groups):
            mine = np.flatnonzero(self.group[outputs] == g) if g else np.empty(0, int)
            if len(mine) == len(outputs):
                self.edges.append((group.name, self.out))
            elif len(mine) or group.name not in leading:
                picked = np.zeros((len(outputs), len(group.neurons)), self.dtype)
                picked[mine, self.place[outputs[mine]]] = 1
                name = self._new(f"{group.name}_to_{self.out}")
                self.nodes[name] = nir.Linear(picked)
                self.edges += [(group.name, name), (name, self.out)]

    def _new(self, name: str) -> str:
        """Return a name that no node has."""
        name = self.named.free(name)
        self.named.taken.add(name)
        return name

    def _array(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, self.dtype)


# ---------------------------------------------------------------- what is lost


def _otherwise(net: Network) -> dict[str, list]:
    """Return what a graph of NIR computes otherwise."""
    synapses, inputs = list(net.synapses), set(net.inputs)
    fed = [s for s in synapses if s.target not in inputs]
    return {
        "NIR has no such activation, so the neuron is an identity there": [
            f"{n} has {n.activation!r}"
            for n in net.neurons
            if n.role != "input" and n.activation not in ("identity", "step")
        ],
        "NIR has no gates; what these multiply has the gain 1 there": [
            f"{s.gater!r} gates {s}" for s in fed if s.gater is not None
        ],
        "a neuron of NIR keeps all of its state, or a share between 0 and 1; these self-synapses"
        " are left out": [
            f"{s} has weight {s.weight:.6g}" for s in fed if _keeps(s) and not _memory(s.weight)
        ],
    }


def _keeps(synapse: Synapse) -> bool:
    return synapse.loop and synapse.reads == "state"


def _not_held(net: Network, plan: Plan, groups: list[Group]) -> dict[str, list]:
    """Return what is in the network but not in the graph."""
    inputs = set(net.inputs)
    written = [list(map(plan.name, group.neurons)) for group in groups]
    synapses = list(net.synapses)
    lost: dict[str, list] = {
        "nothing leads to an input of NIR; left out": [s for s in synapses if s.target in inputs],
        "NIR holds matrices, where a synapse of weight 0 is none": [
            s for s in synapses if s.weight == 0 and not _keeps(s) and s.target not in inputs
        ],
        "NIR numbers neurons; names are lost, and read_nir gives others": [
            f"{name!r} -> {read!r}" for name, read in _renamed(groups, written) if name != read
        ],
        "layers that are no population of NIR are lost": [
            repr(name)
            for name, layer in net.layers.items()
            if not any(n.detached for n in layer) and layer.names not in written
        ],
        "networks of NIR start at rest; the states of this one are lost": (
            [f"that of step {net._online.steps}"] if net._online.steps else []
        ),
        "attributes of a graph of one's own are lost": list(map(repr, net.graph)),
    }
    for one in (*net.neurons, *synapses):
        for key in one:
            if key not in KEPT and (one.get("role") != "input" or key not in one.keyed):
                lost.setdefault(f"NIR has no {key!r}; it is lost", []).append(one)
    return lost


def _renamed(groups: list[Group], written: list[list]) -> list[tuple[Hashable, str]]:
    """Return the names of neurons, and those that `read_nir` will give them."""
    return [
        (name, f"{group.read_as}.{i}")
        for group, names in zip(groups, written, strict=True)
        for i, name in enumerate(names)
    ]
