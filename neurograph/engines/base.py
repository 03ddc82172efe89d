"""What an engine takes and gives: parameters, state, recording, gradients.

Inside, arrays are (steps, neurons, samples), the batch innermost; neurons are in the order
of the plan. What users see is (samples, steps), see `Recording`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from neurograph.elements import Neuron
from neurograph.engines.finite import Run, all_finite, first, forward_error
from neurograph.errors import NonFiniteError, ParameterError, ShapeError, counted, suggest
from neurograph.functions import Activation, get_activation
from neurograph.graph import NeuronGraph
from neurograph.schedule import Plan

__all__ = [
    "NO_TAPS",
    "TAPPED",
    "Batch",
    "Descent",
    "Engine",
    "Gradients",
    "Lesson",
    "Parameters",
    "Recording",
    "Signals",
    "State",
    "Taps",
    "Trace",
]


class Parameters(NamedTuple):
    """The parameters of a plan: views of the store's own columns.

    weight : (E+M,) array, bias : (N,) array
    """

    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, graph: NeuronGraph) -> Parameters:
        """Return the columns of a graph whose rows are in plan order."""
        store = graph._store
        return cls(store.synapses.array("weight"), store.neurons.array("bias"))


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands: what the next step needs to know of the steps before.

    Attributes
    ----------
    y : (H, N, B) array
        Outputs of the last H steps, the newest last.
    s : (N, B) array
        States of the last step.
    steps : int
        Steps since rest.
    names, ids : tuple, (N,) array
        The neurons, so that a state is not taken for that of another network.
    """

    y: np.ndarray
    s: np.ndarray
    steps: int
    names: tuple[Hashable, ...]
    ids: np.ndarray

    @classmethod
    def rest(cls, plan: Plan, ids: np.ndarray, n_samples: int, dtype: np.dtype) -> State:
        """Return the state before the first step: all zero."""
        shape = plan.n_neurons, n_samples
        y = np.zeros((plan.history, *shape), dtype)
        return cls(y, np.zeros(shape, dtype), 0, plan.visits, ids)

    def fit(self, plan: Plan, ids: np.ndarray, n_samples: int, dtype: np.dtype) -> State:
        """Return this state in the order of a plan, or raise if it is not one of its states."""
        known_as = dict(zip(self.names, self.ids.tolist(), strict=True))
        if known_as != dict(zip(plan.visits, ids.tolist(), strict=True)):
            raise ShapeError(
                "state= comes from a network with other neurons, or other names;"
                " pass rec.final_state of a run of this network"
            )
        if self.s.shape[1] != n_samples:
            raise ShapeError(
                f"state= is of {self.s.shape[1]} samples, but X has {n_samples}; they continue"
                " one by one"
            )
        rows = np.empty(plan.n_neurons, np.intp)
        rows[[plan.position[name] for name in self.names]] = np.arange(plan.n_neurons)
        y = np.zeros((plan.history, plan.n_neurons, n_samples), dtype)
        known = min(len(y), len(self.y))
        y[len(y) - known :] = self.y[len(self.y) - known :, rows]
        return State(y, self.s[rows].astype(dtype), self.steps, plan.visits, ids)


@dataclass(frozen=True, eq=False)
class Signals:
    """One number for every step, neuron and sample.

    The samples are cut into tiles, so that those of a tile lie side by side; behind the last
    sample there may be copies of it, which nobody sees.

    Attributes
    ----------
    array : (steps, tiles, neurons, lanes) array
    samples : int
        At most tiles · lanes.
    """

    array: np.ndarray
    samples: int

    @classmethod
    def split(cls, values: np.ndarray, lanes: int) -> Signals:
        """Cut values of shape (steps, neurons, samples) into tiles of so many lanes.

        >>> Signals.split(np.arange(6.0).reshape(1, 2, 3), 2).array.tolist()
        [[[[0.0, 1.0], [3.0, 4.0]], [[2.0, 2.0], [5.0, 5.0]]]]
        """
        n_samples = values.shape[-1]
        if n_samples % lanes:
            pad = [(0, 0), (0, 0), (0, -n_samples % lanes)]
            values = np.pad(values, pad, "edge")
        tiled = values.reshape(*values.shape[:2], -1, lanes)
        return cls(np.ascontiguousarray(tiled.swapaxes(1, 2)), n_samples)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, steps: slice) -> Signals:
        return Signals(self.array[steps], self.samples)

    def of(self, neurons: Any = slice(None)) -> np.ndarray:
        """Return (steps, neurons, samples) of some neurons, or (steps, samples) of one."""
        found = self.array[:, :, neurons]
        if found.ndim == 4:
            found = found.swapaxes(1, 2)
        shape = *found.shape[:-2], found.shape[-2] * found.shape[-1]
        return found.reshape(shape)[..., : self.samples]

    def finite(self) -> bool:
        """Whether every number is."""
        return all_finite(self.array)


class Gradients(NamedTuple):
    """What a backward pass finds.

    weight : (E+M,), bias : (N,), delta : Signals of T steps, inputs : (T, n_in, B)
    """

    weight: np.ndarray
    bias: np.ndarray
    delta: Signals
    inputs: np.ndarray


class Limits(NamedTuple):
    """What holds weights, or biases, back: arrays in the order of a plan, None where nothing does.

    trainable : bool; factor : of the step; lower, upper : bounds
    """

    trainable: np.ndarray | None
    factor: np.ndarray | None
    lower: np.ndarray | None
    upper: np.ndarray | None


class Updating(NamedTuple):
    """An optimizer as kernels know it, see `neurograph.learning.updates`.

    rule, constants : name of its class, and what it adds to every optimizer's parameters
    clip_value, clip_norm : 0 if not given
    slots, limits : what it keeps, and what holds parameters back; of weights, of biases
    """

    rule: str
    constants: tuple[float, ...]
    clip_value: float
    clip_norm: float
    l1: float
    l2: float
    slots: tuple[list[np.ndarray], list[np.ndarray]]
    limits: tuple[Limits, Limits]


class Taps(NamedTuple):
    """What a kernel writes down after updates: numbers of some rows, for probes.

    kind : (K,) int64
        Index into `TAPPED`: what is written down.
    place : (K,) int64
        Of which synapse or neuron of the plan; of which column of X for an input's output.
    first, every : int
        After update `first` of a call (from 0), and every so many of them.
    rows : (R, K) float64 array
        To be filled, a row for each of these updates. States, outputs and deltas are those of the
        last step of the last sample of a batch.
    """

    kind: np.ndarray
    place: np.ndarray
    first: int
    every: int
    rows: np.ndarray


NO_TAPS = Taps(np.empty(0, np.int64), np.empty(0, np.int64), 0, 1, np.empty((0, 0)))
TAPPED = ("weight", "grad", "bias", "bias grad", "state", "output", "delta", "input", "gone")


class Lesson(NamedTuple):
    """What gradient descent learns from.

    x : (samples, T, n_in) array
    target : (samples, T, n_out) float64 array, NaN where nothing is asked
    weight : (samples,) float64 array of their weights in the mean, or None if all are 1
    batch : most samples in a batch
    loss : name of a loss
    updating : Updating
    taps, until : what probes ask for, and of how many of the batches that went well they want to
        keep; None if there are none
    before : arrays to fill with the parameter and slots that the last of the batches that went
        well began from, of weights and of biases; left alone if none did
    """

    x: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None
    batch: int
    loss: str
    updating: Updating
    taps: Taps = NO_TAPS
    until: Callable[[int], int] | None = None
    before: tuple[list[np.ndarray], ...] = ()


class Descent(Protocol):
    """Gradient descent inside an engine, batch after batch."""

    def __call__(
        self, order: np.ndarray, begin: np.ndarray, rates: np.ndarray, values: np.ndarray
    ) -> int:
        """Learn from samples order[begin[q]:begin[q+1]] at rates[q], for every q.

        Loss and sum of weights of the pairs asked are put into values[q], the gradients of the
        last batch into the arrays given. Returns how many batches went well; if one did not,
        parameters, gradients and what the optimizer keeps are as the batch before it left them.
        """


class Engine(ABC):
    """Executes a plan; every engine gives what the walker gives."""

    @abstractmethod
    def forward(
        self, plan: Plan, parameters: Parameters, x: np.ndarray, start: State
    ) -> tuple[Signals, Signals]:
        """Run T steps of equations (1)-(4) on inputs x (T, n_in, B) from a state.

        Returns
        -------
        states : Signals of 1+T steps
            That of the step before the first included.
        outputs : Signals of H+T steps
            Those of the H steps before the first included.
        """

    @abstractmethod
    def backward(
        self,
        plan: Plan,
        parameters: Parameters,
        states: Signals,
        outputs: Signals,
        steps: int,
        d_output: np.ndarray,
        d_state: np.ndarray,
    ) -> Gradients:
        """Find the exact gradient, equations (5)-(7), of what `forward` returned.

        Parameters
        ----------
        states, outputs : Signals
            From `forward`.
        steps : int
            Steps since rest when the run began.
        d_output, d_state : (T, n_out, B) arrays
            ∂ℓ/∂y and ∂ℓ/∂s at the outputs, as the loss gives them; they add up.
        """

    def descent(
        self, plan: Plan, parameters: Parameters, gradients: Parameters, lesson: Lesson
    ) -> Descent | None:
        """Return a loop that learns in place, or None: gradients and updates are taken singly."""
        return None

    def stepper(self, job: Any) -> Any:
        """Return what steps an online `Job`, or None: it is stepped by definition."""
        return None


class Batch(NamedTuple):
    """Inputs as an engine wants them, and the shape in which users gave them."""

    samples: np.ndarray  # (B, T, n_in)
    shape: tuple[int, ...]  # of the leading axes that users see: (), (B,) or (B, T)

    @property
    def steps(self) -> int:
        """Number of steps T."""
        return self.samples.shape[1]

    @property
    def x(self) -> np.ndarray:
        """Inputs as an engine takes them, (T, n_in, B)."""
        return np.ascontiguousarray(self.samples.transpose(1, 2, 0))

    @classmethod
    def of(cls, X: object, plan: Plan, dtype: np.dtype) -> Batch:
        """Check X of shape (n_in,), (B, n_in) or (B, T, n_in), and add the columns of clamps."""
        require_inputs(plan)
        n_in = len(plan.inputs) - len(plan.held)
        array = real_array("X", X, dtype)
        if array.ndim not in (1, 2, 3) or array.shape[-1] != n_in:
            raise ShapeError(
                f"X must have shape ({n_in},), (samples, {n_in}) or (samples, steps, {n_in}),"
                f" one column for each input; got {array.shape}"
            )
        shape = array.shape[:-1]
        full = array.reshape((*shape, *(1,) * (2 - len(shape)), n_in))
        if not full.shape[0] or not full.shape[1]:
            raise ShapeError(f"X must have at least one sample and one step; got {array.shape}")
        if plan.held:
            full = _with_held(full, plan)
        if not all_finite(full):
            b, t, i = first(full) or (0, 0, 0)
            name = plan.name(plan.inputs[i])
            raise NonFiniteError(
                f"X holds {full[b, t, i]} for input {name!r}",
                quantity="X", value=float(full[b, t, i]), neuron=name, step=t, sample=b, column=i,
                advice="inputs must be finite numbers",
            )  # fmt: skip
        return cls(np.ascontiguousarray(full), shape)


def require_inputs(plan: Plan) -> None:
    """Raise if nobody is an input whose values X could hold."""
    if len(plan.inputs) == len(plan.held):
        raise ParameterError(
            "the network has no inputs; name some, e.g. net.inputs = ['a', 'b'], or"
            " net.add_neuron('a', role='input')"
        )


def _with_held(x: np.ndarray, plan: Plan) -> np.ndarray:
    """Return inputs (B, T, n_in) with a column for each neuron that a clamp holds."""
    found = np.empty((*x.shape[:2], len(plan.inputs)), x.dtype)
    given = [i for i in range(len(plan.inputs)) if i not in plan.held]
    found[..., given] = x
    for i, values in plan.held.items():
        try:
            found[..., i] = np.broadcast_to(values, x.shape[:2])
        except ValueError:
            raise ShapeError(
                f"X has {x.shape[0]} samples of {x.shape[1]} steps, but neuron"
                f" {plan.name(plan.inputs[i])!r} is clamped to values of shape {values.shape}:"
                " as many samples and steps, or 1"
            ) from None
    return found


def real_array(name: str, value: object, dtype: np.dtype) -> np.ndarray:
    """Return `value` as an array of real numbers, or say what it is instead."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"dtype {array.dtype}")
        with np.errstate(over="ignore"):  # too large for float32: inf, which callers refuse
            return array.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"{name} must be an array of real numbers: {error}") from None


@dataclass(frozen=True)
class Trace:
    """One neuron through a run: read-only arrays of shape (samples, steps).

    `delta` is None until a `backward` of this run.
    """

    state: np.ndarray
    output: np.ndarray
    delta: np.ndarray | None


class Recording:
    """What a run did, neuron by neuron: `rec.outputs`, `rec["h"].state`, `rec.final_state`.

    Attributes
    ----------
    plan : Plan
        The plan that was executed.
    outputs : array
        (n_out,), (B, n_out) or (B, T, n_out), as X was given.
    final_state : State
        From where another run can go on.

    Examples
    --------
    >>> import neurograph as ng
    >>> rec = ng.perceptron(2, 3, 1, seed=0).run([[0, 1], [1, 1]])
    >>> rec.outputs.shape, rec["hidden.0"].output.shape
    ((2, 1), (2, 1))
    """

    def __init__(self, plan: Plan, s: Signals, y: Signals, start: State, shape: tuple[int, ...]):
        self.plan, self._s, self._y, self._start, self._shape = plan, s, y, start, shape
        self._delta: Signals | None = None
        # ∂ℓ/∂y and ∂ℓ/∂s at the outputs, (T, n_out, B), and whether older gradients were added to.
        self._pass: tuple[np.ndarray, np.ndarray, bool] | None = None

    @property
    def steps(self) -> int:
        """Number of steps T."""
        return len(self._s) - 1

    @property
    def outputs(self) -> np.ndarray:
        """Outputs of the output neurons, in the shape in which X was given."""
        y = self._y[-self.steps :].of(self.plan.outputs)
        return y.transpose(2, 0, 1).reshape(*self._shape, len(self.plan.outputs))

    @property
    def final_state(self) -> State:
        """The state after the last step, for `forward(X, state=...)`."""
        y = self._y[-self.plan.history :].of().copy()
        steps = self._start.steps + self.steps
        return State(y, self._s[-1:].of()[0].copy(), steps, self._start.names, self._start.ids)

    def __getitem__(self, name: Hashable | Neuron) -> Trace:
        name = name.name if isinstance(name, Neuron) else name
        try:
            j = self.plan.position[name]
        except (KeyError, TypeError):
            known = suggest(name, self.plan.position)
            raise ParameterError(f"no neuron {name!r} in this recording.{known}") from None
        delta = None if self._delta is None else _read_only(self._delta.of(j).T)
        state, output = self._s[1:].of(j).T, self._y[-self.steps :].of(j).T
        return Trace(_read_only(state), _read_only(output), delta)

    def __repr__(self) -> str:
        return (
            f"<Recording of {counted(self.plan.n_neurons, 'neuron')},"
            f" {counted(self._s.samples, 'sample')}, {counted(self.steps, 'step')}>"
        )


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False  # backward still needs what is behind it
    return view


def activations(plan: Plan) -> list[Activation]:
    """Return the activation function of every neuron of a plan."""
    codes = plan.activation.tolist()
    functions = {code: get_activation(plan.activations[code]) for code in set(codes)}
    return [functions[code] for code in codes]


def record(
    engine: Engine, graph: NeuronGraph, plan: Plan, batch: Batch, state: State | None
) -> Recording:
    """Run a batch; raise `NonFiniteError` where a neuron is no longer a finite number."""
    n_samples = len(batch.samples)
    if state is None:
        begin = State.rest
    elif isinstance(state, State):
        begin = state.fit
    else:
        raise ParameterError(f"state must be the final_state of a recording, got {state!r}")
    try:
        start = begin(plan, graph.neuron_ids()[plan.neuron], n_samples, graph.dtype)
        s, y = engine.forward(plan, Parameters.of(graph), batch.x, start)
    except MemoryError:
        shape = plan.history + batch.steps, plan.n_neurons, n_samples
        raise ParameterError(
            f"not enough memory to keep {shape[0]} steps (delays included) of {shape[1]} neurons"
            f" for {shape[2]} samples"
        ) from None
    require_finite(plan, Parameters.of(graph), s, y, start.steps)
    return Recording(plan, s, y, start, batch.shape)


def require_finite(plan: Plan, parameters: Parameters, s: Signals, y: Signals, since: int) -> None:
    """Raise unless all that a forward pass returned is finite; say where it began, and from what.

    `since` : steps from rest to the first one.
    """
    if s.finite() and y.finite():
        return
    found = forward_error(Run(plan, *parameters, s.of(), y.of(), since))
    if found is not None:  # else it is padding, which nobody sees
        raise found


def show(graph: NeuronGraph, recording: Recording) -> None:
    """Write the last step of the last sample where users look: state, output, gain."""
    store, plan = graph._store, recording.plan
    last = plan.history + recording.steps - 1
    y = recording._y.of()[..., -1]
    store.neurons.array("state")[:] = recording._s[-1:].of()[0, :, -1]
    store.neurons.array("output")[:] = y[last]
    if plan.gater.size or "gain" in store.synapses.arrays:
        gain = store.synapses.array("gain")
        gain[:] = 1
        gated = plan.gated_synapse
        step = last - plan.gate_delay[gated].astype(np.int64) if len(gated) else gated
        first = plan.history - recording._start.steps  # where the first step since rest is
        acts = step >= first
        gain[gated[acts]] = y[step[acts], plan.gater[gated[acts]]]


def show_delta(graph: NeuronGraph, recording: Recording) -> None:
    """Write the deltas of the last step of the last sample where users look."""
    if recording._delta is not None:
        graph._store.neurons.array("delta")[:] = recording._delta[-1:].of()[0, :, -1]
