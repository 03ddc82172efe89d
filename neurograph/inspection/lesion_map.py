"""The lesion map: what the loss would be without each synapse, and without each neuron.

Of a synapse into neuron j only the contribution to the state of j changes, so everything that
is not downstream of j is as it was. What is downstream runs once more, with (synapses into j) ×
samples side by side. Nothing is written into the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from neurograph.engines import get_engine
from neurograph.engines.base import Engine, Parameters
from neurograph.engines.pool import run_all
from neurograph.graph import NeuronGraph
from neurograph.inspection.curvature import NoMinimum, is_wanted, surgeon
from neurograph.inspection.downstream import Arc, Base, Map, Visit
from neurograph.inspection.lanes import Cuts, Tangent, Walked
from neurograph.inspection.lesions import LesionMap, Lesions
from neurograph.learner import work
from neurograph.learning.losses import Loss, get_loss
from neurograph.lessons import Lessons
from neurograph.schedule import Plan, plan
from neurograph.values import flag, positive

__all__ = ["lesion_map"]

LANES = 2**15  # pairs of a lesion and a sample that run side by side
SHARE, PIECES = 2**12, 16  # fewer lanes are not shared out; others go in so many pieces
ROOM = 2**22  # numbers that lanes keep of the steps that they look back to
BLOCK = 2**21  # numbers that a run of the whole network keeps


def lesion_map(
    graph: NeuronGraph,
    X: Any,
    Y: Any,
    *,
    loss: str | Loss = "squared_error",
    lengths: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    obs: bool | None = None,
    damping: float = 1e-6,
    engine: str | Engine = "auto",
) -> LesionMap:
    """Remove every synapse and every neuron singly; see `Network.lesion_map`."""
    made, chosen = plan(graph), get_loss(loss)
    damping = positive("damping", damping)
    wanted, note = is_wanted(made, None if obs is None else flag("obs", obs))
    lessons = Lessons.of(made, np.dtype(float), X, Y, chosen, lengths, sample_weight, class_weight)
    lesions = made.n_synapses + made.n_memories + made.n_neurons
    executor = get_engine(engine, work(made, lessons.batch) * lesions)
    job = _Job(graph, made, executor, lessons, chosen)
    surgery = None
    if wanted:
        try:
            surgery = surgeon(made, job.parameters, job.gradient, damping)
        except NoMinimum as error:
            if obs:
                raise
            note = str(error)
    for base in job.bases():
        job.measure(base)
    return job.result(surgery, note)


class _Job:
    """One lesion map: what it is of, and the sums so far, in the order of the plan."""

    def __init__(
        self, graph: NeuronGraph, made: Plan, engine: Engine, lessons: Lessons, loss: Loss
    ):
        self.graph, self.plan, self.engine = graph, made, engine
        self.lessons, self.loss = lessons, loss
        # In float64 whatever the network is in: what one synapse does is a small difference.
        self.parameters = Parameters(*(a.astype(float) for a in Parameters.of(graph)))
        self.rows = graph._store.synapses.row_of[graph.synapse_ids()]
        self.map = Map(made, lessons.batch.steps, self.parameters.weight)
        self.compiled = engine is not get_engine("walker")
        asked = (~np.isnan(lessons.targets)).any(2).sum(1)
        given = np.ones(len(asked)) if lessons.weight is None else lessons.weight
        self.asked = float(given @ asked) or 1.0
        total = made.n_synapses + made.n_memories
        self.value = 0.0
        self.exact, self.slope, self.bend = np.zeros((3, total))
        self.neuron = np.zeros((3, made.n_neurons))  # exact, first and second derivative

    # ------------------------------------------------------------ samples

    def bases(self, parameters: Parameters | None = None) -> Iterator[Base]:
        """Run the network on all samples, some at a time."""
        n, steps = len(self.lessons.targets), self.lessons.batch.steps
        kept = self.plan.n_neurons * (self.plan.history + steps)
        at_once = max(1, min(LANES, BLOCK // kept))
        given = self.parameters if parameters is None else parameters
        for first in range(0, n, at_once):
            some = self.lessons.part(np.arange(first, min(first + at_once, n)))
            yield Base(self.graph, self.plan, given, self.engine, some, self.loss)

    def gradient(self, parameters: Parameters) -> Parameters:
        """Return the gradient of the mean loss, of each synapse alone where tied."""
        weight, bias = np.zeros_like(parameters.weight), np.zeros_like(parameters.bias)
        for base in self.bases(parameters):
            found = base.adjoint
            weight += found.weight
            bias += found.bias
        return Parameters(weight / self.asked, bias / self.asked)

    # ------------------------------------------------------------ lesions

    def measure(self, base: Base) -> None:
        """Add what lesions do to the loss of some samples."""
        self.value += base.found.value
        self.slope += base.adjoint.weight
        lanes = Walked(base)
        if self.compiled:
            from neurograph.inspection.compiled_lanes import Compiled  # which takes numba

            lanes = Compiled(base)
        for pieces in self.bundles(lanes):
            for into, where, values in self.done(pieces):
                into[where] += values

    def done(self, pieces: Sequence[Callable[[], list[tuple]]]) -> Iterator[tuple]:
        """Do pieces of work, and yield what they found, in their order.

        Kernels on all threads; arrays of NumPy take too short a time for that.
        """
        if not self.compiled:
            for piece in pieces:
                yield from piece()
            return
        found: list[list[tuple]] = [[] for _ in pieces]

        def do(k: int) -> None:
            found[k] = pieces[k]()

        run_all([partial(do, k) for k in range(len(pieces))])
        yield from chain(*found)

    def bundles(self, lanes: Walked) -> Iterator[Sequence[Callable[[], list[tuple]]]]:
        """Yield the work at neurons that reach the same, in pieces."""
        base, outputs = lanes.base, set(self.plan.outputs.tolist())
        for visits, neurons in self.map.bundles():
            kept = base.steps * len(outputs) if self.compiled else len(visits) * (base.h + 1)
            arcs = [(m, arc) for m in neurons for arc in self.map.into[m]]
            silent = [m for m in neurons if m not in outputs]
            pieces: list[Callable[[], list[tuple]]] = []
            jobs: list[tuple[Callable, list]] = [
                (self.without_synapses, arcs),
                (self.without_neurons, silent),
            ]
            for do, given in jobs:
                share = max(SHARE, len(given) * base.samples // PIECES)  # for every thread some
                at_once = max(1, min(LANES, ROOM // kept, share) // base.samples)
                for first in range(0, len(given), at_once):
                    pieces.append(partial(do, lanes, visits, given[first : first + at_once]))
            if base.steps == 1 and arcs:
                pieces.append(partial(self.curvatures_in_one_step, base, visits, neurons[0]))
            yield pieces

    def without_synapses(
        self,
        lanes: Walked,
        visits: tuple[Visit, ...],
        arcs: list[tuple[int, Arc]],
    ) -> list[tuple]:
        """Return what lesions of some synapses do, each given with its target: sums of samples."""
        base = lanes.base
        moved = np.zeros((len(arcs), base.samples), bool)  # else nothing comes from there
        for t in range(base.steps):
            moved |= np.array([base.input(arc, m, t) for m, arc in arcs]) != 0
        cuts = Cuts.where(moved, [m for m, _ in arcs], [arc for _, arc in arcs])
        if not len(cuts):
            return []
        where = np.array([arc.e for _, arc in arcs])
        found = [(self.exact, where, cuts.total(lanes.removal(visits, cuts)))]
        if base.steps > 1:
            found.append((self.bend, where, cuts.total(lanes.tangent(visits, cuts)[1])))
        return found

    def curvatures_in_one_step(self, base: Base, visits: tuple[Visit, ...], j: int) -> list[tuple]:
        """Return ∂²L/∂w² of all synapses into neuron j, which are x² ∂²L/∂s_j² where each one
        acts only once.
        """
        arcs = self.map.into[j]
        cuts = Cuts.where(np.ones((1, base.samples), bool), [j])
        _, by_state = Tangent(base, visits, cuts).run(lambda t: np.ones(base.samples))
        given = (base.input(arc, j, 0) for arc in arcs)
        with np.errstate(all="ignore"):
            found = [(x * by_state * x).sum() for x in given]  # x² may be infinite where h is 0
        return [(self.bend, np.array([arc.e for arc in arcs]), np.array(found))]

    def without_neurons(
        self, lanes: Walked, visits: tuple[Visit, ...], neurons: list[int]
    ) -> list[tuple]:
        """Return what lesions of neurons do, and how the loss depends on their strength."""
        base = lanes.base
        cuts = Cuts.where((base.y[base.h :, neurons] != 0).any(0), neurons)
        if not len(cuts):
            return []
        found = lanes.removal(visits, cuts), *lanes.tangent(visits, cuts)
        sums = np.array([cuts.total(values) for values in found])
        return [(self.neuron, (slice(None), neurons), sums)]

    # ------------------------------------------------------------ the table

    def result(self, surgery: np.ndarray | None, note: str) -> LesionMap:
        """Return the table in networkx's order."""
        graph, w = self.graph, self.parameters.weight
        scale = 1 / self.asked
        exact = np.where(np.isfinite(self.exact), self.exact, np.inf)
        numbers = _columns(exact * scale, -w * self.slope * scale, self.bend * scale, w)
        if surgery is not None:
            numbers["obs"] = surgery
        pairs = [*zip(*graph.edges, strict=True)] or [(), ()]
        keys = {"source": list(pairs[0]), "target": list(pairs[1])}
        found = LesionMap("synapse", keys, {n: a[self.rows] for n, a in numbers.items()})
        found.loss, found.loss_name, found.note = self.value * scale, self.loss.name, note
        found.neurons = self.neurons(scale)
        return found

    def neurons(self, scale: float) -> Lesions:
        """Return the table of neurons; outputs are asked, so they cannot be removed."""
        outputs = set(self.plan.outputs.tolist())
        names = [n for n in self.graph if self.plan.position[n] not in outputs]
        rows = np.array([self.plan.position[n] for n in names], int)
        exact, slope, bend = self.neuron[:, rows] * scale
        exact = np.where(np.isfinite(exact), exact, np.inf)
        numbers = _columns(exact, -slope, bend, np.ones(len(rows)))
        return Lesions("neuron", {"neuron": names}, numbers)


def _columns(
    exact: np.ndarray, first_order: np.ndarray, curvature: np.ndarray, w: np.ndarray
) -> dict[str, np.ndarray]:
    return {
        "exact": exact,
        "first_order": first_order,
        "obd": curvature * w * w / 2,
        "curvature": curvature,
    }
