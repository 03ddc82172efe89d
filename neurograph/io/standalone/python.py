"""A step in plain Python, which imports nothing but `math`."""

from __future__ import annotations

import math
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

__all__ = ["python_source"]

USE = """\
#
#     state = initial_state()                  # before the first step
#     outputs, state = step(state, [...])      # one step of one sample
#
# A state is never changed: step returns a new one. It is made of dicts and lists of numbers."""
SUM = """\
        s = BIAS[v]
        for e in range(FIRST[v], FIRST[v + 1]):"""
READ = """\
            d = DELAY[e]
            if d == 0:
                x = y[SOURCE[e]]
            else:
                x = past[d - 1][SOURCE[e]] if d > 0 else memory[SOURCE[e]]"""
GATED = """\
            g = GATE[e]
            w = WEIGHT[e]
            if g >= 0:
                w *= y[g] if g < {n} else gain[g - {n}]
            s += w * x"""

WORD = re.compile(r"[a-z]\w*")


def python_source(made: Recipe, unrolled: bool) -> str:
    """Return a module with `initial_state` and `step`."""
    lines = [f"# {line}" for line in about(made)]
    lines += [USE, *_imports(made)]
    for name in functions_of(made):
        lines += ["", "", f"def f_{name}(s):", f"    return {FUNCTIONS[name][0]}"]
    if not unrolled:
        lines += ["", "", *_tables(made)]
    lines += [
        "",
        "",
        "def initial_state():",
        "    return {",
        f'        "memory": [0.0] * {made.n_memories},',
        f'        "gain": [1.0] * {len(made.late)},',
        f'        "past": [[0.0] * {len(made.kept)} for _ in range({made.history})],',
        "    }",
        "",
        "",
        "def step(state, inputs):",
        f"    if len(inputs) != {len(made.inputs)}:",
        f'        raise ValueError("a step takes {len(made.inputs)} inputs,'
        f' got " + str(len(inputs)))',
        "    inputs = [float(x) for x in inputs]",
        '    memory, gain, past = list(state["memory"]), state["gain"], state["past"]',
        f"    y = [0.0] * {made.n_neurons}",
        *(_lines(made) if unrolled else _loops(made)),
    ]
    return "\n".join(lines) + "\n"


def _imports(made: Recipe) -> list[str]:
    """Return the line that imports what the functions call, if they call anything."""
    words = {word for name in functions_of(made) for word in WORD.findall(FUNCTIONS[name][0])}
    names = sorted(words.intersection(vars(math)))
    return ["", f"from math import {', '.join(names)}"] if names else []


def _tables(made: Recipe) -> Iterator[str]:
    for name, values in tables(made).items():
        yield from (f"{name} = [", *(f"    {line}" for line in table(values)), "]")
    yield f"FUNCTIONS = [{', '.join(f'f_{name}' for name in made.activations)}]"


def _lines(made: Recipe) -> Iterator[str]:
    for code, comment in statements(made, lambda d, n: f"past[{d - 1}][{n}]"):
        yield f"    {code}  # {comment}" if comment else f"    {code}"
    yield from _end(*([f"y[{j}]" for j in js] for js in (made.late, made.kept, made.outputs)))


def _loops(made: Recipe) -> Iterator[str]:
    found = tables(made)
    yield "    for i, j in enumerate(INPUT):\n        y[j] = inputs[i]"
    yield "    for v, j in enumerate(VISIT):"
    yield SUM
    yield READ if "DELAY" in found else "            x = y[SOURCE[e]]"
    yield GATED.format(n=made.n_neurons) if "GATE" in found else "            s += WEIGHT[e] * x"
    if "MEMORY" in found:
        yield "        if MEMORY[v] >= 0:\n            memory[MEMORY[v]] = s"
    yield "        y[j] = FUNCTIONS[FUNCTION[v]](s)"
    every = [f"y[j] for j in {name}" if name in found else "" for name in ("LATE", "KEPT")]
    yield from _end(*([each] for each in (*every, "y[j] for j in OUTPUT")))


def _end(gain: list[str], newest: list[str], outputs: list[str]) -> Iterator[str]:
    """Yield the new state and the outputs, given what is in each list."""
    row = ", ".join(newest)
    yield f"    gain = [{', '.join(gain)}]"
    if row:
        yield f"    past = [[{row}], *past[:-1]]"
    state = '{"memory": memory, "gain": gain, "past": past}'
    yield f"    return [{', '.join(outputs)}], {state}"
