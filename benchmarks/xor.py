"""Rows xor-online and xor-call: 2-3-1, logistic, squared error, one update a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import neurograph as ng
from benchmarks import scalar, xor_tensors
from benchmarks.measure import Case, Contender, Entry, steps_within, timed
from benchmarks.node import run_node
from benchmarks.options import Options
from benchmarks.ours import ENGINE
from benchmarks.xor_problem import RATE, Parameters, X, Y, start

__all__ = ["CALLS", "xor_call", "xor_online"]

SECONDS = 1.0  # of a measurement of those who need longer for all steps
CHECKED = 40  # steps after which the parameters of all are the same
TINY = 1e-6  # a rate at which the order of updates within a step does not matter
TOLERANCE = 1e-5  # brain.js has float32 weights

PYTHON = {
    "dict walk": (scalar.DictWalk, None),
    "micrograd-like": (scalar.ValueWalk, None),
    "NumPy": (xor_tensors.NumPy, None),
    "PyTorch eager": (xor_tensors.Torch, "torch"),
}
NODE = {
    "Synaptic, optimised": ("synaptic", "synaptic"),
    "Synaptic, not optimised": ("synaptic-plain", "synaptic"),
    "Neataptic": ("neataptic", "neataptic"),
    "brain.js": ("brain.js", "brain.js"),
}


def xor_online(options: Options) -> Iterator[Case]:
    """80,000 steps in one call: time of a step."""
    steps = 80 if options.quick else 80_000
    entries = [Entry("neurograph", partial(_online, steps))]
    entries.append(Entry("JAX scan", partial(_jax_scan, steps), "jax"))
    yield Case("", [*entries, *_peers(options, steps)], per="step", tolerance=TOLERANCE)


def xor_call(options: Options) -> Iterator[Case]:
    """The same with one call a step from Python (JavaScript peers: from JavaScript)."""
    steps = 40 if options.quick else 20_000
    entries = [
        Entry(f"neurograph, {name}", partial(_calls, make, steps)) for name, make in CALLS.items()
    ]
    entries.append(Entry("JAX, a jitted step", partial(_calls, xor_tensors.Jax, steps), "jax"))
    yield Case("", [*entries, *_peers(options, steps)], per="step", tolerance=TOLERANCE)


def _peers(options: Options, steps: int) -> Iterator[Entry]:
    for name, (make, needs) in PYTHON.items():
        yield Entry(name, partial(_calls, make, steps), needs)
    for name, (variant, needs) in NODE.items():
        yield Entry(name, partial(_node, options, variant, steps), needs)


# ---------------------------------------------------------------- neurograph


def network(given: Parameters) -> ng.Network:
    """Return 2-3-1 with the given parameters."""
    net = ng.perceptron(2, 3, 1, seed=0)
    _write(net, given)
    return net


def _write(net: ng.Network, given: Parameters) -> None:
    for j in range(3):
        for i in range(2):
            net.edges[f"input.{i}", f"hidden.{j}"].weight = float(given.hidden[j, i])
        net.edges[f"hidden.{j}", "output.0"].weight = float(given.out[j])
        net.nodes[f"hidden.{j}"].bias = float(given.hidden_bias[j])
    net.nodes["output.0"].bias = float(given.out_bias)


def _read(net: ng.Network, attribute: str = "weight", of_neuron: str = "bias") -> np.ndarray:
    """Return parameters, or gradients, in the order of `Parameters.vector`."""
    pairs = [(f"input.{i}", f"hidden.{j}") for j in range(3) for i in range(2)]
    outs = [(f"hidden.{j}", "output.0") for j in range(3)]
    values = [getattr(net.edges[pair], attribute) for pair in pairs]
    values += [getattr(net.nodes[f"hidden.{j}"], of_neuron) for j in range(3)]
    values += [getattr(net.edges[pair], attribute) for pair in outs]
    return np.array([*values, getattr(net.nodes["output.0"], of_neuron)])


def _fit(net: ng.Network, steps: int) -> None:
    options = {"optimizer": ng.SGD(RATE), "engine": ENGINE}
    net.fit(X, Y, epochs=steps // 4, batch_size=1, shuffle=False, **options)


def _online(steps: int) -> Contender:
    net = network(start())
    steps = steps_within(SECONDS, partial(_fit, net), steps)
    work = timed(partial(_fit, net, steps), steps, before=lambda: _write(net, start()))
    return Contender(work, partial(_ours, net, partial(_fit, net)))


def _ours(net: ng.Network, train: Callable[[int], None]) -> dict:
    """Everything that any peer is compared with."""
    _write(net, start())
    found = {"output": net.forward(X, engine=ENGINE)[:, 0]}
    net.backward(Y, loss="binary_cross_entropy", reduction="sum")
    found["cross-entropy gradient"] = _read(net, "grad", "grad")
    train(CHECKED)
    return {**found, "parameters": _read(net)}


class ActivatePropagate:
    """`net.activate` and `net.propagate`, all checks included."""

    def __init__(self) -> None:
        self.net = network(start())
        self.net.engine = ENGINE
        self.inputs, self.targets = X.tolist(), Y.tolist()

    def step(self, i: int) -> None:
        """Learn sample i."""
        self.net.activate(self.inputs[i])
        self.net.propagate(RATE, self.targets[i], loss="squared_error")


class Stepper:
    """`net.stepper`, checked beforehand."""

    def __init__(self) -> None:
        self.net = network(start())
        self.net.engine = ENGINE
        self.inputs, self.targets = X.tolist(), Y.tolist()
        self.stepper = self.net.stepper(RATE, loss="squared_error")

    def step(self, i: int) -> None:
        """Learn sample i."""
        self.stepper(self.inputs[i], self.targets[i])


class FitOne:
    """`net.fit` on one sample: every check of fit, each time."""

    def __init__(self) -> None:
        self.net = network(start())
        self.optimizer = ng.SGD(RATE)

    def step(self, i: int) -> None:
        """Learn sample i."""
        options = {"optimizer": self.optimizer, "shuffle": False, "engine": ENGINE}
        self.net.fit(X[i : i + 1], Y[i : i + 1], batch_size=1, **options)


class ForwardBackward:
    """`net.forward`, `net.backward`, and an update of the arrays of weights and biases."""

    def __init__(self) -> None:
        self.net = network(start())

    def step(self, i: int) -> None:
        """Learn sample i."""
        net = self.net
        net.forward(X[i], engine=ENGINE)
        net.backward(Y[i])
        weights, biases = net.weights, net.biases
        net.weights = weights - RATE * net.gradients
        net.biases = biases - RATE * net.bias_gradients


# Each way to learn one sample with one call (or a few) is an entry; the first is what the
# peers are compared with. A class has `net` and `step(i)`.
CALLS = {
    "activate + propagate": ActivatePropagate,
    "net.stepper": Stepper,
    "net.fit of one sample": FitOne,
    "forward + backward + update": ForwardBackward,
}


# ---------------------------------------------------------------- peers


def _train(one: object, steps: int) -> None:
    step = one.step
    for i in range(steps):
        step(i & 3)


def _calls(make: type, steps: int) -> Contender:
    """Measure one that has `step(i)`, as many steps as fit into a moment."""
    steps = steps_within(SECONDS, partial(_train, make()), steps)
    held = [make()]

    def fresh() -> None:
        held[0] = make()

    def numbers() -> dict:
        one = make()
        if hasattr(one, "net"):
            return _ours(one.net, partial(_train, one))
        output = one.outputs()
        _train(one, CHECKED)
        return {"output": output, "parameters": one.vector()}

    return Contender(timed(lambda: _train(held[0], steps), steps, before=fresh), numbers)


def _jax_scan(steps: int) -> Contender:
    scan = xor_tensors.Jax()
    long = partial(scan.scan, np.arange(steps) & 3)
    first: list[float] = []

    def numbers() -> dict:
        first.append(timed(long)(0.0))  # compiles
        found = scan.scan(np.arange(CHECKED) & 3)
        return {"output": scan.outputs(), "parameters": found}

    return Contender(timed(long, steps), numbers, lambda: f"and {first[0]:.1f} s to compile")


def _node(options: Options, variant: str, steps: int) -> Contender:
    given = {**start().lists(), "X": X.tolist(), "Y": Y.tolist()}
    run = partial(run_node, options.peers, "xor.js", variant, **given)

    def numbers() -> dict:
        rate = RATE if variant == "brain.js" else TINY
        found = run(task="check", rate=rate, steps=CHECKED if variant == "brain.js" else len(X))
        if variant == "brain.js":
            return {"output": found["output"], "parameters": found["after"]}
        # Synaptic and Neataptic leave out the slope of the output neuron: cross-entropy.
        change = np.subtract(found["after"], found["before"])
        return {"output": found["output"], "cross-entropy gradient": -change / TINY}

    def measure(_least: float) -> float:
        return run(task="time", rate=RATE, steps=steps)["seconds"]

    crossed = "" if variant == "brain.js" else "learns by the gradient of cross-entropy"
    return Contender(measure, numbers, lambda: crossed)
