"""What a step computes, in plain numbers: what the source files of all languages say.

Neurons are numbered as in the plan, in the order of visits. Of the equations of docs/model.md these
are (1) to (4); the order of every sum is that of the walker.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from neurograph.engines.base import Parameters
from neurograph.errors import NonFiniteError, ParameterError
from neurograph.functions import get_activation
from neurograph.network import Network
from neurograph.schedule import NONE, Plan

__all__ = ["NO_GATE", "OWN_STATE", "Recipe", "Term", "Visit", "label", "recipe"]

OWN_STATE = -1  # instead of a delay: the term reads the neuron's own state
NO_GATE = -1
MOST_CHARACTERS = 60  # of a name in a comment
MOST_BITS = 128  # of a number in a name
DEEPEST = 3  # tuples in tuples that are shown
PLAIN = frozenset(" _.,:;()[]{}+-=#&%$!@~^|")  # beside letters and digits of ASCII


@dataclass(frozen=True)
class Term:
    """A synapse in the sum of its target.

    Attributes
    ----------
    weight : float
    place : int
        The source; with a delay, its place in `Recipe.kept`; of a state, its place in the memory.
    delay : int
        Steps, or `OWN_STATE`.
    gate : int
        `NO_GATE`; a neuron k < n_neurons; n_neurons + a place in `Recipe.late`.
    source, gater : int
        The neurons, for comments.
    """

    weight: float
    place: int
    delay: int
    gate: int
    source: int
    gater: int


@dataclass(frozen=True)
class Visit:
    """A neuron that is no input: what is summed, which function follows, where its state stays."""

    neuron: int
    bias: float
    activation: str
    memory: int | None
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Recipe:
    """A step of a network.

    Attributes
    ----------
    n_neurons, n_memories : int
        Of all neurons, and of states that are read in the next step.
    inputs, outputs : tuple of int
    visits : tuple of Visit
    kept : tuple of int
        Neurons whose outputs are read `history` steps later or less.
    late : tuple of int
        Neurons whose outputs are factors of the next step; 1 before the first.
    labels : tuple of str
        Names of all neurons as comments have them, see `label`.
    """

    n_neurons: int
    n_memories: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    visits: tuple[Visit, ...]
    kept: tuple[int, ...]
    late: tuple[int, ...]
    history: int
    labels: tuple[str, ...]

    @property
    def n_terms(self) -> int:
        """Number of all terms."""
        return sum(len(visit.terms) for visit in self.visits)

    @property
    def n_lines(self) -> int:
        """Lines of a step that has one for each synapse and two for each neuron."""
        return len(self.inputs) + 2 * len(self.visits) + self.n_terms

    @property
    def activations(self) -> list[str]:
        """Names of the activations, each once, in the order of visits."""
        return list(dict.fromkeys(visit.activation for visit in self.visits))


def recipe(net: Network, plan: Plan) -> Recipe:
    """Return what a step of a network computes.

    What leads to an input plays no part (4), nor does the bias or the activation of one.

    Raises
    ------
    NonFiniteError
        A weight or a bias is not finite.
    ParameterError
        An activation is not one of the library's.
    """
    given = set(plan.inputs.tolist())
    weight, bias = (array.tolist() for array in Parameters.of(net))
    kept, late = _remembered(plan, given)
    memory = {j: m for m, j in enumerate(j for j in plan.cell.tolist() if j not in given)}
    visits = tuple(
        Visit(
            j,
            bias[j],
            plan.activations[plan.activation[j]],
            memory.get(j),
            _terms(plan, j, weight, kept, late, memory),
        )
        for j in range(plan.n_neurons)
        if j not in given
    )
    made = Recipe(
        n_neurons=plan.n_neurons,
        n_memories=len(memory),
        inputs=tuple(plan.inputs.tolist()),
        outputs=tuple(plan.outputs.tolist()),
        visits=visits,
        kept=tuple(kept),
        late=tuple(late),
        history=max((term.delay for visit in visits for term in visit.terms), default=0),
        labels=tuple(map(label, plan.visits)),
    )
    _require_plain(made, plan)
    return made


def _remembered(plan: Plan, given: set[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return who is read in later steps, by synapses and by gates, with their places."""
    fed = ~np.isin(plan.target, list(given))
    kept = np.unique(plan.source[fed & (plan.delay > 0)])
    late = np.empty(0, np.uint32)
    if plan.gater.size:
        fed = ~np.isin(np.concatenate([plan.target, plan.cell]), list(given))
        late = np.unique(plan.gater[fed & (plan.gater != NONE) & (plan.gate_delay > 0)])
    return _places(kept), _places(late)


def _places(neurons: np.ndarray) -> dict[int, int]:
    return {j: n for n, j in enumerate(neurons.tolist())}


def _terms(
    plan: Plan,
    j: int,
    weight: list[float],
    kept: dict[int, int],
    late: dict[int, int],
    memory: dict[int, int],
) -> tuple[Term, ...]:
    """Return the terms of the sum of neuron j, in the order of the walker."""

    def term(e: int, place: int, delay: int, i: int) -> Term:
        gater, gate = NO_GATE, NO_GATE
        if plan.gater.size and plan.gater[e] != NONE:
            gater = int(plan.gater[e])
            gate = plan.n_neurons + late[gater] if plan.gate_delay[e] else gater
        return Term(weight[e], place, delay, gate, i, gater)

    made = []
    if j in memory:
        made.append(term(int(plan.memory[j]), memory[j], OWN_STATE, j))
    row = slice(int(plan.indptr[j]), int(plan.indptr[j + 1]))
    ends = zip(plan.source[row].tolist(), plan.delay[row].tolist(), strict=True)
    for e, (i, delay) in enumerate(ends, row.start):
        made.append(term(e, kept[i] if delay else i, delay, i))
    return tuple(made)


def _require_plain(made: Recipe, plan: Plan) -> None:
    """Raise unless every number can be written and every function is known elsewhere."""
    for visit in made.visits:
        name = plan.name(visit.neuron)
        if not get_activation(visit.activation).builtin:
            raise ParameterError(
                f"neuron {name!r} has activation {visit.activation!r}, a function of your own,"
                " which no other language knows; give it one of the library's (ng.ACTIVATIONS),"
                " or write neurons with it as an activation of your own there"
            )
        if not np.isfinite(visit.bias):
            raise NonFiniteError(
                f"neuron {name!r} has bias {visit.bias}; only finite numbers are written"
            )
        for term in visit.terms:
            if not np.isfinite(term.weight):
                source = plan.name(term.source)
                raise NonFiniteError(
                    f"synapse {source!r} -> {name!r} has weight {term.weight}; only finite"
                    " numbers are written"
                )


# ---------------------------------------------------------------- names in comments


def label(name: Hashable) -> str:
    r"""Return a name as it may stand in a comment of any language.

    Only letters and digits of ASCII and harmless signs: nothing in it can end a comment or a
    line, and it is the same on every machine. What has no fixed text is shown by its type.

    >>> label(("λ", 3)), label("*/ system(1); /*\n"), label(object())
    ("('\\u03bb', 3)", "'\\x2a\\x2f system(1); \\x2f\\x2a\\x0a'", 'object')
    """
    text = _text(name, 0)
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."


def _text(name: Hashable, depth: int) -> str:
    if isinstance(name, np.generic):
        name = name.item()
    if isinstance(name, str):
        return "'" + _escaped(name) + "'"
    if isinstance(name, (tuple, frozenset)):
        if depth == DEEPEST:
            return "..."
        items = [_text(item, depth + 1) for item in name]
        if isinstance(name, frozenset):  # which has no order of its own
            return "{" + ", ".join(sorted(items)) + "}"
        return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"
    if type(name) in (bool, int, type(None), float, complex, bytes):
        huge = isinstance(name, int) and name.bit_length() > MOST_BITS
        return type(name).__name__ if huge else _escaped(repr(name))
    return _escaped(type(name).__name__)


def _escaped(text: str) -> str:
    made = []
    for c in text[: MOST_CHARACTERS + 1]:
        if c in PLAIN or (c.isascii() and c.isalnum()):
            made.append(c)
        else:
            n = ord(c)
            made.append(f"\\x{n:02x}" if n < 256 else f"\\u{n:04x}" if n < 65536 else f"\\U{n:08x}")
    return "".join(made)
