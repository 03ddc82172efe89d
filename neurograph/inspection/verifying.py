"""Gradients against differences, and engines against each other."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np

from neurograph.elements import Synapse
from neurograph.engines import get_engine
from neurograph.engines.base import Batch, Engine, Parameters
from neurograph.errors import NeurographError, ParameterError, counted
from neurograph.functions import get_activation
from neurograph.graph import NeuronGraph
from neurograph.inspection.certificates import (
    Agreement,
    Checked,
    EngineCertificate,
    GradientCertificate,
    Subject,
    digest,
    digest_of,
)
from neurograph.inspection.differences import Point, Slope, slope
from neurograph.inspection.handles import own_neurons, own_synapses
from neurograph.inspection.objective import Objective, reaching
from neurograph.learner import work
from neurograph.learning.losses import get_loss
from neurograph.learning.rules import Rule, get_rule
from neurograph.learning.status import gradient_status
from neurograph.lessons import batch_of, require_outputs, targets_of
from neurograph.schedule import Plan, plan
from neurograph.values import choice, natural

__all__ = ["verify_engines", "verify_gradients"]

RUNS = 16  # of a network for one slope, about
RESOLUTION = {"float64": 1e-6, "float32": 1e-2}  # of the largest gradient, that a bound must reach
NEARER = (2.0**-6, 2.0**-12)  # of the usual steps, for a second and third opinion
CLEARLY = 10  # times a bound that is too large: beyond it a gradient is wrong all the same
ENGINES_AGREE = {"float64": 1e-12, "float32": 2e-4}  # stated in docs/model.md, docs/performance.md


# ---------------------------------------------------------------- gradients


def verify_gradients(
    graph: Any,
    X: Any,
    Y: Any,
    *,
    synapses: Iterable | Synapse | None = None,
    neurons: Iterable | None = None,
    loss: Any = None,
    reduction: str = "mean",
    lengths: Any = None,
    rule: str | Rule | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: Any = None,
) -> GradientCertificate:
    """Compare gradients with differences; see `Network.verify_gradients`."""
    made = plan(graph)
    require_outputs(made)
    chosen = get_loss(("squared_error" if rule is None else "matching") if loss is None else loss)
    batch, ends = batch_of(made, graph.dtype, X, lengths)
    target = targets_of(chosen, Y, batch.shape, len(made.outputs), ends)
    if np.isnan(target).all():
        raise ParameterError("every target is NaN: nothing is asked of any output")
    choice("reduction", reduction, ("mean", "sum"))
    status = None if rule is None else gradient_status(graph, rule)
    taken = None if rule is None else get_rule(rule)
    if taken is not None and taken.name == "synaptic" and chosen.name != "matching":
        raise ParameterError("rule 'synaptic' knows the matching loss only; take loss='matching'")
    wanted = _wanted(graph, made, synapses, neurons)
    n = len(wanted)
    if sample is not None and natural("sample", sample) < n:
        kept = np.random.default_rng(seed).choice(n, int(sample), replace=False)
        wanted = [wanted[k] for k in np.sort(kept).tolist()]
    if not wanted:
        raise ParameterError(
            "nothing to verify: synapses=, neurons= and sample= leave no weight and no bias; leave"
            " them out to verify all"
        )
    load = work(made, batch) * (1 + RUNS * len(wanted))
    executor = get_engine(engine or graph.engine, load)
    objective = Objective(made, executor, batch, target, chosen, reduction)
    check = _Check(graph, objective, taken, status)
    rows = tuple(check.row(e) for e in wanted)
    subject = Subject(
        **_about(graph, batch, target, ends, executor),
        loss=chosen.name,
        reduction=reduction,
        rule="backpropagation" if taken is None else f"rule {taken.name!r}",
    )
    seeded = seed if len(rows) < n else None
    return GradientCertificate(subject, rows, n, seeded, check.here.value)


def _about(
    graph: Any,
    batch: Batch,
    target: np.ndarray | None,
    ends: np.ndarray | None,
    engine: Engine | str,
) -> dict:
    """Return what a certificate says of network, data and tools."""
    shape = (*batch.shape, batch.samples.shape[-1])
    asked = () if target is None else (target,)
    text = f"X {shape}" + "".join(f", Y {(*batch.shape, t.shape[-1])}" for t in asked)
    version = sys.modules["neurograph"].__version__
    name = engine if isinstance(engine, str) else type(engine).__name__.lower()
    return {
        "network": digest_of(graph),
        # Targets that are not asked tell how long sequences are, if there are targets.
        "data": digest(batch.samples, *(asked if asked or ends is None else (ends,))),
        "summary": f"{counted(len(graph), 'neuron')}, "
        + counted(graph.number_of_edges(), "synapse"),
        "shapes": text,
        "dtype": str(graph.dtype),
        "engine": name,
        "versions": Subject.tools(version),
    }


def _wanted(graph: Any, made: Plan, synapses: Any, neurons: Any) -> list[int]:
    """Return the parameters to check, as the plan numbers them: synapses, then E+M+j a bias."""
    store, total = graph._store, made.n_synapses + made.n_memories
    inputs = set(made.inputs.tolist())
    both = synapses is None and neurons is None
    if both:
        weights = store.synapses.row_of[graph.synapse_ids()].tolist()
        biases = store.neurons.row_of[graph.neuron_ids()].tolist()
        return weights + [total + j for j in biases if j not in inputs]
    found = [int(store.synapses.row_of[s._id]) for s in own_synapses(graph, synapses)]
    for neuron in own_neurons(graph, neurons):
        j = int(store.neurons.row_of[neuron._id])
        if j in inputs:
            raise ParameterError(f"{neuron} is an input: its bias plays no part; leave it out")
        found.append(total + j)
    return list(dict.fromkeys(found))


class _Check:
    """Everything that the check of one parameter needs."""

    def __init__(self, graph: Any, objective: Objective, rule: Rule | None, status: Any):
        self.graph, self.objective, self.plan = graph, objective, objective.plan
        self.rule, self.status = rule, status
        own = Parameters.of(graph)
        self.at = Parameters(*(part.astype(np.float64) for part in own))
        here = objective(self.at)
        if here is None:
            objective.measure(objective.run(own))  # says what is wrong
            raise ParameterError("the loss is not a finite number for these X and Y")
        self.here = here
        self.analytic = self.gradient(Parameters(*(part.copy() for part in own)))
        self.noise, floor = objective.rounding(self.at)
        self.rounding = np.full(len(self.analytic), floor)
        if graph.dtype != np.float64:  # what rounding did, measured
            self.rounding += np.abs(self.analytic - self.gradient(self.at))
        self.surrogates = self._surrogates()
        self.groups: dict[int, np.ndarray] = {}
        for first, last in zip(self.plan.tie_indptr[:-1], self.plan.tie_indptr[1:], strict=True):
            group = self.plan.tie_synapse[first:last]
            self.groups.update(dict.fromkeys(group.tolist(), group))
        self.slopes: dict[tuple, Slope] = {}  # of tie groups, by first member and size of steps
        self.enough = 0.0
        self.enough = RESOLUTION[str(graph.dtype)] * self.scale()

    def scale(self) -> float:
        """Return the largest gradient that differences do not contradict; 1 if all are 0.

        Where differences contradict a gradient, they take its place, if they differ from 0: one
        that is wrong must not be the measure by which it is judged.
        """
        found, size = 0.0, np.abs(self.analytic)
        for e in np.argsort(-size).tolist():
            if size[e] <= found:
                break
            if not self.claimed(e):
                return float(size[e])
            slope = self.slope(e)
            bound = slope.error + float(self.rounding[e])
            if not abs(slope.value - self.analytic[e]) > bound:  # also where there is no slope
                return float(size[e])
            if abs(slope.value) > bound:
                found = max(found, abs(slope.value))
        return found or 1.0

    def claimed(self, e: int) -> bool:
        """Return whether the gradient of a parameter is claimed to be exact."""
        return self.status is None or self.status[self.name(e)].exact

    def name(self, e: int) -> Hashable:
        """Return source and target of a synapse, or the name of the neuron of a bias."""
        total = len(self.at.weight)
        if e >= total:
            return self.plan.name(e - total)
        store = self.graph._store
        return tuple(store.names[store.synapses.array(end)[e]] for end in ("source", "target"))

    def gradient(self, at: Parameters) -> np.ndarray:
        """Return the analytic gradient of all weights and biases."""
        if self.rule is not None:
            return np.concatenate(self.objective.by_rule(self.rule, at)).astype(np.float64)
        found = self.objective.backward(at)
        return np.concatenate([found.weight, found.bias]).astype(np.float64)

    def row(self, e: int) -> Checked:
        """Check one parameter."""
        total, name = len(self.at.weight), self.name(e)
        handle: Any = (self.graph.edges if e < total else self.graph.nodes)[name]
        found, analytic = self.slope(e), float(self.analytic[e])
        rounding = float(self.rounding[e])
        for size in NEARER:  # a curvature that jumps within the steps shows in no error
            if abs(analytic - found.value) <= found.error + rounding or found.kink is not None:
                break
            nearer = self.slope(e, size)
            if abs(nearer.value - found.value) > nearer.error + found.error:
                found = nearer
        difference = abs(analytic - found.value)
        verdict, reason = self.verdict(e, name, found, difference, rounding)
        return Checked(
            "weight" if e < total else "bias",
            name,
            analytic,
            found.value,
            difference,
            found.error,
            rounding,
            found.step,
            verdict,
            reason,
            handle.trainable,
            str(handle.tie) if e in self.groups else "",
        )

    def slope(self, e: int, size: float = 1.0) -> Slope:
        """Return the slope by differences; tied synapses move together, and are asked once."""
        total = len(self.at.weight)
        rows = self.groups.get(e, np.array([e]))
        key = int(rows[0]), size
        if key in self.slopes:
            return self.slopes[key]
        part, rows = (self.at.weight, rows) if e < total else (self.at.bias, rows - total)
        value = part[rows].copy()

        def moved(step: float) -> Point | None:
            part[rows] = value + step
            try:
                return self.objective(self.at)
            finally:
                part[rows] = value

        size *= max(1.0, abs(float(value[0])))
        found = slope(moved, self.here, size, self.noise, self.enough)
        if len(rows) > 1:
            self.slopes[key] = found
        return found

    def verdict(
        self, e: int, name: Hashable, found: Slope, difference: float, rounding: float
    ) -> tuple[str, str]:
        """Say what a comparison means."""
        if self.status is not None and not self.claimed(e):
            return "truncated", self.status[name].reason
        if found.kink is not None:
            return "kink", self.objective.side_name(found.kink)
        bound = found.error + rounding
        if not np.isfinite(found.error):
            return "unresolved", "the loss has no finite value beside this one"
        if difference > (bound if bound <= self.enough else CLEARLY * bound):
            return self.off(e)
        if bound > self.enough:
            return "unresolved", f"differences do not settle to {self.enough:.1e}"
        return "exact", ""

    def off(self, e: int) -> tuple[str, str]:
        """Say why a gradient is not the slope."""
        ends = np.concatenate([self.plan.target, self.plan.cell, np.arange(self.plan.n_neurons)])
        for j in self.surrogates:
            if reaching(self.plan, np.array([j]))[ends[e]]:
                name = self.plan.activations[self.plan.activation[j]]
                return "truncated", (
                    f"{name!r} of {self.plan.name(j)!r} has a surrogate derivative"
                )
        return "wrong", "differs by more than the bound"

    def _surrogates(self) -> list[int]:
        """Return neurons whose derivative, one's own, is not the slope at a state that was met."""
        recording, found = self.objective.run(self.at), []
        inputs = set(self.plan.inputs.tolist())
        for j, code in enumerate(self.plan.activation.tolist()):
            f = get_activation(self.plan.activations[code])
            if f.builtin or j in inputs:
                continue
            s = np.unique(recording._s[1:].of(j))
            h = 1e-5 * np.maximum(1, np.abs(s))
            slopes, given = (f(s + h) - f(s - h)) / (2 * h), f.derivative(s)
            if (np.abs(slopes - given) > 1e-5 * np.maximum(1, np.abs(slopes))).any():
                found.append(j)
        return found


# ---------------------------------------------------------------- engines


def verify_engines(
    graph: Any,
    X: Any,
    Y: Any = None,
    *,
    loss: Any = "squared_error",
    reduction: str = "mean",
    lengths: Any = None,
    engines: tuple = ("walker", "compiled"),
) -> EngineCertificate:
    """Compare two engines; see `Network.verify_engines`."""
    made = plan(graph)
    require_outputs(made)
    if len(engines) != 2:
        raise ParameterError(f"engines must be two, as ('walker', 'compiled'); got {engines!r}")
    pair = [get_engine(engine) for engine in engines]
    names = [e if isinstance(e, str) else type(e).__name__.lower() for e in engines]
    chosen, (batch, ends) = get_loss(loss), batch_of(made, graph.dtype, X, lengths)
    choice("reduction", reduction, ("mean", "sum"))
    n_out = len(made.outputs)
    target = None if Y is None else targets_of(chosen, Y, batch.shape, n_out, ends)
    found = [dict(_quantities(graph, made, e, batch, ends, target, chosen, reduction))
             for e in pair]  # fmt: skip
    rows = tuple(_agreement(graph, made, what, a, found[1][what]) for what, a in found[0].items())
    subject = Subject(
        **_about(graph, batch, target, ends, " and ".join(names)),
        loss="the sum of all outputs" if target is None else chosen.name,
        reduction="sum" if target is None else reduction,
        rule="backpropagation",
    )
    bound = ENGINES_AGREE[str(graph.dtype)] / float(np.finfo(graph.dtype).eps)
    return EngineCertificate(subject, rows, bound)


def _quantities(
    graph: NeuronGraph, made: Plan, engine: Engine, batch: Batch, ends: Any, target: Any,
    loss: Any, reduction: str,
) -> Iterator[tuple[str, np.ndarray]]:  # fmt: skip
    """Yield everything that a run and its gradient find, by name; (T, N, B) arrays are such."""
    at = Parameters.of(graph)
    objective = Objective(made, engine, batch, target, loss, reduction)
    recording = objective.run(at)
    states, outputs = recording._s[1:].of(), recording._y[made.history :].of()
    if not (np.isfinite(states).all() and np.isfinite(outputs).all()):
        raise NeurographError(
            "a state or output is not a finite number: there is nothing to verify"
        )
    yield "states", states
    yield "outputs", outputs
    if target is None:
        shape = batch.steps, len(made.outputs), len(batch.samples)
        given = np.ones(shape, graph.dtype), np.zeros(shape, graph.dtype)
        if ends is not None:
            given[0][:] = np.arange(batch.steps)[:, None, None] < ends
    else:
        measured = objective.measure(recording)
        given = measured.d_output, measured.d_state
    back = engine.backward(made, at, recording._s, recording._y, 0, *given)
    yield "deltas", back.delta.of()
    yield "weight gradients", back.weight
    yield "bias gradients", back.bias
    yield "input gradients", back.inputs


def _agreement(graph: Any, made: Plan, what: str, a: np.ndarray, b: np.ndarray) -> Agreement:
    """Compare one quantity."""
    if not a.size:
        return Agreement(what, 0, 0, 0.0, 0.0, "")
    apart = np.abs(a.astype(np.float64) - b)
    larger = np.maximum(np.abs(a), np.abs(b))
    unit = np.spacing(larger)
    largest = np.spacing(max(larger.max(), a.dtype.type(1)))
    place = np.unravel_index(int(np.argmax(apart)), a.shape)
    return Agreement(
        what,
        a.size,
        int((a == b).sum()),
        float((apart / unit).max()),
        float(apart.max() / largest),
        _where(graph, made, what, tuple(map(int, place))) if apart.max() else "",
    )


def _where(graph: Any, made: Plan, what: str, place: tuple[int, ...]) -> str:
    if what == "weight gradients":
        store = graph._store
        u, v = (store.names[store.synapses.array(end)[place[0]]] for end in ("source", "target"))
        return f"{u!r} -> {v!r}"
    if what == "bias gradients":
        return repr(made.name(place[0]))
    t, j, b = place
    j = int(made.inputs[j]) if what == "input gradients" else j
    return f"{made.name(j)!r}, step {t}, sample {b}"
