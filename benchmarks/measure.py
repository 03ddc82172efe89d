"""Measuring: contenders that do the same work, in turns, after a check that they agree.

A row of the table is a generator of cases. A case is one amount of work, and the contenders
that do it; the first one is neurograph. All contenders of a case take turns, so that what
disturbs the machine for a while disturbs all of them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

__all__ = ["Case", "Contender", "Entry", "Result", "compare", "run_case", "steps_within", "timed"]

Numbers = dict[str, Any]
Measure = Callable[[float], float]


@dataclass(frozen=True)
class Contender:
    """One who does the work.

    Attributes
    ----------
    measure : callable
        Do the work for some seconds, once at least; return the seconds (or bytes) for one unit.
    numbers : callable
        Do the work and return what it computes, name -> array, for the check; it warms up, too.
    note : callable
        Said after the measurements, such as an accuracy.
    """

    measure: Measure
    numbers: Callable[[], Numbers] = dict
    note: Callable[[], str] = str


@dataclass(frozen=True)
class Entry:
    """A contender that is made when its turn comes, if what it needs is installed.

    Attributes
    ----------
    name : str
    make : callable
        Return the `Contender`; imports what it needs.
    needs : str, optional
        Key of `benchmarks.peers.INSTALL`.
    """

    name: str
    make: Callable[[], Contender]
    needs: str | None = None


@dataclass(frozen=True)
class Case:
    """One amount of work.

    Attributes
    ----------
    label : str
        What distinguishes it from the other cases of its row.
    entries : list of Entry
        neurograph first.
    unit : str
        Of what is measured: "seconds" for one `per`, or "bytes".
    per : str
        "step", "epoch", ….
    tolerance : float
        Largest difference allowed by the check, relative to the largest number.
    """

    label: str
    entries: list[Entry]
    unit: str = "seconds"
    per: str = "call"
    tolerance: float = 1e-9


@dataclass
class Result:
    """What was measured of one contender in one case."""

    row: str
    case: str
    contender: str
    unit: str
    per: str
    samples: list[float] = field(default_factory=list)
    ratio: float | None = None  # to neurograph's median, which is 1
    note: str = ""
    problem: str = ""  # why there are no samples

    @property
    def median(self) -> float | None:
        """Median of the samples, None without any."""
        return median(self.samples) if self.samples else None


def timed(work: Callable[[], Any], units: int = 1, before: Callable[[], Any] = int) -> Measure:
    """Return a `measure`: the median seconds of `work()` for each of its units.

    `before()` is called once and not timed; work shorter than `least` is done again and again.
    """

    def measure(least: float) -> float:
        before()
        seconds: list[float] = []
        while sum(seconds) < least or not seconds:
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        return median(seconds) / units

    return measure


def steps_within(seconds: float, run: Callable[[int], Any], most: int, multiple: int = 40) -> int:
    """Return how many steps `run(steps)` does in about that time, `most` at the most.

    A multiple of `multiple`, so that all samples of XOR are met equally often.
    """
    run(multiple)  # what is made once is not counted
    start = time.perf_counter()
    run(multiple)
    each = (time.perf_counter() - start) / multiple
    fitting = int(min(seconds / each, most))
    return max(fitting // multiple, 1) * multiple


def compare(ours: Numbers, theirs: Numbers, tolerance: float) -> str:
    """Return where two contenders disagree, "" where they do not.

    Numbers that only one of them has are not compared: not every peer has gradients.
    """
    for name in sorted(ours.keys() & theirs.keys()):
        a, b = (np.asarray(one[name], float) for one in (ours, theirs))
        if a.shape != b.shape:
            return f"{name} has shape {b.shape}, not {a.shape}"
        off = float(np.abs(a - b).max(initial=0))
        if not off <= tolerance * float(np.abs(a).max(initial=0)):
            return f"{name} is off by {off:.2g}, of {np.abs(a).max():.2g}"
    return ""


def run_case(
    row: str,
    case: Case,
    choose: Callable[[Entry], bool],
    repeats: int = 1,
    budget: float = 0.0,
    least: float = 0.0,
) -> list[Result]:
    """Check and measure a case.

    Parameters
    ----------
    choose : callable
        Whether to take a contender.
    repeats : int
        Measurements of each; the first is as good as the others, for `numbers` has warmed up.
    budget : float
        Seconds after which a contender is measured no more; once it is in any case.
    least : float
        Seconds of one measurement: shorter work is repeated, and the median taken.
    """
    entries = [entry for entry in case.entries if choose(entry)]
    results = [Result(row, case.label, e.name, case.unit, case.per) for e in entries]
    running = list(_checked(entries, results, case.tolerance))
    spent = dict.fromkeys(range(len(running)), 0.0)
    for turn in range(repeats):
        for i, (contender, result) in enumerate(running):
            if turn and spent[i] > budget:
                continue
            start = time.perf_counter()
            _measure(contender, result, least)
            spent[i] += time.perf_counter() - start
    for contender, result in running:
        result.note = contender.note() if result.samples else ""
    base = results[0].median if results and results[0].contender.startswith("neurograph") else None
    for result in results:
        if base and result.median is not None:
            result.ratio = result.median / base
    return results


def _measure(contender: Contender, result: Result, least: float) -> None:
    gc.collect()
    try:
        result.samples.append(contender.measure(least))
    except Exception as error:  # one that fails is reported, the others go on
        result.problem = _failure(error)


def _failure(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"failed: {type(error).__name__}: {first}"


def _checked(
    entries: list[Entry], results: list[Result], tolerance: float
) -> Iterator[tuple[Contender, Result]]:
    """Yield the contenders whose numbers are those of the first; say of the others why not."""
    ours = None
    for entry, result in zip(entries, results, strict=True):
        try:
            contender = entry.make()
            numbers = contender.numbers()
        except Exception as error:
            result.problem = _failure(error)
            continue
        ours = numbers if ours is None else ours
        result.problem = compare(ours, numbers, tolerance)
        if result.problem:
            result.problem = f"disagrees: {result.problem}"
        else:
            yield contender, result
