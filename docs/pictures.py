"""Makes the pictures of docs/pictures.md.

    python docs/pictures.py [folder]

They are written into docs/img unless a folder is given. Needs `neurograph[matplotlib]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import neurograph as ng

DPI = 110
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0], [1], [1], [0]])


def xor() -> tuple[ng.Network, ng.History]:
    """Return a perceptron that has learned XOR, and how."""
    net = ng.perceptron(2, 3, 1, activation="tanh", seed=1)
    history = net.fit(X, Y, epochs=2000, optimizer=ng.SGD(1.0), batch_size=4)
    return net, history


def lstm() -> ng.Network:
    """Return one LSTM cell, with weights that show."""
    net = ng.lstm(1, 1, 1, seed=0)
    for synapse in net.synapses:
        if synapse.trainable:
            synapse.weight = net.rng.normal()
    return net


def everything() -> ng.Network:
    """Return a network with skips, delays, gates, a memory and an autapse."""
    net = ng.Network(seed=0)
    for name, role in (("x0", "input"), ("x1", "input"), ("a", None), ("b", None), ("c", None),
                       ("d", None), ("y", "output")):  # fmt: skip
        net.add_neuron(name, role=role, activation="tanh")
    for source, target, weight, delay in (
        ("x0", "a", 1, 0), ("x1", "a", -0.5, 0), ("x1", "b", 0.8, 2), ("a", "c", -1, 0),
        ("b", "c", 0.4, 0), ("c", "y", 1.5, 0), ("x0", "y", -0.7, 0), ("y", "a", 0.6, 1),
        ("c", "b", -1.2, 1), ("a", "b", 0.5, 1), ("b", "d", 1, 0), ("d", "y", -0.3, 3),
    ):  # fmt: skip
        net.add_synapse(source, target, weight=weight, delay=delay)
    memory = net.add_synapse("c", "c", weight=0.9)
    net.add_synapse("d", "d", weight=-0.4, reads="output", delay=2)
    net.gate("b", memory, delay=1)
    net.gate("a", net.edges["c", "y"])
    net.gate("x1", net.edges["x0", "y"])
    return net


def pictures() -> dict[str, Any]:
    """Return the axes of each picture, by the name of its file."""
    net, history = xor()
    found = {"xor": net.draw(), "lstm": lstm().draw(), "everything": everything().draw()}
    found["everything-matrix"] = everything().draw("matrix")
    found["celegans"] = ng.datasets.celegans(gap_junctions=False, clamp=True, seed=0).draw()
    found["history"] = history.plot()
    found["lesions"] = net.lesion_map(X, Y, obs=False).plot()
    net.forward(X)
    net.backward(Y)
    found["explanation"] = net.edges["input.0", "hidden.1"].explain().plot()
    found["attribution"] = net.attribute(X, method="conductance").plot(sample=1)
    return found


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "img"
    folder.mkdir(parents=True, exist_ok=True)
    for name, ax in pictures().items():
        path = folder / f"{name}.png"
        ax.figure.savefig(path, dpi=DPI, metadata={"Software": None})
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
