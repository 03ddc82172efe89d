"""Networks of the JavaScript library Synaptic, as its `Network.toJSON()` writes them.

A file holds neurons, in layers that are activated one after the other, and connections
between them by number. It knows no delays: what runs back in the order of activation reads
the step before, and so does a gate that runs back. Here that is a delay of 1.

What Synaptic 1.1.4 does with such a file (`Network.fromJSON`): states, old states, outputs and
biases go on as they were; traces and errors start at 0, gains at 1, and every self-connection
has the weight 1, whatever the file says. Source: its `src/Network.js` and `src/Neuron.js`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from neurograph.conversion import from_arrays
from neurograph.elements import Synapse
from neurograph.errors import FormatError, suggest
from neurograph.io.files import among, read_json, require_class, shown, warn_lost
from neurograph.layers import Layer
from neurograph.network import Network

__all__ = ["NO_NEURON", "SQUASH", "Connection", "Unit", "assemble", "read_synaptic"]

SQUASH = {
    "LOGISTIC": "logistic",
    "TANH": "tanh",
    "IDENTITY": "identity",
    "HLIM": "step",
    "RELU": "relu",
}
MOST_DIGITS = 10  # of a number that is written as a string
NO_NEURON = -1


class Unit(NamedTuple):
    """A neuron of a description."""

    name: Hashable
    role: str
    activation: str
    bias: float


class Connection(NamedTuple):
    """A connection of a description; neurons by their place in the order of activation."""

    source: int
    target: int
    weight: float
    gater: int = NO_NEURON


# ---------------------------------------------------------------- reading


def read_synaptic(
    source: str | os.PathLike | Mapping, *, create_using: type[Network] = Network
) -> Network:
    """Make a network of what `Network.toJSON()` of Synaptic has written.

    Neurons get their squash function, bias and layer; inputs are called "input.0" …, hidden
    ones "hidden.0" … ("hidden1.0" … if there are several hidden layers) and outputs
    "output.0" …, and `net.layers` has the layers. What runs back in the order of activation
    gets delay 1, and so does a gate that runs back. Self-connections read the state.

    The rule of the network is "synaptic", so that `activate` and `propagate` go on as the
    JavaScript network does after its own `fromJSON`, in its unoptimised mode: from the states
    and outputs of the file, with traces at 0 and gains at 1. `net.reset_state()` goes back to rest,
    and lets another rule be set. In one thing the file is believed and not `fromJSON`: a
    self-connection keeps the weight that it has there (`fromJSON` sets 1).

    Parameters
    ----------
    source : path or mapping
        A file, or what `json.load` made of it. Numbers of neurons and layers may be strings,
        as older releases of Synaptic write them.
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
        not hold: two connections for an ordered pair of neurons, a squash function of one's own.

    Warns
    -----
    NeurographWarning
        An input gates something, which Synaptic ignores but `forward` does not; keys that are
        not of the format; traces, which Synaptic ignores as well: their keys mean nothing outside
        of the process that wrote them.

    Examples
    --------
    >>> import neurograph as ng
    >>> unit = {"bias": 0.5, "squash": "IDENTITY"}
    >>> net = ng.io.read_synaptic({
    ...     "neurons": [{**unit, "layer": "input"}, {**unit, "layer": "output"}],
    ...     "connections": [{"from": 0, "to": 1, "weight": 2}, {"from": 1, "to": 1, "weight": 1}],
    ... })
    >>> net.activate([1]), net.activate([1])
    (array([2.5]), array([5.]))
    >>> net.rule, net.edges["output.0", "output.0"].reads
    ('synaptic', 'state')
    """
    require_class(create_using)
    return read_json(source, partial(_read, cls=create_using))


def _read(found: Any, cls: type[Network]) -> Network:
    file = _File(found)
    connections = file.connections()
    order, groups = file.order()
    place = np.empty(len(order) + 1, int)
    place[order], place[NO_NEURON] = np.arange(len(order)), NO_NEURON
    names = [f"{layer}.{i}" for layer, _, size in groups for i in range(size)]
    roles = [role for _, role, size in groups for _ in range(size)]
    neurons = [file.neurons[n] for n in order]
    net = assemble(
        cls,
        [Unit(*u) for u in zip(names, roles, *_columns(neurons, "squash", "bias"), strict=True)],
        [
            Connection(int(place[i]), int(place[j]), weight, int(place[k]))
            for i, j, weight, k in connections
        ],
    )
    first = 0
    for layer, _, size in groups:
        members = [net.nodes[n] for n in names[first : first + size]]
        net.layers[layer], first = Layer(net, layer, members), first + size
    net.rule = "synaptic"
    standing = np.array(_columns(neurons, "old", "state", "activation"), float).reshape(3, -1)
    if standing.any():
        net._online.resume(net, standing)
    warn_lost(
        {
            "Synaptic leaves the gains of what an input gates at 1, and so does rule 'synaptic';"
            " forward, run and fit do not. An input gates": _gated_by_inputs(net),
            "keys that Synaptic does not write are not read": sorted(file.unknown),
            "traces are not read, as in Synaptic; they start at 0. There are some in": file.traced,
        },
        stacklevel=5,
    )
    return net


def _columns(neurons: list[dict], *keys: str) -> list[list]:
    return [[neuron[key] for neuron in neurons] for key in keys]


def _gated_by_inputs(net: Network) -> list[Synapse]:
    return [s for name in net.inputs for s in net.gated_by(name)]


def assemble(
    cls: type[Network], neurons: Sequence[Unit], connections: Sequence[Connection]
) -> Network:
    """Make a network of neurons in the order of their activation, as Synaptic means it.

    What runs back in that order, from a neuron to itself or to an earlier one, reads the step
    before: a delay of 1. So does a gater that is activated together with its target or later.
    """
    ends = np.array([(c.source, c.target) for c in connections], int).reshape(-1, 2).T
    names = [neuron.name for neuron in neurons]
    net = from_arrays(
        cls,
        ends[0],
        ends[1],
        np.array([c.weight for c in connections], float),
        n_neurons=len(neurons),
        inputs=[n for n, neuron in enumerate(neurons) if neuron.role == "input"],
        outputs=[n for n, neuron in enumerate(neurons) if neuron.role == "output"],
        activation=[neuron.activation for neuron in neurons],
        bias=np.array([neuron.bias for neuron in neurons], float),
        delay=(ends[0] >= ends[1]).astype(int),
        names=names,
        self_loops="state",
        seed=None,
    )
    for i, j, _, k in connections:
        if k != NO_NEURON:
            net.gate(names[k], net.edges[names[i], names[j]], delay=int(k >= j))
    return net


class _File:
    """What a file says, checked: nothing of it is a network yet.

    Attributes
    ----------
    neurons : list of dict
        In the order of the file.
    unknown : set of str
        Keys that are not of the format.
    traced : list of str
        Neurons that have traces.
    """

    def __init__(self, found: Any):
        self.unknown: set[str] = set()
        self.traced: list[str] = []
        self.found = self._object(found, "", ("neurons", "connections"))
        self.neurons = [
            self._neuron(item, f"neurons[{n}]") for n, item in enumerate(self._list("neurons"))
        ]

    def order(self) -> tuple[list[int], list[tuple[str, str, int]]]:
        """Return the neurons in the order of activation, and the layers: name, role, size."""
        hidden = sorted({n["layer"] for n in self.neurons} - {"input", "output"})
        named = {
            "input": ("input", "input"),
            **{h: (f"hidden{k}", "hidden") for k, h in enumerate(hidden, 1)},
            "output": ("output", "output"),
        }
        if len(hidden) == 1:
            named[hidden[0]] = ("hidden", "hidden")
        members: dict[Any, list[int]] = {layer: [] for layer in named}
        for n, neuron in enumerate(self.neurons):
            members[neuron["layer"]].append(n)
        groups = [(*named[layer], len(ns)) for layer, ns in members.items() if ns]
        return [n for ns in members.values() for n in ns], groups

    def connections(self) -> list[Connection]:
        """Return the connections; neurons by their place in the file."""
        made: list[Connection] = []
        first: dict[tuple, int] = {}
        number_of = _neuron_number(len(self.neurons))

        def gater(value: Any) -> int:
            return NO_NEURON if value is None else number_of(value)

        for n, found in enumerate(self._list("connections")):
            where = f"connections[{n}]"
            item = self._object(found, where, ("from", "to", "weight", "gater"))
            ends = (
                _field(item, where, "from", number_of),
                _field(item, where, "to", number_of),
            )
            if ends in first:
                raise FormatError(
                    f"{where} leads from {ends[0]} to {ends[1]} as connections[{first[ends]}] does;"
                    " an ordered pair of neurons holds one synapse, and a synapse one gater"
                )
            first[ends] = n
            weight = _field(item, where, "weight", _number)
            made.append(Connection(*ends, weight, _field(item, where, "gater", gater, NO_NEURON)))
        return made

    def _neuron(self, found: Any, where: str) -> dict:
        keys = ("bias", "squash", "layer", "state", "old", "activation", "trace")
        item = self._object(found, where, keys)
        made = {
            "bias": _field(item, where, "bias", _number),
            "squash": _field(item, where, "squash", _squash),
            "layer": _field(item, where, "layer", _layer),
        }
        for key in ("state", "old", "activation"):
            made[key] = _field(item, where, key, _number, 0.0)
        trace = self._object(item.get("trace", {}), f"{where}.trace", ("elegibility", "extended"))
        if any(_field(trace, f"{where}.trace", key, _mapping, {}) for key in trace):
            self.traced.append(where)
        return made

    def _object(self, found: Any, where: str, keys: tuple[str, ...]) -> Mapping:
        if not isinstance(found, Mapping):
            where = where or "a file of Synaptic"
            raise FormatError(f"{where} must be an object with {among(keys)}, got {shown(found)}")
        self.unknown.update(f"{where}.{k}".lstrip(".") for k in found if k not in keys)
        return found

    def _list(self, key: str) -> Sequence:
        found = self.found.get(key)
        if not isinstance(found, (list, tuple)):
            what = f"got {shown(found)}" if key in self.found else "but there is none"
            raise FormatError(f"{key} must be a list, {what}")
        return found


def _field(item: Mapping, where: str, key: str, check: Callable, *default: Any) -> Any:
    """Return what `check` makes of the value of a key; it says what is wrong, we say where."""
    if key not in item:
        if default:
            return default[0]
        raise FormatError(f"{where} has no {key!r}")
    try:
        return check(item[key])
    except FormatError as error:
        raise FormatError(f"{where}.{key} {error}") from None


def _mapping(value: Any) -> Mapping:
    if not isinstance(value, Mapping):
        raise FormatError(f"must be an object, got {shown(value)}")
    return value


def _number(value: Any) -> float:
    try:
        found = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        found = math.inf
    if isinstance(value, bool) or not math.isfinite(found):
        hint = " (JavaScript writes NaN as null)" if value is None else ""
        raise FormatError(f"must be a finite number, got {shown(value)}{hint}")
    return found


def _whole(value: Any) -> int | None:
    """Return a whole number of 0 or more, also from "12", or None."""
    if isinstance(value, str):
        plain = value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
        return int(value) if plain and str(int(value)) == value else None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    whole = 0 <= value < 10**MOST_DIGITS and value == value // 1
    return int(value) if whole else None


def _neuron_number(n: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        found = _whole(value)
        if found is None or found >= n:
            raise FormatError(f"must be a number of a neuron, 0 to {n - 1}, got {shown(value)}")
        return found

    return check


def _layer(value: Any) -> str | int:
    if isinstance(value, str) and value in ("input", "output"):
        return value
    found = _whole(value)
    if found is None:
        raise FormatError(
            f"must be 'input', 'output' or the number of a hidden layer, got {shown(value)}"
        )
    return found


def _squash(value: Any) -> str:
    if value is None:
        raise FormatError(
            f"is null: a function of one's own, which a file cannot hold; write one of"
            f" {among(SQUASH)}, and set neuron.activation afterwards"
        )
    if not isinstance(value, str) or value not in SQUASH:
        hint = suggest(value, SQUASH) if isinstance(value, str) and len(value) < 50 else ""
        raise FormatError(f"must be one of {among(SQUASH)}; got {shown(value)}.{hint}")
    return SQUASH[value]
