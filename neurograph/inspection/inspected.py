"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from neurograph.graph import NeuronGraph
from neurograph.inspection import attribution, updates
from neurograph.inspection.lesion_map import lesion_map
from neurograph.inspection.lesions import LesionMap
from neurograph.learning.losses import Loss
from neurograph.viz import html
from neurograph.viz.draw import draw

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

    # ------------------------------------------------------------ pictures

    def draw(
        self,
        kind: str = "auto",
        *,
        ax: Any = None,
        x: str = "level",
        show: str = "weight",
        legend: bool = True,
    ) -> Any:
        """Draw the network; return the axes (extra `matplotlib`).

        As a graph, a neuron is a box and a synapse a line, whose colour and width show the
        weight; a negative one ends in a bar. What acts later is dashed and says how many steps; a
        gate is dotted, from the gater to a ring on the synapse. See docs/pictures.md.

        Parameters
        ----------
        kind : {"auto", "graph", "matrix"}
            A graph, or the weights as a matrix, target by source in plan order; "auto" takes the
            matrix for more than 40 neurons or 150 synapses.
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given, as large as it takes.
        x : {"level", "visit"}
            Columns of the graph: levels of the plan, or neurons in the order of visits.
        show : {"weight", "grad"}
            What colours and widths tell.
        legend : bool
            Whether the graph says what its lines mean.

        Raises
        ------
        ParameterError
            There are no neurons, an option is not valid, or matplotlib is missing.
        CycleError
            Synapses without delay form a cycle, so there is no order of visits.
        GraphError
            It is a read-only view of a network.

        Examples
        --------
        >>> import neurograph as ng
        >>> ax = ng.perceptron(2, 3, 1, seed=0).draw()
        >>> len([line for line in ax.patches if str(line.get_gid()).startswith("synapse:")])
        9
        """
        return draw(self, kind, ax=ax, x=x, show=show, legend=legend)

    def _repr_html_(self) -> str:
        return html.of_network(self)

    def _repr_svg_(self) -> str | None:
        return html.picture(self)
