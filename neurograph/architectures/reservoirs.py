"""Reservoirs: echo-state networks."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np

from neurograph.architectures.building import layer_sizes
from neurograph.errors import ParameterError
from neurograph.layers import Layer
from neurograph.network import Network
from neurograph.values import flag, number

__all__ = ["reservoir", "spectral_radius"]

FAN_IN = 10  # recurrent synapses for each neuron of a reservoir, about, unless told otherwise
DENSE = 1000  # neurons up to which all eigenvalues are computed


def reservoir(
    n_in: int,
    n_reservoir: int,
    n_out: int,
    *,
    spectral_radius: float = 0.9,
    density: float | None = None,
    leak: float = 1.0,
    input_scaling: float = 1.0,
    bias_scaling: float = 0.0,
    feedback_scaling: float | None = None,
    input_to_output: bool = True,
    activation: str = "tanh",
    output_activation: str = "identity",
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return an echo-state network: a fixed random reservoir, and a readout that learns.

    With a = `leak`::

        r(t) = (1 - a) r(t-1) + a f(W_in x(t) + W r(t-1) + W_fb y(t-1) + b)
        y(t) = g(W_out [r(t); x(t)] + c)

    W_in, W, W_fb and b are frozen; learning changes W_out and c. The neurons f are layer
    "reservoir" itself if a = 1; else they are layer "update", and "reservoir" is a layer of
    identity neurons whose self-synapses of weight 1 - a feed back their state.

    Parameters
    ----------
    n_in, n_reservoir, n_out : int
    spectral_radius : float
        Largest absolute eigenvalue of W, above 0.
    density : float
        Share of the pairs, each neuron with itself included, that are connected: in (0, 1];
        about 10 synapses for each neuron unless given.
    leak : float
        a in (0, 1].
    input_scaling, bias_scaling : float
        W_in and b are drawn from uniform(-scaling, scaling).
    feedback_scaling : float, optional
        The same for W_fb; there is no feedback unless it is given.
    input_to_output : bool
        Whether the readout sees the inputs too.
    activation, output_activation : str
        f and g.
    seed, dtype
        As in `Network`. W is drawn from uniform(-1, 1) and scaled; W_out by
        `initialize("glorot_uniform")`.

    Raises
    ------
    ParameterError
        A value out of range, or W drawn so sparse that it has no cycle.

    References
    ----------
    H. Jaeger, "The 'echo state' approach to analysing and training recurrent neural networks",
    GMD report 148 (2001), equations 1 and 2; H. Jaeger et al., "Optimization and applications
    of echo state networks with leaky-integrator neurons", Neural Networks 20 (2007); M.
    Lukoševičius, "A practical guide to applying echo state networks" (2012), equations 2 to 4.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.reservoir(1, 50, 1, spectral_radius=0.8, seed=0)
    >>> W = net.to_scipy().toarray()[1:51, 1:51]
    >>> round(float(np.abs(np.linalg.eigvals(W)).max()), 6)
    0.8
    >>> {s.target for s in net.synapses if s.trainable}
    {'output.0'}
    """
    n_in, n, n_out = layer_sizes("reservoir", (n_in, n_reservoir, n_out), 3, "reservoir(1, 50, 1)")
    radius = _above_zero("spectral_radius", spectral_radius, np.inf)
    p = min(1.0, FAN_IN / n) if density is None else _above_zero("density", density, 1)
    a, to_output = _above_zero("leak", leak, 1), flag("input_to_output", input_to_output)
    feedback = None if feedback_scaling is None else number("feedback_scaling", feedback_scaling)

    net = Network(seed=seed, dtype=dtype)
    rng = net.rng
    inputs = net.add_layer("input", n_in, role="input")
    units = net.add_layer("reservoir" if a == 1 else "update", n, activation=activation)
    state = units if a == 1 else net.add_layer("reservoir", n, activation="identity")
    outputs = net.add_layer("output", n_out, role="output", activation=output_activation)
    bias = rng.uniform(-1, 1, n) * number("bias_scaling", bias_scaling)
    for unit, b in zip(units, bias.tolist(), strict=True):
        unit.bias = b
    inputs.project(
        units, weight=rng.uniform(-1, 1, (n_in, n)) * number("input_scaling", input_scaling)
    )
    _recur(net, state, units, _recurrent_weights(rng, n, p, radius))
    if feedback is not None:
        outputs.project(units, delay=1, weight=rng.uniform(-1, 1, (n_out, n)) * feedback)
    if a < 1:
        units.project(state, "one_to_one", weight=a)
        state.project(state, "one_to_one", weight=1 - a)
    for fixed in (*net.synapses, *units, *state):
        fixed.trainable = False
    state.project(outputs)
    if to_output:
        inputs.project(outputs)
    net.initialize("glorot_uniform")
    return net


def _recurrent_weights(
    rng: np.random.Generator, n: int, density: float, radius: float
) -> np.ndarray:
    """Return W, a row for each source, scaled to a spectral radius."""
    weights = rng.uniform(-1, 1, (n, n)) * (rng.random((n, n)) < density)
    if nx.is_directed_acyclic_graph(nx.DiGraph(np.argwhere(weights).tolist())):
        raise ParameterError(
            f"the {np.count_nonzero(weights)} recurrent synapses that were drawn form no cycle, so"
            f" no scale gives them a spectral radius of {radius:g}: take a larger density or"
            " another seed"
        )
    return weights * (radius / spectral_radius(weights))


def _recur(net: Network, source: Layer, target: Layer, weights: np.ndarray) -> None:
    u, v = source.names, target.names
    for i, j in np.argwhere(weights).tolist():
        reads = {"reads": "output"} if u[i] == v[j] else {}
        net.add_edge(u[i], v[j], weight=weights[i, j], delay=1, **reads)


def spectral_radius(matrix: np.ndarray, most_dense: int = DENSE) -> float:
    """Return the largest absolute eigenvalue of a square matrix.

    Of all eigenvalues up to `most_dense` rows; beyond, which needs SciPy, by the implicitly
    restarted Arnoldi method (R. Lehoucq, D. Sorensen, 1996) to machine precision.

    >>> round(spectral_radius(np.array([[0.0, 2.0], [-2.0, 0.0]])), 6)
    2.0
    """
    if len(matrix) > most_dense:
        try:
            from scipy.sparse import csr_array
            from scipy.sparse.linalg import ArpackNoConvergence, eigs
        except ImportError as error:
            raise ImportError(
                f"a reservoir of more than {DENSE} neurons needs scipy: pip install"
                " 'neurograph[scipy]'"
            ) from error
        start = np.ones(len(matrix))
        try:
            found = eigs(csr_array(matrix), k=6, ncv=60, v0=start, return_eigenvectors=False)
            return float(np.abs(found).max())
        except ArpackNoConvergence:  # then all of them
            pass
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _above_zero(name: str, value: float, most: float) -> float:
    found = number(name, value)
    if not 0 < found <= most:
        limit = " and at most 1" if most == 1 else ""
        raise ParameterError(f"{name} must be above 0{limit}, got {value!r}")
    return found
