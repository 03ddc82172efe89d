"""`Lesions`: a table of what was removed and what that did, with arrays, rows and a DataFrame."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError, counted, suggest
from neurograph.inspection.handles import look_up, named
from neurograph.values import natural
from neurograph.viz.plots import plot_lesions

__all__ = ["LesionMap", "Lesions"]

SHOWN = 10  # rows that print shows


class Lesions:
    """A row for each synapse, or neuron, that was removed singly.

    Attributes
    ----------
    exact : (n,) array
        Change of the mean loss without it; inf where the loss without it is no finite number.
    first_order : (n,) array
        Its estimate from the gradient.
    curvature : (n,) array
        The exact second derivative of the mean loss in it, h_kk.
    obd : (n,) array
        The estimate of Optimal Brain Damage, ½ h_kk w².
    obs : (n,) array
        That of Optimal Brain Surgeon, where it was computed.
    """

    exact: np.ndarray
    first_order: np.ndarray
    curvature: np.ndarray
    obd: np.ndarray
    obs: np.ndarray

    def __init__(self, kind: str, keys: dict[str, list], numbers: dict[str, np.ndarray]):
        self.kind, self._keys, self._numbers = kind, keys, numbers

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = {**self._keys, **self._numbers}
        if name not in found:
            raise AttributeError(f"no column {name!r}.{suggest(name, found)}")
        return found[name]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that `to_pandas` and `to_array` have."""
        return (*self._keys, *(name for name in self._numbers if name != "curvature"))

    def __len__(self) -> int:
        return len(self._numbers["exact"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(i) for i in range(len(self)))

    def __getitem__(self, which: Hashable | Synapse | Neuron | tuple) -> dict[str, Any]:
        """Return the row of a synapse, as one or by its ends, or that of a neuron."""
        i = look_up(self._row_of, which, Synapse if self.kind == "synapse" else Neuron)
        if i is None:
            raise ParameterError(f"no {self.kind} {named(which)!r} in this map of {len(self)}")
        return self._row(i)

    @cached_property
    def _row_of(self) -> dict[Hashable, int]:
        names = [*self._keys.values()]
        return {key: i for i, key in enumerate(zip(*names, strict=True) if names[1:] else names[0])}

    def _row(self, i: int) -> dict[str, Any]:
        names = {name: values[i] for name, values in self._keys.items()}
        return names | {name: self._numbers[name][i].item() for name in self.columns[len(names) :]}

    def strongest(self, k: int = 10) -> Lesions:
        """Return the k rows whose removal changes the loss most, in either direction, ranked."""
        order = np.argsort(-np.abs(self.exact), kind="stable")[: natural("k", k)]
        keys = {name: [values[i] for i in order] for name, values in self._keys.items()}
        return Lesions(self.kind, keys, {n: a[order] for n, a in self._numbers.items()})

    def to_array(self) -> np.ndarray:
        """Return a structured array: names as objects, numbers as float64."""
        kinds = [(n, object if n in self._keys else float) for n in self.columns]
        found = np.empty(len(self), kinds)
        for name, values in self._keys.items():
            for i, value in enumerate(values):  # a name may be a tuple
                found[name][i] = value
        for name in self.columns[len(self._keys) :]:
            found[name] = self._numbers[name]
        return found

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each of them (extra `pandas`)."""
        try:
            import pandas
        except ImportError:
            raise ParameterError(
                "to_pandas needs pandas: pip install 'neurograph[pandas]'; or take to_array()"
            ) from None
        array = self.to_array()
        return pandas.DataFrame({name: array[name] for name in self.columns})

    def plot(self, k: int = 20, ax: Any = None) -> Any:
        """Draw the k that matter most, beside their estimates; return the axes (`matplotlib`).

        Parameters
        ----------
        k : int
        ax : matplotlib axes, optional
            Where to draw; a new figure unless given.
        """
        return plot_lesions(self, k, ax)

    def __repr__(self) -> str:
        return f"<Lesions of {counted(len(self), self.kind)}>"

    def __str__(self) -> str:
        return "\n".join([repr(self), *self._lines()])

    def _lines(self) -> list[str]:
        shown = self.strongest(SHOWN)
        names = self.columns
        cells = [[_cell(row[name]) for name in names] for row in shown]
        width = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
        lines = [
            "  ".join(c.rjust(w) for c, w in zip(row, width, strict=True))
            for row in ([*names], *cells)
        ]
        more = len(self) - len(cells)
        return [*lines, *([f"… and {more} that matter less"] if more else [])]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else repr(value)


class LesionMap(Lesions):
    """What the loss would be without each synapse, and without each neuron.

    Attributes
    ----------
    loss : float
        Mean loss of the network as it is.
    loss_name : str
    neurons : Lesions
        The same for neurons: inputs and hidden ones.
    note : str
        Why there is no `obs`, or "".
    """

    loss: float
    loss_name: str
    neurons: Lesions
    note: str

    def __repr__(self) -> str:
        best = self.strongest(1)
        both = counted(len(self), "synapse"), counted(len(self.neurons), "neuron")
        head = f"<LesionMap of {' and '.join(both)}"
        most = f"; most by {best.source[0]!r} -> {best.target[0]!r}" if len(self) else ""
        by = f": {best.exact[0]:+.4g}" if len(self) else ""
        return f"{head}; {self.loss_name} {self.loss:.4g}{most}{by}>"
