"""Certificates: what was verified, of which network, on which data, and how it came out.

They hold numbers and texts only, so that one can be kept, printed, and cited.
"""

from __future__ import annotations

import hashlib
import html
import platform
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from neurograph.elements import Neuron, Synapse
from neurograph.errors import ParameterError, counted
from neurograph.graph import NeuronGraph
from neurograph.inspection.handles import look_up, named
from neurograph.wiring import wiring

__all__ = [
    "Agreement",
    "Certificate",
    "Checked",
    "EngineCertificate",
    "GradientCertificate",
    "Subject",
    "digest",
    "digest_of",
]

VERDICTS = ("exact", "truncated", "kink", "unresolved", "wrong")


@dataclass(frozen=True)
class Subject:
    """What a certificate is about.

    Attributes
    ----------
    network, data : str
        SHA-256 of the structure with all parameters, and of X and Y; see `digest_of`.
    summary : str
        The network in words.
    shapes : str
        Of X and Y.
    dtype, engine, loss, reduction, rule : str
    versions : dict of str to str
        Of neurograph, NumPy, networkx and Python.
    """

    network: str
    data: str
    summary: str
    shapes: str
    dtype: str
    engine: str
    loss: str
    reduction: str
    rule: str
    versions: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def tools(version: str) -> dict[str, str]:
        """Return versions of what computed."""
        return {
            "neurograph": version,
            "numpy": np.__version__,
            "networkx": nx.__version__,
            "python": platform.python_version(),
        }

    def lines(self) -> Iterator[str]:
        """Yield what is printed."""
        yield f"  network   {self.summary}, {self.dtype}, sha256 {self.network[:16]}"
        yield f"  data      {self.shapes}, sha256 {self.data[:16]}"
        yield f"  gradient  of {self.loss} ({self.reduction}), by {self.rule}; engine {self.engine}"
        yield "  made by   " + ", ".join(f"{name} {v}" for name, v in self.versions.items())


class Certificate:
    """What both kinds have in common: they are printed, shown in a notebook, and kept."""

    subject: Subject

    def _lines(self) -> Iterator[str]:
        raise NotImplementedError

    def _columns(self) -> tuple[list[str], list[list[str]]]:
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        head, rows = self._columns()
        lines = [html.escape(line) for line in self._lines() if not line.startswith("    ")]
        cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        return (
            f"<pre>{chr(10).join(lines)}</pre><table><thead><tr>{cells}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "    " + "  ".join(cells).rstrip()


# ---------------------------------------------------------------- gradients


@dataclass(frozen=True)
class Checked:
    """One parameter: its gradient as the network finds it, and by differences.

    Attributes
    ----------
    kind : {"weight", "bias"}
    name : hashable
        (source, target) of a synapse, or the name of a neuron.
    analytic, numeric, difference : float
        The gradient, the same by differences, and how far they are apart.
    error : float
        Estimated error of `numeric`.
    rounding : float
        Of `analytic`.
    step : float
        The smallest step of the differences.
    verdict : {"exact", "truncated", "kink", "unresolved", "wrong"}
    reason : str
        Why it is not "exact".
    trainable : bool
    tie : str
        Label of the group that moved together, "" if it is alone.
    """

    kind: str
    name: Hashable
    analytic: float
    numeric: float
    difference: float
    error: float
    rounding: float
    step: float
    verdict: str
    reason: str = ""
    trainable: bool = True
    tie: str = ""

    @property
    def bound(self) -> float:
        """What the difference may be: the error of one and the rounding of the other."""
        return self.error + self.rounding

    @property
    def who(self) -> str:
        """The synapse, or the neuron of a bias, as it is printed."""
        if self.kind == "weight" and isinstance(self.name, tuple):
            return " -> ".join(map(repr, self.name))
        return repr(self.name)

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.kind} of {self.who}: {self.analytic:.10g}, by differences {self.numeric:.10g}"
            f" ± {self.bound:.1e}: {self.verdict}{why}"
        )


@dataclass(frozen=True, repr=False)
class GradientCertificate(Certificate):
    """For every weight and bias: is its gradient the slope of the loss?

    What `net.verify_gradients` returns. `print` it; `certificate[synapse]` and
    `certificate["name of a neuron"]` tell of one parameter.

    Attributes
    ----------
    subject : Subject
    rows : tuple of Checked
        In the order of `net.synapses`, then of `net.neurons`.
    of : int
        How many parameters were there to choose from.
    seed : int or None
        Of the sample; None if it is none.
    value : float
        The loss.
    """

    subject: Subject
    rows: tuple[Checked, ...]
    of: int
    seed: int | None
    value: float

    @property
    def verdicts(self) -> dict[str, int]:
        """How many parameters got each verdict."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}

    @property
    def holds(self) -> bool:
        """Whether no gradient is wrong, and all that are claimed exact could be verified."""
        return not {"wrong", "unresolved"} & self.verdicts.keys()

    def worst(self, n: int = 10) -> list[Checked]:
        """Return the parameters that are furthest off, in units of their bounds."""
        order = {verdict: k for k, verdict in enumerate(("wrong", "unresolved"))}
        return sorted(self.rows, key=lambda row: (order.get(row.verdict, 2), -_ratio(row)))[:n]

    def __getitem__(self, key: Any) -> Checked:
        for kind, rows in zip((Synapse, Neuron), self._rows_of, strict=True):
            row = look_up(rows, key, kind)
            if row is not None:
                return row
        raise ParameterError(f"this certificate says nothing of {named(key)!r}")

    @cached_property
    def _rows_of(self) -> tuple[dict[Hashable, Checked], ...]:
        """Those of weights, and of biases, by name."""
        return tuple(
            {row.name: row for row in self.rows if row.kind == kind} for kind in ("weight", "bias")
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Checked]:
        return iter(self.rows)

    def __repr__(self) -> str:
        found = ", ".join(f"{n} {verdict}" for verdict, n in self.verdicts.items())
        return f"<GradientCertificate of {counted(len(self), 'parameter')}: {found}>"

    def _lines(self) -> Iterator[str]:
        kinds = Counter(row.kind for row in self.rows)
        found = ", ".join(f"{n} {verdict}" for verdict, n in self.verdicts.items())
        yield f"gradient certificate: {'holds' if self.holds else 'DOES NOT HOLD'}; {found}"
        part = f" of {self.of}, drawn with seed {self.seed}" if self.seed is not None else ""
        yield (
            f"  checked   {counted(len(self), 'parameter')}{part}:"
            f" {counted(kinds['weight'], 'weight')}, {counted(kinds['bias'], 'bias')}"
        )
        yield from self.subject.lines()
        yield "  method    central differences in float64, Ridders' extrapolation, error estimated"
        exact = [row for row in self.rows if row.verdict == "exact"]
        if exact:
            largest = max(exact, key=lambda row: row.difference)
            yield (
                f"  largest   difference {largest.difference:.1e} (bound {largest.bound:.1e}) of"
                f" gradients up to {max(abs(row.analytic) for row in exact):.3g}; loss"
                f" {self.value:.6g}"
            )
        reasons = Counter((row.verdict, row.reason) for row in self.rows if row.verdict != "exact")
        for (verdict, reason), n in reasons.most_common(10):
            yield f"  {verdict:<9} {n}: {reason}"
        if self.rows:
            yield "  worst"
            yield from aligned(*self._columns())

    def _columns(self) -> tuple[list[str], list[list[str]]]:
        head = ["parameter", "analytic", "by differences", "difference", "bound", "verdict"]
        return head, [
            [
                "bias " * (row.kind == "bias") + row.who,
                f"{row.analytic:.9g}",
                f"{row.numeric:.9g}",
                f"{row.difference:.1e}",
                f"{row.bound:.1e}",
                row.verdict,
            ]
            for row in self.worst()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON if the names are."""
        return {
            "subject": asdict(self.subject),
            "holds": self.holds,
            "verdicts": self.verdicts,
            "loss": self.value,
            "parameters": self.of,
            "seed": self.seed,
            "rows": [asdict(row) | {"bound": row.bound} for row in self.rows],
        }

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each parameter (extra `pandas`)."""
        return frame([asdict(row) | {"bound": row.bound} for row in self.rows])


def _ratio(row: Checked) -> float:
    if not row.difference <= row.bound:  # NaN too
        return np.inf if not row.bound else row.difference / row.bound
    return row.difference / row.bound if row.bound else 0.0


# ---------------------------------------------------------------- engines


@dataclass(frozen=True)
class Agreement:
    """One quantity on two engines.

    Attributes
    ----------
    quantity : str
    numbers, same : int
        How many there are, and how many are the same bit for bit.
    ulps : float
        The largest difference in units of the last place of the two numbers: of the larger one.
    scaled : float
        The largest difference in units of the last place of the largest number of the quantity,
        or of 1 if that is larger.
    where : str
        Whose difference is `scaled`.
    """

    quantity: str
    numbers: int
    same: int
    ulps: float
    scaled: float
    where: str


@dataclass(frozen=True, repr=False)
class EngineCertificate(Certificate):
    """How far two engines are apart, in units of the last place.

    What `net.verify_engines` returns.

    Attributes
    ----------
    subject : Subject
    rows : tuple of Agreement
        States, outputs, deltas, gradients by weights, biases and inputs.
    bound : float
        What `scaled` may be: 1e-12 of the largest number in float64, 2e-4 in float32.
    """

    subject: Subject
    rows: tuple[Agreement, ...]
    bound: float

    @property
    def holds(self) -> bool:
        """Whether every quantity agrees within the bound."""
        return all(row.scaled <= self.bound for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Agreement]:
        return iter(self.rows)

    def __getitem__(self, quantity: str) -> Agreement:
        found = {row.quantity: row for row in self.rows}
        if quantity not in found:
            raise ParameterError(f"a quantity is one of {', '.join(found)}; got {quantity!r}")
        return found[quantity]

    def __repr__(self) -> str:
        worst = max((row.scaled for row in self.rows), default=0.0)
        return (
            f"<EngineCertificate: {'holds' if self.holds else 'fails'}, {worst:.3g} ulps at most>"
        )

    def _lines(self) -> Iterator[str]:
        yield (
            f"engine certificate: {'holds' if self.holds else 'DOES NOT HOLD'}; at most"
            f" {max(row.scaled for row in self.rows):.3g} units of the last place, of"
            f" {self.bound:.3g} allowed"
        )
        yield from self.subject.lines()
        yield "  ulps      of the numbers themselves, and of the largest number of the quantity"
        yield from aligned(*self._columns())

    def _columns(self) -> tuple[list[str], list[list[str]]]:
        head = ["quantity", "numbers", "same bits", "ulps", "of the largest", "where"]
        return head, [
            [row.quantity, str(row.numbers), str(row.same), f"{row.ulps:.3g}", f"{row.scaled:.3g}",
             row.where]
            for row in self.rows
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "subject": asdict(self.subject),
            "holds": self.holds,
            "bound": self.bound,
            "rows": [asdict(row) for row in self.rows],
        }

    def to_pandas(self) -> Any:
        """Return a DataFrame with a row for each quantity (extra `pandas`)."""
        return frame([asdict(row) for row in self.rows])


def frame(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a DataFrame."""
    try:
        import pandas
    except ImportError:
        raise ParameterError(
            "to_pandas needs pandas: pip install 'neurograph[pandas]'; or take to_dict()"
        ) from None
    return pandas.DataFrame(rows)


# ---------------------------------------------------------------- digests


def digest(*parts: Any) -> str:
    """Return the SHA-256 of arrays, with dtypes and shapes, and of texts."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype.str} {part.shape};".encode())
            found.update(np.ascontiguousarray(part).tobytes())
        else:
            found.update(f"{part!r};".encode())
    return found.hexdigest()


def digest_of(graph: NeuronGraph) -> str:
    """Return the SHA-256 of a network: names, structure, weights and biases, in order of insertion.

    Two networks of the same digest compute the same. States, gradients, your own attributes and
    what holds learning back play no part.
    """
    found, store = wiring(graph), graph._store
    ties = sorted(sorted(group.tolist()) for group in found.ties)
    return digest(
        *found.names,
        *(np.asarray(getattr(found, name), np.int64) for name in
          ("source", "target", "delay", "reads_state", "gater", "gate_delay", "inputs", "outputs")),
        *(found.activations[code] for code in found.activation.tolist()),
        ties,
        store.synapses.values("weight", store.synapses.alive()),
        store.neurons.values("bias", graph.neuron_ids()),
    )  # fmt: skip
