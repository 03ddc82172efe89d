"""`Plan`: the order in which every engine works, and what it says when it is printed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from neurograph.errors import counted

__all__ = ["NONE", "SHOWN", "Plan"]

NONE = np.uint32(2**32 - 1)  # no neuron, no synapse
SHOWN = 20  # lines of each kind that print(plan) writes


@dataclass(frozen=True, eq=False)
class Plan:
    """The order of visits and every index an engine needs; see `neurograph.check.check`.

    Neurons are numbered 0 … N-1 in the order of visits, synapses 0 … E-1 by target and then
    source; behind them come the M self-synapses that read the state. All arrays are
    read-only.

    Attributes
    ----------
    n_neurons, n_synapses, n_memories : int
        N, E and M.
    neuron, synapse : (N,), (E+M,) uint32
        Which neuron and synapse of the wiring each one is.
    level : (N,) uint32
        Longest path of zero-delay synapses and gates that ends here.
    indptr : (N+1,) uint32
        Synapses indptr[j]:indptr[j+1] end in neuron j.
    source, target, delay : (E,) uint32
    out_indptr, out_synapse : (N+1,), (E,) uint32
        Synapses out_synapse[out_indptr[j]:out_indptr[j+1]] start in neuron j.
    cell : (M,) uint32
        Neuron whose state self-synapse E+m feeds back.
    memory : (N,) uint32
        Index e of the self-synapse that feeds back the state of j, or `NONE`.
    gater, gate_delay : (E+M,) uint32
        Gating neuron of every synapse or `NONE`; both are empty if nothing is gated.
    gated_indptr, gated_synapse : (N+1,), (G,) uint32
        Synapses gated_synapse[gated_indptr[k]:gated_indptr[k+1]] are gated by neuron k.
    activation : (N,) uint16
        Index into `activations`, a tuple of names.
    inputs, outputs : uint32
        In the order of the columns of X and Y.
    tie_indptr, tie_synapse : uint32
        Groups of synapses that share a weight.
    history : int
        Steps an engine has to remember: the largest delay, at least 1.
    held : mapping of int to (B or 1, T or 1) array
        Columns of the inputs that are not in X, for a clamp holds their neurons at these values.
    """

    n_neurons: int
    n_synapses: int
    n_memories: int
    neuron: np.ndarray = field(repr=False)
    synapse: np.ndarray = field(repr=False)
    level: np.ndarray = field(repr=False)
    indptr: np.ndarray = field(repr=False)
    source: np.ndarray = field(repr=False)
    target: np.ndarray = field(repr=False)
    delay: np.ndarray = field(repr=False)
    out_indptr: np.ndarray = field(repr=False)
    out_synapse: np.ndarray = field(repr=False)
    cell: np.ndarray = field(repr=False)
    memory: np.ndarray = field(repr=False)
    gater: np.ndarray = field(repr=False)
    gate_delay: np.ndarray = field(repr=False)
    gated_indptr: np.ndarray = field(repr=False)
    gated_synapse: np.ndarray = field(repr=False)
    activation: np.ndarray = field(repr=False)
    activations: tuple[str, ...] = field(repr=False)
    inputs: np.ndarray = field(repr=False)
    outputs: np.ndarray = field(repr=False)
    tie_indptr: np.ndarray = field(repr=False)
    tie_synapse: np.ndarray = field(repr=False)
    history: int = field(repr=False)
    names: Sequence[Hashable] = field(repr=False)
    version: int = field(default=-1, repr=False)
    held: Mapping[int, np.ndarray] = field(default_factory=dict, repr=False)

    def name(self, j: int) -> Hashable:
        """Return the name of neuron j of the plan."""
        return self.names[int(self.neuron[j])]

    @cached_property
    def visits(self) -> tuple[Hashable, ...]:
        """Names of the neurons in the order of visits."""
        return tuple(map(self.name, range(self.n_neurons)))

    @cached_property
    def position(self) -> dict[Hashable, int]:
        """Number of each neuron, by its name."""
        return {name: j for j, name in enumerate(self.visits)}

    def __str__(self) -> str:
        return "\n".join(_explain(self))

    def _repr_html_(self) -> str:
        from neurograph.viz.html import of_plan

        return of_plan(self)


# ---------------------------------------------------------------- print(plan)


def _explain(plan: Plan) -> Iterator[str]:
    n_levels = int(plan.level.max()) + 1 if plan.n_neurons else 0
    total = plan.n_synapses + plan.n_memories
    yield (
        f"{counted(plan.n_neurons, 'neuron')} in {counted(n_levels, 'level')},"
        f" {counted(total, 'synapse')}"
    )
    for j in range(min(plan.n_neurons, SHOWN)):
        here = [e for e in range(plan.indptr[j], plan.indptr[j + 1]) if not plan.delay[e]]
        reads = ", ".join(repr(plan.name(plan.source[e])) for e in here[:8])
        more = f" and {len(here) - 8} more" if len(here) > 8 else ""
        role = "  (input)" * (j in plan.inputs) + "  (output)" * (j in plan.outputs)
        arrow = f" <- {reads}{more}" if here else ""
        yield f"level {plan.level[j]}: {plan.name(j)!r}{arrow}{role}"
    if plan.n_neurons > SHOWN:
        yield f"… and {plan.n_neurons - SHOWN} more neurons"
    delayed = np.concatenate(
        [np.flatnonzero(plan.delay), np.arange(plan.n_synapses, total), _late_gates(plan)]
    )
    if len(delayed):
        yield "read from an earlier step:"
    late = set(_late_gates(plan).tolist())
    lines = [line for e in dict.fromkeys(delayed[:SHOWN].tolist()) for line in _why(plan, e, late)]
    yield from lines
    if len(delayed) > SHOWN:
        yield f"  … and {len(delayed) - SHOWN} more"


def _late_gates(plan: Plan) -> np.ndarray:
    return np.flatnonzero((plan.gater != NONE) & (plan.gate_delay > 0))


def _why(plan: Plan, e: int, late_gates: set[int]) -> Iterator[str]:
    if e >= plan.n_synapses:
        name = plan.name(plan.cell[e - plan.n_synapses])
        yield f"  {name!r} -> {name!r}: a self-synapse feeds back the state of the step before"
        ends = (name, name)
    else:
        u, v = int(plan.source[e]), int(plan.target[e])
        ends = (plan.name(u), plan.name(v))
        if plan.delay[e]:
            path = _path(plan, v, u)
            steps = counted(int(plan.delay[e]), "step")
            if path:
                cycle = " -> ".join(repr(plan.name(j)) for j in [u, *path])
                why = f"it closes the cycle {cycle}"
            else:
                why = "its delay was given, no cycle asks for one"
            yield f"  {ends[0]!r} -> {ends[1]!r}: {steps} ago; {why}"
    if e in late_gates:
        gater = plan.name(plan.gater[e])
        yield f"  gate {gater!r} of {ends[0]!r} -> {ends[1]!r}: the output one step ago"


def _path(plan: Plan, start: int, end: int) -> list[int]:
    """Return a shortest zero-delay path by synapses from `start` to `end`, both included."""
    came = {start: start}
    frontier = [start]
    while frontier and end not in came:
        following = []
        for j in frontier:
            for e in plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]]:
                k = int(plan.target[e])
                if not plan.delay[e] and k not in came and k <= end:
                    came[k] = j
                    following.append(k)
        frontier = following
    path = [end] if end in came else []
    while path and path[-1] != start:
        path.append(came[path[-1]])
    return path[::-1]
