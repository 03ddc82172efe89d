"""Make docs/certificates.md: a gradient certificate for every architecture, and for a trained worm.

    python docs/certificates.py

It writes the page anew, in about a minute. `--check` makes the certificates of the architectures
and writes nothing.
"""

# ruff: noqa: E501
from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import neurograph as ng

HERE = Path(__file__).parent
STEPS, SAMPLES = 5, 3

INTRODUCTION = """\
# Certificates

Is the gradient of this synapse right? `net.verify_gradients(X, Y)` asks every weight and every bias:
its gradient, as `backward` or a rule of online learning finds it, against the slope of the loss by
differences.

```python
>>> import neurograph as ng
>>> net = ng.lstm(2, 3, 1, seed=0)
>>> X, Y = [[[0, 1], [1, 1], [1, 0]]], [[[1], [0], [1]]]
>>> certificate = net.verify_gradients(X, Y)
>>> certificate
<GradientCertificate of 72 parameters: 72 exact>
>>> certificate.holds, certificate["cell.0", "output.0"].verdict
(True, 'exact')
>>> net.verify_gradients(X, Y, rule="lstm-g")["cell.0"].reason
"acts on 'input_gate.0' 1 step later"
>>> net.verify_engines(X, Y).holds
True

```

`print(certificate)` is what can be cited: it names version, dtype, engine, loss, and the SHA-256 of network
and data. `certificate.to_dict()` is ready for JSON, `to_pandas()` has a row for each parameter, `worst()` are those
furthest off. The network is not touched. For many synapses: `synapses=[...]`, `neurons=[...]`, or `sample=300,
seed=0`, which draws so many.

## How it is done

Central differences of the loss in float64, at steps h, h/2, h/4, …, are extrapolated (Ridders 1982, Advances in
Engineering Software 4). Their error is estimated from the extrapolation: twice what the result differs from those
it was made of; to it comes a bound of the rounding of the loss, to first order, divided by the step. The gradient
itself may be in error by its rounding: ε times the operations on the longest way to a parameter, times the
largest sum of absolute terms of equation (7); in float32 also by what it differs from the same in float64.
Where a gradient is not within the bound, smaller steps give a second and a third opinion.

| verdict | |
| --- | --- |
| exact | analytic and numeric gradient agree within the bound, and the bound is at most 1e-6 (float32: 1e-2) of the largest gradient that differences do not contradict; of 1 if all of these are 0 |
| truncated | the rule does not claim to be exact here (`net.gradient_status()`), or an activation has a surrogate derivative; with the reason |
| kink | an activation or the hinge is at a kink within the smallest step (2⁻²⁶), so there is no slope; steps that a kink falls into take no part |
| unresolved | differences are not precise enough |
| wrong | the gradient is not the slope |

`holds` is true if none is wrong or unresolved. Tied synapses move together. With a rule, each sample is a
sequence from rest, and the gradients of all its steps are added up, weights held fixed.

`net.verify_engines(X, Y)` compares states, outputs, deltas and gradients of the walker and the compiled engine, in units
of the last place (ulps): of the numbers themselves, where cancellation makes them many, and of the largest number of
the quantity, which may be 1e-12 of it apart (float32: 2e-4).

# What was certified

Made by `python docs/certificates.py`, which anybody can repeat.
"""


def architectures() -> Iterator[tuple[str, ng.Network]]:
    """Yield every architecture of the library, small, with what makes it special."""
    yield "perceptron", ng.perceptron(3, 5, 4, 2, activation="tanh", seed=0)
    yield "perceptron of rectifiers", ng.perceptron(3, 8, 2, activation="relu", seed=0)
    yield "LSTM", ng.lstm(2, 3, 2, seed=0)
    yield (
        "LSTM, two layers, all options",
        ng.lstm(2, 2, 2, 1, hidden_to_hidden=True, output_to_hidden=True, output_to_gates=True,
                seed=0),
    )  # fmt: skip
    yield "GRU", ng.gru(2, 3, 2, seed=0)
    yield "NARX", ng.narx(2, 4, 1, seed=0)
    yield "liquid state machine", ng.liquid(2, 10, 2, connections=30, gates=5, seed=0)
    yield "Hopfield network", ng.hopfield(5, seed=0)
    yield (
        "random network, recurrent and gated",
        ng.random_network(2, 8, 2, connections=30, back_connections=8, self_synapses=3, gates=4,
                          seed=0),
    )  # fmt: skip
    yield "echo state network", ng.reservoir(2, 12, 1, leak=0.5, feedback_scaling=0.3, seed=0)


def data(net: ng.Network, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences and targets."""
    X = rng.normal(size=(SAMPLES, STEPS, len(net.inputs)))
    return X, rng.random((SAMPLES, STEPS, len(net.outputs)))


def certify(name: str, net: ng.Network) -> tuple[str, bool, list[str]]:
    """Certify one architecture; return a line for the table, whether all holds, and the texts."""
    for neuron in net.neurons:  # biases of 0 hide mistakes
        if neuron.role != "input":
            neuron.bias += net.rng.uniform(-0.3, 0.3)
    X, Y = data(net, np.random.default_rng(1))
    gradients, engines = net.verify_gradients(X, Y), net.verify_engines(X, Y)
    rules = [net.verify_gradients(X, Y, rule=rule) for rule in ("lstm-g", "rtrl")]
    exact = [row for row in gradients if row.verdict == "exact"]
    cells = [
        name,
        str(len(gradients)),
        ", ".join(f"{n} {verdict}" for verdict, n in gradients.verdicts.items()),
        f"{max(row.difference for row in exact):.0e}",
        f"{max(row.bound for row in exact):.0e}",
        *(", ".join(f"{n} {verdict}" for verdict, n in c.verdicts.items()) for c in rules),
        f"{max(row.scaled for row in engines):.2g}",
    ]
    holds = all(c.holds for c in (gradients, engines, *rules))
    return f"| {' | '.join(cells)} |", holds, [str(gradients), str(engines)]


def worm(epochs: int, n: int) -> tuple[ng.Network, np.ndarray, np.ndarray, float]:
    """Train the network of C. elegans of docs/examples in float64; return it, and new trials."""
    spec = importlib.util.spec_from_file_location("celegans", HERE / "examples" / "celegans.py")
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    net = ng.datasets.celegans(seed=0)
    found = example.train(net, epochs, n, np.random.default_rng(100))
    X, front = example.trials(net, 8, np.random.default_rng(7))
    return net, X, example.wanted(net, front), found["after"]


def page(epochs: int, n: int, sample: int) -> str:
    """Return the text of docs/certificates.md."""
    parts = [INTRODUCTION]
    made = [(name, *certify(name, net)) for name, net in architectures()]
    parts.append(
        f"## Every architecture\n\nGradients of the squared error of {SAMPLES} sequences of {STEPS}"
        " steps, biases drawn from (-0.3, 0.3). Rules: what `propagate` finds, by the matching loss."
        " Engines: walker and compiled, largest difference in ulps of the largest number (or of"
        " 1).\n\n"
        "| network | parameters | backpropagation | largest difference | largest bound |"
        " rule lstm-g | rule rtrl | engines |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    parts[-1] += "".join(f"\n{line}" for _, line, _, _ in made)
    net, X, Y, after = worm(epochs, n)
    certificate = net.verify_gradients(X, Y, loss="mse", sample=sample, seed=0)
    engines = net.verify_engines(X, Y, loss="mse")
    parts.append(
        "## C. elegans, trained\n\nThe network of [docs/examples](examples/README.md), in float64,"
        f" trained in a reduced form ({epochs} epochs of {n} trials; {after:.1%} right afterwards),"
        " on 8 new trials."
    )
    parts += [f"```text\n{text}\n```" for text in (certificate, engines)]
    parts.append("## The certificates of the architectures")
    for name, _, _, texts in made:
        parts += [f"### {name}", *(f"```text\n{text}\n```" for text in texts)]
    wrong = [name for name, _, holds, _ in made if not holds]
    wrong += [] if certificate.holds and engines.holds else ["C. elegans"]
    if wrong:
        raise SystemExit(f"these do not hold: {', '.join(wrong)}; nothing was written")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Write the page, or check the architectures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--sample", type=int, default=400, help="parameters of the worm")
    options = parser.parse_args(arguments)
    if options.check:
        for name, net in architectures():
            line, holds, _ = certify(name, net)
            print(line)
            assert holds, name
        return
    (HERE / "certificates.md").write_text(
        page(options.epochs, options.trials, options.sample), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
