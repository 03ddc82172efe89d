"""A path as users name it, by neurons or by synapses, as hops of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from neurograph.elements import Synapse
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.unrolled import GATE, MEMORY, SYNAPSE, Hop
from neurograph.schedule import Plan

__all__ = ["Route", "route"]


class Route(NamedTuple):
    """A path: where it starts, its hops, and the synapses, or the one neuron, that it names."""

    start: int
    hops: tuple[Hop, ...]
    of: list


def route(graph: NeuronGraph, made: Plan, path: Sequence, output: Any) -> Route:
    """Return a path that ends in an output.

    Parameters
    ----------
    path : sequence
        Neurons (names or handles), each joined to the next one by a synapse; or synapses, each
        of which starts in, or else is gated by, the neuron where the one before ends. A neuron
        may stand before synapses, to begin with one that it gates.

    Raises
    ------
    ParameterError
        It is empty, has a gap, passes through an input, or ends somewhere else.
    """
    items = [path] if isinstance(path, (str, Synapse)) else list(path)
    if not items:
        raise ParameterError("a path needs at least a neuron or a synapse")
    if any(isinstance(item, Synapse) for item in items):
        named = [] if isinstance(items[0], Synapse) else [graph.neuron(items.pop(0)).name]
        synapses = [graph.own(item) for item in items]
        start = named[0] if named else synapses[0].source
    else:
        names = [graph.neuron(item).name for item in items]
        pairs = list(pairwise(names))
        missing = next((pair for pair in pairs if not graph.has_edge(*pair)), None)
        if missing:
            raise ParameterError(
                f"there is no synapse {missing[0]!r} -> {missing[1]!r} for the path"
            )
        synapses, start = [graph.edges[pair] for pair in pairs], names[0]
    hops, at = [], start
    for synapse in synapses:
        hops.append(_hop(graph, made, synapse, at))
        at = synapse.target
    if at != output:
        raise ParameterError(f"the path ends in {at!r}, not in output {output!r}; go on to there")
    return Route(made.position[start], tuple(hops), synapses or [start])


def _hop(graph: NeuronGraph, made: Plan, synapse: Synapse, at: Any) -> Hop:
    e, to = int(graph._store.synapses.row_of[synapse._id]), made.position[synapse.target]
    if to in made.inputs:
        raise ParameterError(f"nothing passes {synapse}, for {synapse.target!r} is an input")
    if synapse.source == at:
        if synapse.loop and synapse.reads == "state":
            return Hop(MEMORY, e, to, 1)
        return Hop(SYNAPSE, e, to, synapse.delay)
    if synapse.gater == at:
        return Hop(GATE, e, to, synapse.gate_delay)
    raise ParameterError(
        f"the path has a gap: {synapse} does not start in {at!r}, nor does {at!r} gate it"
    )
