"""Trainings that are killed: python tests/killing_training.py FILE KILLS SEED; prints JSON.

A process for itself, for it forks: a child trains with checkpoints until it is killed at a random
moment; what is in the file then goes on, and has to become what a training becomes that nobody
killed.
"""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import neurograph as ng
from neurograph.io.checkpoint_reader import prepared, read

X = np.random.default_rng(0).uniform(-1, 1, (40, 2))
TOLD = {"batch_size": 3, "optimizer": ng.Adam(0.01), "engine": "walker"}


def network() -> ng.Network:
    net = ng.perceptron(2, 3, 1, seed=0)
    net.nodes["hidden.0"].dropout = 0.2
    return net


def main(path: Path, kills: int, seed: int) -> Counter:
    rng, found = np.random.default_rng(seed), Counter()
    steady: dict[int, bytes] = {}  # weights by epochs
    for _ in range(kills):
        child = os.fork()
        if not child:
            try:
                network().fit(X, X[:, :1], epochs=10**6, checkpoint=path, every="5 batches", **TOLD)
            finally:
                os._exit(1)  # an error, which must not become a second parent
        while not path.exists():
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.2)))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        found["killed"] += os.WIFSIGNALED(status)
        checkpoint = read(path.read_bytes())
        epochs = len(checkpoint.history) + 1
        found["inside an epoch" if checkpoint.begun else "between epochs"] += 1
        found["after an epoch"] += epochs > 1
        job = prepared(checkpoint, X, X[:, :1], epochs=epochs, checkpoint=path)
        job.saver = None
        job.run(lambda n: None)
        if epochs not in steady:
            net = network()
            net.fit(X, X[:, :1], epochs=epochs, **TOLD)
            steady[epochs] = net.weights.tobytes()
        found["the same"] += checkpoint.net.weights.tobytes() == steady[epochs]
        for stray in path.parent.iterdir():
            stray.unlink()
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
