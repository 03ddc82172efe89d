"""What a picture of a network consists of: boxes and lines, in points; y grows downwards."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from neurograph.schedule import Plan
from neurograph.viz.ink import text_width

__all__ = ["Box", "Layout", "Line", "around"]

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
        return around(self.at, self.text)


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


def around(at: np.ndarray, text: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a text in the middle of a place."""
    half, tall = text_width(text, SMALL) / 2 + 1, SMALL * 0.62
    return at[0] - half, at[1] - tall, at[0] + half, at[1] + tall
