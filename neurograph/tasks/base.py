"""What a task is, and the loop that learns one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from neurograph.architectures import gru, lstm
from neurograph.errors import ParameterError
from neurograph.learning.optimizers import Adam, Optimizer
from neurograph.network import Network
from neurograph.values import natural

__all__ = ["ADAM", "Report", "Score", "Task", "blocks", "learn", "units"]

ADAM = Adam(0.01, clip_norm=1.0)


@dataclass(frozen=True)
class Score:
    """How well a network does: a figure in words, and whether that is success."""

    words: str
    success: bool


@dataclass(frozen=True)
class Task:
    """A task: where its sequences come from, and when it counts as solved.

    Attributes
    ----------
    name : str
    source : str
        The paper it is from.
    criterion : str
        When it is solved, in words; what of it is ours is said.
    draw : callable
        (n, rng) -> X (n, T, n_in), Y (n, T, n_out); NaN where nothing is asked.
    score : callable
        (network, rng) -> Score, on sequences that are drawn for it.
    network : callable
        seed -> a network that learns it.
    loss : str
    optimizer : Optimizer
    batch_size, block, limit : int
        Sequences of an update, between two looks at the score, and in all at most.
    rule : str, optional
        Learn online by it, by the matching loss, rather than in batches; see `Network.fit`.
    """

    name: str
    source: str
    criterion: str
    draw: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    score: Callable[[Network, np.random.Generator], Score]
    network: Callable[[Any], Network]
    loss: str = "binary_cross_entropy"
    optimizer: Optimizer = ADAM
    batch_size: int = 16
    block: int = 2000
    limit: int = 200_000
    rule: str | None = None


@dataclass(frozen=True)
class Report:
    """What came out.

    Attributes
    ----------
    task : Task
    network : Network
    sequences : int
        That were learned from.
    score : Score
    seconds : float
    """

    task: Task
    network: Network
    sequences: int
    score: Score
    seconds: float

    @property
    def success(self) -> bool:
        """Whether the criterion of the task was met."""
        return self.score.success

    def __str__(self) -> str:
        verdict = "solved" if self.success else "not solved"
        return "\n".join([
            f"{self.task.name}: {verdict} after {self.sequences:,} sequences, {self.seconds:.1f} s",
            f"score      {self.score.words}",
            f"criterion  {self.task.criterion}",
            f"source     {self.task.source}",
            f"network    {self.network!r}",
        ])  # fmt: skip


def learn(
    task: Task,
    *,
    seed: int = 0,
    network: Network | None = None,
    limit: int | None = None,
    seen: Callable[[int, Score], Any] = lambda sequences, score: None,
) -> Report:
    """Learn a task until it is solved, or the sequences are over.

    Every block of sequences is drawn anew; the score is measured on others, from a generator of
    its own, which is the same each time.

    Parameters
    ----------
    task : Task
    seed : int
        Of the network and of the sequences.
    network : Network, optional
        Instead of the task's own.
    limit : int, optional
        Sequences at most.
    seen : callable, optional
        Called with the number of sequences and the score after each block.

    Examples
    --------
    >>> from neurograph.tasks import learn, xor
    >>> learn(xor(), seed=1).success
    True
    """
    limit = task.limit if limit is None else natural("limit", limit)
    if limit < 1:
        raise ParameterError("limit must be 1 sequence or more, got 0")
    seed = natural("seed", seed)
    net = task.network(seed) if network is None else network
    rng, started, done = np.random.default_rng([seed, 1]), perf_counter(), 0
    score = Score("nothing was learned", False)
    while done < limit and not score.success:
        n = min(task.block, limit - done)
        X, Y = task.draw(n, rng)
        way: dict[str, Any] = (
            {"rule": task.rule} if task.rule else {"batch_size": task.batch_size, "loss": task.loss}
        )
        history = net.fit(X, Y, shuffle=False, optimizer=task.optimizer, progress=False, **way)
        if history.interrupted:
            raise KeyboardInterrupt
        done += n
        score = task.score(net, np.random.default_rng([seed, 2]))
        seen(done, score)
    return Report(task, net, done, score, perf_counter() - started)


def blocks(n_in: int, hidden: int, n_out: int, seed: int, online: bool) -> Network:
    """Return the LSTM that learns to name symbols.

    Online it is as Synaptic's: logistic cells, small weights; else cells are tanh, and weights are
    drawn by fan-in and fan-out.
    """
    if online:
        return lstm(n_in, hidden, n_out, seed=seed)
    net = lstm(n_in, hidden, n_out, activation="tanh", output_activation="logistic", seed=seed)
    net.initialize("glorot_uniform")
    return net


def units(
    n_in: int, hidden: int, n_out: int, seed: int, output: str, update: float = 0.0
) -> Network:
    """Return a GRU; `update`: the bias of its update gates, for units that remember at first."""
    net = gru(n_in, hidden, n_out, output_activation=output, seed=seed)
    for neuron in net.layers["update_gate"]:
        neuron.bias = update
    return net
