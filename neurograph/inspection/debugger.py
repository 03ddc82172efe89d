"""A debugger: a run and its gradient term by term, neuron by neuron and synapse by synapse.

It is the walker that walks; so the numbers are those of `engine="walker"`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines.base import Batch, Gradients, Parameters, Recording, State
from neurograph.engines.walker import Seen, Walker
from neurograph.errors import ParameterError, ShapeError
from neurograph.learner import seen
from neurograph.learning.gradients import share
from neurograph.learning.losses import Loss, evaluate, get_loss
from neurograph.lessons import require_outputs
from neurograph.schedule import Plan, plan

__all__ = ["Event", "walk"]

# Phase, equation of docs/model.md, what the term belongs to, names of its factors.
KINDS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "input": ("forward", "(4)", "y", ()),
    "bias": ("forward", "(2)", "s", ()),
    "memory": ("forward", "(2)", "s", ("gain", "weight", "state before")),
    "synapse": ("forward", "(2)", "s", ("gain", "weight", "output of source")),
    "state": ("forward", "(2)", "s", ()),
    "output": ("forward", "(3)", "y", ("state",)),
    "loss": ("backward", "(5)", "ε", ()),
    "sent": ("backward", "(5)", "ε", ("gain", "weight", "delta of target")),
    "gate": ("backward", "(5)", "ε", ("weight", "passed on", "delta of target")),
    "epsilon": ("backward", "(5)", "ε", ()),
    "input gradient": ("backward", "(7)", "∂L/∂x", ()),
    "slope": ("backward", "(6)", "δ", ("slope", "epsilon")),
    "loss state": ("backward", "(6)", "δ", ()),
    "carried": ("backward", "(6)", "δ", ("gain", "weight", "delta of the next step")),
    "delta": ("backward", "(6)", "δ", ()),
    "moved": ("gradient", "(7)", "∂L/∂w", ("delta", "gain", "passed on")),
    "loss value": ("loss", "", "L", ()),
    "weight gradient": ("gradient", "(7)", "∂L/∂w", ()),
    "bias gradient": ("gradient", "(7)", "∂L/∂b", ()),
}
DONE = {"input", "state", "output", "epsilon", "input gradient", "delta", "loss value",
        "weight gradient", "bias gradient"}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Where a walk stands: at a term of a sum, or at what became of it.

    Attributes
    ----------
    what : str
        Terms: "bias", "memory", "synapse" (of a state), "loss", "sent", "gate" (of ε), "slope",
        "loss state", "carried" (of δ), "moved" (of a gradient). What became of them: "input",
        "state", "output", "loss value", "epsilon", "delta", "input gradient", "weight gradient",
        "bias gradient".
    step : int
        From 0; -1 for what belongs to all of them.
    neuron : hashable or None
        Name of the neuron that is visited.
    synapse : Synapse or None
        By which the term comes.
    factors : tuple of (str, float)
        What the term is the product of.
    value : float
        The term, or what became of the sum.
    total : float
        The sum so far, this term included.
    """

    what: str
    step: int
    neuron: Hashable
    synapse: Synapse | None
    factors: tuple[tuple[str, float], ...]
    value: float
    total: float

    @property
    def phase(self) -> str:
        """One of "forward", "loss", "backward", "gradient"."""
        return KINDS[self.what][0]

    @property
    def equation(self) -> str:
        """Number of the equation in docs/model.md."""
        return KINDS[self.what][1]

    @property
    def done(self) -> bool:
        """Whether a sum is complete: a state, an output, a delta, a gradient."""
        return self.what in DONE

    def __repr__(self) -> str:
        phase, equation, of, _ = KINDS[self.what]
        at = "" if self.step < 0 else f" t={self.step}"
        who = "" if self.neuron is None else f" {self.neuron!r}"
        by = (
            ""
            if self.synapse is None
            else f" by {self.synapse.source!r} -> {self.synapse.target!r}"
        )
        head = f"<{phase}{at}{who} {self.what}{by}:"
        product = " · ".join(f"{name} {value:.6g}" for name, value in self.factors)
        if self.done:
            body = f"{of} = {self.value:.6g}"
        else:
            body = f"{product} = " if product else ""
            body += f"{self.value:.6g}, {of} = {self.total:.6g}"
        return f"{head} {body}{f' {equation}' if equation else ''}>"


# ---------------------------------------------------------------- the walk


def walk(
    graph: Any,
    x: Any,
    target: Any = None,
    *,
    loss: str | Loss = "squared_error",
    reduction: str = "mean",
    state: State | None = None,
    breaks: Any = None,
    until: Any = None,
) -> Iterator[Event]:
    """Step through a run; see `Network.walk`. Everything is checked before the first event."""
    made, chosen = plan(graph), get_loss(loss)
    batch = Batch.of(x, made, graph.dtype)
    if len(batch.samples) != 1:
        raise ShapeError(
            f"walk goes with one sample; X has {len(batch.samples)}: take X[b:b+1], or X[b] of"
            " one step"
        )
    if target is not None:
        require_outputs(made)
        target = chosen.prepare(target, batch.shape, len(made.outputs))
    if reduction not in ("mean", "sum"):
        raise ParameterError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    ids = graph.neuron_ids()[made.neuron]
    if not (state is None or isinstance(state, State)):
        raise ParameterError(f"state must be the final_state of a recording, got {state!r}")
    begin = State.rest if state is None else state.fit
    start = begin(made, ids, 1, graph.dtype)
    stops = None if breaks is None else _Breaks(graph, breaks)
    first = None if until is None else _Breaks(graph, until)
    walker = _Walk(graph, made, batch, target, chosen, reduction, start)
    return _chosen(walker.events(), stops, first)


def _chosen(events: Iterator[Event], stops: Any, first: Any) -> Iterator[Event]:
    """Yield the events at which to stop."""
    began = first is None
    for event in events:
        began = began or first(event)
        if began and (stops is None or stops(event)):
            yield event


class _Breaks:
    """Breakpoints: neurons, synapses, kinds of event, conditions; one that is met is enough."""

    def __init__(self, graph: Any, given: Any):
        self.neurons: list[Hashable] = []
        self.synapses: list[Synapse] = []
        self.kinds: list[str] = []
        self.conditions: list[Callable] = []
        alone = isinstance(given, (Neuron, Synapse, str)) or callable(given)
        alone = alone or (isinstance(given, Hashable) and given in graph)
        alone = alone or not isinstance(given, Iterable)
        alone = alone or (isinstance(given, tuple) and len(given) == 2 and graph.has_edge(*given))
        for one in [given] if alone else given:
            self.add(graph, one)

    def add(self, graph: Any, one: Any) -> None:
        """Add one breakpoint."""
        if isinstance(one, Synapse):
            self.synapses.append(graph.own(one))
        elif isinstance(one, Neuron):
            self.neurons.append(graph.neuron(one).name)
        elif isinstance(one, Hashable) and one in graph:
            self.neurons.append(one)
        elif isinstance(one, tuple) and len(one) == 2 and graph.has_edge(*one):
            self.synapses.append(graph.edges[one])
        elif isinstance(one, str) and one in KINDS:
            self.kinds.append(one)
        elif callable(one):
            self.conditions.append(one)
        else:
            raise ParameterError(
                f"a breakpoint is a neuron, a synapse, (source, target), a function of an event, or"
                f" one of {', '.join(map(repr, KINDS))}; got {one!r}"
            )

    def __call__(self, event: Event) -> bool:
        return (
            (event.neuron is not None and event.neuron in self.neurons)
            or any(event.synapse is s for s in self.synapses)
            or event.what in self.kinds
            or any(condition(event) for condition in self.conditions)
        )


class _Walk:
    """One walk, on copies of the parameters, so that what is edited meanwhile plays no part."""

    def __init__(
        self, graph: Any, made: Plan, batch: Batch, target: Any, loss: Loss, reduction: str,
        start: State,
    ):  # fmt: skip
        self.plan, self.batch, self.target, self.start = made, batch, target, start
        self.loss, self.reduction = loss, reduction
        self.parameters = Parameters(*(part.copy() for part in Parameters.of(graph)))
        end = np.concatenate([made.target, made.cell]).tolist()
        begin = np.concatenate([made.source, made.cell]).tolist()
        names = made.visits
        self.synapses = [graph.edges[names[i], names[j]] for i, j in zip(begin, end, strict=True)]

    def events(self) -> Iterator[Event]:
        """Yield all events."""
        walker, plan, at = Walker(), self.plan, self.parameters
        s, y = yield from self.translated(
            walker.walk_forward(plan, at, self.batch.x, self.start, watch=True)
        )
        if self.target is None:
            return
        recording = Recording(plan, s, y, self.start, self.batch.shape)
        found = evaluate(self.loss, seen(recording), self.target, self.reduction)
        yield Event("loss value", -1, None, None, (), found.value, found.value)
        given = s, y, self.start.steps, found.d_output, found.d_state
        gradients: Gradients = yield from self.translated(
            walker.walk_backward(plan, at, *given, watch=True)
        )
        share(plan, gradients.weight)
        for synapse, value in zip(self.synapses, gradients.weight.tolist(), strict=True):
            yield Event("weight gradient", -1, synapse.target, synapse, (), value, value)
        for name, value in zip(plan.visits, gradients.bias.tolist(), strict=True):
            yield Event("bias gradient", -1, name, None, (), value, value)

    def translated(self, steps: Any) -> Any:
        """Yield what the walker sees as events; return what it returns."""
        names = self.plan.visits
        while True:
            with np.errstate(over="ignore", invalid="ignore"):  # not around what users do
                try:
                    found: Seen = next(steps)
                except StopIteration as end:
                    return end.value
            given = zip(KINDS[found.what][3], map(_number, found.factors), strict=True)
            synapse = None if found.e < 0 else self.synapses[found.e]
            yield Event(found.what, found.t, names[found.j], synapse, tuple(given),
                        _number(found.value), _number(found.total))  # fmt: skip


def _number(value: Any) -> float:
    return float(value if np.ndim(value) == 0 else value[0])
