"""Everything that can go wrong; each class is also the closest builtin or networkx class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import networkx as nx

__all__ = [
    "BusyError",
    "CycleError",
    "DetachedError",
    "FormatError",
    "GraphError",
    "NeurographError",
    "NeurographWarning",
    "NonFiniteError",
    "ParameterError",
    "ShapeError",
    "Term",
]

LONGEST = 200  # characters of a name for which another is suggested


class NeurographError(Exception):
    """Base of every error that neurograph raises."""


class ParameterError(NeurographError, ValueError):
    """A value that a neuron, a synapse or an option cannot have, or a name that does not exist."""


class ShapeError(NeurographError, ValueError):
    """An array of the wrong shape."""


class FormatError(NeurographError, ValueError):
    """A file that is not what it says it is."""


class CycleError(NeurographError, nx.NetworkXUnfeasible):
    """Synapses without delay form a cycle, so no order of visits exists."""


class GraphError(NeurographError, nx.NetworkXError):
    """An edit that the graph cannot take, or work asked of a read-only view."""


class DetachedError(NeurographError, LookupError):
    """A handle whose neuron or synapse is no longer part of a network."""


class BusyError(NeurographError, RuntimeError):
    """A network that another thread is using at this moment."""


class Term(NamedTuple):
    """One of the numbers that were added up: what it is, in words, and its value."""

    what: str
    value: float


class NonFiniteError(NeurographError, ArithmeticError):
    """A NaN or an infinity; it names where the first one appeared, and what went into it.

    Attributes
    ----------
    quantity : str
        "X", "target", "sample_weight"; "state", "output", "loss"; "delta" (∂L/∂s),
        "input_gradient" (∂L/∂x), "gradient" (∂L/∂w or ∂L/∂b); "weight", "bias", or what an
        optimizer keeps.
    value : float
        The number that is not finite.
    neuron : hashable, or None
        Name of the neuron; that of an input or output where data are at fault.
    synapse : (source, target), or None
    step, sample, column : int, or None
        In the data, all from 0; where the network goes on from step to step, steps since rest.
    epoch, batch, update : int, or None
        Of `fit`, from 0; how many updates were done before.
    terms : tuple of Term
        The largest of those that make up the number, the largest first.
    n_terms : int
        How many there are.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("a", "y", {"weight": 1e300})])
    >>> net.inputs, net.outputs = ["a"], ["y"]
    >>> try:
    ...     net.forward([[0], [1e10]])
    ... except ng.NonFiniteError as error:
    ...     print(error.neuron, error.step, error.sample, error.terms[0].what)
    y 0 1 weight 1e+300 of 'a' -> 'y' × output 1e+10 of 'a'
    """

    quantity: str | None = None
    value: float | None = None
    neuron: Any = None
    synapse: tuple[Any, Any] | None = None
    step: int | None = None
    sample: int | None = None
    column: int | None = None
    epoch: int | None = None
    batch: int | None = None
    update: int | None = None
    terms: tuple[Term, ...] = ()
    n_terms: int = 0
    advice: str = ""
    prefix: str = ""

    def __init__(self, problem: str = "", **place: Any):
        super().__init__(problem)
        self.__dict__.update(place)

    def moved(self, **place: Any) -> NonFiniteError:
        """Return the same error with another place, or more of it."""
        twin = type(self)(*self.args)
        twin.__dict__.update(self.__dict__)
        twin.__dict__.update(place)
        return twin

    def __str__(self) -> str:
        where = [
            f"{word} {value}"
            for word, value in (
                ("at step", self.step),
                ("of sample" if self.step is not None else "in sample", self.sample),
                ("in batch", self.batch),
                ("of epoch" if self.batch is not None else "in epoch", self.epoch),
            )
            if value is not None
        ]
        where += [] if self.column is None else [f"(column {self.column})"]
        parts = " + ".join(term.what for term in self.terms)
        more = self.n_terms - len(self.terms)
        if more > 0:
            parts += f" + {more} smaller term{'s' * (more > 1)}"
        text = " ".join([f"{self.prefix}{self.args[0] if self.args else ''}", *where])
        return text + (f": {parts}" if parts else "") + (f"; {self.advice}" if self.advice else "")


class NeurographWarning(UserWarning):
    """Something legal that is probably a mistake."""


@contextmanager
def room_for(what: str, n_bytes: int) -> Iterator[None]:
    """Let a `MemoryError` say for what there was no room, and about how much it takes."""
    try:
        yield
    except MemoryError as error:
        raise ParameterError(
            f"not enough memory for {what}, which take about {n_bytes / 1e9:.1f} GB;"
            f" make fewer. {error}".rstrip()
        ) from None


def counted(n: int, what: str) -> str:
    """Return how many there are of something, in words.

    >>> counted(1, "step"), counted(2, "step"), counted(0, "bias")
    ('1 step', '2 steps', '0 biases')
    """
    return f"{n} {what}{'' if n == 1 else 'es' if what.endswith('s') else 's'}"


def suggest(name: object, known: Iterable[Any]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or nothing.

    >>> suggest("tahn", ["tanh", "relu"])
    " Did you mean 'tanh'?"
    """
    if len(str(name)) > LONGEST:  # comparing takes 40 times the memory of the text
        return ""
    by_text = {str(k): k for k in known}
    near = difflib.get_close_matches(str(name), by_text, n=1)
    return f" Did you mean {by_text[near[0]]!r}?" if near else ""
