"""Probes: what some synapses and neurons do over runs and training, written down as it happens.

A network knows its probes. Whoever runs or trains it tells them of every *moment*, see `telling`.
Nothing that is computed depends on a probe.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError, counted, suggest
from neurograph.inspection.handles import own_neurons, own_synapses
from neurograph.inspection.records import Records
from neurograph.inspection.watch import Condition
from neurograph.values import natural
from neurograph.viz.plots import plot_probe

__all__ = ["EVENTS", "Group", "Hit", "Moment", "Probe", "begin", "probe", "probes_of", "stopped"]

OF_SYNAPSES = ("weight", "grad")
OF_NEURONS = ("bias", "grad", "output", "state", "delta")
EVENTS = ("update", "run", "activate", "backward")
RECORDS, NUMBERS = 10_000, 2**23  # that a probe keeps unless told otherwise, at most


@dataclass(frozen=True)
class Moment:
    """One record, as a `when` function sees it: `moment["weight"]`, `moment[synapse]`.

    Attributes
    ----------
    number : int
        How many moments there were since the probe was placed, this one included.
    event : {"update", "run", "activate", "backward"}
    """

    number: int
    event: str
    _probe: Probe
    _row: np.ndarray

    def __getitem__(self, key: Any) -> Any:
        """Return the numbers of one kind, an array; or those of a synapse or neuron, a dict."""
        if isinstance(key, str) and key in self._probe.what:
            return self._row[self._probe._of_kind(key)]
        places = self._probe._of_handle(key)
        return {self._probe.columns[k][0]: float(self._row[k]) for k in places}


@dataclass(frozen=True)
class Hit:
    """A watchpoint that was met.

    Attributes
    ----------
    number, event
        Of the moment.
    what : str
        Kind of number; "" if a function of one's own was met.
    element : Synapse, Neuron or None
        Whose number.
    value : float
    """

    number: int
    event: str
    what: str
    element: Synapse | Neuron | None
    value: float

    def __repr__(self) -> str:
        whose = f"{self.what} of {self.element} is {self.value:.6g}" if self.what else "when is met"
        return f"<hit at moment {self.number} ({self.event}): {whose}>"


class Group(NamedTuple):
    """Neighbouring columns of a probe: one kind of number of some synapses, or of some neurons.

    kind : str; columns : slice; neurons : bool; ids : (n,) int array of the elements
    """

    kind: str
    columns: slice
    neurons: bool
    ids: np.ndarray


class Probe:
    """What `net.probe` returns; see there.

    Attributes
    ----------
    what : tuple of str
        Kinds of numbers that are written down.
    columns : list of (str, Synapse or Neuron)
        Kind and owner of each number of a record.
    every : int
        Moments between two records; doubles each time the probe is full and thinned.
    hits : list of Hit
        Watchpoints that were met.
    stopped : bool
        Whether one of them has ended the last training.
    """

    def __init__(
        self,
        graph: Any,
        synapses: Sequence[Synapse],
        neurons: Sequence[Neuron],
        what: tuple[str, ...],
        every: int,
        capacity: int | None,
        keep: str,
        when: Any,
        then: Any,
    ):
        self._graph, self.what = weakref.ref(graph), what
        self.columns: list[tuple[str, Any]] = []
        self.groups: list[Group] = []
        for kind in what:
            self._add(kind, synapses if kind in OF_SYNAPSES else (), False)
            self._add(kind, neurons if kind in OF_NEURONS else (), True)
        n = max(1, len(self.columns))
        most = max(1, min(RECORDS, NUMBERS // n)) if capacity is None else capacity
        self._records = Records(n, most, keep, every)
        self.when: list[Any] = [when] if callable(when) or isinstance(when, Condition) else [*when]
        self.then = then
        self._memory = [self._unknown(c) for c in self.when]
        self.hits: list[Hit] = []
        self.stopped = False

    # ------------------------------------------------------------ what was written down

    @property
    def every(self) -> int:
        """Moments between two records."""
        return self._records.every

    @property
    def moments(self) -> np.ndarray:
        """Number of the moment of each record, from 1."""
        return self._records.numbers()

    @property
    def events(self) -> np.ndarray:
        """What happened at each record: "update", "run", "activate" or "backward"."""
        return np.array(EVENTS)[self._records.events()]

    @property
    def removed(self) -> list[Synapse | Neuron]:
        """Elements that were removed from the network since; their numbers are NaN from then on."""
        found = {id(e): e for _, e in self.columns if e.detached}
        return list(found.values())

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: Any) -> Any:
        """Return (records, columns) of one kind, or a dict of (records,) of a synapse or neuron."""
        rows = self._records.rows()
        if isinstance(key, str) and key in self.what:
            return rows[:, self._of_kind(key)]
        return {self.columns[k][0]: rows[:, k] for k in self._of_handle(key)}

    def to_pandas(self) -> Any:
        """Return a DataFrame: a row for each record, columns (kind, text) (extra `pandas`).

        The text is the name of a neuron, or "source -> target".
        """
        try:
            import pandas
        except ImportError:
            raise ParameterError(
                "to_pandas needs pandas: pip install 'neurograph[pandas]'; or take probe['weight']"
            ) from None
        index = pandas.MultiIndex.from_arrays(
            [self.moments, self.events], names=["moment", "event"]
        )
        names = [
            (kind, f"{e.source} -> {e.target}" if isinstance(e, Synapse) else str(e.name))
            for kind, e in self.columns
        ]
        columns = pandas.MultiIndex.from_tuples(names, names=["what", "of"])
        return pandas.DataFrame(self._records.rows(), index, columns)

    def plot(self, what: str | None = None, ax: Any = None) -> Any:
        """Draw what was written down against the moments; return the axes (extra `matplotlib`).

        Parameters
        ----------
        what : str, optional
            Kind of number, one of `what`; the first unless given.
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given.
        """
        return plot_probe(self, what, ax)

    def __repr__(self) -> str:
        of = sorted({id(e): e for _, e in self.columns}.values(), key=str)
        gone = f", {len(self.removed)} of them removed" if self.removed else ""
        hits = f", {counted(len(self.hits), 'hit')}" if self.when else ""
        graph = self._graph()
        off = "" if graph is not None and self in probes_of(graph) else "removed "
        return (
            f"<{off}probe of {counted(len(of), 'element')}{gone}: {', '.join(self.what)};"
            f" {counted(len(self), 'record')}, every {self.every}{hits}>"
        )

    # ------------------------------------------------------------ placing and removing

    def remove(self) -> None:
        """Write down no more; what was written down stays. Other probes stay as they are."""
        graph = self._graph()
        if graph is not None:
            graph._probes = [one for one in probes_of(graph) if one is not self]
            graph._online.edits = -1  # who steps has to be chosen anew

    def clear(self) -> None:
        """Forget all records and hits; moments are counted from 0."""
        self._records.clear()
        self.hits, self.stopped = [], False
        self._memory = [self._unknown(c) for c in self.when]

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    # ------------------------------------------------------------ inside

    def _add(self, kind: str, elements: Sequence[Any], neurons: bool) -> None:
        if elements:
            first, ids = len(self.columns), np.array([e._id for e in elements])
            self.columns += [(kind, e) for e in elements]
            self.groups.append(Group(kind, slice(first, len(self.columns)), neurons, ids))

    def _of_kind(self, kind: str) -> slice:
        found = [g.columns for g in self.groups if g.kind == kind]  # side by side
        return slice(found[0].start, found[-1].stop)

    def _of_handle(self, key: Any) -> list[int]:
        if isinstance(key, (Synapse, Neuron)):
            found = [k for k, (_, e) in enumerate(self.columns) if e is key]
        else:
            found = [k for k, (_, e) in enumerate(self.columns) if _label(e) == key]
        if not found:
            raise ParameterError(
                f"this probe has no {key!r}; it has {', '.join(map(repr, self.what))}, and the"
                " synapses and neurons that it was placed on"
            )
        return found

    def _unknown(self, condition: Any) -> np.ndarray:
        watched = condition.what if isinstance(condition, Condition) else self.what[0]
        return np.full(len(self.columns[self._of_kind(watched)]), np.nan)

    @property
    def pace(self) -> int:
        """Moments between two rows that are asked for; a watchpoint sees those not kept as well."""
        return self._records.asked if self.when else self._records.every

    def judge(
        self, numbers: np.ndarray, events: np.ndarray, rows: np.ndarray
    ) -> tuple[int | None, list[Hit]]:
        """Return the first of some rows at which a watchpoint is met, or None; and what was met."""
        most = len(rows)
        found: list[tuple[int, Hit]] = []
        for condition, memory in zip(self.when, self._memory, strict=True):
            if isinstance(condition, Condition) and len(rows):
                watched = self._of_kind(condition.what)
                where = condition.met(rows[:, watched], memory)
                r = int(np.argmax(where.any(1)))
                for k in np.flatnonzero(where[r]).tolist():
                    kind, element = self.columns[watched.start + k]
                    value = float(rows[r, watched.start + k])
                    hit = Hit(int(numbers[r]), EVENTS[events[r]], kind, element, value)
                    found.append((r, hit))
                    most = min(most, r + 1)
        for condition in self.when:
            if isinstance(condition, Condition):
                continue
            for r, number in enumerate(numbers[:most].tolist()):
                event = EVENTS[events[r]]
                if condition(Moment(number, event, self, rows[r])):
                    found.append((r, Hit(number, event, "", None, np.nan)))
                    most = r + 1
                    break
        return (most - 1 if found else None), [hit for r, hit in found if r == most - 1]

    def take(
        self, numbers: np.ndarray, events: np.ndarray, rows: np.ndarray, met: Sequence[Hit] = ()
    ) -> None:
        """Keep rows; call back for what was met at the last of them."""
        self._records.append(numbers, events, rows)
        for n, (condition, memory) in enumerate(zip(self.when, self._memory, strict=True)):
            if isinstance(condition, Condition) and len(rows):
                seen = rows[:, self._of_kind(condition.what)]
                self._memory[n] = condition.remember(seen, memory)
        self.hits += met
        for hit in met:
            if self.then == "stop" or (callable(self.then) and self.then(hit) is True):
                self.stopped = True

    def give(self, numbers: np.ndarray, events: np.ndarray, rows: np.ndarray) -> None:
        """Take rows, up to and including each at which a watchpoint is met."""
        while len(rows):
            hit, met = self.judge(numbers, events, rows)
            n = len(rows) if hit is None else hit + 1
            self.take(numbers[:n], events[:n], rows[:n], met)
            numbers, events, rows = numbers[n:], events[n:], rows[n:]


def _label(element: Synapse | Neuron) -> Any:
    return (element.source, element.target) if isinstance(element, Synapse) else element.name


def probe(
    graph: Any,
    synapses: Any = None,
    neurons: Any = None,
    what: str | Iterable[str] | None = None,
    *,
    every: int = 1,
    capacity: int | None = None,
    keep: str = "spread",
    when: Any = (),
    then: str | Callable = "stop",
) -> Probe:
    """Place a probe; see `Network.probe`."""
    graph.require_own()
    of_synapses, of_neurons = own_synapses(graph, synapses), own_neurons(graph, neurons)
    if not (of_synapses or of_neurons):
        raise ParameterError("a probe needs synapses= or neurons= to look at")
    kinds = _kinds(what, bool(of_synapses), bool(of_neurons))
    natural("every", every, least=1)
    if capacity is not None and natural("capacity", capacity) < 2:
        raise ParameterError(f"capacity must be 2 records or more, got {capacity}")
    if keep not in ("spread", "last"):
        raise ParameterError(f"keep must be 'spread' or 'last', got {keep!r}")
    given = [when] if callable(when) or isinstance(when, Condition) else when
    if not isinstance(given, Iterable) or not all(
        callable(c) or isinstance(c, Condition) for c in given
    ):
        raise ParameterError(
            "when must be a condition, as neurograph.watch.explodes(1e3), or a function of one"
            f" moment, or a list of them; got {when!r}"
        )
    for condition in given:
        if isinstance(condition, Condition) and condition.what not in kinds:
            raise ParameterError(
                f"{condition} looks at {condition.what!r}, which this probe does not write down:"
                f" it has {', '.join(map(repr, kinds))}; say what="
            )
    if then != "stop" and not callable(then):
        raise ParameterError(f"then must be 'stop' or a function of one hit, got {then!r}")
    once: list[Any] = [
        list({id(e): e for e in elements}.values()) for elements in (of_synapses, of_neurons)
    ]
    made = Probe(graph, once[0], once[1], kinds, int(every), capacity, keep, when, then)
    graph._probes = [*probes_of(graph), made]
    graph._online.edits = -1  # who steps has to be chosen anew
    return made


def _kinds(what: Any, synapses: bool, neurons: bool) -> tuple[str, ...]:
    known = (*(OF_SYNAPSES if synapses else ()), *(OF_NEURONS if neurons else ()))
    if what is None:
        return tuple(k for k in ("weight", "grad", "output") if k in known)
    kinds = tuple(dict.fromkeys([what] if isinstance(what, str) else what))
    for kind in kinds:
        if kind not in known:
            of = "synapses" if not neurons else "neurons" if not synapses else "these"
            raise ParameterError(
                f"what must be of {', '.join(dict.fromkeys(known))} for {of}; got {kind!r}."
                f"{suggest(kind, known)}"
            )
    return kinds


# ---------------------------------------------------------------- of a network


def probes_of(graph: Any) -> list[Probe]:
    """Return the probes of a network."""
    return graph.__dict__.get("_probes") or []


def stopped(graph: Any) -> bool:
    """Whether a watchpoint wants the training to end."""
    return any(one.stopped for one in probes_of(graph))


def begin(graph: Any) -> None:
    """Let a training begin that nobody has stopped yet."""
    for one in probes_of(graph):
        one.stopped = False
