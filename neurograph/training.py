"""Training: epochs, validation, callbacks, Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from neurograph.callbacks import Callback, Epoch
from neurograph.checkpoints import Saver, Split, Told, digests
from neurograph.engines import get_engine
from neurograph.engines.base import Engine
from neurograph.errors import ParameterError
from neurograph.graph import NeuronGraph
from neurograph.history import History
from neurograph.inspection import probes
from neurograph.learner import Learner, mean_loss, work
from neurograph.learning.losses import Loss, get_loss
from neurograph.learning.optimizers import LBFGS, SGD, Optimizer
from neurograph.learning.rules import Rule
from neurograph.lessons import Lessons
from neurograph.online_training import OnlineLearner
from neurograph.quasi_newton import minimize
from neurograph.rounds import Begun
from neurograph.schedule import plan
from neurograph.values import flag, natural, number

__all__ = ["Fit", "History", "carry_out", "fit", "prepare"]


MANY = 2**62  # epochs at a time: as many as one likes


@dataclass
class Fit:
    """One training, checked: everything that `fit` was told, and where it stands.

    source : who learns: a function of this, which yields the mean losses of some epochs at a time
    told : settings, for checkpoints; saver : who writes them, if they are wanted
    begun : what is learned of an epoch that has begun, when the source yields
    pending : losses of an epoch whose validation was interrupted
    """

    graph: NeuronGraph
    source: Callable[[Fit], Iterator[list[float]]]
    loss: Loss
    engine: Engine
    validation: Lessons | None
    callbacks: list[Callback]
    epochs: int
    told: Told
    saver: Saver | None = None
    history: History = field(default_factory=History)
    begun: Begun | None = None
    pending: list[float] = field(default_factory=list)
    stopped: bool = False
    interrupted: Callable[[], bool] = bool  # whether Ctrl-C was pressed: never, so far

    def run(self, progress: Callable[[int], Any]) -> History:
        """Learn until the epochs are over, a callback says so, or Ctrl-C is pressed."""
        started = perf_counter() - self.history.seconds
        probes.begin(self.graph)
        progress(self.done)
        try:
            self.ended(self.pending)
            for losses in () if self.stopped or self.interrupted() else self.source(self):
                self.history.seconds = perf_counter() - started
                self.ended(losses)
                progress(len(losses))
                if self.stopped or self.interrupted() or probes.stopped(self.graph):
                    break
                if self.saver is not None and self.saver.due and self.done < self.epochs:
                    self.saver.try_to_save(self)
            self.history.seconds = perf_counter() - started
            if self.saver is not None:
                self.saver.try_to_save(self)
            self.history.interrupted = self.interrupted()
        finally:
            self.history.seconds = perf_counter() - started
            for callback in self.callbacks:
                finish = getattr(callback, "finish", None)
                if finish is not None:
                    finish(self.graph, self.history)
        return self.history

    def ended(self, losses: list[float]) -> None:
        """Note that epochs have ended; ask callbacks, if there are any."""
        self.pending = []
        if not losses:
            return
        value = None
        if self.validation is not None:
            value = mean_loss(self.graph, self.engine, self.validation, self.loss, self.interrupted)
            if value is None:
                self.pending = losses
                return
            self.history.validation_loss.append(value)
        self.history.loss += losses
        for callback in self.callbacks:
            number = len(self.history) - 1
            answer = callback(Epoch(self.graph, number, losses[-1], value, self.history))
            self.stopped |= answer is True

    # ------------------------------------------------------------ what the source asks

    @property
    def done(self) -> int:
        """How many epochs have ended."""
        return len(self.history)

    @property
    def shuffle(self) -> bool:
        """Whether each epoch has an order of its own."""
        return self.told.shuffle

    @property
    def at_once(self) -> int:
        """How many epochs may be learned before somebody has to be asked."""
        return 1 if self.callbacks or self.validation is not None else MANY

    def batches_left(self, learned: int, per_epoch: int) -> int:
        """Return how many batches may be learned before a checkpoint is due."""
        return MANY if self.saver is None else self.saver.batches_left(learned, per_epoch)

    def looks_up(self, learned: int, per_epoch: int) -> bool:
        """Return whether to yield, after so many batches since training began."""
        due = self.saver is not None and self.saver.look(learned, per_epoch)
        return due or self.interrupted()


def fit(
    graph: NeuronGraph, X: Any, Y: Any, *, progress: bool | None = None, **options: Any
) -> History:
    """Train a network; see `Network.fit`."""
    return carry_out(prepare(graph, X, Y, **options), progress)


def carry_out(job: Fit, progress: bool | None) -> History:
    """Do what was prepared, with a bar and with an ear for Ctrl-C."""
    shown = None if progress is None else flag("progress", progress)
    with ExitStack() as stack:
        show = stack.enter_context(progress_bar(job.epochs, shown))
        job.interrupted = stack.enter_context(hearing_ctrl_c())
        return job.run(show)


def prepare(graph: NeuronGraph, X: Any, Y: Any, **options: Any) -> Fit:
    """Check everything before the first sample; after an error the network is as it was.

    The arguments are those of `Network.fit`.
    """
    graph.require_own()
    before = graph.rng.bit_generator.state
    try:
        return _prepare(graph, X, Y, **options)
    except BaseException:
        graph.rng.bit_generator.state = before
        raise


def _prepare(
    graph: NeuronGraph,
    X: Any,
    Y: Any,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    shuffle: bool = True,
    optimizer: Optimizer | LBFGS | None = None,
    loss: str | Loss | None = None,
    rule: str | Rule | None = None,
    lengths: Any = None,
    validation: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Iterable[Callback] = (),
    engine: str | Engine = "auto",
    checkpoint: Any = None,
    every: Any = None,
    begins: bool = True,
) -> Fit:
    """See `prepare`; `begins` : whether this is not one that goes on."""
    n_epochs, shuffle = natural("epochs", epochs), flag("shuffle", shuffle)
    size = (32 if rule is None else 1) if batch_size is None else natural("batch_size", batch_size)
    if not size:
        raise ParameterError("batch_size must be 1 or more, got 0")
    chosen = get_loss(("squared_error" if rule is None else "matching") if loss is None else loss)
    optimizer = SGD() if optimizer is None else optimizer
    if not isinstance(optimizer, (Optimizer, LBFGS)):
        raise ParameterError(
            f"optimizer must be an optimizer, as neurograph.SGD(0.1); got {optimizer!r}"
        )
    asked, saver = _callbacks(callbacks), _saver(checkpoint, every, optimizer)
    made = plan(graph)
    whole = Lessons.of(made, graph.dtype, X, Y, chosen, lengths, sample_weight, class_weight)
    given, held_out, split = _validation(graph, whole, validation, chosen, shuffle)
    n_batches = -(-len(given.targets) // size) * n_epochs
    executor = get_engine(engine, work(made, given.batch) * n_batches)
    told = Told(
        size, shuffle, optimizer, rule, type(executor).__name__.lower(), split,
        digests(whole, None if split else held_out) if saver else {},
    )  # fmt: skip
    source: Any
    if rule is not None:
        source = OnlineLearner.of(graph, rule, executor, given, size, optimizer, chosen).epochs
    elif isinstance(optimizer, LBFGS):
        source = minimize(graph, executor, given, optimizer, chosen)
    else:
        source = Learner(graph, executor, given, size, optimizer, chosen).epochs
    job = Fit(graph, source, chosen, executor, held_out, asked, n_epochs, told, saver)
    if saver is not None and begins:  # what cannot be saved is known before the first night
        saver.save(job)
    return job


def _saver(checkpoint: Any, every: Any, optimizer: Any) -> Saver | None:
    def write(path: str | os.PathLike, job: Any) -> None:
        from neurograph.io.checkpoint import save

        save(job, path)

    saver = Saver.of(checkpoint, every, write)
    if saver is not None and isinstance(optimizer, LBFGS):
        raise ParameterError(
            "what L-BFGS knows is inside SciPy, where no checkpoint can get at it; leave out"
            " checkpoint=, or take another optimizer, as ng.Adam()"
        )
    return saver


def _callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    asked: list[Any] = [callbacks] if callable(callbacks) else list(callbacks)
    for callback in asked:
        if not callable(callback):
            raise ParameterError(
                f"a callback must be a function of one neurograph.Epoch; got {callback!r}"
            )
    return asked


def _validation(
    graph: NeuronGraph, given: Lessons, validation: Any, loss: Loss, shuffle: bool
) -> tuple[Lessons, Lessons | None, Split | None]:
    """Return what to learn from, what to validate with, and how they were split, if they were."""
    if validation is None:
        return given, None, None
    if isinstance(validation, Split):
        return *validation.of(given), validation
    if isinstance(validation, (tuple, list)):
        if len(validation) not in (2, 3):
            raise ParameterError(
                "validation must be a fraction, (X, Y) or (X, Y, lengths); got a tuple of"
                f" {len(validation)}"
            )
        X, Y, *lengths = validation
        made = plan(graph)
        other = Lessons.of(made, graph.dtype, X, Y, loss, lengths[0] if lengths else None)
        return given, other, None
    part, n = number("validation", validation), len(given.targets)
    n_held = round(part * n)
    if not 0 < part < 1 or not 0 < n_held < n:
        raise ParameterError(
            f"validation must be a fraction between 0 and 1 that leaves samples on both sides; got"
            f" {validation!r} of {n} samples"
        )
    order = graph.rng.permutation(n) if shuffle else np.arange(n)
    split = Split(order, n_held, part)
    return *split.of(given), split


# ---------------------------------------------------------------- Ctrl-C and progress


@contextmanager
def hearing_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Give what says whether Ctrl-C was pressed; it is heard between rounds, so that nothing is
    half done. Pressed once more it interrupts at once.
    """
    heard: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    if before is not signal.default_int_handler:  # another thread, or somebody listens already
        yield lambda: False
        return

    def hear(number: int, frame: Any) -> None:
        heard.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, hear)
    try:
        yield lambda: bool(heard)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress_bar(
    total: int, wanted: bool | None = None, unit: str = " epochs"
) -> Iterator[Callable[[int], Any]]:
    """Show a bar where somebody can see one and tqdm is installed, or where it is wanted."""
    if wanted or (wanted is None and total > 1 and sys.stderr.isatty()):
        try:
            from tqdm import tqdm
        except ImportError:
            if wanted:
                raise ParameterError(
                    "progress needs tqdm: pip install 'neurograph[progress]'"
                ) from None
        else:
            with tqdm(total=total, unit=unit, leave=False) as bar:
                yield bar.update
                return
    yield lambda n: None
