"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from typing import Any

from neurograph.graph import NeuronGraph
from neurograph.inspection.lesion_map import lesion_map
from neurograph.inspection.lesions import LesionMap
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
