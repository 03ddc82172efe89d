"""Saves that are killed: python tests/killing.py FILE KILLS SEED; prints what it found, as JSON.

A process for itself, for it forks: a child saves over and over, until it is killed at a random
moment; what is in the file then is looked at.
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


def main(path: Path, kills: int, seed: int) -> Counter:
    nets = []
    for which in range(2):
        net = ng.perceptron(2, 3, 1, seed=which)
        net.graph.update(which=which, ballast=np.full(2**18, which, float))
        nets.append(net)
    began = time.perf_counter()
    nets[0].save(path)
    nets[0].save(path)
    once = (time.perf_counter() - began) / 2
    rng, found = np.random.default_rng(seed), Counter()
    for _ in range(kills):
        wait = float(rng.uniform(0, 3 * once))
        child = os.fork()
        if not child:
            try:
                while True:
                    nets[1].save(path)
                    nets[0].save(path)
            finally:
                os._exit(1)  # an error, which must not become a second parent
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        found["killed" if os.WIFSIGNALED(status) else "ended by itself"] += 1
        net = ng.load(path)
        whole = (net.graph["ballast"] == net.graph["which"]).all()
        found[f"network {net.graph['which']}" if whole else "mixed"] += 1
        for stray in path.parent.iterdir():
            if stray != path:
                found["in the middle"] += 1
                stray.unlink()
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
