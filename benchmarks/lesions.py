"""Row lesion-map: the loss without each synapse, beside removing one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

import neurograph as ng
from benchmarks import ours
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.mnist import digits
from benchmarks.options import Options

__all__ = ["lesion_map"]

SIZES = 784, 30, 10


def lesion_map(options: Options) -> Iterator[Case]:
    """Lesions of all synapses of a perceptron 784-30-10, on one thread."""
    n, asked = (10, 4) if options.quick else (1_000, 100)
    given = digits(options, n, "float64")
    net = ng.perceptron(*SIZES, seed=0)
    net.engine = ours.ENGINE
    data = net, given.x, given.y
    picked = np.linspace(0, net.number_of_edges() - 1, asked).astype(int)
    entries = [
        Entry("neurograph", partial(_map, *data, picked)),
        Entry("one by one, compiled engine", partial(_one_by_one, *data, picked)),
    ]
    yield Case("", entries, per="map")


def _map(net: ng.Network, X: np.ndarray, Y: np.ndarray, picked: np.ndarray) -> Contender:
    """Neurons, first order and Optimal Brain Damage are in the time."""

    def work() -> ng.inspection.lesions.LesionMap:
        ours.set_threads(1)
        return net.lesion_map(X, Y)

    return Contender(timed(work), lambda: {"exact": work().exact[picked]})


def _one_by_one(net: ng.Network, X: np.ndarray, Y: np.ndarray, picked: np.ndarray) -> Contender:
    """Only some synapses are removed, and the time is scaled to all of them.

    A weight of 0 does what removing it does, without a new plan.
    """
    synapses = [s for k, s in enumerate(net.synapses) if k in set(picked.tolist())]
    part = len(synapses) / net.number_of_edges()

    def loss() -> float:
        return float(((net.predict(X) - Y) ** 2).sum(1).mean() / 2)

    def work() -> np.ndarray:
        ours.set_threads(1)
        whole, found = loss(), []
        for s in synapses:
            weight, s.weight = s.weight, 0.0
            found.append(loss() - whole)
            s.weight = weight
        return np.array(found)

    measure = timed(work)
    return Contender(
        lambda least: measure(least) / part,
        lambda: {"exact": work()},
        lambda: f"of {len(synapses)} synapses, scaled to all",
    )
