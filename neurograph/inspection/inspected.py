"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from neurograph.elements import Synapse
from neurograph.graph import NeuronGraph
from neurograph.inspection import attribution, what_if
from neurograph.inspection.lesion_map import lesion_map
from neurograph.inspection.lesions import LesionMap
from neurograph.inspection.temporary import WhatIf
from neurograph.learning.losses import Loss
from neurograph.viz import html
from neurograph.viz.draw import draw

__all__ = ["Inspected"]

if TYPE_CHECKING:
    from neurograph.engines.base import State
    from neurograph.inspection.certificates import EngineCertificate, GradientCertificate
    from neurograph.inspection.debugger import Event
    from neurograph.inspection.probes import Probe
    from neurograph.learning.losses import Loss
    from neurograph.learning.rules import Rule


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
            exact, first_order, obd (and obs) of each synapse, and of each neuron in `.neurons`:
            the loss that `lesion` of it gives; see docs/lesion.md. The network is as it was.

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

    def attribute(
        self,
        X: Any,
        output: Any = None,
        *,
        method: str = "integrated_gradients",
        path: Sequence | None = None,
        baseline: Any = None,
        lengths: Any = None,
        points: int = 32,
        quadrature: str = "gauss_legendre",
        tolerance: float = 1e-4,
        step: int = -1,
        quantity: str = "output",
        engine: str | None = None,
    ) -> attribution.Attribution:
        """Attribute an output to inputs, neurons, synapses or a path.

        Parameters
        ----------
        X : array
            As in `run`, which starts from rest; or sequences of different lengths, as in `fit`.
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
        lengths : (B,) array, optional
            As in `fit`: what is beyond the end of a sequence is not asked, and attributed 0.
        points, quadrature : int, {"gauss_legendre", "trapezoid"}
            Where on the line gradients are taken, 32.
        tolerance : float
            By how much attributions may miss F(x) - F(x'), 1e-4 times max(1, its size); a
            warning says if they do.
        step : int
            At which step the output is asked, the last of each sequence.
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
        return attribution.attribute(
            self, X, output, method=method, path=path, baseline=baseline, lengths=lengths,
            points=points, quadrature=quadrature, tolerance=tolerance, step=step,
            quantity=quantity, engine=engine,
        )  # fmt: skip

    # ------------------------------------------------------------ what if

    def lesion(self, *what: Any) -> WhatIf:
        """Run without some neurons and synapses for the time of a ``with`` block.

        A synapse passes nothing on. A neuron outputs 0 at every step, so it sends nothing and
        gates with 0, as in its row of `lesion_map`; what it gates with delay 1 has gain 1 in the
        first step, equation (1) of docs/model.md, and 0 from then on. What is gone does not learn;
        the rest does. Nothing is copied, and at the end of the block everything that was taken
        away is there again, bit for bit.

        Parameters
        ----------
        *what : Synapse, (source, target), Neuron, name, Selection, or iterable of these
            A tuple that is the name of a neuron is that neuron.

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

    def clamp(self, neurons: Any, value: Any = None) -> WhatIf:
        """Hold the output of neurons for the time of a ``with`` block.

        y = value at every step, whatever arrives, and δ = 0: no gradient goes through.

        Parameters
        ----------
        neurons : name, Neuron, Selection, or iterable of names and neurons
            Or a mapping of names to numbers, without `value`. Not inputs: what they
            output is in X.
        value : number, (n,), (B, T) or (B, T, n) array
            One number, or one for each of n neurons; for each sample and step, as `rec["h"].output`
            is, where B and T may be 1. Who is held at the latter is an input as long as the
            block lasts, and cannot be an output; X stays as wide as it was.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("x", "h"), ("h", "y", {"weight": 2})])
        >>> net.inputs, net.outputs = ["x"], ["y"]
        >>> net.nodes["y"].activation = "identity"
        >>> with net.clamp("h", 0.3):
        ...     net.forward([[5], [-5]]).ravel()
        array([0.6, 0.6])
        >>> with net.clamp("h", [[0.3, 0.5]]):           # of every sample, two steps
        ...     net.forward([[[5], [-5]]]).ravel()
        array([0.6, 1. ])
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

    def verify_gradients(
        self,
        X: Any,
        Y: Any,
        *,
        synapses: Iterable[Synapse | tuple] | Synapse | tuple | None = None,
        neurons: Iterable | None = None,
        loss: str | Loss | None = None,
        reduction: str = "mean",
        lengths: Any = None,
        rule: str | Rule | None = None,
        sample: int | None = None,
        seed: int = 0,
        engine: str | None = None,
    ) -> GradientCertificate:
        """Compare the gradient of every weight and bias with the slope of the loss.

        Slopes are central differences, extrapolated with an estimate of their error (Ridders
        1982), of the loss in float64. The network is not touched.

        Parameters
        ----------
        X, Y : arrays
            As for `forward` and `backward`, or sequences of different lengths, as in `fit`; NaN in
            Y: not asked.
        synapses : Synapse, (source, target), or iterable of these, optional
            Whose weights to check.
        neurons : Neuron, name, or iterable of these, optional
            Whose biases to check. Everything is checked if neither is given. Tied synapses move
            together; frozen parameters have a gradient too.
        loss : str
            See `neurograph.LOSSES`; "squared_error" unless given, with a rule "matching".
        reduction : {"mean", "sum"}
            Over samples and steps that are asked anything.
        lengths : (B,) array, optional
            As in `fit`.
        rule : str or Rule, optional
            Check what `propagate` finds with this rule, each sample a sequence from rest, its
            gradients added up over all steps; what `backward` finds unless given.
        sample : int, optional
            Draw so many of the parameters.
        seed : int
            Of that draw.
        engine : str, optional
            Instead of `net.engine`; "auto" goes by the work of all differences.

        Returns
        -------
        GradientCertificate
            `holds`, `verdicts`, `worst()`, `to_dict()`, `to_pandas()`; print it. Verdicts:
            "exact" (the difference is within the estimated error plus rounding), "truncated"
            (by the rule, or a surrogate derivative), "kink" (an activation or the hinge is at
            one), "unresolved" (differences are not precise enough), "wrong".

        Raises
        ------
        ParameterError, ShapeError, NonFiniteError
            Something that does not fit.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> certificate = net.verify_gradients([[0, 1], [1, 1]], [[1], [0]])
        >>> certificate.holds, certificate.verdicts
        (True, {'exact': 13})
        """
        from neurograph.inspection.verifying import verify_gradients

        return verify_gradients(
            self, X, Y, synapses=synapses, neurons=neurons, loss=loss, reduction=reduction,
            lengths=lengths, rule=rule, sample=sample, seed=seed, engine=engine,
        )  # fmt: skip

    def verify_engines(
        self,
        X: Any,
        Y: Any = None,
        *,
        loss: str | Loss = "squared_error",
        reduction: str = "mean",
        lengths: Any = None,
        engines: tuple[str, str] = ("walker", "compiled"),
    ) -> EngineCertificate:
        """Compare what two engines find, in units of the last place.

        Parameters
        ----------
        X, Y : arrays
            As for `forward` and `backward`, or sequences of different lengths, as in `fit`.
            Without Y the gradient is that of the sum of all outputs.
        loss, reduction : str
            As for `backward`.
        lengths : (B,) array, optional
            As in `fit`.
        engines : two of {"walker", "compiled"}

        Returns
        -------
        EngineCertificate
            Of states, outputs, deltas and all gradients; print it.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> net.verify_engines([[0, 1], [1, 1]]).holds
        True
        """
        from neurograph.inspection.verifying import verify_engines

        return verify_engines(
            self, X, Y, loss=loss, reduction=reduction, lengths=lengths, engines=engines
        )

    def walk(
        self,
        x: Any,
        target: Any = None,
        *,
        loss: str | Loss = "squared_error",
        reduction: str = "mean",
        state: State | None = None,
        breaks: Any = None,
        until: Any = None,
    ) -> Iterator[Event]:
        """Step through a run and its gradient, term by term.

        Forwards neuron by neuron and synapse by synapse, then the loss, then backwards, then the
        gradients. The numbers are those of `engine="walker"`, bit for bit. The network is not
        touched, wherever the loop is left.

        Parameters
        ----------
        x : (n_in,), (1, n_in) or (1, T, n_in) array
            One sample, or one sequence.
        target : array, optional
            As for `backward`; only forwards unless given.
        loss, reduction : str
            As for `backward`.
        state : State, optional
            As for `run`.
        breaks : optional
            Stop there only: neurons, synapses, (source, target), kinds of event ("delta"),
            functions of an event, or a list of them, of which one has to be met.
        until : optional
            Go on without stopping until one of these is met, likewise.

        Returns
        -------
        iterator of Event

        Raises
        ------
        ParameterError, ShapeError
            Something that does not fit, before the first event.
        NonFiniteError
            When the walk has come to a loss that is not finite.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("a", "y", {"weight": 0.5})])
        >>> net.inputs, net.outputs = ["a"], ["y"]
        >>> for event in net.walk([1], [1], breaks="y"):
        ...     print(event)
        <forward t=0 'y' bias: 0, s = 0 (2)>
        <forward t=0 'y' synapse by 'a' -> 'y': gain 1 · weight 0.5 · output of source 1 = 0.5,
         s = 0.5 (2)>
        <forward t=0 'y' state: s = 0.5 (2)>
        <forward t=0 'y' output: y = 0.622459 (3)>
        <backward t=0 'y' loss: -0.377541, ε = -0.377541 (5)>
        <backward t=0 'y' epsilon: ε = -0.377541 (5)>
        <backward t=0 'y' slope: slope 0.235004 · epsilon -0.377541 = -0.0887235,
         δ = -0.0887235 (6)>
        <backward t=0 'y' loss state: 0, δ = -0.0887235 (6)>
        <backward t=0 'y' delta: δ = -0.0887235 (6)>
        <gradient t=0 'y' moved by 'a' -> 'y': delta -0.0887235 · gain 1 · passed on 1 = -0.0887235,
         ∂L/∂w = -0.0887235 (7)>
        <gradient 'y' weight gradient by 'a' -> 'y': ∂L/∂w = -0.0887235 (7)>
        <gradient 'y' bias gradient: ∂L/∂b = -0.0887235 (7)>
        """
        from neurograph.inspection.debugger import walk

        return walk(
            self, x, target, loss=loss, reduction=reduction, state=state, breaks=breaks,
            until=until,
        )  # fmt: skip

    def probe(
        self,
        synapses: Iterable[Synapse | tuple] | Synapse | tuple | None = None,
        neurons: Iterable | None = None,
        what: str | Iterable[str] | None = None,
        *,
        every: int = 1,
        capacity: int | None = None,
        keep: str = "spread",
        when: Any = (),
        then: str | Callable = "stop",
    ) -> Probe:
        """Write down what some synapses and neurons do, over runs and training.

        Moments are: each update of `fit`; each step of each sample of a `run` or `forward`; each
        `backward`; each `activate`, and each `propagate`; each step of `stepper`, `learn` and
        online training, after its update. `predict` and validation are none.

        Parameters
        ----------
        synapses : Synapse, (source, target), or iterable of these, optional
        neurons : Neuron, name, or iterable of these, optional
        what : str or iterable of str, optional
            "weight", "grad" of synapses; "output", "state", "delta", "bias", "grad" of neurons;
            ("weight", "grad", "output") unless given. Of a batch, output, state and delta are those
            of the last step of the last sample. What is not known at a moment is NaN.
        every : int
            Write down every so many moments.
        capacity : int, optional
            Records to keep at most; 10,000 unless given, or as many as are 8 million numbers.
        keep : {"spread", "last"}
            When it is full: keep every second record, and write down half as often from then on;
            or forget the oldest.
        when : optional
            A watchpoint: `neurograph.watch.crosses`, `.explodes` or `.dies`, a function of one
            `Moment`, or a list of them. It sees every moment that `every` says.
        then : "stop" or callable
            What a watchpoint does: end the training after the update at which it was met (`fit`
            returns the history so far), or call a function with a `Hit`, which ends it by
            returning True. The network is as this update left it.

        Returns
        -------
        Probe
            `probe["weight"]`, `probe[synapse]`, `probe.moments`, `probe.events`, `probe.hits`,
            `probe.to_pandas()`; `probe.remove()`, or use it in a `with`.

        Raises
        ------
        ParameterError, DetachedError
            Elements of another network or removed ones, or what does not fit.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> s = net.edges["hidden.0", "output.0"]
        >>> with net.probe(s, when=ng.watch.crosses(-0.8)) as probe:
        ...     history = net.fit([[0, 1], [1, 1]], [[1], [0]], epochs=100)
        >>> len(probe) < 100, probe.hits[0].element is s
        (True, True)
        >>> bool(probe["weight"][-1, 0] == s.weight)
        True
        """
        from neurograph.inspection.probes import probe

        return probe(
            self, synapses, neurons, what, every=every, capacity=capacity, keep=keep, when=when,
            then=then,
        )  # fmt: skip

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
