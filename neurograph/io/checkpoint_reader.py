"""Checkpoints: the reader, and how a training goes on. Nothing in a file is executed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from neurograph import training
from neurograph.callbacks import Callback, EarlyStopping
from neurograph.errors import FormatError, ParameterError
from neurograph.history import History
from neurograph.io.checkpoint import VERSION
from neurograph.io.checkpoint_check import DATA, Checkpoint, ToldCallback
from neurograph.io.files import Object, parse_json, read_bytes, require_class, shown
from neurograph.io.native_reader import MAX_FILE_BYTES, built, opened, parted
from neurograph.io.optimizers import described_optimizer, name_of
from neurograph.io.plain import Writer
from neurograph.learning.optimizers import Optimizer
from neurograph.network import Network
from neurograph.values import natural

__all__ = ["Resumed", "prepared", "read", "resume"]


class Resumed(NamedTuple):
    """A network whose training went on, and what happened in all of it."""

    network: Network
    history: History


def resume(
    path: str | os.PathLike,
    X: Any,
    Y: Any,
    *,
    lengths: Any = None,
    validation: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Iterable[Callback] = (),
    optimizer: Optimizer | None = None,
    epochs: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    every: int | str | None = None,
    progress: bool | None = None,
    create_using: type[Network] = Network,
) -> Resumed:
    """Go on with a training from its checkpoint, bit for bit as if it had not stopped.

    All that `fit` was told is in the file, but for data and for what is code: both are given
    again. Nothing in the file is executed, and all of it is checked.

    Parameters
    ----------
    path : path
        What `net.fit(..., checkpoint=path)` has written.
    X, Y, lengths, sample_weight, class_weight : as in `fit`
        The same data; they are compared by a digest.
    validation : (X, Y) or (X, Y, lengths), optional
        The same data, if there were any. A fraction that was held out is known to the file.
    callbacks : functions of an `Epoch`
        Those of your own, in their order. `EarlyStopping` comes back by itself. What a callback
        returns from a method `state_dict()` is in the file, and `load_state_dict(state)` is
        called with it.
    optimizer : Optimizer, optional
        The same, if its class or its rate is a function of your own.
    epochs : int, optional
        In all, if there shall be more (or fewer) than `fit` was told.
    checkpoint, every : optional
        Where and how often checkpoints are written; as before unless given.
    progress : bool, optional
        As in `fit`.
    create_using : type, optional
        A subclass of `Network` to make.

    Returns
    -------
    Resumed
        `network` and `history`, that of the epochs before included.

    Raises
    ------
    FormatError
        Not a checkpoint, a damaged one, or one of a newer version; or it names a loss or an
        activation that is not registered in this process.
    ParameterError, ShapeError
        Data are others than they were, or something that has to be given again is missing.
    OSError
        There is no such file, or it cannot be read or written.

    Examples
    --------
    >>> import neurograph as ng, os, tempfile
    >>> X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> steady, net = ng.perceptron(2, 3, 1, seed=0), ng.perceptron(2, 3, 1, seed=0)
    >>> history = steady.fit(X, Y, epochs=50, optimizer=ng.Adam(0.1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "xor.ng")
    ...     history = net.fit(X, Y, epochs=20, optimizer=ng.Adam(0.1), checkpoint=path)
    ...     net, history = ng.resume(path, X, Y, epochs=50)
    >>> len(history), bool((net.weights == steady.weights).all())
    (50, True)
    """
    require_class(create_using)
    try:
        found = read(read_bytes(path, MAX_FILE_BYTES), create_using)
    except FormatError as error:
        raise FormatError(f"{os.fspath(path)}: {error}") from None
    job = prepared(
        found,
        X,
        Y,
        lengths=lengths,
        validation=validation,
        sample_weight=sample_weight,
        class_weight=class_weight,
        callbacks=callbacks,
        optimizer=optimizer,
        epochs=epochs,
        checkpoint=path if checkpoint is None else checkpoint,
        every=every,
    )
    if checkpoint is not None and job.saver is not None:
        job.saver.save(job)
    return Resumed(found.net, training.carry_out(job, progress))


def prepared(
    found: Checkpoint,
    X: Any,
    Y: Any,
    *,
    validation: Any = None,
    callbacks: Any = (),
    optimizer: Any = None,
    epochs: Any = None,
    every: Any = None,
    **given: Any,
) -> training.Fit:
    """Return the training of a checkpoint, ready to go on; the arguments are those of `resume`."""
    job = training.prepare(
        found.net,
        X,
        Y,
        epochs=_all_epochs(found, epochs),
        batch_size=found.batch_size,
        shuffle=found.shuffle,
        optimizer=_its_optimizer(found, optimizer),
        loss=found.loss,
        rule=found.rule,
        validation=_its_validation(found, validation),
        callbacks=_its_callbacks(found, callbacks),
        engine=found.engine,
        every=found.every if every is None else every,
        begins=False,
        **given,
    )
    _require_same(found, job.told.digests)
    job.history, job.begun = found.history, found.begun
    job.pending, job.stopped = found.pending, found.stopped
    return job


def read(raw: bytes, cls: type[Network] = Network) -> Checkpoint:
    """Return what the bytes of a checkpoint say, all of it checked."""
    tensors, metadata = opened(raw)
    if "training" not in metadata:
        raise FormatError(
            "this is a network, but no checkpoint of a training: ng.load reads it, and net.fit"
            " trains it"
        )
    told = Object(parse_json(metadata["training"]), "training")
    mine, theirs = parted(tensors, metadata)
    if told.get("version", int) != VERSION:
        raise FormatError(
            f"training.version is {shown(told.found['version'])}; this neurograph reads {VERSION}."
            " A newer neurograph reads more"
        )
    return Checkpoint(built(mine, metadata, cls), told, theirs)


# ---------------------------------------------------------------- what was given again


def _all_epochs(found: Checkpoint, given: int | None) -> int:
    """Return how many epochs there shall be."""
    if given is None:
        return found.epochs
    if natural("epochs", given) < len(found.history):
        raise ParameterError(
            f"epochs are those of the whole training, of which {len(found.history)} are done;"
            f" got {given!r}"
        )
    return natural("epochs", given)


def _its_optimizer(found: Checkpoint, given: Optimizer | None) -> Any:
    """Return the optimizer of the training, which may have to be given."""
    if given is None:
        if isinstance(found.optimizer, str):
            raise ParameterError(
                f"the training learned with {found.optimizer!r}, which is your own and which a"
                " file cannot hold; give the optimizer again: ng.resume(..., optimizer=...)"
            )
        return found.optimizer
    writer = Writer(lambda n: -1, lambda s: -1)
    if (
        not isinstance(given, Optimizer)
        or described_optimizer(given, writer) != found.told_optimizer.found
    ):
        raise ParameterError(
            f"the training learned with {found.optimizer!r}, and cannot go on as if it had not"
            f" stopped with {given!r}. To go on otherwise, net = ng.load(path), then net.fit"
        )
    return given


def _its_validation(found: Checkpoint, given: Any) -> Any:
    """Return what to validate with."""
    if found.split is not None:
        if given is not None and not (isinstance(given, float) and given == found.split.part):
            raise ParameterError(
                f"{found.split.part:g} of the samples were held out, and still are; leave"
                f" validation out, got {shown(given)}"
            )
        return found.split
    there = "validation X" in found.data
    if there and not isinstance(given, (tuple, list)):
        raise ParameterError(
            "the training was validated with other data, which are not in the file; give them"
            " again: ng.resume(..., validation=(X, Y))"
        )
    if not there and given is not None:
        raise ParameterError("the training had no validation; leave validation out")
    return given


def _its_callbacks(found: Checkpoint, given: Any) -> list[Any]:
    """Return all callbacks of the training; those of one's own are given."""
    asked: list[Any] = [given] if callable(given) else list(given)
    lists = [c for c in asked if type(c) is EarlyStopping], [
        c for c in asked if type(c) is not EarlyStopping]  # fmt: skip
    ours, own = map(iter, lists)
    wanted = [told.name for told in found.callbacks if told.own]
    names = [name_of(callback) for callback in lists[1]]
    if names and not wanted:
        raise ParameterError("the training had no callbacks of your own; leave them out")
    if names != wanted:
        raise ParameterError(
            f"the training had {_listed(wanted)} of your own, which a file cannot hold; give"
            f" them again, in this order: ng.resume(..., callbacks=[...]); got {_listed(names)}"
        )
    if lists[0] and len(lists[0]) != len(found.callbacks) - len(wanted):
        raise ParameterError(
            f"the training had {len(found.callbacks) - len(wanted)} EarlyStopping, not"
            f" {len(lists[0])}; they come back by themselves, so leave them out"
        )
    return [
        _taken_up(told, next(own) if told.own else next(ours, told.early))
        for told in found.callbacks
    ]


def _require_same(found: Checkpoint, digests: dict[str, Any]) -> None:
    """Raise unless data are those that the training began with."""
    for name in DATA:
        was, now = found.data.get(name), digests.get(name)
        if was == now:
            continue
        if was is None:
            raise ParameterError(f"the training had no {name}; leave it out")
        if now is None:
            raise ParameterError(
                f"the training had {name}; give the same again"
                + (" (or the same class_weight)" if name == "sample_weight" else "")
            )
        if was[0] != now[0]:
            raise ParameterError(
                f"{name} has shape {tuple(now[0])}, but the training began with {tuple(was[0])}"
            )
        raise ParameterError(
            f"{name} holds other numbers than those that the training began with. To go on with"
            " other data, net = ng.load(path), then net.fit"
        )


def _taken_up(told: ToldCallback, callback: Any) -> Any:
    """Give a callback what it knew."""
    early = told.early
    if early is not None and callback is not early:
        settings = "patience", "least", "restore"
        if not isinstance(callback, EarlyStopping) or any(
            getattr(callback, name) != getattr(early, name) for name in settings
        ):
            raise ParameterError(f"the training had {early!r}, not {callback!r}; leave it out")
        callback.best, callback.epoch, callback.kept = early.best, early.epoch, early.kept
    if told.has_state:
        load: Callable[[Any], Any] | None = getattr(callback, "load_state_dict", None)
        if load is None:
            raise ParameterError(
                f"the callback {told.name!r} had a state; it needs a method load_state_dict(state)"
            )
        load(told.state)
    return callback


def _listed(names: list[str]) -> str:
    found = ", ".join(map(repr, names))
    return f"the callback{'s' * (len(names) > 1)} {found}" if names else "no callbacks"
