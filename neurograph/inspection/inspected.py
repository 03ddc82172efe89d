"""`Inspected`: the methods of a network that ask, each of one line that delegates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from neurograph.elements import Synapse
from neurograph.graph import NeuronGraph

if TYPE_CHECKING:
    from neurograph.engines.base import State
    from neurograph.inspection.certificates import EngineCertificate, GradientCertificate
    from neurograph.inspection.debugger import Event
    from neurograph.inspection.probes import Probe
    from neurograph.learning.losses import Loss
    from neurograph.learning.rules import Rule

__all__ = ["Inspected"]


class Inspected(NeuronGraph):
    """What a network can be asked; it changes nothing that is not put back."""

    def verify_gradients(
        self,
        X: Any,
        Y: Any,
        *,
        synapses: Iterable[Synapse | tuple] | Synapse | None = None,
        neurons: Iterable | None = None,
        loss: str | Loss | None = None,
        reduction: str = "mean",
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
            As for `forward` and `backward`; NaN in Y: not asked.
        synapses : Synapse, or iterable of Synapse or (source, target), optional
            Whose weights to check.
        neurons : iterable of Neuron or name, optional
            Whose biases to check. Everything is checked if neither is given. Tied synapses move
            together; frozen parameters have a gradient too.
        loss : str
            See `neurograph.LOSSES`; "squared_error" unless given, with a rule "matching".
        reduction : {"mean", "sum"}
            Over samples and steps that are asked anything.
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
            rule=rule, sample=sample, seed=seed, engine=engine,
        )  # fmt: skip

    def verify_engines(
        self,
        X: Any,
        Y: Any = None,
        *,
        loss: str | Loss = "squared_error",
        reduction: str = "mean",
        engines: tuple[str, str] = ("walker", "compiled"),
    ) -> EngineCertificate:
        """Compare what two engines find, in units of the last place.

        Parameters
        ----------
        X, Y : arrays
            As for `forward` and `backward`. Without Y the gradient is that of the sum of all
            outputs.
        loss, reduction : str
            As for `backward`.
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

        return verify_engines(self, X, Y, loss=loss, reduction=reduction, engines=engines)

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
        synapses: Iterable[Synapse | tuple] | Synapse | None = None,
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
        synapses : Synapse, or iterable of Synapse or (source, target), optional
        neurons : iterable of Neuron or name, optional
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
