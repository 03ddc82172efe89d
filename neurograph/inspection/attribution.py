"""To what an output is due: inputs, neurons, synapses, or one path.

All but the simplest methods integrate along the straight line from a baseline x' to x, so that
what is attributed to the inputs adds up to F(x) - F(x') (completeness). Integrated gradients:
Sundararajan, Taly and Yan (2017), eq. 1; conductance: Dhamdhere, Sundararajan and Yan (2018),
eq. 2. Nothing here needs layers, and a run through time is one function of all its inputs. The
network and its last run stay as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.engines import get_engine
from neurograph.engines.base import Batch, Engine, Parameters, all_finite, real_array, record
from neurograph.errors import NeurographWarning, NonFiniteError, ParameterError, ShapeError, suggest
from neurograph.graph import NeuronGraph
from neurograph.inspection.asking import chosen, many
from neurograph.inspection.routes import Route, route
from neurograph.inspection.tangents import Pass
from neurograph.inspection.unrolled import Unrolled
from neurograph.learner import work
from neurograph.schedule import Plan, plan
from neurograph.values import choice, natural, positive
from neurograph.viz.plots import plot_attribution

__all__ = ["METHODS", "Attribution", "attribute"]

PART = 2**21  # neurons times steps, or synapses, times samples that are run at once
METHODS = (
    "integrated_gradients",
    "conductance",
    "synapse_conductance",
    "gradient_x_input",
    "gradient_x_weight",
)
INTEGRATED = METHODS[:3]
QUADRATURES = ("gauss_legendre", "trapezoid")
QUANTITIES = ("output", "state")


# ---------------------------------------------------------------- what comes out


@dataclass(frozen=True, eq=False, repr=False)
class Attribution:
    """To what an output is due.

    Attributes
    ----------
    method : str
    output : hashable
        Name of the output neuron.
    values : array
        By inputs: in the shape of X. By neurons (conductance): (n,), (B, n) or (B, T, n) in the
        order of `net.neurons`. By synapses: (e,) or (B, e) in the order of `net.synapses`, summed
        over steps. Of a path: () or (B,).
    of : list
        What each column of `values` is of: names, or synapses. Of a path: what it consists of.
    target, baseline : (B,) arrays
        F(x) and F(x'); `baseline` is None for a method that does not integrate.
    residual : (B,) array or None
        By how much the integral misses F(x) - F(x'), summed over the inputs.
    tolerance : float or None
        What the residual may be, times max(1, |F(x) - F(x')|).
    gates : array or None
        Of "synapse_conductance": what came through the gate of each synapse.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> found = net.attribute([[0, 1], [1, 1]])
    >>> found.values.shape, found.complete
    ((2, 2), True)
    >>> change = net.predict([[0, 1], [1, 1]]) - net.predict([0, 0])
    >>> bool(np.allclose(found.values.sum(1), change.ravel()))
    True
    """

    method: str
    output: Hashable
    values: np.ndarray
    of: list
    target: np.ndarray
    baseline: np.ndarray | None = None
    residual: np.ndarray | None = None
    tolerance: float | None = None
    gates: np.ndarray | None = None

    @property
    def change(self) -> np.ndarray | None:
        """F(x) - F(x'), (B,); None for a method that does not integrate."""
        return None if self.baseline is None else self.target - self.baseline

    @property
    def complete(self) -> bool:
        """Whether the residual of every sample is within the tolerance."""
        return self.residual is not None and not self._missed().any()

    def _missed(self) -> np.ndarray:
        assert self.residual is not None and self.change is not None
        return np.abs(self.residual) > self.tolerance * np.maximum(1, np.abs(self.change))

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of one input, neuron (a name or a handle) or synapse (a handle)."""
        if isinstance(key, Neuron):
            key = key.name
        for k, what in enumerate(self.of if self.method != "path" else ()):
            if what is key or (not isinstance(what, Synapse) and what == key):
                return self.values[..., k]
        known = [what for what in self.of if not isinstance(what, Synapse)]
        raise ParameterError(f"nothing is attributed to {key!r}.{suggest(key, known)}")

    def plot(self, sample: int = 0, k: int = 20, ax: Any = None) -> Any:
        """Draw what one sample is due to; return the axes (extra `matplotlib`).

        Bars of the k largest values; by inputs or neurons of a sequence, an image of all of them
        at each step.

        Parameters
        ----------
        sample, k : int
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given.
        """
        return plot_attribution(self, sample, k, ax)

    def to_pandas(self) -> Any:
        """Return a DataFrame (extra `pandas`).

        By inputs or neurons: a row for each sample and step, a column for each name. By
        synapses: a row for each sample and synapse with source, target, value (and gate). Of a
        path: a row for each sample.
        """
        try:
            import pandas
        except ImportError:
            raise ParameterError(
                "to_pandas needs pandas: pip install 'neurograph[pandas]'; or take .values"
            ) from None
        n = len(self.target)
        if self.method == "path":
            return pandas.DataFrame({"value": self.values.reshape(n)}).rename_axis("sample")
        if not self.of or not isinstance(self.of[0], Synapse):
            steps = self.values.size // (n * max(1, len(self.of)))
            index = pandas.MultiIndex.from_product([range(n), range(steps)])
            columns = pandas.Index(self.of, tupleize_cols=False, dtype=object)
            rows = self.values.reshape(n * steps, -1)
            return pandas.DataFrame(rows, index.set_names(["sample", "step"]), columns)
        ends = {
            "source": pandas.Series([s.source for s in self.of] * n, dtype=object),
            "target": pandas.Series([s.target for s in self.of] * n, dtype=object),
        }
        found = {"sample": np.repeat(np.arange(n), len(self.of)), **ends}
        found["value"] = self.values.reshape(-1)
        if self.gates is not None:
            found["gate"] = self.gates.reshape(-1)
        return pandas.DataFrame(found)

    def __repr__(self) -> str:
        what = f"<{self.method} of output {self.output!r} for {many(len(self.target), 'sample')}"
        if self.residual is None:
            return f"{what}>"
        worst = np.abs(self.residual).max()
        return f"{what}; residual at most {worst:.2g}, tolerance {self.tolerance:g}>"


# ---------------------------------------------------------------- what goes in


class _Question(NamedTuple):
    """What is asked of which output, checked."""

    graph: NeuronGraph
    plan: Plan
    engine: Engine
    batch: Batch
    output: Hashable
    column: int
    step: int
    by_state: bool

    def run(self, samples: np.ndarray) -> Pass:
        """Run samples (B, T, n_in) forwards and backwards; nothing is written anywhere."""
        graph, made = self.graph, self.plan
        recording = record(self.engine, graph, made, Batch(samples, self.batch.shape), None)
        d = np.zeros((2, samples.shape[1], len(made.outputs), len(samples)), graph.dtype)
        d[int(self.by_state), self.step, self.column] = 1
        parameters = Parameters.of(graph)
        found = self.engine.backward(
            made, parameters, recording._s, recording._y, recording._start.steps, d[0], d[1]
        )
        for gradient in (found.weight, found.bias, found.inputs):
            if not all_finite(gradient):
                raise NonFiniteError("the gradient of this output is not finite")
        run = Unrolled.of(recording, parameters)
        return Pass(run, np.asarray(found.delta.of(), float), np.asarray(found.inputs, float), d)

    def value(self, done: Pass) -> np.ndarray:
        """Return F of each sample."""
        j, run = self.plan.outputs[self.column], done.run
        return run.s[1 + self.step, j] if self.by_state else run.y[run.h + self.step, j]


def attribute(
    graph: NeuronGraph,
    X: Any,
    output: Any = None,
    *,
    method: str = "integrated_gradients",
    path: Sequence | None = None,
    baseline: Any = None,
    points: int = 32,
    quadrature: str = "gauss_legendre",
    tolerance: float = 1e-4,
    step: int = -1,
    quantity: str = "output",
    engine: str | None = None,
) -> Attribution:
    """Attribute an output; see `Network.attribute`."""
    choice("method", method, METHODS)
    nodes, tolerance = _nodes(points, quadrature), positive("tolerance", tolerance)
    runs = len(nodes[0]) if method in INTEGRATED else 1
    asked = _question(graph, X, output, step, quantity, engine, runs)
    if path is not None:
        if method != METHODS[0]:
            raise ParameterError(f"along a path there is one method, leave {method!r} out")
        along = route(graph, asked.plan, path, asked.output)
        return _integrated(asked, "path", baseline, nodes, tolerance, along)
    if method in INTEGRATED:
        return _integrated(asked, method, baseline, nodes, tolerance, None)
    if baseline is not None:
        raise ParameterError(f"{method} has no baseline; take one of {', '.join(INTEGRATED)}")
    done = asked.run(asked.batch.samples)
    if method == "gradient_x_input":
        moved = done.inputs * asked.batch.x
    else:
        moved = done.arriving()
    values, of = _as_users_see(asked, method, moved)
    return Attribution(method, asked.output, values, of, asked.value(done))


def _question(
    graph: NeuronGraph,
    X: Any,
    output: Any,
    step: int,
    quantity: str,
    engine: str | None,
    runs: int,
) -> _Question:
    net: Any = graph
    graph.require_own()
    made = plan(graph)
    batch = Batch.of(X, made, graph.dtype)
    names = [made.name(j) for j in made.outputs]
    if not names:
        raise ParameterError(
            "the network has no outputs, so nothing can be attributed; name some, e.g."
            " net.outputs = ['y']"
        )
    if output is None and len(names) != 1:
        raise ParameterError(
            f"of which output? The network has {len(names)}: {', '.join(map(repr, names[:5]))};"
            " say output="
        )
    name = names[0] if output is None else graph.neuron(output).name
    if name not in names:
        raise ParameterError(
            f"neuron {name!r} is no output of the network; its outputs are"
            f" {', '.join(map(repr, names[:5]))}"
        )
    by_state = choice("quantity", quantity, QUANTITIES) == 1
    t = chosen("step", step, batch.steps).start
    executor = get_engine(engine or net.engine, work(made, batch) * runs)
    return _Question(graph, made, executor, batch, name, names.index(name), t, by_state)


def _baseline(asked: _Question, given: Any) -> np.ndarray:
    """Return x' as (B, T, n_in)."""
    samples, shape = asked.batch.samples, (*asked.batch.shape, asked.batch.samples.shape[2])
    array = real_array("baseline", 0.0 if given is None else given, asked.graph.dtype)
    if not all_finite(array):
        raise NonFiniteError("baseline must hold finite numbers")
    try:
        return np.broadcast_to(array, shape).reshape(samples.shape)
    except ValueError:
        raise ShapeError(
            f"baseline must be a number, or an array that goes with X of shape {shape}, as"
            f" ({shape[-1]},); got {array.shape}"
        ) from None


# ---------------------------------------------------------------- the line


def _integrated(
    asked: _Question,
    method: str,
    baseline: Any,
    nodes: tuple[np.ndarray, np.ndarray],
    tolerance: float,
    along: Route | None,
) -> Attribution:
    start = _baseline(asked, baseline)
    total: Any = 0.0
    inputs: Any = 0.0
    for done, fold in _line(asked, method, start, *nodes):
        inputs = inputs + fold(done.of_inputs())
        if method == "conductance":
            total = total + fold(done.of_neurons())
        elif method == "synapse_conductance":
            total = total + fold(done.of_synapses())
        elif along is not None:
            total = total + fold(done.of_route(along, _direct(asked, done)))
    values = inputs if method == "integrated_gradients" else total
    target, before = (asked.value(asked.run(x)) for x in (asked.batch.samples, start))
    residual = inputs.sum((0, 1)) - (target - before)
    gates = None
    if method == "synapse_conductance":
        gates = _as_users_see(asked, method, values[1])[0]
        values = values[0]
    shown, of = _as_users_see(asked, method, values, along)
    found = Attribution(
        method, asked.output, shown, of, target, before, residual, tolerance, gates
    )  # fmt: skip
    _warn(found, len(nodes[0]))
    return found


def _nodes(points: int, quadrature: str) -> tuple[np.ndarray, np.ndarray]:
    """Return where on [0, 1] to look, and with what weights."""
    n, trapezoid = natural("points", points), choice("quadrature", quadrature, QUADRATURES) == 1
    if n < 1 + trapezoid:
        raise ParameterError(f"points must be {1 + trapezoid} or more, got {points!r}")
    if trapezoid:
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    places, weights = np.polynomial.legendre.leggauss(n)
    return (places + 1) / 2, weights / 2


def _line(
    asked: _Question, method: str, start: np.ndarray, places: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[Pass, Callable]]:
    """Yield passes at some points of the line at once, and what sums over these points."""
    samples, made = asked.batch.samples, asked.plan
    n = len(samples)
    size = made.n_neurons * (made.history + asked.batch.steps) * n
    if method == "synapse_conductance":
        size = max(size, (made.n_synapses + made.n_memories) * n)
    at_once = max(1, PART // size)
    way = samples - start
    for first in range(0, len(places), at_once):
        here = places[first : first + at_once, None, None, None].astype(samples.dtype)
        done = asked.run((start + here * way).reshape(-1, *samples.shape[1:]))
        direction = np.asarray(way, float).transpose(1, 2, 0)
        done.direction = np.tile(direction, (1, 1, len(here)))
        share = weights[first : first + at_once]

        def fold(values: np.ndarray, share: np.ndarray = share) -> np.ndarray:
            return np.tensordot(values.reshape(*values.shape[:-1], -1, n), share, (-2, 0))

        yield done, fold


def _direct(asked: _Question, done: Pass) -> np.ndarray:
    """Return ∂F/∂s of the output asked for, all of it that is direct, (T, B)."""
    j = int(asked.plan.outputs[asked.column])
    return done.run.slope(j) * done.d[0, :, asked.column] + done.d[1, :, asked.column]


def _as_users_see(
    asked: _Question, method: str, values: np.ndarray, along: Route | None = None
) -> tuple[np.ndarray, list]:
    """Return values with samples first and columns as users count them, and what these are."""
    graph, made, shape = asked.graph, asked.plan, asked.batch.shape
    if along is not None:
        return values.reshape(shape[:1]), along.of
    if method in ("integrated_gradients", "gradient_x_input"):
        return values.transpose(2, 0, 1).reshape(*shape, -1), list(graph.inputs)
    if method == "conductance":
        columns = [made.position[name] for name in graph.nodes]
        return values.transpose(2, 0, 1)[..., columns].reshape(*shape, -1), list(graph.nodes)
    synapses = [s for _, _, s in graph.edges(data=True)]
    rows = graph._store.synapses.row_of[[s._id for s in synapses]]
    return values.T[:, rows].reshape(*shape[:1], -1), synapses


def _warn(found: Attribution, points: int) -> None:
    """Say so if the integral misses what it has to be."""
    if found.complete:
        return
    assert found.residual is not None and found.change is not None
    b = int(np.argmax(np.abs(found.residual)))
    warnings.warn(
        f"attributions of sample {b} add up to {found.change[b] + found.residual[b]:.6g}, but the"
        f" output changes by {found.change[b]:.6g}, which misses the tolerance"
        f" {found.tolerance:g}: take more points, as points={4 * points}, or a larger tolerance",
        NeurographWarning,
        stacklevel=4,
    )
