"""Optimizers: how a gradient changes a parameter.

An optimizer is a frozen pair of functions without state of its own: `init` makes the state for
an array of parameters, `update` returns the new parameters and the next state. State is a few
arrays, an entry for each parameter, all zeros at first; both functions are elementwise. So
what is tied stays equal, what is frozen can be left out, state is kept in columns beside the
weights, and a synapse that comes later starts as any other, from zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np

from neurograph.errors import ParameterError
from neurograph.learning.schedules import Rate
from neurograph.values import number

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Rprop",
    "State",
]

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Optimizer(ABC):
    """A rule by which gradients change parameters.

    Parameters
    ----------
    rate : float or function
        Learning rate, above 0; or a function of the number of updates done so far, as those in
        `neurograph.schedules`.
    clip_value : float, optional
        Bring every entry of the gradient into ±clip_value.
    clip_norm : float, optional
        Then shrink the whole gradient, of weights and biases, to this Euclidean norm if it is
        longer (Pascanu et al. 2013). Frozen parameters do not count, tied ones count once.
    l1, l2 : float
        Add l1 · sign(w) + l2 · w to the gradients of weights (not of biases): the penalties
        l1 · Σ|w| and ½ l2 · Σ w². They are not part of the loss that is reported.

    Attributes
    ----------
    slots : tuple of str
        Names of the arrays of its state.
    """

    rate: Rate = 0.1
    clip_value: float | None = field(default=None, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    l1: float = field(default=0.0, kw_only=True)
    l2: float = field(default=0.0, kw_only=True)
    slots: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not callable(self.rate) and number("rate", self.rate) <= 0:
            raise ParameterError(f"rate must be above 0, got {self.rate!r}")
        for name in ("clip_value", "clip_norm"):
            value = getattr(self, name)
            if value is not None and number(name, value) <= 0:
                raise ParameterError(f"{name} must be above 0, got {value!r}")
        for name in ("l1", "l2"):
            if number(name, getattr(self, name)) < 0:
                raise ParameterError(f"{name} must be 0 or more, got {getattr(self, name)!r}")

    def init(self, parameters: np.ndarray) -> State:
        """Return the state before the first update of these parameters: zeros."""
        return {name: np.zeros_like(parameters) for name in self.slots}

    @abstractmethod
    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return new parameters and the next state; `rate` is that of this update."""

    def of_biases(self) -> Optimizer:
        """Return the optimizer without what is meant for weights only."""
        return replace(self, l1=0.0, l2=0.0)

    def constants(self) -> tuple[float, ...]:
        """Return the parameters that its class adds to those of every optimizer."""
        common = {f.name for f in fields(Optimizer)}
        return tuple(float(getattr(self, f.name)) for f in fields(self) if f.name not in common)

    def _fraction(self, *names: str) -> None:
        for name in names:
            if not 0 <= number(name, getattr(self, name)) < 1:
                raise ParameterError(f"{name} must be in [0, 1), got {getattr(self, name)!r}")

    def _positive(self, *names: str) -> None:
        for name in names:
            if number(name, getattr(self, name)) <= 0:
                raise ParameterError(f"{name} must be above 0, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Plain gradient descent: θ ← θ - rate · g.

    Examples
    --------
    >>> SGD(0.5).update(np.array([1.0]), {}, np.array([2.0]), rate=0.5)
    (array([1.5]), {})
    """

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one step downhill."""
        return parameters - rate * gradient, state


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy ball (Polyak 1964): v ← momentum · v + g; θ ← θ - rate · v.

    Examples
    --------
    >>> Momentum(0.5, momentum=0.9).slots
    ('velocity',)
    """

    momentum: float = 0.9
    slots = ("velocity",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fraction("momentum")

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one step along the velocity."""
        velocity = self.momentum * state["velocity"] + gradient
        return parameters - rate * velocity, {"velocity": velocity}


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov's momentum as PyTorch and Sutskever et al. (2013) write it:
    v ← momentum · v + g; θ ← θ - rate · (g + momentum · v).

    Examples
    --------
    >>> Nesterov(0.1).momentum
    0.9
    """

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one step along the gradient and the next velocity."""
        velocity = self.momentum * state["velocity"] + gradient
        return parameters - rate * (gradient + self.momentum * velocity), {"velocity": velocity}


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient (Tieleman & Hinton 2012):
    v ← decay · v + (1 - decay) g²; θ ← θ - rate · g / (√v + epsilon).

    Examples
    --------
    >>> RMSprop(0.01).slots
    ('square',)
    """

    rate: Rate = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8
    slots = ("square",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fraction("decay")
        self._positive("epsilon")

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one scaled step downhill."""
        square = self.decay * state["square"] + (1 - self.decay) * gradient**2
        return parameters - rate * gradient / (np.sqrt(square) + self.epsilon), {"square": square}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015). The bias correction goes by the age of each parameter.

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²,
    θ ← θ - rate · m / (1 - β₁ⁿ) / (√(v / (1 - β₂ⁿ)) + epsilon), after n updates of θ.

    Examples
    --------
    >>> Adam(1e-3).slots
    ('mean', 'square', 'age')
    """

    rate: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = ("mean", "square", "age")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fraction("beta1", "beta2")
        self._positive("epsilon")

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one corrected step downhill."""
        mean = self.beta1 * state["mean"] + (1 - self.beta1) * gradient
        square = self.beta2 * state["square"] + (1 - self.beta2) * gradient**2
        age = state["age"] + 1
        size = np.sqrt(square) / np.sqrt(1 - self.beta2**age) + self.epsilon
        updated = parameters - rate / (1 - self.beta1**age) * (mean / size)
        return updated, {"mean": mean, "square": square, "age": age}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): before each update,
    w ← w - rate · weight_decay · w. Biases do not decay.

    Examples
    --------
    >>> AdamW(1e-3).weight_decay
    0.01
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if number("weight_decay", self.weight_decay) < 0:
            raise ParameterError(f"weight_decay must be 0 or more, got {self.weight_decay!r}")

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters decayed, then one corrected step downhill."""
        decayed = parameters - rate * self.weight_decay * parameters
        return super().update(gradient, state, decayed, rate)

    def of_biases(self) -> Optimizer:
        """Return the optimizer without what is meant for weights only."""
        return replace(self, l1=0.0, l2=0.0, weight_decay=0.0)


@dataclass(frozen=True)
class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller & Braun 1993): for whole-batch gradients.

    Each parameter has a step size of its own, `rate` at first, which grows while its gradient
    keeps its sign and shrinks when it changes, and then it stays where it is once.

    Parameters
    ----------
    shrink, grow : float
        Factors of the step size.
    least, most : float
        Limits of the step size.

    Examples
    --------
    >>> Rprop(0.01).slots
    ('previous', 'size')
    """

    rate: Rate = 0.01
    shrink: float = 0.5
    grow: float = 1.2
    least: float = 1e-6
    most: float = 50.0
    slots = ("previous", "size")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fraction("shrink")
        self._positive("least", "most", "shrink")
        if number("grow", self.grow) <= 1:
            raise ParameterError(f"grow must be above 1, got {self.grow!r}")

    def update(
        self, gradient: np.ndarray, state: State, parameters: np.ndarray, rate: float
    ) -> tuple[np.ndarray, State]:
        """Return the parameters one step of their own size against the sign of the gradient."""
        turned = np.sign(gradient * state["previous"])
        factor = np.where(turned > 0, self.grow, np.where(turned < 0, self.shrink, 1.0))
        size = np.where(state["size"] > 0, state["size"], rate) * factor
        size = np.clip(size, self.least, self.most).astype(parameters.dtype)
        kept = np.where(turned < 0, 0, gradient).astype(parameters.dtype)
        return parameters - np.sign(kept) * size, {"previous": kept, "size": size}


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS with bounds (Byrd et al. 1995), by SciPy; for small problems.

    The whole batch in each of the epochs, which are iterations with a line search. Bounds of
    synapses are kept; frozen parameters stay, tied ones are one. Needs the extra `scipy`.

    Parameters
    ----------
    memory : int
        Pairs of steps and gradients from which the curvature is estimated.
    l2 : float
        Penalty ½ l2 · Σ w² of the weights.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=1)
    >>> X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    >>> history = net.fit(X, Y, epochs=100, optimizer=ng.LBFGS(), loss="binary_cross_entropy")
    >>> net.predict(X).round().ravel()
    array([0., 1., 1., 0.])
    """

    memory: int = 10
    l2: float = 0.0

    def __post_init__(self) -> None:
        if number("memory", self.memory) < 1:
            raise ParameterError(f"memory must be 1 or more, got {self.memory!r}")
        if number("l2", self.l2) < 0:
            raise ParameterError(f"l2 must be 0 or more, got {self.l2!r}")

    def minimize(
        self, function: Any, start: np.ndarray, bounds: Any, epochs: int, seen: Any
    ) -> Any:
        """Minimize function(θ) -> (value, gradient); call seen(θ) after each iteration."""
        try:
            from scipy.optimize import minimize
        except ImportError:
            raise ParameterError(
                "LBFGS needs SciPy: pip install 'neurograph[scipy]'; or take ng.Adam()"
            ) from None
        options: dict[str, Any] = {
            "maxiter": epochs,
            "maxcor": int(self.memory),
            "maxfun": 100 * epochs,
        }
        options |= {"ftol": 0.0, "gtol": 0.0}
        return minimize(
            function, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=seen,
            options=options,
        )  # fmt: skip
