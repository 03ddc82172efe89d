"""The online state of a network: what `activate` keeps from step to step, and `propagate` uses.

It belongs to neurons and synapses, not to rows: after an edit of the topology whoever is still
there goes on with what it had.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines import SMALL, get_engine
from neurograph.engines.base import Parameters, real_array
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.learning.losses import Loss, get_loss
from neurograph.learning.rules import Field, Rule, get_rule
from neurograph.learning.stepping import Job, Shown, Stepper, walk
from neurograph.schedule import Plan, plan
from neurograph.values import number

__all__ = ["ExtendedTrace", "Online"]


class ExtendedTrace(NamedTuple):
    """What the state of a neuron owes to a parameter of the neuron that gates it.

    gater, target : names; of : the synapse, or the gater itself for its bias; value : float
    """

    gater: Hashable
    target: Hashable
    of: Synapse | Neuron
    value: float


class Online:
    """What a network keeps between steps, and what takes it one step further.

    Attributes
    ----------
    rule : str or Rule
        As it was given.
    steps, taped : int
        Since rest, and since the traces were cleared.
    """

    def __init__(self, rule: str | Rule = "lstm-g"):
        get_rule(rule)
        self.rule = rule
        self.steps = self.taped = 0
        self.fields: dict[str, np.ndarray] = {}
        self.keys: dict[str, np.ndarray] = {}
        self.version = self.edits = -1
        self.visits = 0
        self.engine = ""
        self.job: Job | None = None
        self.stepper: Stepper | None = None

    # ------------------------------------------------------------ what users ask for

    def activate(self, graph: NeuronGraph, x: Any) -> np.ndarray:
        """Do one step with inputs x (n_in,); return the outputs (n_out,)."""
        self.open(graph, 1)
        job, stepper = self._working()
        job.x[:] = self._row("x", x, len(job.x), job.x.dtype)
        if not np.isfinite(job.x).all():
            i = np.flatnonzero(~np.isfinite(job.x))[0]
            raise NonFiniteError(
                f"x holds {job.x[i]} for input {job.plan.name(job.plan.inputs[i])!r};"
                " inputs must be finite numbers"
            )
        stepper.activate()
        self.steps, self.taped = job.steps, job.taped
        return job.outputs.copy()

    def propagate(self, graph: NeuronGraph, rate: float, target: Any, loss: str | Loss) -> None:
        """Learn from the last step."""
        self.require_step(graph)
        self.open(graph, 1)
        job, stepper = self._working()
        chosen = self._loss(loss)
        rate = number("rate", rate)
        n_out = len(job.target)
        if not n_out:
            raise ParameterError("the network has no outputs to propagate from")
        row = [target] if n_out == 1 and np.ndim(target) == 0 else target
        job.target[:] = chosen.prepare(row, (), n_out)[0, 0]
        stepper.propagate(rate, chosen)
        graph._store.edits += 1
        self.edits = graph._store.edits

    def learn(
        self, graph: NeuronGraph, X: Any, Y: Any, rate: float, loss: str | Loss
    ) -> np.ndarray:
        """Activate and propagate, step by step; return the outputs (T, n_out)."""
        self.open(graph, np.shape(X)[0] if np.ndim(X) else 1)
        job, stepper = self._working()
        chosen, rate = self._loss(loss), number("rate", rate)
        x = real_array("X", X, job.x.dtype)
        if x.ndim != 2 or x.shape[1] != len(job.x):
            raise ShapeError(f"X must have shape (steps, {len(job.x)}); got {x.shape}")
        if not np.isfinite(x).all():
            t, i = np.argwhere(~np.isfinite(x))[0]
            raise NonFiniteError(f"X holds {x[t, i]} at step {t}; inputs must be finite numbers")
        target = chosen.prepare(Y, (len(x),), len(job.target))[:, 0]
        outputs = np.zeros((len(x), len(job.target)), job.x.dtype)
        try:
            stepper.learn(np.ascontiguousarray(x), np.ascontiguousarray(target), rate, chosen,
                          outputs)  # fmt: skip
        finally:
            self.steps, self.taped = job.steps, job.taped
            graph._store.edits += 1
            self.edits = graph._store.edits
        return outputs

    def clear_traces(self, graph: NeuronGraph) -> None:
        """Set traces and responsibilities to 0; states, outputs and gains stay."""
        for name in ("extended", "responsibility", "projected", "gated", "ds", "dy"):
            if name in self.fields:
                self.fields[name][:] = 0
        for table in (graph._store.neurons, graph._store.synapses):
            if "eligibility" in table.arrays:
                table.array("eligibility")[:] = 0
        self.taped, self.edits = 0, -1

    def extended_traces(self, graph: NeuronGraph) -> list[ExtendedTrace]:
        """Return the extended traces."""
        store, keys = graph._store, self.keys.get("extended", np.empty((0, 3), int))
        values = self.fields.get("extended", np.empty(0)).tolist()
        synapses = dict(zip(graph.synapse_ids().tolist(), graph.edges(data=True), strict=True))
        return [
            ExtendedTrace(
                store.names[k],
                store.names[t],
                graph.nodes[store.names[~of]] if of < 0 else synapses[of][2],
                value,
            )
            for (k, t, of), value in zip(keys.tolist(), values, strict=True)
            if of < 0 or of in synapses
        ]

    def require_step(self, graph: NeuronGraph) -> None:
        """Raise unless the network, as it is now, has done a step."""
        if not self.steps:
            raise ParameterError(
                "propagate needs a step to learn from, after reset_state too: net.activate(x) first"
            )
        if self.version != graph._store.version:
            raise ParameterError(
                "the structure of the network was edited since the last step, so there is nothing"
                " to learn from it: net.activate(x), then net.propagate(...)"
            )

    # ------------------------------------------------------------ getting ready

    def open(self, graph: NeuronGraph, n_steps: int) -> None:
        """Fit the state to the network as it is now, and choose who steps it."""
        store = graph._store
        made = plan(graph)
        if self.version != store.version:
            self._fit(graph, made)
            self.version, self.edits = store.version, -1
        engine = self._engine(graph, made, n_steps)
        if self.edits != store.edits or engine != self.engine:
            self.job = self._bind(graph, made)
            self.stepper = get_engine(engine).stepper(self.job) or walk(self.job)
            self.engine, self.edits = engine, store.edits

    def _engine(self, graph: Any, made: Plan, n_steps: int) -> str:
        """Return the engine: with "auto" the walker, until a kernel would have been worth it."""
        if graph.engine != "auto":
            return graph.engine
        self.visits += (made.n_synapses + made.n_memories + made.n_neurons) * n_steps
        return "walker" if self.visits < SMALL else "compiled"

    def _fit(self, graph: NeuronGraph, made: Plan) -> None:
        rule = get_rule(self.rule)
        rule.require(made, graph.dtype)
        keys = _keys(graph, made, rule)
        fields = {
            name: _carry(field, self.fields.get(name), self.keys, keys, graph.dtype)
            for name, field in rule.fields(made).items()
        }
        self.fields, self.keys = fields, keys

    def _bind(self, graph: NeuronGraph, made: Plan) -> Job:
        store, rule = graph._store, get_rule(self.rule)
        nothing = np.empty(0, graph.dtype)

        def both(name: str, wanted: bool = True) -> Parameters:
            return Parameters(
                *(t.array(name) if wanted else nothing for t in (store.synapses, store.neurons))
            )

        frozen = [t.array("trainable") if "trainable" in t.arrays else np.empty(0, bool)
                  for t in (store.synapses, store.neurons)]  # fmt: skip
        gains = made.gater.size or "gain" in store.synapses.arrays
        shown = Shown(
            state=store.neurons.array("state"),
            output=store.neurons.array("output"),
            delta=store.neurons.array("delta"),
            gain=store.synapses.array("gain") if gains else nothing,
        )
        weight, bias = store.synapses.array("weight"), store.neurons.array("bias")
        return Job(
            rule,
            made,
            rule.influences(made),
            self.fields,
            self.steps,
            self.taped,
            Parameters(weight, bias),
            both("grad"),
            both("eligibility", rule.traces),
            Parameters(*frozen),
            shown,
        )

    def _working(self) -> tuple[Job, Stepper]:
        assert self.job is not None and self.stepper is not None  # open() came first
        return self.job, self.stepper

    def _loss(self, loss: str | Loss) -> Loss:
        chosen = get_loss(loss)
        if get_rule(self.rule).name == "synaptic" and chosen.name != "matching":
            raise ParameterError("rule 'synaptic' knows the matching loss only; take 'lstm-g'")
        return chosen

    @staticmethod
    def _row(name: str, value: Any, n: int, dtype: np.dtype) -> np.ndarray:
        row = real_array(name, value, dtype)
        if row.shape != (n,):
            raise ShapeError(
                f"{name} must have shape ({n},), one step of one sample; got {row.shape}"
            )
        return row

    # ------------------------------------------------------------ copies

    def __getstate__(self) -> dict:
        return {**self.__dict__, "job": None, "stepper": None, "edits": -1}

    def copy(self) -> Online:
        """Return the same state for a copy of the network."""
        twin = object.__new__(Online)
        twin.__dict__.update(self.__getstate__())
        twin.fields = {name: array.copy() for name, array in self.fields.items()}
        return twin


def _keys(graph: NeuronGraph, made: Plan, rule: Rule) -> dict[str, np.ndarray]:
    """Return who is where on each axis: ids, which outlive a plan."""
    neurons = graph.neuron_ids()[made.neuron].astype(np.int64)
    synapses = graph._store.synapses.alive()[made.synapse].astype(np.int64)
    parameters = np.concatenate([synapses, ~neurons])
    found = rule.influences(made)
    traces = np.empty((0, 3), np.int64)
    if found.size:
        k, t, theta = found.keys(made).T
        traces = np.stack([neurons[k], neurons[t], parameters[theta]], 1)
    return {
        "neuron": neurons,
        "synapse": synapses,
        "parameter": parameters,
        "extended": traces,
    }


def _carry(
    field: Field,
    old: np.ndarray | None,
    before: dict[str, np.ndarray],
    after: dict[str, np.ndarray],
    dtype: np.dtype,
) -> np.ndarray:
    """Return a field for the elements that there are now, with what those from before had."""
    shape = [a if isinstance(a, int) else len(after[a]) for a in field.axes]
    made = np.full(shape, field.rest, dtype)
    if old is not None:
        places = [
            _steps(old.shape[k], shape[k]) if isinstance(a, int) else _common(before[a], after[a])
            for k, a in enumerate(field.axes)
        ]
        made[np.ix_(*(p[1] for p in places))] = old[np.ix_(*(p[0] for p in places))]
    return made


def _steps(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which steps go where: the newest ones are the last ones."""
    n = np.arange(min(before, after))[::-1]
    return before - 1 - n, after - 1 - n


def _common(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where those who are in both were, and where they are now."""
    if np.array_equal(before, after):
        return np.arange(len(before)), np.arange(len(after))
    place = {key: i for i, key in enumerate(map(_hashable, before.tolist()))}
    pairs = [
        (place[key], i) for i, key in enumerate(map(_hashable, after.tolist())) if key in place
    ]
    was, now = np.array(pairs, int).reshape(-1, 2).T
    return was, now


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
