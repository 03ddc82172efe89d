"""One thread at a time: who uses a network, and who is refused.

Kernels release the interpreter's lock, so a second thread could change rows under a running
one. Nobody waits here: whoever comes second is told so. The thread that uses a network may do
with it what it likes meanwhile, as callbacks do.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from neurograph.errors import BusyError

__all__ = ["Guard", "exclusive", "shared"]

F = TypeVar("F", bound=Callable)
READ = -1


class Guard:
    """Who uses a network.

    Attributes
    ----------
    user : int
        Ident of the thread that runs or edits it; 0: none does; `READ`: some only predict.
    readers : list of int
        Idents of threads that only predict.
    planning : RLock
        Held while a plan is made: whoever only predicts waits for it.
    """

    # Looking at `user` and setting it is one piece for other threads, and for Ctrl-C: the
    # interpreter lets them in at calls and backward jumps only (CPython 3.11 and later). A lock
    # would take four times as long, on a path where all of a step takes a microsecond.

    __slots__ = ("planning", "readers", "user")

    def __init__(self) -> None:
        self.user = 0
        self.readers: list[int] = []
        self.planning = threading.RLock()

    def refuse(self, me: int, what: str) -> int:
        """Raise `BusyError`; if whoever used the network is gone, or is this thread, return what
        `user` shall be afterwards.
        """
        there = sys._current_frames()
        others = [ident for ident in (self.user, *self.readers) if ident > 0 and ident != me]
        alive = [ident for ident in others if ident in there]
        if alive:
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            raise BusyError(
                f"{what}: thread {names.get(alive[0], alive[0])!r} is using this network, and this"
                f" is thread {names.get(me, me)!r}; nothing was done. Give each thread a network of"
                " its own, net.copy() beforehand, or let them take turns with a threading.Lock"
            )
        self.readers[:] = [ident for ident in self.readers if ident in there]
        return READ if self.readers else 0


def exclusive(method: F) -> F:
    """Let one thread at a time into a method of a graph, or refuse.

    The thread that is inside may come in again.
    """
    what = "pickle" if method.__name__ == "__getstate__" else method.__name__.strip("_")

    @wraps(method)
    def guarded(graph: Any, *args: Any, **options: Any) -> Any:
        guard, me = graph._store.guard, get_ident()
        outer = guard.user
        if outer and outer != me:
            outer = guard.refuse(me, what)
        guard.user = me
        try:
            return method(graph, *args, **options)
        finally:
            guard.user = outer

    return cast(F, guarded)


@contextmanager
def shared(guard: Guard, what: str) -> Iterator[None]:
    """Let any number of threads in that only read, or refuse where one runs or edits."""
    me = get_ident()
    guard.readers.append(me)
    try:
        if guard.user not in (READ, me, 0):
            guard.refuse(me, what)
            guard.user = 0
        if not guard.user:
            guard.user = READ
        yield
    finally:
        guard.readers.remove(me)
        if not guard.readers and guard.user == READ:
            guard.user = 0
