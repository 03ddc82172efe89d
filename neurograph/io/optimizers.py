"""Optimizers and schedules as JSON, and back. What is one's own has only its name there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import Object, shown
from neurograph.io.plain import MAX_DEPTH, Reader, Writer
from neurograph.learning import optimizers, schedules
from neurograph.learning.optimizers import Optimizer

__all__ = ["described_optimizer", "name_of", "restored_optimizer"]

OPTIMIZERS = {cls.__name__: cls for cls in (
    optimizers.SGD, optimizers.Momentum, optimizers.Nesterov, optimizers.RMSprop, optimizers.Adam,
    optimizers.AdamW, optimizers.Rprop,
)}  # fmt: skip
SCHEDULES = {cls.__name__: cls for cls in (
    schedules.Constant, schedules.StepDecay, schedules.Exponential, schedules.Inverse,
    schedules.Cosine, schedules.WarmUp,
)}  # fmt: skip
MAX_OWN = 200  # characters of the name of what is one's own


def name_of(thing: Any) -> str:
    """Return the name of a function, or that of the class of something else.

    >>> name_of(len), name_of(0.5)
    ('len', 'float')
    """
    name = getattr(thing, "__name__", None)
    name = name if isinstance(name, str) else type(thing).__name__
    return ascii(name)[1:-1][:MAX_OWN]


def described_optimizer(optimizer: Optimizer, writer: Writer) -> dict[str, Any]:
    """Return an optimizer as JSON; of one of one's own its name."""
    if OPTIMIZERS.get(type(optimizer).__name__) is not type(optimizer):
        return {"own": name_of(optimizer)}
    return {"name": type(optimizer).__name__, "settings": _settings(optimizer, writer, 0)}


def _settings(thing: Any, writer: Writer, depth: int) -> dict[str, Any]:
    return {f.name: _setting(getattr(thing, f.name), writer, depth + 1) for f in fields(thing)}


def _setting(value: Any, writer: Writer, depth: int) -> Any:
    if not callable(value):
        return writer.value(value, "the optimizer")
    if SCHEDULES.get(type(value).__name__) is not type(value):
        return {"own": name_of(value)}
    if depth > MAX_DEPTH:
        raise ParameterError(f"a schedule is nested more than {MAX_DEPTH} deep")
    return {"schedule": {"name": type(value).__name__, "settings": _settings(value, writer, depth)}}


class _Own(Exception):
    """There is something that a file cannot hold: of this name."""


def restored_optimizer(told: Object, reader: Reader) -> Optimizer | str:
    """Return an optimizer, or the name of what has to be given again."""
    if "own" in told.found:
        return _name(told, "own")
    try:
        return _made(OPTIMIZERS, told, reader, 0)
    except _Own as error:
        return str(error)


def _made(known: Mapping[str, Callable], told: Object, reader: Reader, depth: int) -> Any:
    cls: Any = known.get(told.get("name", str))
    if cls is None:
        raise FormatError(f"{told.where}.name must be one of {', '.join(known)}")
    given = told.object("settings")
    if given.found.keys() != {f.name for f in fields(cls)}:
        raise FormatError(f"{given.where} must be {', '.join(f.name for f in fields(cls))}")
    settings = {name: _read(value, f"{given.where}.{name}", reader, depth + 1)
                for name, value in given.found.items()}  # fmt: skip
    try:
        return cls(**settings)
    except ParameterError as error:
        raise FormatError(f"{given.where}: {error}") from None


def _read(value: Any, where: str, reader: Reader, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise FormatError(f"{where} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict) and value.keys() == {"own"}:
        raise _Own(_name(Object(value, where), "own"))
    if isinstance(value, dict) and value.keys() == {"schedule"}:
        return _made(SCHEDULES, Object(value, where).object("schedule"), reader, depth)
    return reader.value(value, where)


def _name(told: Object, key: str) -> str:
    name = told.get(key, str)
    if len(name) > MAX_OWN:
        raise FormatError(f"{told.where}.{key} is too long a name: {shown(name)}")
    return name
