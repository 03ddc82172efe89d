"""Networks of layers that pass on: perceptron."""

from __future__ import annotations

from typing import Any

from neurograph.architectures.building import layer_sizes, numbered
from neurograph.network import Network

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
    n_in, *n_hidden, n_out = layer_sizes("perceptron", sizes, 2, "perceptron(2, 3, 1)")
    net = Network(seed=seed, dtype=dtype)
    layer = net.add_layer("input", n_in, role="input")
    for name, size in zip(numbered("hidden", len(n_hidden)), n_hidden, strict=True):
        following = net.add_layer(name, size, activation=activation)
        layer.project(following)
        layer = following
    output = net.add_layer(
        "output", n_out, role="output", activation=output_activation or activation
    )
    layer.project(output)
    net.initialize("glorot_uniform")
    return net
