"""A step in plain JavaScript, for node and browsers alike."""

from __future__ import annotations

import re
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

__all__ = ["javascript_source"]

USE = """\
//
//     let state = network.initialState();               // before the first step
//     const result = network.step(state, [...]);        // one step of one sample
//     result.outputs; state = result.state;
//
// A state is never changed: step returns a new one. It is made of objects and arrays of numbers.
// In node: const network = require("./this file"). An ES module needs one line more at the end:
// export default network;
"use strict";

const network = (function () {"""
END = """\
  return { initialState, step };
})();

if (typeof module !== "undefined" && module.exports) module.exports = network;"""
# The integral of exp(-x²) as a series of positive terms, so that no digits cancel:
# M. Abramowitz, I. Stegun, Handbook of Mathematical Functions (1964), 7.1.6.
ERF = """\
  function erf(x) {
    const z = Math.abs(x);
    if (z > 6) return Math.sign(x);
    let term = z, sum = z;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * Math.min(1, (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum);
  }
"""
SUM = """\
    for (let v = 0; v < VISIT.length; v++) {
      let s = BIAS[v];
      for (let e = FIRST[v]; e < FIRST[v + 1]; e++) {"""
READ = """\
        const d = DELAY[e], i = SOURCE[e];
        const x = d === 0 ? y[i] : d > 0 ? past[d - 1][i] : memory[i];"""
GATED = """\
        const g = GATE[e];
        s += (g < 0 ? 1 : g < {n} ? y[g] : gain[g - {n}]) * WEIGHT[e] * x;"""
MATH = re.compile(r"\b(exp|expm1|hypot|log1p|sin|sqrt|tanh)\(")


def javascript_source(made: Recipe, unrolled: bool) -> str:
    """Return a script that defines `network`, with `initialState` and `step`."""
    lines = [f"// {line}" for line in about(made)]
    lines.append(USE)
    if "gelu" in made.activations:
        lines.append(ERF)
    for name in functions_of(made):
        code = MATH.sub(r"Math.\1(", FUNCTIONS[name][1]).replace("fabs(", "Math.abs(")
        lines += [f"  function f_{name}(s) {{", f"    return {code};", "  }", ""]
    if not unrolled:
        lines += [*_tables(made), ""]
    rows = f"Array.from({{ length: {made.history} }}, () => new Array({len(made.kept)}).fill(0))"
    lines += [
        "  function initialState() {",
        "    return {",
        f"      memory: new Array({made.n_memories}).fill(0),",
        f"      gain: new Array({len(made.late)}).fill(1),",
        f"      past: {rows},",
        "    };",
        "  }",
        "",
        "  function step(state, inputs) {",
        f"    if (inputs.length !== {len(made.inputs)}) {{",
        f'      throw new RangeError("a step takes {len(made.inputs)} inputs,'
        f' got " + inputs.length);',
        "    }",
        "    const memory = state.memory.slice(), gain = state.gain, past = state.past;",
        f"    const y = new Array({made.n_neurons}).fill(0);",
        *(_lines(made) if unrolled else _loops(made)),
        "  }",
        "",
        END,
    ]
    return "\n".join(lines) + "\n"


def _tables(made: Recipe) -> Iterator[str]:
    for name, values in tables(made).items():
        yield from (f"  const {name} = [", *(f"    {line}" for line in table(values)), "  ];")
    yield f"  const FUNCTIONS = [{', '.join(f'f_{name}' for name in made.activations)}];"


def _lines(made: Recipe) -> Iterator[str]:
    yield "    let s;"
    for code, comment in statements(made, lambda d, n: f"past[{d - 1}][{n}]"):
        yield f"    {code}; // {comment}" if comment else f"    {code};"
    newest, outputs, gain = (
        "[" + ", ".join(f"y[{j}]" for j in js) + "]" for js in (made.kept, made.outputs, made.late)
    )
    yield from _end(made, newest, outputs, gain)


def _loops(made: Recipe) -> Iterator[str]:
    found = tables(made)
    yield "    INPUT.forEach((j, i) => { y[j] = inputs[i]; });"
    yield SUM
    yield READ if "DELAY" in found else "        const x = y[SOURCE[e]];"
    yield GATED.format(n=made.n_neurons) if "GATE" in found else "        s += WEIGHT[e] * x;"
    yield "      }"
    if "MEMORY" in found:
        yield "      if (MEMORY[v] >= 0) memory[MEMORY[v]] = s;"
    yield "      y[VISIT[v]] = FUNCTIONS[FUNCTION[v]](s);"
    yield "    }"
    newest, outputs, gain = (
        f"{name}.map((j) => y[j])" if name in found else "[]" for name in ("KEPT", "OUTPUT", "LATE")
    )
    yield from _end(made, newest, outputs, gain)


def _end(made: Recipe, newest: str, outputs: str, gain: str) -> Iterator[str]:
    """Yield the new state and the outputs, given the arrays."""
    past = f"[{newest}].concat(past.slice(0, -1))" if made.kept else "past"
    yield f"    const next = {{ memory: memory, gain: {gain}, past: {past} }};"
    yield f"    return {{ outputs: {outputs}, state: next }};"
