"""Replay what Synaptic.js was recorded to do: `python -m tests.replay FILE...`.

Each file is of the format `synaptic-golden/1` (see tests/data/synaptic/README.md): networks, and
the numbers in them after every activate, propagate and clear. Every case is replayed with rule
"synaptic" on each engine; the worst error |a - b| / max(1, |b|) is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import neurograph as ng
from neurograph.engines import ENGINES
from neurograph.io.synaptic import NO_NEURON, SQUASH, Connection, Unit, assemble

FORMAT = "synaptic-golden/1"
# What Synaptic can build and we refuse, and why.
REJECTED = {
    "two_gaters": "a synapse has one gater; Synaptic lets both write its gain, the last one wins",
    "same_gater_twice": "a synapse is gated once; Synaptic counts its influence twice",
    "parallel_edges": "an ordered pair of neurons holds one synapse",
}


class Replay:
    """One recorded case on one engine; `errors` collects the worst error of each quantity."""

    def __init__(self, case: dict, engine: str):
        self.case, self.engine = case, engine
        self.errors: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Build the network with its initial values."""
        self.net, self.synapses = build(self.case)
        self.net.rule, self.net.engine = "synaptic", self.engine

    def run(self) -> dict[str, float]:
        """Do every step, then the long run if there is one; return the worst errors."""
        for step in self.case.get("steps", []):
            self.step(step)
        if "final" in self.case:
            self.compare(self.case["final"])
        return self.errors

    def step(self, step: dict) -> None:
        """Do one step and compare."""
        if step["op"] == "activate":
            found = self.net.activate(step["input"])
            self.note("output", found, step["output"])
        elif step["op"] == "propagate":
            # Without a rate, or with 0, the library takes 0.1.
            self.net.propagate(step["rate"] or 0.1, step["target"])
        elif step["op"] == "clear":
            self.net.clear_traces()
        else:
            raise ValueError(f"unknown op {step['op']!r}")
        self.compare(step)

    def compare(self, recorded: dict) -> None:
        """Compare all numbers that were recorded."""
        neurons = [self.net.nodes[j] for j in range(len(self.net))]
        fields = self.net._online.fields
        place = [self.net.plan().position[j] for j in range(len(self.net))]
        found: dict[str, Any] = {
            "activations": lambda: [n.output for n in neurons],
            "states": lambda: [n.state for n in neurons],
            "old": lambda: fields["s"][0][place],
            "derivatives": lambda: fields["slope"][place],
            "gains": lambda: [s.gain for s in self.synapses],
            "elig": lambda: [None if s.loop else s.eligibility for s in self.synapses],
            "xtraces": self.extended,
            "responsibility": lambda: fields["responsibility"][place],
            "projected": lambda: fields["projected"][place],
            "gated": lambda: fields["gated"][place],
            "weights": lambda: [s.weight for s in self.synapses],
            "biases": lambda: [n.bias for n in neurons],
        }
        for name in found.keys() & recorded.keys():
            self.note(name, found[name](), recorded[name])

    def extended(self) -> list[float]:
        """Return the extended traces in the order of the file."""
        known = {
            (trace.gater, trace.target, trace.of): trace.value
            for trace in self.net.extended_traces()
            if isinstance(trace.of, ng.Synapse)
        }
        return [known[k, j, self.synapses[c]] for k, j, c in self.case["xtrace_keys"]]

    def note(self, name: str, found: Any, recorded: Any) -> None:
        """Remember the worst error of a quantity."""
        pairs = [(a, b) for a, b in zip(found, recorded, strict=True) if b is not None]
        a, b = np.array(pairs, float).reshape(-1, 2).T
        worst = (np.abs(a - b) / np.maximum(1, np.abs(b))).max(initial=0)
        self.errors[name] = max(self.errors.get(name, 0), float(worst))

    def long_run(self, most_epochs: int | None = None) -> dict[str, float]:
        """Start again and learn the patterns epoch after epoch, up to the last checkpoint."""
        self.start()
        self.errors = {}
        told, done = self.case["long_run"], 0
        X, Y = (np.array([p[k] for p in told["patterns"]], float) for k in ("input", "target"))
        for checkpoint in told["checkpoints"]:
            n = checkpoint["epoch"] - done
            if most_epochs is not None and checkpoint["epoch"] > most_epochs:
                return self.errors
            self.net.learn(np.tile(X, (n, 1)), np.tile(Y, (n, 1)), told["rate"])
            self.compare(checkpoint)
            done += n
        for x, recorded in zip(X, told["final_outputs"], strict=True):
            self.note("output", self.net.activate(x), recorded)
        return self.errors


def build(case: dict) -> tuple[ng.Network, list[ng.Synapse]]:
    """Return the network of a case, and its synapses in the order of the file."""
    neurons = [Unit(n["id"], n["role"], SQUASH[n["squash"]], n["bias"]) for n in case["neurons"]]
    ends = [(c["from"], c["to"]) for c in case["connections"]]
    if len(set(ends)) < len(ends):
        raise ng.GraphError("two connections for an ordered pair of neurons")
    gater = dict.fromkeys(range(len(ends)), NO_NEURON)
    for k, c in case["gates"]:
        if gater[c] != NO_NEURON:
            raise ng.GraphError(f"connection {ends[c]} is gated twice")
        gater[c] = k
    connections = [
        Connection(*ends[n], c["weight"], gater[n]) for n, c in enumerate(case["connections"])
    ]
    net = assemble(ng.Network, neurons, connections)
    return net, [net.edges[pair] for pair in ends]


def cases(path: str | Path) -> list[dict]:
    """Return the cases of a file, or raise if it is of another format."""
    told = json.loads(Path(path).read_text())
    if told.get("format") != FORMAT:
        raise ValueError(f"{path} has format {told.get('format')!r}, not {FORMAT!r}")
    return told["cases"]


def main(argv: list[str] | None = None) -> int:
    """Replay files; return 1 if an error was above the tolerance."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--tolerance", type=float, default=1e-12)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    options = parser.parse_args(argv)
    worst = 0.0
    for path in options.files:
        for case in cases(path):
            if case["name"] in REJECTED:
                print(f"{case['name']:40} rejected: {REJECTED[case['name']]}")
                continue
            for engine in options.engine or ENGINES:
                errors = Replay(case, engine).run()
                where = max(errors, key=errors.__getitem__)
                worst = max(worst, errors[where])
                print(f"{case['name']:40} {engine:9} {errors[where]:.1e} ({where})")
    print(f"worst error {worst:.1e}, tolerance {options.tolerance:.0e}")
    return int(not worst <= options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
