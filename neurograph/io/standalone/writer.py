"""Writing a network as a source file."""

from __future__ import annotations

import os
from collections.abc import Callable

from neurograph.engines.base import require_inputs
from neurograph.errors import ParameterError
from neurograph.io.files import shown, write_text
from neurograph.io.standalone.c import c_source
from neurograph.io.standalone.javascript import javascript_source
from neurograph.io.standalone.python import python_source
from neurograph.io.standalone.recipe import Recipe, recipe
from neurograph.lessons import require_outputs
from neurograph.network import Network
from neurograph.values import choice

__all__ = ["LANGUAGES", "write_standalone"]

LANGUAGES: dict[str, Callable[[Recipe, bool], str]] = {
    "python": python_source,
    "c": c_source,
    "javascript": javascript_source,
}
MOST_LINES = 400  # of a step that has a line for each synapse; larger ones loop over tables


def write_standalone(net: Network, language: str, path: str | os.PathLike | None = None) -> str:
    """Write a network as one source file that needs nothing else, neurograph least of all.

    A function `step` takes a state and the inputs of one step of one sample, and gives the outputs
    and the next state; another one gives the state at rest. They compute what `forward` computes,
    equations (1) to (4): gates, delays, memory cells and all, in double precision, to rounding
    error of the mathematical library. The weights of a float32 network are written exactly, and
    computed with in double precision.

    A small network has a commented line for each synapse, a large one tables and loops.

    Parameters
    ----------
    net : Network
        Only what `forward` depends on is written: nothing of learning, and not the state in which
        `activate` left the network.
    language : str
        "python", "c" (C99, link with ``-lm``) or "javascript" (node and browsers).
    path : path, optional
        A file to write too, whole or not at all.

    Returns
    -------
    str
        The source, in ASCII. It is the same on every machine. Names of neurons are in its comments
        alone, with all characters escaped that could end one.

    Raises
    ------
    CycleError, ParameterError
        The network is not ready to run, has an activation of your own, or the language is unknown.
    NonFiniteError
        A weight or a bias is not finite.

    Notes
    -----
    A number that becomes infinite or NaN on the way raises nothing there.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network()
    >>> x, y = net.add_neuron("x", role="input"), net.add_neuron("y", role="output", bias=0.5)
    >>> into = net.add_synapse("x", "y", weight=2.0)
    >>> memory = net.add_synapse("y", "y", weight=0.9)
    >>> source = ng.io.write_standalone(net, "javascript")
    >>> print(source[source.index("y[0]") : source.index("const next")])
    y[0] = inputs[0]; // 'x'
        s = 0.5; // 'y'
        s += 0.9 * memory[0]; // from 'y', its state 1 step ago
        s += 2.0 * y[0]; // from 'x'
        memory[0] = s;
        y[1] = f_logistic(s);
    """
    if not isinstance(net, Network):
        raise ParameterError(f"write_standalone takes a Network, got {shown(net)}")
    choice("language", language, tuple(LANGUAGES))
    plan = net.plan()
    require_inputs(plan)
    require_outputs(plan)
    made = recipe(net, plan)
    source = LANGUAGES[language](made, made.n_lines <= MOST_LINES)
    if path is not None:
        write_text(path, source)
    return source
