"""Random initial weights, scaled by what each neuron really receives and sends."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from neurograph.elements import READS_STATE, Synapse
from neurograph.errors import ParameterError, suggest
from neurograph.graph import NeuronGraph

__all__ = ["SCHEMES", "initialize"]

# name -> (variance as a function of fan-in and fan-out of a synapse, or None: `scale` alone)
_VARIANCE = MappingProxyType(
    {
        "glorot": lambda n_in, n_out: 2 / (n_in + n_out),
        "he": lambda n_in, n_out: 2 / n_in,
        "lecun": lambda n_in, n_out: 1 / n_in,
    }
)
SCHEMES = ("uniform", "normal", *(f"{n}_{d}" for n in _VARIANCE for d in ("uniform", "normal")))


def initialize(graph: NeuronGraph, scheme: str, scale: float | None = None) -> None:
    """Draw the weights of a graph anew; see `Network.initialize`."""
    graph.require_own()
    if scheme not in SCHEMES:
        raise ParameterError(
            f"unknown scheme {scheme!r}.{suggest(scheme, SCHEMES)} There are {', '.join(SCHEMES)}"
        )
    ids = graph.synapse_ids()
    table = graph._store.synapses
    source, target = table.values("source", ids), table.values("target", ids)
    passing = table.values("reads", ids) != READS_STATE
    n_in = np.bincount(target[passing], minlength=graph._store.neurons.ids)
    n_out = np.bincount(source[passing], minlength=graph._store.neurons.ids)
    drawn = np.flatnonzero(passing & table.values("trainable", ids))
    kind, _, distribution = scheme.rpartition("_")
    if kind:
        variance = _VARIANCE[kind](n_in[target[drawn]], n_out[source[drawn]])
        deviation = np.sqrt(variance) * (1 if scale is None else scale)
    else:
        deviation = np.full(len(drawn), 0.1 if scale is None else scale)
        deviation = deviation / np.sqrt(3) if scheme == "uniform" else deviation
    if distribution == "uniform":
        values = graph.rng.uniform(-1, 1, len(drawn)) * deviation * np.sqrt(3)
    else:
        values = graph.rng.standard_normal(len(drawn)) * deviation
    if not (np.abs(values) <= np.finfo(graph.dtype).max).all():
        raise ParameterError(f"scale {scale!r} makes weights that are too large for {graph.dtype}")
    rows = table.row_of[ids[drawn]]
    table.array("weight")[rows] = values
    stays = np.ones(table.rows, bool)
    stays[rows] = False
    for group in table.ties.groups():  # one weight: that of a member that stays, if there is one
        members = table.row_of[group]
        first = members[np.argmax(stays[members])]
        table.array("weight")[members] = table.array("weight")[first]
    graph._store.touch(Synapse.weight)
