"""Probes: what some synapses and neurons do over runs and training, written down as it happens.

A network knows its probes. Whoever runs or trains it tells them of every *moment*: a kernel writes
down what they ask for (`Taps`), all others call `observe`. Nothing that is computed depends on a
probe.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines.base import TAPPED, Recording, Taps
from neurograph.errors import ParameterError, suggest
from neurograph.inspection.handles import own_neurons, own_synapses
from neurograph.inspection.records import Records
from neurograph.inspection.watch import Condition
from neurograph.schedule import Plan
from neurograph.values import natural
from neurograph.viz.plots import plot_probe

__all__ = ["Hit", "Moment", "Probe", "probe"]

OF_SYNAPSES = ("weight", "grad")
OF_NEURONS = ("bias", "grad", "output", "state", "delta")
EVENTS = ("update", "run", "activate", "backward")
AFTER_GRADIENT = ("update", "backward")  # moments at which gradients are known
BLOCK = 2**20  # numbers that a kernel writes down in one call, at most
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
        columns: list[tuple[str, Any]] = []
        for kind in what:
            columns += [(kind, s) for s in synapses if kind in OF_SYNAPSES]
            columns += [(kind, n) for n in neurons if kind in OF_NEURONS]
        self.columns = columns
        n = max(1, len(columns))
        most = max(1, min(RECORDS, NUMBERS // n)) if capacity is None else capacity
        self._records = Records(n, most, keep, every)
        self.when: list[Any] = [when] if callable(when) or isinstance(when, Condition) else [*when]
        self.then = then
        self._memory = [np.full(len(self._watched(c)), np.nan) for c in self.when]
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
        hits = f", {len(self.hits)} hits" if self.when else ""
        graph = self._graph()
        off = "" if graph is not None and self in probes_of(graph) else "removed "
        return (
            f"<{off}probe of {len(of)} elements{gone}: {', '.join(self.what)}; {len(self)} records,"
            f" every {self.every}{hits}>"
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
        for memory in self._memory:
            memory[:] = np.nan

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    # ------------------------------------------------------------ inside

    def _of_kind(self, kind: str) -> list[int]:
        return [k for k, (what, _) in enumerate(self.columns) if what == kind]

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

    def _watched(self, condition: Any) -> list[int]:
        return self._of_kind(condition.what) if isinstance(condition, Condition) else []

    @property
    def pace(self) -> int:
        """Moments between two rows that are asked for; a watchpoint sees those not kept as well."""
        return self._records.asked if self.when else self._records.every

    def judge(
        self, numbers: np.ndarray, event: str, rows: np.ndarray
    ) -> tuple[int | None, list[Hit]]:
        """Return the first of some rows at which a watchpoint is met, or None; and what was met."""
        most, hits = len(rows), []
        found: list[tuple[int, Hit]] = []
        for condition, memory in zip(self.when, self._memory, strict=True):
            if isinstance(condition, Condition) and len(rows):
                places = self._watched(condition)
                where = condition.met(rows[:, places], memory)
                r = int(np.argmax(where.any(1)))
                for k in np.flatnonzero(where[r]).tolist():
                    kind, element = self.columns[places[k]]
                    value = float(rows[r, places[k]])
                    found.append((r, Hit(int(numbers[r]), event, kind, element, value)))
                    most = min(most, r + 1)
        for condition in self.when:
            if isinstance(condition, Condition):
                continue
            for r, (number, row) in enumerate(zip(numbers[:most].tolist(), rows, strict=False)):
                if condition(Moment(number, event, self, row)):
                    found.append((r, Hit(number, event, "", None, np.nan)))
                    most = r + 1
                    break
        if found:
            hits = [hit for r, hit in found if r == most - 1]
        return (most - 1 if found else None), hits

    def take(
        self, numbers: np.ndarray, event: str, rows: np.ndarray, met: Sequence[Hit] = ()
    ) -> None:
        """Keep rows; call back for what was met at the last of them."""
        self._records.append(numbers, EVENTS.index(event), rows)
        for n, (condition, memory) in enumerate(zip(self.when, self._memory, strict=True)):
            if isinstance(condition, Condition) and len(rows):
                self._memory[n] = condition.remember(rows[:, self._watched(condition)], memory)
        self.hits += met
        for hit in met:
            if self.then == "stop" or (callable(self.then) and self.then(hit) is True):
                self.stopped = True


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
    if not natural("every", every):
        raise ParameterError("every must be 1 or more, got 0")
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


# ---------------------------------------------------------------- told of moments


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


def observe(graph: Any, event: str, recording: Recording | None = None, known: bool = True) -> bool:
    """Tell all probes of a moment; return whether one of them wants to stop.

    Numbers are those that handles show; states, outputs and deltas those of the last step of the
    last sample of `recording`, if there is one, and NaN if they are not `known`.
    """
    for one in probes_of(graph):
        records = one._records
        number = records.count + 1
        records.count = number
        if number % one.pace:
            continue
        row = np.array([_shown(graph, column, event, recording, known) for column in one.columns])
        give(one, np.array([number]), event, row[None])
    return stopped(graph)


def _shown(
    graph: Any, column: tuple[str, Any], event: str, recording: Recording | None, known: bool
) -> float:
    """Return one number as it is now."""
    kind, element = column
    if element.detached or (kind in ("grad", "delta") and event not in AFTER_GRADIENT):
        return np.nan
    if kind not in ("state", "output", "delta"):
        return getattr(element, kind)
    if not known:
        return np.nan
    if recording is None:
        return getattr(element, kind)
    signals = {"state": recording._s, "output": recording._y, "delta": recording._delta}[kind]
    if signals is None:
        return np.nan
    return float(signals[-1:].of(recording.plan.position[element.name])[0, -1])


def ran(graph: Any, recording: Recording) -> None:
    """Tell all probes of a run: every step of every sample is a moment, sample after sample."""
    size = recording.steps * recording._s.samples
    for one in probes_of(graph):
        fixed = np.array([_shown(graph, c, "run", recording, False) for c in one.columns])
        series = {}
        for k, (kind, element) in enumerate(one.columns):
            if kind in ("state", "output") and not element.detached:
                trace = recording[element.name]
                series[k] = getattr(trace, kind).ravel()
        done = 0
        while done < size:  # in pieces, for `every` may double
            n = min(size - done, 4096)
            records = one._records
            numbers = records.count + 1 + np.arange(n)
            due = np.flatnonzero(numbers % one.pace == 0)
            records.count += n
            rows = np.tile(fixed, (len(due), 1))
            for k, values in series.items():
                rows[:, k] = values[done + due]
            give(one, numbers[due], "run", rows)
            done += n


def give(one: Probe, numbers: np.ndarray, event: str, rows: np.ndarray) -> None:
    """Give records to a probe, up to and including each at which a watchpoint is met."""
    while len(rows):
        hit, met = one.judge(numbers, event, rows)
        n = len(rows) if hit is None else hit + 1
        one.take(numbers[:n], event, rows[:n], met)
        numbers, rows = numbers[n:], rows[n:]


# ---------------------------------------------------------------- online


class Tapped:
    """A stepper that tells the probes of every step; see `neurograph.learning.stepping.Stepper`.

    Parameters
    ----------
    graph : Network
    job : Job
    inner : Stepper
        Who does the steps.
    """

    def __init__(self, graph: Any, job: Any, inner: Any):
        self.graph, self.job, self.inner = graph, job, inner

    def activate(self) -> None:
        """Do one step."""
        self.inner.activate()
        observe(self.graph, "activate")

    def propagate(self, rate: float, loss: Any) -> None:
        """Learn from it."""
        self.inner.propagate(rate, loss)
        observe(self.graph, "update")

    def step(self, rate: float, loss: Any) -> None:
        """Do both; that is one moment."""
        self.inner.step(rate, loss)
        observe(self.graph, "update")

    def learn(self, many: Any, rate: float, loss: Any) -> None:
        """Do many steps, until a probe stops; each is one moment."""
        for t in range(len(many.x)):
            many.one(self.inner, self.job, t, rate, loss)
            many.done = t + 1
            asked = not np.isnan(many.target[t]).all()
            if observe(self.graph, "update" if asked else "activate") and many.stops:
                break


# ---------------------------------------------------------------- inside a kernel


class Tapping:
    """What a kernel writes down for all probes in one call, and what becomes of it.

    Parameters
    ----------
    graph : Network
        Whose rows are in the order of the plan.
    made : Plan
    most : int
        Updates that the call may do.
    """

    def __init__(self, graph: Any, made: Plan, most: int):
        self.probes = probes_of(graph)
        self.starts = [one._records.count for one in self.probes]
        everys = [one.pace for one in self.probes]
        firsts = [every - 1 - start % every for every, start in
                  zip(everys, self.starts, strict=True)]  # fmt: skip
        self.every = gcd(*everys, *(first - firsts[0] for first in firsts))
        self.first = min(firsts) % self.every
        columns = [column for one in self.probes for column in one.columns]
        self.updates = max(1, min(most, BLOCK // max(1, len(columns)) * self.every))
        kind, place = (
            np.array([_tapped(graph, made, c) for c in columns], np.int64).reshape(-1, 2).T
        )
        self.met: dict[int, tuple[int, list[Hit]]] = {}
        n = max(0, -(-(self.updates - self.first) // self.every))
        self.taps = Taps(np.ascontiguousarray(kind), np.ascontiguousarray(place), self.first,
                         self.every, np.empty((n, len(columns))))  # fmt: skip

    def of(self, k: int, done: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the records of probe k after so many updates, and their numbers."""
        numbers = self.starts[k] + 1 + self.first + self.every * np.arange(len(self.taps.rows))
        due = (numbers % self.probes[k].pace == 0) & (numbers <= self.starts[k] + done)
        first = sum(len(one.columns) for one in self.probes[:k])
        rows = self.taps.rows[:, first : first + len(self.probes[k].columns)]
        if due[: due.sum()].all():  # no need to copy
            return numbers[: due.sum()], rows[: due.sum()]
        return numbers[due], rows[due]

    def until(self, done: int) -> int:
        """Return how many of the updates that went well come before a watchpoint is met, or all."""
        self.met = {}
        for k, one in enumerate(self.probes):
            if one.when:
                numbers, rows = self.of(k, done)
                hit, met = one.judge(numbers, "update", rows)
                if hit is not None:
                    done = int(numbers[hit]) - self.starts[k]
                    self.met[k] = done, met
        return done

    def commit(self, done: int) -> None:
        """Give the probes what was written down in so many updates."""
        found = [self.of(k, done) for k in range(len(self.probes))]
        for k, (one, (numbers, rows)) in enumerate(zip(self.probes, found, strict=True)):
            one._records.count += done
            last, met = self.met.get(k, (done, []))
            one.take(numbers, "update", rows, met if last == done else [])


def _tapped(graph: Any, made: Plan, column: tuple[str, Any]) -> tuple[int, int]:
    """Return what a kernel writes down for a column, and where it is."""
    kind, element = column
    if element.detached:
        return TAPPED.index("gone"), 0
    row = int(element._home.row_of[element._id])
    if isinstance(element, Neuron):
        if kind == "grad":
            kind = "bias grad"
        if kind == "output" and element.role == "input":
            kind, row = "input", int(np.flatnonzero(made.inputs == row)[0])
    return TAPPED.index(kind), row
