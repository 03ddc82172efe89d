"""`Network`: the graph, and everything one does with it. Each method delegates downwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from neurograph import conversion, graph_conversion, learner, merging, training
from neurograph.conversion import read_column, write_column
from neurograph.elements import Neuron, Synapse
from neurograph.engines import get_engine
from neurograph.engines.base import Batch, Recording, State, real_array, record, show, show_delta
from neurograph.errors import (
    NeurographError,
    NeurographWarning,
    ParameterError,
    ShapeError,
    counted,
)
from neurograph.guard import exclusive, shared
from neurograph.history import History
from neurograph.initializers import initialize
from neurograph.inspection import probes, telling
from neurograph.inspection.inspected import Inspected
from neurograph.inspection.selections import Selection
from neurograph.layers import Layer
from neurograph.learning import lately
from neurograph.learning.gradients import backpropagate
from neurograph.learning.losses import Loss, get_loss, softmax
from neurograph.learning.online import Online
from neurograph.learning.optimizers import LBFGS, Optimizer
from neurograph.learning.rules import Rule
from neurograph.lessons import require_outputs
from neurograph.online_learner import OnlineLearner
from neurograph.schedule import Plan, break_cycles, plan
from neurograph.values import natural, number

__all__ = ["Network"]


class Network(Inspected, OnlineLearner):
    """A network of neurons: a `networkx.DiGraph` that runs and learns.

    Parameters
    ----------
    incoming_graph_data : graph, optional
        Anything from which networkx makes a graph; attributes are taken over.
    seed : int or numpy.random.Generator, optional
        Of the random numbers of this network; one is drawn unless given.
    dtype : {"float64", "float32"}
        Of weights, biases, states and gradients.
    **attr
        Attributes of the graph, as in networkx.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network(seed=0)
    >>> a = net.add_neuron("a", role="input")
    >>> y = net.add_neuron("y", role="output", bias=-2)
    >>> s = net.add_synapse("a", "y", weight=7)
    >>> net.forward([1]).round(4), net.nodes["y"].state
    (array([0.9933]), 5.0)
    >>> net.backward([1], loss="squared_error") > 0, s.grad < 0
    (True, True)
    """

    _probes: Sequence[probes.Probe] = ()  # each network has its own, see `neurograph.inspection`

    def __init__(
        self,
        incoming_graph_data: Any = None,
        *,
        seed: int | np.random.Generator | None = None,
        dtype: Any = "float64",
        **attr: Any,
    ):
        self._engine = "auto"
        self._online = Online()
        self.layers: dict[str, Layer] = {}
        super().__init__(incoming_graph_data, seed=seed, dtype=dtype, **attr)

    # ------------------------------------------------------------ building

    @exclusive
    def add_neuron(
        self,
        name: Hashable,
        *,
        role: str | None = None,
        activation: str | None = None,
        bias: float | None = None,
        trainable: bool | None = None,
        **attr: Any,
    ) -> Neuron:
        """Add a neuron, or change the given attributes of an existing one; return it.

        Parameters
        ----------
        name : hashable
        role : {"hidden", "input", "output"}, optional
        activation : str, optional
            Name of a function, see `neurograph.ACTIVATIONS`; "logistic" unless given.
        bias : float, optional
            0 unless given.
        trainable : bool, optional
            Whether learning changes the bias.
        **attr
            The user's own attributes.

        Raises
        ------
        ParameterError
            A value that a neuron cannot have; nothing was added.
        """
        given = {"role": role, "activation": activation, "bias": bias, "trainable": trainable}
        self.add_node(name, **_present(given), **attr)
        return self.neuron(name)

    @exclusive
    def add_synapse(
        self,
        source: Hashable,
        target: Hashable,
        *,
        weight: float | None = None,
        delay: int | None = None,
        reads: str | None = None,
        gater: Hashable | None = None,
        gate_delay: int | None = None,
        trainable: bool | None = None,
        **attr: Any,
    ) -> Synapse:
        """Add a synapse, or change the given attributes of an existing one; return it.

        Parameters
        ----------
        source, target : name or Neuron
            Must be in the network (networkx's `add_edge` adds them).
        weight : float, optional
            Drawn from uniform(-0.1, 0.1) unless given.
        delay : int, optional
            Steps; 0 unless given, 1 for a self-synapse.
        reads : {"state", "output"}, optional
            For a self-synapse: "state" unless given, "output" for an autapse.
        gater : name or Neuron, optional
            Whose output multiplies it, see `gate`.
        gate_delay : {0, 1}, optional
        trainable : bool, optional
        **attr
            The user's own attributes.

        Raises
        ------
        ParameterError
            A neuron that does not exist, or a value that a synapse cannot have.
        """
        u, v = self.neuron(source).name, self.neuron(target).name
        given = {"weight": weight, "delay": delay, "reads": reads, "trainable": trainable}
        gate: dict[str, Any] = {"gate_delay": gate_delay}
        if gater is not None:
            gate["gater"] = self.neuron(gater).name
        self.add_edge(u, v, **_present({**given, **gate}), **attr)
        return self.between(u, v)

    @exclusive
    def add_layer(self, name: str, size: int, *, role: str | None = None, **options: Any) -> Layer:
        """Add neurons "name.0", "name.1", … as an ordered group.

        Parameters
        ----------
        name : str
        size : int
            1 or more.
        role, **options
            As in `add_neuron`, for each of them.
        """
        size = natural("size", size)
        names = [f"{name}.{i}" for i in range(size)]
        there = name in self.layers and not all(n.detached for n in self.layers[name])
        if not size or there or any(n in self for n in names):
            problem = "needs a neuron at least" if not size else "is there already"
            raise ParameterError(f"layer {name!r} {problem}")
        self.add_nodes_from(names, **_present({"role": role}), **options)
        self.layers[name] = Layer(self, name, [self.nodes[n] for n in names])
        return self.layers[name]

    # Documented where they are written; mypy cannot bind a generic function as a method.
    from_graph = classmethod(graph_conversion.from_graph)  # type: ignore[var-annotated]
    from_arrays = classmethod(conversion.from_arrays)  # type: ignore[var-annotated]

    @exclusive
    def merge(
        self,
        other: Network,
        ports: Mapping[Hashable, Hashable] | None = None,
        *,
        prefix: str | None = None,
    ) -> dict[Hashable, Hashable]:
        """Add a copy of another network, driven by neurons of this one.

        Everything of `other` comes along: neurons, synapses with weights, delays, gates and
        ties, what is frozen, the user's attributes, layers, and the order of all; states do
        not. `other` stays as it is.

        A neuron of this network takes the place of each input that `ports` names: the
        synapses and gates of that input are copied to start there. If it was an output of
        this network it becomes hidden (`net.outputs = [...]` makes it one again). The other
        inputs follow ours, and so do the outputs.

        Parameters
        ----------
        other : Network
        ports : mapping, optional
            From names of neurons of this network to names of inputs of `other`.
        prefix : str, optional
            Put before the names of what comes in, of layers too, as `networkx.union` does.

        Returns
        -------
        dict
            The name here of each neuron of `other`.

        Raises
        ------
        ParameterError
            A name that does not exist or is there twice, or ports that are no inputs;
            nothing was added.

        Examples
        --------
        >>> import neurograph as ng
        >>> first, second = ng.perceptron(2, 3, 1, seed=0), ng.lstm(1, 2, 1, seed=1)
        >>> net = first.copy()
        >>> names = net.merge(second, ports={"output.0": "input.0"}, prefix="second.")
        >>> net
        <Network: 15 neurons (2 inputs, 1 output), 34 synapses; ready>
        >>> X = [[[0, 1], [1, 1], [1, 0]]]
        >>> bool(net.forward(X).sum() == second.forward(first.forward(X)).sum())
        True
        """
        return merging.merge(self, other, ports, prefix)

    @exclusive
    def make_leaky(self, neuron: Hashable, tau: float) -> Synapse:
        """Make a neuron leaky: s(t) = (1 - 1/τ) s(t - 1) + (1/τ) (b + Σ w y).

        The self-synapse gets the weight 1 - 1/τ, and the weights of what comes in and the
        bias are multiplied by 1/τ.

        Parameters
        ----------
        neuron : name or Neuron
        tau : float
            Time constant in steps, 1 or more.

        Returns
        -------
        Synapse
            The self-synapse.
        """
        self.require_own()
        name = self.neuron(neuron).name
        if number("tau", tau) < 1:
            raise ParameterError(f"tau must be 1 step or more, got {tau!r}")
        if self.has_edge(name, name):
            raise ParameterError(f"neuron {name!r} has a self-synapse already; remove it first")
        incoming = self.incoming(name)
        for synapse in incoming:
            if synapse.tie is not None and len(self._store.synapses.ties.members(synapse._id)) > 1:
                raise ParameterError(f"{synapse} is tied, so it cannot be scaled; untie it first")
        leak = self.add_synapse(name, name, weight=1 - 1 / tau)
        for synapse in incoming:
            synapse.weight /= tau
        self.nodes[name].bias /= tau
        return leak

    @exclusive
    def initialize(self, scheme: str = "glorot_uniform", *, scale: float | None = None) -> None:
        """Draw the weights anew from the network's generator.

        Every neuron counts its real fan-in and fan-out, for nothing here is layered. What is
        frozen stays, and so do self-synapses that read the state: they say how a neuron
        remembers. Tied synapses get one weight. Biases are not touched.

        Parameters
        ----------
        scheme : str
            "uniform" in (-scale, scale) or "normal" with deviation `scale`, 0.1 unless given;
            "glorot_uniform", "glorot_normal": variance 2 / (fan-in + fan-out) (Glorot &
            Bengio 2010); "he_uniform", "he_normal": 2 / fan-in (He et al. 2015);
            "lecun_uniform", "lecun_normal": 1 / fan-in (LeCun et al. 1998).
        scale : float, optional
            Multiplies the deviation of the latter six.

        Examples
        --------
        >>> net = Network([(i, "y") for i in range(100)], seed=0)
        >>> net.initialize("lecun_normal")
        >>> bool(0.08 < net.weights.std() < 0.12)
        True
        """
        if scale is not None:
            scale = number("scale", scale)
        initialize(self, scheme, scale)
        self.reset_optimizer()

    @exclusive
    def break_cycles(self) -> list[Synapse]:
        """Give delay 1 to a few synapses, so that no cycle is without delay; return them.

        Examples
        --------
        >>> net = Network([("a", "b"), ("b", "a")])
        >>> [(s.source, s.target, s.delay) for s in net.break_cycles()]
        [('b', 'a', 1)]
        """
        return break_cycles(self)

    @exclusive
    def copy(self, as_view: bool = False) -> Network:
        """Return an independent network with the same numbers, ties, gates and generator."""
        twin = super().copy(as_view=as_view)
        return twin if as_view else self._dress(twin)

    @exclusive
    def __deepcopy__(self, memo: dict) -> Network:
        return self._dress(super().__deepcopy__(memo))

    def _dress(self, twin: Any) -> Network:
        twin.engine, twin._online = self.engine, self._online.copy()
        for name, layer in self.layers.items():
            kept = [twin.nodes[n.name] for n in layer if not n.detached and n.name in twin]
            if kept:
                twin.layers[name] = Layer(twin, name, kept)
        return twin

    @exclusive
    def save(self, path: str | os.PathLike) -> None:
        """Write everything that this network is into a file; `neurograph.load` reads it.

        Neurons and synapses with their order, names, parameters and your own attributes; layers,
        ties, gates; weights, states, traces, gains, gradients; what the optimizer keeps; rule,
        engine and random generator. What is not part of it: the recording of the last run, so
        `backward` needs a `forward` after loading, and the class, for which `load` has
        `create_using`. The layout is that of safetensors, see docs/files.md.

        Parameters
        ----------
        path : path
            The file is written whole or not at all: whatever happens, the old one is there, or
            the new one.

        Raises
        ------
        ParameterError
            An attribute or a name that a file cannot hold; nothing was written.
        OSError
            The disk is full, say; the file that was there is as it was.
        """
        from neurograph.io.native import save

        save(self, path)

    @exclusive
    def clear(self) -> None:
        """Remove everything (`reset_state` is another thing)."""
        super().clear()
        self.layers.clear()

    @property
    def engine(self) -> str:
        """Name of the engine that runs this network: "auto", "walker" or "compiled"; settable."""
        return self._engine

    @engine.setter
    @exclusive
    def engine(self, name: str) -> None:
        get_engine(name)
        self._engine = name
        self._online.edits = -1

    # ------------------------------------------------------------ looking

    @property
    def neurons(self) -> Selection:
        """All neurons, in the order of `net.nodes`."""
        return Selection(self, self.node_attr_dict_factory)

    @property
    def synapses(self) -> Selection:
        """All synapses, in the order of `net.edges`."""
        return Selection(self, self.edge_attr_dict_factory)

    @property
    def weights(self) -> np.ndarray:
        """Weights in the order of `net.synapses`: a snapshot; assign an array to write."""
        return read_column(self, Synapse, "weight")

    @weights.setter
    @exclusive
    def weights(self, values: Any) -> None:
        write_column(self, Synapse, "weight", values)

    @property
    def biases(self) -> np.ndarray:
        """Biases in the order of `net.neurons`: a snapshot; assign an array to write."""
        return read_column(self, Neuron, "bias")

    @biases.setter
    @exclusive
    def biases(self, values: Any) -> None:
        write_column(self, Neuron, "bias", values)

    @property
    def gradients(self) -> np.ndarray:
        """∂L/∂w in the order of `net.synapses`, a snapshot."""
        return read_column(self, Synapse, "grad")

    @property
    def bias_gradients(self) -> np.ndarray:
        """∂L/∂b in the order of `net.neurons`, a snapshot."""
        return read_column(self, Neuron, "grad")

    def to_scipy(self) -> Any:
        """Return the weights as a scipy.sparse CSR array; row: source, column: target.

        Both in the order of `net.neurons`. Every synapse is an entry, one of weight 0 too.
        """
        self.require_own()
        return conversion.to_scipy(self)

    @exclusive
    def set_weights(self, matrix: Any) -> None:
        """Assign weights from a matrix, as `to_scipy` returns it; dense arrays work too.

        A synapse without entry gets weight 0; an entry other than 0 without a synapse is an
        error.
        """
        conversion.set_weights(self, matrix)

    def plan(self) -> Plan:
        """Return the schedule; `print` it to see what reads what, and when.

        Raises
        ------
        CycleError
            Synapses without delay form a cycle.
        """
        return plan(self)

    def __repr__(self) -> str:
        n_in, n_out = len(self.inputs), len(self.outputs)
        size = (
            f"{counted(len(self), 'neuron')} ({counted(n_in, 'input')},"
            f" {counted(n_out, 'output')}), {counted(self.number_of_edges(), 'synapse')}"
        )
        return f"<{type(self).__name__}: {size}; {self._readiness(n_in)}>"

    def _readiness(self, n_in: int) -> str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NeurographWarning)
                plan(self)
        except NeurographError as error:
            return f"not ready: {str(error).splitlines()[0]}"
        return "ready" if n_in else "not ready: no inputs"

    # ------------------------------------------------------------ running

    @exclusive
    def run(self, X: Any, *, state: State | None = None, engine: str | None = None) -> Recording:
        """Run the network on X and keep everything that happened.

        Parameters
        ----------
        X : (n_in,), (B, n_in) or (B, T, n_in) array
            One sample; B samples; B sequences of T steps. Columns as in `net.inputs`.
        state : State, optional
            From which to go on, `rec.final_state` of a run of as many samples; from rest
            unless given.
        engine : str, optional
            Instead of `net.engine`.

        Returns
        -------
        Recording

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError, CycleError
            X does not fit, a number is not finite, or the network is not ready.
        """
        made = self.plan()
        batch = Batch.of(X, made, self.dtype)
        executor = get_engine(engine or self.engine, learner.work(made, batch))
        recording = record(executor, self, made, batch, state)
        show(self, recording)
        self._tape = (recording, executor, self._store.version, self._store.edits)
        if self._probes:
            telling.ran(self, recording)
        return recording

    @exclusive
    def forward(self, X: Any, *, state: State | None = None, engine: str | None = None):
        """Return the outputs for X, of shape (n_out,), (B, n_out) or (B, T, n_out).

        Parameters are those of `run`; `backward` may follow.

        Examples
        --------
        >>> import neurograph as ng
        >>> ng.perceptron(2, 3, 1, seed=0).forward([[0, 1], [1, 1], [0, 0]]).shape
        (3, 1)
        """
        made = self.plan()
        require_outputs(made)
        return self.run(X, state=state, engine=engine).outputs

    def predict(self, X: Any) -> np.ndarray:
        """Return the outputs for X, and leave no trace: a `backward` that waits still can.

        Any number of threads may ask one network for predictions at once.
        """
        self.plan()
        with shared(self._store.guard, "predict"):
            made = self.plan()
            require_outputs(made)
            batch = Batch.of(X, made, self.dtype)
            executor = get_engine(self.engine, learner.work(made, batch))
            return record(executor, self, made, batch, None).outputs

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the softmax of the outputs, for a network trained with categorical loss."""
        return softmax(self.predict(X))

    @exclusive
    def backward(
        self,
        target: Any = None,
        *,
        loss: str | Loss = "squared_error",
        reduction: str = "mean",
        gradient: Any = None,
        accumulate: bool = False,
    ) -> float | None:
        """Write the exact gradient of the last `forward` or `run` into every `.grad`.

        Parameters
        ----------
        target : array
            As the outputs; class indices for categorical cross-entropy. NaN: that output is
            not asked at that step.
        loss : str
            See `neurograph.LOSSES`.
        reduction : {"mean", "sum"}
            Over samples and steps; the mean is over those that are asked anything.
        gradient : array
            ∂L/∂Y in the shape of the outputs, instead of a target: for a loss of one's own.
        accumulate : bool
            Add to the gradients that are there instead of replacing them.

        Returns
        -------
        float or None
            The loss; None with `gradient`.

        Raises
        ------
        ParameterError
            No run to go back through, or the network was edited since.
        ShapeError
            target or gradient does not have the shape of the outputs.

        Notes
        -----
        After a run with `state=`, the gradient goes back to that state and not beyond it.
        """
        recording, executor = self._last_run()
        shape, n_out = recording._shape, len(recording.plan.outputs)
        require_outputs(recording.plan)
        lately.settle(self)
        if (target is None) == (gradient is None):
            raise ParameterError("backward takes either a target or gradient=, one of the two")
        if gradient is None:
            t = get_loss(loss).prepare(target, shape, n_out)
            found, d_input = learner.backward(
                self, executor, recording, t, loss, reduction, accumulate
            )
            value = found.value
        else:
            value = None
            given = real_array("gradient", gradient, self.dtype)
            if given.shape != (*shape, n_out):
                raise ShapeError(
                    f"gradient must have shape {(*shape, n_out)}, as the outputs; got {given.shape}"
                )
            full = given.reshape((*shape, *(1,) * (2 - len(shape)), n_out))
            if not np.isfinite(given).all():
                raise learner.gradient_given(recording.plan, full)
            full = full.transpose(1, 2, 0).copy()  # it is kept for explanations; theirs may change
            zero = np.zeros_like(full)
            d_input = backpropagate(self, executor, recording, full, zero, accumulate)
        self._input_gradient = d_input.transpose(2, 0, 1).reshape(*shape, -1)
        show_delta(self, recording)
        self._online.fresh = False
        if self._probes:
            telling.observe(self, "backward")
        return value

    @property
    def input_gradient(self) -> np.ndarray:
        """∂L/∂X of the last `backward`, in the shape of X."""
        found = self.__dict__.get("_input_gradient")
        if found is None:
            raise ParameterError("no input_gradient yet: net.forward(X), then net.backward(target)")
        return found

    def _last_run(self) -> tuple[Recording, Any]:
        self.require_own()
        if self.__dict__.get("_tape") is None:
            raise ParameterError("backward needs a run to go back through: net.forward(X) first")
        recording, executor, version, edits = self._tape
        if (version, edits) != (self._store.version, self._store.edits):
            raise ParameterError(
                "the network was edited since the last run, so its gradient no longer fits:"
                " net.forward(X) again, then net.backward(...)"
            )
        return recording, executor

    # ------------------------------------------------------------ learning

    @exclusive
    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        shuffle: bool = True,
        optimizer: Optimizer | LBFGS | None = None,
        loss: str | Loss | None = None,
        rule: str | Rule | None = None,
        lengths: Any = None,
        validation: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        callbacks: Any = (),
        progress: bool | None = None,
        engine: str | None = None,
        checkpoint: str | os.PathLike | None = None,
        every: int | str | None = None,
    ) -> History:
        """Train on samples, batch by batch; or online, step by step, by a rule.

        Parameters
        ----------
        X, Y : arrays
            (B, n_in) and (B, n_out), or (B, T, n_in) and (B, T, n_out); NaN in Y: not asked.
            X may be a list of (T_b, n_in) arrays of different lengths.
        epochs : int
            Passes over the samples.
        batch_size : int
            Samples for each update, 32 unless given; a batch's gradient is the mean over its
            samples (and steps). 1 learns one by one.
        shuffle : bool
            Draw a new order for each epoch from the network's generator, or keep theirs.
        optimizer : Optimizer
            `neurograph.SGD(0.1)` unless given. What it keeps of each parameter stays with the
            network: the next `fit` with one of the same class goes on with it, also after an
            edit of the topology; `net.reset_optimizer()` forgets it.
        loss : str
            See `neurograph.LOSSES`; "squared_error" unless given, with a rule "matching".
        rule : str or Rule, optional
            Learn online: every sample is a sequence from rest, and every step that is asked
            anything is followed by an update, as `propagate` does it. By SGD alone.
        lengths : (B,) ints, optional
            Steps of each sequence; what is beyond is not asked. Y may have one row for each
            sequence then, which is asked at its last step.
        validation : float, (X, Y) or (X, Y, lengths), optional
            A fraction of the samples that is held out (drawn, or the last ones if `shuffle` is
            False), or other data; their loss is measured after each epoch.
        sample_weight : (B,) array, optional
            Of each sample in the mean of its batch: weight 2 counts as twice the sample.
        class_weight : "balanced" or mapping, optional
            Weight of the samples of each class.
        callbacks : functions of an `Epoch`
            Called after each epoch; training ends if one returns True. See `EarlyStopping`.
        progress : bool, optional
            Show a bar (extra `progress`); where somebody can see it unless given.
        engine : str, optional
            Instead of `net.engine`.
        checkpoint : path, optional
            Write all of the training there, now and then, at Ctrl-C and at the end;
            `neurograph.resume(path, X, Y)` goes on with it, bit for bit, as if it had not stopped.
        every : int or str, optional
            How often: so many epochs, or "500 batches", "30 s", "10 min", "1 h"; once a minute
            unless given. Wherever it stops, also inside an epoch, it can go on.

        Returns
        -------
        History
            After Ctrl-C that of the epochs so far; the network is as the last update left it.

        Raises
        ------
        NonFiniteError
            Training diverged; the network is as it was before the batch that did it.
        ParameterError, ShapeError
            Something that does not fit; nothing is changed.
        OSError
            There can be no checkpoint; nothing is changed. One that fails later is a warning.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(1, 1, seed=0)
        >>> net.fit([[0], [1]], [[0], [1]], epochs=500, optimizer=ng.SGD(5.0))
        <History of 500 epochs: loss 0.1... -> 0.0...>
        """
        return training.fit(
            self,
            X,
            Y,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            optimizer=optimizer,
            loss=loss,
            rule=rule,
            lengths=lengths,
            validation=validation,
            sample_weight=sample_weight,
            class_weight=class_weight,
            callbacks=callbacks,
            progress=progress,
            engine=engine or self.engine,
            checkpoint=checkpoint,
            every=every,
        )

    @exclusive
    def reset_optimizer(self) -> None:
        """Forget what the optimizer keeps of each parameter, and how many updates it did."""
        self.require_own()
        self._store.forget_optimizer()


def _present(given: Mapping) -> dict:
    return {k: v for k, v in given.items() if v is not None}
