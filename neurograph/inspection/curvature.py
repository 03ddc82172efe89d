"""Optimal Brain Surgeon: what is left of the loss where all others make up for one weight.

B. Hassibi, D. Stork, "Second order derivatives for network pruning: Optimal Brain Surgeon",
NIPS 5 (1993).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurograph.engines.base import Parameters
from neurograph.errors import ParameterError
from neurograph.schedule import Plan

__all__ = ["NoMinimum", "hessian", "is_wanted", "surgeon"]

AFFORDABLE = 200  # parameters up to which it is asked without being told
LIMIT = 2000  # parameters: a Hessian of 32 MB, and 4,000 gradients


class NoMinimum(ParameterError):
    """The Hessian has a direction in which the loss does not rise."""


def hessian(
    plan: Plan, parameters: Parameters, gradient: Callable[[Parameters], Parameters]
) -> np.ndarray:
    """Return the Hessian in all weights, and all biases but those of inputs, each by itself.

    By central differences of the exact gradient, made symmetric; good to about 1e-9 of its
    largest entry. Biases follow the weights.
    """
    free = np.ones(plan.n_neurons, bool)
    free[plan.inputs] = False
    n = len(parameters.weight)
    columns = []
    for k in [*range(n), *(n + np.flatnonzero(free))]:
        sides = []
        for sign in (1, -1):
            moved = np.concatenate(parameters)
            moved[k] += sign * np.cbrt(np.finfo(float).eps) * max(1, abs(moved[k]))
            there = gradient(Parameters(moved[:n], moved[n:]))
            sides.append((moved[k], np.concatenate([there.weight, there.bias[free]])))
        (above, up), (below, down) = sides
        columns.append((up - down) / (above - below))
    found = np.array(columns).reshape(len(columns), len(columns))
    return (found + found.T) / 2


def is_wanted(plan: Plan, asked: bool | None) -> tuple[bool, str]:
    """Return whether to ask Optimal Brain Surgeon, and why not if nobody said so.

    Raises
    ------
    ParameterError
        It is asked for, and there are more than `LIMIT` parameters.
    """
    size = plan.n_synapses + plan.n_memories + plan.n_neurons - len(plan.inputs)
    if asked is None and size > AFFORDABLE:
        return False, f"obs: the network has {size} parameters; obs=True computes it all the same"
    if asked and size > LIMIT:
        raise ParameterError(
            f"obs inverts the Hessian of all {size} weights and biases, and the limit is {LIMIT};"
            " leave it out, obs=False"
        )
    return asked is not False, ""


def surgeon(
    plan: Plan,
    parameters: Parameters,
    gradient: Callable[[Parameters], Parameters],
    damping: float,
) -> np.ndarray:
    """Return ½ w² / [H⁻¹]_ww for every synapse, H damped by `damping` times the identity.

    Raises
    ------
    NoMinimum
        The damped Hessian is not positive definite: without that the estimate means nothing.
    """
    n = len(parameters.weight)
    if not n:
        return np.zeros(0)
    found = hessian(plan, parameters, gradient)
    least = float(np.linalg.eigvalsh(found)[0])
    if least + damping <= 0:
        raise NoMinimum(
            f"obs: the Hessian has the eigenvalue {least:.3g}, so the network is not at a"
            f" minimum; train it longer, or give damping={-2 * least:.2g}"
        )
    inverse = np.linalg.inv(found + damping * np.eye(len(found)))
    return parameters.weight**2 / (2 * np.diag(inverse)[:n])
