"""Checkpoints: the writer. `neurograph.io.checkpoint_reader` has the other half.

A checkpoint is a file of our own (`neurograph.io.native`) in whose metadata there is "training"
as well: what `fit` was told, and where it stands. Its numbers are tensors "training.…".
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from neurograph.callbacks import EarlyStopping
from neurograph.engines import ENGINES
from neurograph.errors import ParameterError
from neurograph.io.files import write_bytes
from neurograph.io.native import contents, described_rule
from neurograph.io.native_reader import TRAINING
from neurograph.io.optimizers import described_optimizer, name_of
from neurograph.io.plain import Writer
from neurograph.io.tensors import pack
from neurograph.network import Network
from neurograph.training import Fit

__all__ = ["EARLY", "VERSION", "describe", "save"]

VERSION = 1
# What early stopping keeps of the best epoch: who, and with which value.
EARLY = (("synapse", "weight"), ("neuron", "bias"))


def save(job: Fit, path: str | os.PathLike) -> None:
    """Write a network in training, and where its training stands."""
    write_bytes(path, describe(job))


def describe(job: Fit) -> list[Any]:
    """Return the bytes of a checkpoint, piece by piece."""
    net: Any = job.graph
    tensors, metadata = contents(net)
    writer = Writer(_stranger, _stranger)
    told = _told(job, writer)
    mine = _tensors(job) | writer.tensors()
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    named = {TRAINING + name: array for name, array in mine.items()}
    return pack({**tensors, **named}, {**metadata, "training": text})


def _stranger(handle: Any) -> int:
    return -1  # what a callback keeps are its own values, not neurons


def _told(job: Fit, writer: Writer) -> dict[str, Any]:
    told, saver = job.told, job.saver
    if told.engine not in ENGINES:
        raise ParameterError(
            f"the engine is a {type(job.engine).__name__}, which a checkpoint cannot hold; take"
            f" {' or '.join(map(repr, ENGINES))}"
        )
    return {
        "version": VERSION,
        "epochs": job.epochs,
        "batch_size": told.batch_size,
        "shuffle": told.shuffle,
        "optimizer": described_optimizer(told.optimizer, writer),
        "loss": job.loss.name,
        "rule": None if told.rule is None else described_rule(told.rule, "rule"),
        "engine": told.engine,
        "every": None if saver is None else list(saver.every),
        "held_out": None if told.split is None else [told.split.n_held, told.split.part],
        "data": told.digests,
        "callbacks": [_callback(callback, writer) for callback in job.callbacks],
        "seconds": job.history.seconds,
        "stopped": job.stopped,
        "pending": writer.value(job.pending, "the loss"),
    }


def _callback(callback: Any, writer: Writer) -> dict[str, Any]:
    """Return what is kept of a callback; of one of one's own what it gives."""
    told: dict[str, Any] = {
        "name": name_of(callback), "own": type(callback) is not EarlyStopping,
    }  # fmt: skip
    if isinstance(callback, EarlyStopping):
        told["early"] = {
            "patience": int(callback.patience),
            "least": float(callback.least),
            "restore": bool(callback.restore),
            "best": writer.value(float(callback.best), "the best loss"),
            "epoch": callback.epoch,
            "kept": callback.kept is not None,
        }
    state = getattr(callback, "state_dict", None)
    if callable(state):
        told["state"] = writer.value(state(), f"the state of the callback {name_of(callback)}")
    return told


def _tensors(job: Fit) -> dict[str, np.ndarray]:
    net: Any = job.graph
    made = {"loss": np.array(job.history.loss, float)}
    if job.history.validation_loss:
        made["validation_loss"] = np.array(job.history.validation_loss, float)
    if job.told.split is not None:
        made["split"] = job.told.split.order.astype(np.int32)
    if job.begun is not None:
        made |= {"order": job.begun.order.astype(np.int32), "values": job.begun.values}
    for i, callback in enumerate(job.callbacks):
        if isinstance(callback, EarlyStopping) and callback.kept is not None:
            made |= {f"callback.{i}.{name}": array for name, array in _best(net, callback)}
    return made


def _best(net: Network, callback: EarlyStopping) -> Any:
    """Yield numbers and values of the best epoch, of those who are still there."""
    tables = {"synapse": net._store.synapses, "neuron": net._store.neurons}
    for (kind, name), (ids, values) in zip(EARLY, callback.kept, strict=True):
        alive = tables[kind].alive()
        there = tables[kind].row_of[ids] >= 0
        yield kind, np.searchsorted(alive, ids[there]).astype(np.int32)
        yield name, values[there]
