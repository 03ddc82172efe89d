"""The command line: `neurograph xor`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import numpy as np

from neurograph.architectures import perceptron
from neurograph.errors import NeurographError, NonFiniteError
from neurograph.learning.optimizers import SGD
from neurograph.network import Network
from neurograph.training import rounds

__all__ = ["main"]

SOLVED = 0.1  # the largest error at which XOR counts as learned


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")  # one line, without the usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    parser = _Parser(prog="neurograph", description="Networks of neuron and synapse objects.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    xor = commands.add_parser("xor", help="build a small network and train it on XOR")
    xor.add_argument("--epochs", type=_at_least(1), default=1000, help="passes (%(default)s)")
    xor.add_argument("--rate", type=_positive, default=8.0, help="learning rate (%(default)s)")
    xor.add_argument("--seed", type=_at_least(0), default=0, help="of the weights (%(default)s)")
    xor.add_argument("--hidden", type=_at_least(1), default=3, help="neurons (%(default)s)")
    xor.set_defaults(run=run_xor)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except NeurographError as error:
        print(f"neurograph {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def run_xor(options: argparse.Namespace) -> int:
    """Train 2-hidden-1 on XOR, print what it computes and every number in it."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    Y = np.array([[0], [1], [1], [0]])
    net = perceptron(2, options.hidden, 1, seed=options.seed)
    training = rounds(
        net,
        X,
        Y,
        epochs=options.epochs,
        batch_size=len(X),
        shuffle=False,
        optimizer=SGD(options.rate),
        loss="binary_cross_entropy",
    )
    try:
        with _progress(options.epochs) as progress:
            for losses in training:
                progress(len(losses))
    except NonFiniteError as error:
        print(f"Stuck: {error}.")
        return 1
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


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """Show a bar where somebody can see one and tqdm is installed."""
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            with tqdm(total=total, unit=" epochs", leave=False) as bar:
                yield bar.update
                return
    yield lambda n: None


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"takes a whole number of {least} or more, not {text!r}"
            )
        return value

    return parse


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"takes a number above 0, not {text!r}")
    return value
