"""What a file of NIR says, checked: nodes, edges and the length of a step.

NIR is written as HDF5. It is read with h5py and not with NIR's own reader, which allocates whatever
a file asks for and reports damage by any exception.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from neurograph.errors import FormatError, ParameterError, suggest
from neurograph.io.files import is_text, shown
from neurograph.values import number

__all__ = ["DT", "DT_KEY", "MAX_NUMBERS", "Description", "Node", "describe", "step_length"]

DT = 1e-4  # seconds, the step that most tools of NIR take
DT_KEY = "dt"  # in the metadata of a graph
MAX_NUMBERS = 2**26  # in all arrays of a file, once they are decompressed
MAX_SIZE = 2**20  # of an input or an output, which have no arrays
MAX_NODES = 100_000  # and edges
MAX_NAME = 200
FIELDS = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Linear": ("weight",),
    "Affine": ("weight", "bias"),
    "Scale": ("scale",),
    "Delay": ("delay",),
    "Threshold": ("threshold",),
    "I": ("r",),
    "LI": ("tau", "r", "v_leak"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
}
HEAP = b"GCOL\x01\x00\x00\x00"  # how one begins, in version 1
SPIKING = ("IF", "LIF", "CubaLIF")
OTHERS = ("Conv1d", "Conv2d", "AvgPool2d", "SumPool2d", "Flatten", "NIRGraph")
HDF5_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError)


class Node(NamedTuple):
    """A node of a graph: its kind, its arrays, how many numbers go in and come out."""

    kind: str
    values: dict[str, np.ndarray]
    n_in: int
    n_out: int


class Description(NamedTuple):
    """A graph: nodes by name, edges, the length of a step if it is told, float64 or float32."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    dt: float | None
    dtype: str


def step_length(dt: Any) -> float:
    """Return the length of a step, checked."""
    found = number("dt", dt)
    if found <= 0:
        raise ParameterError(f"dt must be more than 0 seconds, got {shown(dt)}")
    return found


def describe(raw: bytes) -> Description:
    """Return what a file says.

    Raises
    ------
    FormatError
        Not a file of NIR, or a primitive that neurograph does not have.
    """
    import h5py

    _require_heaps(raw)
    try:
        with h5py.File(io.BytesIO(raw), "r") as file:
            return _Reader(file).graph()
    except FormatError:
        raise
    except HDF5_ERRORS as error:
        raise FormatError(f"not readable as HDF5: {shown(str(error))}") from None


def _require_heaps(raw: bytes) -> None:
    """Raise unless every heap of texts can be walked from object to object to its end.

    The HDF5 library (1.14) walks them without a look: an object of no size holds it for ever.
    Source: HDF5 file format specification 3.0, III.E, Disk Format: Level 1E - Global Heap.
    """
    at = raw.find(HEAP)
    while at >= 0:
        end = at + int.from_bytes(raw[at + 8 : at + 16], "little")
        here = at + 16
        while here + 16 <= min(end, len(raw)):
            size = int.from_bytes(raw[here + 8 : here + 16], "little")
            free = raw[here : here + 2] == b"\x00\x00"
            need = size if free else 16 + (size + 7) // 8 * 8
            if need < 16 or need > end - here:
                raise FormatError(f"not readable as HDF5: the heap at byte {at} is broken")
            here += need
        at = raw.find(HEAP, at + 4)


class _Reader:
    """Reads with a budget: all arrays of a file together have at most `MAX_NUMBERS` numbers."""

    def __init__(self, file: Any):
        self.file, self.left = file, MAX_NUMBERS
        self.dtypes: set[np.dtype] = set()

    def graph(self) -> Description:
        """Return the whole graph."""
        top = self._group(self.file, "", "node")
        kind = self._text(top, "node", "type")
        if kind != "NIRGraph":
            raise FormatError(f"node must be of type NIRGraph, got {shown(kind)}")
        group = self._group(top, "node", "nodes")
        if len(group) > MAX_NODES:
            raise FormatError(f"nodes are {len(group):,}, and {MAX_NODES:,} are the most")
        nodes = {}
        for name in group:
            if not is_text(name) or len(name) > MAX_NAME:
                raise FormatError(f"nodes has a name that is none: {shown(name)}")
            nodes[name] = self._node(group, name)
        edges = self._edges(top, nodes)
        single = {np.dtype("float32")}
        return Description(
            nodes, edges, self._dt(top), "float32" if self.dtypes == single else "float64"
        )

    def _node(self, nodes: Any, name: str) -> Node:
        where = f"nodes.{name}"
        group = self._group(nodes, "nodes", name)
        kind = self._text(group, where, "type")
        if kind in SPIKING:
            raise FormatError(
                f"{where} is {kind}, a spiking neuron that is reset, which neurograph has not"
            )
        if kind not in FIELDS:
            what = (
                "which is not read" if kind in OTHERS else f"no primitive.{suggest(kind, FIELDS)}"
            )
            raise FormatError(f"{where} is {shown(kind)}, {what}; read are {', '.join(FIELDS)}")
        keys = [key for key in FIELDS[kind] if key != "w_in" or key in group]
        values = {key: self._array(group, where, key) for key in keys}
        if kind == "CubaLI" and values.get("w_in", np.ones(1)).size == 1:  # one for all, or 1
            values["w_in"] = np.full(values["r"].shape, values.get("w_in", np.ones(1)).item())
        return SHAPES.get(kind, _elementwise)(kind, values, where)

    def _edges(self, top: Any, nodes: dict[str, Node]) -> list[tuple[str, str]]:
        found = self._dataset(top, "node", "edges")
        pairs = found.ndim == 2 and found.shape[1] == 2 and found.shape[0] <= MAX_NODES
        if not pairs and found.size:
            raise FormatError(f"edges must be pairs of names, got an array of {shown(found.shape)}")
        made: dict[tuple[str, str], None] = {}
        for n, pair in enumerate(found[()].tolist() if found.size else []):
            u, v = (_decoded(end, f"edges[{n}]") for end in pair)
            for end in (u, v):
                if end not in nodes:
                    raise FormatError(
                        f"edges[{n}]: no node {shown(end)}.{suggest(end[:MAX_NAME], nodes)}"
                    )
            if (u, v) in made:
                raise FormatError(f"edges[{n}] is there twice: {shown(u)} -> {shown(v)}")
            if nodes[u].kind == "Output" or nodes[v].kind == "Input":
                raise FormatError(f"edges[{n}] leaves an Output or enters an Input")
            if nodes[u].n_out != nodes[v].n_in:
                raise FormatError(
                    f"edges[{n}]: {shown(u)} gives {nodes[u].n_out} numbers, but {shown(v)} takes"
                    f" {nodes[v].n_in}"
                )
            made[u, v] = None
        return list(made)

    def _dt(self, top: Any) -> float | None:
        """Return the length of a step, if the metadata tell it."""
        if "metadata" not in top:
            return None
        metadata = self._group(top, "node", "metadata")
        if DT_KEY not in metadata:
            return None
        found = self._array(metadata, "metadata", DT_KEY)
        if found.size != 1 or not found.ravel()[0] > 0:
            raise FormatError("metadata.dt must be one number, more than 0")
        return float(found.ravel()[0])

    def _group(self, parent: Any, where: str, key: str) -> Any:
        import h5py

        found = self._member(parent, where, key)
        if not isinstance(found, h5py.Group):
            raise FormatError(f"{f'{where}.{key}'.lstrip('.')} must be a group")
        return found

    def _member(self, parent: Any, where: str, key: str) -> Any:
        """Return a member of a group that lies in this very file."""
        import h5py

        if key not in parent:
            raise FormatError(f"{where or 'the file'} has no {shown(key)}")
        if not isinstance(parent.get(key, getlink=True), h5py.HardLink):
            raise FormatError(f"{where}.{key} is a link to somewhere else, which is not followed")
        return parent[key]

    def _dataset(self, parent: Any, where: str, key: str) -> Any:
        """Return an array that is not yet read, if there is room for it."""
        import h5py

        found = self._member(parent, where, key)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise FormatError(f"{where}.{key} must be an array")
        if found.is_virtual or found.external:
            raise FormatError(f"{where}.{key} lies in another file, which is not read")
        self.left -= max(math.prod(found.shape), math.prod(found.chunks or ()))
        if self.left < 0 or found.dtype.itemsize > MAX_NAME:
            raise FormatError(f"{where}.{key}: arrays have more than {MAX_NUMBERS:,} numbers")
        return found

    def _array(self, parent: Any, where: str, key: str) -> np.ndarray:
        """Return an array of finite numbers."""
        found = self._dataset(parent, where, key)
        if found.dtype.kind not in "fiu":
            raise FormatError(f"{where}.{key} must hold numbers, got {found.dtype}")
        if found.dtype.kind == "f" and parent.name != "/node/metadata":
            self.dtypes.add(found.dtype.newbyteorder("="))
        with np.errstate(over="ignore"):
            values = np.asarray(found[()]).astype(float)
        if not np.isfinite(values).all():
            raise FormatError(f"{where}.{key} holds a number that is not finite")
        return values

    def _text(self, parent: Any, where: str, key: str) -> str:
        found = self._dataset(parent, where, key)
        if found.shape != ():
            raise FormatError(f"{where}.{key} must be a text")
        return _decoded(found[()], f"{where}.{key}")


def _decoded(value: Any, where: str) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise FormatError(f"{where} must be a text in UTF-8, got {shown(value)}") from None


# ---------------------------------------------------------------- which shapes fit


def _port(kind: str, values: dict[str, np.ndarray], where: str) -> Node:
    """Return an input or an output, whose size is the product of its shape."""
    shape = values["shape"].ravel()
    if not ((shape >= 1) & (shape <= MAX_SIZE) & (shape == np.floor(shape))).all() or not len(
        shape
    ):
        raise FormatError(f"{where}.shape must hold whole numbers of 1 or more")
    size = math.prod(shape.astype(int).tolist())
    if size > MAX_SIZE:
        raise FormatError(f"{where} has more than {MAX_SIZE:,} neurons")
    return Node(kind, {}, size, size)


def _matrix(kind: str, values: dict[str, np.ndarray], where: str) -> Node:
    """Return a linear map."""
    weight = values["weight"]
    if weight.ndim != 2 or not weight.size:
        raise FormatError(f"{where}.weight must be a matrix, got shape {shown(weight.shape)}")
    n_out, n_in = weight.shape
    values = {**values, "bias": values.get("bias", np.zeros(n_out)).ravel()}
    if values["bias"].shape != (n_out,):
        raise FormatError(f"{where}.bias must have {n_out} numbers, got {values['bias'].size}")
    return Node(kind, values, n_in, n_out)


def _elementwise(kind: str, values: dict[str, np.ndarray], where: str) -> Node:
    """Return a node with so many numbers in each array as go in and come out."""
    sizes = {array.size for array in values.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise FormatError(f"{where}: {', '.join(values)} must have the same shape")
    return Node(kind, {key: array.ravel() for key, array in values.items()}, *sizes, *sizes)


SHAPES: dict[str, Callable[[str, dict[str, np.ndarray], str], Node]] = {
    "Input": _port,
    "Output": _port,
    "Linear": _matrix,
    "Affine": _matrix,
}
