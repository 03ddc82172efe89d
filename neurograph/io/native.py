"""Files of our own, lossless: the writer. `neurograph.io.native_reader` has the other half.

What a network is, it is in three places: columns, one entry a neuron or synapse, which become
tensors; what is not a number, which becomes JSON; and what online learning keeps. Neurons are
numbered in the order of `net.nodes`, synapses in that of their insertion. Whoever is not there
any more but is still named (a gater that was removed, or is yet to come) has a number beyond
those: these are the *absent*.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from neurograph.engines import ENGINES
from neurograph.errors import ParameterError
from neurograph.io.files import write_bytes
from neurograph.io.generators import described
from neurograph.io.plain import Writer
from neurograph.io.tensors import pack
from neurograph.learning.rules import BPTT, LSTMG, RTRL, Synaptic
from neurograph.network import Network
from neurograph.table import Table

__all__ = [
    "ALWAYS",
    "KINDS",
    "OPTIONS",
    "RULES",
    "VERSION",
    "contents",
    "describe",
    "described_rule",
    "save",
]

VERSION = "1"
KINDS = ("neuron", "synapse")
ALWAYS = {"neuron": ("bias", "activation"), "synapse": ("source", "target", "weight")}
RULES = {cls.name: cls for cls in (LSTMG, Synaptic, BPTT, RTRL)}
OPTIONS: dict[Any, tuple[str, ...]] = {BPTT: ("window",), RTRL: ("most_bytes",)}


def save(net: Network, path: str | os.PathLike) -> None:
    """Write everything that a network is into a file; see `Network.save`."""
    net.require_own()
    write_bytes(path, describe(net))


def describe(net: Network) -> list[Any]:
    """Return the bytes of the file of a network, piece by piece."""
    return pack(*contents(net))


def contents(net: Network) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of the file of a network."""
    numbers = {kind: _Numbers(table) for kind, table in _tables(net).items()}
    _number_absent(net, numbers)
    writer = Writer(*(lambda h, k=kind: numbers[k].of_handle(h) for kind in KINDS))
    structure = _structure(net, numbers, writer)
    tensors = {
        **_columns(net, numbers),
        **_groups(net, numbers),
        **_online_tensors(net, numbers),
        **writer.tensors(),
    }
    text = json.dumps(structure, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return tensors, {"format": "neurograph", "version": VERSION, "network": text}


def _tables(net: Network) -> dict[str, Table]:
    return {"neuron": net._store.neurons, "synapse": net._store.synapses}


class _Numbers:
    """The numbers of neurons, or of synapses, in a file, by their ids."""

    def __init__(self, table: Table):
        self.table, self.ids = table, table.alive()
        self.absent = np.empty(0, np.int64)
        self.of_id = np.full(table.ids, -1, np.int64)
        self.of_id[self.ids] = np.arange(len(self.ids))

    def need(self, ids: Iterable[np.ndarray]) -> None:
        """Give numbers to those of `ids` that have none."""
        wanted = np.unique(np.concatenate([np.empty(0, np.int64), *ids]))
        self.absent = wanted[self.of_id[wanted] < 0]
        self.of_id[self.absent] = len(self.ids) + np.arange(len(self.absent))

    def of_handle(self, handle: Any) -> int:
        """Return the number of a handle, -1 if it is one of another network."""
        return int(self.of_id[handle._id]) if handle._home is self.table else -1


def _number_absent(net: Network, numbers: dict[str, _Numbers]) -> None:
    """Number whoever is named, but not there."""
    synapses, keys = numbers["synapse"], net._online.keys
    gaters = synapses.table.values("gater", synapses.ids).astype(np.int64)
    ghosts = np.array(list(net._store.ghosts.values()), np.int64)
    either = [keys[axis].ravel() for axis in ("parameter", "extended") if axis in keys]
    traces = keys.get("extended", np.empty((0, 3), np.int64))
    numbers["neuron"].need(
        [
            gaters[gaters >= 0],
            ghosts,
            keys.get("neuron", np.empty(0, np.int64)),
            traces[:, :2].ravel(),
            *(~k[k < 0] for k in either),
        ]
    )
    parameters = [keys["parameter"], traces[:, 2]] if "parameter" in keys else []
    synapses.need([keys.get("synapse", np.empty(0, np.int64)), *(k[k >= 0] for k in parameters)])


# ---------------------------------------------------------------- what is not a number


def _structure(net: Network, numbers: dict[str, _Numbers], writer: Writer) -> dict[str, Any]:
    store, nodes = net._store, list(net.nodes)
    absent = [store.names[id] for id in numbers["neuron"].absent.tolist()]
    waiting = set(store.ghosts.values())
    plain_range = all(type(name) is int and name == n for n, name in enumerate(nodes))
    layers, namer = _layers(net), Writer(_stranger, _stranger)
    return {
        "dtype": net.dtype.name,
        "neurons": len(nodes),
        "synapses": len(numbers["synapse"].ids),
        "names": None if plain_range else [namer.name(n, f"the name {n!r:.50}") for n in nodes],
        "absent": [namer.name(name, f"the gater {name!r:.50}") for name in absent],
        "waiting": [n for n, id in enumerate(numbers["neuron"].absent) if int(id) in waiting],
        "activations": list(store.activations),
        "next_port": list(store.next_port),
        "optimizer": {"name": store.optimizer, "updates": store.updates},
        "engine": _engine(net),
        "seed": None if net.seed is None else writer.value(net.seed, "net.seed"),
        "generator": described(net._rng, writer),
        "layers": [
            [writer.value(key, "the key of a layer"), writer.value(layer.name, f"layer {key!r}")]
            for key, layer, _ in layers
        ],
        "ties": [
            writer.value(label, f"the tie {label!r:.50}")
            for label, ids in store.synapses.ties.ids.items()
            if ids
        ],
        "graph": writer.value(dict(net.graph), "net.graph"),
        "attributes": {kind: _attributes(net, numbers[kind], writer) for kind in KINDS},
        "online": _online(net),
    }


def _stranger(handle: Any) -> int:
    return -1  # no handle is part of a name


def _layers(net: Network) -> list[tuple[Any, Any, list[int]]]:
    """Return the layers that have neurons in the network, as copies of it have them."""
    found = []
    position = {name: n for n, name in enumerate(net.nodes)} if net.layers else {}
    for key, layer in net.layers.items():
        members = [position[n.name] for n in layer if not n.detached and n.name in net]
        if members:
            found.append((key, layer, members))
    return found


def _engine(net: Network) -> str:
    if not isinstance(net.engine, str) or net._online.engine is not None:
        raise ParameterError(
            f"net.engine is {net.engine!r:.80}, an object, which a file cannot hold; set it to"
            f" {' or '.join(map(repr, ENGINES))} before you save, and back after you load"
        )
    return net.engine


def _attributes(net: Network, numbers: _Numbers, writer: Writer) -> list[dict[str, Any]]:
    """Return the user's attributes, key by key, in groups of those who have the same keys."""
    groups: dict[tuple, list[int]] = {}
    table = numbers.table
    for id in sorted(table.own):
        groups.setdefault(tuple(map(_typed, table.own[id])), []).append(id)
    return [
        {
            "keys": [writer.value(key, f"the attribute {key!r:.50}") for key in table.own[ids[0]]],
            "of": numbers.of_id[ids].tolist(),
            "values": [
                [writer.value(table.own[id][key], _Where(net, table, id, key)) for id in ids]
                for key in table.own[ids[0]]
            ],
        }
        for ids in groups.values()
    ]


def _typed(key: Any) -> tuple:
    return type(key), key  # 1, 1.0 and True are one key of a dict


class _Where:
    """A place, which is put into words only if something is wrong there."""

    def __init__(self, net: Network, table: Table, id: int, key: Any):
        self.net, self.table, self.id, self.key = net, table, id, key

    def __str__(self) -> str:
        return f"{self.table.row_type(self.table, self.id)}: attribute {self.key!r:.50}"


def _online(net: Network) -> dict[str, Any]:
    online = net._online
    return {
        "rule": described_rule(online.rule, "net.rule"),
        "clock": online.clock.tolist(),
        "visits": int(online.visits),
        "current": bool(online.version == net._store.version),
    }


def described_rule(rule: Any, where: str) -> Any:
    """Return a rule of online learning as JSON."""
    if isinstance(rule, str):
        return rule
    if RULES.get(rule.name) is not type(rule):
        raise ParameterError(f"{where} is {rule!r:.80}, of a class that a file cannot hold")
    return {"name": rule.name} | {k: int(getattr(rule, k)) for k in OPTIONS.get(type(rule), ())}


# ---------------------------------------------------------------- numbers


def _columns(net: Network, numbers: dict[str, _Numbers]) -> dict[str, np.ndarray]:
    """Return the columns that somebody wrote."""
    made = {}
    for kind, table in _tables(net).items():
        ids = numbers[kind].ids
        for name in dict.fromkeys([*ALWAYS[kind], *table.arrays]):
            made[f"{kind}.{name}"] = table.values(name, ids)
    neuron = numbers["neuron"].of_id
    for end in ("source", "target"):
        made[f"synapse.{end}"] = neuron[made[f"synapse.{end}"]].astype(np.int32)
    if "synapse.gater" in made:
        gater = made["synapse.gater"]
        made["synapse.gater"] = np.where(gater >= 0, neuron[gater], -1).astype(np.int32)
    return made


def _groups(net: Network, numbers: dict[str, _Numbers]) -> dict[str, np.ndarray]:
    """Return who is in which layer, and in which tie."""
    of_id = numbers["synapse"].of_id
    ties = [of_id[ids].tolist() for ids in net._store.synapses.ties.ids.values() if ids]
    return {
        **_ragged("layer", [members for _, _, members in _layers(net)]),
        **_ragged("tie", ties),
    }


def _ragged(name: str, groups: list[list[int]]) -> dict[str, np.ndarray]:
    if not groups:
        return {}
    ends = np.cumsum([0, *map(len, groups)])
    return {
        f"{name}.indptr": ends.astype(np.int64),
        f"{name}.member": np.array([m for group in groups for m in group], np.int32),
    }


def _online_tensors(net: Network, numbers: dict[str, _Numbers]) -> dict[str, np.ndarray]:
    """Return what online learning keeps, and who is where on its axes."""
    online = net._online
    neuron, synapse = numbers["neuron"].of_id, numbers["synapse"].of_id

    def parameter(keys: np.ndarray) -> np.ndarray:
        return np.where(keys < 0, ~_taken(neuron, ~keys), _taken(synapse, keys))

    made = {f"online.{name}": array for name, array in online.fields.items()}
    for axis, keys in online.keys.items():
        if axis == "extended":
            ends = neuron[keys[:, :2]], parameter(keys[:, 2:])
            numbered = np.concatenate(ends, 1)
        else:
            of = {"neuron": neuron, "synapse": synapse}.get(axis)
            numbered = parameter(keys) if of is None else of[keys]
        made[f"axis.{axis}"] = numbered.astype(np.int64)
    return made


def _taken(of_id: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return numbers of ids; of those below 0 any number."""
    return of_id[np.maximum(ids, 0)] if len(of_id) else np.zeros(ids.shape, np.int64)
