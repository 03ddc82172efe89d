"""Files of our own: what a file says, checked before anything is built.

A digest says that a file is as it was written, not who wrote it. So every number that could lead
a kernel astray is looked at, and nothing is executed.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.elements import HIDDEN, NO_GATER, READS_STATE, ROLES, Synapse
from neurograph.engines import ENGINES
from neurograph.errors import FormatError, NeurographWarning, ParameterError, suggest
from neurograph.functions import ACTIVATIONS
from neurograph.graph import NeuronGraph
from neurograph.io.files import Object, is_text, natural_in, shown
from neurograph.io.generators import restored
from neurograph.io.native import ALWAYS, KINDS, OPTIONS, RULES
from neurograph.io.plain import Reader, require_distinct
from neurograph.learning.online import Online
from neurograph.learning.rules import get_rule
from neurograph.network import Network
from neurograph.schedule import Plan, plan
from neurograph.table import FLOAT, SLOT, Column

__all__ = ["Checked", "quiet_plan", "read_rule"]

AXES = ("neuron", "synapse", "parameter", "extended")


@dataclass
class Group:
    """Neurons, or synapses, that have the same attributes of the user's."""

    kind: str
    keys: list
    of: list[int]
    values: list


class Checked:
    """What a file says, all of it checked, but for what needs a plan."""

    def __init__(self, structure: Object, tensors: dict[str, np.ndarray], cls: type[Network]):
        self.tensors, self.told = dict(tensors), structure
        self.dtype = np.dtype(self._one_of(structure, "dtype", ("float64", "float32")))
        self.sizes = {"neuron": structure.natural("neurons"),
                      "synapse": structure.natural("synapses")}  # fmt: skip
        arrays = {key.removeprefix("array."): self.tensors.pop(key)
                  for key in tensors if key.startswith("array.")}  # fmt: skip
        for code, array in arrays.items():
            if array.ndim != 1:
                raise FormatError(f"tensor 'array.{code}' must have one dimension")
        self.arrays = arrays
        self.reader = Reader(arrays, self.sizes)
        row_types = {"neuron": cls.node_attr_dict_factory, "synapse": cls.edge_attr_dict_factory}
        self.keyed = {kind: row_type.keyed.keys() for kind, row_type in row_types.items()}
        self.columns = {kind: self._columns(kind, cls) for kind in KINDS}
        self.names, self.absent, self.waiting = self._names()
        self.activations = self._activations()
        self._check_neurons()
        self._check_synapses()
        self.next_port = structure.naturals("next_port")
        if len(self.next_port) != len(ROLES):
            raise FormatError("network.next_port must have a number for each role")
        optimizer = structure.object("optimizer")
        self.optimizer = optimizer.get("name", str), optimizer.natural("updates", 2**62)
        self.engine = self._one_of(structure, "engine", ("auto", *ENGINES))
        self.read_plain(self.reader)
        self.layers = self._ragged("layer", "neuron", len(self.layer_names))
        self.ties = self._ragged("tie", "synapse", len(self.tie_labels))
        self._check_ties()
        self.online = self._online()
        for name in self.tensors:
            raise FormatError(f"there is no place for a tensor {name!r}")

    def read_plain(self, reader: Reader) -> None:
        """Read everything that is in tags, in the order in which it was written."""
        told = self.told
        seed = reader.value(told.found.get("seed"), "network.seed")
        if seed is not None and (type(seed) is not int or seed < 0):
            raise FormatError(f"network.seed must be 0 or more, got {shown(seed)}")
        self.seed, self.rng = seed, restored(told.get("generator", dict, type(None)), reader)
        self.layer_names = []
        for pair in told.get("layers", list):
            made = reader.value(pair, "network.layers")
            if not isinstance(made, list) or len(made) != 2:
                raise FormatError("network.layers must hold pairs of a key and a name")
            self.layer_names.append(tuple(made))
        require_distinct([key for key, _ in self.layer_names], "network.layers")
        self.tie_labels = reader.value(told.get("ties", list), "network.ties")
        require_distinct(self.tie_labels, "network.ties")
        if None in self.tie_labels:
            raise FormatError("network.ties: None cannot be the label of a tie")
        self.graph = reader.value(told.found.get("graph"), "network.graph")
        if not isinstance(self.graph, dict):
            raise FormatError("network.graph must be a dict")
        self.groups = [group for kind in KINDS for group in self._attributes(kind, reader)]
        reader.require_end()

    @staticmethod
    def _one_of(told: Object, key: str, options: tuple[str, ...]) -> str:
        value = told.get(key, str)
        if value not in options:
            raise FormatError(f"{told.where}.{key} is {value!r:.50}, none of {', '.join(options)}")
        return value

    # -- columns

    def _columns(self, kind: str, cls: type[Network]) -> dict[str, np.ndarray]:
        row_type = {"neuron": cls.node_attr_dict_factory, "synapse": cls.edge_attr_dict_factory}
        schema, found = row_type[kind].columns, {}
        for key in [k for k in self.tensors if k.startswith(f"{kind}.")]:
            name, array = key.removeprefix(f"{kind}."), self.tensors.pop(key)
            column = Column(0.0) if name.startswith(SLOT) else schema.get(name)
            if column is None or column.dtype is None:
                raise FormatError(
                    f"a {kind} of {cls.__name__} has no {name!r}; is this a network of a subclass?"
                    " Then load it with create_using= that class"
                )
            dtype = self.dtype if column.dtype is FLOAT else np.dtype(column.dtype)
            if array.shape != (self.sizes[kind],) or array.dtype != dtype.newbyteorder("<"):
                raise FormatError(
                    f"tensor {key!r} must be {self.sizes[kind]} of {dtype}, got"
                    f" {array.dtype} of shape {array.shape}"
                )
            found[name] = array.astype(dtype, copy=False)
            self._check_values(kind, name, column, found[name])
        for name in ALWAYS[kind]:
            if name not in found:
                raise FormatError(f"there is no tensor '{kind}.{name}'")
        return found

    def _check_values(self, kind: str, name: str, column: Column, array: np.ndarray) -> None:
        """Raise unless each is a value that this column can have."""
        if name in ("weight", "bias"):
            self._require(np.isfinite(array), kind, name, array, "not a finite number")
        elif column.key and column.encode and name not in ("activation", "port", "gater"):
            for value in np.unique(array).tolist():
                try:
                    seen = value if column.decode is None else column.decode(None, value)
                    fits = column.encode(name, seen) == value
                except (ParameterError, LookupError):
                    fits = False
                if not fits:
                    fine = array != value if value == value else array == array
                    self._require(fine, kind, name, array, "no such value")

    def _require(
        self, fine: np.ndarray, kind: str, name: str, array: np.ndarray, problem: str
    ) -> None:
        """Raise at the first that is not fine."""
        if not fine.all():
            n = int(np.argmin(fine))
            raise FormatError(
                f"tensor '{kind}.{name}' has {array[n].item()!r:.50} at {n}: {problem}"
            )

    def _column(self, kind: str, name: str, default: Any) -> np.ndarray:
        return self.columns[kind].get(name, np.full(self.sizes[kind], default))

    # -- neurons

    def _names(self) -> tuple[list[Hashable], list[Hashable], list[int]]:
        n, told = self.sizes["neuron"], self.told
        reader = Reader({}, dict.fromkeys(self.sizes, 0))  # for names hold no handles, no arrays
        given = told.get("names", list, type(None))
        if given is not None and len(given) != n:
            raise FormatError(f"there must be {n} names, got {len(given)}")
        if given is None:
            names: list[Hashable] = list(range(n))
        else:
            names = [reader.name(name, f"network.names[{i}]") for i, name in enumerate(given)]
            require_distinct(names, "network.names")
        absent = [
            reader.name(name, f"network.absent[{i}]")
            for i, name in enumerate(told.get("absent", list))
        ]
        waiting = told.naturals("waiting", len(absent) - 1)
        require_distinct(waiting, "network.waiting")
        require_distinct([absent[i] for i in waiting], "network.waiting")
        there = set(names) & {absent[i] for i in waiting}
        if there:
            raise FormatError(f"network.waiting: {shown(there.pop())} is there already")
        return names, absent, waiting

    def _activations(self) -> list[str]:
        names = self.told.get("activations", list)
        if not names or names[0] != "logistic" or len(names) > np.iinfo(np.int16).max:
            raise FormatError("network.activations must be names, 'logistic' first")
        if not all(map(is_text, names)):
            raise FormatError("network.activations must be names")
        require_distinct(names, "network.activations")
        return names

    def _check_neurons(self) -> None:
        code = self.columns["neuron"]["activation"]
        fine = (code >= 0) & (code < len(self.activations))
        self._require(fine, "neuron", "activation", code, "there is no such activation")
        for used in np.unique(code).tolist():
            name = self.activations[used]
            if name not in ACTIVATIONS:
                who = self.names[int(np.argmax(code == used))]
                raise FormatError(
                    f"neuron {who!r:.80} has activation {name!r:.80}, which is not registered here."
                    f"{suggest(name, ACTIVATIONS)} Register it with @neurograph.activation(...)"
                    " before you load"
                )
        role, port = self._column("neuron", "role", HIDDEN), self._column("neuron", "port", -1)
        fine = np.where(role == HIDDEN, port == -1, port >= 0)
        self._require(fine, "neuron", "port", port, "inputs and outputs have a port from 0 on")

    # -- synapses

    def _check_synapses(self) -> None:
        n, columns = self.sizes["neuron"], self.columns["synapse"]
        source, target = columns["source"], columns["target"]
        for name, array in (("source", source), ("target", target)):
            fine = (array >= 0) & (array < n)
            self._require(fine, "synapse", name, array, f"there are {n} neurons")
        pairs = source.astype(np.int64) * n + target
        order = np.argsort(pairs, kind="stable")
        twice = np.flatnonzero(np.diff(pairs[order]) == 0)
        if len(twice):
            e, f = order[twice[0]], order[twice[0] + 1]
            raise FormatError(f"synapses {e} and {f} lead from {source[e]} to {target[e]} both")
        loop, delay = source == target, self._column("synapse", "delay", 0)
        state = self._column("synapse", "reads", 1 - READS_STATE) == READS_STATE
        self._require(
            loop | ~state, "synapse", "reads", state, "only a self-synapse reads the state"
        )
        fine = ~loop | np.where(state, delay == 1, delay > 0)
        self._require(fine, "synapse", "delay", delay, "not a delay that a self-synapse can have")
        gater = self._column("synapse", "gater", NO_GATER)
        fine = (gater >= NO_GATER) & (gater < n + len(self.absent))
        self._require(fine, "synapse", "gater", gater, "there is no such gater")

    def _check_ties(self) -> None:
        """Raise unless groups are disjoint, and agree in what they share."""
        indptr, member = self.ties
        if len(np.unique(member)) < len(member):
            raise FormatError("tensor 'tie.member' names a synapse twice")
        if (np.diff(indptr) == 0).any():
            raise FormatError("tensor 'tie.indptr' has a tie without synapses")
        if not len(member):
            return
        leader = np.repeat(member[indptr[:-1]], np.diff(indptr))
        for name, array in self.columns["synapse"].items():
            column = Synapse.columns.get(name)
            if column is not None and column.shared:
                alike = array[member] == array[leader]
                if not alike.all():
                    e = int(member[np.argmin(alike)])
                    raise FormatError(
                        f"synapse {e} is tied, but its {name} is {array[e]}, not that of its group"
                    )

    def _ragged(self, name: str, kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return groups of neurons, or synapses, as (n + 1,) beginnings and members."""
        indptr, member = (
            self.tensors.pop(f"{name}.{part}", np.zeros(first, dtype))
            for part, first, dtype in (("indptr", int(n == 0), "<i8"), ("member", 0, "<i4"))
        )
        if indptr.dtype != "<i8" or member.dtype != "<i4" or member.ndim != 1:
            raise FormatError(f"tensors of {name}s must be numbers of {kind}s")
        fine = indptr.shape == (n + 1,) and indptr[0] == 0 and indptr[-1] == len(member)
        if not fine or (indptr[1:] < indptr[:-1]).any():
            raise FormatError(f"tensor '{name}.indptr' must say where each of {n} begins")
        if ((member < 0) | (member >= self.sizes[kind])).any():
            raise FormatError(f"tensor '{name}.member' names a {kind} that is not there")
        return indptr, member

    # -- the user's attributes

    def _attributes(self, kind: str, reader: Reader) -> Iterator[Group]:
        seen: list[int] = []
        for i, found in enumerate(self.told.object("attributes").get(kind, list)):
            where = f"network.attributes.{kind}[{i}]"
            told = Object(found, where)
            keys = reader.value(told.get("keys", list), where)
            require_distinct(keys, where)
            for key in set(keys) & self.keyed[kind]:
                raise FormatError(f"{where}: {key!r} is a parameter, not an attribute")
            of = told.naturals("of", self.sizes[kind] - 1)
            values = told.get("values", list)
            if len(values) != len(keys) or not keys or not of:
                raise FormatError(f"{where} must have values for each of its keys")
            if not all(isinstance(v, list) and len(v) == len(of) for v in values):
                raise FormatError(f"{where} must have a value for each of {len(of)}")
            made = [[reader.value(v, where) for v in column] for column in values]
            seen += of
            yield Group(kind, keys, of, made)
        require_distinct(seen, f"network.attributes.{kind}")

    # -- online learning

    def _online(self) -> Online:
        told = self.told.object("online")
        rule = told.get("rule", str, dict)
        online = Online(read_rule(rule, "network.online.rule"))
        clock = told.naturals("clock", 2**62)
        if len(clock) != 2 or clock[1] > clock[0]:
            raise FormatError("network.online.clock must be steps since rest, and since traces")
        online.clock[:] = clock
        online.visits = told.natural("visits", 2**62)
        online.version = 0 if told.get("current", bool) else -1
        online.keys = {axis: self.tensors.pop(f"axis.{axis}") for axis in AXES
                       if f"axis.{axis}" in self.tensors}  # fmt: skip
        online.fields = {
            name.removeprefix("online."): self.tensors.pop(name).astype(self.dtype)
            for name in [k for k in self.tensors if k.startswith("online.")]
            if self.tensors[name].dtype == self.dtype.newbyteorder("<")
        }
        self._check_axes(online)
        return online

    def _check_axes(self, online: Online) -> None:
        """Raise unless what is kept fits those of whom it is kept."""
        fields = get_rule(online.rule).fields(quiet_plan(NeuronGraph()))
        if online.fields.keys() != (fields.keys() if online.keys else set()):
            raise FormatError("tensors 'online.…' must be what the rule keeps")
        if online.clock[0] and not online.keys:
            raise FormatError("network.online has done steps, but keeps nothing of them")
        if online.keys and online.keys.keys() != set(AXES):
            raise FormatError("tensors 'axis.…' must be all four, or none")
        n, e = self.sizes["neuron"] + len(self.absent), self.sizes["synapse"]
        e += sum(len(keys) for keys in online.keys.values())  # those that are there no more
        for axis, keys in online.keys.items():
            fine = keys.dtype == "<i8" and keys.shape[1:] == ((3,) if axis == "extended" else ())
            if not fine or keys.ndim == 0:
                raise FormatError(f"tensor 'axis.{axis}' has a wrong dtype or shape")
            numbers = {"neuron": [(keys, 0, n)], "synapse": [(keys, 0, e)],
                       "parameter": [(keys, -n, e)]}.get(axis) or [
                           (keys[:, :2], 0, n), (keys[:, 2], -n, e)]  # fmt: skip
            if any(((k < low) | (k >= high)).any() for k, low, high in numbers):
                raise FormatError(f"tensor 'axis.{axis}' names somebody who is not there")
            if len(np.unique(keys, axis=0)) < len(keys):
                raise FormatError(f"tensor 'axis.{axis}' names somebody twice")
            online.keys[axis] = keys.astype(np.int64)
        for name, array in online.fields.items():
            axes = fields[name].axes
            fits = array.ndim == len(axes) and all(
                size > 0 if isinstance(axis, int) else size == len(online.keys[axis])
                for axis, size in zip(axes, array.shape, strict=True)
            )
            if not fits:
                raise FormatError(f"tensor 'online.{name}' has shape {array.shape}, which is wrong")


def read_rule(told: Any, where: str) -> Any:
    """Return a rule, by name or with options."""
    name = told if isinstance(told, str) else Object(told, where).get("name", str)
    if name not in RULES:
        raise FormatError(f"{where} is {name!r:.50}, none of {', '.join(RULES)}")
    if isinstance(told, str):
        return told
    cls = RULES[name]
    options = {k: v for k, v in told.items() if k != "name"}
    if options.keys() != set(OPTIONS.get(cls, ())):
        raise FormatError(f"{where}: {name!r} has other options")
    try:
        return cls(**{k: natural_in(v, where, 2**62) for k, v in options.items()})
    except ParameterError as error:
        raise FormatError(f"{where}: {error}") from None


def quiet_plan(graph: NeuronGraph) -> Plan:
    """Return the plan of a network without warnings: they come when it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeurographWarning)
        return plan(graph)
