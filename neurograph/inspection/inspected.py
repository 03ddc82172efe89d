"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from neurograph.graph import NeuronGraph

__all__ = ["Inspected"]


class Inspected(NeuronGraph):
    """What a network can be asked; it changes nothing that is not put back."""
