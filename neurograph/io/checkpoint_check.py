"""Checkpoints: what a file says of a training, checked before anything is made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.callbacks import EarlyStopping
from neurograph.checkpoints import UNITS, Every, Split
from neurograph.engines import ENGINES
from neurograph.errors import FormatError, ParameterError, suggest
from neurograph.history import History
from neurograph.io.checkpoint import EARLY
from neurograph.io.files import Object, is_text, natural_in, shown
from neurograph.io.native_check import read_rule
from neurograph.io.optimizers import restored_optimizer
from neurograph.io.plain import Reader
from neurograph.learning.losses import LOSSES
from neurograph.network import Network
from neurograph.rounds import Begun
from neurograph.values import MAX_ROWS

__all__ = ["DATA", "Checkpoint", "ToldCallback"]

MAX_CALLBACKS = 100
DATA = {"X": 3, "Y": 3, "sample_weight": 1, "validation X": 3, "validation Y": 3}  # dimensions


@dataclass
class ToldCallback:
    """What a checkpoint says of a callback; `early` holds what early stopping knew."""

    name: str
    own: bool
    early: EarlyStopping | None
    has_state: bool
    state: Any


class Checkpoint:
    """A network, and where its training stands; checked."""

    def __init__(self, net: Network, told: Object, tensors: dict[str, np.ndarray]):
        self.net, self.tensors = net, tensors
        arrays = {name.removeprefix("array."): self._vector(name, None)
                  for name in list(tensors) if name.startswith("array.")}  # fmt: skip
        reader = Reader(arrays, {"neuron": 0, "synapse": 0})
        self.epochs = told.natural("epochs")
        self.batch_size = natural_in(told.get("batch_size", int), "training.batch_size", MAX_ROWS)
        if not self.batch_size:
            raise FormatError("training.batch_size must be 1 or more")
        self.shuffle, self.stopped = told.get("shuffle", bool), told.get("stopped", bool)
        self.loss = _registered(told.get("loss", str))
        rule = told.get("rule", str, dict, type(None))
        self.rule = None if rule is None else read_rule(rule, "training.rule")
        self.engine = told.get("engine", str)
        if self.engine not in ENGINES:
            raise FormatError(f"training.engine is {self.engine!r:.50}, none of {ENGINES}")
        self.told_optimizer = told.object("optimizer")
        self.optimizer = restored_optimizer(self.told_optimizer, reader)
        self.every = _every(told.get("every", list))
        self.data = _data(told.object("data"))
        self.split = self._split(told.get("held_out", list, type(None)))
        self.history = History(
            self._losses("loss"), self._losses("validation_loss", ()), _seconds(told)
        )
        self.begun, self.pending = self._begun(), _pending(told, reader)
        self._check_place()
        self.callbacks = [
            self._callback(i, Object(found, f"training.callbacks[{i}]"), reader)
            for i, found in enumerate(_short(told.get("callbacks", list)))
        ]
        reader.require_end()
        for name in self.tensors:
            raise FormatError(f"there is no place for a tensor 'training.{name}'")

    # ------------------------------------------------------------ what the file says

    def _vector(self, name: str, dtype: str | np.dtype | None) -> np.ndarray:
        """Return a tensor of one dimension."""
        array = self.tensors.pop(name, None)
        if array is None or array.ndim != 1 or (dtype is not None and array.dtype != dtype):
            wanted = "" if dtype is None else f", of {np.dtype(dtype)}"
            raise FormatError(f"tensor 'training.{name}' must be there, of one dimension{wanted}")
        return array

    def _losses(self, name: str, default: Any = None) -> list[float]:
        if default is not None and name not in self.tensors:
            return list(default)
        return self._vector(name, "<f8").tolist()

    def _order(self, name: str, n: int) -> np.ndarray:
        """Return n different numbers from 0 to n - 1."""
        order = self._vector(name, "<i4")
        fine = len(order) == n and ((order >= 0) & (order < n)).all()
        if not fine or (np.bincount(order, minlength=n) != 1).any():
            raise FormatError(f"tensor 'training.{name}' must be an order of {n} samples")
        return order.astype(int)

    def _split(self, told: list | None) -> Split | None:
        if told is None:
            return None
        n = self.data["X"][0][0]
        if len(told) != 2 or type(told[1]) is not float or not 0 < told[1] < 1:
            raise FormatError("training.held_out must be a number of samples and a fraction")
        if "validation X" in self.data:
            raise FormatError("training.held_out: there are other data for validation")
        n_held = natural_in(told[0], "training.held_out", n - 1)
        if not n_held:
            raise FormatError("training.held_out must leave samples on both sides")
        return Split(self._order("split", n), n_held, told[1])

    @property
    def n_learned(self) -> int:
        """How many samples are learned from."""
        return self.data["X"][0][0] - (self.split.n_held if self.split else 0)

    def _begun(self) -> Begun | None:
        if "order" not in self.tensors:
            return None
        order = self._order("order", self.n_learned)
        values = self.tensors.pop("values", np.empty(0))
        n_batches = -(-self.n_learned // self.batch_size)
        fine = values.dtype == "<f8" and values.ndim == 2 and values.shape[1] == 2
        if not fine or not 0 < len(values) < n_batches:
            raise FormatError(
                f"tensor 'training.values' must be (q, 2), of some of {n_batches} batches"
            )
        return Begun(order, values.astype(float))

    def _check_place(self) -> None:
        """Raise unless a training can stand where this one does."""
        done = len(self.history)
        inside = self.begun is not None or bool(self.pending)
        if done + inside > self.epochs or (self.begun is not None and self.pending):
            raise FormatError(
                f"training.epochs is {self.epochs}, so a training cannot stand after {done}"
                f" epochs{' and a part' * inside}"
            )

    def _callback(self, i: int, told: Object, reader: Reader) -> ToldCallback:
        name, own = told.get("name", str), told.get("own", bool)
        early = None
        if not own or "early" in told.found:
            early = self._early(f"callback.{i}", told.object("early"), reader)
        has_state = "state" in told.found
        state = reader.value(told.found["state"], f"{told.where}.state") if has_state else None
        return ToldCallback(name, own, early, has_state, state)

    def _early(self, tensor: str, told: Object, reader: Reader) -> EarlyStopping:
        try:
            made = EarlyStopping(
                told.get("patience", int), told.get("least", float), told.get("restore", bool)
            )
        except ParameterError as error:
            raise FormatError(f"{told.where}: {error}") from None
        made.best = reader.value(told.found.get("best"), f"{told.where}.best")
        if type(made.best) is not float or math.isnan(made.best):
            raise FormatError(f"{told.where}.best must be a loss, got {shown(made.best)}")
        if told.get("epoch", int, type(None)) is not None:
            made.epoch = told.natural("epoch")
        if told.get("kept", bool):
            sizes = {"synapse": self.net.number_of_edges(), "neuron": len(self.net)}
            made.kept = [self._kept(tensor, kind, name, sizes[kind]) for kind, name in EARLY]
        return made

    def _kept(self, tensor: str, kind: str, name: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of neurons, or synapses, which are their ids in a new network."""
        ids = self._vector(f"{tensor}.{kind}", "<i4")
        values = self._vector(f"{tensor}.{name}", self.net.dtype.newbyteorder("<"))
        if ((ids < 0) | (ids >= n)).any() or len(np.unique(ids)) < len(ids):
            raise FormatError(f"tensor 'training.{tensor}.{kind}' must be different {kind}s of {n}")
        if len(values) != len(ids) or not np.isfinite(values).all():
            raise FormatError(f"tensor 'training.{tensor}.{name}' must be {len(ids)} numbers")
        return ids.astype(np.int64), values.astype(self.net.dtype)


# ---------------------------------------------------------------- pieces of the file


def _registered(loss: str) -> str:
    if loss not in LOSSES:
        raise FormatError(
            f"the training has the loss {loss!r:.80}, which is not registered here."
            f"{suggest(loss, LOSSES)} Register it with @neurograph.loss(...) before you resume"
        )
    return loss


def _every(told: list) -> Every:
    if (
        len(told) != 2
        or told[1] not in UNITS
        or not natural_in(told[0], "training.every", MAX_ROWS)
    ):
        raise FormatError("training.every must be a number of 1 or more, and a unit")
    return Every(*told)


def _data(told: Object) -> dict[str, Any]:
    """Return shape and digest of each array; there are samples, and as many targets."""
    found: dict[str, Any] = {}
    for name, pair in told.found.items():
        where = f"training.data.{name:.20}"
        if name not in DATA or not isinstance(pair, list) or len(pair) != 2:
            raise FormatError(f"{where} must be a shape and a digest of {', '.join(DATA)}")
        shape, digest = pair
        if not isinstance(shape, list) or len(shape) != DATA[name] or not is_text(digest):
            raise FormatError(f"{where} must be a shape and a digest")
        found[name] = [natural_in(n, where, MAX_ROWS) for n in shape], digest
    if not {"X", "Y"} <= found.keys() or ("validation X" in found) != ("validation Y" in found):
        raise FormatError("training.data must have X and Y, and both for validation or none")
    n = found["X"][0][0]
    if not n or any(found.get(name, ([n],))[0][0] != n for name in ("Y", "sample_weight")):
        raise FormatError("training.data must be of as many samples each, of one at least")
    return found


def _seconds(told: Object) -> float:
    found = told.get("seconds", float)
    if not 0 <= found < math.inf:
        raise FormatError(f"training.seconds must be 0 or more, got {found!r}")
    return found


def _pending(told: Object, reader: Reader) -> list[float]:
    found = reader.value(told.get("pending", list), "training.pending")
    if len(found) > 1 or not all(type(loss) is float for loss in found):
        raise FormatError(f"training.pending must be a loss or nothing, got {shown(found)}")
    return found


def _short(found: list) -> list:
    if len(found) > MAX_CALLBACKS:
        raise FormatError(f"training.callbacks: more than {MAX_CALLBACKS}")
    return found
