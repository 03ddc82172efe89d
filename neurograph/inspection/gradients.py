"""Why `synapse.grad` is what it is: what `backward` or `propagate` found, whichever came last.

A rule with traces meets the δ of this step with what it kept of the steps before; "rtrl" meets the
derivative of the loss with sensitivities; "bptt" goes back through a window, which is unrolled as a
run is. `propagate` has moved the weights since, so those from before are after + rate · gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines import get_engine
from neurograph.engines.base import Parameters, Recording, State
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.asking import ago, last_run, many, tied
from neurograph.inspection.explain import FIRST, Backward, SynapseExplanation, stale
from neurograph.inspection.explanation import Explanation, Part, Section, arrow, closed, short
from neurograph.learning.influences import parameters_of
from neurograph.learning.rules import Rule, get_rule
from neurograph.learning.status import EXACT, Status, gradient_status
from neurograph.schedule import NONE
from neurograph.values import natural

__all__ = ["StepExplanation", "explain_synapse", "how_exact", "status_of", "step_parameters"]

ONLINE = "net.activate(x), net.propagate(rate, target), then explain(), before the next activate"


@dataclass(frozen=True, eq=False, repr=False)
class StepExplanation(Explanation):
    """The gradient that `propagate` found of a weight: what a step met of what was kept.

    Attributes
    ----------
    synapse : Synapse
    gradient : float
        ∂ℓ/∂w of the loss of this step, as the rule finds it: `synapse.grad`.
    rule : str
    step : int
        Since rest, counted from 0.
    status : Status
        Whether the gradient is exact, and why not.
    parts : tuple of Part
        With traces: δ of the target times the eligibility trace, and δ of each neuron that the
        target gates times the extended trace. With "rtrl": the derivative of the loss by each
        output, or by its state, times the sensitivity of that to the weight.
    hops : tuple of Part
        Rule "lstm-g": the same, by where δ of the target comes from in this step. Else the parts.
    title, sections, notes
        See `Explanation`.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("x", "y", {"weight": 2.0}), ("y", "y", {"weight": 0.5})])
    >>> net.inputs, net.outputs, net.nodes["y"].activation = ["x"], ["y"], "identity"
    >>> for x in [1], [1]:
    ...     y = net.activate(x)
    >>> net.propagate(0.1, [1])
    >>> print(net.edges["x", "y"].explain())
    ∂ℓ/∂w of synapse 'x' -> 'y', at step 1 = 3
    <BLANKLINE>
    term by term:
      'y' itself  δ of 'y' · trace of 'x' -> 'y'  = 2 · 1.5   3
      sum                                                     3
    <BLANKLINE>
    where δ of 'y' comes from in this step:
      the loss, at 'y'  trace · ∂ℓ/∂s of 'y'  = 1.5 · 2   3
      sum                                                 3
    The gradient that rule 'lstm-g' finds of it is exact.
    """

    synapse: Synapse
    gradient: float
    rule: str
    step: int
    status: Status
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def hops(self) -> tuple[Part, ...]:
        """The parts, by where δ comes from."""
        return self.sections[-1].parts

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        names = ("synapse", "gradient", "rule", "step")
        return {**{name: getattr(self, name) for name in names}, **self.status._asdict()}


def explain_synapse(
    synapse: Synapse,
    *,
    sample: int | None = None,
    step: int | None = None,
    paths: int = 5,
    terms: int = 20,
) -> SynapseExplanation | StepExplanation:
    """Explain a gradient; see `Synapse.explain`."""
    synapse.require_attached()
    graph = synapse._home.store.graph
    graph.require_own()
    n_paths, limit = natural("paths", paths), natural("terms", terms)
    if not _propagated(graph):
        return Backward(graph, _last_pass(graph), synapse, sample, step).explanation(n_paths, limit)
    if sample is not None or step is not None:
        raise ParameterError(
            "sample= and step= choose from what `backward` went through, but the gradient of"
            f" {synapse} is that of one step of `propagate`: leave them out, or net.forward(X),"
            " then net.backward(target)"
        )
    if get_rule(graph._online.rule).name == "bptt":
        return _Window(graph, synapse).explanation(n_paths, limit)
    return _Step(graph, synapse).explanation(limit)


def _propagated(graph: Any) -> bool:
    """Whether the gradient in the columns is that of `propagate`, and can be explained."""
    online, store, tape = graph._online, graph._store, graph.__dict__.get("_tape")
    current = tape is not None and tape[2:] == (store.version, store.edits)
    if current and tape[0]._pass is not None:
        return False
    if online.taught != store.edits:
        if online.fresh and online.taught >= 0 and not current:
            raise ParameterError(
                "the network was edited, or learned, since `propagate`, so that its gradient does"
                f" not explain how things are now: {ONLINE}; or net.forward(X), then"
                " net.backward(target)"
            )
        return False
    if not online.fresh:
        raise ParameterError(
            "what `propagate` learned from is gone: there was a step, another gradient or a reset"
            f" since. {ONLINE}; or net.forward(X), then net.backward(target)"
        )
    return True


def _last_pass(graph: NeuronGraph) -> Recording:
    """Return the run whose gradient is in the columns."""
    recording = last_run(graph, "gradient", FIRST)
    if recording._delta is None:
        raise ParameterError(f"no backward pass to explain: {FIRST}")
    return recording


# ---------------------------------------------------------------- exact or truncated


def status_of(graph: NeuronGraph, rule: str | Rule, of: Synapse | Neuron) -> Status:
    """Return whether a rule finds the exact gradient of a weight or bias."""
    if isinstance(of, Neuron) and of.role == "input":
        return Status(True, EXACT)
    return gradient_status(graph, rule)[of]


def how_exact(rule: str, status: Status) -> str:
    """Return that in words."""
    how = "exact" if status.exact else f"truncated: {status.reason}"
    return f"The gradient that rule {rule!r} finds of it is {how}."


# ---------------------------------------------------------------- what is kept from step to step


class _Last:
    """The last step of `propagate`, in the order of the plan, with the weights from before it."""

    def __init__(self, graph: Any):
        self.graph, self.online = graph, graph._online
        self.job, self.plan = self.online.job, self.online.job.plan
        self.walk, self.rule = self.job.definition, self.job.rule
        self.step = self.job.steps - 1
        self.inputs = set(self.plan.inputs.tolist())

    @cached_property
    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """∂ℓ/∂y and ∂ℓ/∂s at the outputs."""
        return self.walk.slopes_of(self.online.loss)

    @cached_property
    def before(self) -> Parameters:
        """Weights and biases before the update."""
        found = []
        for after, gradient, trainable in zip(
            self.job.parameters, self.job.gradients, self.job.trainable, strict=True
        ):
            change = self.online.rate * gradient.astype(float)
            found.append(after + (np.where(trainable, change, 0) if len(trainable) else change))
        return Parameters(*found)

    def name(self, j: Any) -> Any:
        """Return the name of a neuron."""
        return self.plan.name(int(j))

    def ends(self, e: int) -> tuple[int, int]:
        """Return source and target of a synapse."""
        plan, n = self.plan, self.plan.n_synapses
        return (int(plan.source[e]), int(plan.target[e])) if e < n else (int(plan.cell[e - n]),) * 2

    def arrow(self, e: int) -> str:
        """Return how a synapse is written."""
        return arrow(*map(self.name, self.ends(e)))

    def title(self, synapse: Synapse, gradient: float) -> str:
        """Return what is explained."""
        return f"∂ℓ/∂w of {synapse}, at step {self.step} = {short(gradient)}"


def step_parameters(graph: Any) -> Parameters:
    """Return weights and biases of the last step of `activate`, whether it was learned from or not.

    If it was learned from twice, or the network was edited since, those of now.
    """
    online = graph._online
    if online.fresh and online.taught == graph._store.edits:
        return _Last(graph).before
    return Parameters.of(graph)


class _Step(_Last):
    """The parts of a gradient that a rule found with what it keeps."""

    def __init__(self, graph: Any, synapse: Synapse):
        super().__init__(graph)
        self.synapse, self.group = synapse, tied(graph, synapse)
        self.shared = len(self.group) > 1

    def explanation(self, limit: int) -> StepExplanation:
        """Split the gradient."""
        gradient, name = float(self.synapse.grad), self.rule.name
        parts = {"lstm-g": self.traces, "rtrl": self.sensitivities, "synaptic": self.sweep}[name]
        ways = [("parts", "term by term", list(parts()))]
        if name == "lstm-g":
            targets = dict.fromkeys(repr(self.name(self.ends(e)[1])) for e in self.group)
            title = f"where δ of {', '.join(targets)} comes from in this step"
            ways.append(("hops", title, list(self.hops())))
        sections = tuple(
            Section(key, title, "", closed(self.whole(found, gradient), limit), gradient)
            for key, title, found in ways
        )
        status = status_of(self.graph, self.rule, self.synapse)
        return StepExplanation(
            self.synapse, gradient, name, self.step, status, self.title(self.synapse, gradient),
            sections, tuple(self.notes(status)),
        )  # fmt: skip

    def whole(self, parts: list[Part], gradient: float) -> list[Part]:
        """Return parts, the largest first, that add up, or raise."""
        own = fsum(part.value for part in parts)
        size = max([1.0, *(abs(part.value) for part in parts)])
        narrow = self.graph.dtype == np.float32
        if abs(gradient - own) > (1e-4 if narrow else 1e-9) * size:
            raise stale(self.synapse, gradient, "the last propagate", own)
        found = sorted(parts, key=lambda part: -abs(part.value))
        if narrow and gradient != own:
            found.append(Part(gradient - own, "round-off of float32"))
        return found

    def notes(self, status: Status) -> Iterator[str]:
        """Yield what the numbers alone do not say."""
        if self.shared:
            yield (
                f"It shares its weight with {many(len(self.group) - 1, 'other synapse')}; the"
                " gradient is that of the group."
            )
        targets = {self.ends(e)[1] for e in self.group}
        if targets <= self.inputs:
            names = ", ".join(repr(self.name(j)) for j in targets)
            yield f"{names} is an input: its output is given, so its δ is 0, equation (4)."
        if self.rule.name == "synaptic":
            yield "Rule 'synaptic' does as Synaptic.js does; it is there for parity."
            if self.group[0] >= self.plan.n_synapses:
                yield "It never learns self-synapses."
        yield how_exact(self.rule.name, status)

    def about(self, e: int, **more: Any) -> dict[str, Any]:
        """Return what else there is to say of a part."""
        return {"synapse": self.graph.edges[tuple(map(self.name, self.ends(e)))], **more}

    def of(self, e: int) -> str:
        """Return which of the tied synapses it is, in words."""
        return f", by {self.arrow(e)}" if self.shared else ""

    # ------------------------------------------------------------ rule "lstm-g"

    def delta(self, j: int) -> float:
        """Return δ_j, what goes through gates included."""
        return float(self.job.shown.delta[j])

    def trace(self, e: int) -> float:
        """Return the eligibility trace of a weight."""
        return float(self.job.eligibility.weight[e])

    def live(self) -> Iterator[tuple[int, int]]:
        """Yield tied synapses and the neurons in which they end, but for inputs."""
        for e in self.group:
            j = self.ends(e)[1]
            if j not in self.inputs:
                yield e, j

    def sources(self, j: int) -> Iterator[tuple[str, str, list[float], dict[str, Any]]]:
        """Yield what makes δ of neuron j within this step, but for its gates."""
        walk, plan, slope = self.walk, self.plan, float(self.walk.f["slope"][j])
        if j in walk.asked:
            d_output, d_state = (float(d[walk.asked[j]]) for d in self.slopes)
            about = {"kind": "loss", "neuron": self.name(j)}
            name = self.name(j)
            yield (
                f"the loss, at {name!r}", f"∂ℓ/∂s of {name!r}", [slope * d_output + d_state], about,
            )  # fmt: skip
        for e in plan.out_synapse[plan.out_indptr[j] : plan.out_indptr[j + 1]].tolist():
            if plan.delay[e]:
                continue
            to = int(plan.target[e])
            letters, numbers = ["f'"], [slope]
            if plan.gater.size and plan.gater[e] != NONE:
                letters.append("γ")
                numbers.append(float(walk.gain(e)))
            letters += ["w", f"δ of {self.name(to)!r}"]
            numbers += [float(self.before.weight[e]), self.delta(to)]
            yield f"through {self.arrow(e)}", " · ".join(letters), numbers, {"kind": "synapse"}

    def gates(self, e: int, j: int) -> Iterator[Part]:
        """Yield what comes through the gates of neuron j: δ · extended trace of each gated one."""
        for _, t, extended in self.walk.pairs(j):
            numbers = self.delta(t), float(extended[parameters_of(self.plan, j).index(e)])
            name, gated = self.name(j), self.name(t)
            yield Part(
                numbers[0] * numbers[1], f"through gates of {name!r} into {gated!r}{self.of(e)}",
                f"δ of {gated!r} · extended trace of {self.arrow(e)}", numbers,
                self.about(e, kind="gate", neuron=gated),
            )  # fmt: skip

    def traces(self) -> Iterator[Part]:
        """Yield δ · trace: of the target without its gates, and of each neuron that it gates."""
        for e, j in self.live():
            sent = fsum(float(np.prod(numbers)) for _, _, numbers, _ in self.sources(j))
            gated = list(self.gates(e, j))
            without = " without its gates" if gated else ""
            yield Part(
                sent * self.trace(e), f"{self.name(j)!r} itself{self.of(e)}",
                f"δ of {self.name(j)!r}{without} · trace of {self.arrow(e)}", (sent, self.trace(e)),
                self.about(e, kind="trace", neuron=self.name(j)),
            )  # fmt: skip
            yield from gated

    def hops(self) -> Iterator[Part]:
        """Yield the same, by where δ of the target comes from."""
        for e, j in self.live():
            for what, letters, factors, about in self.sources(j):
                numbers = (self.trace(e), *factors)
                yield Part(float(np.prod(numbers)), f"{what}{self.of(e)}", f"trace · {letters}",
                           numbers, self.about(e, **about))  # fmt: skip
            yield from self.gates(e, j)

    # ------------------------------------------------------------ other rules

    def sensitivities(self) -> Iterator[Part]:
        """Yield derivatives of the loss times sensitivities to the weight: rule "rtrl"."""
        fields = self.job.fields
        for e in self.group:
            for o, j in enumerate(self.plan.outputs.tolist()):
                name = self.name(j)
                for letter, slopes, kept in (
                    ("y", self.slopes[0], fields["dy"][-1]),
                    ("s", self.slopes[1], fields["ds"]),
                ):
                    numbers = float(slopes[o]), float(kept[j, e])
                    if not any(slopes):
                        continue
                    yield Part(
                        numbers[0] * numbers[1], f"at output {name!r}{self.of(e)}",
                        f"∂ℓ/∂{letter} of {name!r} · ∂{letter}/∂w", numbers,
                        self.about(e, kind="sensitivity", neuron=name),
                    )  # fmt: skip

    def sweep(self) -> Iterator[Part]:
        """Yield -responsibility · trace, as the sweep has left them: rule "synaptic"."""
        fields = self.job.fields
        for e, j in self.live():
            if e >= self.plan.n_synapses:
                continue
            name, numbers = self.name(j), (-float(fields["projected"][j]), self.trace(e))
            yield Part(
                numbers[0] * numbers[1], f"{name!r} itself",
                f"-responsibility of {name!r} · trace of {self.arrow(e)}", numbers,
                self.about(e, kind="trace", neuron=name),
            )  # fmt: skip
            for _, t, extended in self.walk.pairs(j):
                at = parameters_of(self.plan, j).index(e)
                # A target that is visited after j has its responsibility of the sweep before then.
                which, ago = ("met", " of the sweep before") if t < j else ("responsibility", "")
                numbers = -float(fields[which][t]), float(extended[at])
                yield Part(
                    numbers[0] * numbers[1], f"through gates of {name!r} into {self.name(t)!r}",
                    f"-responsibility{ago} of {self.name(t)!r} · extended trace of {self.arrow(e)}",
                    numbers, self.about(e, kind="gate", neuron=self.name(t)),
                )  # fmt: skip


# ---------------------------------------------------------------- a window of steps


class _Window(Backward):
    """The gradient of rule "bptt": that of a run through the steps that it keeps."""

    source = "the last propagate"

    def __init__(self, graph: Any, synapse: Synapse):
        self.last = last = _Last(graph)
        job, plan = last.job, last.plan
        states, outputs, steps, *given = job.tape(*last.slopes)
        since = job.steps - steps
        before = Parameters(*(a.astype(graph.dtype) for a in last.before))
        work = steps * (plan.n_synapses + plan.n_memories + plan.n_neurons)
        engine = get_engine(graph.engine, work)
        found = engine.backward(plan, before, states, outputs, since, *given)
        start = State(np.empty(0), np.empty(0), since, (), plan.neuron)
        recording = Recording(plan, states, outputs, start, (1, steps))
        recording._delta, recording._pass = found.delta, (given[0], given[1], False)
        super().__init__(graph, recording, synapse, parameters=last.before)

    def explanation(self, n_paths: int, limit: int) -> SynapseExplanation:
        """Split the gradient three times, as that of a run."""
        found = super().explanation(n_paths, limit)
        name, status = self.last.rule.name, status_of(self.graph, self.last.rule, self.synapse)
        window = f"It went back through {many(self.run.steps, 'step')}; step 0 is the first."
        made = dict(found.__dict__)
        made |= {"status": status, "notes": (*found.notes, window, how_exact(name, status))}
        return SynapseExplanation(**made)

    def title(self, gradient: float) -> str:
        """Return what is explained."""
        return self.last.title(self.synapse, gradient)

    def when(self, t: int, b: int) -> list[str]:
        """Return which step of the window it is, in words."""
        return [ago(self.run.steps - 1 - t).strip() or "this step"]
