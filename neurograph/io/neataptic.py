"""Networks of the JavaScript library Neataptic, as its `Network.toJSON()` writes them: the reader.

A file holds nodes in the order of their activation, and connections between them by number. As in
Synaptic, from which it came, there are no delays: what runs back in that order reads the step
before, and so does a gate that runs back. Here that is a delay of 1.

Source: `src/architecture/network.js`, `node.js` and `methods/activation.js` of Neataptic 1.4.7.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from neurograph.errors import FormatError, suggest
from neurograph.io.files import (
    Object,
    among,
    natural_in,
    read_json,
    require_class,
    shown,
    warn_lost,
)
from neurograph.io.synaptic import NO_NEURON, Connection, Unit, assemble
from neurograph.layers import Layer
from neurograph.network import Network

__all__ = ["ACTIVATION", "read_neataptic"]

ACTIVATION = {
    "LOGISTIC": "logistic",
    "TANH": "tanh",
    "IDENTITY": "identity",
    "STEP": "step",
    "RELU": "relu",
    "SOFTSIGN": "softsign",
    "SINUSOID": "sin",
    "GAUSSIAN": "gaussian",
    "BENT_IDENTITY": "bent_identity",
    "BIPOLAR": "bipolar",
    "BIPOLAR_SIGMOID": "bipolar_logistic",
    "HARD_TANH": "hard_tanh",
    "ABSOLUTE": "absolute",
    "INVERSE": "inverse",
    "SELU": "selu",
}
ROLES = {"input": "input", "hidden": "hidden", "constant": "hidden", "output": "output"}
KEYS = {
    "": {"nodes", "connections", "input", "output", "dropout"},
    "nodes": {"bias", "type", "squash", "mask", "index"},
    "connections": {"weight", "from", "to", "gater"},
}


def read_neataptic(
    source: str | os.PathLike | Mapping, *, create_using: type[Network] = Network
) -> Network:
    """Make a network of what `Network.toJSON()` of Neataptic has written.

    It gives the outputs that `Network.fromJSON(…).activate(x)` gives, step by step from rest.
    Inputs are called "input.0" …, hidden nodes "hidden.0" … and outputs "output.0" …, each in the
    order of activation, and `net.layers` has the three. What runs back in that order gets delay 1,
    and so does a gate that runs back. Self-connections read the state. Neataptic does not learn
    the bias of a node of type "constant" nor what leads to it; here they are frozen.

    A mask (what dropout left in the file) multiplies the output of a node; here it is multiplied
    into the weights of what leads from it, or is gated by it.

    Parameters
    ----------
    source : path or mapping
        A file, or what `json.load` made of it.
    create_using : type, optional
        A subclass of `Network` to make.

    Returns
    -------
    Network
        float64.

    Raises
    ------
    FormatError
        Not such a file; the message names the place, as ``connections[3].from``. Also what we do
        not hold: a squash function of one's own, a mask of an output or of a gate that runs back.

    Warns
    -----
    NeurographWarning
        An input gates something: Neataptic leaves such a gain at 1, and so the gate is left out.
        Masks; dropout; keys that are not of the format; sizes that are not those of the nodes.

    Examples
    --------
    >>> import neurograph as ng
    >>> node = {"bias": 0.5, "squash": "IDENTITY", "mask": 1}
    >>> net = ng.io.read_neataptic({
    ...     "nodes": [{**node, "type": "input"}, {**node, "type": "output"}],
    ...     "connections": [{"from": 0, "to": 1, "weight": 2, "gater": None},
    ...                     {"from": 1, "to": 1, "weight": 1, "gater": None}],
    ...     "input": 1, "output": 1, "dropout": 0})
    >>> net.run([[1], [1]]).outputs.ravel()
    array([2.5, 2.5])
    >>> net.run([[[1], [1]]]).outputs.ravel()
    array([2.5, 5. ])
    """
    require_class(create_using)
    return read_json(source, partial(_read, cls=create_using))


def _read(found: Any, cls: type[Network]) -> Network:
    file = _File(found)
    counts = dict.fromkeys(("input", "hidden", "output"), 0)
    units = []
    for kind, activation, bias, _ in file.nodes:
        role = ROLES[kind]
        units.append(Unit(f"{role}.{counts[role]}", role, activation, bias))
        counts[role] += 1
    net = assemble(cls, units, file.connections())
    for layer in counts:
        members = [net.nodes[u.name] for u in units if u.role == layer]
        if members:
            net.layers[layer] = Layer(net, layer, members)
    for unit, (kind, *_) in zip(units, file.nodes, strict=True):
        if kind == "constant":
            for one in (net.nodes[unit.name], *net.incoming(unit.name)):
                one.trainable = False
    warn_lost(file.lost(counts), stacklevel=5)
    return net


class _File:
    """What a file says, checked: nothing of it is a network yet.

    Attributes
    ----------
    nodes : list of (type, activation, bias, mask)
    """

    def __init__(self, found: Any):
        self.file = Object(found, "the file")
        self.unknown = [key for key in self.file.found if key not in KEYS[""]]
        self.gated_by_inputs: list[str] = []
        self.nodes = [self._node(i, item) for i, item in enumerate(self.file.get("nodes", list))]
        n_in = sum(kind == "input" for kind, *_ in self.nodes)
        for i, (kind, *_) in enumerate(self.nodes):
            if kind == "input" and i >= n_in:
                raise FormatError(
                    f"nodes[{i}] is an input, but nodes[{n_in - 1}] before it is none; Neataptic"
                    " feeds the first nodes"
                )

    def _item(self, found: Any, kind: str, i: int) -> Object:
        item = Object(found, f"{kind}[{i}]")
        self.unknown += [f"{item.where}.{key}" for key in item.found if key not in KEYS[kind]]
        return item

    def _node(self, i: int, found: Any) -> tuple[str, str, float, float]:
        item = self._item(found, "nodes", i)
        kind, squash = item.get("type", str), item.get("squash", str)
        if kind not in ROLES:
            raise FormatError(f"{item.where}.type must be one of {among(ROLES)}; got {shown(kind)}")
        if squash not in ACTIVATION:
            hint = suggest(squash, ACTIVATION) if len(squash) < 50 else ""
            raise FormatError(
                f"{item.where}.squash must be one of {among(ACTIVATION)}; got {shown(squash)}."
                f"{hint} A function of one's own has no name there: write one of these, and set"
                " neuron.activation afterwards"
            )
        mask = _number(item, "mask") if "mask" in item.found and kind != "input" else 1.0
        if mask != 1 and kind == "output":
            raise FormatError(f"{item.where}.mask is {mask}: an output is not multiplied here")
        return kind, ACTIVATION[squash], _number(item, "bias"), mask

    def connections(self) -> list[Connection]:
        """Return the connections, with the masks in their weights."""
        made, most = [], len(self.nodes) - 1
        first: dict[tuple[int, int], int] = {}
        for i, found in enumerate(self.file.get("connections", list)):
            item = self._item(found, "connections", i)
            source, target = (natural_in(item.get(end, int), f"{item.where}.{end}", most)
                              for end in ("from", "to"))  # fmt: skip
            n = first.setdefault((source, target), i)
            if n != i:
                raise FormatError(
                    f"{item.where} leads from {source} to {target} as connections[{n}] does; an"
                    " ordered pair of neurons holds one synapse, and Neataptic refuses it too"
                )
            gater = item.found.get("gater")
            k = NO_NEURON if gater is None else natural_in(gater, f"{item.where}.gater", most)
            weight = _number(item, "weight")
            if source != target:
                weight *= self.nodes[source][3]
            if k != NO_NEURON and self.nodes[k][0] == "input":
                self.gated_by_inputs.append(item.where)
                k = NO_NEURON
            elif k != NO_NEURON and self.nodes[k][3] != 1:
                if k >= target:
                    raise FormatError(
                        f"nodes[{k}].mask is {self.nodes[k][3]}, and it gates {item.where} one step"
                        " later, with a gain that starts at 1 and not at the mask: no weight can"
                        " do that"
                    )
                weight *= self.nodes[k][3]
            if not math.isfinite(weight):
                raise FormatError(f"{item.where}.weight and the masks make {weight}")
            made.append(Connection(source, target, weight, k))
        return made

    def lost(self, counts: dict[str, int]) -> dict[str, list[str]]:
        """Return what is to be told."""
        told = self.file.found
        masked = [f"nodes[{i}] has {mask}" for i, (*_, mask) in enumerate(self.nodes) if mask != 1]
        sizes = [
            f"{key} is {shown(told[key])}, there are {counts[key]}"
            for key in ("input", "output")
            if key in told and told[key] != counts[key]
        ]
        return {
            "Neataptic leaves the gains of what an input gates at 1, so these gates are left out":
                self.gated_by_inputs,
            "masks are multiplied into the weights of what comes after": masked,
            "dropout is not read; it is fit's, see neuron.dropout":
                [shown(told["dropout"])] if told.get("dropout") else [],
            "sizes are not those of the nodes, which are believed": sizes,
            "keys that Neataptic does not write are not read": sorted(self.unknown),
        }  # fmt: skip


def _number(item: Object, key: str) -> float:
    value = item.found.get(key)
    try:
        found = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        hint = " (JavaScript writes NaN as null)" if key in item.found and value is None else ""
        what = f"must be a finite number, got {shown(value)}{hint}"
        raise FormatError(f"{item.where}.{key} {what}")
    return found
