"""Replay what Synaptic.js was recorded to do: `python -m tests.replay FILE...`.

Files (see tests/data/synaptic/README.md) are of format `synaptic-golden/1`: networks, and the
numbers in them after every activate, propagate and clear; or `synaptic-golden/trainer/1`: costs,
and the errors, rates and results of whole trainings. Every case is replayed with rule "synaptic"
on each engine; the worst error |a - b| / max(1, |b|) is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

import neurograph as ng
from neurograph.costs import COSTS
from neurograph.engines import ENGINES
from neurograph.io.synaptic import NO_NEURON, SQUASH, Connection, Unit, assemble

FORMAT, TRAINER = "synaptic-golden/1", "synaptic-golden/trainer/1"
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


class TrainerReplay(Replay):
    """One recorded training on one engine, or the recorded values of the costs."""

    def start(self) -> None:
        """Build the network, unless the case has none."""
        if "neurons" in self.case:
            super().start()

    def run(self) -> dict[str, float]:
        """Train as recorded, then test with every cost; return the worst errors."""
        if "values" in self.case:
            return self.run_costs()
        case, every, seen = self.case, 1, []
        options = case["train_options"]
        if "abort_at" in options:
            every = 4

        def look(progress):
            seen.append(progress)
            return progress.iterations >= options.get("abort_at", math.inf)

        trainer = ng.Trainer(self.net, **pythonic(case["constructor_options"]))
        X, Y = (np.array([p[k] for p in case["data"]], float) for k in ("input", "output"))
        found = trainer.train(X, Y, **pythonic(options), schedule={"every": every, "do": look})
        self.note("errors", [p.error for p in seen], case["error_series"])
        self.note("rates", [p.rate for p in seen], case["rate_series"])
        self.note("iterations", [found.iterations], [case["result"]["iterations"]])
        self.note("error", [found.error], [case["result"]["error"]])
        self.compare(case["final"])
        self.run_twin(X, Y, found)
        for cost, value in case["test_after"].items():
            self.note(f"test {cost}", [trainer.test(X, Y, cost=cost.lower())], [value])
        return self.errors

    def run_twin(self, X: np.ndarray, Y: np.ndarray, found: Any) -> None:
        """Without somebody who looks at every iteration many are done at once: the same."""
        twin, (net, _) = self.net, build(self.case)
        net.rule, net.engine = twin.rule, twin.engine
        options = pythonic(self.case["constructor_options"] | self.case["train_options"])
        if "abort_at" in self.case["train_options"]:
            options["iterations"] = found.iterations
        again = ng.Trainer(net, **options).train(X, Y)
        self.note("errors at once", again.errors, found.errors)
        self.note("weights at once", net.weights, twin.weights)

    def run_costs(self) -> dict[str, float]:
        """Compute every cost of every recorded target and output."""
        for told in self.case["values"]:
            target, output = (np.array(told[k], float) for k in ("target", "output"))
            for name in ("MSE", "CROSS_ENTROPY", "BINARY"):
                value = float(COSTS[name.lower()](target, output))
                if told[name] is None:
                    value = 1.0 if math.isfinite(value) else 0.0  # must not be a number
                    self.note(name, [value], [0.0])
                else:
                    self.note(name, [value], [told[name]])
        return self.errors


def pythonic(options: dict) -> dict[str, Any]:
    """Return Synaptic's options of a trainer as ours."""
    made = dict(options)
    made.pop("abort_at", None)
    if "cost" in made:
        made["cost"] = made["cost"].lower()
    if "crossValidate" in made:
        told = made.pop("crossValidate")
        made["cross_validate"] = {"test_size": told["testSize"], "test_error": told["testError"]}
    if isinstance(made.get("rate"), dict):
        if made["rate"]["function"] != "0.5/(1+0.05*iteration)+0.1*last_error":
            raise ValueError(f"unknown function of the rate: {made['rate']}")
        made["rate"] = lambda n, last_error: 0.5 / (1 + 0.05 * n) + 0.1 * last_error
    return made


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


REPLAYS = {FORMAT: Replay, TRAINER: TrainerReplay}


def cases(path: str | Path, format: str = FORMAT) -> list[dict]:
    """Return the cases of a file, or raise if it is of another format."""
    told = json.loads(Path(path).read_text())
    if told.get("format") != format:
        raise ValueError(f"{path} has format {told.get('format')!r}, not {format!r}")
    return told["cases"]


def format_of(path: str | Path) -> str:
    """Return the format of a file, or raise if it cannot be replayed."""
    found = json.loads(Path(path).read_text()).get("format")
    if found not in REPLAYS:
        raise ValueError(f"{path} has format {found!r}, not one of {', '.join(REPLAYS)}")
    return found


def main(argv: list[str] | None = None) -> int:
    """Replay files; return 1 if an error was above the tolerance."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--tolerance", type=float, default=1e-12)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    options = parser.parse_args(argv)
    worst = 0.0
    for path in options.files:
        format = format_of(path)
        for case in cases(path, format):
            if case["name"] in REJECTED:
                print(f"{case['name']:40} rejected: {REJECTED[case['name']]}")
                continue
            for engine in options.engine or ENGINES:
                errors = REPLAYS[format](case, engine).run()
                where = max(errors, key=errors.__getitem__)
                worst = max(worst, errors[where])
                print(f"{case['name']:40} {engine:9} {errors[where]:.1e} ({where})")
    print(f"worst error {worst:.1e}, tolerance {options.tolerance:.0e}")
    return int(not worst <= options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
