"""Files of NIR that are nearly right; like `tests.fuzz.mutants`, for those who have NIR."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

import h5py
import nir
import numpy as np

import neurograph as ng
from neurograph.io.nir import read_raw
from tests.fuzz.mutants import scratched

NASTY = [
    0, -1, 1.0, 2**31, 2**62, np.nan, np.inf, 1e308, 5e-324, "", "x", "LI", "LIF", "Delay", "Threshold", "Output",
    b"\xff", True, 1j, [], [0.0], [1e300], [[]], [1, 2], np.ones((1, 1)), np.ones((2, 2)), np.ones((2, 1, 1)),
    np.zeros(2), np.ones(2, "f4"), np.full(2, 1e-4), [b"x", b"y"], [[b"x", b"x_to_h"]], [[b"h", b"h"]],
]  # fmt: skip


def nir_seeds() -> list[bytes]:
    """Files to start from: every primitive that is read."""
    net = ng.Network(seed=0)
    x, h = net.add_layer("x", 2, role="input"), net.add_layer("h", 2, activation="identity")
    y = net.add_layer("y", 1, role="output", activation="step", bias=1)
    x.project(h), h.project(y), y.project(h, delay=2)
    for n in h:
        net.make_leaky(n, 3)
    one, two = np.ones(1), np.ones(2)
    graphs = [
        ng.io.write_nir(net),
        nir.NIRGraph.from_list(nir.CubaLI(two, two, two, two), nir.I(two), nir.Scale(two)),
        nir.NIRGraph.from_list(nir.Affine(np.ones((1, 1)), one), nir.Threshold(one)),
    ]
    return [_written(graph) for graph in graphs]


def _written(graph: nir.NIRGraph) -> bytes:
    file = io.BytesIO()
    nir.write(file, graph)
    return file.getvalue()


def bent(raw: bytes, rng: np.random.Generator) -> bytes:
    """A file with one group or array in it that is something else, or is gone, or is elsewhere."""
    made = io.BytesIO(raw)
    with h5py.File(made, "r+") as file:
        keys: list[str] = []
        file.visit(keys.append)
        key, other = (keys[int(rng.integers(len(keys)))] for _ in range(2))
        what = rng.integers(8)
        if what == 0 and key not in other:
            file.copy(file[other], file, name=f"{key}_")
            file.move(f"{key}_", f"{other}/{key}" if other.endswith("nodes") else f"{key}__")
        elif what == 1 and not other.startswith(key):
            del file[key]
            file[key] = file[other]  # a second name
        else:
            del file[key]
            if what > 2:
                file[key] = NASTY[int(rng.integers(len(NASTY)))]
    return made.getvalue()


def nir_mutants(n: int, seed: int) -> Iterator[bytes]:
    """Files of NIR: scratched, or with something in them that is something else."""
    rng, seeds = np.random.default_rng(seed), nir_seeds()
    for i in range(n):
        raw = seeds[int(rng.integers(len(seeds)))]
        yield scratched(raw, rng) if i % 2 else bent(raw, rng)


def try_nir(raw: bytes) -> bool:
    """Read a file: a network that can be written and True; or a `FormatError`, and False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ng.NeurographWarning)
        try:
            net = read_raw(raw)
        except ng.FormatError:
            return False
        net.plan()
        if net.inputs and net.outputs and len(net) < 100:
            ng.io.read_nir(ng.io.write_nir(net))
    return True
