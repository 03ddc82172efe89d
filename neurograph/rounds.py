"""The loop of `fit`: epochs in rounds of a moment, between which it can stop and go on later.

How much is learned in one round changes no result, and neither does a stop: what the rest of an
epoch needs is its order and the losses of its batches (`Begun`), and no more random numbers are
drawn than those of the epochs that have begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np

from neurograph.errors import NonFiniteError
from neurograph.graph import NeuronGraph
from neurograph.inspection import probes

__all__ = ["ROUND", "Begun", "Pupil", "orders", "rounds"]

ROUND = 0.04  # seconds of learning before Python is asked for Ctrl-C and progress


class Begun(NamedTuple):
    """An epoch that has begun.

    order : (n,) int array of the samples
    values : (q, 2) float64 array, what `Pupil.learn` wrote of its first q batches
    """

    order: np.ndarray
    values: np.ndarray


class Pupil(Protocol):
    """Who learns from some samples, so many at a time."""

    graph: NeuronGraph
    batch_size: int

    @property
    def n_samples(self) -> int:
        """How many samples there are."""

    def drops(self) -> bool:
        """Whether learning draws random numbers, beside those of the order."""

    def first_pace(self) -> int:
        """Return how many batches to learn at first: a moment's work."""

    def learn(self, order: np.ndarray, begin: np.ndarray, values: np.ndarray) -> int:
        """Learn some batches, order[begin[q] : begin[q + 1]]; return how many went well."""

    def step(self, samples: np.ndarray) -> tuple[float, float]:
        """Learn one batch, or say what is wrong; return what is to be noted of it."""

    def placed(
        self, error: NonFiniteError, order: np.ndarray, learned: int, per_epoch: int
    ) -> NonFiniteError:
        """Return an error that `learn` or `step` raised, with its place in the training.

        order : the samples from the first of that call on; learned : batches before it
        """

    def losses(self, values: np.ndarray, n_epochs: int) -> list[float]:
        """Return the mean loss of each of some epochs from what was noted of their batches."""


def orders(rng: np.random.Generator, n: int, n_epochs: int, shuffle: bool) -> np.ndarray:
    """Return the samples of some epochs in the order of learning."""
    if not shuffle:
        return np.arange(n_epochs * n) % n if n_epochs > 1 else np.arange(n)
    return np.array([rng.permutation(n) for _ in range(n_epochs)], int).ravel()


def rounds(pupil: Pupil, job: Any) -> Iterator[list[float]]:
    """Learn; yield the mean losses of some epochs at a time, of none if one has only begun.

    Parameters
    ----------
    pupil : Pupil
    job : neurograph.training.Fit
        Says how many epochs there are and how many of them are done, how many there may be in a
        round, and where to look up. When this yields, `job.begun` says where it stands.
    """
    n_samples, rng = pupil.n_samples, pupil.graph.rng
    per_epoch = -(-n_samples // pupil.batch_size)
    begin = np.arange(per_epoch) * pupil.batch_size
    epoch, pace = job.done, pupil.first_pace()
    while epoch < job.epochs:
        begun, job.begun = job.begun, None
        drops = pupil.drops()
        # With dropout: an order, its masks, the next order.
        most = 1 if begun or drops else min(job.at_once, job.epochs - epoch)
        n, q = max(1, min(pace // per_epoch, most)), 0
        before = rng.bit_generator.state
        order = begun.order if begun else orders(rng, n_samples, n, job.shuffle)
        begins = np.full(n * per_epoch + 1, len(order))
        np.add(np.arange(n)[:, None] * n_samples, begin, out=begins[:-1].reshape(n, per_epoch))
        values = np.zeros((n * per_epoch, 2))
        if begun:
            q = len(begun.values)
            values[:q] = begun.values
        while q < len(values):
            learned = epoch * per_epoch + q
            last = min(q + pace, len(values), q + job.batches_left(learned, per_epoch))
            started = perf_counter()
            try:
                done = q + pupil.learn(order, begins[q : last + 1], values[q:last])
            except NonFiniteError as error:
                raise pupil.placed(error, order[begins[q] :], learned, per_epoch) from None
            pace = next_pace(last - q, perf_counter() - started)
            if done < last and not probes.stopped(pupil.graph):
                after = rng.bit_generator.state
                if not (begun or drops):  # no more than what was learned from, or tried
                    tried = done // per_epoch + 1 if epoch or done else 0
                    _draw_again(rng, before, n_samples, tried, job.shuffle)
                try:
                    values[done] = pupil.step(order[begins[done] : begins[done + 1]])
                except NonFiniteError as error:
                    place = order[begins[done] :], epoch * per_epoch + done, per_epoch
                    raise pupil.placed(error, *place) from None
                rng.bit_generator.state, done = after, done + 1  # it went well after all
            q = done
            if job.looks_up(epoch * per_epoch + q, per_epoch) or probes.stopped(pupil.graph):
                break
        full, rest = divmod(q, per_epoch)
        if full + bool(rest) < n:
            _draw_again(rng, before, n_samples, full + bool(rest), job.shuffle)
        if rest:
            mine = order[full * n_samples : (full + 1) * n_samples]
            job.begun = Begun(mine, values[full * per_epoch : q].copy())
        epoch += full
        yield pupil.losses(values[: full * per_epoch], full)


def _draw_again(
    rng: np.random.Generator, before: Any, n: int, n_epochs: int, shuffle: bool
) -> None:
    """Leave a generator as if only so many epochs had been drawn since."""
    rng.bit_generator.state = before
    orders(rng, n, n_epochs, shuffle)


def next_pace(n: int, seconds: float) -> int:
    """Return how many batches to learn at a time, after n of them took so long."""
    return max(1, min(8 * n, int(n * ROUND / max(seconds, 1e-9))))
