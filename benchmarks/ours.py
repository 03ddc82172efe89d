"""neurograph at the level of engines: the only place that calls them with arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import neurograph as ng
from benchmarks.graphs import Graph
from neurograph.engines import get_engine
from neurograph.engines.base import Parameters, Signals, State
from neurograph.schedule import Plan, arrange
from neurograph.wiring import Wiring

__all__ = ["ENGINE", "Found", "forward", "forward_backward", "plan_of", "set_threads", "wiring_of"]

ENGINE = "compiled"


class Found(NamedTuple):
    """Outputs of T steps, and the gradients of weights (E,) and biases (N,)."""

    y: Signals
    d_weight: np.ndarray
    d_bias: np.ndarray


def forward(
    plan: Plan, weight: np.ndarray, bias: np.ndarray, X: np.ndarray, before: np.ndarray
) -> Signals:
    """Run X (T, n_in, B) forwards; return the outputs of all neurons.

    before : (N, B) array
        Outputs of the step before the first.
    """
    _, y = get_engine(ENGINE).forward(plan, Parameters(weight, bias), X, _start(plan, X, before))
    return y[plan.history :]


def forward_backward(
    plan: Plan,
    weight: np.ndarray,
    bias: np.ndarray,
    X: np.ndarray,
    d_output: np.ndarray,
    before: np.ndarray | None = None,
) -> Found:
    """Run X (T, n_in, B) forwards, and ∂L/∂y at the outputs d_output (T, n_out, B) backwards.

    before : (N, B) array, optional
        Outputs of the step before the first, 0 unless given.
    """
    engine, parameters = get_engine(ENGINE), Parameters(weight, bias)
    s, y = engine.forward(plan, parameters, X, _start(plan, X, before))
    found = engine.backward(plan, parameters, s, y, 0, d_output, np.zeros_like(d_output))
    return Found(y[plan.history :], found.weight, found.bias)


def _start(plan: Plan, X: np.ndarray, before: np.ndarray | None) -> State:
    start = State.rest(plan, np.arange(plan.n_neurons), X.shape[2], X.dtype)
    if before is not None:
        start.y[-1] = before
    return start


def wiring_of(graph: Graph, order: np.ndarray | None = None) -> Wiring:
    """Return the structure of a graph, its synapses in another order if that is given."""
    size = len(graph.source)
    order = np.arange(size) if order is None else order
    return Wiring(
        n_neurons=graph.n,
        source=graph.source[order],
        target=graph.target[order],
        delay=np.full(size, graph.delay),
        reads_state=np.zeros(size, bool),
        gater=np.full(size, -1),
        gate_delay=np.zeros(size, np.int64),
        activation=np.zeros(graph.n, np.int64),
        activations=("tanh",),
        inputs=np.arange(graph.n_in),
        outputs=np.arange(graph.n - graph.n_out, graph.n),
        ties=[],
        names=range(graph.n),
    )


def plan_of(graph: Graph) -> Plan:
    """Return the plan, whose neurons and synapses are numbered as those of the graph."""
    plan = arrange(wiring_of(graph))
    assert (np.diff(plan.neuron.astype(np.int64)) == 1).all()
    assert (np.diff(plan.synapse.astype(np.int64)) == 1).all()
    return plan


def set_threads(n: int) -> None:
    """Let engines use n threads."""
    ng.set_num_threads(n)
