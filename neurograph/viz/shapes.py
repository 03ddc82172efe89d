"""How synapses look: colour and width by weight, and a head that tells the sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.schedule import Plan, arrange
from neurograph.values import choice
from neurograph.viz.ink import stroke
from neurograph.viz.scene import HEAD, Line
from neurograph.wiring import wiring

__all__ = ["SHOWN", "Look", "drawable", "head", "is_bar", "looks", "values"]

SHOWN = ("weight", "grad")  # what colour and width may tell


@dataclass(frozen=True)
class Look:
    """How one synapse is drawn; `title` is what a pointer that rests on it shows."""

    value: float
    colour: str
    width: float
    title: str


def drawable(graph: NeuronGraph, what: str = "draw") -> Plan:
    """Return a plan of a network that has something to show, and leave the network as it is.

    Raises
    ------
    ParameterError
        There are no neurons.
    GraphError
        It is a view of a network.
    CycleError
        Synapses without delay form a cycle.
    """
    graph.require_own()
    if not len(graph):
        raise ParameterError(
            f"{what}: a network without neurons has nothing to show; add some, as in"
            " net.add_neuron('a', role='input')"
        )
    return arrange(wiring(graph))


def values(graph: NeuronGraph, plan: Plan, show: str = "weight") -> np.ndarray:
    """Return weight or gradient of each synapse in the order of the plan."""
    name = SHOWN[choice("show", show, SHOWN)]
    table = graph._store.synapses
    return table.values(name, table.alive()[plan.synapse]).astype(float)


def looks(graph: NeuronGraph, plan: Plan, show: str = "weight") -> dict[int, Look]:
    """Return how each synapse looks, by its number in the plan."""
    found = values(graph, plan, show)
    largest = np.abs(found[np.isfinite(found)]).max(initial=0.0)
    ends = [*zip(plan.source.tolist(), plan.target.tolist(), strict=True)]
    ends += [(j, j) for j in plan.cell.tolist()]
    made = {}
    for e, (value, (u, v)) in enumerate(zip(found.tolist(), ends, strict=True)):
        title = f"{plan.name(u)!r} -> {plan.name(v)!r}: {show} {value:.4g}"
        if plan.gater.size and plan.gater[e] < plan.n_neurons:
            title += f", gated by {plan.name(plan.gater[e])!r}"
        made[e] = Look(value, *stroke(value, float(largest)), title)
    return made


def is_bar(value: float) -> bool:
    """Whether a line ends in a bar, as that of an inhibitory synapse; else in an arrow."""
    return value < 0


def head(line: Line, width: float, bar: bool) -> np.ndarray:
    """Return the outline of the head of a line, (n, 2)."""
    ahead = line.heading
    aside = np.array([-ahead[1], ahead[0]])
    half = 2.2 + 0.5 * width if not bar else 2.6 + 0.25 * width
    foot = line.tip - HEAD * ahead
    if not bar:
        return np.array([line.tip, foot + half * aside, foot - half * aside])
    thick = 2.0
    stem, near = width / 2, line.tip - (thick + 0.8) * ahead
    far = line.tip - 0.8 * ahead
    return np.array([
        foot + stem * aside, near + stem * aside, near + half * aside, far + half * aside,
        far - half * aside, near - half * aside, near - stem * aside, foot - stem * aside,
    ])  # fmt: skip
