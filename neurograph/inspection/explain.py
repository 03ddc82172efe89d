"""Why the gradient of a backward pass is what it is, in numbers that add up.

Nothing is run again. Numbers in brackets are the equations of docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np

from neurograph.elements import Synapse
from neurograph.engines.base import Parameters, Recording
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.inspection.asking import ago, chosen, later, many, tied
from neurograph.inspection.explanation import Explanation, Part, Section, arrow, closed, short
from neurograph.inspection.paths import Path, count_paths, strongest_paths
from neurograph.inspection.unrolled import GATE, MEMORY, Hop, Unrolled
from neurograph.learning.status import EXACT, Status

__all__ = ["FIRST", "Backward", "SynapseExplanation"]

ALWAYS = Status(True, EXACT)
KINDS = ("synapse", "gate", "memory")  # of hops
FIRST = "net.forward(X), then net.backward(target), then explain(); or explain() after propagate"


@dataclass(frozen=True, eq=False, repr=False)
class SynapseExplanation(Explanation):
    """The gradient of a synapse, three times split into parts that add up to it.

    Attributes
    ----------
    synapse : Synapse
    gradient : float
        ∂L/∂w: `synapse.grad`; or the share of the sample and step that was asked for.
    parts : tuple of Part
        Equation (7), term by term: δ of the target, gain, and what the source gave.
    hops : tuple of Part
        Where δ comes from, equations (5) and (6): the loss itself, each synapse and gate of the
        target, its memory.
    paths : tuple of Part
        The strongest paths to the loss, and the remainder.
    by_step, by_sample : (T,), (B,) arrays
        The gradient by steps, and by samples.
    n_paths : int
        How many paths there are; if synapses are tied, of all of them.
    others_at_most : float
        What any path that is not listed carries at most, in absolute value.
    status : Status
        Whether the gradient is exact, which that of `backward` always is.
    title, sections, notes
        See `Explanation`.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> y = net.forward([[0, 1], [1, 1]])
    >>> loss = net.backward([[1], [0]])
    >>> e = net.edges["input.1", "hidden.0"].explain()
    >>> [p.what for p in e.parts], len(e.hops), e.n_paths
    (['sample 0', 'sample 1'], 1, 1)
    >>> bool(abs(sum(p.value for p in e.parts) - e.gradient) < 1e-15)
    True
    """

    synapse: Synapse
    gradient: float
    by_step: np.ndarray
    by_sample: np.ndarray
    n_paths: int
    others_at_most: float
    title: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    status: Status = ALWAYS

    @property
    def hops(self) -> tuple[Part, ...]:
        """Where δ comes from."""
        return self.section("hops").parts

    @property
    def paths(self) -> tuple[Part, ...]:
        """The strongest paths, and the remainder."""
        return self.section("paths").parts

    def facts(self) -> dict[str, Any]:
        """Return what the dict says before the sections."""
        return {
            "synapse": self.synapse,
            "gradient": self.gradient,
            "by_step": self.by_step.tolist(),
            "by_sample": self.by_sample.tolist(),
            "n_paths": self.n_paths,
            "others_at_most": self.others_at_most,
        }


def stale(synapse: Synapse, now: float, source: str, made: float) -> ParameterError:
    """Return what says that a gradient is no longer the one that was found."""
    return ParameterError(
        f"the gradient of {synapse} is {now:g} now, and {source} made it {made:g}: {FIRST}"
    )


class Backward:
    """What explaining one gradient needs: the run, its δ, and what the synapse feeds in.

    Parameters
    ----------
    graph : Network
    recording : Recording
        With δ of a backward pass.
    synapse : Synapse
    sample, step : int, optional
    parameters : Parameters, optional
        With which the pass was made; those of the network unless given.
    """

    source = "the last backward pass"  # of the gradient

    def __init__(
        self,
        graph: NeuronGraph,
        recording: Recording,
        synapse: Synapse,
        sample: Any = None,
        step: Any = None,
        parameters: Parameters | None = None,
    ):
        self.graph, self.synapse = graph, synapse
        self.plan = recording.plan
        assert recording._delta is not None and recording._pass is not None
        d_output, d_state, self.adds = recording._pass
        steps = chosen("step", step, recording.steps)
        samples = chosen("sample", sample, recording._s.samples)
        self.first_sample = samples.start or 0
        s, y = (signals.of()[..., samples] for signals in (recording._s, recording._y))
        before = recording._start.steps
        self.run = Unrolled(self.plan, parameters or Parameters.of(graph), s, y, before)
        self.delta = np.asarray(recording._delta.of()[..., samples], float)
        self.loss = {
            j: self.run.slope(j) * d_output[:, o, samples] + d_state[:, o, samples]
            for o, j in enumerate(self.plan.outputs.tolist())
        }
        self.whole = sample is None and step is None
        self.steps = range(recording.steps)[steps]
        self.fed = {e: self.feed(e) for e in tied(graph, synapse)}
        self.cells = {e: fed * self.delta[:, self.run.target(e)] for e, fed in self.fed.items()}

    def feed(self, e: int) -> np.ndarray:
        """Return γ_e(t) times what e reads, at the steps that were asked for."""
        gain, read = self.run.over_time(e)
        counts = np.zeros((self.run.steps, 1))
        counts[list(self.steps)] = 1
        return counts * gain * read

    # ------------------------------------------------------------ the explanation

    def explanation(self, n_paths: int, limit: int) -> SynapseExplanation:
        """Split the gradient three times."""
        cells = np.array(list(self.cells.values()))
        own = fsum(cells.ravel())
        gradient = float(self.synapse.grad) if self.whole else own
        size = float(np.abs(cells).sum())
        found = strongest_paths(self.run, self.loss, self.fed.items(), n_paths)
        listed = [self.path(path) for path in found.paths]
        total, hops = self.count(), self.hops()
        rest = Part(
            own - fsum(p.value for p in listed),
            f"remainder: {'all other paths' if len(listed) < total else 'rounding'}",
        )
        ways = (
            ("parts", "term by term", "equation (7)", self.terms(cells, limit), own),
            ("hops", f"where δ of {self.targets()} comes from (x: what the synapse feeds in)",
             "equations (5) and (6)", closed(hops, limit), fsum(p.value for p in hops)),
            ("paths", f"the strongest of {many(total, 'path')} to the loss", "",
             (*listed, rest), own),
        )  # fmt: skip
        sections = tuple(
            Section(
                name,
                title,
                equations,
                (*parts, *self.besides(gradient, found_here, size)),
                gradient,
            )
            for name, title, equations, parts, found_here in ways
        )
        return SynapseExplanation(
            self.synapse, gradient, cells.sum((0, 2)), cells.sum((0, 1)), total,
            found.others_at_most, self.title(gradient), sections, tuple(self.notes(found)),
        )  # fmt: skip

    def title(self, gradient: float) -> str:
        """Return what is explained."""
        where = "" if self.whole else f", {self.where()}"
        return f"∂L/∂w of {self.synapse}{where} = {short(gradient)}"

    def where(self) -> str:
        """Return which sample and step were asked for."""
        found = [f"sample {self.first_sample}"] if self.run.samples == 1 else []
        if len(self.steps) == 1 < self.run.steps:
            found.append(f"step {self.steps[0]}")
        return ", ".join(found)

    def targets(self) -> str:
        """Return the names of the neurons in which the group ends."""
        return ", ".join(dict.fromkeys(repr(self.name(self.run.target(e))) for e in self.fed))

    def besides(self, gradient: float, own: float, size: float) -> list[Part]:
        """Return what is in the gradient besides the terms of this pass."""
        missing = gradient - own
        if self.adds and self.whole:
            return [Part(missing, "from earlier backward passes (accumulate=True)")]
        narrow = self.graph.dtype == np.float32
        if abs(missing) > (1e-4 if narrow else 1e-9) * max(1.0, size):
            raise stale(self.synapse, gradient, self.source, own)
        return [Part(missing, "round-off of float32")] if narrow and missing else []

    def group_is_live(self) -> bool:
        """Whether any of the group ends in a neuron that has a δ."""
        return any(self.run.target(e) not in self.run.inputs for e in self.fed)

    def notes(self, found: Any) -> Iterator[str]:
        """Yield what the numbers alone do not say."""
        if self.synapse.tie is not None and len(self.fed) > 1:
            yield (
                f"It shares its weight with {many(len(self.fed) - 1, 'other synapse')}; the"
                " gradient is that of the group."
            )
        if not self.group_is_live():
            yield f"{self.targets()} is an input: its output is given, so its δ is 0, equation (4)."
        weakest = abs(found.paths[-1].value) if found.paths else 0.0
        if found.others_at_most > weakest and found.paths:
            yield (
                "The search ended early: there may be stronger paths, none of which carries more"
                f" than {short(found.others_at_most)}."
            )

    # ------------------------------------------------------------ equation (7)

    def terms(self, cells: np.ndarray, limit: int) -> tuple[Part, ...]:
        """Return δ · γ · y of each tied synapse, step and sample; the largest if there are many."""
        asked = np.zeros(cells.shape, bool)
        asked[:, list(self.steps)] = True
        where = np.argwhere(asked)
        size = np.abs(cells[asked])
        order = np.argsort(-size, kind="stable")
        too_many = len(where) > limit + 1
        kept = np.sort(order[:limit]) if too_many else order[np.argsort(order)]
        group = list(self.fed)
        parts = [self.term(group[g], int(t), int(b)) for g, t, b in where[kept]]
        if too_many:
            rest = fsum(cells[tuple(where[order[limit:]].T)])
            n = len(where) - limit
            parts.append(Part(rest, f"the other {n} terms together", about={"others": n}))
        return tuple(parts)

    def term(self, e: int, t: int, b: int) -> Part:
        """Return one term of equation (7)."""
        gain, read = (float(a[t, b]) for a in self.run.over_time(e))
        source, target = self.ends(e)
        delta = float(self.delta[t, self.run.target(e), b])
        state = e >= self.plan.n_synapses
        d = 1 if state else int(self.plan.delay[e])
        gated = self.plan.gater.size and self.plan.gater[e] < self.plan.n_neurons
        letters = [f"δ of {target!r}", f"{'state' if state else 'output'} of {source!r}{ago(d)}"]
        numbers = [delta, read]
        if gated:
            late = int(self.plan.gate_delay[e])
            letters.insert(1, f"γ of {self.name(self.plan.gater[e])!r}{ago(late)}")
            numbers.insert(1, gain)
        what = self.when(t, b)
        what += [arrow(source, target)] if len(self.fed) > 1 else []
        about = {"sample": self.first_sample + b, "step": t, "synapse": self.handle(e)}
        value = float(self.cells[e][t, b])
        return Part(value, ", ".join(what), " · ".join(letters), tuple(numbers), about)

    def when(self, t: int, b: int) -> list[str]:
        """Return which step of which sample it is, in words."""
        return [f"sample {self.first_sample + b}"] + [f"step {t}"] * (self.run.steps > 1)

    # ------------------------------------------------------------ equations (5) and (6)

    def hops(self) -> list[Part]:
        """Return the gradient by the terms of δ, the largest first."""
        fed: dict[int, Any] = {}
        for e, values in self.fed.items():
            j = self.run.target(e)
            fed[j] = fed.get(j, 0) + values
        found = []
        for j, values in fed.items():
            if j in self.run.inputs:
                continue
            if j in self.loss:
                found.append(self.at_the_loss(j, values))
            for hop in self.run.hops(j):
                if hop.shift < self.run.steps:
                    found.append(self.hop(j, hop, values))
        return sorted(found, key=lambda part: -abs(part.value))

    def at_the_loss(self, j: int, fed: np.ndarray) -> Part:
        """Return what the loss itself gives to an output."""
        name, t = self.name(j), self.steps[0]
        one = self.run.samples == 1 and len(self.steps) == 1
        numbers = (float(fed[t, 0]), float(self.loss[j][t, 0])) if one else ()
        value, about = float((fed * self.loss[j]).sum()), {"kind": "loss", "neuron": name}
        return Part(value, f"the loss, at {name!r}", f"x · ∂ℓ/∂s of {name!r}", numbers, about)

    def hop(self, j: int, hop: Hop, fed: np.ndarray) -> Part:
        """Return what comes back over one hop."""
        arriving = self.run.factor(j, hop) * self.delta[hop.shift :, hop.to]
        value = float((fed[: len(arriving)] * arriving).sum())
        source, target = self.ends(hop.e)
        when = later(hop.shift)
        letters = ["x", "f'", "w", f"δ of {self.name(hop.to)!r}{when}"]
        if hop.kind == GATE:
            what = f"through the gate on {arrow(source, target)}{when}"
            letters.insert(3, f"{'state' if self.reads_state(hop.e) else 'output'} of {source!r}")
        else:
            what = (
                f"through {'its own state' if hop.kind == MEMORY else arrow(source, target)}{when}"
            )
            if self.is_gated(hop.e):
                letters.insert(2, "γ")
        if hop.kind == MEMORY:
            letters.remove("f'")
        about = {"kind": KINDS[hop.kind], "synapse": self.handle(hop.e), "later": hop.shift}
        numbers = self.numbers_of_hop(j, hop, fed)
        return Part(value, what, " · ".join(letters), numbers, about)

    def numbers_of_hop(self, j: int, hop: Hop, fed: np.ndarray) -> tuple[float, ...]:
        """Return the factors of a hop, if it is one product: of one sample and one step."""
        t = self.steps[0]
        if self.run.samples > 1 or len(self.steps) > 1 or t + hop.shift >= self.run.steps:
            return ()
        e, when = np.array([hop.e]), np.array([t + hop.shift])
        found = [float(fed[t, 0])]
        if hop.kind != MEMORY:
            found.append(float(self.run.slope(j)[t, 0]))
        if hop.kind != GATE and self.is_gated(hop.e):
            found.append(float(self.run.gain(e, when)[0, 0]))
        found.append(float(self.run.w[hop.e]))
        if hop.kind == GATE:
            found.append(float(self.run.read(e, when)[0, 0]))
        return (*found, float(self.delta[t + hop.shift, hop.to, 0]))

    # ------------------------------------------------------------ paths

    def path(self, path: Path) -> Part:
        """Return a path as a part."""
        text = " ".join([repr(self.name(path.start)), *(self.leg(hop) for hop in path.hops)])
        if len(self.fed) > 1:
            text = f"({arrow(*self.ends(path.begin))}) {text}"
        about = {
            "neurons": [self.name(path.start), *(self.name(hop.to) for hop in path.hops)],
            "synapses": [self.handle(e) for e in (path.begin, *(hop.e for hop in path.hops))],
            "kinds": [KINDS[hop.kind] for hop in path.hops],
            "later": sum(hop.shift for hop in path.hops),
        }
        return Part(path.value, f"{text} -> loss", about=about)

    def leg(self, hop: Hop) -> str:
        """Return a hop as it is written in a path."""
        inside = []
        if hop.kind == GATE:
            inside.append(f"gates {self.name(self.run.source(hop.e))!r}")
        if hop.kind == MEMORY:
            inside.append("state")
        if hop.shift:
            inside.append(f"(+{hop.shift})")
        shaft = f"-{' '.join(inside)}" if inside else ""
        return f"{shaft}-> {self.name(hop.to)!r}"

    def count(self) -> int:
        """Return how many paths there are to what is asked."""
        asked = {
            j: {int(t) - u for t in np.flatnonzero(values.any(1)) for u in self.steps}
            for j, values in self.loss.items()
        }
        return count_paths(self.run, asked, [self.run.target(e) for e in self.fed])

    # ------------------------------------------------------------ names

    def name(self, j: Any) -> Any:
        """Return the name of a neuron of the plan."""
        return self.plan.name(int(j))

    def ends(self, e: int) -> tuple[Any, Any]:
        """Return the names of source and target."""
        return self.name(self.run.source(e)), self.name(self.run.target(e))

    def handle(self, e: int) -> Synapse:
        """Return the synapse of this number."""
        return self.graph.edges[self.ends(e)]

    def reads_state(self, e: int) -> bool:
        """Whether the synapse passes on a state."""
        return e >= self.plan.n_synapses

    def is_gated(self, e: int) -> bool:
        """Whether something gates the synapse."""
        return bool(self.plan.gater.size) and bool(self.plan.gater[e] < self.plan.n_neurons)
