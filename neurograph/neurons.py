"""`Neuron`: what a neuron has, and which values it can take."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurograph.encoding import split
from neurograph.errors import ParameterError
from neurograph.functions import get_activation
from neurograph.table import FLOAT, Column, Handle, Table
from neurograph.values import choice, flag, fraction, natural, number, positive

if TYPE_CHECKING:
    from neurograph.synapses import Synapse

__all__ = ["HIDDEN", "INPUT", "OUTPUT", "ROLES", "Neuron"]

ROLES = HIDDEN, INPUT, OUTPUT = range(3)
ROLE_NAMES = ("hidden", "input", "output")
NO_PORT, NEXT_PORT = -1, -2
NO_SIGN = 0


class _ActivationColumn(Column):
    """Stored as a number of the store's own list of names."""

    def save(self, table: Table, id: int, stored: Any) -> None:
        names = table.store.activations
        if stored == self.default:
            stored = "logistic"
        if stored not in names:
            names.append(stored)
        super().save(table, id, names.index(stored))


class _PortColumn(Column):
    """Position among the inputs (or outputs): a sort key that networkx can carry along."""

    def save(self, table: Table, id: int, stored: Any) -> None:
        role = int(table.values("role", np.array([id]))[0])
        ports = table.store.next_port
        if stored == NEXT_PORT:
            stored = ports[role]
        ports[role] = max(ports[role], stored + 1)
        super().save(table, id, stored)


def _encode_sign(name: str, value: Any) -> int:
    found = number(name, value)
    if found not in (-1, 0, 1):
        raise ParameterError(f"{name} must be -1, 0 (either) or 1; got {value!r}")
    return int(found)


# ---------------------------------------------------------------- neurons


class Neuron(Handle):
    """A node of a `Network`: its bias, activation, state and gradient.

    Attributes
    ----------
    name : hashable
        The node.
    bias : float
        b, default 0. It plays no part in an input neuron.
    activation : str
        Name of f, default "logistic".
    role : {"hidden", "input", "output"}
    port : int
        Position among the inputs (outputs), -1 for a hidden neuron.
    trainable : bool
        Whether learning changes the bias.
    rate_factor : float
        Multiplies the step that an optimizer makes with the bias.
    sign : {0, -1, 1}
        Sign of all weights of outgoing synapses in `fit`, 0 for any (Dale's law).
    dropout : float
        Probability with which `fit` silences the output for a batch.
    state, output, delta : float
        s, y and δ = ∂L/∂s of the last step of the last sample that was run.
    grad : float
        ∂L/∂b of the last `backward` or `propagate`.
    eligibility : float
        Trace of the bias, ∂s/∂b through the neuron's own memory, kept by `activate`.
    incoming, outgoing, gated : list of Synapse
        Those that end here, start here, and are multiplied by this neuron's output.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network(seed=0)
    >>> h = net.add_neuron("h", bias=0.5)
    >>> net.nodes["h"] is h, h["bias"], h.bias
    (True, 0.5, 0.5)
    """

    __slots__ = ()
    # networkx tells (node, attributes) from a node that is a tuple by hashing it, so what
    # stands for a node's attributes must not be hashable.
    __hash__ = None  # type: ignore[assignment]
    bias = Column(0.0, FLOAT, number)
    activation = _ActivationColumn(
        0,
        np.int16,
        lambda name, value: get_activation(value).name,
        lambda store, code: store.activations[code] if store else "logistic",
        structural=True,
    )
    role = Column(
        HIDDEN,
        np.int8,
        lambda name, value: choice(name, value, ROLE_NAMES),
        lambda store, code: ROLE_NAMES[code],
        structural=True,
    )
    port = _PortColumn(NO_PORT, np.int32, natural, structural=True)
    trainable = Column(True, np.bool_, flag)
    rate_factor = Column(1.0, FLOAT, positive)
    sign = Column(NO_SIGN, np.int8, _encode_sign)
    dropout = Column(0.0, FLOAT, fraction)
    grad = Column(0.0, key=False)
    state = Column(0.0, key=False)
    output = Column(0.0, key=False)
    delta = Column(0.0, key=False)
    eligibility = Column(0.0, key=False)
    remembered = ("name",)

    @property
    def name(self) -> Hashable:
        """The node of the graph."""
        return self._home.values["name"] if self.detached else self._home.store.names[self._id]

    @property
    def incoming(self) -> list[Synapse]:
        """Synapses that end here."""
        return [] if self.detached else self._home.store.graph.incoming(self.name)

    @property
    def outgoing(self) -> list[Synapse]:
        """Synapses that start here."""
        return [] if self.detached else self._home.store.graph.outgoing(self.name)

    @property
    def gated(self) -> list[Synapse]:
        """Synapses that the output of this neuron multiplies."""
        return [] if self.detached else self._home.store.graph.gated_by(self.name)

    def explain(
        self, *, sample: int | None = None, step: int | None = None, terms: int = 20
    ) -> Any:
        """Explain the state and the output of this neuron by what came in.

        Bias, memory, and every incoming synapse with weight, gain and what it read add up to
        the state, equation (2) of docs/model.md.

        Parameters
        ----------
        sample, step : int, optional
            Of the last run; the last one of each unless given, which is what `state` and
            `output` show. After `activate`, without these, that step is explained.
        terms : int
            How many terms are listed; the rest is one part.

        Returns
        -------
        NeuronExplanation
            To `print`; `.parts`, `.state`, `.to_dict()`.

        Raises
        ------
        ParameterError
            Nothing was run, or the network was edited since.
        DetachedError
            The neuron was removed.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> y = net.forward([0, 1])
        >>> print(net.nodes["output.0"].explain(terms=1))
        state of neuron 'output.0' = ..., output = logistic(...) = ...
        <BLANKLINE>
        what came in, equation (2):
          'hidden...' -> 'output.0'  w · output of 'hidden...'  = ...
          the other 3 together ...
          sum ...
        """
        from neurograph.inspection.states import explain_neuron

        return explain_neuron(self, sample=sample, step=step, terms=terms)

    def explain_update(self) -> Any:
        """Explain by what the last update changed the bias; as `Synapse.explain_update`.

        Returns
        -------
        UpdateExplanation

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("a", "y", {"weight": 2.0})])
        >>> net.inputs, net.outputs, net.nodes["y"].activation = ["a"], ["y"], "identity"
        >>> net.activate([1.0])
        array([2.])
        >>> net.propagate(0.1, [5.0])
        >>> print(net.nodes["y"].explain_update())
        bias of neuron 'y': 0 -> 0.3, changed by 0.3
        <BLANKLINE>
        what changed it:
          the gradient of this step, by rule 'lstm-g'  -rate · gradient  = (-0.1) · (-3)   0.3
          sum                                                                              0.3
        The gradient that rule 'lstm-g' finds of it is exact.
        """
        from neurograph.inspection.updates import explain_update

        return explain_update(self)

    def encoded(self, attributes: Mapping) -> tuple[dict[Column, Any], dict]:
        """Return stored values for parameters, and the user's own attributes."""
        return self.encode(self.name, attributes, self.role, self._home.store.dtype)

    @classmethod
    def encode(
        cls, name: Hashable, attributes: Mapping, role: str, dtype: np.dtype
    ) -> tuple[dict[Column, Any], dict]:
        """Check attributes for a neuron that has this name and role."""
        values, own = split(cls, lambda: f"neuron {name!r}", attributes, {}, dtype)
        before = ROLE_NAMES.index(role)
        after = values.get(cls.role, before)
        if after != before or cls.port in values:  # the port last: it depends on the role
            port = values.pop(cls.port, NO_PORT)
            values[cls.port] = NEXT_PORT if after != HIDDEN and port == NO_PORT else port
        if after == HIDDEN and cls.port in values:
            values[cls.port] = NO_PORT
        return values, own

    def twin(self, graph: Any) -> Neuron:
        """Return the neuron of this name in a copy of the graph."""
        return graph.neuron(self.name)

    def __str__(self) -> str:
        return f"neuron {self.name!r}"

    def _repr_html_(self) -> str:
        from neurograph.viz.html import of_neuron

        return of_neuron(self)

    def __repr__(self) -> str:
        gone = "removed " if self.detached else ""
        return (
            f"<{gone}neuron {self.name!r}: {self.role}, {self.activation}, bias {self.bias:.6g},"
            f" state {self.state:.6g}, output {self.output:.6g}, grad {self.grad:.6g}>"
        )
