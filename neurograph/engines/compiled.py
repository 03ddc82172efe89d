"""The compiled engine: a plan at the speed of C, with the meaning of the walker.

It cuts a batch into tiles of samples that fit a vector, lets kernels run over the packed
program of a plan, and shares tiles or rows out among threads. No call of a kernel takes
longer than about `PATIENCE` nanoseconds, so that Ctrl-C is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import Any

import numpy as np

from neurograph.engines.arena import empty
from neurograph.engines.base import (
    Descent,
    Engine,
    Gradients,
    Lesson,
    Parameters,
    Signals,
    State,
    Updating,
)
from neurograph.engines.kernels import LOSSES, Task, kernels
from neurograph.engines.natives import address
from neurograph.engines.parts import ROWS, Run, Span
from neurograph.engines.pool import run_all
from neurograph.engines.program import Program, program
from neurograph.engines.stepping import Stepping
from neurograph.engines.updates import RULES, Recipe, Side
from neurograph.errors import ParameterError
from neurograph.functions import get_activation
from neurograph.schedule import Plan

__all__ = ["Compiled", "lanes_for"]

VECTOR = 32  # bytes in a vector of one instruction
TILE = 128  # bytes that a neuron's samples in a tile take at most
LOOPED = 2**23  # synapses times samples and steps of a batch that one kernel learns alone
PATIENCE = 2**25  # nanoseconds, about, that a call of a kernel may take
SPLIT = 2**16  # synapses from which δ and gradients of one sample are found one after the other
WIDE = 2**18  # nanoseconds of work that are worth sharing out


def lanes_for(n_samples: int, dtype: np.dtype) -> int:
    """Return how many samples a tile holds: 1, or a whole number of vectors, little padded.

    >>> [lanes_for(n, np.dtype("float32")) for n in (1, 3, 10, 32, 33, 256)]
    [1, 8, 16, 32, 16, 32]
    """
    if n_samples == 1:
        return 1
    size = np.dtype(dtype).itemsize
    sizes = [n // size for n in (VECTOR, 2 * VECTOR, TILE)]
    # A tile costs its lanes, and about a vector for walking the program once more.
    return min(sizes, key=lambda lanes: -(-n_samples // lanes) * (lanes + sizes[0]))


class Compiled(Engine):
    """Runs numba kernels over the rows of the store.

    Parameters
    ----------
    dense : bool
        Run dense blocks as products; without, every synapse is visited singly.
    """

    def __init__(self, dense: bool = True):
        self.dense = dense

    def forward(
        self, plan: Plan, parameters: Parameters, x: np.ndarray, start: State
    ) -> tuple[Signals, Signals]:
        """Run equations (1)-(4); see `Engine.forward`."""
        dtype = supported(parameters.weight.dtype)
        n_steps, _, n_samples = x.shape
        lanes = lanes_for(n_samples, dtype)
        tiles = -(-n_samples // lanes)
        s = empty((1 + n_steps, tiles, plan.n_neurons, lanes), dtype)
        y = empty((plan.history + n_steps, *s.shape[1:]), dtype)
        s[0] = Signals.split(start.s[None], lanes).array[0]
        s[1:, :, plan.inputs] = 0
        y[: plan.history] = Signals.split(start.y, lanes).array
        y[plan.history :, :, plan.inputs] = Signals.split(x, lanes).array
        _Job(self, plan, parameters, s, y, n_samples, start.steps).forward()
        return Signals(s, n_samples), Signals(y, n_samples)

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
        """Run equations (5)-(7); see `Engine.backward`."""
        arrays = states.array, outputs.array, states.samples
        return _Job(self, plan, parameters, *arrays, steps).backward(d_output, d_state)

    def descent(
        self, plan: Plan, parameters: Parameters, gradients: Parameters, lesson: Lesson
    ) -> Descent | None:
        """Return a loop inside one kernel, where a batch is not worth sharing out."""
        work = (plan.n_synapses + plan.n_neurons) * lesson.batch * lesson.x.shape[1]
        if work > LOOPED or lesson.loss not in LOSSES:
            return None
        supported(parameters.weight.dtype)
        return partial(_descend, program(plan, self.dense), plan, parameters, gradients, lesson)

    def stepper(self, job: Any) -> Stepping:
        """Return what steps an online job with kernels."""
        dtype = supported(job.parameters.weight.dtype)
        return Stepping(job, addresses(job.plan, dtype), self.backward)


def _descend(
    made: Program,
    plan: Plan,
    parameters: Parameters,
    gradients: Parameters,
    lesson: Lesson,
    order: np.ndarray,
    begin: np.ndarray,
    rates: np.ndarray,
    values: np.ndarray,
) -> int:
    """See `Descent`."""
    slots = lesson.updating.slots
    changed = (parameters.weight, *slots[0], parameters.bias, *slots[1], *gradients)
    before = [array.copy() for array in changed]
    recipe = _recipe(lesson.updating, rates, parameters)
    loop = _loop(made, plan, parameters, gradients, lesson, recipe, order, begin, values)

    def keep(values: Sequence[np.ndarray]) -> None:
        for array, value in zip(chain(*lesson.before), values, strict=False):  # no gradients
            np.copyto(array, value)

    def learn(n: int) -> int:
        """Learn n batches, the last by itself, so that what it began from can be kept."""
        done = loop(0, n - 1) if n > 1 else 0
        if done < n - 1:
            return done
        if n > 1:
            keep(changed)
        done = loop(n - 1, n)
        if n == done == 1:
            keep(before)
        return done

    with np.errstate(all="ignore"):  # where kernels are plain Python
        done = learn(len(begin) - 1)
        if lesson.until is not None:
            done = lesson.until(done)
        if done < len(begin) - 1:
            # The kernel does not stop to look within a batch; go back, and up to that batch only.
            for array, values_before in zip(changed, before, strict=True):
                array[:] = values_before
            if done:
                learn(done)
    for k, own in enumerate(slots):
        if _shared_age(own):  # the kernel leaves an age that all share to us
            own[2] += done
            if done and lesson.before:
                lesson.before[k][3] += done - 1
    return done


def _shared_age(slots: list[np.ndarray]) -> bool:
    """Whether an optimizer keeps the age of each parameter, and all are equal."""
    return len(slots) == 3 and len(slots[2]) > 0 and not (slots[2] != slots[2][0]).any()


def _recipe(updating: Updating, rates: np.ndarray, parameters: Parameters) -> Recipe:
    """Return an optimizer as kernels read it."""
    clipped = bool(updating.clip_value or updating.clip_norm)
    changes = clipped or bool(updating.l1 or updating.l2)
    weights = _side(updating, 0, rates, parameters.weight, changes)
    biases = _side(updating, 1, rates, parameters.bias, clipped)
    freely = not any(len(side.factor) or len(side.lower) for side in (weights, biases))
    penalised = bool(updating.l1 or updating.l2)
    return Recipe(
        rule=RULES.index(updating.rule),
        constants=np.array([*updating.constants, *(0.0,) * 4][:4]),
        rates=rates,
        clip_value=float(updating.clip_value),
        clip_norm=float(updating.clip_norm),
        l1=float(updating.l1),
        l2=float(updating.l2),
        decay=updating.constants[3] if updating.rule == "AdamW" else 0.0,
        weights=weights,
        biases=biases,
        tiny=float(np.finfo(parameters.weight.dtype).tiny),
        plain=updating.rule == "SGD" and freely and not clipped and not penalised,
    )


def _side(
    updating: Updating, k: int, rates: np.ndarray, parameters: np.ndarray, changes: bool
) -> Side:
    """Return what belongs to the weights (k = 0) or to the biases (1)."""
    nothing = np.empty(0, parameters.dtype)
    slots, limit = updating.slots[k], updating.limits[k]
    one, two, three = [*slots, nothing, nothing, nothing][:3]
    frozen = limit.trainable is not None
    held = frozen or limit.factor is not None or limit.lower is not None
    steps = scales = nothing
    if _shared_age(slots):
        n = float(slots[2][0]) + 1 + np.arange(len(rates))
        beta1, beta2 = updating.constants[:2]
        steps = (rates / (1 - beta1**n)).astype(parameters.dtype)
        scales = ((1 - beta2**n) ** -0.5).astype(parameters.dtype)
    return Side(
        one=one,
        two=two,
        three=three,
        trainable=np.empty(0, np.uint8) if limit.trainable is None else limit.trainable.view("u1"),
        factor=nothing if limit.factor is None else limit.factor,
        lower=nothing if limit.lower is None else limit.lower,
        upper=nothing if limit.upper is None else limit.upper,
        change=np.empty_like(parameters) if frozen or changes else nothing,
        before=np.empty_like(parameters) if held else nothing,
        steps=steps,
        scales=scales,
    )


def _loop(
    made: Program,
    plan: Plan,
    parameters: Parameters,
    gradients: Parameters,
    lesson: Lesson,
    recipe: Recipe,
    order: np.ndarray,
    begin: np.ndarray,
    values: np.ndarray,
) -> Callable[[int, int], int]:
    """Return the kernel that learns some of the batches, with all it needs."""
    dtype, n_steps = lesson.x.dtype, lesson.x.shape[1]
    lanes = lanes_for(lesson.batch, dtype)
    n, n_in, n_out = plan.n_neurons, len(plan.inputs), len(plan.outputs)
    run = empty_run(dtype)._replace(
        **new_room(made, n, lanes, dtype),
        s=np.zeros((1 + n_steps) * n * lanes, dtype),
        y=np.zeros((plan.history + n_steps) * n * lanes, dtype),
        delta=np.zeros(n_steps * n * lanes, dtype),
        d_output=np.zeros(n_steps * n_out * lanes, dtype),
        d_state=np.zeros(n_steps * n_out * lanes, dtype),
        d_input=np.zeros(n_steps * n_in * lanes, dtype),
        out_w=np.empty(made.n_out, dtype),
        x=lesson.x.ravel(),
        row=np.empty(lanes, np.int64),
    )
    logistic = [plan.activations[plan.activation[j]] == "logistic" for j in plan.outputs]
    task = Task(
        x=lesson.x.ravel(),
        target=lesson.target.ravel(),
        order=order,
        begin=begin,
        loss=LOSSES.index(lesson.loss),
        stable=np.array(logistic, np.uint8),
        weight=np.empty(0) if lesson.weight is None else lesson.weight,
        weighted=lesson.weight is not None,
        asked=bool(np.isnan(lesson.target.sum())),
    )
    found = kernels(lanes, VECTOR // dtype.itemsize)
    fixed = made.packed, *parameters, *gradients, addresses(plan, dtype), run, task
    taps = lesson.taps._replace(rows=lesson.taps.rows.reshape(-1))
    kernel = found.learn_single if lanes == n_steps == 1 else found.learn
    return lambda q0, q1: kernel(*fixed, _later(recipe, q0), taps, n_steps, q0, q1, values.ravel())


def _later(recipe: Recipe, n: int) -> Recipe:
    """Return a recipe whose corrections begin with that of batch n."""
    if not n:
        return recipe
    weights, biases = (
        side._replace(steps=side.steps[n:], scales=side.scales[n:])
        for side in (recipe.weights, recipe.biases)
    )
    return recipe._replace(weights=weights, biases=biases)


def supported(dtype: np.dtype) -> np.dtype:
    """Return a dtype that there are kernels for, or raise."""
    if dtype not in (np.float64, np.float32):
        raise ParameterError(
            f"the compiled engine computes in float64 or float32, not in {dtype};"
            " take engine='walker' or ng.Network(dtype=...)"
        )
    return np.dtype(dtype)


def addresses(plan: Plan, dtype: np.dtype) -> np.ndarray:
    """Return where the C functions of each activation of a plan are, two for each code."""
    table = np.zeros(2 * max(1, len(plan.activations)), np.int64)
    for code in np.flatnonzero(np.bincount(plan.activation)).tolist():
        table[2 * code : 2 * code + 2] = address(get_activation(plan.activations[code]), dtype)
    return table


class _Job:
    """One run of a plan: its arrays, and how the work is shared out.

    Two ways: every tile by itself, or, where stages are large and tiles few, rows of a stage.
    """

    def __init__(
        self,
        engine: Compiled,
        plan: Plan,
        parameters: Parameters,
        s: np.ndarray,
        y: np.ndarray,
        n_samples: int,
        since: int,
    ):
        self.plan, self.program, self.dtype = plan, program(plan, engine.dense), s.dtype
        self.n_steps, self.tiles, self.n, self.lanes = s.shape[0] - 1, *s.shape[1:]
        self.n_samples, self.since = n_samples, since
        self.weight, self.bias = parameters
        self.kernels = kernels(self.lanes, VECTOR // s.itemsize)
        self.table = addresses(plan, s.dtype)
        self.run = empty_run(s.dtype)._replace(s=s.ravel(), y=y.ravel())
        self.rooms: list[dict[str, np.ndarray]] = []  # free ones
        self.stride = max(1, PATIENCE // max(1, self.cost(plan.n_synapses + 8 * self.n)))
        largest = self.cost(int(self.program.synapses.max(initial=0)))
        self.wide = self.tiles < 4 and largest >= WIDE and not self.program.largest_block

    def forward(self) -> None:
        """Fill s and y."""
        fixed = self.program.packed, self.weight, self.bias, self.table
        if not self.wide:
            for t in range(0, self.n_steps, self.stride):
                self.each_tile(self.kernels.forward, fixed, t, min(t + self.stride, self.n_steps))
            return
        for t in range(self.n_steps):
            for stage in range(len(self.program.stages) - 1):
                self.each_row(self.kernels.forward_part, fixed, t, stage)

    def backward(self, d_output: np.ndarray, d_state: np.ndarray) -> Gradients:
        """Find δ and all gradients."""
        shape = self.n_steps, self.tiles, self.n, self.lanes
        delta = empty(shape, self.dtype)
        delta[:, :, self.plan.inputs] = 0
        d_input = np.zeros((*shape[:2], len(self.plan.inputs), self.lanes), self.dtype)
        d_weight, d_bias = empty(self.weight.shape, self.dtype), np.empty_like(self.bias)
        self.run = self.run._replace(
            delta=delta.ravel(),
            d_output=self.tiled(d_output),
            d_state=self.tiled(d_state),
            d_input=d_input.ravel(),
        )
        p = self.program.packed
        fixed = p, self.weight, self.table
        if self.lanes > 1 or self.n_steps > 1 or self.wide:
            self.deltas(fixed)
            self.gradients((p, d_weight, d_bias))
        elif self.plan.n_synapses < SPLIT:
            self.call(self.kernels.single, (p, self.weight, d_weight, d_bias, self.table), 0)
        else:
            self.call(self.kernels.single_deltas, fixed, 0)
            self.gradients((p, d_weight, d_bias))
        inputs = Signals(d_input, self.n_samples).of()
        return Gradients(d_weight, d_bias, Signals(delta, self.n_samples), inputs)

    def deltas(self, fixed: tuple) -> None:
        """Fill δ and ∂L/∂x, the last step first."""
        n, n_out = self.plan.n_synapses, self.program.n_out
        self.run = self.run._replace(out_w=empty(n_out, self.dtype))
        marks = np.linspace(0, n, self.pieces(2 * n) + 1).astype(int).tolist()
        if n_out:
            pieces: list[tuple[int, ...]] = [(0, *m, n_out) for m in pairwise(marks)]
            self.share(self.kernels.reorder, fixed[:2], pieces)
        for t in range(self.n_steps, 0, -self.stride):
            first = max(0, t - self.stride)
            if not self.wide:
                self.each_tile(self.kernels.backward, fixed, first, t, True)
                continue
            for u in range(t - 1, first - 1, -1):
                for stage in reversed(range(len(self.program.stages) - 1)):
                    self.each_row(self.kernels.backward_part, fixed, u, stage)

    def gradients(self, fixed: tuple) -> None:
        """Fill ∂L/∂w and ∂L/∂b: rows are shared out, each sums over all tiles and steps."""
        rows = self.cut(0, self.n, self.tiles * self.n_steps)
        if self.lanes == 1 and self.n_steps > 1 and self.program.plain:
            width = VECTOR // self.dtype.itemsize
            steps = -(-self.n_steps // width) * width
            y = np.zeros((self.n, self.plan.history + steps), self.dtype)
            y[:, : self.plan.history + self.n_steps] = self.run.y.reshape(-1, self.n).T
            delta = np.zeros((self.n, steps), self.dtype)
            delta[:, : self.n_steps] = self.run.delta.reshape(-1, self.n).T
            self.run = self.run._replace(y=y.ravel(), delta=delta.ravel())
            self.share(self.kernels.in_time, fixed, [(0, *cut, steps) for cut in rows])
            return
        for k in range(self.tiles):
            self.share(self.kernels.gradient, fixed, [(k, *cut, k > 0) for cut in rows])

    # -- sharing out

    def each_tile(self, kernel: Callable, fixed: tuple, *rest: int) -> None:
        """Call a kernel for every tile."""
        self.share(kernel, fixed, [(k, *rest) for k in range(self.tiles)])

    def each_row(self, kernel: Callable, fixed: tuple, t: int, stage: int) -> None:
        """Call a kernel for all rows of a stage, in every tile."""
        first, last = self.program.stages[stage : stage + 2].tolist()
        cut = self.cut(first, last)
        pieces: list[tuple[int, ...]] = [
            (k, t, stage, *rows) for k in range(self.tiles) for rows in cut
        ]
        self.share(kernel, fixed, pieces)

    def share(self, kernel: Callable, fixed: tuple, pieces: list[tuple[int, ...]]) -> None:
        """Call a kernel for every piece: a tile, and what follows it among the arguments."""
        run_all([partial(self.call, kernel, fixed, *piece) for piece in pieces])

    def call(self, kernel: Callable, fixed: tuple, k: int, *rest: int) -> None:
        """Call a kernel on tile k, with room of its own."""
        try:
            room = self.rooms.pop()
        except IndexError:
            room = new_room(self.program, self.n, self.lanes, self.dtype)
        valid = min(self.lanes, self.n_samples - k * self.lanes)
        span = Span(k, self.tiles, self.n_steps, valid, self.since)
        kernel(*fixed, self.run._replace(**room), span, *rest)
        self.rooms.append(room)

    def cut(self, first: int, last: int, times: int = 1) -> list[tuple[int, int]]:
        """Cut rows into pieces of about as many synapses, each visited so many times."""
        indptr = self.plan.indptr[first : last + 1].astype(np.int64)
        cost = self.cost(int(indptr[-1] - indptr[0])) * times
        n = min(max(1, last - first), self.pieces(cost))
        marks = np.linspace(indptr[0], indptr[-1], n + 1)[1:-1]
        edges = np.unique([first, *np.searchsorted(indptr, marks) + first, last])
        return list(pairwise(edges.tolist()))

    def cost(self, synapses: int) -> int:
        """Return nanoseconds, about, for a visit of so many synapses in one tile."""
        return synapses * (8 + self.lanes) // 8

    def pieces(self, cost: int) -> int:
        """Return into how many pieces to cut work: worth their launch, not too long."""
        return max(1, min(8, 2 * cost // WIDE), cost // PATIENCE)

    def tiled(self, values: np.ndarray) -> np.ndarray:
        """Return (T, n, B) values as a flat array of tiles; 0 where there is no sample."""
        padded = np.zeros((*values.shape[:2], self.tiles * self.lanes), self.dtype)
        padded[..., : self.n_samples] = values
        return Signals.split(padded, self.lanes).array.ravel()


def empty_run(dtype: np.dtype) -> Run:
    """Return a run without arrays."""
    nothing, indices = np.empty(0, dtype), np.empty(0, np.int64)
    return Run(*(nothing,) * len(Run._fields))._replace(off=indices, row=indices)


def new_room(made: Program, n: int, lanes: int, dtype: np.dtype) -> dict[str, np.ndarray]:
    """Return the arrays that a kernel fills and forgets."""
    return {
        "eps": empty(n * lanes, dtype),
        "slope": empty(2 * max(n if lanes == 1 else 0, ROWS) * lanes, dtype),
        "pack": empty(made.largest_block * lanes, dtype),
        "off": np.empty(lanes, np.int64),
    }
