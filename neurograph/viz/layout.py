"""Where everything of a small network is in a picture: boxes, lines and labels, in points.

A neuron is a box in the column of its level in the plan; a line goes from column to column and
through each one in between at a place of its own, so that it never passes under a box that it
does not belong to. What is delayed and goes back goes leftwards. Nothing here draws: `draw` and
`svg` do.
"""

from __future__ import annotations

import numpy as np

from neurograph.schedule import Plan
from neurograph.viz.arrangement import Arrangement
from neurograph.viz.curves import bend, chain, point, sampled, straight, turn
from neurograph.viz.scene import (
    GATE,
    GATE_ROOM,
    HEAD,
    LEFT,
    LOOP,
    LOOP_HALF,
    MARGIN,
    MARK,
    PORT,
    RIGHT,
    SELF,
    Layout,
    Line,
    around,
)

__all__ = ["layout"]

# Where on a line a ring or a text may be, and how far beside it.
PLACES = 0.5 + np.array([0, *(sign * k / 40 for k in range(1, 17) for sign in (-1, 1))])
BESIDE = (0.0, -9.0, 9.0, -18.0, 18.0)


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


class _Drawing(Arrangement):
    """An arrangement whose lines are drawn."""

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
            crowd = [_crowded(around(at, line.text), taken, others) for at in choices]
            line.at = choices[int(np.argmin(crowd))]
            taken.append(line.text_box)

    def _choices(self, line: Line) -> np.ndarray:
        """Return where the text of a line may be: not over a box, so in its lanes or in gaps."""
        pieces = [line.path[i : i + 4] for i in range(0, len(line.path) - 1, 3)]
        pieces.sort(key=lambda piece: bool(np.ptp(piece[:, 1])))  # first where the line is level
        on = np.concatenate([point(piece, PLACES) for piece in pieces])
        rows = np.concatenate([on + np.array([0.0, aside]) for aside in BESIDE])
        inside = [self._inside(at, line) for at in rows]
        return rows[np.array(inside)] if any(inside) else rows

    def _inside(self, at: np.ndarray, line: Line) -> bool:
        """Whether a text at this place covers no box and no lane of another line."""
        left, _, right, _ = around(at, line.text)
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
