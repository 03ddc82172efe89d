"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from typing import Any

from neurograph.graph import NeuronGraph
from neurograph.inspection import what_if
from neurograph.inspection.what_if import WhatIf

__all__ = ["Inspected"]


class Inspected(NeuronGraph):
    """What a network can be asked; it changes nothing that is not put back."""

    # ------------------------------------------------------------ what if

    def lesion(self, *what: Any) -> WhatIf:
        """Run without some neurons and synapses for the time of a ``with`` block.

        A synapse passes nothing on. A neuron outputs 0, and nothing passes what it would send,
        or gate. What is gone does not learn; the rest does. Nothing is copied, and at the end
        of the block everything that was taken away is there again, bit for bit.

        Parameters
        ----------
        *what : Synapse, Neuron, name of a neuron, Selection, or iterable of these

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> whole = net.predict([0, 1])
        >>> with net.lesion("hidden.1", net.edges["input.0", "hidden.0"]):
        ...     bool(net.predict([0, 1]) == whole)
        False
        >>> bool(net.predict([0, 1]) == whole)
        True
        """
        return what_if.lesion(self, what)

    def clamp(self, neurons: Any, value: Any) -> WhatIf:
        """Hold the output of neurons for the time of a ``with`` block.

        y = value at every step, whatever arrives, and δ = 0: no gradient goes through.

        Parameters
        ----------
        neurons : name, Neuron, Selection, or iterable of names and neurons
            Not inputs: what they output is in X.
        value : number, or one for each

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("x", "h"), ("h", "y", {"weight": 2})])
        >>> net.inputs, net.outputs = ["x"], ["y"]
        >>> net.nodes["y"].activation = "identity"
        >>> with net.clamp("h", 0.3):
        ...     net.forward([[5], [-5]]).ravel()
        array([0.6, 0.6])
        """
        return what_if.clamp(self, neurons, value)

    def patch(self, weights: Any, value: Any = None) -> WhatIf:
        """Give synapses other weights for the time of a ``with`` block.

        Parameters
        ----------
        weights : mapping of synapses, or pairs (source, target), to numbers
            Or synapses, if `value` is given. Those that are tied to them share the weight.
        value : number, or one for each

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("x", "y", {"weight": 2})])
        >>> with net.patch({net.edges["x", "y"]: 3}):
        ...     net.weights
        array([3.])
        >>> net.weights
        array([2.])
        """
        return what_if.patch(self, weights, value)
