"""Lanes: pairs of a lesion and a sample, side by side, of which each runs what is downstream.

`Removal` finds what the loss is without something, `Tangent` how it changes to first and second
order. Both go through time and through the neurons downstream in the order of visits, with an
array over all lanes for each neuron, and look only as far back as the longest delay. They are
the definition; `inspection.compiled_lanes` is tested against them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from neurograph.inspection.downstream import Arc, Base, Visit
from neurograph.schedule import NONE

__all__ = ["Cuts", "Lanes", "Removal", "Tangent", "Walked"]

Own = Callable[[int], np.ndarray | None]
ALL = slice(None)


class Cuts(NamedTuple):
    """Some lesions, in lanes: each only for the samples in which it changes anything.

    lesion, sample : (L,) arrays   which lesion, which sample each lane is of
    of : list of slices            the lanes of each lesion
    neurons : sequence of int      where each lesion acts; equal ones stand side by side
    arcs : sequence of Arc         the synapse that each one removes; None: the neuron is silenced
    """

    lesion: np.ndarray
    sample: np.ndarray
    of: list[slice]
    neurons: Sequence[int]
    arcs: Sequence[Arc] | None

    @classmethod
    def where(
        cls, moved: np.ndarray, neurons: Sequence[int], arcs: Sequence[Arc] | None = None
    ) -> Cuts:
        """Return the lanes of lesions for those samples where `moved`, (n, B), is true."""
        lesion, sample = np.nonzero(moved)
        edges = np.searchsorted(lesion, np.arange(len(neurons) + 1)).tolist()
        return cls(lesion, sample, [slice(*ends) for ends in pairwise(edges)], neurons, arcs)

    def __len__(self) -> int:
        return len(self.lesion)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over the lanes of each lesion."""
        return np.bincount(self.lesion, values, len(self.of))

    def at(self) -> dict[int, slice]:
        """Return the neurons where lesions act, and in which lanes."""
        found: dict[int, slice] = {}
        for m, lanes in zip(self.neurons, self.of, strict=True):
            found[m] = slice(found[m].start if m in found else lanes.start, lanes.stop)
        return found


class Walked:
    """Lanes by definition, of one run of the network."""

    def __init__(self, base: Base):
        self.base = base

    def removal(self, visits: tuple[Visit, ...], cuts: Cuts) -> np.ndarray:
        """Return by how much the loss of each lane is higher than that of the base, (L,)."""
        return Removal(self.base, visits, cuts).run()

    def tangent(self, visits: tuple[Visit, ...], cuts: Cuts) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the second derivative of the loss of each lane, (L,) each."""
        return Tangent(self.base, visits, cuts).run()


class Lanes:
    """What both kinds of sweeps have.

    Parameters
    ----------
    base : Base
    visits : tuple of Visit
        Who is downstream of the neurons where lesions act.
    cuts : Cuts

    Attributes
    ----------
    past : (H+1, orders, n, L) array
        How the outputs of the n visited neurons differ from the base, by step modulo H+1: the
        difference itself, or the first two derivatives.
    live : list of sets
        Of whom that is anything but 0.
    states : list of two dicts
        The same of states that are remembered, by step modulo 2.
    """

    orders = 1

    def __init__(
        self,
        base: Base,
        visits: tuple[Visit, ...],
        cuts: Cuts,
    ):
        self.base, self.visits, self.sample, self.cuts = base, visits, cuts.sample, cuts
        self.at = cuts.at()
        self.arcs: dict[int, list[tuple[Arc, slice]]] = {m: [] for m in self.at}
        for m, arc, lanes in zip(cuts.neurons, cuts.arcs or (), cuts.of, strict=False):
            self.arcs[m].append((arc, lanes))
        self.place = {visit.neuron: row for row, visit in enumerate(visits)}
        self.output = {m: r for r, m in enumerate(base.plan.outputs.tolist())}
        slots = min(base.h, base.steps - 1) + 1
        self.past = np.zeros((slots, self.orders, len(visits), len(cuts)))
        self.live: list[set[int]] = [set() for _ in range(slots)]
        self.states: list[dict[int, Any]] = [{}, {}]

    def here(self, values: np.ndarray, lanes: slice = ALL) -> np.ndarray:
        """Return values (B,), or (n, B), of the sample of each lane, or of some lanes."""
        return values.take(self.sample[lanes], axis=-1)

    def begin(self, t: int) -> None:
        """Make room for what changes at step t.

        Who differs once differs at every later step, so the rows of all others are still 0.
        """
        self.live[t % len(self.live)] = set()
        self.states[t % 2] = {}

    def keep(self, t: int, row: int, change: Any) -> None:
        """Note how an output differs at step t."""
        slot = t % len(self.live)
        self.past[slot, :, row] = change
        self.live[slot].add(row)

    def before(self, t: int, back: int, j: int) -> np.ndarray | None:
        """Return how the output of neuron j differed `back` steps before step t, or None."""
        row, slot = self.place.get(j, -1), (t - back) % len(self.live)
        return self.past[slot, :, row] if back <= t and row in self.live[slot] else None

    def changes(
        self, arc: Arc, m: int, t: int, lanes: slice = ALL
    ) -> tuple[np.ndarray | None, np.ndarray | None] | None:
        """Return how that differs which a synapse into neuron m reads, and its gain.

        Each is (orders, L) or None; None for both where nothing does.
        """
        if arc.source == NONE:
            read = self.states[(t - 1) % 2].get(m) if t else None
        else:
            read = self.before(t, arc.delay, arc.source)
        gain = None if arc.gater == NONE else self.before(t, arc.late, arc.gater)
        if read is None and gain is None:
            return None
        return (read if read is None else read[:, lanes]), (
            gain if gain is None else gain[:, lanes]
        )

    def sums(self, visit: Visit, t: int) -> np.ndarray | None:
        """Return (orders, L) what changes arrive by plain synapses, or None."""
        found = None
        for delay, rows, sources, weight in visit.groups:
            slot = (t - delay) % len(self.live)
            if delay > t or self.live[slot].isdisjoint(sources):
                continue
            changes = self.past[slot][:, rows]
            if len(weight) == 1:
                more = weight[0] * changes[:, 0]
            else:
                more = np.einsum("k,okl->ol", weight, changes)
            found = more if found is None else found + more
        return found

    def own(self, t: int) -> np.ndarray | None:
        """Return (L,) γ y at step t of the synapse that each lane removes; None: of none."""
        cuts = self.cuts
        if cuts.arcs is None:
            return None
        given = [self.base.input(*both, t) for both in zip(cuts.arcs, cuts.neurons, strict=True)]
        return np.array(given)[cuts.lesion, self.sample]

    def targets(self, t: int) -> np.ndarray:
        """Return the targets of step t as the loss takes them, (L, 1, n_out)."""
        return self.here(self.base.targets[t]).T[:, None]


class Removal(Lanes):
    """The network once more, without something in each lane."""

    def own(self, t: int) -> np.ndarray | None:
        """Return (L,) w γ y at step t of the synapse that each lane removes; None: of none."""
        given, cuts = super().own(t), self.cuts
        if given is not None and cuts.arcs is not None:
            given *= self.base.parameters.weight[[arc.e for arc in cuts.arcs]][cuts.lesion]
        return given

    def run(self) -> np.ndarray:
        """Return by how much the loss of each lane is higher than that of the base, (L,)."""
        base, more = self.base, np.zeros(len(self.sample))
        with np.errstate(all="ignore"):
            for t in range(base.steps):
                found = self.step(t, self.own(t))
                if found and not np.isnan(base.targets[t]).all():
                    more += self.cost(t, found) - self.here(base.cost[t])
        return more * self.here(base.weight)

    def step(self, t: int, own: np.ndarray | None) -> dict:
        """Visit the neurons downstream; return state and output of the outputs among them."""
        base, found = self.base, {}
        self.begin(t)
        for row, visit in enumerate(self.visits):
            m, lanes = visit.neuron, self.at.get(visit.neuron)
            if own is None and lanes == slice(0, len(self.sample)):
                self.keep(t, row, -self.here(base.y[base.h + t, m]))
                continue
            change = self.change(visit, t)
            if lanes is not None:
                if change is None:
                    change = np.zeros(len(self.sample))
                if own is not None:
                    change[lanes] -= own[lanes]
            if change is None:
                continue
            s = self.here(base.s[1 + t, m])
            s += change
            y = base.functions[m].f(s)
            if lanes is not None and own is None:
                y[lanes] = 0
            if m in self.output:
                found[m] = s, y
            if visit.passes:
                self.keep(t, row, y - self.here(base.y[base.h + t, m]))
            if visit.remembers:
                self.states[t % 2][m] = change[None]
        return found

    def change(self, visit: Visit, t: int) -> np.ndarray | None:
        """Return by how much a state differs by what arrives downstream, (L,); None: not at all."""
        sums, m, weight = self.sums(visit, t), visit.neuron, self.base.parameters.weight
        total = None if sums is None else sums[0]
        for arc in visit.arcs:
            changes = self.changes(arc, m, t)
            if changes is not None:
                more = weight[arc.e] * self.product(arc, m, t, *changes)
                total = more if total is None else total + more
        for arc, lanes in self.arcs.get(m, ()):
            changes = self.changes(arc, m, t, lanes)
            if total is not None and changes is not None:  # what is removed passes nothing on
                total[lanes] -= weight[arc.e] * self.product(arc, m, t, *changes, lanes)
        return total

    def product(
        self,
        arc: Arc,
        m: int,
        t: int,
        read: np.ndarray | None,
        gain: np.ndarray | None,
        lanes: slice = ALL,
    ) -> Any:
        """Return by how much γ y of a synapse differs from the base."""
        usual, change = self.base.gain(arc, t), 0.0
        if read is not None:
            change = read[0] if usual is None else read[0] * self.here(usual, lanes)
        if gain is not None:
            whole = self.here(self.base.read(arc, m, t), lanes)
            change = change + gain[0] * (whole if read is None else whole + read[0])
        return change

    def cost(self, t: int, found: dict) -> np.ndarray:
        """Return the loss of each lane at step t."""
        base = self.base
        s, y = np.empty((2, len(self.output), len(self.sample)))
        for m, r in self.output.items():
            if m in found:
                s[r], y[r] = found[m]
            else:
                s[r], y[r] = self.here(base.s[1 + t, m]), self.here(base.y[base.h + t, m])
        return base.loss.total(base.outputs(s[None], y[None]), self.targets(t))[:, 0]


class Tangent(Lanes):
    """The first two derivatives of everything along a direction, another one in each lane."""

    orders = 2

    def run(self, own: Own | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the second derivative of the loss of each lane, (L,) each.

        By the weight of the synapse, or by a factor of the output of the neuron; or, given
        `own`, along a direction that adds so much to the states of the neurons at each step.
        """
        own = self.own if own is None else own
        first, second = np.zeros((2, len(self.sample)))
        with np.errstate(all="ignore"):
            for t in range(self.base.steps):
                found = self.step(t, own(t))
                if found:
                    self.collect(t, found, first, second)
        return first, second

    def step(self, t: int, own: np.ndarray | None) -> dict:
        """Visit the neurons downstream; return the derivatives of the outputs among them."""
        base, found = self.base, {}
        self.begin(t)
        for row, visit in enumerate(self.visits):
            m, lanes = visit.neuron, self.at.get(visit.neuron)
            s = self.state(visit, t)
            if lanes is not None:
                s = np.zeros((2, len(self.sample))) if s is None else s
                if own is not None:
                    s[0, lanes] += own[lanes]
            if s is None:
                continue
            slope = self.here(base.slope[t, m])
            y = slope * s
            y[1] += self.here(base.bend[t, m]) * s[0] * s[0]
            if lanes is not None and own is None:  # y = a f(s), where a is 1
                y[1, lanes] += 2 * y[0, lanes]
                y[0, lanes] += self.here(base.y[base.h + t, m], lanes)
            self.keep(t, row, y)
            if visit.remembers:
                self.states[t % 2][m] = s
            if m in self.output:
                found[m] = s, y
        return found

    def state(self, visit: Visit, t: int) -> np.ndarray | None:
        """Return the derivatives of a state by what arrives downstream, (2, L); None: all 0."""
        total, m, weight = self.sums(visit, t), visit.neuron, self.base.parameters.weight
        for arc in visit.arcs:
            changes = self.changes(arc, m, t)
            if changes is not None:
                more = weight[arc.e] * self.product(arc, m, t, *changes)
                total = more if total is None else total + more
        for arc, lanes in self.arcs.get(m, ()):
            changes = self.changes(arc, m, t, lanes)
            if total is not None and changes is not None:  # w' is 1, so (w γ y)'' has 2 (γ y)'
                total[1, lanes] += 2 * self.product(arc, m, t, *changes, lanes)[0]
        return total

    def product(
        self,
        arc: Arc,
        m: int,
        t: int,
        read: np.ndarray | None,
        gain: np.ndarray | None,
        lanes: slice = ALL,
    ) -> np.ndarray:
        """Return the derivatives of γ y of a synapse, (2, L)."""
        usual, found = self.base.gain(arc, t), np.zeros((2, len(self.sample[lanes])))
        if read is not None:
            found += read if usual is None else read * self.here(usual, lanes)
        if gain is not None:
            found += gain * self.here(self.base.read(arc, m, t), lanes)
            if read is not None:
                found[1] += 2 * gain[0] * read[0]
        return found

    def collect(self, t: int, found: dict, first: np.ndarray, second: np.ndarray) -> None:
        """Add what the loss makes of the derivatives of the outputs."""
        base, order = self.base, self.base.plan.outputs
        along_s, along_y = np.zeros((2, len(order), len(self.sample)))
        for m, (s, y) in found.items():
            r = self.output[m]
            along_s[r], along_y[r] = s[0], y[0]
            by_y = self.here(base.found.d_output[t, r])  # the weights of samples are in it
            by_s = self.here(base.found.d_state[t, r])
            first += by_y * y[0] + by_s * s[0]
            second += by_y * y[1] + by_s * s[1]
        s, y = self.here(base.s[1 + t, order]), self.here(base.y[base.h + t, order])
        moves = (along.T[:, None] for along in (along_y, along_s))
        out = base.outputs(s[None], y[None])
        bent = base.loss.curvature(out, self.targets(t), *moves)[:, 0]
        second += bent * self.here(base.weight)
