"""`Synapse`: what a synapse has, and which values it can take."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from neurograph.encoding import split
from neurograph.errors import ParameterError
from neurograph.neurons import Neuron
from neurograph.table import FLOAT, Column, Handle, SharedColumn, Table
from neurograph.values import (
    bound,
    choice,
    flag,
    fraction,
    hashable,
    natural,
    number,
    positive,
    same,
)

__all__ = ["NO_GATER", "READS_OUTPUT", "READS_STATE", "GaterId", "Synapse"]

READS_OUTPUT, READS_STATE = range(2)
READS_NAMES = ("output", "state")
NO_GATER = -1


class _GaterColumn(Column):
    """Stored as the id of a neuron; a name that is not in the graph (yet) has an id too."""

    def save(self, table: Table, id: int, stored: Any) -> None:
        by_id = stored is NO_GATER or isinstance(stored, GaterId)
        super().save(table, id, int(stored) if by_id else table.store.id_of(stored[0]))


class GaterId(int):
    """A gater given by the id of its neuron, for it may have lost its name."""


class _TieColumn(Column):
    """Not stored: the label of the group that the synapse is in."""

    def load(self, table: Table, id: int) -> Any:
        return table.ties.group.get(id)

    def save(self, table: Table, id: int, stored: Any) -> None:
        if stored is None:
            table.ties.leave(id)
        else:
            label = table.ties.local(stored)
            table.ties.join(id, label)
            leader = table.row_of[table.ties.ids[label][0]]
            table.share_slots(table.ties.ids[label][0])
            for name, column in table.schema.items():
                if column.shared and name in table.arrays:
                    array = table.array(name)
                    array[table.row_of[id]] = array[leader]


def _encode_gater(name: str, value: Any) -> tuple[Hashable] | GaterId:
    if isinstance(value, GaterId):
        return value
    value = value.name if isinstance(value, Neuron) else value
    if not hashable(value):
        raise ParameterError(f"{name} must be the name of a neuron, got {value!r}")
    return (value,)


def _encode_tie(name: str, value: Any) -> Hashable:
    if not hashable(value):
        raise ParameterError(f"{name} must be a label that is hashable, got {value!r}")
    return value


# ---------------------------------------------------------------- synapses


class Synapse(Handle):
    """An edge of a `Network`: its weight, delay, gate and gradient.

    Attributes
    ----------
    source, target : hashable
        Names of the two neurons.
    weight : float
        w; synapses that are tied share it.
    delay : int
        d in steps, default 0; for a self-synapse 1.
    reads : {"output", "state"}
        What of the source it passes on; a self-synapse reads the state unless told otherwise.
    gater : hashable or None
        Name of the neuron whose output multiplies this synapse.
    gate_delay : {0, 1}
        Whether the gater acts with its output of this step or of the step before.
    trainable : bool
        Whether learning changes the weight.
    rate_factor : float
        Multiplies the step that an optimizer makes with the weight.
    lower, upper : float
        Bounds of the weight, kept by every update of `fit`; -∞ and ∞ unless given.
    dropout : float
        Probability with which `fit` silences the synapse for a batch.
    tie : str or None
        Label of the group with which it shares its weight.
    gain : float
        γ, the factor of the gater, in the last step of the last sample that was run.
    grad : float
        ∂L/∂w of the last `backward` or `propagate`; of the whole group if tied.
    eligibility : float
        Trace of the weight, ∂s/∂w of the target through its own memory, kept by `activate`
        with rules "lstm-g" and "synaptic".

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.Network([("a", "h", {"weight": 0.5})])
    >>> syn = net.edges["a", "h"]
    >>> syn.weight = 0.25
    >>> dict(syn), syn.delay
    ({'weight': 0.25}, 0)
    """

    __slots__ = ()
    remembered = ("gater_id",)
    __hash__ = object.__hash__  # an individual, also as a key of a dict
    always = "weight"
    weight = SharedColumn(0.0, FLOAT, number)
    delay = Column(0, np.int32, natural, structural=True)
    reads = Column(
        READS_OUTPUT,
        np.int8,
        lambda name, value: choice(name, value, READS_NAMES),
        lambda store, code: READS_NAMES[code],
        structural=True,
    )
    gater = _GaterColumn(
        NO_GATER,
        np.int32,
        _encode_gater,
        lambda store, id: None if id == NO_GATER else store.names[id],
        structural=True,
    )
    gate_delay = Column(
        0, np.int8, lambda name, value: natural(name, value, most=1), structural=True
    )
    trainable = SharedColumn(True, np.bool_, flag)
    rate_factor = SharedColumn(1.0, FLOAT, positive)
    lower = SharedColumn(-np.inf, FLOAT, bound)
    upper = SharedColumn(np.inf, FLOAT, bound)
    dropout = Column(0.0, FLOAT, fraction)
    tie = _TieColumn(None, None, _encode_tie, structural=True)
    source = Column(0, np.int32, None, lambda store, id: store and store.names[id], key=False)
    target = Column(0, np.int32, None, lambda store, id: store and store.names[id], key=False)
    grad = Column(0.0, key=False)
    gain = Column(1.0, key=False)
    eligibility = Column(0.0, key=False)

    @property
    def loop(self) -> bool:
        """Whether it ends where it starts."""
        return same(self.source, self.target)

    def default(self, column: Column) -> Any:
        """Return the value at which a parameter is not a key of the mapping."""
        if column is Synapse.delay:
            return int(self.loop)
        if column is Synapse.reads:
            return READS_NAMES[self.loop]
        return column.shown

    def explain(
        self,
        *,
        sample: int | None = None,
        step: int | None = None,
        paths: int = 5,
        terms: int = 20,
    ) -> Any:
        """Explain the gradient of this synapse: the formula in numbers, and where δ comes from.

        That of the last `net.backward` or `net.propagate`, whichever came last.

        Three ways to split the gradient that the last `net.backward` found, each adding up to it:
        term by term (equation (7) of docs/model.md), by where the δ of the target comes from
        (equations (5) and (6)), and by the strongest paths to the loss with a remainder. Paths
        are found best first, never all of them.

        What `propagate` found is explained until the next `activate`: with rule "lstm-g" as δ of
        the target times the eligibility trace, and δ of each neuron that the target gates times
        the extended trace; with "bptt" as a backward pass through its window; with "rtrl" as the
        derivative of the loss times sensitivities. `.status` says whether it is exact.

        Parameters
        ----------
        sample, step : int, optional
            Explain what one sample, or the weight at one step, adds; all unless given. Of
            `backward` only.
        paths : int
            How many paths are listed.
        terms : int
            How many terms are listed of each kind, the largest; the rest is one part.

        Returns
        -------
        SynapseExplanation or StepExplanation
            To `print`; `.gradient`, `.parts`, `.hops`, `.status`, `.to_dict()`; of `backward` and
            of rule "bptt" also `.paths`, `.by_step`, `.by_sample`. The latter is of the other
            rules.

        Raises
        ------
        ParameterError
            Neither a backward pass nor a step that was learned from, or the network was edited
            since.
        DetachedError
            The synapse was removed.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("a", "y", {"weight": 2.0})])
        >>> net.inputs, net.outputs, net.nodes["y"].activation = ["a"], ["y"], "identity"
        >>> y = net.forward([3.0])
        >>> loss = net.backward([5.0])
        >>> print(net.edges["a", "y"].explain())
        ∂L/∂w of synapse 'a' -> 'y' = 3
        <BLANKLINE>
        term by term, equation (7):
          sample 0  δ of 'y' · output of 'a'  = 1 · 3   3
          sum                                           3
        <BLANKLINE>
        where δ of 'y' comes from (x: what the synapse feeds in), equations (5) and (6):
          the loss, at 'y'  x · ∂ℓ/∂s of 'y'  = 3 · 1   3
          sum                                           3
        <BLANKLINE>
        the strongest of 1 path to the loss:
          'y' -> loss           3
          remainder: rounding   0
          sum                   3
        """
        from neurograph.inspection.gradients import explain_synapse

        return explain_synapse(self, sample=sample, step=step, paths=paths, terms=terms)

    def explain_update(self) -> Any:
        """Explain by what the last update changed this weight.

        The parts add up to the change: gradient, clipping, penalties and what the optimizer
        remembers, each by the optimizer's formula; then the synapse's own rate, bounds and sign;
        or the gradient of a rule of online learning. It works after whatever learned last: `fit`,
        `propagate`, `learn`, steppers, trainers.

        Returns
        -------
        UpdateExplanation
            To `print`; `.parts`, `.before`, `.after`, `.change`, `.to_dict()`.

        Raises
        ------
        ParameterError
            The network has not learned yet, or was edited since.
        DetachedError
            The synapse was removed.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network([("a", "y", {"weight": 2.0})])
        >>> net.inputs, net.outputs, net.nodes["y"].activation = ["a"], ["y"], "identity"
        >>> history = net.fit([[1.0]], [[5.0]], optimizer=ng.SGD(0.1, l2=0.5))
        >>> print(net.edges["a", "y"].explain_update())
        weight of synapse 'a' -> 'y': 2 -> 2.2, changed by 0.2
        <BLANKLINE>
        what changed it:
          the gradient of the batch  -scale · gradient  = (-0.1) · (-3)   0.3
          penalty l2=0.5             -scale · gradient  = (-0.1) · 1     -0.1
          sum                                                             0.2
        Update 0 of SGD, counted from 0, at rate 0.1.
        scale = rate.
        """
        from neurograph.inspection.updates import explain_update

        return explain_update(self)

    def encoded(self, attributes: Mapping) -> tuple[dict[Column, Any], dict]:
        """Return stored values for parameters, and the user's own attributes."""
        store = self._home.store
        if isinstance(attributes.get("gater"), Neuron):
            attributes = {**attributes, "gater": store.graph.neuron(attributes["gater"]).name}
        ends = self.source, self.target
        return self.encode(*ends, attributes, self.stored_now(), store.dtype)

    def stored_now(self) -> dict[Column, int]:
        """Return what decides whether a change of delay or reads is valid."""
        return {Synapse.delay: self.delay, Synapse.reads: READS_NAMES.index(self.reads)}

    @classmethod
    def encode(
        cls,
        source: Hashable,
        target: Hashable,
        attributes: Mapping,
        now: Mapping | None,
        dtype: np.dtype,
    ) -> tuple[dict[Column, Any], dict]:
        """Check attributes for a synapse between these two, given what it has `now`."""
        loop = same(source, target)
        rest = {cls.delay: int(loop), cls.reads: READS_STATE if loop else READS_OUTPUT}

        def where() -> str:
            return f"synapse {source!r} -> {target!r}"

        values, own = split(cls, where, attributes, rest, dtype)
        if now is None:
            values = rest | values
        both = {**(now or {}), **values}
        problem = _self_synapse_problem(loop, both[cls.delay], both[cls.reads])
        if problem:
            raise ParameterError(f"{where()}: {problem}")
        if cls.tie in values:  # first join, then assign: a weight given here is the group's
            values = {cls.tie: values.pop(cls.tie), **values}
        return values, own

    @property
    def gater_id(self) -> int | None:
        """Id of the gating neuron, whatever its name is now; None if nothing gates it."""
        if self.detached:
            return self._home.values["gater_id"]
        if "gater" not in self._home.arrays or self.gater is None:
            return None
        return int(self._home.arrays["gater"][self._home.row_of[self._id]])

    def twin(self, graph: Any) -> Synapse:
        """Return the synapse between these two in a copy of the graph."""
        return graph.edges[self.source, self.target]

    def __str__(self) -> str:
        return f"synapse {self.source!r} -> {self.target!r}"

    def _repr_html_(self) -> str:
        from neurograph.viz.html import of_synapse

        return of_synapse(self)

    def __repr__(self) -> str:
        gone = "removed " if self.detached else ""
        extra = f", delay {self.delay}" if self.delay != self.loop else ""
        extra += ", reads output" if self.loop and self.reads == "output" else ""
        extra += f", gated by {self.gater!r}" if self.gater is not None else ""
        return (
            f"<{gone}synapse {self.source!r} -> {self.target!r}: weight {self.weight:.6g}{extra},"
            f" grad {self.grad:.6g}>"
        )


def _self_synapse_problem(loop: bool, delay: int, reads: int) -> str | None:
    if not loop and reads == READS_STATE:
        return "only a self-synapse can read the state; leave reads out"
    if loop and reads == READS_STATE and delay != 1:
        return (
            f"a self-synapse feeds the state back one step later, so its delay is 1, not {delay};"
            " for an autapse that feeds back the output say reads='output'"
        )
    if loop and delay == 0:
        return "an autapse needs a delay of at least 1, got 0"
    return None
