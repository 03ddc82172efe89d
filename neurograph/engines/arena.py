"""Memory that is used again: fresh pages cost more than what kernels do with them.

An array from here goes back when its last view is gone. The system hands out memory page by
page, at the first touch of each, which for a run over a million synapses took twice as long as
the run. Large blocks ask for huge pages: kernels read from all over them, and finding 4 kB pages
took a fifth to a third of a run.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import os
import weakref
from threading import Lock

import numpy as np

__all__ = ["empty"]

LEAST = 2**17  # bytes; smaller ones are used again by malloc
KEPT = 2**28  # bytes that may lie idle
HUGE = 2**21  # bytes of a huge page
LARGE = HUGE // 2  # bytes from which a block gets huge pages, where the system has them


def fresh(size: int) -> np.ndarray:
    """Return a new block of so many bytes."""
    if size < LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(size, np.uint8)
    whole = -(-size // HUGE) * HUGE
    region = mmap.mmap(-1, whole + HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block = np.frombuffer(region, np.uint8)
    begin = -block.ctypes.data % HUGE  # what is never touched takes no memory
    with contextlib.suppress(OSError):  # a kernel without huge pages
        region.madvise(mmap.MADV_HUGEPAGE, begin // mmap.PAGESIZE * mmap.PAGESIZE, whole)
    return block[begin : begin + size]


class _Arena:
    """Blocks of memory that nobody uses, by size."""

    def __init__(self) -> None:
        self.free: dict[int, list[np.ndarray]] = {}
        self.idle = 0
        self.lock = Lock()

    def take(self, size: int) -> np.ndarray:
        """Return a block of so many bytes, which comes back by itself."""
        with self.lock:
            blocks = self.free.get(size)
            block = blocks.pop() if blocks else None
            if block is not None:
                self.idle -= size
        if block is None:
            block = fresh(size)
        lease = (ctypes.c_char * size).from_buffer(block.data)  # tells when it goes
        weakref.finalize(lease, self.give_back, block).atexit = False
        return np.frombuffer(memoryview(lease), np.uint8)

    def give_back(self, block: np.ndarray) -> None:
        """Keep a block for the next one who asks, if not too much lies idle."""
        if self.idle + len(block) <= KEPT and self.lock.acquire(blocking=False):
            self.free.setdefault(len(block), []).append(block)
            self.idle += len(block)
            self.lock.release()


_arena = _Arena()
if hasattr(os, "register_at_fork"):  # whoever held the lock is not there any more
    os.register_at_fork(after_in_child=lambda: setattr(_arena, "lock", Lock()))


def empty(shape: int | tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of numbers that mean nothing yet.

    >>> empty((2, 3), np.dtype("float32")).shape
    (2, 3)
    """
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    return _arena.take(size).view(dtype).reshape(shape)
