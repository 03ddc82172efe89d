"""Lanes in machine code: what `Removal` and `Tangent` find, by the kernels of `engines.lanes`.

A second derivative takes first derivatives only: with δ and ∂L/∂y of the base, each product of
two that change, and each bend of an activation, adds what it moves the loss by.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from neurograph.engines.compiled import addresses
from neurograph.engines.lanes import WIDE, Basis, Room, Site, Ways, kernels
from neurograph.inspection.downstream import Arc, Base, Visit
from neurograph.inspection.lanes import Cuts, Walked
from neurograph.schedule import NONE

__all__ = ["Compiled"]

U8, U32 = np.uint8, np.uint32
EMPTY = np.empty(0)


class Compiled(Walked):
    """The kernels, ready for one run of the network.

    Parameters
    ----------
    base : Base
    """

    def __init__(self, base: Base):
        super().__init__(base)
        self.plan = base.plan
        self.asked = np.flatnonzero(~np.isnan(base.targets).all((1, 2))).tolist()
        self.table = addresses(base.plan, np.dtype(float))
        self.packed: tuple[Any, Any] = None, None  # the last visits, as they are and as arrays

    def removal(self, visits: tuple[Visit, ...], cuts: Cuts) -> np.ndarray:
        """Return by how much the loss of each lane is higher than that of the base, (L,)."""
        base, sample, more = self.base, cuts.sample, np.zeros(len(cuts))
        (s, y), _ = self.run(visits, cuts, tangent=False)
        with np.errstate(all="ignore"):
            for k, t in enumerate(self.asked):
                out = base.outputs(s[k, None], y[k, None])
                more += base.loss.total(out, self.targets(t, sample))[:, 0] - base.cost[t][sample]
        return more * base.weight[sample]

    def tangent(self, visits: tuple[Visit, ...], cuts: Cuts) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the second derivative of the loss of each lane, (L,) each."""
        base, sample, order = self.base, cuts.sample, self.base.plan.outputs
        moves, (first, second) = self.run(visits, cuts, tangent=True)
        with np.errstate(all="ignore"):
            for k, t in enumerate(self.asked):
                s, y = base.s[1 + t, order][:, sample], base.y[base.h + t, order][:, sample]
                by_s, by_y = (one[k].T[:, None] for one in moves)
                out, targets = base.outputs(s[None], y[None]), self.targets(t, sample)
                bent = base.loss.curvature(out, targets, by_y, by_s)[:, 0]
                second += bent * base.weight[sample]
        return first, second

    # ------------------------------------------------------------ inside

    def targets(self, t: int, sample: np.ndarray) -> np.ndarray:
        """Return the targets of step t as the loss takes them, (L, 1, n_out)."""
        return self.base.targets[t].take(sample, axis=1).T[:, None]

    def run(
        self, visits: tuple[Visit, ...], cuts: Cuts, tangent: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the lanes.

        Returns
        -------
        (2, steps that are asked, n_out, L) array
            Of outputs: their states, and what they send.
        (2, L) array
            First derivative of the loss, and second but for what the loss itself adds.
        """
        base, n = self.base, len(visits)
        lanes = -(-len(cuts) // WIDE) * WIDE
        ways, site = self.ways(visits, cuts), _site(visits, cuts, lanes)
        slots = min(base.h, base.steps - 1) + 1
        out = np.empty((2, len(self.asked), len(self.plan.outputs), lanes))
        slopes = np.empty((2, lanes))
        room = Room(
            slots,
            np.empty(slots * n * WIDE),
            np.empty(slots * n, U8),
            np.empty(2 * n * WIDE if ways.remembers.any() else 0),
            np.empty(2 * n, U8),
            np.empty(WIDE),
            np.empty(WIDE),
            out[0].ravel(),
            out[1].ravel(),
            slopes[0],
            slopes[1],
        )
        kernels().vary(ways, self.basis if tangent else self.plain, site, room, self.table, tangent)
        return out[..., : len(cuts)], slopes[:, : len(cuts)]

    def ways(self, visits: tuple[Visit, ...], cuts: Cuts) -> Ways:
        """Return visits as arrays, and behind their special synapses those that are removed."""
        known, ways = self.packed
        if known is not visits:  # many lesions have the same
            ways = _ways(self.base, visits)
            self.packed = visits, ways
        if cuts.arcs is None:
            return ways
        place = {visit.neuron: row for row, visit in enumerate(visits)}
        gone = [(arc, place[m]) for arc, m in zip(cuts.arcs, cuts.neurons, strict=True)]
        more = _specials(self.base, place, gone)
        both = {name: np.append(getattr(ways, name), more[name]) for name in more}
        return ways._replace(**both)

    @cached_property
    def plain(self) -> Basis:
        """The base, for lanes without something."""
        base = self.base
        asked = np.full(base.steps, NONE, U32)
        asked[self.asked] = np.arange(len(self.asked))
        sizes = base.h, base.steps, self.plan.n_neurons, base.samples
        outputs = self.plan.outputs.astype(U32)
        return Basis(*sizes, outputs, base.y.ravel(), base.s.ravel(), asked, *[EMPTY] * 4)

    @cached_property
    def basis(self) -> Basis:
        """The same with derivatives, for lanes along something."""
        base, plan = self.base, self.plan
        by_y = np.zeros_like(base.slope)
        by_y[:, plan.outputs] = base.found.d_output
        by_s = np.ascontiguousarray(base.adjoint.delta.of(), float)
        found = self.plain._replace(slope=base.slope.ravel(), by_y=by_y.ravel(), by_s=by_s.ravel())
        total, none = plan.n_synapses + plan.n_memories, np.full(plan.n_memories, NONE, U32)
        kernels().pull(
            found,
            np.concatenate([plan.source, none]).astype(U32),
            np.concatenate([plan.delay, np.ones_like(none)]).astype(U32),
            np.concatenate([plan.target, plan.cell]).astype(U32),
            plan.gater.astype(U32) if len(plan.gater) else np.full(total, NONE, U32),
            plan.gate_delay.astype(U32) if len(plan.gate_delay) else np.zeros(total, U32),
            base.parameters.weight,
        )
        return found._replace(bent=found.by_y * base.bend.ravel())


def _site(visits: tuple[Visit, ...], cuts: Cuts, lanes: int) -> Site:
    """Return where lesions act; the last lane again until the last vectors are full."""
    place = {visit.neuron: row for row, visit in enumerate(visits)}
    of, sample = (
        np.append(one, np.full(lanes - len(one), one[-1])) for one in (cuts.lesion, cuts.sample)
    )
    row = np.array([place[m] for m in cuts.neurons], U32)
    removed = np.full(len(row), NONE, U32)
    if cuts.arcs is not None:
        specials = sum(len(visit.arcs) for visit in visits)
        removed[:] = np.arange(specials, specials + len(row))
    return Site(sample.astype(U32), row[of], removed[of])


def _ways(base: Base, visits: tuple[Visit, ...]) -> Ways:
    """Return visits as arrays."""
    plan, place = base.plan, {visit.neuron: row for row, visit in enumerate(visits)}
    port = {m: r for r, m in enumerate(plan.outputs.tolist())}
    neuron = np.array([*place], U32)
    groups = [group for visit in visits for group in visit.groups]
    rows = [np.arange(g.rows.start, g.rows.stop) if isinstance(g.rows, slice) else g.rows
            for g in groups]  # fmt: skip
    return Ways(
        neuron,
        plan.activation[neuron].astype(U32),
        np.array([port.get(m, NONE) for m in place], U32),
        np.array([visit.remembers for visit in visits], U32),
        _begins([sum(len(group.weight) for group in visit.groups) for visit in visits]),
        np.concatenate([*rows, EMPTY]).astype(U32),
        np.repeat(np.array([g.delay for g in groups], U32), [len(r) for r in rows]),
        np.concatenate([*(group.weight for group in groups), EMPTY]),
        _begins([len(visit.arcs) for visit in visits]),
        **_specials(
            base, place, [(a, row) for row, visit in enumerate(visits) for a in visit.arcs]
        ),
    )


def _specials(
    base: Base, place: dict[int, int], given: list[tuple[Arc, int]]
) -> dict[str, np.ndarray]:
    """Return synapses, each given with the row of its target, as fields of `Ways`."""
    arcs = [arc for arc, _ in given]
    e, source, lag, gater, late = np.array(arcs or np.empty((0, 5)), np.int64).T
    reads = [row if arc.source == NONE else place.get(arc.source, NONE) for arc, row in given]
    return {
        "source": source.astype(U32),
        "lag": lag.astype(U32),
        "gater": gater.astype(U32),
        "late": late.astype(U32),
        "factor": base.parameters.weight[e],
        "source_row": np.array(reads, U32),
        "gater_row": np.array([place.get(arc.gater, NONE) for arc in arcs], U32),
    }


def _begins(counts: list[int]) -> np.ndarray:
    return np.append(0, np.cumsum(counts)).astype(U32)
