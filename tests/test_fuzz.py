"""Loaders and files that others wrote: nothing but `FormatError`, no hang, no flood of memory."""

import os
import time
import tracemalloc

import numpy as np
import pytest

from neurograph.errors import FormatError
from tests.fuzz.mutants import (
    LOADERS,
    SEEDS,
    checkpoint_seeds,
    native_seeds,
    synaptic_seeds,
    try_checkpoint,
    try_native,
    try_synaptic,
)

MUTANTS = 100_000 if os.environ.get("NEUROGRAPH_THOROUGH") else 5_000
MEMORY_OF_EVERY = 5  # for tracing slows all down
CONSTANT = 2**17  # bytes that an empty network and an error take anyhow


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loader", LOADERS)
def test_a_mutant_is_refused_or_as_good_as_any(loader):
    mutants, attempt = LOADERS[loader]
    accepted = 0
    for n, raw in enumerate(mutants(MUTANTS, seed=0)):
        traced = n % MEMORY_OF_EVERY == 0
        began = time.process_time()
        if traced:
            tracemalloc.start()
        try:
            with np.errstate(all="ignore"):
                accepted += attempt(raw)
        finally:
            peak = tracemalloc.get_traced_memory()[1] if traced else 0
            tracemalloc.stop()
        assert time.process_time() - began < 2, raw
        assert peak <= 10 * len(raw) + CONSTANT, raw
    assert MUTANTS // 20 < accepted < MUTANTS // 2  # neither all the same nor all broken


def test_the_files_to_start_from_are_fine():
    assert all(map(try_native, native_seeds())) and all(map(try_synaptic, synaptic_seeds()))
    assert all(map(try_checkpoint, checkpoint_seeds()))
    assert not try_checkpoint(native_seeds()[0])
    for loader, seeds in SEEDS.items():
        assert all(map(LOADERS[loader][1], seeds()))
        assert not LOADERS[loader][1](b"") and not LOADERS[loader][1](b"\xff")
    assert not try_native(b"") and not try_synaptic(b"{}")
    assert issubclass(FormatError, ValueError)
