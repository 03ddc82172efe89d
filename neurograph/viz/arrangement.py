"""Who is where in a picture: columns, boxes, and where lines begin and end.

A neuron is an item in the column of its level; so is every place where a line crosses a column.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np

from neurograph.schedule import NONE, Plan
from neurograph.viz import columns
from neurograph.viz.ink import label, later, text_width
from neurograph.viz.scene import (
    FONT,
    GATE,
    GATE_ROOM,
    HIGHEST,
    LANE,
    LEFT,
    LOOP,
    LOWEST,
    MARGIN,
    NARROWEST,
    PORT,
    RIGHT,
    SELF,
    SPACE,
    SYNAPSE,
    Box,
    Line,
)

__all__ = ["Arrangement"]


class Arrangement:
    """Columns, boxes and ports: items are neurons, then the places where lines cross columns."""

    def __init__(self, plan: Plan, x: str):
        self.plan, n = plan, plan.n_neurons
        level = plan.level if x == "level" else np.arange(n)
        self.column = [int(c) for c in level]  # of each item
        self.n_columns = max(self.column, default=-1) + 1
        self.lines, self.chains = self._synapses(), {}
        self.links: list[tuple[int, int]] = []
        for line in self.lines:
            self.chains[id(line)] = self._through(*line.ends)
        self.middle: dict[int, int] = {}  # the piece of a gated synapse where its gate ends
        for gate in self._gates():
            self.lines.append(gate)
            self.chains[id(gate)] = self._gate_through(gate)
        self.by_synapse = {line.synapse: line for line in self.lines if line.kind != GATE}

    # ------------------------------------------------------------ what there is

    def _synapses(self) -> list[Line]:
        plan, found = self.plan, []
        for e in range(plan.n_synapses):
            ends = int(plan.source[e]), int(plan.target[e])
            delay = int(plan.delay[e])
            kind = SELF if ends[0] == ends[1] else SYNAPSE
            found.append(Line(kind, e, ends, delay > 0, later(delay) if delay else ""))
        for m in range(plan.n_memories):
            j = int(plan.cell[m])
            found.append(Line(SELF, plan.n_synapses + m, (j, j), True, "s z⁻¹"))
        return found

    def _gates(self) -> list[Line]:
        plan, found = self.plan, []
        target = {line.synapse: line.ends[1] for line in self.lines}
        for e in np.flatnonzero(plan.gater != NONE).tolist():
            delay = int(plan.gate_delay[e])
            ends = int(plan.gater[e]), target[e]
            found.append(Line(GATE, e, ends, delay > 0, later(delay) if delay else ""))
        return found

    def _lanes(self, first: int, last: int) -> list[int]:
        """Return new items in the columns strictly between two."""
        step = 1 if last > first else -1
        items = []
        for c in range(first + step, last, step) if first != last else ():
            items.append(len(self.column))
            self.column.append(c)
        return items

    def _join(self, chain_: list[int]) -> None:
        for a, b in pairwise(chain_):
            if self.column[a] != self.column[b]:
                self.links.append((a, b) if self.column[a] < self.column[b] else (b, a))

    def _through(self, u: int, v: int) -> list[int]:
        """Return the items that a synapse goes through."""
        found = [u, *self._lanes(self.column[u], self.column[v]), v]
        self._join(found)
        return found

    def _gate_through(self, gate: Line) -> list[int]:
        """Return the items that a gate goes through, and note where it is going."""
        synapse = next(s for s in self.lines if s.synapse == gate.synapse and s.kind != GATE)
        k, g = gate.ends[0], self.column[gate.ends[0]]
        if synapse.kind == SELF:
            found = [k, *self._lanes(g, self.column[synapse.ends[0]])]
            if g != self.column[synapse.ends[0]]:
                self._join([*found, synapse.ends[0]])
            return found
        chain_ = self.chains[id(synapse)]
        piece = self.middle[synapse.synapse] = (len(chain_) - 2) // 2
        a, b = sorted(chain_[piece : piece + 2], key=self.column.__getitem__)
        gap = self.column[a]
        found = [k, *self._lanes(g, gap + 1 if g <= gap else gap)]
        self._join(found)
        beyond = b if g <= gap else a
        if self.column[beyond] != self.column[found[-1]]:
            self._join([found[-1], beyond])
        return found

    # ------------------------------------------------------------ boxes

    def _leaves(self, line: Line) -> int:
        """Return the side on which a line leaves its first box."""
        chain_ = self.chains[id(line)]
        c = self.column[chain_[0]]
        if len(chain_) > 1 and self.column[chain_[1]] != c:
            return RIGHT if self.column[chain_[1]] > c else LEFT
        if line.kind == GATE:
            aim = self._aim(line)
            return RIGHT if aim >= c else LEFT
        return RIGHT

    def _aim(self, gate: Line) -> float:
        """Return the column of the self-synapse, or that of the gap to the right of which it is."""
        synapse = self.by_synapse[gate.synapse]
        if synapse.kind == SELF:
            return self.column[synapse.ends[0]]
        chain_, piece = self.chains[id(synapse)], self.middle[gate.synapse]
        return min(self.column[i] for i in chain_[piece : piece + 2])

    def _sizes(self) -> None:
        """Find how high boxes are, by their lines; and how far each item reaches up and down."""
        n = self.plan.n_neurons
        ends = np.zeros((n, 2), int)
        for line in self.lines:
            if line.kind == SELF:
                continue
            ends[line.ends[0], self._leaves(line)] += 1
            if line.kind == SYNAPSE:
                ends[line.ends[1], self._arrives(line)] += 1
        self.tall = np.clip(PORT * (ends.max(1, initial=0) + 1), LOWEST, HIGHEST)
        above = [*(self.tall / 2), *[LANE] * (len(self.column) - n)]
        below = list(above)
        for line in self.lines:
            if line.kind == SELF:
                above[line.ends[0]] = max(above[line.ends[0]], self.tall[line.ends[0]] / 2 + LOOP)
        for line in self.lines:
            if line.kind == GATE and self.by_synapse[line.synapse].kind == SELF:
                j = self.by_synapse[line.synapse].ends[0]
                above[j] = self.tall[j] / 2 + LOOP + GATE_ROOM
        self.above, self.below = above, below

    def _arrives(self, line: Line) -> int:
        chain_ = self.chains[id(line)]
        return RIGHT if self.column[chain_[-2]] >= self.column[chain_[-1]] else LEFT

    def _places(self) -> None:
        """Find the order in columns, and where boxes and lanes are."""
        items: list[list[int]] = [[] for _ in range(self.n_columns)]
        for item in [*self._visits(), *range(self.plan.n_neurons, len(self.column))]:
            items[self.column[item]].append(item)
        ordered = columns.order(items, self.links)
        self.y = columns.place(ordered, self.links, self.above, self.below, SPACE) + MARGIN
        self.height = float((self.y + self.below).max(initial=0)) - MARGIN
        texts = [label(name) for name in self.plan.visits]
        self.wide = np.full(self.n_columns, NARROWEST)
        for j, text in enumerate(texts):
            c = self.column[j]
            self.wide[c] = max(self.wide[c], text_width(text, FONT) + 10)
        self._gaps()
        roles = np.full(self.plan.n_neurons, "hidden", object)
        roles[self.plan.inputs], roles[self.plan.outputs] = "input", "output"
        self.boxes = [
            Box(j, self.plan.name(j), texts[j], roles[j], float(self.center[self.column[j]]),
                float(self.y[j]), float(self.wide[self.column[j]]), float(self.tall[j]))
            for j in range(self.plan.n_neurons)
        ]  # fmt: skip

    def _visits(self) -> list[int]:
        """Return the neurons as they come: in the order of their ports, then of visits."""
        ports = [*self.plan.inputs.tolist(), *self.plan.outputs.tolist()]
        rest = [j for j in range(self.plan.n_neurons) if j not in set(ports)]
        return [*ports, *rest]

    def _gaps(self) -> None:
        """Find the room to the right of each column, and where columns are."""
        crowd, texts, arcs = np.zeros((3, self.n_columns))
        for a, _ in self.links:
            crowd[self.column[a]] += 1
        for line in self.lines:
            chain_ = self.chains[id(line)]
            if line.text and line.kind == GATE and len(chain_) == 1:
                texts[int(self._aim(line))] += 1
            elif line.text and line.kind != SELF and len(chain_) == 2:
                texts[min(self.column[i] for i in chain_)] += 1
            if line.kind == GATE:
                crowd[int(self._aim(line))] += 2
        self.rank: dict[int, int] = {}  # of a line that ends in the column where it begins
        for line in sorted(self.lines, key=self._span):
            if self._is_arc(line):
                c = self.column[line.ends[0]]
                self.rank[id(line)] = int(arcs[c])
                arcs[c] += 1
        self.gap = 44 + 2 * np.minimum(crowd, 30) + 20 * np.minimum(texts, 4) + 0.1 * self.height
        last = np.arange(self.n_columns) == self.n_columns - 1
        self.gap[last] = MARGIN
        self.gap += np.where(
            arcs > 0, 30 + PORT * arcs + np.where(last, 24 + 12 * np.minimum(texts, 4), 0), 0
        )
        edges = np.cumsum([MARGIN, *(self.wide + self.gap)])[: self.n_columns]
        self.left, self.center, self.right = edges, edges + self.wide / 2, edges + self.wide

    def _is_arc(self, line: Line) -> bool:
        """Whether a line comes back to the column where it begins, on the right of it."""
        if line.kind == SELF:
            return False
        c = self.column[line.ends[0]]
        if line.kind == SYNAPSE:
            return self.column[line.ends[1]] == c
        return len(self.chains[id(line)]) == 1 and self.by_synapse[line.synapse].kind == SELF \
            and self.column[line.ends[1]] == c  # fmt: skip

    def _span(self, line: Line) -> float:
        return abs(self.y[line.ends[0]] - self.y[line.ends[1]])

    def _ports(self) -> None:
        """Find where on its box each line begins and ends, without crossings beside the box."""
        wanted = defaultdict(list)
        for number, line in enumerate(self.lines):
            if line.kind == SELF:
                continue
            chain_ = self.chains[id(line)]
            (u, v), first = line.ends, chain_[1] if len(chain_) > 1 else line.ends[1]
            wanted[u, self._leaves(line)].append((self._key(line, u, first), number, id(line), 0))
            if line.kind == SYNAPSE:
                side = self._arrives(line)
                wanted[v, side].append((self._key(line, v, chain_[-2]), number, id(line), 1))
        self.port = {}
        for (j, _), found in wanted.items():
            step = min(PORT, (self.tall[j] - 8) / max(1, len(found) - 1))
            for i, (*_, line_id, end) in enumerate(sorted(found)):
                self.port[line_id, end] = self.y[j] + step * (i - (len(found) - 1) / 2)

    def _key(self, line: Line, j: int, other: int) -> tuple[int, float]:
        """Return what sorts the lines at one side of a box from top to bottom."""
        if self._is_arc(line):
            away = self.y[other] - self.y[j]
            return (-1, -away) if away < 0 else (1, -away)
        return (0, float(self.y[other]))
