"""Row start: from the start of a process to its first result."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Case, Contender, Entry, timed
from benchmarks.options import Options

__all__ = ["start"]

XOR = ["-m", "neurograph", "xor"]
TORCH = ["-c", "import torch"]


def start(options: Options) -> Iterator[Case]:
    """`python -m neurograph xor`, kernels cached and not; peer: `import torch` alone."""
    yield Case(
        "kernels cached",
        [
            Entry("neurograph xor", partial(_process, XOR, options)),
            Entry("import torch, nothing else", partial(_process, TORCH, options), "torch"),
        ],
        per="process",
    )
    if options.quick:
        return
    yield Case("cold", [Entry("neurograph xor", _cold)], per="process")


def _run(arguments: list[str], **environment: str) -> None:
    root = Path(__file__).parent.parent
    env = {**os.environ, **environment}
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=root, env=env, check=True, capture_output=True)


def _process(arguments: list[str], options: Options) -> Contender:
    work = partial(_run, arguments)

    def numbers() -> dict:
        if not options.quick:
            work()  # so that files and kernels are cached
        return {}

    return Contender(timed(work), numbers)


def _cold() -> Contender:
    """As if run for the first time: the folder where numba keeps kernels is new."""

    def work() -> None:
        with tempfile.TemporaryDirectory() as empty:
            _run(XOR, NUMBA_CACHE_DIR=empty)

    return Contender(timed(work))
