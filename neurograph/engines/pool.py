"""Threads of our own: kernels release the interpreter's lock and share out fixed pieces of work.

What a piece computes does not depend on who computes it, so results are the same for any
number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from neurograph.errors import ParameterError
from neurograph.values import natural

__all__ = ["get_num_threads", "run_all", "set_num_threads"]


def _available() -> int:
    """Return the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


_threads = _available()
_pool: ThreadPoolExecutor | None = None


def set_num_threads(n: int) -> None:
    """Let kernels use `n` threads, the caller's included; results do not depend on it.

    The default is the number of cores that this process may use.

    Parameters
    ----------
    n : int
        1 or more.

    Examples
    --------
    >>> import neurograph as ng
    >>> before = ng.get_num_threads()
    >>> ng.set_num_threads(1)
    >>> ng.get_num_threads()
    1
    >>> ng.set_num_threads(before)
    """
    global _threads
    if not natural("n", n):
        raise ParameterError("n must be 1 thread or more, got 0")
    _threads = int(n)
    _forget()


def get_num_threads() -> int:
    """Return how many threads kernels may use."""
    return _threads


def _forget() -> None:
    """Let go of the threads: after a fork there are none, and their number may change."""
    global _pool
    _pool = None  # idle threads end when their executor is collected


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run_all(pieces: Iterable[Callable[[], None]]) -> None:
    """Call every piece, on all threads, and wait until all are done, whatever happens."""
    pieces = list(pieces)
    if _threads == 1 or len(pieces) == 1:
        for piece in pieces:
            piece()
        return
    global _pool
    pool = _pool  # another thread may let go of it at any moment
    if pool is None:
        _pool = pool = ThreadPoolExecutor(_threads - 1, "neurograph")
    work = iter(pieces)  # taking the next one from a list iterator is atomic

    def take() -> None:
        for piece in work:
            piece()

    helpers = [pool.submit(take) for _ in range(min(_threads, len(pieces)) - 1)]
    try:
        take()
    finally:
        for _ in work:  # after an error, or Ctrl-C, nothing more is begun
            pass
        wait(helpers)
    for helper in helpers:
        helper.result()
