"""What one can choose on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Peers

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Options that a row may look at.

    Attributes
    ----------
    quick : bool
        Small sizes, few repeats: whether it runs, not how fast.
    mnist : Path, optional
        An .npz with x_train, y_train, x_test, y_test.
    epochs : int
        Of MNIST, before the accuracy is taken.
    peers : Peers
    """

    quick: bool = False
    mnist: Path | None = None
    epochs: int = 1
    peers: Peers = field(default_factory=Peers)
