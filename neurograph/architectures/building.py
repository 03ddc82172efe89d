"""What architectures share: checked sizes, names of layers, delays by the order of visits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from neurograph.elements import Synapse
from neurograph.errors import ParameterError
from neurograph.network import Network
from neurograph.values import natural

__all__ = ["delay_gates_back", "delay_synapses_back", "layer_sizes", "numbered"]


def layer_sizes(what: str, sizes: Sequence, least: int, example: str) -> list[int]:
    """Return sizes of layers as ints, or say how they are written."""
    if len(sizes) < least:
        number = {2: "two", 3: "three"}[least]
        raise ParameterError(
            f"{what} takes {number} sizes or more, as {example}; got {tuple(sizes)}"
        )
    found = [natural("size of a layer", size) for size in sizes]
    if not all(found):
        raise ParameterError(f"a layer needs a neuron at least; got sizes {tuple(sizes)}")
    return found


def numbered(name: str, n: int) -> list[str]:
    """Return the names of n layers of a kind: the name itself if there is only one."""
    return [name] if n == 1 else [f"{name}{i}" for i in range(1, n + 1)]


def delay_synapses_back(net: Network, synapses: Iterable[Synapse]) -> None:
    """Give delay 1 to each synapse whose source was not added before its target.

    A sweep over the neurons in that order, as Synaptic does it, reads from them what they did
    in the step before.
    """
    position = _positions(net)
    for synapse in synapses:
        if position[synapse.source] >= position[synapse.target]:
            synapse.delay = 1


def delay_gates_back(net: Network, synapses: Iterable[Synapse]) -> None:
    """Give delay 1 to the gate of each synapse whose gater was not added before its target."""
    position = _positions(net)
    for synapse in synapses:
        if synapse.gater is not None and position[synapse.gater] >= position[synapse.target]:
            synapse.gate_delay = 1


def _positions(net: Network) -> dict[Any, int]:
    return {name: i for i, name in enumerate(net)}
