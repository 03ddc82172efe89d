"""Files of our own: the reader. `neurograph.io.native_check` looks at everything before."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from neurograph.errors import FormatError, NeurographError
from neurograph.io.files import Object, parse_json, read_bytes, require_class, shown
from neurograph.io.native import VERSION
from neurograph.io.native_check import Checked, quiet_plan
from neurograph.io.plain import Reader
from neurograph.io.tensors import unpack
from neurograph.layers import Layer
from neurograph.learning.online import Online, axis_keys
from neurograph.learning.rules import get_rule
from neurograph.network import Network

__all__ = [
    "MAX_FILE_BYTES",
    "TRAINING",
    "built",
    "load",
    "opened",
    "parted",
    "read",
]

MAX_FILE_BYTES = 2**34
TRAINING = "training."  # how the names of tensors of a training begin, see `io.checkpoint`


def load(path: str | os.PathLike, *, create_using: type[Network] = Network) -> Network:
    """Read a network that `net.save` has written.

    It goes on, bit for bit, where the one that was saved would: weights, states, traces, gains,
    ties, optimizer, random generator, everything. Nothing in the file is executed, and all of it is
    checked before anything is made; docs/security.md has the limits.

    Parameters
    ----------
    path : path
    create_using : type, optional
        A subclass of `Network` to make.

    Returns
    -------
    Network

    Raises
    ------
    FormatError
        Not such a file, one that is damaged, of a newer version, or that needs an activation
        which is not registered in this process.
    OSError
        There is no such file, or it cannot be read.

    Examples
    --------
    >>> import neurograph as ng, os, tempfile
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.ng")
    ...     net.save(path)
    ...     twin = ng.load(path)
    >>> bool((twin.forward([0, 1]) == net.forward([0, 1])).all())
    True
    """
    require_class(create_using)
    try:
        return read(read_bytes(path, MAX_FILE_BYTES), create_using)
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from None


def read(raw: bytes, cls: type[Network] = Network) -> Network:
    """Make a network of the bytes of a file; of a checkpoint that which is being trained."""
    tensors, metadata = opened(raw)
    return built(parted(tensors, metadata)[0], metadata, cls)


def opened(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of a file of ours."""
    tensors, metadata = unpack(raw)
    if metadata.get("format") != "neurograph":
        raise FormatError(f"its format is {shown(metadata.get('format'))}, not 'neurograph'")
    if metadata.get("version") != VERSION:
        raise FormatError(
            f"it has version {shown(metadata.get('version'))} of the format; this neurograph reads"
            f" {VERSION}. A newer neurograph reads more"
        )
    return tensors, metadata


def parted(
    tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the tensors of the network, and those of its training if this is a checkpoint."""
    mine = [name for name in tensors if "training" in metadata and name.startswith(TRAINING)]
    theirs = {name.removeprefix(TRAINING): tensors.pop(name) for name in mine}
    return tensors, theirs


def built(tensors: dict[str, np.ndarray], metadata: dict[str, str], cls: type[Network]) -> Network:
    """Make a network of what a file says."""
    structure = Object(parse_json(metadata.get("network", "null")), "network")
    return _build(Checked(structure, tensors, cls), cls)


def _build(file: Checked, cls: type[Network]) -> Network:
    """Make the network; nothing but a plan that is not possible can go wrong any more."""
    net = cls(dtype=file.dtype)
    store = net._store
    tables = {"neuron": store.neurons, "synapse": store.synapses}
    net._create(file.names)
    net.adopt_synapses(file.columns["synapse"]["source"], file.columns["synapse"]["target"])
    for kind, table in tables.items():
        for name, array in file.columns[kind].items():
            if name not in ("source", "target"):
                table.array(name)[:] = array
    first = store.neurons.burn(len(file.absent))
    store.names += file.absent
    store.ghosts = {file.absent[i]: first + i for i in file.waiting}
    store.activations, store.next_port = list(file.activations), list(file.next_port)
    store.optimizer, store.updates = file.optimizer
    net._rng, net.seed = file.rng, file.seed
    neurons = list(net._node.values())
    if file.reader.met:
        file.read_plain(Reader(file.arrays, file.sizes, _handles(net, neurons)))
    indptr, member = file.ties
    for label, begin, end in zip(file.tie_labels, indptr[:-1], indptr[1:], strict=True):
        store.synapses.ties.local(label)
        for id in member[begin:end].tolist():
            store.synapses.ties.join(id, label)
    indptr, member = file.layers
    for (key, name), begin, end in zip(file.layer_names, indptr[:-1], indptr[1:], strict=True):
        net.layers[key] = Layer(net, name, [neurons[n] for n in member[begin:end].tolist()])
    net.graph.update(file.graph)
    for group in file.groups:
        for n, *values in zip(group.of, *group.values, strict=True):
            tables[group.kind].own[n] = dict(zip(group.keys, values, strict=True))
    net._engine = file.engine  # a name that is known: nothing has to be imported for it yet
    _stand(net, file.online)
    return net


def _handles(net: Network, neurons: list) -> dict[str, Any]:
    table, names = net._store.synapses, list(net._node)
    source, target = table.array("source"), table.array("target")
    return {
        "neuron": neurons.__getitem__,
        "synapse": lambda e: net.between(names[source[e]], names[target[e]]),
    }


def _stand(net: Network, online: Online) -> None:
    """Let the network stand where it stood in time, if its plan says that it could."""
    if online.keys:
        e = len(net._store.synapses.alive())
        named = (online.keys["synapse"], online.keys["parameter"], online.keys["extended"][:, 2])
        last = max(int(keys.max(initial=-1)) for keys in named)
        net._store.synapses.burn(max(0, last + 1 - e))
    if online.version == 0:
        try:
            made, rule = quiet_plan(net), get_rule(online.rule)
            rule.require(made, net.dtype)
            keys, fields = axis_keys(net, made, rule), rule.fields(made)
        except NeurographError as error:
            raise FormatError(
                f"network.online: a network like this makes no step: {error}"
            ) from None
        for axis, right in keys.items():
            if not online.keys or not np.array_equal(online.keys[axis], right):
                raise FormatError(f"tensor 'axis.{axis}' does not fit the network")
        for name, field in fields.items():
            shape = tuple(a if isinstance(a, int) else len(keys[a]) for a in field.axes)
            if online.fields[name].shape != shape:
                raise FormatError(f"tensor 'online.{name}' must have shape {shape}")
        online.version = net._store.version
    net._online = online
