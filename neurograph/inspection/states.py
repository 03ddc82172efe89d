"""Why the state of a neuron is what it is: what came in, equation (2) of docs/model.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from neurograph.elements import Neuron
from neurograph.engines.base import Parameters
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.asking import ago, chosen, last_run
from neurograph.inspection.explanation import Explanation, Part, Section, arrow, closed, short
from neurograph.inspection.gradients import step_parameters
from neurograph.inspection.unrolled import Unrolled
from neurograph.learning.rules import get_rule
from neurograph.schedule import plan
from neurograph.values import natural

__all__ = ["NeuronExplanation", "explain_neuron"]


@dataclass(frozen=True, eq=False, repr=False)
class NeuronExplanation(Explanation):
    """The state of a neuron as the sum of what came in.

    Attributes
    ----------
    neuron : Neuron
    state, output : float
        s, and y = f(s); of an input neuron 0, and what it was given.
    parts : tuple of Part
        Equation (2), term by term: they add up to the state.
    sample, step : int
        Of the run, counted from 0; None if it was a step of `activate`.
    title, sections, notes
        See `Explanation`.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("a", "y", {"weight": 2.0})])
    >>> net.inputs, net.outputs, net.nodes["y"].bias = ["a"], ["y"], -1
    >>> net.forward([3]).round(4)
    array([0.9933])
    >>> print(net.nodes["y"].explain())
    state of neuron 'y' = 5, output = logistic(5) = 0.9933
    <BLANKLINE>
    what came in, equation (2):
      'a' -> 'y'  w · output of 'a'  = 2 · 3   6
      bias                                    -1
      sum                                      5
    """

    neuron: Neuron
    state: float
    output: float
    sample: int | None
    step: int | None
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        names = ("neuron", "state", "output", "sample", "step")
        return {name: getattr(self, name) for name in names}


def explain_neuron(
    neuron: Neuron, *, sample: int | None = None, step: int | None = None, terms: int = 20
) -> NeuronExplanation:
    """Explain a state; see `Neuron.explain`."""
    neuron.require_attached()
    graph, limit = neuron._home.store.graph, natural("terms", terms)
    graph.require_own()
    shown = _online(graph) if sample is None and step is None else None
    if shown is not None:
        return _explain_state(graph, neuron, shown, 0, "", None, None, limit)
    recording = last_run(graph, "run", "net.forward(X), then explain()")
    t = recording.steps - 1 if step is None else chosen("step", step, recording.steps).start
    n = recording._s.samples
    b = n - 1 if sample is None else chosen("sample", sample, n).start
    states, outputs = (signals.of()[..., [b]] for signals in (recording._s, recording._y))
    before = recording._start.steps
    run = Unrolled(recording.plan, Parameters.of(graph), states, outputs, before)
    where = f", sample {b}" if n > 1 else ""
    where += f", step {t}" if recording.steps > 1 else ""
    return _explain_state(graph, neuron, run, t, where, b, t, limit)


def _online(graph: Any) -> Unrolled | None:
    """Return the last step of `activate`, if it is what the objects show."""
    state, store = graph._online, graph._store
    if not state.steps or state.version != store.version:
        return None
    shown, tape = store.neurons.array("state"), graph.__dict__.get("_tape")
    s, y = state.fields["s"], state.fields["y"]
    if tape is not None and len(shown) == tape[0].plan.n_neurons and tape[2] == store.version:
        recording = tape[0]
        last = recording._s[-1:].of()[0, :, -1], recording._y[-1:].of()[0, :, -1]
        output = store.neurons.array("output")
        if np.array_equal(last[0], shown) and np.array_equal(last[1], output):
            return None
    if not np.array_equal(s[-1], shown):
        return None
    if get_rule(state.rule).name == "synaptic":
        raise ParameterError(
            "rule 'synaptic' visits neurons one after the other, each reading what the others hold"
            " at that moment, so equation (2) does not explain it: net.forward(X), then explain()"
        )
    made = plan(graph)
    h = made.history
    return Unrolled(
        made, step_parameters(graph), s[-2:, :, None], y[-1 - h :, :, None], state.steps - 1
    )


def _explain_state(
    graph: NeuronGraph, neuron: Neuron, run: Unrolled, t: int, where: str, sample: int | None,
    step: int | None, limit: int,
) -> NeuronExplanation:  # fmt: skip
    """Explain the state at step t of a run of one sample; the rest is for the text."""
    j = run.plan.position[neuron.name]
    state, output = float(run.s[1 + t, j, 0]), float(run.y[run.h + t, j, 0])
    if j in run.inputs:
        title = f"output of {neuron}{where} = {short(output)}"
        section = Section("parts", "what came in", "", (), 0.0)
        notes = (f"Input {neuron.name!r} has no parts: its output is what X says, equation (4).",)
        return NeuronExplanation(neuron, 0.0, output, sample, step, title, (section,), notes)
    parts = sorted(_came_in(graph, run, j, t), key=lambda part: -abs(part.value))
    total = fsum(part.value for part in parts)
    size = max(1.0, *(abs(part.value) for part in parts))
    common: list[Part] = []
    if abs(total - state) > (1e-4 if graph.dtype == np.float32 else 1e-9) * size:
        raise ParameterError(
            f"the weights have changed since {neuron} had this state (by another propagate, or an"
            " edit): ask after activate or the first propagate, or net.forward(X) again"
        )
    if graph.dtype == np.float32 and total != state:
        common.append(Part(state - total, "round-off of float32"))
    title = (
        f"state of {neuron}{where} = {short(state)},"
        f" output = {neuron.activation}({short(state)}) = {short(output)}"
    )
    kept = (*closed(parts, limit), *common)
    section = Section("parts", "what came in", "equation (2)", kept, state)
    return NeuronExplanation(neuron, state, output, sample, step, title, (section,), ())


def _came_in(graph: NeuronGraph, run: Unrolled, j: int, t: int) -> Iterator[Part]:
    """Yield the terms of equation (2)."""
    made = run.plan
    yield Part(float(run.b[j]), "bias", about={"kind": "bias"})
    found = np.array(run.incoming(j), np.int64)
    when = np.full(len(found), t)
    gains, read = run.gain(found, when)[:, 0], run.read(found, when)[:, 0]
    for e, gain, y in zip(found.tolist(), gains.tolist(), read.tolist(), strict=True):
        source, target = made.name(run.source(e)), made.name(j)
        state, w = e >= made.n_synapses, float(run.w[e])
        when_read = ago(1 if state else int(made.delay[e]))
        letters, numbers = (
            ["w", f"{'state' if state else 'output'} of {source!r}{when_read}"],
            [w, y],
        )
        if made.gater.size and made.gater[e] < made.n_neurons:
            letters.insert(0, f"γ of {made.name(made.gater[e])!r}{ago(int(made.gate_delay[e]))}")
            numbers.insert(0, gain)
        what = "its own state" if state else arrow(source, target)
        about = {"kind": "memory" if state else "synapse", "synapse": graph.edges[source, target]}
        yield Part(gain * w * y, what, " · ".join(letters), tuple(numbers), about)
