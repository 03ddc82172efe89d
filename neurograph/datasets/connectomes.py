"""What connectomes share: their tables, sizes of first weights, neurons that drive others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, suggest
from neurograph.network import Network

__all__ = ["Connectome", "drive", "first_weights", "named"]

WEIGHTS = ("count", "random")


@dataclass(frozen=True, eq=False)
class Connectome:
    """The tables of a connectome, as published.

    Attributes
    ----------
    neurons, edges : structured arrays
        `pandas.DataFrame(tables.edges)` makes a data frame of them.
    """

    neurons: np.ndarray
    edges: np.ndarray

    def __repr__(self) -> str:
        return f"<Connectome: {len(self.neurons)} neurons, {len(self.edges)} edges>"


def first_weights(
    weight: str,
    rng: np.random.Generator,
    pre: np.ndarray,
    post: np.ndarray,
    count: np.ndarray,
    sign: Any = 1.0,
    mutual: Any = False,
) -> np.ndarray:
    """Return first weights of E connections.

    Parameters
    ----------
    weight : {"count", "random"}
        sign · count / Σ counts into the neuron; or drawn from N(0, 1 / fan-in).
    rng : numpy.random.Generator
    pre, post : (E,) int
    count : (E,) int
    sign : (E,) float
        For "count".
    mutual : (E,) bool
        Leads both ways with one weight. It counts at both ends, and the end with the larger
        sum (or fan-in) decides, so that Σ|w| into a neuron is at most 1 also then.
    """
    if weight not in WEIGHTS:
        raise ParameterError(
            f"weight must be 'count' or 'random', got {weight!r}.{suggest(weight, WEIGHTS)}"
        )
    mutual = np.broadcast_to(mutual, pre.shape)
    size = count if weight == "count" else np.ones_like(count)
    n = int(max(pre.max(initial=-1), post.max(initial=-1))) + 1
    back = mutual & (pre != post)
    total = np.bincount(post, size, n) + np.bincount(pre[back], size[back], n)
    room = np.where(mutual, np.maximum(total[pre], total[post]), total[post])
    if weight == "count":
        return sign * count / room
    return rng.standard_normal(len(pre)) / np.sqrt(room)


def named(
    what: str, given: Iterable | None, default: list, known: Iterable, kind: str = "neuron"
) -> list:
    """Return names that are given, or the default; all must be known, and none twice."""
    if given is None:
        return default
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ParameterError(f"{what} must be a list of names, got {given!r:.80}")
    names, there = list(given), set(known)
    for i, name in enumerate(names):
        if not isinstance(name, Hashable) or name not in there:
            raise ParameterError(f"{what}: no {kind} {name!r:.80}.{suggest(name, there)}")
        if name in names[:i]:
            raise ParameterError(f"{what}: {name!r} is named twice")
    return names


def drive(net: Network, inputs: list[Hashable], outputs: list[Hashable], clamp: bool) -> None:
    """Set the inputs and outputs of a connectome.

    Without `clamp` each of the inputs gets an input neuron "sense.NAME" of its own, through a
    frozen synapse of weight 1 without delay: what else it receives still counts.
    """
    if not clamp:
        senses = [f"sense.{name}" for name in inputs]
        net.add_nodes_from(senses, sense=True)
        net.add_edges_from(
            zip(senses, inputs, strict=True), weight=1.0, trainable=False, sense=True
        )
        inputs = list(senses)
    net.inputs, net.outputs = inputs, outputs
