"""`python -m benchmarks.weigh WHAT SYNAPSES`: how large a graph is in this process, as JSON.

"bytes" a synapse: growth of the resident set, everything included; "seconds": to build, for a
million synapses.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

import neurograph as ng
from benchmarks.graphs import Graph, dag
from benchmarks.ours import ENGINE

__all__ = ["weigh"]


def resident() -> int:
    """Return the resident set of this process in bytes (Linux)."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def network(graph: Graph) -> ng.Network:
    """Build a network of objects."""
    return ng.Network.from_arrays(
        graph.source,
        graph.target,
        graph.weight,
        n_neurons=graph.n,
        inputs=range(graph.n_in),
        outputs=range(graph.n - graph.n_out, graph.n),
        activation="tanh",
        bias=graph.bias,
        dtype="float32",
    )


def run(net: ng.Network) -> None:
    """Plan, run and learn once, so that everything there can be is there."""
    net.plan()
    net.forward(np.ones(len(net.inputs)), engine=ENGINE)
    net.backward(np.ones(len(net.outputs)))


def attributes(graph: Graph) -> nx.DiGraph:
    """Build networkx's own graph, a dict of one weight on every edge."""
    made = nx.DiGraph()
    made.add_nodes_from(range(graph.n), bias=0.0)
    ends = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    for (u, v), w in zip(ends, graph.weight.tolist(), strict=True):
        made.add_edge(u, v, weight=w)
    return made


def weigh(build: Callable[[Graph], Any], use: Callable[[Any], None], n_synapses: int) -> dict:
    """Return the bytes and seconds; a small graph first, so that code is not weighed."""
    use(build(dag(50, 200, 5)))
    graph = dag(max(n_synapses // 50, 200), n_synapses, 40 if n_synapses > 10_000 else 5)
    before = resident()
    start = time.perf_counter()
    made = build(graph)
    seconds = time.perf_counter() - start
    use(made)
    grown = resident() - before
    return {"bytes": grown / n_synapses, "seconds": seconds * 1e6 / n_synapses}


KINDS = {"neurograph": (network, run), "networkx": (attributes, len)}

if __name__ == "__main__":
    print(json.dumps(weigh(*KINDS[sys.argv[1]], int(sys.argv[2]))))
