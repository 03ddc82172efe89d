"""For which parameters the gradient of a rule is exact, and why not for the others.

Exact means: equal to the derivative of the loss of this step, back to rest, weights held
fixed. It is decided on the graph: what matters is along which arcs a parameter's neuron reaches
the outputs *across a step*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import networkx as nx
import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.learning.rules import BPTT, LSTMG, RTRL, Rule, Synaptic, get_rule
from neurograph.schedule import NONE, Plan, plan

__all__ = ["GradientStatus", "Status", "gradient_status"]

SAME_SLOPE = {"logistic", "tanh", "identity", "relu"}  # in Synaptic as in the equations
EXACT = ""


class Status(NamedTuple):
    """Whether a gradient is exact; if not, why it is truncated.

    exact : bool, reason : str
    """

    exact: bool
    reason: str


class Arc(NamedTuple):
    """An arc of influence between neurons of a plan: by a synapse, or by a gate; its delay."""

    tail: int
    head: int
    delay: int
    gate: bool


class GradientStatus(Mapping):
    """The status of every synapse and every neuron (its bias).

    Attributes
    ----------
    rule : str

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("x", "h"), ("h", "y"), ("y", "h", {"delay": 1})], seed=0)
    >>> net.inputs, net.outputs = ["x"], ["y"]
    >>> status = net.gradient_status()
    >>> print(status)
    rule 'lstm-g': 0 of 3 weights and 0 of 2 biases are exact
    'h': projects into 'y', and from there acts in a later step
    'y': acts on 'h' 1 step later
    >>> net.gradient_status("rtrl")["x", "h"].exact
    True
    """

    def __init__(self, graph: NeuronGraph, rule: Rule, reasons: list[str], made: Plan):
        self.rule = rule.name
        of = {made.name(k): reason for k, reason in enumerate(reasons)}
        inputs = {made.name(k) for k in made.inputs}
        self._neurons = {n: Status(not of[n], of[n]) for n in graph.nodes if n not in inputs}
        self._synapses: dict[tuple, Status] = {}
        groups: dict[Any, list[tuple]] = {}
        for u, v, synapse in graph.edges(data=True):
            self._synapses[u, v] = Status(not of[v], of[v])
            if synapse.tie is not None:
                groups.setdefault(synapse.tie, []).append((u, v))
        for members in groups.values():
            inexact = [s for s in map(self._synapses.__getitem__, members) if not s.exact]
            if inexact:
                worst = Status(False, f"tied to one whose target {inexact[0].reason}")
                self._synapses.update(dict.fromkeys(members, worst))

    def __getitem__(self, key: Any) -> Status:
        """Return the status of a synapse, a pair of names, a neuron or a name."""
        if isinstance(key, Synapse):
            key = (key.source, key.target)
        elif isinstance(key, Neuron):
            key = key.name
        for known in (self._neurons, self._synapses):
            if key in known:
                return known[key]
        raise ParameterError(f"no synapse and no neuron with a bias is {key!r}")

    def __iter__(self) -> Iterator:
        yield from self._synapses
        yield from self._neurons

    def __len__(self) -> int:
        return len(self._synapses) + len(self._neurons)

    @property
    def synapses(self) -> np.ndarray:
        """Whether each weight's gradient is exact, in the order of `net.synapses`."""
        return np.array([s.exact for s in self._synapses.values()], bool)

    def __str__(self) -> str:
        n = sum(s.exact for s in self._synapses.values())
        m = sum(s.exact for s in self._neurons.values())
        head = (
            f"rule {self.rule!r}: {n} of {len(self._synapses)} weights and {m} of"
            f" {len(self._neurons)} biases are exact"
        )
        lines = [f"{name!r}: {s.reason}" for name, s in self._neurons.items() if not s.exact]
        return "\n".join([head, *lines[:20], *(["…"] if len(lines) > 20 else [])])

    __repr__ = __str__


def gradient_status(graph: NeuronGraph, rule: str | Rule) -> GradientStatus:
    """Return for which parameters a rule finds the exact gradient."""
    made, chosen = plan(graph), get_rule(rule)
    chosen.require(made, graph.dtype)
    reasons = _REASONS[type(chosen)](made, chosen)
    for j in made.inputs:
        reasons[j] = EXACT  # nothing there is learned
    return GradientStatus(graph, chosen, reasons, made)


def _arcs(made: Plan) -> list[Arc]:
    """Return all arcs of influence, but those into inputs, where they act on nothing.

    A gate acts on the neuron in which its synapse ends; a memory on its own neuron, 1 step on.
    """
    source, target, delay = made.source.tolist(), made.target.tolist(), made.delay.tolist()
    found = [Arc(*ends, False) for ends in zip(source, target, delay, strict=True)]
    found += [Arc(j, j, 1, False) for j in made.cell.tolist()]
    ends = target + made.cell.tolist()
    for e in made.gated_synapse.tolist():
        found.append(Arc(int(made.gater[e]), ends[e], int(made.gate_delay[e]), True))
    inputs = set(made.inputs.tolist())
    return [arc for arc in found if arc.head not in inputs]


def _above(arcs: list[Arc], neurons: set[int]) -> set[int]:
    """Return these neurons and all from which one of them can be reached."""
    graph = nx.DiGraph((arc.head, arc.tail) for arc in arcs)
    graph.add_nodes_from(neurons)
    found = set(neurons)
    for layer in nx.bfs_layers(graph, neurons) if neurons else ():
        found.update(layer)
    return found


def _traces(made: Plan, rule: Rule) -> list[str]:
    """Decide by the rule of docs/model.md, "Exact or truncated"."""
    arcs = _arcs(made)
    heard = _above(arcs, set(made.outputs.tolist()))
    arcs = [arc for arc in arcs if arc.head in heard]
    crossing = [arc for arc in arcs if arc.delay]
    later = _above(arcs, {arc.tail for arc in crossing})  # they act in a later step
    out: list[list[Arc]] = [[] for _ in range(made.n_neurons)]
    for arc in arcs:
        out[arc.tail].append(arc)
    memory = made.memory != NONE

    def goes_on(k: int) -> str:
        """Say how k acts across a step, but for its own memory; nothing if it does not."""
        for arc in out[k]:
            if arc.delay and not (arc.head == k and memory[k] and not arc.gate):
                steps = f"{arc.delay} step{'s' * (arc.delay > 1)}"
                return f"acts on {made.name(arc.head)!r} {steps} later"
        for arc in out[k]:
            name = made.name(arc.head)
            if arc.delay:
                continue
            if not arc.gate and arc.head in later:
                return f"projects into {name!r}, and from there acts in a later step"
            if arc.gate and goes_past(arc.head):
                return f"gates {name!r}, whose output acts in a later step"
        return EXACT

    def goes_past(c: int) -> bool:
        """Whether cell c acts across a step other than by its own memory."""
        return any(
            arc.head in later if not arc.delay else arc.head != c or arc.gate or not memory[c]
            for arc in out[c]
        )

    return [goes_on(k) for k in range(made.n_neurons)]


def _window(made: Plan, rule: Rule) -> list[str]:
    """Exact where no way to an output is longer than the window."""
    arcs = _arcs(made)
    heard = _above(arcs, set(made.outputs.tolist()))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(made.n_neurons))
    for arc in arcs:
        if arc.head in heard:
            known = graph.get_edge_data(arc.tail, arc.head, {"delay": 0})["delay"]
            graph.add_edge(arc.tail, arc.head, delay=max(known, arc.delay))
    cyclic = {j for j in graph if graph.has_edge(j, j)}
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            cyclic |= component
    endless = set(cyclic).union(*(nx.ancestors(graph, j) for j in cyclic))
    graph.remove_nodes_from(endless)
    longest = dict.fromkeys(graph, 0)
    for j in reversed(list(nx.topological_sort(graph))):
        longest[j] = max((d["delay"] + longest[m] for _, m, d in graph.out_edges(j, data=True)),
                         default=0)  # fmt: skip
    steps = rule.steps
    reasons = []
    for k in range(made.n_neurons):
        if k in endless:
            reasons.append(f"acts for longer than {steps} step{'s' * (steps > 1)}")
        elif longest[k] >= steps:
            reasons.append(f"acts {longest[k]} steps later, beyond a window of {steps}")
        else:
            reasons.append(EXACT)
    return reasons


def _always(made: Plan, rule: Rule) -> list[str]:
    return [EXACT] * made.n_neurons


def _parity(made: Plan, rule: Rule) -> list[str]:
    """Exact, for the matching loss and a small rate, on plain feed-forward networks only."""
    reason = EXACT
    if made.gater.size or made.n_memories or made.delay.any():
        reason = "rule 'synaptic' is for parity: with gates, memory or delays it is not exact"
    elif any(made.out_indptr[o] < made.out_indptr[o + 1] for o in made.outputs):
        reason = "rule 'synaptic' ignores what outputs project to"
    else:
        odd = {made.activations[c] for c in made.activation} - SAME_SLOPE
        if odd:
            reason = f"rule 'synaptic' is not known to be exact for {', '.join(sorted(odd))}"
    return [reason] * made.n_neurons


_REASONS = {LSTMG: _traces, BPTT: _window, RTRL: _always, Synaptic: _parity}
