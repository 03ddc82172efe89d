"""Rows sparse-dag and deep-dag: 1 M synapses from any level to any higher one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import levels, ours
from benchmarks.graphs import Graph, dag
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.options import Options
from neurograph.schedule import Plan

__all__ = ["deep_dag", "sparse_dag"]

TOLERANCE = 1e-3  # float32, sums of many terms in different orders


def sparse_dag(options: Options) -> Iterator[Case]:
    """20,000 neurons, 1 M synapses, depth 40; float32; forward and all gradients."""
    n, n_synapses, depth = (100, 1_000, 8) if options.quick else (20_000, 1_000_000, 40)
    graph = dag(n, n_synapses, depth)
    plan = ours.plan_of(graph)
    sizes = [(1, 1), (4, 1)] if options.quick else [(1, 1), (32, 1), (256, 1), (256, 2)]
    for n_samples, threads in sizes:
        yield _case(graph, plan, n_samples, threads, everyone=True)


def deep_dag(options: Options) -> Iterator[Case]:
    """The same with 4,655 levels."""
    n, n_synapses, depth = (100, 1_000, 20) if options.quick else (20_000, 1_000_000, 4_655)
    graph = dag(n, n_synapses, depth)
    plan = ours.plan_of(graph)
    for n_samples in [1] if options.quick else [1, 32]:
        yield _case(graph, plan, n_samples, 1, everyone=False)


def _case(graph: Graph, plan: Plan, n_samples: int, threads: int, everyone: bool) -> Case:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((graph.n_in, n_samples), np.float32)
    d_output = rng.standard_normal((graph.n_out, n_samples), np.float32)
    given = graph, X, d_output
    entries = [
        Entry("neurograph", partial(_neurograph, plan, *given, threads)),
        Entry("SciPy CSR by levels", partial(_peer, levels.SciPyLevels, *given), "scipy"),
        Entry("PyTorch index_add", partial(_peer, levels.TorchLevels, *given, threads), "torch"),
    ]
    if everyone:
        entries.append(Entry("JAX segment_sum", partial(_peer, levels.JaxLevels, *given), "jax"))
    if everyone and n_samples == 1:
        name = "neat-python, forward only"
        entries.append(Entry(name, partial(_peer, levels.NeatForward, graph, X), "neat"))
    label = f"B {n_samples}, {threads} thread{'s' * (threads > 1)}"
    return Case(label, entries, per="pass", tolerance=TOLERANCE)


def _neurograph(
    plan: Plan, graph: Graph, X: np.ndarray, d_output: np.ndarray, threads: int
) -> Contender:
    work = partial(ours.forward_backward, plan, graph.weight, graph.bias, X[None], d_output[None])

    def numbers() -> dict:
        ours.set_threads(threads)
        found = work()
        gradients = {"weight gradient": found.d_weight, "bias gradient": found.d_bias}
        return {"output": found.y.of()[0, -graph.n_out :], **gradients}

    return Contender(timed(work, before=lambda: ours.set_threads(threads)), numbers)


def _peer(make: type, *given: object) -> Contender:
    work = make(*given)
    return Contender(timed(work), work)
