"""What if: a network without some of its parts, with a neuron held, or with other weights.

For the time of a block a few values in the columns of the store are others, so every engine, every
rule and all of learning take part without knowing of it. A synapse that is gone has weight 0, is
frozen, and stands outside of its tie. A neuron that is held has the activation "held", f(s) = s
with f'(s) = 0, its value as the bias, and no weight on anything that ends in it: so y = s = value
and δ = 0. One that is held at another value in every sample or step is an input, whose column
`Batch.of` adds to X.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import numpy as np

from neurograph.elements import INPUT, OUTPUT, Neuron, Synapse
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError
from neurograph.functions import get_activation
from neurograph.graph import NeuronGraph
from neurograph.inspection.assignment import checked, with_tied
from neurograph.inspection.selections import Selection
from neurograph.inspection.temporary import HELD, Change, Values, WhatIf, active

__all__ = ["clamp", "lesion", "patch"]


def lesion(graph: NeuronGraph, what: tuple) -> WhatIf:
    """Return what runs a network without some neurons and synapses; see `Network.lesion`."""
    if not what:
        raise ParameterError("lesion takes neurons, synapses or selections; got nothing")
    what = tuple(_kept(graph, one) for one in what)

    def find() -> Change:
        neurons, synapses = _members(graph, what)
        around = [synapses, _incoming(graph, neurons), _outgoing(graph, neurons)]
        dead = _each_once(np.concatenate(around))
        role = graph._store.neurons.values("role", neurons)
        silent = _each_once(neurons[role != INPUT])  # an input has nobody left who reads it
        return Change(
            _silenced(graph, dead) | _held(graph, silent, np.zeros(len(silent))), dead, {}
        )

    return WhatIf(graph, "lesion", find)


def clamp(graph: NeuronGraph, neurons: Any, value: Any) -> WhatIf:
    """Return what holds the output of neurons; see `Network.clamp`."""
    neurons, value = _kept(graph, neurons), real_array("value", value, np.dtype(float)).copy()

    def find() -> Change:
        ids, synapses = _members(graph, (neurons,))
        if len(synapses):
            raise ParameterError("clamp takes neurons; net.patch gives synapses other weights")
        table = graph._store.neurons
        inputs = ids[table.values("role", ids) == INPUT]
        if len(inputs):
            raise ParameterError(
                f"neuron {graph._store.names[inputs[0]]!r} is an input: its output is what X says,"
                " so put the value into its column of X"
            )
        if value.ndim in (2, 3):
            return _driven(graph, ids, value)
        if value.shape not in ((), (len(ids),)):
            raise ShapeError(
                f"clamp takes a number, or one for each of {len(ids)} neurons; got shape"
                f" {value.shape}. What changes from sample to sample or from step to step has"
                " shape (samples, steps), either of which may be 1, or"
                f" (samples, steps, {len(ids)}) with values for each neuron"
            )
        values = checked(graph, table, ids, Neuron.bias, value)
        first = np.unique(ids, return_index=True)[1]
        if (values[first][np.searchsorted(ids[first], ids)] != values).any():
            raise ParameterError("clamp: a neuron is there twice, with two values")
        gone = _incoming(graph, ids[first])
        return Change(_silenced(graph, gone) | _held(graph, ids[first], values[first]), gone, {})

    return WhatIf(graph, "clamp", find)


def patch(graph: NeuronGraph, weights: Any, value: Any = None) -> WhatIf:
    """Return what gives synapses other weights; see `Network.patch`."""
    by_synapse = isinstance(weights, Mapping) and not isinstance(weights, (Synapse, Neuron))
    if by_synapse == (value is not None):
        raise ParameterError(
            "patch takes weights by synapse, net.patch({synapse: 0.5}), or synapses and weights,"
            " net.patch(net.synapses, 0.5)"
        )
    weights = dict(weights) if by_synapse else _kept(graph, weights)
    value = copy(value)

    def find() -> Change:
        table = graph._store.synapses
        if by_synapse:
            ids = np.array([_synapse(graph, key)._id for key in weights], np.int64)
            wanted: Any = list(weights.values())
        else:
            neurons, ids = _members(graph, (weights,))
            wanted = value
            if len(neurons):
                raise ParameterError("patch takes synapses; net.clamp holds the output of neurons")
        if len(_each_once(ids)) < len(ids):
            raise ParameterError("patch: a synapse is there twice; give it one weight")
        values = checked(graph, table, ids, Synapse.weight, wanted)
        if table.ties.group:
            ids, values = with_tied(table, ids, values, "weight")
        # Who is outside of a tie for the time of another block stays there for that of this one.
        apart = [id for block in active(graph) for id in block.places]
        return Change({("synapses", "weight"): (ids, values)}, ids[np.isin(ids, apart)], {})

    return WhatIf(graph, "patch", find)


def _synapse(graph: NeuronGraph, key: Any) -> Synapse:
    """Return a synapse of this network, given itself or as (source, target)."""
    if isinstance(key, tuple) and len(key) == 2 and graph.has_edge(*key):
        return graph.edges[key]
    return graph.own(key)


def _members(graph: NeuronGraph, what: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of the neurons and of the synapses that are meant, in the order given."""
    neurons: list[np.ndarray | list[int]] = [[]]
    synapses: list[np.ndarray | list[int]] = [[]]
    for one in what:
        if isinstance(one, Selection):
            (neurons if one._neurons else synapses).append(Selection(graph, one._kind)._ids_of(one))
            continue
        for element in one if isinstance(one, list) else (one,):
            if isinstance(element, Synapse):
                synapses.append([graph.own(element)._id])
            else:
                neurons.append([_neuron(graph, element)._id])
    return np.concatenate(neurons).astype(np.int64), np.concatenate(synapses).astype(np.int64)


def _kept(graph: NeuronGraph, one: Any) -> Any:
    """Return a list of what is several: not a name, also of nobody, nor a handle or selection."""
    if isinstance(one, (Neuron, Synapse, Selection, str, bytes, tuple, frozenset)):
        return one
    if not isinstance(one, Iterable) or one in graph:
        return one
    return list(one)


def _neuron(graph: NeuronGraph, name: Any) -> Neuron:
    try:
        return graph.neuron(name)
    except ParameterError as error:
        if isinstance(name, tuple) and len(name) == 2 and graph.has_edge(*name):
            u, v = name
            raise ParameterError(f"{error} The synapse is net.edges[{u!r}, {v!r}]") from None
        raise


def _each_once(ids: np.ndarray) -> np.ndarray:
    """Return ids in order, each once; `numpy.unique` hashes, which takes ten times as long."""
    ids = np.sort(ids)
    return ids[np.append(True, ids[1:] != ids[:-1])[: len(ids)]]


def _incoming(graph: NeuronGraph, neurons: np.ndarray) -> np.ndarray:
    """Return the ids of the synapses that end in these neurons."""
    names = [graph._store.names[id] for id in neurons.tolist()]
    return np.array([s._id for name in names for s in graph.incoming(name)], np.int64)


def _outgoing(graph: NeuronGraph, neurons: np.ndarray) -> np.ndarray:
    """Return the ids of the synapses that start in these neurons, or that they gate."""
    names, table = [graph._store.names[id] for id in neurons.tolist()], graph._store.synapses
    found = np.array([s._id for name in names for s in graph.outgoing(name)], np.int64)
    if len(neurons) and "gater" in table.arrays:
        ids = table.alive()
        found = np.append(found, ids[np.isin(table.values("gater", ids), neurons)])
    return found


def _silenced(graph: NeuronGraph, ids: np.ndarray) -> Values:
    """Return values with which synapses do nothing and learn nothing."""
    return {
        ("synapses", "weight"): (ids, np.zeros(len(ids), graph.dtype)),
        ("synapses", "trainable"): (ids, np.zeros(len(ids), bool)),
    }


def _held(graph: NeuronGraph, ids: np.ndarray, values: np.ndarray) -> Values:
    """Return values with which neurons have these outputs, once nothing arrives any more."""
    if not len(ids):
        return {}
    if get_activation(HELD.name) is not HELD:
        raise ParameterError(
            f"an activation {HELD.name!r} of your own takes the place of the one with which neurons"
            " are held; register yours under another name="
        )
    names = graph._store.activations
    code = names.index(HELD.name) if HELD.name in names else len(names)
    return {
        ("neurons", "bias"): (ids, values.astype(graph.dtype)),
        ("neurons", "trainable"): (ids, np.zeros(len(ids), bool)),
        ("neurons", "activation"): (ids, np.full(len(ids), code)),
    }


def _driven(graph: NeuronGraph, ids: np.ndarray, value: np.ndarray) -> Change:
    """Return what makes neurons inputs of these values, (B, T) or (B, T, n)."""
    given, table, names = value.shape, graph._store.neurons, graph._store.names
    value = np.atleast_3d(value)
    if value.shape[2] not in (1, len(ids)):
        raise ShapeError(
            f"clamp takes values (samples, steps, {len(ids)}), some for each neuron; got shape"
            f" {given}"
        )
    value = np.broadcast_to(value.astype(graph.dtype), (*value.shape[:2], len(ids)))
    if not value.shape[0] or not value.shape[1] or not np.isfinite(value).all():
        raise ParameterError(
            "clamp takes finite numbers, for at least one sample and step; got"
            f" {'one that is not' if value.size else f'shape {given}'}"
        )
    if len(_each_once(ids)) < len(ids):
        raise ParameterError("clamp: a neuron is there twice; give it one value")
    for id in ids[table.values("role", ids) == OUTPUT][:1]:
        raise ParameterError(
            f"neuron {names[id]!r} is an output: what is held sample by sample or step by step is"
            " an input as long as the block lasts, and nobody is both. Hold it at one number"
        )
    gone, last = _incoming(graph, ids), table.values("port", graph.ports(INPUT)).max(initial=-1)
    more: Values = {
        ("neurons", "trainable"): (ids, np.zeros(len(ids), bool)),
        ("neurons", "role"): (ids, np.full(len(ids), INPUT)),
        ("neurons", "port"): (ids, last + 1 + np.arange(len(ids))),
    }
    held = {id: value[..., i] for i, id in enumerate(ids.tolist())}
    return Change(_silenced(graph, gone) | more, gone, held)
