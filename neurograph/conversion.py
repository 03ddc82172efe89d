"""From arrays and matrices to networks, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from neurograph.elements import READS_OUTPUT, READS_STATE, Neuron, Synapse
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError, room_for
from neurograph.functions import get_activation
from neurograph.graph import NeuronGraph
from neurograph.schedule import break_cycles
from neurograph.sweeps import sorted_by, taken
from neurograph.values import MAX_ROWS, natural

__all__ = ["from_arrays", "read_column", "set_weights", "to_scipy", "write_column"]

N = TypeVar("N", bound=NeuronGraph)
NEURON_BYTES, SYNAPSE_BYTES = 1000, 220  # about, with their objects and their places in dicts


# ---------------------------------------------------------------- arrays


def from_arrays(
    cls: type[N],
    source: Any,
    target: Any,
    weight: Any = None,
    *,
    n_neurons: int,
    inputs: Iterable,
    outputs: Iterable,
    activation: Any = "logistic",
    bias: Any = None,
    delay: Any = None,
    names: Iterable | None = None,
    self_loops: str | None = None,
    seed: Any = 0,
    dtype: Any = "float64",
) -> N:
    """Make a network from arrays with an entry for each synapse.

    Parameters
    ----------
    source, target : (E,) int
        Neurons 0 … n_neurons - 1; no pair twice.
    weight : (E,) float, optional
        Drawn from uniform(-0.1, 0.1) unless given.
    n_neurons : int
    inputs, outputs : sequence of int
    activation : str or sequence of str
        For all, or one for each neuron.
    bias : number or (N,) float, optional
    delay : int, (E,) int or "auto", optional
        "auto" as in `from_graph`.
    names : sequence, optional
        Of the neurons, instead of their numbers.
    self_loops : {"output", "state"}
        What self-synapses feed back; must be said if there are any.
    seed, dtype
        As in `Network`.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network.from_arrays([0, 1], [2, 2], n_neurons=3, inputs=[0, 1], outputs=[2])
    >>> list(net.edges)
    [(0, 2), (1, 2)]
    """
    n = natural("n_neurons", n_neurons)
    n_given = len(source) if hasattr(source, "__len__") else 0
    size = NEURON_BYTES * n + SYNAPSE_BYTES * n_given
    with room_for(f"{n} neurons and {n_given} synapses", size):
        net = cls(seed=seed, dtype=dtype)
        source, target = (_indices(k, a, n) for k, a in (("source", source), ("target", target)))
        n_synapses = len(source)
        _require_length("target", target, n_synapses)
        _require_single(source, target, n)
        loops = source == target
        if loops.any() and self_loops not in ("state", "output"):
            raise ParameterError(
                f"neuron {source[loops][0]} has a self-synapse: say self_loops='output' if they"
                " feed back the output, 'state' if the state"
            )
        auto = isinstance(delay, str) and delay == "auto"
        steps = _delays(None if auto else delay, loops, self_loops)
        if names is not None and not isinstance(names, Iterable):
            raise ParameterError(f"names must be a sequence, got {names!r}")
        names = [net._as_name(name) for name in (range(n) if names is None else names)]
        _require_length("names", names, n)
        if len(set(names)) < n:
            raise ParameterError("names must be different from each other")
        columns = _neuron_columns(net, activation, bias, n)
        weight = _weights(net, weight, n_synapses)
        ports = [
            [names[i] for i in _indices(role, given, n)]
            for role, given in (("inputs", inputs), ("outputs", outputs))
        ]

        net._create(names)
        for name, values in columns.items():
            net._store.neurons.array(name)[:] = values
        net.adopt_synapses(source, target)
        table = net._store.synapses
        table.array("weight")[:] = weight
        if steps.any():
            table.array("delay")[:] = steps
        if loops.any() and self_loops == "state":
            table.array("reads")[:] = np.where(loops, READS_STATE, READS_OUTPUT)
        net.inputs, net.outputs = ports
        if auto:
            break_cycles(net)
        return net


def _indices(name: str, given: Any, n: int) -> np.ndarray:
    try:
        array = np.asarray(given)
    except ValueError:  # ragged
        array = np.empty((0, 0))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ParameterError(f"{name} must be a sequence of whole numbers, got {given!r:.80}")
    if array.size and not (array.min() >= 0 and array.max() < n):
        wrong = array[(array < 0) | (array >= n)][0]
        raise ParameterError(f"{name} holds {wrong}, but neurons are numbered 0 to {n - 1}")
    return array.astype(np.uint32)


def _require_length(name: str, given: Any, n: int) -> None:
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ShapeError(f"{name} must have shape ({n},), got {given.shape}")
    if len(given) != n:
        raise ShapeError(f"{name} must have {n} entries, got {len(given)}")


def _require_single(source: np.ndarray, target: np.ndarray, n: int) -> None:
    order = sorted_by(target, n)[1]
    order = taken(order, sorted_by(taken(source, order), n)[1])
    s, t = taken(source, order), taken(target, order)
    twice = np.flatnonzero((s[1:] == s[:-1]) & (t[1:] == t[:-1]))
    if len(twice):
        raise ParameterError(
            f"several synapses lead from {s[twice[0]]} to {t[twice[0]]}; merge them first"
        )


def _delays(delay: Any, loops: np.ndarray, self_loops: str | None) -> np.ndarray:
    if delay is None:
        return loops.astype(np.int32)
    array = real_array("delay", delay, np.dtype(float))
    array = np.broadcast_to(array, loops.shape) if array.ndim == 0 else array
    _require_length("delay", array, len(loops))
    whole = (array >= 0) & (array == np.floor(array)) & (array < 2**31)
    if not whole.all():
        wrong = array[~whole][0]
        limit = f"at most {MAX_ROWS}" if wrong > MAX_ROWS else "0 or more"
        raise ParameterError(f"delay must be whole numbers of {limit}, got {wrong:g}")
    if self_loops == "state" and (array[loops] != 1).any():
        raise ParameterError("a self-synapse that reads the state has delay 1")
    if self_loops == "output" and (array[loops] == 0).any():
        raise ParameterError("an autapse needs a delay of at least 1, got 0")
    return array.astype(np.int32)


def _weights(net: NeuronGraph, weight: Any, n: int) -> np.ndarray:
    if weight is None:
        return net.rng.uniform(-0.1, 0.1, n)
    array = _finite("weight", weight, net.dtype)
    _require_length("weight", array, n)
    return array


def _neuron_columns(net: NeuronGraph, activation: Any, bias: Any, n: int) -> dict:
    columns = {}
    if bias is not None:
        given_bias = _finite("bias", bias, net.dtype)
        if given_bias.ndim:
            _require_length("bias", given_bias, n)
        columns["bias"] = given_bias
    if isinstance(activation, str) or not np.iterable(activation):
        names, codes = [get_activation(activation).name], np.zeros(n, int)
    else:
        given = [get_activation(a).name for a in activation]
        _require_length("activation", given, n)
        names = list(dict.fromkeys(given))
        code = {name: i for i, name in enumerate(names)}
        codes = np.array([code[name] for name in given], int)
    net._store.activations = list(dict.fromkeys(["logistic", *names]))
    to_store = np.array([net._store.activations.index(name) for name in names])
    columns["activation"] = to_store[codes]
    return columns


def _finite(name: str, given: Any, dtype: np.dtype) -> np.ndarray:
    array = real_array(name, given, dtype)
    if not np.isfinite(array).all():
        raise ParameterError(f"{name} must be finite numbers, got {array[~np.isfinite(array)][0]}")
    return array


# ---------------------------------------------------------------- matrices


def to_scipy(graph: NeuronGraph) -> Any:
    """Return the weights as a scipy.sparse CSR array; see `Network.to_scipy`."""
    try:
        from scipy.sparse import csr_array
    except ImportError as error:
        raise ImportError("to_scipy needs scipy: pip install 'neurograph[scipy]'") from error
    rows, columns = _positions(graph)
    ids, n = graph.synapse_ids(), len(graph)
    weights = graph._store.synapses.values("weight", ids)
    return csr_array((weights, (rows, columns)), shape=(n, n))


def set_weights(graph: NeuronGraph, matrix: Any) -> None:
    """Assign weights from a matrix; see `Network.set_weights`."""
    graph.require_own()
    n = len(graph)
    if not hasattr(matrix, "tocoo"):
        matrix = real_array("matrix", matrix, graph.dtype)
    if matrix.shape != (n, n):
        raise ShapeError(
            f"matrix must be ({n}, {n}), a row and a column for each neuron; got {matrix.shape}"
        )
    rows, columns = _positions(graph)
    if hasattr(matrix, "tocoo"):
        found = matrix.tocoo()
        at_row, at_column = found.row, found.col
        values = real_array("matrix", found.data, np.dtype(float))
    else:
        at_row, at_column = np.nonzero(matrix)
        values = matrix[at_row, at_column]
    place = {pair: i for i, pair in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))}
    weights = np.zeros(len(rows))
    for u, v, value in zip(at_row.tolist(), at_column.tolist(), values.tolist(), strict=True):
        if (u, v) in place:
            weights[place[u, v]] += value
        elif value:
            names = list(graph)
            raise ParameterError(
                f"the matrix has {value:g} from {names[u]!r} to {names[v]!r}, where there is no"
                f" synapse; add it first: net.add_synapse({names[u]!r}, {names[v]!r})"
            )
    write_column(graph, Synapse, "weight", weights)


def _positions(graph: NeuronGraph) -> tuple[np.ndarray, np.ndarray]:
    neurons, ids = graph.neuron_ids(), graph.synapse_ids()
    position = np.zeros(max(1, graph._store.neurons.ids), np.int64)
    position[neurons] = np.arange(len(neurons))
    table = graph._store.synapses
    return position[table.values("source", ids)], position[table.values("target", ids)]


def read_column(graph: NeuronGraph, kind: type, name: str) -> np.ndarray:
    """Return a snapshot of a column in networkx's order."""
    graph.require_own()
    if kind is Synapse:
        return graph._store.synapses.values(name, graph.synapse_ids())
    return graph._store.neurons.values(name, graph.neuron_ids())


def write_column(graph: NeuronGraph, kind: type, name: str, given: Any) -> None:
    """Write a column in networkx's order; all of it or, after an error, nothing."""
    graph.require_own()
    what = {"weight": "weights", "bias": "biases"}[name]
    table, ids = (
        (graph._store.synapses, graph.synapse_ids())
        if kind is Synapse
        else (graph._store.neurons, graph.neuron_ids())
    )
    values = real_array(what, given, graph.dtype)
    if values.shape != (len(ids),):
        raise ShapeError(
            f"{what} must have shape ({len(ids)},), one for each of net."
            f"{'synapses' if kind is Synapse else 'neurons'}; got {values.shape}"
        )
    if not np.isfinite(values).all():
        k = int(np.flatnonzero(~np.isfinite(values))[0])
        if kind is Synapse:
            whose = " -> ".join(map(repr, list(graph.edges)[k]))
        else:
            whose = repr(list(graph)[k])
        raise ParameterError(
            f"{what} must be finite numbers; number {k}, of {whose}, is given {values[k]}"
        )
    by_id = dict(zip(ids.tolist(), values.tolist(), strict=True)) if table.ties.group else {}
    for group in table.ties.groups():
        if len({by_id[id] for id in group}) > 1:
            raise ParameterError(
                f"{what}: {len(group)} synapses are tied and share one weight, but are given"
                f" {sorted({by_id[id] for id in group})[:3]}; net.untie them or give them one"
            )
    table.array(name)[table.row_of[ids]] = values
    graph._store.touch(Synapse.weight if kind is Synapse else Neuron.bias)
