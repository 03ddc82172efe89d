"""Costs of a trainer: what it reports of a target and an output; not what is learned."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from neurograph.errors import ParameterError, suggest

__all__ = ["COSTS", "get_cost"]


def mse(target: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Return the mean of (t - y)² over the outputs that are asked.

    target, output : (..., n_out) arrays; NaN in a target: not asked. The result is (...).

    >>> mse(np.array([[0, 1], [0, np.nan]]), np.array([[0.5, 1], [0.5, 1]]))
    array([0.125, 0.25 ])
    """
    asked = ~np.isnan(target)
    squares = np.where(asked, (target - output) ** 2, 0)
    return squares.sum(-1) / np.maximum(1, asked.sum(-1))


def cross_entropy(target: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Return - Σ t ln(y + ε) + (1 - t) ln(1 + ε - y), ε = 1e-15, as Synaptic has it.

    The sum over the outputs, not their mean; about -1e-15 for a perfect output, NaN for one outside
    [0, 1].

    >>> float(cross_entropy(np.array([0, 1]), np.array([0.1, 0.9])).round(6))
    0.210721
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = target * np.log(output + 1e-15) + (1 - target) * np.log((1 + 1e-15) - output)
    return -np.where(np.isnan(target), 0, terms).sum(-1)


def binary(target: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Return how many outputs are in another class than their target: below ¼, up to ¾, above.

    It compares 2t and 2y rounded, halves up, as Synaptic's `BINARY`.

    >>> int(binary(np.array([0, 1, 1]), np.array([0.24, 0.75, 0.7])))
    1
    """
    missed = np.floor(2 * target + 0.5) != np.floor(2 * output + 0.5)
    return (missed & ~np.isnan(target)).sum(-1)


COSTS = MappingProxyType({"mse": mse, "cross_entropy": cross_entropy, "binary": binary})


def get_cost(cost: Any) -> Callable:
    """Return the cost of that name, or the function that is given."""
    if isinstance(cost, str) and cost in COSTS:
        return COSTS[cost]
    if callable(cost):
        return cost
    raise ParameterError(
        f"cost must be one of {', '.join(map(repr, COSTS))}, or a function of a target and an"
        f" output; got {cost!r}.{suggest(cost, COSTS)}"
    )
