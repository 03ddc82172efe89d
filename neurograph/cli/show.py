"""`neurograph show`: what is in a file."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

import numpy as np

from neurograph.cli.parsing import at_least
from neurograph.errors import NeurographError
from neurograph.io.native_reader import load

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("show", help="summary, strongest synapses and schedule of a file")
    parser.add_argument("network", help="saved network")
    parser.add_argument("--synapses", type=at_least(0), default=10, help="(%(default)s)")
    parser.add_argument(
        "--levels", type=at_least(0), default=20, help="of the schedule (%(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is in a file."""
    net = load(options.network)
    print("\n".join([*_summary(net), "", *_strongest(net, options.synapses), "",
                     *_schedule(net, options.levels)]))  # fmt: skip
    return 0


def _summary(net: Any) -> list[str]:
    kinds = Counter(n.activation for n in net.neurons if n.role != "input")
    synapses = list(net.synapses)
    counts = {
        "delayed": sum(s.delay > s.loop for s in synapses),
        "self-synapses": sum(s.loop for s in synapses),
        "gated": sum(s.gater is not None for s in synapses),
        "tied": sum(s.tie is not None for s in synapses),
        "frozen": sum(not s.trainable for s in synapses),
    }
    lines = [repr(net), "activations  " + ", ".join(f"{n} {f}" for f, n in kinds.most_common())]
    if net.layers:
        lines.append("layers       " + ", ".join(f"{n} ({len(x)})" for n, x in net.layers.items()))
    some = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    lines.append(f"synapses     {some or 'plain'}")
    if synapses:
        w = net.weights
        lines.append(
            f"weights      {w.min():.4g} to {w.max():.4g}, mean |w| {np.abs(w).mean():.4g};"
            f" {net.dtype}"
        )
    return lines


def _strongest(net: Any, n: int) -> list[str]:
    synapses = list(net.synapses)
    order = np.argsort(-np.abs(net.weights), kind="stable")[:n]
    return ["strongest synapses", *(f"  {synapses[e].source} -> {synapses[e].target}"
            f"  {synapses[e].weight:+.5g}" for e in order)]  # fmt: skip


def _schedule(net: Any, n: int) -> list[str]:
    try:
        lines = [
            line if len(line) <= 100 else f"{line[:99]}…" for line in str(net.plan()).split("\n")
        ]
    except NeurographError as error:
        return [f"not ready: {error}"]
    rest = len(lines) - 1 - n
    return [f"schedule: {lines[0]}", *(f"  {line}" for line in lines[1 : 1 + n]),
            *([f"  … {rest} more lines"] if rest > 0 else [])]  # fmt: skip
