"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from neurograph.graph import NeuronGraph
from neurograph.inspection import attribution, updates, what_if
from neurograph.inspection.lesion_map import lesion_map
from neurograph.inspection.lesions import LesionMap
from neurograph.inspection.what_if import WhatIf
from neurograph.learning.losses import Loss

__all__ = ["Inspected"]


class Inspected(NeuronGraph):
    """What a network can be asked; it changes nothing that is not put back."""

    def lesion_map(
        self,
        X: Any,
        Y: Any,
        *,
        loss: str | Loss = "squared_error",
        lengths: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        obs: bool | None = None,
        damping: float = 1e-6,
        engine: str | None = None,
    ) -> LesionMap:
        """Return what the mean loss would be without each synapse and each neuron, singly.

        Parameters
        ----------
        X, Y, loss, lengths, sample_weight, class_weight
            As in `fit`; NaN in Y: not asked.
        obs : bool, optional
            Whether to compute Optimal Brain Surgeon as well; unless given, where the network has
            at most 200 weights and biases and is at a minimum.
        damping : float
            Added to the diagonal of the Hessian that Optimal Brain Surgeon inverts.
        engine : str, optional
            Instead of `net.engine`.

        Returns
        -------
        LesionMap
            exact, first_order, obd (and obs) of each synapse, and of each neuron in `.neurons`;
            see docs/lesion.md. The network is as it was.

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError, CycleError
            X or Y do not fit, a number is not finite, the network is not ready; with obs=True also
            where it has more than 2,000 weights and biases, or is not at a minimum.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(1, 1, output_activation="identity", seed=0)
        >>> net.weights = [2]
        >>> net.lesion_map([[1], [3]], [[0], [6]]).exact   # mean of ½ (y - t)²: 1, and 9 without
        array([8.])
        """
        given = {"lengths": lengths, "sample_weight": sample_weight, "class_weight": class_weight}
        options: dict[str, Any] = {"obs": obs, "damping": damping, "engine": engine or self.engine}
        return lesion_map(self, X, Y, loss=loss, **given, **options)

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

    def attribute(self, X: Any, output: Any = None, **options: Any) -> attribution.Attribution:
        """Attribute an output to inputs, neurons, synapses or a path.

        Parameters
        ----------
        X : array
            As in `run`, which starts from rest.
        output : name or Neuron, optional
            Which output, if there are several.
        method : str
            "integrated_gradients", the default: to each input at each step, complete.
            "conductance": to each neuron, "synapse_conductance": to each synapse, and its gate:
            what of it flows through there. "gradient_x_input", "gradient_x_weight": products
            with the gradient at x.
        path : sequence, optional
            Neurons (joined by synapses), or synapses (joined by neurons, or by gates), to the
            output: what flows along all of it.
        baseline : number or array, optional
            x', where the line to x begins; 0 unless given.
        points, quadrature : int, {"gauss_legendre", "trapezoid"}
            Where on the line gradients are taken, 32.
        tolerance : float
            By how much attributions may miss F(x) - F(x'), 1e-4 times max(1, its size); a
            warning says if they do.
        step : int
            At which step the output is asked, the last.
        quantity : {"output", "state"}
            F is the output y, or the state s before its activation.
        engine : str, optional
            Instead of `net.engine`.

        Returns
        -------
        Attribution
            `.values`, `.residual`, `.complete`, `.to_pandas()`.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> found = net.attribute([1, 1], method="conductance")
        >>> layer = sum(found[neuron] for neuron in net.layers["hidden"])
        >>> bool(abs(layer - found.change[0]) < 1e-9)                  # a cut carries all
        True
        """
        return attribution.attribute(self, X, output, **options)

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
