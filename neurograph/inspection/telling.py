"""Telling the probes of a network what happens: by a kernel that writes it down, or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd
from typing import Any

import numpy as np

from neurograph.engines.arena import empty
from neurograph.engines.base import TAPPED, Recording, Taps
from neurograph.inspection.probes import EVENTS, Group, Hit, Probe, probes_of, stopped
from neurograph.schedule import Plan
from neurograph.table import GONE, Table

__all__ = ["Look", "Tapping", "Told", "observe", "ran", "updates"]

UPDATE, RUN, ACTIVATE = (EVENTS.index(event) for event in ("update", "run", "activate"))
OF_GRADIENT, OF_RUN = ("grad", "delta"), ("state", "output", "delta")  # kinds of numbers
BLOCK = 2**20  # numbers that a kernel writes down in one call, at most


# ---------------------------------------------------------------- one moment, or one run


def observe(graph: Any, event: str, recording: Recording | None = None, known: bool = True) -> bool:
    """Tell all probes of a moment; return whether one of them wants to stop.

    Numbers are those that handles show; states, outputs and deltas those of the last step of the
    last sample of `recording`, if there is one, and NaN if they are not `known`.
    """
    for one in probes_of(graph):
        records = one._records
        records.count += 1
        if records.count % one.pace:
            continue
        row = np.full((1, len(one.columns)), np.nan)
        for group, table, rows, there in _places(graph, one):
            if group.kind in OF_GRADIENT and event not in ("update", "backward"):
                continue
            if group.kind not in OF_RUN or (known and recording is None):
                row[0, there] = table.array(group.kind)[rows]
            elif known:
                row[0, there] = _last(recording, group.kind, rows)
        one.give(np.array([records.count]), np.array([EVENTS.index(event)]), row)
    return stopped(graph)


def _places(graph: Any, one: Probe) -> Iterator[tuple[Group, Table, np.ndarray, np.ndarray]]:
    """Yield groups with their table, the rows of those that are still there, and their columns."""
    for group in one.groups:
        table = graph._store.neurons if group.neurons else graph._store.synapses
        rows, columns = table.row_of[group.ids], np.arange(len(one.columns))[group.columns]
        there = rows != GONE
        yield group, table, rows[there], columns[there]


def _last(recording: Recording | None, kind: str, rows: np.ndarray) -> np.ndarray | float:
    """Return a kind of number of some neurons, at the last step of the last sample."""
    assert recording is not None
    signals = {"state": recording._s, "output": recording._y, "delta": recording._delta}[kind]
    return np.nan if signals is None else signals[-1:].of(rows)[0, :, -1]


def ran(graph: Any, recording: Recording) -> None:
    """Tell all probes of a run: every step of every sample is a moment, sample after sample."""
    n_steps = recording.steps
    size = n_steps * recording._s.samples
    signals = {"state": recording._s[1:], "output": recording._y[-n_steps:]} if size else {}
    for one in probes_of(graph):
        fixed, series = np.full(len(one.columns), np.nan), []
        for group, table, rows, there in _places(graph, one):
            if group.kind in signals:
                series.append((there, signals[group.kind].of(rows)))
            elif group.kind not in OF_GRADIENT:
                fixed[there] = table.array(group.kind)[rows]
        done = 0
        while done < size:  # in pieces, for `every` may double
            n, records = min(size - done, 4096), one._records
            numbers = records.count + 1 + np.arange(n)
            due = np.flatnonzero(numbers % one.pace == 0)
            records.count += n
            found = np.tile(fixed, (len(due), 1))
            sample, step = np.divmod(done + due, n_steps)
            for there, values in series:
                found[:, there] = values[step, :, sample]
            one.give(numbers[due], np.full(len(due), RUN), found)
            done += n


# ---------------------------------------------------------------- inside a kernel


class Tapping:
    """What a kernel writes down for all probes in one call, and what becomes of it.

    Parameters
    ----------
    graph : Network
        Whose rows are in the order of the plan.
    events : (n,) int array
        What happens in the call, moment by moment, as indices into `EVENTS`.
    made : Plan, optional
        Of a kernel that keeps no outputs of inputs: it reads them from X.

    Attributes
    ----------
    moments : int
        How many of them the call may do: what is written down is bounded.
    taps : Taps
    watched : bool
        Whether the call may have to be undone and done again up to an earlier moment.
    """

    def __init__(self, graph: Any, events: np.ndarray, made: Plan | None = None):
        self.probes = probes_of(graph)
        self.starts = [one._records.count for one in self.probes]
        everys = [one.pace for one in self.probes]
        firsts = [-(1 + start) % every for every, start in zip(everys, self.starts, strict=True)]
        every = gcd(*everys, *(first - firsts[0] for first in firsts))
        first = min(firsts)
        columns = sum(len(one.columns) for one in self.probes)
        self.moments = max(1, min(len(events), BLOCK // max(1, columns) * every))
        self.events = events
        self.watched = any(one.when for one in self.probes)
        self.met: dict[int, tuple[int, list[Hit]]] = {}
        n = len(range(first, self.moments, every))
        room = empty(max(BLOCK, n * columns), np.dtype(float))  # of one size, to be used again
        rows = room[: n * columns].reshape(n, columns)
        kind, place = _wanted(graph, self.probes, made)
        self.taps = Taps(kind, place, first, every, rows)

    def of(self, k: int, done: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the records of probe k after so many moments: numbers, events, rows."""
        one, taps = self.probes[k], self.taps
        when = np.arange(taps.first, done, taps.every)
        numbers = self.starts[k] + 1 + when
        first = sum(len(earlier.columns) for earlier in self.probes[:k])
        rows = taps.rows[: len(when), first : first + len(one.columns)]
        due = numbers % one.pace == 0
        if due.all():  # no need to copy
            return numbers, self.events[when], rows
        return numbers[due], self.events[when[due]], rows[due]

    def until(self, done: int) -> int:
        """Return how many of the moments that went well come before a watchpoint is met, or all."""
        self.met = {}
        for k, one in enumerate(self.probes):
            if one.when:
                numbers, events, rows = self.of(k, done)
                hit, met = one.judge(numbers, events, rows)
                if hit is not None:
                    done = int(numbers[hit]) - self.starts[k]
                    self.met[k] = done, met
        return done

    def commit(self, done: int) -> None:
        """Give the probes what was written down in so many moments."""
        found = [self.of(k, done) for k in range(len(self.probes))]
        for k, (one, records) in enumerate(zip(self.probes, found, strict=True)):
            one._records.count += done
            last, met = self.met.get(k, (done, []))
            one.take(*records, met if last == done else [])


def updates(graph: Any, n: int, made: Plan) -> Tapping:
    """Return what a kernel that does up to n updates by batches writes down."""
    return Tapping(graph, np.full(n, UPDATE), made)


def _wanted(
    graph: Any, probes: Sequence[Probe], made: Plan | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a kernel writes down for each column, and where that is."""
    n = sum(len(one.columns) for one in probes)
    kinds, places = np.full(n, TAPPED.index("gone")), np.zeros(n, np.int64)
    begin = 0
    for one in probes:
        for group, _, rows, there in _places(graph, one):
            what = "bias grad" if group.neurons and group.kind == "grad" else group.kind
            kinds[begin + there], places[begin + there] = TAPPED.index(what), rows
            if what == "output" and made is not None:
                column = np.full(made.n_neurons, GONE)
                column[made.inputs] = np.arange(len(made.inputs))
                given = begin + there[column[rows] != GONE]
                kinds[given] = TAPPED.index("input")
                places[given] = column[places[given]]
        begin += len(one.columns)
    return kinds, places


# ---------------------------------------------------------------- online


class Look:
    """Tells the probes of a network of many steps of online learning; each is one moment.

    Parameters
    ----------
    graph : Network
    target : (T, n_out) array
        A step is an update if any of it is a number.
    """

    def __init__(self, graph: Any, target: np.ndarray):
        self.graph = graph
        self.events = np.where(np.isnan(target).all(1), ACTIVATE, UPDATE)

    def tapping(self, t: int, end: int) -> Tapping:
        """Return what a kernel that does steps t:end writes down."""
        return Tapping(self.graph, self.events[t:end])

    def told(self, t: int) -> None:
        """Tell of step t, which was done by itself."""
        observe(self.graph, EVENTS[self.events[t]])

    @property
    def stopped(self) -> bool:
        """Whether a watchpoint was met that wants to stop."""
        return stopped(self.graph)


class Told:
    """A stepper that tells the probes of every step; see `neurograph.learning.stepping.Stepper`.

    Parameters
    ----------
    graph : Network
    inner : Stepper
        Who does the steps.
    """

    def __init__(self, graph: Any, inner: Any):
        self.graph, self.inner = graph, inner

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
        """Do many steps, until a probe stops."""
        many.look = Look(self.graph, many.target)
        self.inner.learn(many, rate, loss)
