"""The structure of a graph as arrays: what the scheduler is given."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from neurograph.elements import INPUT, OUTPUT, READS_STATE, Neuron, Synapse
from neurograph.errors import ParameterError, suggest
from neurograph.functions import ACTIVATIONS
from neurograph.graph import NeuronGraph
from neurograph.sweeps import picked, taken
from neurograph.table import Table

__all__ = ["Wiring", "wiring"]

NOWHERE = np.uint32(2**32 - 1)


@dataclass(frozen=True)
class Wiring:
    """The structure of a graph as arrays, neurons and synapses in order of insertion.

    Attributes
    ----------
    n_neurons : int
    source, target, delay : (E,) int
        Neurons by position.
    reads_state : (E,) bool
    gater : (E,) int
        Position of the gating neuron, -1 for none.
    gate_delay : (E,) int
    activation : (N,) int
        Index into `activations`.
    activations : tuple of str
    inputs, outputs : (n,) int
        In the order of the columns of X and Y.
    ties : list of (k,) int
        Groups of synapses that share a weight.
    names : sequence
        Of the neurons, by position.
    """

    n_neurons: int
    source: np.ndarray
    target: np.ndarray
    delay: np.ndarray
    reads_state: np.ndarray
    gater: np.ndarray
    gate_delay: np.ndarray
    activation: np.ndarray
    activations: tuple[str, ...]
    inputs: np.ndarray
    outputs: np.ndarray
    ties: list[np.ndarray]
    names: Sequence[Hashable]


def wiring(graph: NeuronGraph) -> Wiring:
    """Return the structure as arrays.

    Raises
    ------
    ParameterError
        A gater is not in the graph, or an activation is not registered in this process.
    """
    store = graph._store
    table, neurons = store.synapses, graph.neuron_ids()
    position = np.full(max(1, store.neurons.ids), NOWHERE, np.uint32)
    position[neurons] = np.arange(len(neurons))
    rows = table.rows_alive().view(np.uint32)
    gater = _column(table, "gater", rows)
    if "gater" in table.arrays:
        lost = np.flatnonzero((gater >= 0) & (position[gater] == NOWHERE))
        if len(lost):
            raise _lost_gater(graph, table.alive()[lost[0]])
        gater = np.where(gater >= 0, position[gater].astype(np.int64), -1)
    activation = store.neurons.values("activation", neurons)
    for code in np.unique(activation):
        if store.activations[code] not in ACTIVATIONS:
            raise _unknown_activation(graph, neurons[activation == code][0])
    return Wiring(
        n_neurons=len(neurons),
        source=picked(rows, table.array("source").view(np.uint32), position),
        target=picked(rows, table.array("target").view(np.uint32), position),
        delay=_column(table, "delay", rows),
        reads_state=_column(table, "reads", rows) == READS_STATE,
        gater=gater,
        gate_delay=_column(table, "gate_delay", rows),
        activation=activation,
        activations=tuple(store.activations),
        inputs=position[graph.ports(INPUT)],
        outputs=position[graph.ports(OUTPUT)],
        ties=[np.searchsorted(table.alive(), group) for group in table.ties.groups()],
        names=[store.names[id] for id in neurons.tolist()],
    )


def _column(table: Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Return a column in the order of `rows`; one that nobody wrote takes no room."""
    if name in table.arrays:
        return taken(table.arrays[name], rows)
    column = table.schema[name]
    return np.broadcast_to(np.array(column.default, column.dtype), rows.shape)


def _unknown_activation(graph: NeuronGraph, id: int) -> ParameterError:
    name, activation = graph._store.names[id], graph._store.neurons.read(id, Neuron.activation)
    return ParameterError(
        f"neuron {name!r} has activation {activation!r}, which is not registered here."
        f"{suggest(activation, ACTIVATIONS)} Register it with @neurograph.activation(...), or"
        f" take another: net.nodes[{name!r}].activation = 'logistic'"
    )


def _lost_gater(graph: NeuronGraph, id: int) -> ParameterError:
    table = graph._store.synapses
    u, v, k = (table.read(id, c) for c in (Synapse.source, Synapse.target, Synapse.gater))
    if k in graph:
        missing = f"a neuron {k!r} that was removed; the {k!r} of now is another one."
    else:
        missing = f"{k!r}, which is not in the graph.{suggest(k, graph)}"
    return ParameterError(
        f"synapse {u!r} -> {v!r} is gated by {missing}"
        f" Name another gater, net.edges[{u!r}, {v!r}].gater = ...,"
        f" or net.ungate(net.edges[{u!r}, {v!r}]); net.relabel keeps gates when names change"
    )
