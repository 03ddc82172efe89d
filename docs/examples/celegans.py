"""The worm's wiring at a task: a touch in front makes it go back, one behind makes it go on.

    python docs/examples/celegans.py

Touch receptors and command circuits of C. elegans are known (Chalfie et al. 1985): ALM and AVM
feel the front, PLM and PVM the back; the A-type motor neurons (DA, VA) drive it backwards, the
B-type (DB, VB) forwards. Here every one of the other sensory neurons is noise, the touch lasts
one step, and some steps later A- and B-type neurons have to say which it was. Only synapses
that the worm has are learned. Beside it, random graphs whose neurons have as many synapses in
and out: what of the result is the wiring, and what is a recurrent network of that size?
"""

from __future__ import annotations

import argparse

import numpy as np

import neurograph as ng

FRONT, BACK = ("ALML", "ALMR", "AVM"), ("PLML", "PLMR", "PVM")
STEPS = 8  # of a trial; the touch is in the first, the answer is asked in the last
NOISE = 0.3


def motor(net: ng.Network, kinds: tuple[str, ...]) -> list[int]:
    """Return the columns of Y of motor neurons of these kinds, as "DA" for DA1 … DA9."""
    return [o for o, name in enumerate(net.outputs) if name.rstrip("0123456789") in kinds]


def trials(net: ng.Network, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return n trials: X (n, STEPS, inputs), and whether each was touched in front."""
    X = rng.normal(0, NOISE, (n, STEPS, len(net.inputs)))
    front = rng.integers(0, 2, n).astype(bool)
    for names, touched in (FRONT, front), (BACK, ~front):
        columns = [net.inputs.index(f"sense.{name}") for name in names]
        X[np.ix_(touched, [0], columns)] += 1
    return X, front


def wanted(net: ng.Network, front: np.ndarray) -> np.ndarray:
    """Return targets (n, STEPS, outputs): ±1 of A and B at the last step, nothing else is asked."""
    Y = np.full((len(front), STEPS, len(net.outputs)), np.nan)
    sign = np.where(front, 1.0, -1.0)[:, None]
    Y[:, -1, motor(net, ("DA", "VA"))] = sign
    Y[:, -1, motor(net, ("DB", "VB"))] = -sign
    return Y


def accuracy(net: ng.Network, X: np.ndarray, front: np.ndarray) -> float:
    """Return in how many trials A-type neurons say more than B-type ones where they should."""
    last = net.predict(X)[:, -1]
    a, b = (last[:, motor(net, kinds)].mean(1) for kinds in (("DA", "VA"), ("DB", "VB")))
    return float(((a > b) == front).mean())


def rewired(net: ng.Network, rng: np.random.Generator) -> ng.Network:
    """Return a random network with the same neurons, degrees and weights: synapses trade targets.

    Double edge swaps, ten for each synapse (Maslov & Sneppen 2002), of all synapses between the
    worm's neurons; those through relays keep their relay.
    """
    twin = net.copy()
    plain = [s for s in twin.synapses if s.tie is None and s.source not in twin.inputs
             and not s.loop and "relay" not in twin.nodes[s.source]]  # fmt: skip
    ends = [[s.source, s.target] for s in plain]
    there = {(s.source, s.target) for s in twin.synapses}
    for _ in range(10 * len(ends)):
        i, j = rng.integers(0, len(ends), 2)
        (a, b), (c, d) = ends[i], ends[j]
        if a != d and c != b and (a, d) not in there and (c, b) not in there:
            there -= {(a, b), (c, d)}
            there |= {(a, d), (c, b)}
            ends[i][1], ends[j][1] = d, b
    given = [dict(s) for s in plain]
    twin.remove_edges_from([(s.source, s.target) for s in plain])
    twin.add_edges_from((a, b, values) for (a, b), values in zip(ends, given, strict=True))
    return twin


def train(net: ng.Network, epochs: int, n: int, rng: np.random.Generator) -> dict:
    """Train a network; return what came out."""
    X, front = trials(net, n, rng)
    X_test, front_test = trials(net, n, rng)
    before = accuracy(net, X_test, front_test)
    history = net.fit(X, wanted(net, front), epochs=epochs, batch_size=32, loss="mse",
                      optimizer=ng.Adam(0.003, clip_norm=1.0))  # fmt: skip
    return {"before": before, "after": accuracy(net, X_test, front_test), "loss": history.loss}


def main(arguments: list[str] | None = None) -> list[dict]:
    """Train the worm and random graphs; print and return the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--trials", type=int, default=512)
    parser.add_argument("--random", type=int, default=5, help="random graphs")
    options = parser.parse_args(arguments)
    results = []
    worm = ng.datasets.celegans(seed=0, dtype="float32")
    wiring = list(worm.edges)
    for k in range(1 + options.random):
        net = worm.copy() if k == 0 else rewired(worm, np.random.default_rng(k))
        edges = list(net.edges)
        found = train(net, options.epochs, options.trials, np.random.default_rng(100))
        assert list(net.edges) == edges and (k or edges == wiring)  # only weights were learned
        results.append({"name": "worm" if k == 0 else f"random {k}", **found})
        print(
            f"{results[-1]['name']:>10}: right before {found['before']:.1%}, after"
            f" {found['after']:.1%}; loss {found['loss'][0]:.4f} -> {found['loss'][-1]:.4f}",
            flush=True,
        )
    return results


if __name__ == "__main__":
    main()
