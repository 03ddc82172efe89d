"""Ready-made topologies. Each is a function that returns an ordinary `Network`."""

from __future__ import annotations

from typing import Any

from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.values import natural

__all__ = ["perceptron"]


def perceptron(
    *sizes: int,
    activation: str = "logistic",
    output_activation: str | None = None,
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a layered network in which each layer is fully connected to the next.

    Neurons are called "input.0" …, "hidden.0" … ("hidden1.0" … if there are several hidden
    layers) and "output.0" …. Weights are drawn by `initialize("glorot_uniform")`, biases
    are 0.

    Parameters
    ----------
    *sizes : int
        Of the layers, inputs first; two at least.
    activation : str
        Of all neurons but the inputs.
    output_activation : str, optional
        Of the outputs, if it is another.
    seed, dtype
        As in `Network`.

    Examples
    --------
    >>> perceptron(2, 3, 1, seed=0)
    <Network: 6 neurons (2 inputs, 1 output), 9 synapses; ready>
    """
    if len(sizes) < 2:
        raise ParameterError(
            f"perceptron takes two sizes or more, as perceptron(2, 3, 1); got {sizes}"
        )
    for size in sizes:
        if natural("size of a layer", size) < 1:
            raise ParameterError(f"a layer needs a neuron at least; got sizes {sizes}")
    net = Network(seed=seed, dtype=dtype)
    n_hidden = len(sizes) - 2
    hidden = ["hidden"] if n_hidden == 1 else [f"hidden{i}" for i in range(1, n_hidden + 1)]
    layer = net.add_layer("input", sizes[0], role="input")
    for name, size in zip([*hidden, "output"], sizes[1:], strict=True):
        last = name == "output"
        following = net.add_layer(
            name,
            size,
            role="output" if last else None,
            activation=(output_activation if last else None) or activation,
        )
        layer.project(following)
        layer = following
    net.initialize("glorot_uniform")
    return net
