"""Text that all languages share: numbers, assignments, tables, activation functions.

An assignment looks the same in Python, C and JavaScript but for what ends it. Names of neurons are
in comments alone, see `neurograph.io.standalone.recipe.label`; code is made of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from neurograph.functions import SELU_ALPHA, SELU_SCALE
from neurograph.io.standalone.recipe import NO_GATE, OWN_STATE, Recipe, Term

__all__ = ["FUNCTIONS", "NEEDS", "about", "functions_of", "statements", "table", "tables"]

A_ROW = 8  # numbers in a line of a table
NAMED = 20  # inputs or outputs that the head of a file names

# f(s) by name, in Python and in C; JavaScript has C's, with its own names of functions.
# A NaN is passed on where a comparison would hide it.
FUNCTIONS: dict[str, tuple[str, str]] = {
    "logistic": (
        "1.0 / (1.0 + exp(-s)) if s >= 0 else exp(s) / (1.0 + exp(s))",
        "s >= 0 ? 1.0 / (1.0 + exp(-s)) : exp(s) / (1.0 + exp(s))",
    ),
    "tanh": ("tanh(s)",) * 2,
    "identity": ("s",) * 2,
    "relu": ("0.0 if s < 0 else s", "s < 0 ? 0.0 : s"),
    "leaky_relu": ("s if s > 0 else 0.01 * s", "s > 0 ? s : 0.01 * s"),
    "step": ("1.0 if s > 0 else 0.0", "s > 0 ? 1.0 : 0.0"),
    "bipolar": ("1.0 if s > 0 else -1.0", "s > 0 ? 1.0 : -1.0"),
    "bipolar_logistic": ("tanh(s / 2.0)",) * 2,
    "hard_tanh": (
        "-1.0 if s < -1 else 1.0 if s > 1 else s",
        "s < -1 ? -1.0 : s > 1 ? 1.0 : s",
    ),
    "absolute": ("fabs(s)",) * 2,
    "inverse": ("1.0 - s",) * 2,
    "selu": (
        f"{SELU_SCALE} * (s if s > 0 else {SELU_ALPHA} * expm1(s))",
        f"{SELU_SCALE} * (s > 0 ? s : {SELU_ALPHA} * expm1(s))",
    ),
    "softplus": (
        "(s if s > 0 else 0.0) + log1p(exp(-fabs(s)))",
        "(s > 0 ? s : 0.0) + log1p(exp(-fabs(s)))",
    ),
    "softsign": ("s / (1.0 + fabs(s))",) * 2,
    "swish": ("s * f_logistic(s)",) * 2,
    "gelu": ("s * (0.5 * (1.0 + erf(s / sqrt(2.0))))",) * 2,
    "gaussian": ("exp(-s * s)",) * 2,
    "sin": ("sin(s) if isfinite(s) else nan", "sin(s)"),
    "bent_identity": ("(hypot(s, 1.0) - 1.0) / 2.0 + s",) * 2,
}
NEEDS = {"swish": "logistic"}  # a function that calls another one


def functions_of(made: Recipe) -> list[str]:
    """Return the activations that a source file has to define, each after those that it calls."""
    used = made.activations
    return list(dict.fromkeys(n for name in used for n in (NEEDS.get(name, name), name)))


def about(made: Recipe) -> list[str]:
    """Return what the head of a source file says of the network."""
    n = made.n_terms
    return [
        f"A neural network of {made.n_neurons} neuron{'s' * (made.n_neurons != 1)} and"
        f" {n} synapse{'s' * (n != 1)}, written by neurograph.",
        *_ports("inputs", made.inputs, made.labels),
        *_ports("outputs", made.outputs, made.labels),
    ]


def _ports(what: str, neurons: Sequence[int], labels: Sequence[str]) -> Iterator[str]:
    yield f"{what}, {len(neurons)}:"
    for i, j in enumerate(neurons[:NAMED]):
        yield f"    [{i}] {labels[j]}"
    if len(neurons) > NAMED:
        yield f"    and {len(neurons) - NAMED} more"


# ---------------------------------------------------------------- a line for each synapse


def statements(made: Recipe, past: Callable[[int, int], str]) -> Iterator[tuple[str, str]]:
    """Yield the assignments of a step, a line each, and a comment for each.

    Parameters
    ----------
    past : callable
        ``past(d, n)`` is the expression for what neuron ``made.kept[n]`` gave d steps ago.
    """
    for i, j in enumerate(made.inputs):
        yield f"y[{j}] = inputs[{i}]", made.labels[j]
    for visit in made.visits:
        j = visit.neuron
        yield f"s = {visit.bias!r}", made.labels[j]
        for term in visit.terms:
            yield f"s += {_product(made, term, past)}", _comment(made, term)
        if visit.memory is not None:
            yield f"memory[{visit.memory}] = s", ""
        yield f"y[{j}] = f_{visit.activation}(s)", ""


def _product(made: Recipe, term: Term, past: Callable[[int, int], str]) -> str:
    gate = ""
    if term.gate >= made.n_neurons:
        gate = f"gain[{term.gate - made.n_neurons}] * "
    elif term.gate != NO_GATE:
        gate = f"y[{term.gate}] * "
    if term.delay == OWN_STATE:
        value = f"memory[{term.place}]"
    elif term.delay:
        value = past(term.delay, term.place)
    else:
        value = f"y[{term.place}]"
    return f"{gate}{term.weight!r} * {value}"


def _comment(made: Recipe, term: Term) -> str:
    late = term.gate >= made.n_neurons
    ago = "its state 1 step ago" if term.delay == OWN_STATE else f"{term.delay} steps ago"
    ago = "1 step ago" if term.delay == 1 else ago
    gated = f"gated by {made.labels[term.gater]}{' 1 step ago' * late}"
    said = [made.labels[term.source], ago * bool(term.delay), gated * (term.gate != NO_GATE)]
    return "from " + ", ".join(filter(None, said))


# ---------------------------------------------------------------- loops over tables


def tables(made: Recipe) -> dict[str, list]:
    """Return the tables over which a step loops; those that would be all alike are left out.

    Of visits v: VISIT, their neurons; BIAS; FUNCTION, by number; MEMORY, where the state goes or
    -1; terms FIRST[v] to FIRST[v + 1]. Of terms: WEIGHT; SOURCE, DELAY and GATE as in `Term`.
    """
    terms = [term for visit in made.visits for term in visit.terms]
    first = [0]
    for visit in made.visits:
        first.append(first[-1] + len(visit.terms))
    number = {name: n for n, name in enumerate(made.activations)}
    found: dict[str, list] = {
        "INPUT": list(made.inputs),
        "OUTPUT": list(made.outputs),
        "VISIT": [visit.neuron for visit in made.visits],
        "BIAS": [visit.bias for visit in made.visits],
        "FUNCTION": [number[visit.activation] for visit in made.visits],
        "FIRST": first,
        "SOURCE": [term.place for term in terms],
        "WEIGHT": [term.weight for term in terms],
    }
    if made.n_memories:
        found["MEMORY"] = [-1 if v.memory is None else v.memory for v in made.visits]
    if made.n_memories or made.kept:
        found["DELAY"] = [term.delay for term in terms]
    if any(term.gate != NO_GATE for term in terms):
        found["GATE"] = [term.gate for term in terms]
    if made.kept:
        found["KEPT"] = list(made.kept)
    if made.late:
        found["LATE"] = list(made.late)
    return found


def table(values: Iterable[int | float]) -> list[str]:
    """Return the lines of a table: numbers that read back as the same."""
    texts = list(map(repr, values))
    return [", ".join(texts[n : n + A_ROW]) + "," for n in range(0, len(texts), A_ROW)]
