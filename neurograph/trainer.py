"""`Trainer`: Synaptic's loop over patterns, with its costs, rates, schedule and cross-validation.

A pass activates and propagates pattern after pattern, and nothing is reset in between. Many
passes are done in one call of a kernel; if the training turns out to have ended in the middle
of them, the network goes back and repeats those up to there, which gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from time import perf_counter
from typing import Any

import numpy as np

from neurograph.costs import COSTS
from neurograph.errors import NonFiniteError, ParameterError, ShapeError
from neurograph.guard import exclusive
from neurograph.inspection import probes
from neurograph.learning.losses import Loss
from neurograph.lessons import require_outputs
from neurograph.network import Network
from neurograph.trainer_settings import Progress, Settings

__all__ = ["Trained", "Trainer"]


@dataclass(frozen=True, eq=False)
class Trained:
    """How a training went.

    Attributes
    ----------
    error : float
        Of the last iteration: the mean cost of its patterns, each from before its update; with
        cross-validation, of the test patterns after the pass.
    iterations : int
        Passes over the patterns.
    seconds : float
    stopped : str
        By what: "error", "test_error", "schedule", "iterations" or "probe" (a watchpoint, after
        the iteration in which it was met).
    errors, rates : (iterations,) arrays
        The error and the learning rate of every iteration.
    """

    error: float
    iterations: int
    seconds: float
    stopped: str
    errors: np.ndarray = field(repr=False)
    rates: np.ndarray = field(repr=False)


class Trainer:
    """Trains a network on patterns, one after the other, until the error is small enough.

    As Synaptic's `Trainer`: an iteration activates and propagates every pattern once, by
    `net.rule`, and the network goes on from pattern to pattern, and from iteration to iteration,
    without being reset (`net.reset_state()` does that; for sequences that start from rest there
    is `net.fit(X, Y, rule=...)`).

    Parameters
    ----------
    net : Network
    rate : float, list of float, or callable
        Learning rate. A list is shared out: with b = iterations // len(rate), iteration n
        (from 1) learns with entry n // b, or with the last one. A function is called as
        rate(iteration, last_error) before each; last_error is 0 at the first.
    iterations : int
        At most so many passes.
    error : float
        Stop when the error of an iteration is this or less.
    cost : str or callable
        "mse", "cross_entropy" (Synaptic's: a sum), "binary" (outputs in the wrong class), or
        a function of a target and an output, (n_out,) arrays, that returns a number. It
        measures; what is learned is `loss`.
    loss : str
        See `neurograph.LOSSES`; the matching loss unless given, as `net.propagate`.
    cross_validate : dict, optional
        {"test_size": 0.3, "test_error": 0.01}: the first ceil((1 - test_size) N) patterns are
        learned, the others are activated after each pass and give its error; stop when that is
        `test_error` or less (which may be left out).
    shuffle : bool or numpy.random.Generator
        Draw a new order of the learned patterns for every iteration, from the network's
        generator or the one given.
    schedule : callable or dict, optional
        Called with a `Progress` after each iteration; every n with an attribute `every` = n, or
        as {"every": n, "do": function}. Training stops when it returns something true.
    log : int
        Write a line every so many iterations; 0: never.
    write : callable
        What takes the line: `print`, or `logging.getLogger(...).info`.

    Raises
    ------
    ParameterError
        An option that makes no sense.

    Notes
    -----
    Where it differs from Synaptic on purpose is in docs/trainer.md.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> trainer = ng.Trainer(net, rate=1.0, shuffle=True)
    >>> X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> trainer.train(X, Y, error=0.001)
    Trained(error=0.0009..., iterations=..., seconds=..., stopped='error')
    >>> trainer.test(X, Y) < 0.001, trainer.test(X, Y, cost="binary")
    (True, 0.0)
    """

    def __init__(
        self,
        net: Network,
        *,
        rate: float | Sequence[float] | Callable[[int, float], float] = 0.2,
        iterations: int = 100_000,
        error: float = 0.005,
        cost: str | Callable[[np.ndarray, np.ndarray], float] = "mse",
        loss: str | Loss = "matching",
        cross_validate: Mapping[str, float] | None = None,
        shuffle: bool | np.random.Generator = False,
        schedule: Any = None,
        log: int = 0,
        write: Callable[[str], Any] = print,
    ):
        if not isinstance(net, Network):
            raise ParameterError(f"Trainer takes a network, got {net!r:.50}")
        self.net = net
        self.settings = Settings().changed(
            rate=rate,
            iterations=iterations,
            error=error,
            cost=cost,
            loss=loss,
            cross_validate=cross_validate,
            shuffle=shuffle,
            schedule=schedule,
            log=log,
            write=write,
        )

    def __repr__(self) -> str:
        given = [
            f"{f.name}={_name(getattr(self.settings, f.name))}"
            for f in fields(Settings)
            if getattr(self.settings, f.name) != getattr(Settings(), f.name)
        ]
        return f"Trainer({', '.join([repr(self.net), *given])})"

    def train(self, X: Any, Y: Any, **overrides: Any) -> Trained:
        """Train on N patterns.

        Parameters
        ----------
        X, Y : (N, n_in), (N, n_out) arrays
            NaN in Y: that output is not asked.
        **overrides
            Options of the trainer, for this call.

        Returns
        -------
        Trained

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError
            X, Y or an option does not fit; nothing was learned.
        NonFiniteError
            Learning diverged, or an error is not a number; the message says when. The network is
            as it was after the last step that went well.
        """
        settings = self.settings.changed(**overrides)
        started = perf_counter()
        run, stopped = train(self.net, settings, X, Y)
        return Trained(
            run.errors[-1],
            len(run.errors),
            perf_counter() - started,
            stopped,
            np.array(run.errors),
            np.array(run.rates),
        )

    def test(self, X: Any, Y: Any, *, cost: str | Callable | None = None) -> float:
        """Return the mean cost of N patterns; nothing is learned, but the network goes on.

        Parameters
        ----------
        X, Y : (N, n_in), (N, n_out) arrays
        cost : str or callable, optional
            That of the trainer unless given.
        """
        settings = self.settings.changed(cost=cost)
        return test(self.net, replace(settings, cross_validate=None), X, Y)


@exclusive
def train(net: Network, settings: Settings, X: Any, Y: Any) -> tuple[_Run, str]:
    """Train to the end; return what was done, and what ended it."""
    run = _Run(net, settings, X, Y)
    return run, run.finish()


@exclusive
def test(net: Network, settings: Settings, X: Any, Y: Any) -> float:
    """Return the mean cost of the patterns."""
    return _Run(net, settings, X, Y).test()


class _Run:
    """One training: the patterns, where they stand, and what was found so far."""

    def __init__(self, net: Network, settings: Settings, X: Any, Y: Any):
        net.require_own()
        require_outputs(net.plan())
        self.net, self.settings, self.given = net, settings, (X, Y)
        self.loss = net._online.knows(settings.loss)
        self.check()
        n = len(self.x)
        self.n_train = settings.cross_validate.n_train(n) if settings.cross_validate else n
        tested = self.target if self.n_train == n else self.target[self.n_train :]
        if np.isnan(self.target[: self.n_train]).all() or np.isnan(tested).all():
            raise ParameterError("every target is NaN: nothing is asked of any output")
        self.rng = net.rng if settings.shuffle is True else settings.shuffle or None
        self.errors: list[float] = []
        self.rates: list[float] = []

    def check(self) -> None:
        """Bring the patterns into the form of the network as it is now."""
        net = self.net
        if np.ndim(self.given[0]) == 3:
            raise ShapeError(
                "a trainer takes patterns (N, n_in), which follow each other without reset; got X"
                f" of shape {np.shape(self.given[0])}. For sequences that start from rest:"
                " net.fit(X, Y, rule=...)"
            )
        self.x, self.target = net._online.patterns(net, *self.given, self.loss)
        if not len(self.x):
            raise ShapeError("a trainer needs a pattern at least; X is empty")
        self.version = net._store.version

    # ------------------------------------------------------------ the loop

    def finish(self) -> str:
        """Train to the end; return what ended it."""
        settings, pace = self.settings, 1
        probes.begin(self.net)
        while True:
            iteration = len(self.errors) + 1
            rate = settings.rate_of(iteration, self.errors[-1] if self.errors else 0.0)
            n, started = min(pace, settings.at_once(iteration)), perf_counter()
            if probes.probes_of(self.net):  # so that none is ever done twice
                n = 1
            done, stopped = self.advance(n, rate)
            pace = _pace(n, perf_counter() - started) if done else max(1, n // 2)
            if done and (stopped := self.tell(rate) or stopped):
                return stopped
            if probes.stopped(self.net):
                return "probe"

    def advance(self, n: int, rate: float) -> tuple[int, str]:
        """Do up to n iterations; return how many were done, and what ended the training if it did.

        None are done if they do not go well all together; then fewer have to be tried.
        """
        state, rng = self.net._online, self.rng
        if state.edits != self.net._store.edits:
            state.open(self.net, 0)
        before, drawn = state.snapshot(), rng and rng.bit_generator.state
        try:
            errors = self.passes(n, rate)
        except NonFiniteError as error:
            if n == 1:
                iteration = len(self.errors) + 1
                raise error.moved(prefix=f"iteration {iteration}: ", epoch=None) from error
            self.restore(before, drawn)
            return 0, ""
        done, stopped = self.until(errors)
        if done < n:
            self.restore(before, drawn)
            self.passes(done, rate)
        self.errors += errors[:done]
        self.rates += [rate] * done
        if not math.isfinite(errors[done - 1]):
            raise NonFiniteError(
                f"iteration {len(self.errors)}: the error is {errors[done - 1]}, for the cost"
                f" {_name(self.settings.cost)} of some output is not a finite number"
                " ('cross_entropy' needs outputs in [0, 1]). The network is as it was after this"
                " iteration"
            )
        return done, stopped

    def until(self, errors: list[float]) -> tuple[int, str]:
        """Return how many iterations there are until the training ends, and what ends it."""
        settings = self.settings
        enough = [(settings.error, "error")]
        if settings.cross_validate:
            enough.append((settings.cross_validate.test_error, "test_error"))
        for k, error in enumerate(errors, 1):
            for limit, name in enough:
                if error <= limit:
                    return k, name
            if not math.isfinite(error):
                return k, "error"
        last = len(self.errors) + len(errors) == settings.iterations
        return len(errors), "iterations" if last else ""

    def tell(self, rate: float) -> str:
        """Log, and ask the schedule; return "schedule" if it wants to stop."""
        settings, progress = self.settings, Progress(len(self.errors), self.errors[-1], rate)
        if settings.log and progress.iterations % settings.log == 0:
            settings.write(
                f"iteration {progress.iterations}: error {progress.error:.6g}, rate {rate:.6g}"
            )
        if not settings.schedule or progress.iterations % settings.schedule.every:
            return ""
        wanted = settings.schedule.do(progress)
        if self.net._store.version != self.version:
            self.check()  # it edited the network
        return "schedule" if wanted else ""

    # ------------------------------------------------------------ passes

    def passes(self, n: int, rate: float) -> list[float]:
        """Do n passes over the patterns; return the error of each."""
        order = self.orders(n)
        learned = self.target[order]
        learned[:, self.n_train :] = np.nan
        outputs = self.follow(order, learned, rate)
        tested = slice(self.n_train if self.n_train < len(self.x) else 0, None)
        return self.measure(self.target[order[:, tested]], outputs[:, tested])

    def test(self) -> float:
        """Activate the patterns; return their mean cost."""
        order = np.arange(len(self.x))[None]
        outputs = self.follow(order, np.full((*order.shape, self.target.shape[1]), np.nan), 0.0)
        return self.measure(self.target[order], outputs)[0]

    def follow(self, order: np.ndarray, learned: np.ndarray, rate: float) -> np.ndarray:
        """Activate patterns in some order (n, N), and learn; return the outputs (n, N, n_out)."""
        n_in, n_out = self.x.shape[1], self.target.shape[1]
        x, target = self.x[order].reshape(-1, n_in), learned.reshape(-1, n_out)
        try:
            many = self.net._online.follow(self.net, x, target, rate, self.loss, stops=False)
        except NonFiniteError as error:
            if error.step is not None:  # which pattern it was, rather than when
                error = error.moved(step=None, sample=int(order.ravel()[error.step]))
            raise error from None
        return many.outputs.reshape(learned.shape).astype(float)

    def orders(self, n: int) -> np.ndarray:
        """Return the patterns of n passes in their order (n, N); those that test are the last."""
        order = np.tile(np.arange(len(self.x)), (n, 1))
        if self.rng is not None:
            for row in order:
                row[: self.n_train] = self.rng.permutation(self.n_train)
        return order

    def measure(self, target: np.ndarray, output: np.ndarray) -> list[float]:
        """Return the mean cost of the patterns (n, M, n_out) of each of n passes."""
        asked, cost = ~np.isnan(target).all(-1), self.settings.cost
        if cost in COSTS.values():
            with np.errstate(over="ignore"):
                costs = np.where(asked, cost(target, output), 0)
        else:
            costs = np.zeros(asked.shape)
            for place in zip(*np.nonzero(asked), strict=True):
                costs[place] = cost(target[place], output[place])
        return (costs.sum(-1) / asked.sum(-1)).tolist()

    def restore(self, before: list[tuple[np.ndarray, np.ndarray]], drawn: Any) -> None:
        """Go back to where a snapshot was taken."""
        for array, values in before:
            array[:] = values
        if self.rng is not None:
            self.rng.bit_generator.state = drawn


ROUND = 0.04  # seconds of passes before the loop is looked at


def _pace(n: int, seconds: float) -> int:
    """Return how many iterations to do at once, after n of them took so long."""
    return max(1, min(8 * n, int(n * ROUND / max(seconds, 1e-9))))


def _name(value: Any) -> str:
    return repr(getattr(value, "__name__", value))
