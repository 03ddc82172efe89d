"""Networks of NIR, the intermediate representation of neuromorphic tools.

A graph of NIR has nodes that are populations or maps, and edges along which arrays flow; what
enters a node by several edges is summed. Here a population becomes neurons, a map synapses:

    Input, Output         neurons; an Output takes over the population that leads to it
    Linear, Affine        synapses, with biases; identity neurons, where no population follows
    Delay                 synapses with a delay of τ / dt steps; likewise
    Scale                 identity neurons
    Threshold             neurons with activation "step" and bias -threshold
    LI                    τ v' = (v_leak - v) + R I, by Euler's method: a self-synapse that reads
                          the state with weight 1 - dt / τ; inputs weigh R dt / τ
    I                     v' = R I: likewise, with weight 1; inputs weigh R dt
    CubaLI                two of them, the current first

Source: J. E. Pedersen et al., "Neuromorphic intermediate representation: a unified instruction set
for interoperable brain-inspired computing", Nature Communications 15, 8122 (2024).
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any

import numpy as np

from neurograph.conversion import from_arrays
from neurograph.cycles import feedback_arcs
from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import MAX_BYTES, read_bytes, require_class, shown, warn_lost
from neurograph.io.nir_file import DT, describe, step_length
from neurograph.io.nir_populations import Bundle, Population, PopulationGraph
from neurograph.layers import Layer
from neurograph.network import Network

__all__ = ["read_nir", "read_raw"]


def read_nir(
    source: Any, *, dt: float | None = None, create_using: type[Network] = Network
) -> Network:
    """Make a network of a graph of NIR.

    Neurons of a node "h" are called "h.0", "h.1" …, and `net.layers` has the populations. Zeros in
    a matrix are no synapses. Time is cut into steps of dt: time constants by Euler's method, as
    the tools of NIR do, delays as whole numbers of steps.

    Needs the extra ``neurograph[nir]``.

    Parameters
    ----------
    source : path or nir.NIRGraph
    dt : float, optional
        Length of a step in seconds; unless given what the graph's metadata say, else 1e-4.
    create_using : type, optional
        A subclass of `Network` to make.

    Returns
    -------
    Network
        float32 if all arrays are, else float64.

    Raises
    ------
    FormatError
        Not such a file; the message names the place, as ``nodes.h.weight``. Also primitives that
        we do not have (spiking neurons with a reset, convolutions, pooling, graphs in graphs), and
        delays that are no whole number of steps.

    Warns
    -----
    NeurographWarning
        A cycle without a Delay, which here gets a delay of one step; a time constant shorter
        than a step.

    Examples
    --------
    >>> import neurograph as ng, nir
    >>> import numpy as np
    >>> graph = nir.NIRGraph.from_list(
    ...     nir.Affine(np.array([[1.0, 2.0]]), np.array([0.5])),
    ...     nir.LI(np.array([4e-4]), np.ones(1), np.zeros(1)))
    >>> net = ng.io.read_nir(graph)
    >>> net
    <Network: 3 neurons (2 inputs, 1 output), 3 synapses; ready>
    >>> net.forward([[[1, 1], [0, 0]]])              # (1 + 2 + ½) / 4, then ¾ of it + ⅛
    array([[[0.875 ], [0.78125]]])
    """
    require_class(create_using)
    dt = None if dt is None else step_length(dt)
    if isinstance(source, (str, os.PathLike)):
        raw = read_bytes(source, MAX_BYTES)
        try:
            return read_raw(raw, dt, create_using)
        except FormatError as error:
            raise FormatError(f"{os.fspath(source)}: {error}") from None
    import nir

    if not isinstance(source, nir.NIRGraph):
        raise ParameterError(f"source must be a path or a NIRGraph, got {shown(source)}")
    file = BytesIO()
    nir.write(file, source)
    return read_raw(file.getvalue(), dt, create_using)


def read_raw(raw: bytes, dt: float | None = None, cls: type[Network] = Network) -> Network:
    """Make a network of what is in a file of NIR; see `read_nir`."""
    found = describe(raw)
    if dt is None:
        dt = found.dt or DT
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        graph = PopulationGraph(found, dt)
        synapses = graph.synapses()
        late = _break_cycles(graph.populations, synapses)
        net = _assemble(cls, graph.populations, synapses, found.dtype)
    warn_lost(
        {
            "a cycle of NIR without a Delay: these synapses get a delay of 1 step": late,
            "time constants shorter than a step, whose states overshoot": graph.overshooting,
        },
        stacklevel=4,
    )
    return net


# ---------------------------------------------------------------- from populations to a network


def _break_cycles(populations: list[Population], synapses: list[Bundle]) -> list[str]:
    """Give a delay to all synapses of a few bundles, so that no cycle is without; name them.

    A matrix from a population to itself is one step late as a whole, not only where it
    closes a cycle.
    """
    at_once = [b for b in synapses if (b.delay == 0).any()]
    place = {id(p): n for n, p in enumerate(populations)}
    loops = [b for b in at_once if b.source is b.target]
    arcs = [b for b in at_once if b.source is not b.target]
    ends = np.array([(place[id(b.source)], place[id(b.target)]) for b in arcs], int).reshape(-1, 2)
    late = [*loops, *(arcs[n] for n in feedback_arcs(*ends.T))]
    for bundle in late:
        bundle.delay = np.maximum(bundle.delay, 1)
    return [f"{b.source.name!r} -> {b.target.name!r}" for b in late]


def _assemble(
    cls: type[Network], populations: list[Population], synapses: list[Bundle], dtype: str
) -> Network:
    """Make the network; a pair of neurons that has several delays gets relays, identity neurons."""
    names = [f"{p.name}.{i}" for p in populations for i in range(p.size)]
    kept = (np.zeros(p.size) if p.memory is None else p.memory for p in populations)
    memory = np.concatenate([np.empty(0), *kept])
    steps = (np.full(p.size, p.activation == "step") for p in populations)
    step = np.concatenate([np.empty(0, bool), *steps])
    source, target, weight, delay = _joined(synapses)
    absorbed = (source == target) & (delay == 1) & (memory != 0)[target] & ~step[target]
    np.add.at(memory, target[absorbed], weight[absorbed])  # y is s: one synapse does for both
    memory = _finite(memory, dtype)
    ends = [a[~absorbed] for a in (source, target, weight, delay)]
    (source, target, weight, delay), relayed = _relayed(ends, memory != 0)
    names += [f"{names[j]}.relay{r}" for r, j in enumerate(relayed)]
    bias = np.concatenate([*(p.bias for p in populations), np.zeros(len(relayed))])
    net = from_arrays(
        cls,
        source,
        target,
        _finite(weight, dtype),
        n_neurons=len(names),
        inputs=_numbers(populations, "input"),
        outputs=_numbers(populations, "output"),
        activation=["step" if s else "identity" for s in step] + ["identity"] * len(relayed),
        bias=_finite(bias, dtype),
        delay=delay,
        names=names,
        self_loops="output",
        seed=None,
        dtype=dtype,
    )
    for j in np.flatnonzero(memory).tolist():
        net.add_synapse(names[j], names[j], weight=float(memory[j]))
    for p in populations:
        members = [net.nodes[name] for name in names[p.first : p.first + p.size]]
        net.layers[p.name] = Layer(net, p.name, members)
    return net


def _relayed(ends: list[np.ndarray], keeps: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """Lead all but one synapse of each pair through a relay; return also where relays lead.

    A pair holds one synapse; a neuron that keeps its state has one from itself to itself.
    """
    source, target, _, delay = ends
    relayed = (source == target) & keeps[target]
    relayed[1:] |= (source[1:] == source[:-1]) & (target[1:] == target[:-1])
    leads = target[relayed].tolist()
    relays = len(keeps) + np.arange(len(leads))
    into = source[relayed], relays, np.ones(len(leads)), delay[relayed]
    source[relayed], delay[relayed] = relays, 0
    return [np.concatenate(pair) for pair in zip(ends, into, strict=True)], leads


def _joined(synapses: list[Bundle]) -> tuple[np.ndarray, ...]:
    """Return source, target, weight and delay of all synapses, those that are alike added up."""
    ends = [
        np.concatenate([np.empty(0, kind), *(made(b) for b in synapses)])
        for kind, made in (
            (int, lambda b: b.source.first + b.columns),
            (int, lambda b: b.target.first + b.rows),
            (float, lambda b: b.weight),
            (int, lambda b: b.delay),
        )
    ]
    order = np.lexsort((ends[3], ends[0], ends[1]))
    source, target, weight, delay = (a[order] for a in ends)
    new = np.ones(len(source), bool)
    same = [a[1:] == a[:-1] for a in (source, target, delay)]
    new[1:] = ~(same[0] & same[1] & same[2])
    starts = np.flatnonzero(new)
    weight = np.add.reduceat(weight, starts) if len(starts) else weight
    return source[new], target[new], weight, delay[new]


def _numbers(populations: list[Population], role: str) -> np.ndarray:
    ranges = [np.arange(p.first, p.first + p.size) for p in populations if p.role == role]
    return np.concatenate([np.empty(0, int), *ranges])


def _finite(values: np.ndarray, dtype: str) -> np.ndarray:
    found = values.astype(dtype)
    if not np.isfinite(found).all():
        raise FormatError(f"a weight or a bias that is no finite number in {dtype}")
    return found
