"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from contextlib import AbstractContextManager

from neurograph.graph import NeuronGraph
from neurograph.inspection import updates

__all__ = ["Inspected"]


class Inspected(NeuronGraph):
    """What a network can be asked; it changes nothing that is not put back."""

    # ------------------------------------------------------------ explanations

    def keep_updates(self) -> AbstractContextManager[None]:
        """Keep what the last update was made of, for `synapse.explain_update()`.

        For `fit`, `propagate`, `learn`, steppers and trainers. Inside, updates are made one by
        one, not inside a kernel; they give the same weights to rounding. Outside, updates cost
        what they always do.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> with net.keep_updates():
        ...     history = net.fit([[0, 1]], [[1]], optimizer=ng.Adam(0.01))
        >>> e = net.edges["input.1", "hidden.0"].explain_update()
        >>> bool(abs(sum(p.value for p in e.parts) - e.change) < 1e-15)
        True
        """
        return updates.keep_updates(self)
