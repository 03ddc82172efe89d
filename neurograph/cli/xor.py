"""`neurograph xor`: a small network, trained on XOR, and every number in it."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from neurograph.architectures import perceptron
from neurograph.cli.parsing import at_least, positive
from neurograph.errors import NonFiniteError
from neurograph.learning.optimizers import SGD
from neurograph.network import Network

__all__ = ["add", "run_xor"]

SOLVED = 0.1  # the largest error at which XOR counts as learned


def add(commands: Any) -> None:
    """Add the command."""
    xor = commands.add_parser("xor", help="build a small network and train it on XOR")
    xor.add_argument("--epochs", type=at_least(1), default=1000, help="passes (%(default)s)")
    xor.add_argument("--rate", type=positive, default=8.0, help="learning rate (%(default)s)")
    xor.add_argument("--seed", type=at_least(0), default=0, help="of the weights (%(default)s)")
    xor.add_argument("--hidden", type=at_least(1), default=3, help="neurons (%(default)s)")
    xor.set_defaults(run=run_xor)


def run_xor(options: argparse.Namespace) -> int:
    """Train 2-hidden-1 on XOR, print what it computes and every number in it."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    Y = np.array([[0], [1], [1], [0]])
    net = perceptron(2, options.hidden, 1, seed=options.seed)
    try:
        history = net.fit(
            X,
            Y,
            epochs=options.epochs,
            batch_size=len(X),
            shuffle=False,
            optimizer=SGD(options.rate),
            loss="binary_cross_entropy",
        )
    except NonFiniteError as error:
        print(f"Stuck: {error}.")
        return 1
    if history.interrupted:
        raise KeyboardInterrupt
    net.forward(X)
    loss = net.backward(Y, loss="binary_cross_entropy")
    outputs = net.predict(X)
    print("\n".join([*_truth_table(X, Y, outputs), "", *_numbers(net), ""]))
    worst = float(np.abs(outputs - Y).max())
    if worst > SOLVED:
        print(
            f"Stuck after {options.epochs} epochs: loss {loss:.4g}, an output is off by"
            f" {worst:.2f}. Try another --seed, more --epochs or more --hidden neurons."
        )
        return 1
    print(f"XOR learned in {options.epochs} epochs: loss {loss:.4g}, largest error {worst:.4f}.")
    return 0


def _truth_table(X: np.ndarray, Y: np.ndarray, outputs: np.ndarray) -> list[str]:
    rows = [
        f"{a} {b}    {t}    {y:.4f}" for (a, b), t, y in zip(X, Y[:, 0], outputs[:, 0], strict=True)
    ]
    return ["a b  xor  output", *rows]


def _numbers(net: Network) -> list[str]:
    width = max(len(f"{s.source} -> {s.target}") for s in net.synapses)
    lines = [f"{'neuron':<{width}}  {'bias':>10}  {'gradient':>10}"]
    learned = [n for n in net.neurons if n.role != "input"]
    lines += [f"{n.name:<{width}}  {n.bias:>10.5g}  {n.grad:>10.2e}" for n in learned]
    lines += ["", f"{'synapse':<{width}}  {'weight':>10}  {'gradient':>10}"]
    for s in net.synapses:
        ends = f"{s.source} -> {s.target}"
        lines.append(f"{ends:<{width}}  {s.weight:>10.5g}  {s.grad:>10.2e}")
    return lines
