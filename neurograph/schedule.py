"""The scheduler: from a graph to a frozen `Plan`, the order in which every engine works.

`arrange(wiring)` is pure: arrays in, plan out. `plan(graph)` keeps the plan of a graph
until its structure changes, and brings the rows of its store into plan order, so that
neuron p and synapse e of the plan are rows p and e of the store.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from neurograph.check import check
from neurograph.cycles import feedback_arcs, shortest_cycle
from neurograph.elements import INPUT, Synapse
from neurograph.errors import CycleError, NeurographWarning, ParameterError, counted, room_for
from neurograph.graph import NeuronGraph
from neurograph.guard import exclusive
from neurograph.plans import NONE, SHOWN, Plan
from neurograph.sweeps import levels, picked, reach, sorted_by, sweep, taken
from neurograph.wiring import Wiring, wiring

__all__ = ["NONE", "Plan", "arrange", "break_cycles", "plan"]

PLAN_BYTES = 60  # a neuron or synapse, about, while a plan is made


def plan(graph: NeuronGraph) -> Plan:
    """Return the plan of a network, made anew if its structure changed.

    Raises
    ------
    CycleError
        Synapses (or gates) without delay form a cycle.
    ParameterError
        A gater is not in the graph.

    Warns
    -----
    NeurographWarning
        No input reaches an output.

    Examples
    --------
    >>> from neurograph.graph import NeuronGraph
    >>> print(plan(NeuronGraph([("b", "c"), ("a", "b")])))
    3 neurons in 3 levels, 2 synapses
    level 0: 'a'
    level 1: 'b' <- 'a'
    level 2: 'c' <- 'b'
    """
    graph.require_own()
    made = graph.__dict__.get("_plan")
    if made is not None and made.version == graph._store.version:
        return made
    with graph._store.guard.planning:  # whoever waited finds it made
        made = graph.__dict__.get("_plan")
        if made is None or made.version != graph._store.version:
            made = _plan_anew(graph)
    return made


@exclusive
def _plan_anew(graph: NeuronGraph) -> Plan:
    n, total = len(graph), graph._store.synapses.live
    with room_for(f"the plan of {n} neurons and {total} synapses", PLAN_BYTES * (n + total)):
        made = arrange(wiring(graph), version=graph._store.version)
        graph.arrange(made.neuron, made.synapse)
    held = graph.__dict__.get("_held")
    if held:
        columns = {i: held[id] for i, id in enumerate(graph.ports(INPUT).tolist()) if id in held}
        made = replace(made, held=columns)
    graph._plan = made
    _warn_unreached(made)
    return made


def arrange(wiring: Wiring, version: int = -1) -> Plan:
    """Return the plan of a structure given as arrays."""
    n, total = wiring.n_neurons, len(wiring.source)
    _require_indices(wiring)
    neuron, rank, level = _order_of_visits(wiring)
    synapse, target, states = _order_of_synapses(wiring, rank)
    n_synapses = total - len(states)
    ordinary, cell = synapse[:n_synapses], rank[wiring.target[states]]
    indptr = target - np.searchsorted(cell, np.arange(n + 1))
    source = picked(ordinary, _unsigned(wiring.source), rank)
    out_indptr, out_synapse = sorted_by(source, n)
    memory = np.full(n, NONE, np.uint32)
    memory[cell] = np.arange(n_synapses, total)
    delay = np.zeros(n_synapses, np.uint32)
    if wiring.delay.any():  # else they are zeros that nobody wrote, and take no memory
        delay[:] = taken(wiring.delay, ordinary)
    made = Plan(
        n_neurons=n,
        n_synapses=n_synapses,
        n_memories=len(states),
        neuron=_index(neuron),
        synapse=_index(synapse),
        level=_index(level[neuron]),
        indptr=_index(indptr),
        source=_index(source),
        target=_index(np.repeat(np.arange(n, dtype=np.uint32), np.diff(indptr))),
        delay=_index(delay),
        out_indptr=_index(out_indptr),
        out_synapse=_index(out_synapse),
        cell=_index(cell),
        memory=_index(memory),
        **_gates(wiring, synapse, rank),
        activation=_index(wiring.activation[neuron], np.uint16),
        activations=wiring.activations,
        inputs=_index(rank[wiring.inputs]),
        outputs=_index(rank[wiring.outputs]),
        **_ties(wiring, synapse),
        history=int(max(1, delay.max(initial=1))),
        names=wiring.names,
        version=version,
    )
    check(made)
    return made


def _require_indices(wiring: Wiring) -> None:
    n, total = wiring.n_neurons, len(wiring.source)
    if max(n, total) >= NONE:
        raise ParameterError(
            f"a plan holds fewer than {NONE} neurons and synapses, for it counts them with 32"
            f" bits; got {n} neurons and {total} synapses"
        )
    for name, lowest in (("source", 0), ("target", 0), ("gater", -1)):
        found = getattr(wiring, name)
        if len(found) and (found.min() < lowest or found.max() >= n):
            wrong = found[(found < lowest) | (found >= n)][0]
            raise ParameterError(f"{name} holds {wrong}, but neurons are numbered 0 to {n - 1}")


def _order_of_visits(wiring: Wiring) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the neurons in the order of visits, the place of each in it, and its level."""
    n = wiring.n_neurons
    before, after = zero_delay_arcs(wiring)
    first, order = sorted_by(before, n)
    waiting, queue, level = np.zeros((3, n), np.uint32)
    if sweep(levels, first, taken(after, order), waiting, queue, level) < n:
        raise _cycle_error(wiring)
    neuron = np.arange(n, dtype=np.uint32)
    if (before < after).all():
        return neuron, neuron.copy(), level
    rank, neuron = neuron, sorted_by(level, n)[1]
    rank[neuron] = np.arange(n)
    return neuron, rank, level


def _order_of_synapses(
    wiring: Wiring, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the synapses by target and source, but those that read the state last.

    Also where those of each target begin, as if none read the state, and those that do.
    """
    order = sorted_by(taken(rank, _unsigned(wiring.source)), len(rank))[1]
    first, by_target = sorted_by(picked(order, _unsigned(wiring.target), rank), len(rank))
    order = taken(order, by_target)
    if not wiring.reads_state.any():
        return order, first, order[:0]
    state = taken(wiring.reads_state, order)
    return np.concatenate([order[~state], order[state]]), first, order[state]


def _gates(wiring: Wiring, synapse: np.ndarray, rank: np.ndarray) -> dict[str, Any]:
    """Return the arrays of a plan that tell of gates."""
    n, none = wiring.n_neurons, np.empty(0, np.uint32)
    gated = wiring.gater >= 0
    if not gated.any():
        indptr = np.zeros(n + 1, np.uint32)
        found = (none, none, indptr, none)
    else:
        gater = np.where(gated, rank[wiring.gater], NONE)[synapse]
        places = np.flatnonzero(gated[synapse]).astype(np.uint32)
        indptr, order = sorted_by(gater[places], n)
        found = (gater, wiring.gate_delay[synapse], indptr, places[order])
    names = ("gater", "gate_delay", "gated_indptr", "gated_synapse")
    return {name: _index(array) for name, array in zip(names, found, strict=True)}


def _ties(wiring: Wiring, synapse: np.ndarray) -> dict[str, Any]:
    """Return the arrays of a plan that tell of synapses that share a weight."""
    members = np.empty(0, np.uint32)
    if wiring.ties:
        places = np.empty_like(synapse)
        places[synapse] = np.arange(len(synapse), dtype=np.uint32)
        members = places[np.concatenate(wiring.ties)]
    indptr = np.cumsum([0, *map(len, wiring.ties)])
    return {"tie_indptr": _index(indptr), "tie_synapse": _index(members)}


def zero_delay(wiring: Wiring) -> tuple[np.ndarray, np.ndarray]:
    """Return which synapses fix an order within a step, and which gates do."""
    synapses = (wiring.delay == 0) & ~wiring.reads_state
    gates = (wiring.gater >= 0) & (wiring.gate_delay == 0)
    return synapses, gates


def zero_delay_arcs(wiring: Wiring) -> tuple[np.ndarray, np.ndarray]:
    """Return (before, after) for every arc that fixes an order within a step.

    A synapse without delay wants its source first, a gate without delay its gater; those of
    gates come last.
    """
    synapses, gates = zero_delay(wiring)
    before, after = _unsigned(wiring.source), _unsigned(wiring.target)
    gaters, gated = wiring.gater[gates], after[gates]
    if not synapses.all():
        before, after = before[synapses], after[synapses]
    if len(gaters):
        before, after = np.concatenate([before, gaters]), np.concatenate([after, gated])
    return _unsigned(before), _unsigned(after)


def _index(array: Any, dtype: Any = np.uint32) -> np.ndarray:
    made = np.ascontiguousarray(array, dtype)
    made.flags.writeable = False
    return made


def _unsigned(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.uint32)


# ---------------------------------------------------------------- what can be wrong


def _cycle_error(wiring: Wiring) -> CycleError:
    before, after = zero_delay_arcs(wiring)
    synapses, gates = map(np.flatnonzero, zero_delay(wiring))
    synapse, n_plain = np.concatenate([synapses, gates]), len(synapses)
    cycle = shortest_cycle(before, after)
    # Begin with the neuron that was added first, so that the arc that closes the cycle,
    # most often the one meant as feedback, comes last.
    first = min(range(len(cycle)), key=lambda i: before[cycle[i]])
    cycle = cycle[first:] + cycle[:first]
    name = wiring.names
    nodes = [repr(name[before[a]]) for a in cycle] + [repr(name[before[cycle[0]]])]
    if len(nodes) > SHOWN:
        nodes = [*nodes[:9], "…", *nodes[-9:]]
    last = cycle[-1]
    u, v = name[wiring.source[synapse[last]]], name[wiring.target[synapse[last]]]
    attribute = "delay" if last < n_plain else "gate_delay"
    closing = [
        f"; {name[before[a]]!r} gates {name[wiring.source[synapse[a]]]!r} -> {name[after[a]]!r}"
        for a in cycle[:SHOWN]
        if a >= n_plain
    ]
    n = len(cycle)
    many = counted(n, "synapse") + (f" or gate{'s' * (n != 1)}" if closing else "")
    return CycleError(
        f"{many} without delay form{'s' * (n == 1)} a cycle:"
        f" {' -> '.join(nodes)}{''.join(closing)}.\n"
        f"Give one of them a delay, e.g. net.edges[{u!r}, {v!r}].{attribute} = 1,"
        " or let net.break_cycles() do it for the whole graph"
    )


def break_cycles(graph: NeuronGraph) -> list[Synapse]:
    """Give delay 1 to a few synapses, so that no zero-delay cycle is left; return them.

    Where a gate closes a cycle, it gets a gate delay of 1. Which ones: a heuristic for the
    smallest number, see `neurograph.cycles.feedback_arcs`.
    """
    graph.require_own()
    found = wiring(graph)
    synapses, gates = map(np.flatnonzero, zero_delay(found))
    synapse = np.concatenate([synapses, gates])
    changed = []
    for arc in feedback_arcs(*zero_delay_arcs(found)):
        s = synapse[arc]
        one = graph.edges[found.names[found.source[s]], found.names[found.target[s]]]
        one.update({"delay" if arc < len(synapses) else "gate_delay": 1})
        changed.append(one)
    return changed


def _warn_unreached(plan: Plan) -> None:
    """Warn of outputs to which no input leads by any synapse or gate, delayed or not."""
    if not len(plan.inputs) or not len(plan.outputs):
        return
    reached = np.zeros(plan.n_neurons, bool)
    reached[plan.inputs] = True
    queue = np.empty(plan.n_neurons, np.uint32)
    end = _index(np.concatenate([plan.target, plan.cell])) if plan.n_memories else plan.target
    sweep(
        reach,
        plan.out_indptr,
        plan.out_synapse,
        plan.gated_indptr,
        plan.gated_synapse,
        end,
        reached,
        queue,
    )
    for j in plan.outputs[~reached[plan.outputs]]:
        warnings.warn(
            f"no input leads to output {plan.name(j)!r}: it does not depend on X",
            NeurographWarning,
            stacklevel=3,
        )
