"""Synapses and neurons of one network, as users name them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError

__all__ = ["is_edge", "look_up", "named", "own_neurons", "own_synapses"]


def own_synapses(graph: Any, given: Any) -> list[Synapse]:
    """Return synapses of a network: one or many, as handles or pairs of names; None: no one."""
    if given is None:
        return []
    single = is_edge(graph, given) or _is_pair(given)  # the names may be tuples themselves
    found = []
    for one in [given] if single else _each(given):
        if isinstance(one, Neuron):
            raise ParameterError(f"synapses= takes synapses, and got {one}; neurons= takes neurons")
        if not isinstance(one, Synapse) and not is_edge(graph, one):
            raise ParameterError(
                f"no synapse {one!r} in this network; name synapses as net.edges[source, target]"
                " or (source, target)"
            )
        found.append(graph.own(one if isinstance(one, Synapse) else graph.edges[one]))
    return found


def own_neurons(graph: Any, given: Any) -> list[Neuron]:
    """Return neurons of a network: one or many, as handles or names; None: no one."""
    if given is None:
        return []
    named = isinstance(given, Hashable) and given in graph  # a tuple can be a name
    found = []
    for one in [given] if named else _each(given):
        if isinstance(one, Synapse):
            raise ParameterError(f"neurons= takes neurons, and got {one}; synapses= takes synapses")
        found.append(graph.neuron(one))
    return found


def named(given: Any) -> Any:
    """Return the name of a neuron, the names of the ends of a synapse; anything else as it is."""
    if isinstance(given, Synapse):
        return given.source, given.target
    return given.name if isinstance(given, Neuron) else given


def look_up(rows: Mapping[Hashable, Any], given: Any, kind: type) -> Any:
    """Return what a table of synapses, or of neurons, says of a handle or name; None: nothing."""
    if isinstance(given, (Synapse, Neuron)) and not isinstance(given, kind):
        return None  # though a neuron may have the name of a pair
    try:
        return rows.get(named(given))
    except TypeError:  # not hashable, so it is the name of nothing
        return None


def is_edge(graph: Any, given: Any) -> bool:
    """Tell whether this is (source, target) of a synapse of the network."""
    try:
        return isinstance(given, tuple) and len(given) == 2 and graph.has_edge(*given)
    except TypeError:  # a list, or a neuron: no name
        return False


def _is_pair(given: Any) -> bool:
    """Tell whether this is meant as the two ends of one synapse, not as two synapses."""
    several = (tuple, Synapse, Neuron)
    return isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], several)


def _each(given: Any) -> Iterable:
    """Return what to go through; a text and a handle are one thing, though they have entries."""
    one = isinstance(given, (str, Neuron, Synapse)) or not isinstance(given, Iterable)
    return [given] if one else given
