"""A step in C99, which needs nothing but its mathematical library."""

from __future__ import annotations

from collections.abc import Iterator

from neurograph.io.standalone.expressions import (
    FUNCTIONS,
    about,
    functions_of,
    statements,
    table,
    tables,
)
from neurograph.io.standalone.recipe import Recipe

__all__ = ["c_source"]

USE = """\
 *
 *     network_state state;                              large networks: from malloc
 *     network_initial_state(&state);                    before the first step
 *     network_step(&state, inputs, outputs);            one step of one sample
 *
 * inputs and outputs are arrays of NETWORK_INPUTS and NETWORK_OUTPUTS numbers. A state has no
 * pointers: it can be copied by =. C99, with -lm. For two networks in one program, put another
 * word for network_ and NETWORK_ in one of the files.
 */

#include <math.h>
#include <string.h>
"""
PROTOTYPES = """\
void network_initial_state(network_state *state);
void network_step(network_state *state, const double *inputs, double *outputs);
"""
PAST = """\
/* What was given d steps ago. */
static const double *past(const network_state *state, int d)
{{
    return state->past[(state->at + d - 1) % {history}];
}}
"""
SUM = """\
    for (int v = 0; v < {visits}; v++) {{
        double s = BIAS[v];
        for (int e = FIRST[v]; e < FIRST[v + 1]; e++) {{"""
GATED = """\
            const int g = GATE[e];
            s += ({gate}) * WEIGHT[e] * x;"""


def c_source(made: Recipe, unrolled: bool) -> str:
    """Return a file with `network_state`, `network_initial_state` and `network_step`."""
    head, *rest = about(made)
    lines = [f"/* {head}", *(f" * {line}" for line in rest), USE]
    lines += [f"#define NETWORK_INPUTS {len(made.inputs)}"]
    lines += [f"#define NETWORK_OUTPUTS {len(made.outputs)}", ""]
    lines += ["typedef struct {", *_fields(made), "} network_state;", "", PROTOTYPES]
    for name in functions_of(made):
        lines += [f"static double f_{name}(double s)", "{", f"    return {FUNCTIONS[name][1]};"]
        lines += ["}", ""]
    if made.kept:
        lines.append(PAST.format(history=made.history))
    if not unrolled:
        lines += [*_tables(made), ""]
    lines += ["void network_initial_state(network_state *state)", "{"]
    lines += ["    memset(state, 0, sizeof *state);"]
    if made.late:
        lines.append(f"    for (int n = 0; n < {len(made.late)}; n++) state->gain[n] = 1.0;")
    lines += ["}", ""]
    lines += ["void network_step(network_state *state, const double *inputs, double *outputs)", "{"]
    lines += [*_locals(made), *(_lines(made) if unrolled else _loops(made)), "}"]
    return "\n".join(lines) + "\n"


def _fields(made: Recipe) -> Iterator[str]:
    yield f"    double y[{made.n_neurons}]; /* outputs of all neurons in this step */"
    if made.n_memories:
        yield f"    double memory[{made.n_memories}]; /* states that are read in the next step */"
    if made.late:
        yield f"    double gain[{len(made.late)}]; /* factors of the next step */"
    if made.kept:
        yield f"    double past[{made.history}][{len(made.kept)}]; /* outputs of earlier steps */"
        yield "    int at; /* row of the last one */"


def _locals(made: Recipe) -> Iterator[str]:
    yield "    double *y = state->y;"
    if made.n_memories:
        yield "    double *memory = state->memory;"
    if made.late:
        yield "    double *gain = state->gain;"


def _tables(made: Recipe) -> Iterator[str]:
    for name, values in tables(made).items():
        kind = "double" if name in ("BIAS", "WEIGHT") else "int"
        values = values or [0]  # C has no arrays of nothing
        yield f"static const {kind} {name}[{len(values)}] = {{"
        yield from (f"    {line}" for line in table(values))
        yield "};"
    if not made.visits:
        return
    yield from ("", "static double apply(int function, double s)", "{", "    switch (function) {")
    *others, last = enumerate(made.activations)
    for n, name in others:
        yield f"    case {n}: return f_{name}(s);"
    yield from (f"    default: return f_{last[1]}(s);", "    }", "}")


def _lines(made: Recipe) -> Iterator[str]:
    if made.visits:
        yield "    double s;"
    for code, comment in statements(made, lambda d, n: f"past(state, {d})[{n}]"):
        yield f"    {code}; /* {comment} */" if comment else f"    {code};"
    for n, j in enumerate(made.late):
        yield f"    gain[{n}] = y[{j}];"
    yield from _turn(made)
    for n, j in enumerate(made.kept):
        yield f"    state->past[state->at][{n}] = y[{j}];"
    for n, j in enumerate(made.outputs):
        yield f"    outputs[{n}] = y[{j}];"


def _loops(made: Recipe) -> Iterator[str]:
    found = tables(made)
    yield _each("INPUT", found, "y[INPUT[n]] = inputs[n]")
    if made.visits:
        yield SUM.format(visits=len(made.visits))
        yield f"            const double x = {_value(made)};"
        yield _gated(made) if "GATE" in found else "            s += WEIGHT[e] * x;"
        yield "        }"
        if "MEMORY" in found:
            yield "        if (MEMORY[v] >= 0) memory[MEMORY[v]] = s;"
        yield "        y[VISIT[v]] = apply(FUNCTION[v], s);"
        yield "    }"
    if made.late:
        yield _each("LATE", found, "gain[n] = y[LATE[n]]")
    yield from _turn(made)
    if made.kept:
        yield _each("KEPT", found, "state->past[state->at][n] = y[KEPT[n]]")
    yield _each("OUTPUT", found, "outputs[n] = y[OUTPUT[n]]")


def _each(name: str, found: dict[str, list], code: str) -> str:
    return f"    for (int n = 0; n < {len(found[name])}; n++) {code};"


def _value(made: Recipe) -> str:
    """Return the expression for what term e of the sum reads."""
    value = "y[SOURCE[e]]"
    if made.kept:
        value = f"DELAY[e] > 0 ? past(state, DELAY[e])[SOURCE[e]] : {value}"
    if made.n_memories:
        value = f"DELAY[e] < 0 ? memory[SOURCE[e]] : {value}"
    return value


def _gated(made: Recipe) -> str:
    gate = "g < 0 ? 1.0 : y[g]"
    if made.late:
        n = made.n_neurons
        gate = f"g < 0 ? 1.0 : g < {n} ? y[g] : gain[g - {n}]"
    return GATED.format(gate=gate)


def _turn(made: Recipe) -> Iterator[str]:
    """Yield what makes the oldest row of the past the newest."""
    if made.kept:
        yield f"    state->at = (state->at + {made.history} - 1) % {made.history};"
