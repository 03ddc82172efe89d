"""Hopfield-style associative memory, as Synaptic has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurograph.architectures.building import layer_sizes
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError
from neurograph.network import Network
from neurograph.training import History
from neurograph.values import natural, number

__all__ = ["feed", "hopfield", "learn"]


def hopfield(
    size: int,
    *,
    activation: str = "logistic",
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return an associative memory of patterns of bits: inputs all-to-all to as many outputs.

    `learn` teaches it patterns, and `feed` recalls the one that a pattern resembles. This is
    Synaptic's network of that name: it recalls in one step and learns by the delta rule,
    unlike the symmetric recurrent network of J. Hopfield, PNAS 79 (1982).

    Parameters
    ----------
    size : int
        Bits of a pattern.
    activation : str
        Of the outputs.
    seed, dtype
        As in `Network`. Weights are drawn from uniform(-0.1, 0.1), as Synaptic does; biases
        are 0.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.hopfield(6, seed=0)
    >>> history = ng.architectures.learn(net, [[0, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 0]])
    >>> history.loss[-1] <= 5e-5
    True
    >>> ng.architectures.feed(net, [0, 1, 0, 1, 1, 1])
    array([0, 1, 0, 1, 0, 1])
    """
    n = layer_sizes("hopfield", (size,), 1, "hopfield(10)")[0]
    net = Network(seed=seed, dtype=dtype)
    inputs = net.add_layer("input", n, role="input")
    inputs.project(net.add_layer("output", n, role="output", activation=activation))
    return net


def learn(
    net: Network,
    patterns: Any,
    *,
    rate: float = 1.0,
    error: float = 5e-5,
    iterations: int = 500_000,
) -> History:
    """Teach a network to answer each pattern with itself, as Synaptic's Hopfield does it.

    Pass after pass over the patterns in their order, each followed by an update of the online
    rule `net.rule`, until the mean over patterns and bits of (y - t)² of a pass is small
    enough.

    Parameters
    ----------
    net : Network
        With as many outputs as inputs.
    patterns : (P, n) array
        Of 0 and 1.
    rate : float
        Learning rate.
    error : float
        Stop when that of a pass is at most this.
    iterations : int
        Stop after so many passes anyway.

    Returns
    -------
    History
        The error of each pass, met before its updates.
    """
    x = real_array("patterns", patterns, net.dtype)
    n = len(net.inputs)
    if n != len(net.outputs):
        raise ParameterError(
            f"learn needs as many outputs as inputs, got {n} inputs and {len(net.outputs)} outputs"
        )
    if x.ndim != 2 or x.shape[1] != n or not len(x):
        raise ShapeError(f"patterns must have shape (patterns, {n}), got {x.shape}")
    if not np.isin(x, (0, 1)).all():
        raise ParameterError("patterns must hold 0 and 1 only")
    history, error = History(), number("error", error)
    for _ in range(natural("iterations", iterations)):
        outputs = net.learn(x, x, rate)
        history.loss.append(float(np.square(outputs - x).mean()))
        if history.loss[-1] <= error:
            break
    return history


def feed(net: Network, pattern: Any) -> np.ndarray:
    """Return the bits with which a network answers: 1 where an output is above ½.

    Parameters
    ----------
    pattern : (n,) or (B, n) array

    Returns
    -------
    int array of that shape
    """
    return (net.predict(pattern) > 0.5).astype(int)
