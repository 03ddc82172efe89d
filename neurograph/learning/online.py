"""The online state of a network: what `activate` keeps from step to step, and `propagate` uses.

It belongs to neurons and synapses, not to rows: after an edit of the topology whoever is still
there goes on with what it had.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Hashable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines import SMALL, get_engine
from neurograph.engines.base import Parameters, real_array
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes, telling
from neurograph.learning.losses import Loss, get_loss
from neurograph.learning.rules import Field, Rule, get_rule
from neurograph.learning.stepping import Course, Job, Shown, Stepper
from neurograph.schedule import Plan, plan
from neurograph.values import number

__all__ = ["ExtendedTrace", "Online", "Step"]

MATCHING = get_loss("matching")


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
    engine : str or Engine, optional
        Instead of the network's.
    clock : (2,) int array
        Steps since rest, and since the traces were cleared.
    taught, rate, loss : int, float, Loss
        What it has learned last: `store.edits` then (-1: nothing yet), by which rate and loss.
    fresh : bool
        Whether traces, δ and gradient are still those of that.
    """

    taught, rate, loss, fresh = -1, 0.0, MATCHING, False

    def __init__(self, rule: str | Rule = "lstm-g", engine: Any = None):
        self.matching_only = get_rule(rule).name == "synaptic"  # it knows one loss only
        self.rule, self.engine = rule, engine
        self.clock = np.zeros(2, np.int64)
        self.fields: dict[str, np.ndarray] = {}
        self.keys: dict[str, np.ndarray] = {}
        self.version = self.edits = -1
        self.visits = 0

    job: Job  # these are there after `open`
    stepper: Stepper
    fill_x: Callable[[Any], None]
    fill_target: Callable[[Any], None]

    # ------------------------------------------------------------ what users ask for

    @property
    def steps(self) -> int:
        """Steps since rest."""
        return int(self.clock[0])

    def activate(self, graph: Any, x: Any) -> np.ndarray:
        """Do one step with inputs x (n_in,); return the outputs (n_out,)."""
        store = graph._store
        guard, me = store.guard, get_ident()
        outer = guard.user
        if outer and outer != me:
            outer = guard.refuse(me, "activate")
        guard.user = me
        try:
            if self.edits != store.edits:
                self.open(graph, 1)
            try:
                self.fill_x(x)
            except CANNOT_FILL:
                self.set_x(x)
            self.fresh = False
            self.stepper.activate()
            return self.job.outputs.copy()
        finally:
            guard.user = outer

    def propagate(self, graph: Any, rate: float, target: Any, loss: str | Loss) -> None:
        """Learn from the last step."""
        store = graph._store
        if self.edits != store.edits or not self.clock[0]:
            self.require_step(graph)
            self.open(graph, 1)
        chosen = MATCHING if loss == "matching" else self.knows(loss)
        try:
            if chosen.domain is not np.isfinite:
                raise TypeError
            self.fill_target(target)
        except CANNOT_FILL:
            self.set_target(target, chosen)
        try:
            rate = float(rate)
            self.stepper.propagate(rate, chosen)
        except Exception:
            number("rate", rate)
            self.set_target(self.job.target, chosen)
            raise
        store.edits = self.taught = store.edits + 1
        self.rate, self.loss, self.fresh = rate, chosen, True
        if self.edits >= 0:
            self.edits = self.taught

    def _learned(self, store: Any, rate: float, loss: Loss) -> None:
        """Note that parameters were changed, by the state itself."""
        store.edits = self.taught = store.edits + 1
        self.rate, self.loss, self.fresh = rate, loss, True
        if self.edits >= 0:
            self.edits = store.edits

    def stepping(self, graph: Any, rate: float, loss: str | Loss) -> Step:
        """Return what does many steps with the same rate and loss."""
        chosen = self.knows(loss)
        if chosen.domain is not np.isfinite:
            raise ParameterError(
                f"a stepper does not check targets, and {chosen.name} cannot take all numbers;"
                " take net.propagate, or the loss 'matching', 'squared_error' or 'mse'"
            )
        made = Step(graph, self, number("rate", rate), chosen)
        made._get_ready()
        return made

    def set_x(self, x: Any) -> None:
        """Check inputs thoroughly."""
        row = real_array("x", x, self.job.x.dtype)
        if row.shape != self.job.x.shape:
            raise ShapeError(
                f"x must have shape {self.job.x.shape}, one step of one sample; got {row.shape}"
            )
        self.job.x[:] = row

    def set_target(self, target: Any, loss: Loss) -> None:
        """Check a target thoroughly."""
        job = self.job
        n_out = len(job.target)
        if not n_out:
            raise ParameterError("the network has no outputs to propagate from")
        row = [target] if n_out == 1 and np.ndim(target) == 0 else target
        try:
            job.target[:] = loss.prepare(row, (), n_out)[0, 0]
        except NonFiniteError as error:
            raise error.moved(step=None, sample=None) from None

    def learn(
        self, graph: NeuronGraph, X: Any, Y: Any, rate: float, loss: str | Loss
    ) -> np.ndarray:
        """Activate and propagate, step by step; return the outputs (T, n_out)."""
        chosen, rate = self.knows(loss), number("rate", rate)
        probes.begin(graph)
        many = self.follow(graph, *self.patterns(graph, X, Y, chosen), rate, chosen)
        return many.outputs[: many.done]

    def patterns(
        self, graph: NeuronGraph, X: Any, Y: Any, loss: Loss
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (T, n_in) and targets (T, n_out), checked."""
        made = plan(graph)
        x = real_array("X", X, graph.dtype)
        if x.ndim != 2 or x.shape[1] != len(made.inputs):
            raise ShapeError(f"X must have shape (steps, {len(made.inputs)}); got {x.shape}")
        if not np.isfinite(x).all():
            t, i = np.argwhere(~np.isfinite(x))[0].tolist()
            name = made.name(int(made.inputs[i]))
            raise NonFiniteError(
                f"X holds {x[t, i]} for input {name!r}",
                quantity="X", value=float(x[t, i]), neuron=name, step=t, column=i,
                advice="inputs must be finite numbers",
            )  # fmt: skip
        try:
            return x, loss.prepare(Y, (len(x),), len(made.outputs))[:, 0]
        except NonFiniteError as error:  # its samples are our steps
            raise error.moved(step=error.sample, sample=None) from None

    def follow(
        self,
        graph: Any,
        x: np.ndarray,
        target: np.ndarray,
        rate: float,
        loss: Loss,
        period: int = 0,
        stops: bool = True,
    ) -> Course:
        """Do many steps on what is checked already; see `Course`."""
        told = "stepper" in self.__dict__ and isinstance(self.stepper, telling.Told)
        if self.edits != graph._store.edits or told != bool(probes.probes_of(graph)):
            self.open(graph, len(x))
        shape = len(x), len(self.job.target)
        outputs, states = np.zeros((2, *shape), graph.dtype)
        many = Course(
            np.ascontiguousarray(x), np.ascontiguousarray(target), outputs, states, period, stops
        )
        try:
            self.stepper.learn(many, rate, loss)
        finally:
            self._followed(graph._store, many, rate, loss)
        return many

    def _followed(self, store: Any, many: Course, rate: float, loss: Loss) -> None:
        """Note what came of many steps, whether all were done or not."""
        asked = ~np.isnan(many.target[: many.done]).all(1)
        known, whole = (self.taught, self.rate, self.loss), many.done == len(many.target)
        self._learned(store, rate, loss)
        if not asked.any():  # nothing was learned, unless it was cut off
            self.taught, self.rate, self.loss = known
            self.taught += self.taught == store.edits - 1 and whole
        self.fresh = whole and bool(asked[-1:].all())

    def snapshot(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return every array that steps change, each with a copy of what it holds."""
        job = self.job
        arrays = [
            job.clock,
            *job.fields.values(),
            *(a for part in (job.parameters, job.gradients, job.eligibility) for a in part),
            *job.shown,
        ]
        return [(array, array.copy()) for array in arrays]

    def rest(self) -> None:
        """Go back to before the first step."""
        if self.edits == -1 or self.version == -1:  # another plan may come first
            self.fields, self.keys, self.version, self.edits = {}, {}, -1, -1
            self.clock[:] = 0
        else:  # in place: a stepper goes on
            self.job.rest()
        self.fresh = False

    def clear_traces(self, graph: NeuronGraph) -> None:
        """Set traces and responsibilities to 0; states, outputs and gains stay."""
        for name in ("extended", "responsibility", "projected", "gated", "met", "ds", "dy"):
            if name in self.fields:
                self.fields[name][:] = 0
        for table in (graph._store.neurons, graph._store.synapses):
            if "eligibility" in table.arrays:
                table.array("eligibility")[:] = 0
        self.clock[1], self.fresh = 0, False

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

    def standing(self, graph: NeuronGraph) -> np.ndarray:
        """Return old states, states and outputs, (3, N), of the last step; 0 at rest.

        In the order of `net.nodes`. The old state is that of the step before.
        """
        found = np.zeros((3, len(graph)), graph.dtype)
        if self.steps:
            was, now = _common(self.keys["neuron"], graph.neuron_ids().astype(np.int64))
            s, y = self.fields["s"], self.fields["y"]
            found[:, now] = np.stack([s[-2], s[-1], y[-1]])[:, was]
        return found

    def resume(self, graph: Any, standing: np.ndarray) -> None:
        """Stand where a step ended that left this `standing`; slopes and traces are 0, gains 1."""
        made = plan(graph)
        self._fit(graph, made)
        self.version, self.edits = graph._store.version, -1
        old, state, output = standing[:, made.neuron]
        self.fields["s"][-2], self.fields["s"][-1], self.fields["y"][-1] = old, state, output
        self.clock[:] = 1, 0
        for name, values in (("state", state), ("output", output)):
            graph._store.neurons.array(name)[:] = values

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

    def open(self, graph: Any, n_steps: int) -> None:
        """Fit the state to the network as it is now, and choose who steps it."""
        store = graph._store
        made = plan(graph)
        if self.version != store.version:
            self._fit(graph, made)
            self.version, self.edits = store.version, -1
        self.job = job = self._bind(graph, made)
        wanted = self.engine or graph.engine
        self.visits += (made.n_synapses + made.n_memories + made.n_neurons) * n_steps
        engine = get_engine(wanted, self.visits)
        self.stepper = engine.stepper(job) or job.definition
        self.fill_x, self.fill_target = _filler(job.x), _filler(job.target)
        # With "auto" a network walks until a kernel would have been worth it: ask again until then.
        walks = wanted == "auto" and self.stepper is job.definition
        if probes.probes_of(graph):
            self.stepper = telling.Told(graph, self.stepper)
        self.edits = -1 if walks else store.edits

    def _fit(self, graph: NeuronGraph, made: Plan) -> None:
        rule = get_rule(self.rule)
        rule.require(made, graph.dtype)
        keys = axis_keys(graph, made, rule)
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
            self.clock,
            Parameters(weight, bias),
            both("grad"),
            both("eligibility", rule.traces),
            Parameters(*frozen),
            shown,
        )

    def knows(self, loss: str | Loss) -> Loss:
        """Return a loss, or raise if the rule cannot take it."""
        chosen = get_loss(loss)
        if self.matching_only and chosen is not MATCHING:
            raise ParameterError("rule 'synaptic' knows the matching loss only; take 'lstm-g'")
        return chosen

    # ------------------------------------------------------------ copies

    def __getstate__(self) -> dict:
        passing = {"job", "stepper", "fill_x", "fill_target", "taught", "rate", "loss", "fresh"}
        return {k: v for k, v in self.__dict__.items() if k not in passing} | {"edits": -1}

    def copy(self) -> Online:
        """Return the same state for a copy of the network."""
        twin = object.__new__(Online)
        twin.__dict__.update(self.__getstate__())
        twin.clock = self.clock.copy()
        twin.fields = {name: array.copy() for name, array in self.fields.items()}
        return twin


class Step:
    """A step of online learning with everything checked beforehand but the numbers.

    What `net.stepper` returns. Lists of numbers are fastest.

    Attributes
    ----------
    rate : float
        Learning rate of the steps to come; settable.
    """

    def __init__(self, graph: Any, state: Online, rate: float, loss: Loss):
        self.rate, self._graph, self._state, self._loss = rate, graph, state, loss
        self._ready, self._guard = -1, graph._store.guard

    def __call__(self, x: Sequence[float], target: Sequence[float]) -> np.ndarray:
        """Activate, propagate, and return the outputs (n_out,), in an array that is used again."""
        state, store = self._state, self._graph._store
        guard, me = self._guard, get_ident()
        outer = guard.user
        if outer and outer != me:
            outer = guard.refuse(me, "step")
        guard.user = me
        try:
            if self._ready != store.edits or state.edits != self._ready:
                self._get_ready()
            try:
                self._fill(self._bytes, 0, *target, *x)
            except CANNOT_FILL:
                state.set_x(x)
                state.set_target(target, self._loss)
            self._stepper.step(self.rate, self._loss)
            store.edits = state.edits = state.taught = self._ready = self._ready + 1
            state.rate, state.loss, state.fresh = self.rate, self._loss, True
            return self._outputs
        except NonFiniteError:
            state.fresh = False
            raise
        finally:
            guard.user = outer

    def _get_ready(self) -> None:
        state, graph = self._state, self._graph
        if graph._online is not state:
            raise ParameterError("the network has another rule now; make a new net.stepper(...)")
        state.open(graph, SMALL)  # who makes a stepper has many steps in mind
        job = self._state.job
        self._stepper, self._outputs, self._ready = state.stepper, job.outputs, graph._store.edits
        state.edits = self._ready
        self._bytes = memoryview(job.taken.data)
        self._fill = Struct(f"={len(job.target)}d{len(job.x)}{job.x.dtype.char}").pack_into


CANNOT_FILL = (StructError, OverflowError, TypeError)


def _filler(row: np.ndarray) -> Callable[[Any], None]:
    """Return what puts n numbers into a row, or raises one of `CANNOT_FILL`; fast for a list."""
    view, pack = memoryview(row.data), Struct(f"{len(row)}{row.dtype.char}").pack_into

    def fill(values: Any) -> None:
        if values.__class__ is np.ndarray:
            if values.shape != row.shape or values.dtype.kind not in "fiub":
                raise TypeError
            row[:] = values
        else:
            pack(view, 0, *values)

    return fill


def axis_keys(graph: NeuronGraph, made: Plan, rule: Rule) -> dict[str, np.ndarray]:
    """Return who is where on each axis: ids, which outlive a plan."""
    neurons = graph.neuron_ids()[made.neuron].astype(np.int64)
    synapses = graph._store.synapses.alive()[made.synapse].astype(np.int64)
    parameters = np.concatenate([synapses, ~neurons])
    found = rule.influences(made)
    traces = np.empty((0, 3), np.int64)
    if found.size and "extended" in rule.fields(made):
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
