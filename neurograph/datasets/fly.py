"""The brain of the larva of Drosophila."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from neurograph.datasets.connectomes import drive, first_weights, named
from neurograph.datasets.files import at, counts, read_columns, whole_numbers
from neurograph.errors import FormatError
from neurograph.network import Network
from neurograph.values import flag

__all__ = ["larva"]

# Column of the file -> attribute of a neuron.
ATTRIBUTES = {
    "name": "label",
    "simple_group": "group",
    "merge_class": "cell_class",
    "hemisphere": "hemisphere",
    "pair_id": "pair",
    "io": "io",
}
IO = ("input", "inter", "output")


def larva(
    edges: str | os.PathLike,
    neurons: str | os.PathLike,
    *,
    inputs: Iterable | None = None,
    outputs: Iterable | None = None,
    clamp: bool = False,
    activation: str = "tanh",
    weight: str = "count",
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return the brain of a fly larva as a network: 3,554 neurons and 119,010 connections.

    Every connection passes on what its source did one step ago.

    Parameters
    ----------
    edges : path-like
        CSV file, gzip or not, with columns pre, post, count: ids of neurons, and synapses.
    neurons : path-like
        CSV file with columns id, io ("input", "inter" or "output") and in_graph (only rows
        with True become neurons), in any order, among others.
    inputs, outputs : sequence of int, optional
        Ids; those that the column io says (465 and 420), unless given.
    clamp : bool
        If False, an input neuron "sense.ID" drives each of them. If True, the inputs *are*
        these neurons, and their incoming synapses (2 % of all) have no effect.
    activation : str
        Of the neurons of the brain.
    weight : {"count", "random"}
        "count": count / sum of the counts into the neuron, all positive, for the file knows
        no transmitters. "random": drawn from N(0, 1 / fan-in).
    seed, dtype
        As in `Network`.

    Returns
    -------
    Network
        Neurons are named by id (int), with attributes `label`, `group`, `cell_class`,
        `hemisphere`, `pair` (id of the partner on the other side, if there is one) and `io`,
        as far as the file has them; synapses have `count`. Self-synapses read the output.

    Raises
    ------
    ParameterError
        There is no such file, or a neuron that is named is not in the graph.
    FormatError
        A file is not what is described here.

    Notes
    -----
    Source: Winding et al. (2023), Science 379:eadd9330, in the state released with Pedigo et
    al. (2023), eLife 12:e83739. Where to get the files: docs/datasets.md.
    """
    clamp, edges, neurons = flag("clamp", clamp), at("edges", edges), at("neurons", neurons)
    ids, roles, own = _read_neurons(neurons)
    pre, post, count = _read_edges(edges, ids)
    names = ids.tolist()
    default = [
        [n for n, r in zip(names, roles, strict=True) if r == io] for io in ("input", "output")
    ]
    inputs = named("inputs", inputs, default[0], names)
    outputs = named("outputs", outputs, default[1], names)
    net = Network.from_arrays(
        pre,
        post,
        np.ones(len(pre)),
        n_neurons=len(names),
        inputs=[],
        outputs=[],
        activation=activation,
        delay=1,
        names=names,
        self_loops="output",
        seed=seed,
        dtype=dtype,
    )
    net.weights = first_weights(weight, net.rng, pre, post, count)
    net.graph["name"] = "Drosophila larva, brain (Winding et al. 2023)"
    for neuron, attributes in zip(net.neurons, own, strict=True):
        neuron.update(attributes)
    for synapse, n in zip(net.synapses, count.tolist(), strict=True):
        synapse["count"] = n
    drive(net, inputs, outputs, clamp)
    return net


def _read_neurons(file: Path) -> tuple[np.ndarray, list[str], list[dict]]:
    """Return ids, io and attributes of the neurons that are in the graph."""
    table = read_columns(file, ("id", "io", "in_graph"), [c for c in ATTRIBUTES if c != "io"])
    ids = whole_numbers(file, "id", table["id"])
    for column, allowed in (("io", IO), ("in_graph", ("True", "False"))):
        for number, text in enumerate(table[column], 1):
            if text not in allowed:
                raise FormatError(
                    f"{str(file)!r}: row {number}: {column} must be one of"
                    f" {', '.join(allowed)}; got {text!r}"
                )
    kept = np.flatnonzero(np.array(table["in_graph"]) == "True")
    ids = ids[kept]
    values, times = np.unique(ids, return_counts=True)
    if (times > 1).any():
        raise FormatError(f"{str(file)!r}: neuron {values[times > 1][0]} has several rows")
    present = {c: a for c, a in ATTRIBUTES.items() if c in table}
    own: list[dict] = [
        {a: table[c][i].strip() for c, a in present.items() if table[c][i].strip()} for i in kept
    ]
    if "pair_id" in present:
        pairs = whole_numbers(file, "pair_id", table["pair_id"])[kept]
        for attributes, pair in zip(own, pairs.tolist(), strict=True):
            attributes["pair"] = pair
            if pair < 0:  # the file's "none"
                del attributes["pair"]
    return ids, [table["io"][i] for i in kept], own


def _read_edges(file: Path, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions of both ends and counts, in the order of `net.synapses`."""
    table = read_columns(file, ("pre", "post", "count"))
    count = counts(file, "count", table["count"])
    order = np.argsort(ids)
    ends = []
    for column in ("pre", "post"):
        given = whole_numbers(file, column, table[column])
        place = np.searchsorted(ids, given, sorter=order)
        position = order[np.minimum(place, len(ids) - 1)] if len(ids) else place
        unknown = ids[position] != given if len(ids) else np.ones(len(given), bool)
        if unknown.any():
            number = int(np.argmax(unknown))
            raise FormatError(
                f"{str(file)!r}: row {number + 1}: {column} {given[number]} is not a neuron of the"
                " graph; are both files from the same release?"
            )
        ends.append(position)
    pre, post = ends
    twice = np.unique(pre * len(ids) + post, return_counts=True)
    if (twice[1] > 1).any():
        u, v = divmod(int(twice[0][twice[1] > 1][0]), len(ids))
        raise FormatError(f"{str(file)!r}: several rows for the pair {ids[u]}, {ids[v]}")
    sorted_ = np.argsort(pre, kind="stable")
    return pre[sorted_], post[sorted_], count[sorted_]
