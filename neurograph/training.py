"""Training: epochs, validation, callbacks, Ctrl-C."""

from __future__ import annotations

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
from neurograph.schedule import plan
from neurograph.values import flag, natural, number

__all__ = ["History", "fit"]


@dataclass
class Fit:
    """One training, checked: everything that `fit` was told.

    `source` learns: given how many epochs at a time it may do, and what it shall ask between
    rounds, it yields the mean losses of the epochs that it has done.
    """

    graph: NeuronGraph
    source: Callable[..., Iterator[list[float]]]
    loss: Loss
    engine: Engine
    validation: Lessons | None
    callbacks: list[Callback]
    epochs: int
    history: History = field(default_factory=History)
    stopped: bool = False

    def run(self, progress: Callable[[int], Any], interrupted: Callable[[], bool]) -> History:
        """Learn until the epochs are over, a callback says so, or Ctrl-C is pressed."""
        started = perf_counter()
        at_once = 1 if self.callbacks or self.validation is not None else None
        probes.begin(self.graph)
        try:
            for losses in self.source(self, at_once, interrupted):
                self.history.seconds = perf_counter() - started
                self.ended(losses)
                progress(len(losses))
                if self.stopped or interrupted() or probes.stopped(self.graph):
                    break
            self.history.interrupted = interrupted()
        finally:
            self.history.seconds = perf_counter() - started
            for callback in self.callbacks:
                finish = getattr(callback, "finish", None)
                if finish is not None:
                    finish(self.graph, self.history)
        return self.history

    def ended(self, losses: list[float]) -> None:
        """Note that epochs have ended; ask callbacks, if there are any."""
        self.history.loss += losses
        if not losses:
            return
        value = None
        if self.validation is not None:
            value = mean_loss(self.graph, self.engine, self.validation, self.loss)
            self.history.validation_loss.append(value)
        for callback in self.callbacks:
            number = len(self.history) - 1
            answer = callback(Epoch(self.graph, number, losses[-1], value, self.history))
            self.stopped |= answer is True


def fit(
    graph: NeuronGraph, X: Any, Y: Any, *, progress: bool | None = None, **options: Any
) -> History:
    """Train a network; see `Network.fit`."""
    job = prepare(graph, X, Y, **options)
    shown = None if progress is None else flag("progress", progress)
    with ExitStack() as stack:
        show = stack.enter_context(progress_bar(job.epochs, shown))
        return job.run(show, stack.enter_context(hearing_ctrl_c()))


def prepare(
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
) -> Fit:
    """Check everything before the first sample. The arguments are those of `Network.fit`."""
    graph.require_own()
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
    asked = _callbacks(callbacks)
    made = plan(graph)
    given = Lessons.of(made, graph.dtype, X, Y, chosen, lengths, sample_weight, class_weight)
    given, held_out = _validation(graph, given, validation, chosen, shuffle)
    n_batches = -(-len(given.targets) // size) * n_epochs
    executor = get_engine(engine, work(made, given.batch) * n_batches)
    source: Any
    if rule is not None:
        source = OnlineLearner.of(graph, rule, engine, given, size, optimizer, chosen).epochs
    elif isinstance(optimizer, LBFGS):
        source = minimize(graph, executor, given, optimizer, chosen)
    else:
        source = Learner(graph, executor, given, size, optimizer, chosen).epochs

    def learned(job: Fit, at_once: int | None, interrupted: Callable[[], bool]) -> Iterator:
        return source(job, n_epochs, shuffle, at_once, interrupted)

    return Fit(graph, learned, chosen, executor, held_out, asked, n_epochs)


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
) -> tuple[Lessons, Lessons | None]:
    """Return what to learn from, and what to validate with."""
    if validation is None:
        return given, None
    if isinstance(validation, (tuple, list)):
        if len(validation) not in (2, 3):
            raise ParameterError(
                "validation must be a fraction, (X, Y) or (X, Y, lengths); got a tuple of"
                f" {len(validation)}"
            )
        X, Y, *lengths = validation
        made = plan(graph)
        return given, Lessons.of(made, graph.dtype, X, Y, loss, lengths[0] if lengths else None)
    part, n = number("validation", validation), len(given.targets)
    n_held = round(part * n)
    if not 0 < part < 1 or not 0 < n_held < n:
        raise ParameterError(
            f"validation must be a fraction between 0 and 1 that leaves samples on both sides; got"
            f" {validation!r} of {n} samples"
        )
    order = graph.rng.permutation(n) if shuffle else np.arange(n)
    return given.part(order[: n - n_held]), given.part(order[n - n_held :])


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
