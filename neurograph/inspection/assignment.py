"""One column of many neurons or synapses, set at once: all of it, or nothing after an error."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from neurograph.elements import Neuron
from neurograph.engines.base import real_array
from neurograph.errors import ParameterError, ShapeError
from neurograph.graph import NeuronGraph
from neurograph.table import FLOAT, Column, Handle, Table

__all__ = ["assign", "checked", "with_tied"]


def assign(graph: NeuronGraph, kind: type[Handle], ids: np.ndarray, name: Any, given: Any) -> None:
    """Set a parameter, or an attribute of the user, of many elements.

    Parameters
    ----------
    graph : NeuronGraph
    kind : Neuron or Synapse
    ids : (n,) int array
        Of elements that are there.
    name : hashable
        A parameter, or else an attribute of the user's own.
    given : value, or (n,) array
        One for all, or one for each; None: the default.

    Raises
    ------
    ParameterError, ShapeError
        A value that one of them cannot have, or not one for each; nothing is changed.
    GraphError
        The graph is a view.
    """
    graph.require_own()
    table = graph._store.neurons if issubclass(kind, Neuron) else graph._store.synapses
    column = table.schema.get(name)
    if column is None:
        _assign_own(table, ids, name, _each(name, given, len(ids)))
    elif column.decode is None and not column.structural and column.dtype in (FLOAT, np.bool_):
        _assign_numbers(graph, table, ids, column, given)
    else:
        _assign_singly(graph, kind, ids, name, _each(name, given, len(ids)))


def _each(name: Any, given: Any, n: int) -> list:
    """Return a value for each element; a tuple is one value, for it may be a name."""
    if isinstance(given, np.ndarray):
        if not given.ndim:
            return [given.item()] * n
        _require_length(name, given.shape, n)
        return given.tolist()
    if isinstance(given, list):
        _require_length(name, (len(given),), n)
        return given
    return [given] * n


def _require_length(name: Any, shape: tuple[int, ...], n: int) -> None:
    if shape != (n,):
        raise ShapeError(
            f"{name} must be one value, or have shape ({n},), one for each element of the"
            f" selection; got {shape}"
        )


# ---------------------------------------------------------------- numbers


def _assign_numbers(
    graph: NeuronGraph, table: Table, ids: np.ndarray, column: Column, given: Any
) -> None:
    """Set numbers or flags, on the arrays."""
    values = checked(graph, table, ids, column, given)
    if column.shared and table.ties.group:
        ids, values = with_tied(table, ids, values, column.name)
    if len(ids) and (column.name in table.arrays or (values != column.default).any()):
        table.array(column.name)[table.row_of[ids]] = values
    graph._store.touch(column)


def checked(
    graph: NeuronGraph, table: Table, ids: np.ndarray, column: Column, given: Any
) -> np.ndarray:
    """Return a value for each element, as it is stored."""
    name, n = column.name, len(ids)
    if given is None:
        if name == table.row_type.always:
            raise ParameterError(f"{name} is always there; give it a number instead of None")
        given = column.default
    values = np.broadcast_to(real_array(name, given, np.dtype(float)), np.shape(given))
    if values.ndim:
        _require_length(name, values.shape, n)
    # What a parameter may be is an interval (or two flags): if the smallest and the largest
    # are fine, all are; NaN is both.
    for extreme in (values.min(initial=np.inf), values.max(initial=-np.inf)) if values.size else ():
        try:
            stored = float(column.encode(name, float(extreme)))  # type: ignore[misc]
            if column.dtype is FLOAT and np.isfinite(stored):
                _require_fit(name, stored, graph.dtype)
            if column.dtype is np.bool_ and not np.isin(values, (0, 1)).all():
                raise ParameterError(f"{name} must be True or False")
        except ParameterError as error:
            raise ParameterError(f"{_whose(graph, table, ids, values, extreme)}{error}") from None
    return np.broadcast_to(values, n).astype(graph.dtype if column.dtype is FLOAT else bool)


def _require_fit(name: str, value: float, dtype: np.dtype) -> None:
    if abs(value) > float(np.finfo(dtype).max):
        raise ParameterError(f"{name} is too large for {dtype}: {value!r}")


def _whose(
    graph: NeuronGraph, table: Table, ids: np.ndarray, values: np.ndarray, extreme: float
) -> str:
    """Return the element that was given a value, if it was given to one."""
    if not values.ndim:
        return ""
    at = np.flatnonzero((values == extreme) | (np.isnan(values) & np.isnan(extreme)))[:1]
    return f"{graph.handles(table.row_type, ids[at])[0]!s}: " if len(at) else ""


def with_tied(
    table: Table, ids: np.ndarray, values: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and values with those that are tied to them; they share one value.

    Raises
    ------
    ParameterError
        Two that are tied are given different values.
    """
    group = table.ties.group
    tied = np.isin(ids, np.fromiter(group, np.int64, len(group)))
    wanted: dict[Hashable, float] = {}
    for id, value in zip(ids[tied].tolist(), values[tied].tolist(), strict=True):
        if wanted.setdefault(group[id], value) != value:
            raise ParameterError(
                f"{name}: synapses that are tied share one value, but are given"
                f" {wanted[group[id]]} and {value}; net.untie them or give them one"
            )
    more = [(id, value) for label, value in wanted.items() for id in table.ties.ids[label]]
    others = np.array([id for id, _ in more], np.int64)
    shared = np.array([value for _, value in more], values.dtype)
    return np.concatenate([ids[~tied], others]), np.concatenate([values[~tied], shared])


# ---------------------------------------------------------------- everything else


def _assign_singly(
    graph: NeuronGraph, kind: type[Handle], ids: np.ndarray, name: str, values: list
) -> None:
    """Set a parameter that each element has to check by itself."""
    handles = graph.handles(kind, ids)
    ready = [h.encoded({name: v}) for h, v in zip(handles, values, strict=True)]
    for handle, encoded in zip(handles, ready, strict=True):
        handle.apply(*encoded)


def _assign_own(table: Table, ids: np.ndarray, name: Any, values: list) -> None:
    for id, value in zip(ids.tolist(), values, strict=True):
        table.own[id] = {**table.own.get(id, {}), name: value}
