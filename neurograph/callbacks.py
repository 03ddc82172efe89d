"""Callbacks of `fit`: what is asked after each epoch, and may end training.

A callback is a function of one `Epoch`; if it returns True, training ends. It may look at the
network and change it: weights, what is trainable, neurons and synapses. If it has a method
`finish(network, history)`, that is called once at the end, after Ctrl-C and errors too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurograph.errors import ParameterError
from neurograph.history import History
from neurograph.values import flag, natural, positive

__all__ = ["Callback", "EarlyStopping", "Epoch"]


@dataclass(frozen=True)
class Epoch:
    """An epoch that has just ended.

    Attributes
    ----------
    network : Network
    number : int
        From 0.
    loss : float
        Mean loss over its samples, as they were met.
    validation_loss : float or None
    history : History
        Of all epochs so far, this one included.
    """

    network: Any
    number: int
    loss: float
    validation_loss: float | None
    history: History


Callback = Callable[[Epoch], Any]


@dataclass
class EarlyStopping:
    """Ends training when the loss has not become better for some epochs; restores the best.

    It goes by the validation loss where there is one. For one `fit` at a time.

    Parameters
    ----------
    patience : int
        Epochs without a better loss after which training ends.
    least : float
        By how much a loss has to be lower to count as better.
    restore : bool
        Whether weights and biases go back to those of the best epoch, at the end.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(1, 4, 1, seed=0)
    >>> X = np.linspace(0, 1, 20)[:, None]
    >>> history = net.fit(X, X > 0.5, epochs=500, validation=0.25, optimizer=ng.Adam(0.05),
    ...                   callbacks=[ng.EarlyStopping(patience=10)])
    >>> history.best_epoch < len(history) <= 500
    True
    """

    patience: int = 10
    least: float = 0.0
    restore: bool = True
    best: float = field(default=math.inf, init=False)
    epoch: int | None = field(default=None, init=False)
    kept: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if natural("patience", self.patience) < 1:
            raise ParameterError("patience must be 1 epoch or more, got 0")
        positive("least", self.least)
        flag("restore", self.restore)

    def __call__(self, epoch: Epoch) -> bool:
        """Return whether it is time to end."""
        if epoch.number == 0:
            self.best, self.epoch, self.kept = math.inf, None, None
        loss = epoch.loss if epoch.validation_loss is None else epoch.validation_loss
        if loss < self.best - self.least:
            self.best, self.epoch = loss, epoch.number
            self.kept = snapshot(epoch.network) if self.restore else None
        return epoch.number - (self.epoch or 0) >= self.patience

    def finish(self, network: Any, history: History) -> None:
        """Restore the best parameters of whoever is still there."""
        if self.restore and self.kept is not None:
            write_back(network, self.kept)
            history.best_epoch = self.epoch
        self.kept = None


def snapshot(network: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ids and values of all weights and of all biases."""
    store = network._store
    found = []
    for table, name in (store.synapses, "weight"), (store.neurons, "bias"):
        ids = table.alive()
        found.append((ids, table.values(name, ids).copy()))
    return found


def write_back(network: Any, kept: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write the values of a snapshot to those that are still there."""
    store = network._store
    for (table, name), (ids, values) in zip(
        ((store.synapses, "weight"), (store.neurons, "bias")), kept, strict=True
    ):
        rows = table.row_of[ids]
        there = rows >= 0
        table.array(name)[rows[there]] = values[there]
    store.edits += 1
