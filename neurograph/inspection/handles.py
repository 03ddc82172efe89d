"""Synapses and neurons of one network, as users name them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError

__all__ = ["own_neurons", "own_synapses"]


def own_synapses(graph: Any, given: Any) -> list[Synapse]:
    """Return synapses of a network, given as handles or as pairs of names; None: no one."""
    if given is None:
        return []
    if isinstance(given, Synapse):
        given = [given]
    found = []
    for one in given:
        if isinstance(one, Synapse):
            found.append(graph.own(one))
            continue
        pair = isinstance(one, tuple) and len(one) == 2
        if not pair or not graph.has_edge(*one):
            raise ParameterError(
                f"no synapse {one!r} in this network; name synapses as net.edges[source, target]"
                " or (source, target)"
            )
        found.append(graph.edges[one])
    return found


def own_neurons(graph: Any, given: Any) -> list[Neuron]:
    """Return neurons of a network, given as handles or names; None: no one."""
    if given is None:
        return []
    if isinstance(given, Neuron) or (isinstance(given, Hashable) and given in graph):
        given = [given]
    return [graph.neuron(one) for one in given]
