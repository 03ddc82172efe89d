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
    """Lesions of all synapses of a perceptron and of recurrent networks, on one thread."""
    n, asked = (10, 4) if options.quick else (1_000, 100)
    given = digits(options, n, "float64")
    net = ng.perceptron(*SIZES, seed=0)
    net.engine = ours.ENGINE
    data = net, given.x, given.y
    picked = np.linspace(0, net.number_of_edges() - 1, asked).astype(int)
    yield _case("", *data, picked)
    for label, net in _recurrent():
        rng = np.random.default_rng(0)
        shape = (2, 3) if options.quick else (20, 20)
        X, Y = (rng.uniform(-1, 1, (*shape, n)) for n in (len(net.inputs), len(net.outputs)))
        yield _case(label, net, X, Y, np.arange(net.number_of_edges()))
    worm = ng.datasets.celegans(seed=0)
    worm.engine = ours.ENGINE
    rng, shape = np.random.default_rng(0), (2, 3) if options.quick else (8, 8)
    X, Y = (rng.uniform(-1, 1, (*shape, n)) for n in (len(worm.inputs), len(worm.outputs)))
    Y[:, :-1] = np.nan  # the answer is asked in the last step
    own = np.array([k for k, s in enumerate(worm.synapses) if s.tie is None])  # set by itself
    picked = own[np.linspace(0, len(own) - 1, 4 if options.quick else 300).astype(int)]
    yield _case("C. elegans", worm, X, Y, picked)


def _case(label: str, net: ng.Network, X: np.ndarray, Y: np.ndarray, picked: np.ndarray) -> Case:
    entries = [
        Entry("neurograph", partial(_map, net, X, Y, picked)),
        Entry("one by one, compiled engine", partial(_one_by_one, net, X, Y, picked)),
    ]
    return Case(label, entries, per="map")


def _recurrent() -> Iterator[tuple[str, ng.Network]]:
    """Yield networks in which everything is downstream of everything: nothing is saved."""
    net = ng.Network(seed=0)
    x, y = net.add_layer("x", 4, role="input"), net.add_layer("y", 2, role="output")
    h = net.add_layer("h", 24, activation="tanh")
    x.project(h), h.project(h, delay=1, reads="output"), h.project(y)
    for label, made in (
        ("fully recurrent 4-24-2", net),
        ("LSTM 4-12-2", ng.lstm(4, 12, 2, seed=0)),
    ):
        made.engine = ours.ENGINE
        yield label, made


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

    asked = ~np.isnan(Y)

    def loss() -> float:
        off = np.where(asked, net.predict(X) - Y, 0)
        return float((off**2).sum() / 2 / asked.any(-1).sum())

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
        lambda: f"of {len(synapses)} synapses, scaled to all" if part < 1 else "",
    )
