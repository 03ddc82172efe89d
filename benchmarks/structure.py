"""Rows plan and memory: what structure costs before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import ours
from benchmarks.graphs import dag
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.node import run_node
from benchmarks.options import Options
from neurograph.schedule import arrange

__all__ = ["memory", "plan"]


def plan(options: Options) -> Iterator[Case]:
    """A plan of 1 M unsorted synapses (20,000 neurons, depth 40)."""
    n, n_synapses = (200, 2_000) if options.quick else (20_000, 1_000_000)
    graph = dag(n, n_synapses, 8 if options.quick else 40)
    order = np.random.default_rng(2).permutation(n_synapses)
    wiring = ours.wiring_of(graph, order)
    pairs = graph.source[order], graph.target[order]

    def neurograph() -> Contender:
        work = partial(arrange, wiring)
        return Contender(timed(work), lambda: _late(pairs, work().neuron))

    def networkx() -> Contender:
        import networkx as nx

        digraph = nx.DiGraph()
        digraph.add_nodes_from(range(n))
        digraph.add_edges_from(zip(*(side.tolist() for side in pairs), strict=True))

        def work() -> list:
            return list(nx.topological_sort(digraph))

        return Contender(timed(work), lambda: _late(pairs, np.array(work())))

    entries = [Entry("neurograph", neurograph), Entry("nx.topological_sort alone", networkx)]
    yield Case("", entries, per="plan")


def _late(pairs: tuple[np.ndarray, np.ndarray], order: np.ndarray) -> dict:
    """Return which synapses an order of visits would read too early: none."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return {"synapses read too early": np.flatnonzero(rank[pairs[0]] >= rank[pairs[1]])}


def memory(options: Options) -> Iterator[Case]:
    """Memory a synapse, all included, and seconds to build; each in a process of its own.

    Python: growth of the resident set. Node.js: growth of the heap after a collection, which
    is the smaller number. neurograph: from_arrays, plan, and one run there and back.
    Node.js: neurons, connections, and each neuron activated and propagated once.
    """
    many, fewer = (2_000, 4_000) if options.quick else (1_000_000, 100_000)
    node = partial(run_node, options.peers, "memory.js")
    children = [
        ("neurograph", partial(_child, "neurograph", many), None),
        ("nx.DiGraph with attribute dicts", partial(_child, "networkx", many), None),
        ("Synaptic, optimised", partial(node, "synaptic", synapses=fewer), "synaptic"),
        ("Synaptic, not optimised", partial(node, "synaptic-plain", synapses=fewer), "synaptic"),
        ("Neataptic", partial(node, "neataptic", synapses=fewer), "neataptic"),
    ]
    weighed = [(name, _Weighed(run), needs) for name, run, needs in children]
    for unit, per, label in (("bytes", "synapse", ""), ("seconds", "million synapses", "to build")):
        entries = [Entry(name, partial(w.contender, unit), needs) for name, w, needs in weighed]
        yield Case(label, entries, unit, per)


class _Weighed:
    """A process that finds bytes and seconds at once; what was not asked for waits."""

    def __init__(self, run: Callable[[], dict]):
        self.run = run
        self.found: dict[str, list[float]] = {"bytes": [], "seconds": []}

    def contender(self, unit: str) -> Contender:
        """Measure one of the two."""
        return Contender(partial(self.take, unit))

    def take(self, unit: str, _least: float) -> float:
        """Return a measurement that waits, or run once more."""
        if not self.found[unit]:
            for name, value in self.run().items():
                self.found[name].append(value)
        return self.found[unit].pop(0)


def _child(what: str, n_synapses: int) -> dict:
    """Run benchmarks/weigh.py in a fresh process; return its bytes and seconds."""
    command = [sys.executable, "-m", "benchmarks.weigh", what, str(n_synapses)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return json.loads(done.stdout)
