"""What lies downstream of a neuron, and a run of the network to compare with.

A change at one neuron reaches only what is downstream of it by synapses, gates and memories;
everybody else is as in the run of the whole network, the *base*.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from neurograph.engines.base import (
    Engine,
    Gradients,
    Parameters,
    State,
    activations,
    require_finite,
)
from neurograph.functions import Activation
from neurograph.graph import NeuronGraph
from neurograph.learning.losses import Evaluation, Loss, Outputs, evaluate
from neurograph.lessons import Lessons
from neurograph.schedule import NONE, Plan

__all__ = ["Arc", "Base", "Group", "Map", "Visit"]


EMPTY: Mapping[int, frozenset[int]] = {}


class Arc(NamedTuple):
    """Synapse e, which ends in a neuron that is looked at.

    source, delay : neuron that it reads, or NONE if it reads the state of its own neuron
    gater, late : neuron that gates it, or NONE, and the gate's delay
    """

    e: int
    source: int
    delay: int
    gater: int
    late: int


class Group(NamedTuple):
    """Synapses into one neuron that have one delay, no gate, and read outputs.

    rows : slice or (k,) array     places of their sources among the visits
    sources : frozenset            the same
    weight : (k,) array
    """

    delay: int
    rows: Any
    sources: frozenset[int]
    weight: np.ndarray


class Visit(NamedTuple):
    """A neuron downstream, and those of its synapses along which a change may arrive.

    groups, arcs : those that are summed together, and those that are looked at singly
    remembers : whether a change of its state is read
    passes : whether one of its output is
    """

    neuron: int
    groups: tuple[Group, ...]
    arcs: tuple[Arc, ...]
    remembers: bool
    passes: bool


class Map:
    """Who is downstream of whom, within so many steps, as far as the outputs hear of it."""

    def __init__(self, plan: Plan, steps: int, weight: np.ndarray):
        self.steps, self.weight = steps, weight
        self._last: tuple[frozenset[int], int] = frozenset(), -1
        self._among: tuple[Visit, ...] = ()
        inputs, none = set(plan.inputs.tolist()), int(NONE)
        total = plan.n_synapses + plan.n_memories
        source = [*plan.source.tolist(), *[none] * plan.n_memories]
        delay = [*plan.delay.tolist(), *[1] * plan.n_memories]
        target = [*plan.target.tolist(), *plan.cell.tolist()]
        gater = plan.gater.tolist() or [none] * total
        late = plan.gate_delay.tolist() or [0] * total
        arcs = [Arc(*arc) for arc in zip(range(total), source, delay, gater, late, strict=True)]
        self.into: list[list[Arc]] = [[] for _ in range(plan.n_neurons)]
        self.out: list[list[tuple[int, Arc]]] = [[] for _ in range(plan.n_neurons)]
        for arc, m in zip(arcs, target, strict=True):
            if m in inputs:
                continue  # nothing acts on an input
            self.into[m].append(arc)
            if arc.delay < steps:
                self.out[m if arc.source == none else arc.source].append((m, arc))
            if arc.gater != none and arc.late < steps:
                self.out[arc.gater].append((m, arc))
        self.ahead = [{m for m, _ in out} for out in self.out]
        behind: list[set[int]] = [set() for _ in range(plan.n_neurons)]
        for j, several in enumerate(self.ahead):
            for m in several:
                behind[m].add(j)
        self.heard = _reached(behind, plan.outputs.tolist())

    def bundles(self) -> Iterator[tuple[tuple[Visit, ...], list[int]]]:
        """Yield who is visited where one of some neurons changes, and those neurons.

        Neurons on cycles that reach the same are one bundle, any other is one by itself, and
        those of which no output hears are in none.
        """
        cycles: dict[frozenset[int], list[int]] = {}
        known: dict[int, frozenset[int]] = {}  # of neurons on cycles: all others meet them soon
        for j in sorted(self.heard):
            reach = frozenset(_reached(self.ahead, self.ahead[j], known) & self.heard)
            if j in reach:
                cycles.setdefault(reach, []).append(j)
                known[j] = reach
            else:
                yield self.beyond(j, reach), [j]
        for reach, several in cycles.items():
            yield self.among(reach, 0), several

    def beyond(self, j: int, reach: frozenset[int]) -> tuple[Visit, ...]:
        """Return the visits of a neuron, in row 0, and of those that it reaches."""
        arcs: dict[int, list[Arc]] = {}
        for m, arc in self.out[j]:
            arcs.setdefault(m, []).append(arc)
        others = self.among(reach, 1)
        first = Visit(j, (), (), False, bool(arcs))
        return first, *(
            self.more(visit, arcs[visit.neuron]) if visit.neuron in arcs else visit
            for visit in others
        )

    def among(self, reach: frozenset[int], first: int) -> tuple[Visit, ...]:
        """Return the visits of neurons that many others reach; their rows begin at `first`."""
        if self._last != (reach, first):  # neighbours in a layer reach the same
            place = {m: row for row, m in enumerate(sorted(reach), first)}
            self._last = reach, first
            self._among = tuple(Visit(m, *self.grouped(m, place), *self.acts(m, reach))
                                for m in place)  # fmt: skip
        return self._among

    def acts(self, i: int, reach: frozenset[int]) -> tuple[bool, bool]:
        """Return whether the state of a neuron is read by one of these, and its output."""
        read = [(m, arc) for m, arc in self.out[i] if m in reach]
        state = any(arc.source == NONE and m == i for m, arc in read)
        return state, any(arc.source != NONE or arc.gater == i for _, arc in read)

    def more(self, visit: Visit, arcs: Iterable[Arc]) -> Visit:
        """Return a visit with synapses that the neuron in row 0 feeds or gates."""
        groups, others = list(visit.groups), list(visit.arcs)
        for arc in arcs:
            if arc.gater == NONE:
                weight = self.weight[[arc.e]]
                groups.append(Group(arc.delay, slice(0, 1), frozenset([0]), weight))
            elif arc not in others:
                others.append(arc)
        return visit._replace(groups=tuple(groups), arcs=tuple(others))

    def passes(self, arc: Arc, m: int, changed: Container[int]) -> bool:
        """Whether a synapse into neuron m passes on a change of these neurons in time."""
        reads = (m if arc.source == NONE else arc.source) in changed and arc.delay < self.steps
        return reads or (arc.gater in changed and arc.late < self.steps)

    def grouped(self, m: int, place: dict[int, int]) -> tuple[tuple[Group, ...], tuple[Arc, ...]]:
        """Return which of the synapses into a neuron to sum together, and the others."""
        alike: dict[int, list[Arc]] = {}
        others = []
        for arc in self.into[m]:
            if not self.passes(arc, m, place):
                continue
            if arc.source == NONE or arc.gater != NONE:
                others.append(arc)
            else:
                alike.setdefault(arc.delay, []).append(arc)
        groups = []
        for delay, some in alike.items():
            rows = [place[arc.source] for arc in some]
            run = rows == list(range(rows[0], rows[0] + len(rows)))
            index = slice(rows[0], rows[0] + len(rows)) if run else np.array(rows)
            weight = self.weight[[arc.e for arc in some]]
            groups.append(Group(delay, index, frozenset(rows), weight))
        return tuple(groups), tuple(others)


def _reached(
    ahead: list[set[int]], first: Iterable[int], known: Mapping[int, frozenset[int]] = EMPTY
) -> set[int]:
    """Return some neurons and all that is ahead of them; of some this is `known`."""
    found = set(first)
    waiting = list(found)
    while waiting:
        j = waiting.pop()
        if j in known:
            found |= known[j]
            continue
        for m in ahead[j]:
            if m not in found:
                found.add(m)
                waiting.append(m)
    return found


class Base:
    """The network as it is, run on some samples.

    Attributes
    ----------
    y, s : (H+T, N, B), (1+T, N, B) arrays
        Outputs and states, those of rest before the first step included.
    targets : (T, n_out, B) array
        NaN where nothing is asked.
    cost : (T, B) array
        The loss of each step, without the weight of the sample.
    weight : (B,) array
        Of each sample.
    found : Evaluation
        The sum of the losses, and its derivatives at the outputs.
    """

    def __init__(
        self,
        graph: NeuronGraph,
        plan: Plan,
        parameters: Parameters,
        engine: Engine,
        lessons: Lessons,
        loss: Loss,
    ):
        self.plan, self.parameters, self.engine, self.loss = plan, parameters, engine, loss
        x = lessons.batch.x
        self.steps, _, self.samples = x.shape
        start = State.rest(plan, graph.neuron_ids()[plan.neuron], self.samples, x.dtype)
        self._signals = engine.forward(plan, parameters, x, start)
        require_finite(plan, parameters, *self._signals, 0)
        self.h = plan.history
        self.s, self.y = (np.ascontiguousarray(one.of()) for one in self._signals)
        self.functions = activations(plan)
        self.targets = np.ascontiguousarray(lessons.targets.transpose(1, 2, 0))
        given = lessons.weight
        self.weight = np.ones(self.samples) if given is None else given
        out = self.outputs(self.s[1:, plan.outputs], self.y[self.h :, plan.outputs])
        t = lessons.targets
        self.cost = loss.measure(out, t)[0].value.T.copy()
        self.found: Evaluation = evaluate(loss, out, t, "sum", given)

    def outputs(self, s: np.ndarray, y: np.ndarray) -> Outputs:
        """Return what the loss sees of states and outputs (T, n_out, B)."""
        return Outputs(s.transpose(2, 0, 1), y.transpose(2, 0, 1), *self._asked)

    @cached_property
    def _asked(self) -> tuple[list[Activation], list]:
        """Functions and names of the outputs."""
        order = self.plan.outputs.tolist()
        return [self.functions[j] for j in order], [self.plan.name(j) for j in order]

    @cached_property
    def slope(self) -> np.ndarray:
        """f'(s) of all neurons, (T, N, B)."""
        return self._of_states(lambda f: f.derivative)

    @cached_property
    def bend(self) -> np.ndarray:
        """f''(s) of all neurons, (T, N, B)."""
        return self._of_states(lambda f: f.second_derivative)

    def _of_states(self, which: Callable) -> np.ndarray:
        found = np.zeros_like(self.s[1:])
        with np.errstate(all="ignore"):  # of a state of 1e308, say
            for j, f in enumerate(self.functions):
                found[:, j] = which(f)(self.s[1:, j])
        return found

    @cached_property
    def adjoint(self) -> Gradients:
        """The gradient of the summed loss, that of each synapse alone where tied, and δ."""
        given = self.found.d_output, self.found.d_state
        return self.engine.backward(self.plan, self.parameters, *self._signals, 0, *given)

    def read(self, arc: Arc, m: int, t: int) -> np.ndarray:
        """Return (B,) what a synapse into neuron m reads at step t."""
        return self.s[t, m] if arc.source == NONE else self.y[self.h + t - arc.delay, arc.source]

    def gain(self, arc: Arc, t: int) -> np.ndarray | None:
        """Return (B,) the gain of a synapse at step t, equation (1); None where it is 1."""
        if arc.gater == NONE or t < arc.late:
            return None
        return self.y[self.h + t - arc.late, arc.gater]

    def input(self, arc: Arc, m: int, t: int) -> np.ndarray:
        """Return (B,) γ y: what the weight of a synapse into neuron m multiplies at step t."""
        gain, value = self.gain(arc, t), self.read(arc, m, t)
        return value if gain is None else gain * value
