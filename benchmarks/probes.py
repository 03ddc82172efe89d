"""Row probe: training while a probe writes down 100 synapses at every update, beside without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

import neurograph as ng
from benchmarks import ours
from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.mnist import BATCH, RATE, SIZES, digits
from benchmarks.options import Options

__all__ = ["probe"]

WATCHED = 100
PROBES = ("weight",), ("weight", "grad")


def probe(options: Options) -> Iterator[Case]:
    """Batches of a perceptron 784-30-10, float32; steps of an LSTM online; on one thread."""
    given = digits(options, 1_000 if options.quick else 20_000, "float32")
    net = ng.perceptron(*SIZES, seed=0, dtype="float32")
    net.engine = ours.ENGINE
    descent = {"optimizer": ng.SGD(RATE), "batch_size": BATCH, "shuffle": False}

    def epoch() -> None:
        net.fit(given.x, given.y, **descent)

    yield Case("784-30-10, batch 10", _beside(net, epoch), per="epoch")

    cells = ng.lstm(10, 20, 5, seed=0)
    cells.engine = ours.ENGINE
    rng = np.random.default_rng(0)
    x, y = rng.random((100 if options.quick else 2_000, 10)), rng.random((1, 5))
    target = np.repeat(y, len(x), 0)
    yield Case("LSTM of 20 cells, online", _beside(cells, lambda: cells.learn(x, target, 0.1)),
               per=f"{len(x):,} steps")  # fmt: skip


def _beside(net: ng.Network, work: Callable[[], Any]) -> list[Entry]:
    """Return who trains without a probe, and with each of some."""
    start = net.weights.copy(), net.biases.copy()
    some = list(net.synapses)[:: net.number_of_edges() // WATCHED][:WATCHED]

    def contender(what: tuple[str, ...]) -> Contender:
        def before() -> None:
            ours.set_threads(1)
            net.weights, net.biases = start
            net.reset_state()

        def watched() -> None:
            with net.probe(some, what=what) if what else nullcontext():
                work()

        def numbers() -> dict[str, np.ndarray]:
            before()
            watched()
            return {"weights": net.weights.copy()}

        return Contender(timed(watched, before=before), numbers)

    names = ("neurograph", *(f"with a probe: {', '.join(what)}" for what in PROBES))
    pairs = zip(names, ((), *PROBES), strict=True)
    return [Entry(name, partial(contender, what)) for name, what in pairs]
