"""`OnlineLearner`: the methods of a network that go step by step, and learn as they go."""

from __future__ import annotations

from _thread import get_ident
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, counted
from neurograph.graph import NeuronGraph
from neurograph.guard import exclusive
from neurograph.learning import lately
from neurograph.learning.losses import Loss
from neurograph.learning.online import ExtendedTrace, Online, Step
from neurograph.learning.rules import Rule
from neurograph.learning.status import GradientStatus, gradient_status

__all__ = ["OnlineLearner"]


class OnlineLearner(NeuronGraph):
    """What a network does online; where it stands is in `Online`."""

    _online: Online  # each network has its own

    @property
    def rule(self) -> str | Rule:
        """How `propagate` learns: "lstm-g", "synaptic", "bptt", "rtrl", or a rule; settable.

        It decides what `activate` keeps, so it is set before the first step, or after
        `reset_state()`.
        """
        return self._online.rule

    @rule.setter
    @exclusive
    def rule(self, rule: str | Rule) -> None:
        self.require_own()
        fresh = Online(rule)
        if self._online.steps and rule != self.rule:
            raise ParameterError(
                f"the network has done {counted(self._online.steps, 'step')} with rule"
                f" {self.rule!r}; net.reset_state() first, then set another rule"
            )
        if rule != self.rule:
            lately.note(self, self._online)
            self._online.edits = -1  # a stepper of the old rule sees that it is out of date
            self._online = fresh

    def activate(self, x: Any) -> np.ndarray:
        """Do one step of one sample; the network keeps its state for the next one.

        Parameters
        ----------
        x : (n_in,) array
            Columns as in `net.inputs`.

        Returns
        -------
        (n_out,) array

        Raises
        ------
        ShapeError, NonFiniteError, ParameterError, CycleError
            x does not fit, a number is not finite, the network is not ready, or the rule cannot
            handle it; nothing is changed.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.Network(seed=0)
        >>> x, y = net.add_neuron("x", role="input"), net.add_neuron("y", role="output")
        >>> y.activation = "identity"
        >>> s, memory = net.add_synapse("x", "y", weight=2), net.add_synapse("y", "y", weight=0.5)
        >>> net.activate([1]), net.activate([1]), s.eligibility
        (array([2.]), array([3.]), 1.5)
        """
        return self._online.activate(self, x)

    def propagate(self, rate: float, target: Any, *, loss: str | Loss = "matching") -> None:
        """Learn from the step that `activate` has just done.

        The gradient of the loss of this step, as `net.rule` finds it, is written into every
        `.grad`; then parameters go downhill.

        Parameters
        ----------
        rate : float
            Learning rate; 0 only computes the gradient.
        target : (n_out,) array
            NaN: that output is not asked.
        loss : str
            See `neurograph.LOSSES`; the matching loss (∂ℓ/∂s = y - target) unless given.

        Raises
        ------
        ParameterError
            No step was done, or the structure was edited since.
        ShapeError, NonFiniteError
            target does not fit, or learning diverged; nothing is changed.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> for epoch in range(2000):
        ...     for x, target in ([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0):
        ...         y = net.activate(x)
        ...         net.propagate(1.0, [target])
        >>> [net.activate(x).round().item() for x in ([0, 0], [0, 1], [1, 0], [1, 1])]
        [0.0, 1.0, 1.0, 0.0]
        """
        guard, me = self._store.guard, get_ident()
        outer = guard.user
        if outer and outer != me:
            outer = guard.refuse(me, "propagate")
        guard.user = me
        try:
            self._online.propagate(self, rate, target, loss)
        finally:
            guard.user = outer

    @exclusive
    def stepper(self, rate: float, *, loss: str | Loss = "matching") -> Step:
        """Return `step(x, target)`: activate and propagate, with all else checked beforehand.

        For loops that meet one sample after the other and have no time to lose.

        Parameters
        ----------
        rate : float
            Learning rate; `step.rate` can be set later.
        loss : str
            "matching", "squared_error" or "mse".

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> step = net.stepper(0.3)
        >>> step([0, 1], [1]).shape
        (1,)
        """
        return self._online.stepping(self, rate, loss)

    @exclusive
    def learn(self, X: Any, Y: Any, rate: float, *, loss: str | Loss = "matching") -> np.ndarray:
        """Activate and propagate, step by step, from where the network stands.

        The same as a loop of `activate` and `propagate`, in one call of a kernel.

        Parameters
        ----------
        X, Y : (T, n_in), (T, n_out) arrays
            A sequence and its targets; a row of Y that is all NaN is not learned from.
        rate : float
            Learning rate.
        loss : str
            See `neurograph.LOSSES`.

        Returns
        -------
        (T, n_out) array
            The outputs, each from before its update.

        Raises
        ------
        NonFiniteError
            Learning diverged; the network is as it was after the last step that went well.
        """
        return self._online.learn(self, X, Y, rate, loss)

    def gradient_status(self, rule: str | Rule | None = None) -> GradientStatus:
        """Return for every weight and bias whether `propagate` finds its exact gradient.

        Parameters
        ----------
        rule : str or Rule, optional
            `net.rule` unless given.

        Returns
        -------
        GradientStatus
            A mapping: `status[synapse].exact`, `.reason`; print it for an overview.
        """
        return gradient_status(self, self.rule if rule is None else rule)

    def extended_traces(self) -> list[ExtendedTrace]:
        """Return the traces ∂s_t/∂θ that parameters θ of a gater keep of each neuron t it gates.

        Of rules "lstm-g" and "synaptic"; empty before the first step.
        """
        return self._online.extended_traces(self)

    @exclusive
    def clear_traces(self) -> None:
        """Set traces and responsibilities to 0, as Synaptic's `clear`; states stay."""
        self.require_own()
        self._online.clear_traces(self)

    @exclusive
    def reset_state(self) -> None:
        """Go back to rest: states, outputs, deltas, gains, traces; weights and gradients stay."""
        self.require_own()
        self._online.rest()
        for table, columns in (
            (self._store.neurons, ("state", "output", "delta", "eligibility")),
            (self._store.synapses, ("gain", "eligibility")),
        ):
            for name in columns:
                if name in table.arrays:
                    table.array(name)[:] = table.schema[name].default
