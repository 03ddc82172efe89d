"""Networks as DOT, the language of Graphviz: the writer.

There is no reader: DOT says how a graph looks, its grammar has subgraphs, ports and HTML in it, and
no parser of it is both small and strict. Source: https://graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError
from neurograph.io.files import shown, write_text
from neurograph.network import Network

__all__ = ["write_dot"]

SHAPES = {"input": "box", "hidden": "ellipse", "output": "doublecircle"}
POSITIVE, NEGATIVE, GATE = "#b2182b", "#2166ac", "#777777"
THINNEST, THICKEST = 0.5, 3.0  # points
LONGEST = 2000  # characters of a label: Graphviz refuses more than 16,384


def write_dot(net: Network, path: str | os.PathLike | None = None) -> str:
    """Write a picture of a network for Graphviz: ``dot -Tsvg net.dot -o net.svg``.

    Inputs are boxes on the left, outputs double circles on the right. A synapse is red if its
    weight is positive and blue if it is negative, the thicker the stronger; one that reads an
    earlier step is dashed, with its delay, and does not push neurons apart. A gate is a dotted
    arrow from the gater to a dot on the synapse. Point at something to see its numbers (SVG).

    It is a picture, not a file to be read again: names, weights and delays are in it, other
    parameters and your attributes are not.

    Parameters
    ----------
    net : Network
    path : path, optional
        A file to write too, whole or not at all.

    Returns
    -------
    str
        What is in the file.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("x", "y", {"weight": 1})])
    >>> net.inputs, net.outputs = ["x"], ["y"]
    >>> net.gate("x", net.edges["x", "y"])
    >>> print(ng.io.write_dot(net))
    digraph {
      rankdir=LR; node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];
      n0 [label="x", shape=box, tooltip="input"];
      n1 [label="y", shape=doublecircle, tooltip="output, logistic, bias 0"];
      { rank=min; n0; }
      { rank=max; n1; }
      g0 [shape=point, width=0.06, color="#777777"];
      n0 -> g0 [color="#b2182b", penwidth=3, tooltip="x -> y: weight 1, gate x", arrowhead=none];
      g0 -> n1 [color="#b2182b", penwidth=3, tooltip="x -> y: weight 1, gate x"];
      n0 -> g0 [color="#777777", style=dotted, arrowhead=odot, tooltip="x gates x -> y"];
    }
    """
    if not isinstance(net, Network):
        raise ParameterError(f"there must be a Network to write, got {shown(net)}")
    net.require_own()
    text = "".join(f"{line}\n" for line in _lines(net)).rstrip("\n")
    if path is not None:
        write_text(path, text + "\n")
    return text


def _lines(net: Network) -> Iterator[str]:
    numbers: dict[Hashable, str] = {name: f"n{i}" for i, name in enumerate(net)}
    yield "digraph {"
    yield ('  rankdir=LR; node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];')
    for neuron in net.neurons:
        shape = SHAPES[neuron.role]
        told = {"label": neuron.name, "shape": shape, "tooltip": _of_neuron(neuron)}
        yield f"  {numbers[neuron.name]} [{_listed(told)}];"
    for rank, names in (("min", net.inputs), ("max", net.outputs)):
        if names:
            yield f"  {{ rank={rank}; {' '.join(f'{numbers[n]};' for n in names)} }}"
    strongest = float(np.abs(net.weights).max(initial=0)) or 1.0
    gates = 0
    for synapse in net.synapses:
        style = _style(synapse, strongest)
        source, target = numbers[synapse.source], numbers[synapse.target]
        if synapse.gater is None:
            yield f"  {source} -> {target} [{_listed(style)}];"
            continue
        dot, gates = f"g{gates}", gates + 1
        yield f'  {dot} [shape=point, width=0.06, color="{GATE}"];'
        half = {k: v for k, v in style.items() if k != "xlabel"}
        yield f"  {source} -> {dot} [{_listed({**half, 'arrowhead': 'none'})}];"
        yield f"  {dot} -> {target} [{_listed(style)}];"
        yield from _gate(synapse, numbers, dot)
    yield "}"


def _gate(synapse: Synapse, numbers: dict[Hashable, str], dot: str) -> Iterator[str]:
    gater = synapse.gater
    if gater not in numbers:  # gone, or yet to come
        numbers[gater] = f"n{len(numbers)}"
        told = {
            "label": gater,
            "shape": "ellipse",
            "style": "dotted",
            "tooltip": "not in the network",
        }
        yield f"  {numbers[gater]} [{_listed(told)}];"
    late = ", one step later" if synapse.gate_delay else ""
    told = {
        "color": GATE,
        "style": "dotted",
        "arrowhead": "odot",
        "tooltip": f"{gater} gates {synapse.source} -> {synapse.target}{late}",
    }
    if synapse.gate_delay:
        told |= {"xlabel": "1", "constraint": "false"}
    yield f"  {numbers[gater]} -> {dot} [{_listed(told)}];"


def _of_neuron(neuron: Neuron) -> str:
    return (
        neuron.role
        if neuron.role == "input"
        else f"{neuron.role}, {neuron.activation}, bias {neuron.bias:.6g}"
    )


def _style(synapse: Synapse, strongest: float) -> dict[str, Any]:
    share = abs(synapse.weight) / strongest
    gate = "" if synapse.gater is None else f", gate {synapse.gater}"
    late = f", delay {synapse.delay}" if synapse.delay else ""
    reads = f", reads the {synapse.reads}" if synapse.loop else ""
    ends = f"{synapse.source} -> {synapse.target}"
    told = {
        "color": NEGATIVE if synapse.weight < 0 else POSITIVE,
        "penwidth": f"{THINNEST + (THICKEST - THINNEST) * share:.3g}",
        "tooltip": f"{ends}: weight {synapse.weight:.6g}{late}{reads}{gate}",
    }
    if synapse.delay:  # not label: with these beside each other Graphviz 2.42 crashes
        told |= {"style": "dashed", "xlabel": str(synapse.delay), "constraint": "false"}
    return told


def _listed(attributes: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_value(key, value)}" for key, value in attributes.items())


def _value(key: str, value: Any) -> str:
    return _quoted(value) if key in ("label", "xlabel", "tooltip", "color") else str(value)


def _quoted(value: Any) -> str:
    """Return a text between quotes: what would end it, or mean something else, escaped."""
    text = str(value).encode("utf-8", "replace").decode()  # halves of surrogate pairs
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    text = "".join(c if c.isprintable() else " " for c in text)
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
