"""Where everything of a small network is in a picture: boxes, lines and labels, in points.

A neuron is a box in the column of its level in the plan; a line goes from column to column and
through each one in between at a place of its own, so that it never passes under a box that it
does not belong to. What is delayed and goes back goes leftwards. Nothing here draws: `draw` and
`svg` do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from neurograph.schedule import NONE, Plan
from neurograph.viz import columns
from neurograph.viz.curves import bend, chain, point, sampled, straight, turn
from neurograph.viz.ink import label, later, text_width

__all__ = ["FONT", "Box", "Layout", "Line", "layout"]

FONT, SMALL = 9.0, 8.0  # of names, and of delays
HEAD = 7.0  # length of an arrow's head
MARK = 2.6  # radius of the circle at the end of a gate
MARGIN = 8.0
PORT = 8.0  # between two lines that end at one box
NARROWEST, LOWEST, HIGHEST = 40.0, 22.0, 76.0  # of a box
SPACE = 9.0  # between two items of a column
LANE = 5.0  # half of the room that a line has in a column that it crosses
LOOP, LOOP_HALF = 25.0, 12.0  # height of a self-synapse above its box, half its width there
GATE_ROOM = 12.0  # above a loop that is gated
# Where on a line a ring or a text may be, and how far beside it.
PLACES = 0.5 + np.array([0, *(sign * k / 40 for k in range(1, 17) for sign in (-1, 1))])
BESIDE = (0.0, -9.0, 9.0, -18.0, 18.0)

SYNAPSE, SELF, GATE = "synapse", "self", "gate"
LEFT, RIGHT = 0, 1


@dataclass(frozen=True)
class Box:
    """A neuron: `x` and `y` are its middle, y grows downwards."""

    neuron: int
    name: Hashable
    text: str
    role: str
    x: float
    y: float
    width: float
    height: float

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        half, tall = self.width / 2, self.height / 2
        return self.x - half, self.y - tall, self.x + half, self.y + tall


@dataclass
class Line:
    """A synapse, a self-synapse, or a gate, from the gater to the middle of its synapse.

    Attributes
    ----------
    kind : {"synapse", "self", "gate"}
    synapse : int
        Number in the plan.
    ends : (int, int)
        Neurons: source and target; of a gate the gater and the target of the synapse.
    late : bool
        Whether it acts with a delay.
    text : str
        The delay, or "".
    path : (3 k + 1, 2) array
        Béziers, up to the head.
    tip, heading : (2,) arrays
        The point of the head, and the unit vector of its direction; of a gate where it ends.
    at : (2,) array
        Middle of the text.
    """

    kind: str
    synapse: int
    ends: tuple[int, int]
    late: bool
    text: str
    path: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    tip: np.ndarray = field(default_factory=lambda: np.zeros(2))
    heading: np.ndarray = field(default_factory=lambda: np.array([1.0, 0.0]))
    at: np.ndarray | None = None

    @property
    def text_box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the text."""
        assert self.at is not None
        return _around(self.at, self.text)


@dataclass(frozen=True)
class Layout:
    """A picture before it is drawn.

    Attributes
    ----------
    boxes : list of Box
        In the order of visits.
    lines : list of Line
        Synapses, then gates.
    width, height : float
        In points, margins included.
    plan : Plan
    """

    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float
    plan: Plan


def layout(plan: Plan, *, x: str = "level") -> Layout:
    """Lay out a network.

    Parameters
    ----------
    plan : Plan
    x : {"level", "visit"}
        A column for each level, or for each neuron in the order of visits.

    Examples
    --------
    >>> import neurograph as ng
    >>> found = layout(ng.perceptron(2, 3, 1, seed=0).plan())
    >>> [box.text for box in found.boxes][:3], len(found.lines)
    (['input.0', 'input.1', 'hidden.0'], 9)
    """
    return _Drawing(plan, x).layout()


def _around(at: np.ndarray, text: str) -> tuple[float, float, float, float]:
    half, tall = text_width(text, SMALL) / 2 + 1, SMALL * 0.62
    return at[0] - half, at[1] - tall, at[0] + half, at[1] + tall


class _Drawing:
    """A layout in the making: items are neurons, then the places where lines cross columns."""

    def __init__(self, plan: Plan, x: str):
        self.plan, n = plan, plan.n_neurons
        level = plan.level if x == "level" else np.arange(n)
        self.column = [int(c) for c in level]  # of each item
        self.n_columns = max(self.column, default=-1) + 1
        self.lines, self.chains = self._synapses(), {}
        self.links: list[tuple[int, int]] = []
        for line in self.lines:
            self.chains[id(line)] = self._through(*line.ends)
        self.middle: dict[
            int, int
        ] = {}  # of a gated synapse: the number of the piece that the gate ends on
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

    def layout(self) -> Layout:
        """Return it all."""
        self._sizes()
        self._places()
        self._ports()
        for line in self.lines:
            if line.kind != GATE:
                self._draw_synapse(line)
        self._draw_gates()
        self._labels()
        width = self.right[-1] + self.gap[-1] if self.n_columns else 0.0
        height = self.height + 2 * MARGIN
        return Layout(self.boxes, self.lines, width, height, self.plan)

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

    # ------------------------------------------------------------ lines

    def _edge(self, item: int, side: int) -> float:
        c = self.column[item]
        return float(self.right[c] if side == RIGHT else self.left[c])

    def _draw_synapse(self, line: Line) -> None:
        if line.kind == SELF:
            self._draw_loop(line)
            return
        chain_ = self.chains[id(line)]
        ends = [self.port[id(line), 0], *(self.y[i] for i in chain_[1:-1]), self.port[id(line), 1]]
        arrives = self._arrives(line)
        line.heading = np.array([1.0 if arrives == LEFT else -1.0, 0.0])
        line.tip = np.array([self._edge(chain_[-1], arrives), ends[-1]])
        stop = line.tip - HEAD * line.heading
        if self._is_arc(line):
            x = self._edge(chain_[0], RIGHT)
            out = x + 16 + PORT * self.rank[id(line)]
            line.path = turn((x, ends[0]), tuple(stop), out)
            return
        line.path = self._along(chain_, ends, stop)

    def _along(self, chain_: list[int], ys: list[float], stop: np.ndarray) -> np.ndarray:
        """Return the curve through the items of a chain, level inside their columns."""
        forwards = self.column[chain_[1]] > self.column[chain_[0]]
        near, far = (RIGHT, LEFT) if forwards else (LEFT, RIGHT)
        pieces, here = [], (self._edge(chain_[0], near), ys[0])
        for item, y in zip(chain_[1:-1], ys[1:-1], strict=True):
            into, out = (self._edge(item, far), y), (self._edge(item, near), y)
            pieces += [bend(here, into), straight(into, out)]
            here = out
        return chain(*pieces, bend(here, tuple(stop)))

    def _draw_loop(self, line: Line) -> None:
        """Draw a self-synapse above its box, from right to left."""
        box = self.boxes[line.ends[0]]
        top = box.sides[1]
        half, x, high = LOOP_HALF, box.x, top - LOOP
        wide = half + 5
        up = [(x + half, top), (x + wide, top - 0.6 * LOOP), (x + wide - 3, high), (x, high)]
        down = [
            (x, high),
            (x - wide + 3, high),
            (x - wide, top - 0.6 * LOOP),
            (x - half, top - HEAD),
        ]
        line.path = chain(np.array(up), np.array(down))
        line.heading, line.tip = np.array([0.0, 1.0]), np.array([x - half, top])
        line.at = np.array([x, top - 0.5 * LOOP])

    # ------------------------------------------------------------ gates

    def _draw_gates(self) -> None:
        """Choose where each gate ends, away from other lines and gates, and draw it."""
        points = {id(s): sampled(s.path) for s in self.lines if s.kind != GATE}
        taken: list[np.ndarray] = []
        for gate in self.lines:
            if gate.kind != GATE:
                continue
            synapse = self.by_synapse[gate.synapse]
            if synapse.kind == SELF:
                gate.tip = point(synapse.path[:4], 1.0)
            else:
                piece = 6 * self.middle[gate.synapse]
                choices = point(synapse.path[piece : piece + 4], PLACES)
                others = [p for key, p in points.items() if key != id(synapse)]
                crowd = [self._crowd(at, others, taken) for at in choices]
                gate.tip = choices[int(np.argmin(crowd))]
            taken.append(gate.tip)
            gate.path = self._gate_path(gate)

    @staticmethod
    def _crowd(at: np.ndarray, others: list[np.ndarray], taken: list[np.ndarray]) -> float:
        """Return how much there is around a place: other lines, and what ends there."""
        near = sum(float((np.hypot(*(p - at).T) < 2.5 * MARK).any()) for p in others)
        return near + 100.0 * sum(float(np.hypot(*(p - at)) < 4 * MARK) for p in taken)

    def _gate_path(self, gate: Line) -> np.ndarray:
        chain_ = self.chains[id(gate)]
        side = self._leaves(gate)
        over = self.by_synapse[gate.synapse].kind == SELF
        start = (self._edge(chain_[0], side), self.port[id(gate), 0])
        pieces, here = [], start
        for item in chain_[1:]:
            far = self._edge(item, LEFT if side == RIGHT else RIGHT)
            pieces += [bend(here, (far, self.y[item]))]
            here = (self._edge(item, side), self.y[item])
            pieces += [straight((far, self.y[item]), here)]
        if not over:
            return chain(*pieces, bend(here, tuple(gate.tip)))
        x, y = gate.tip
        high = y - GATE_ROOM + 4
        if self._is_arc(gate):
            entry = (self._edge(gate.ends[1], RIGHT), high)
            pieces += [turn(here, entry, here[0] + 16 + PORT * self.rank[id(gate)])]
            from_right = 1.0
        else:
            from_right = -1.0 if side == RIGHT else 1.0
            entry = (self._edge(gate.ends[1], LEFT if side == RIGHT else RIGHT), high)
            pieces += [bend(here, entry)]
        corner = (x + 9 * from_right, high)
        drop = np.array([corner, (x + 3 * from_right, high), (x, high), (x, y)], float)
        return chain(*pieces, straight(entry, corner), drop)

    # ------------------------------------------------------------ labels

    def _labels(self) -> None:
        """Write delays where little else is: in the lane of a line that has one, or on it."""
        points = {id(s): sampled(s.path) for s in self.lines}
        taken = [line.text_box for line in self.lines if line.at is not None]
        for line in self.lines:
            if line.kind == GATE:
                taken.append((*(line.tip - 2 * MARK), *(line.tip + 2 * MARK)))
        for line in self.lines:
            if not line.text or line.at is not None:
                continue
            choices = self._choices(line)
            others = [p for key, p in points.items() if key != id(line)]
            crowd = [_crowded(_around(at, line.text), taken, others) for at in choices]
            line.at = choices[int(np.argmin(crowd))]
            taken.append(line.text_box)

    def _choices(self, line: Line) -> np.ndarray:
        """Return where the text of a line may be: not over a box, so in its lanes or in gaps."""
        pieces = [line.path[i : i + 4] for i in range(0, len(line.path) - 1, 3)]
        pieces.sort(key=lambda piece: bool(np.ptp(piece[:, 1])))  # first where the line is level
        on = np.concatenate([point(piece, PLACES) for piece in pieces])
        rows = np.concatenate([on + (0.0, aside) for aside in BESIDE])
        inside = [self._inside(at, line) for at in rows]
        return rows[np.array(inside)] if any(inside) else rows

    def _inside(self, at: np.ndarray, line: Line) -> bool:
        """Whether a text at this place covers no box and no lane of another line."""
        left, _, right, _ = _around(at, line.text)
        own = set(self.chains[id(line)][1:-1] if line.kind != GATE else self.chains[id(line)][1:])
        if right > self.right[-1] + self.gap[-1] - 2 or not 5 < at[1] < self.height + MARGIN:
            return False  # off the page
        for c in range(self.n_columns):
            if right > self.left[c] and left < self.right[c]:
                at_home = [i for i in own if self.column[i] == c and abs(self.y[i] - at[1]) < 1]
                return bool(at_home) and left >= self.left[c] and right <= self.right[c]
        return True


def _crowded(rect: tuple, taken: list[tuple], others: list[np.ndarray]) -> float:
    left, top, right, bottom = rect[0] - 2, rect[1] - 2, rect[2] + 2, rect[3] + 2
    over = sum(1 for a in taken if a[0] < right and left < a[2] and a[1] < bottom and top < a[3])
    lines = sum(
        1
        for p in others
        if ((p[:, 0] > left) & (p[:, 0] < right) & (p[:, 1] > top) & (p[:, 1] < bottom)).any()
    )
    return 100.0 * over + lines
