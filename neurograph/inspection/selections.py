"""`Selection`: some neurons or synapses of a network, to read, change and remove at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from neurograph.elements import Neuron
from neurograph.errors import DetachedError, ParameterError, ShapeError, suggest
from neurograph.graph import NeuronGraph
from neurograph.inspection.assignment import assign
from neurograph.inspection.columns import Columns, Labels
from neurograph.inspection.evaluation import chosen
from neurograph.table import GONE, Handle, Table

__all__ = ["Selection"]


class Selection:
    """Some neurons, or some synapses, of one network, in networkx's order.

    `net.neurons` and `net.synapses` are all that there are, at any time. Any other selection is
    what it was when it was made: it knows its elements by their ids, so it outlives every edit.
    Once one of them is removed, all but `len`, `repr` and `attached` raises `DetachedError`.

    Every parameter is an attribute, an array with an entry for each element (a snapshot), and can
    be set, to one value or to one for each. The user's own attributes are items:
    ``selection["colour"]``.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.perceptron(2, 3, 1, seed=0)
    >>> first = net.synapses.query("source == 'input.0'")
    >>> first
    <Selection of 3 synapses>
    >>> first.weight = [0.1, 0.2, 0.3]
    >>> first.weight, net.edges["input.0", "hidden.1"].weight
    (array([0.1, 0.2, 0.3]), 0.2)
    >>> large = net.synapses.query("abs(weight) > 0.25")
    >>> (first & large).target
    array(['hidden.2'], dtype=object)
    >>> (first - large).trainable = False
    >>> len(first | large) == len(first) + len(large) - 1
    True
    """

    __slots__ = ("_fixed", "_graph", "_kind")
    __hash__ = None  # type: ignore[assignment]
    _fixed: np.ndarray | None
    _graph: NeuronGraph
    _kind: type[Handle]

    def __init__(self, graph: NeuronGraph, kind: type[Handle], ids: np.ndarray | None = None):
        for name, value in (("_graph", graph), ("_kind", kind), ("_fixed", ids)):
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple:
        return type(self), (self._graph, self._kind, self._fixed)

    # ------------------------------------------------------------ which they are

    @property
    def _neurons(self) -> bool:
        return issubclass(self._kind, Neuron)

    @property
    def _root(self) -> NeuronGraph:
        """The network whose numbers these are: that behind a view."""
        return self._graph._root()

    @property
    def _table(self) -> Table:
        store = self._root._store
        return store.neurons if self._neurons else store.synapses

    @property
    def _all(self) -> np.ndarray:
        """Ids of all that the network has now, in networkx's order."""
        graph = self._graph
        if graph is not self._root:
            nodes = (d for _, d in graph.nodes(data=True))
            edges = (d for _, _, d in graph.edges(data=True))
            return np.array([d._id for d in (nodes if self._neurons else edges)], np.int64)
        return graph.neuron_ids() if self._neurons else graph.synapse_ids()

    @property
    def _ids(self) -> np.ndarray:
        """Ids of the elements, in networkx's order; `DetachedError` if one was removed."""
        if self._fixed is None:
            return self._all
        gone = self._gone()
        if gone:
            raise DetachedError(
                f"{gone} of the {_count(self._fixed, self._kind)} of this selection"
                f" {'was' if gone == 1 else 'were'} removed; selection.attached has the others"
            )
        return self._fixed

    def _gone(self) -> int:
        return 0 if self._fixed is None else int((self._table.row_of[self._fixed] == GONE).sum())

    def _some(self, ids: np.ndarray) -> Selection:
        return Selection(self._graph, self._kind, ids)

    def _in_order(self, wanted: np.ndarray) -> Selection:
        """Return those whose ids are marked, in networkx's order."""
        ids = self._all
        return self._some(ids[wanted[ids]])

    def _marked(self, *ids: np.ndarray) -> np.ndarray:
        found = np.zeros(max(1, self._table.ids), bool)
        for some in ids:
            found[some] = True
        return found

    @property
    def attached(self) -> Selection:
        """Those that were not removed since."""
        if not self._gone():
            return self
        assert self._fixed is not None
        return self._some(self._fixed[self._table.row_of[self._fixed] != GONE])

    # ------------------------------------------------------------ a sequence

    def __len__(self) -> int:
        if self._fixed is not None:
            return len(self._fixed)
        return len(self._graph) if self._neurons else self._graph.number_of_edges()

    def __iter__(self) -> Iterator:
        if self._fixed is not None:
            return iter(self._root.handles(self._kind, self._ids))
        if self._neurons:
            return iter(dict(self._graph.nodes).values())
        return (d for _, _, d in self._graph.edges(data=True))

    def __contains__(self, handle: object) -> bool:
        if not isinstance(handle, Handle) or handle._home is not self._table:
            return False
        return bool((self._ids == handle._id).any())

    def __getitem__(self, key: Any) -> Any:
        """Return one element, those of a mask or slice, or the user's own attribute `key`.

        Parameters
        ----------
        key : int, slice, (n,) bool array, rising ints, or str
        """
        if isinstance(key, str):
            try:
                return _plain(self._columns().get(key))
            except KeyError:
                raise KeyError(key) from None
        ids = self._ids
        if isinstance(key, slice):
            return self._some(ids[key] if (key.step or 1) > 0 else ids[key][::-1])
        at = np.asarray(key) if np.size(key) else np.zeros(np.shape(key), int)
        if at.dtype == bool and at.shape != ids.shape:
            raise ShapeError(f"a mask of this selection has shape {ids.shape}, not {at.shape}")
        if at.dtype.kind not in "biu" or at.ndim > 1:
            raise ParameterError(
                f"a selection is indexed by a place, a mask, a slice or places; got {key!r:.80}"
            )
        if not at.ndim:
            if not -len(ids) <= at < len(ids):
                raise IndexError(f"there is no element {at} in {self!r}")
            return self._root.handles(self._kind, ids[at : at + 1 or None])[0]
        if at.dtype != bool:
            if len(at) and not -len(ids) <= at.min() <= at.max() < len(ids):
                raise IndexError(f"there is no element {at.min()} or {at.max()} in {self!r}")
            at = np.where(at < 0, at + len(ids), at)
            if (np.diff(at) <= 0).any():
                raise ParameterError("places must rise: a selection keeps networkx's order")
        return self._some(ids[at])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        same = self._table is other._table
        return same and np.array_equal(self._known(), other._known())

    def _known(self) -> np.ndarray:
        return self._all if self._fixed is None else self._fixed

    def __repr__(self) -> str:
        gone = self._gone()
        removed = f", {gone} of them removed" if gone else ""
        return f"<Selection of {_count(self, self._kind)}{removed}>"

    def __dir__(self) -> list[str]:
        return sorted([*object.__dir__(self), *self._kind.columns])

    # ------------------------------------------------------------ sets

    def __or__(self, other: Any) -> Selection:
        """Return those in this selection, in `other`, or in both."""
        return self._in_order(self._marked(self._ids, self._ids_of(other)))

    def __and__(self, other: Any) -> Selection:
        """Return those in both."""
        ids = self._ids
        return self._some(ids[self._marked(self._ids_of(other))[ids]])

    def __sub__(self, other: Any) -> Selection:
        """Return those that are not in `other`."""
        ids = self._ids
        return self._some(ids[~self._marked(self._ids_of(other))[ids]])

    def __xor__(self, other: Any) -> Selection:
        """Return those in one of the two."""
        return self._in_order(self._marked(self._ids) ^ self._marked(self._ids_of(other)))

    def __invert__(self) -> Selection:
        """Return all others of the network, as it is now."""
        return self._in_order(~self._marked(self._known()))

    __ror__, __rand__, __rxor__ = __or__, __and__, __xor__

    def _ids_of(self, other: Any) -> np.ndarray:
        """Return the ids of what a selection is joined with."""
        if isinstance(other, Selection):
            if other._neurons != self._neurons:
                raise ParameterError("neurons and synapses are not joined in one selection")
            if other._root is not self._root:
                raise ParameterError(f"{other!r} belongs to another network")
            return other._ids
        handles = [other] if isinstance(other, Handle) else other
        if not isinstance(handles, Iterable):
            raise ParameterError(f"a selection is joined with others, not with {other!r:.80}")
        take = self._root.neuron if self._neurons else self._root.own
        return np.array([take(handle)._id for handle in handles], np.int64)

    # ------------------------------------------------------------ neighbours

    def _require(self, neurons: bool, name: str) -> None:
        if self._neurons != neurons:
            self._unknown(name)

    def _synapses_where(self, end: str) -> Selection:
        self._require(True, {"target": "incoming", "source": "outgoing", "gater": "gated"}[end])
        every = Selection(self._root, self._root.edge_attr_dict_factory)
        ids = every._ids
        ends = every._table.values(end, ids)
        return every._some(ids[np.append(self._marked(self._ids), False)[ends]])

    def _neurons_at(self, end: str) -> Selection:
        self._require(False, f"{end}s")
        every = Selection(self._root, self._root.node_attr_dict_factory)
        ends = self._table.values(end, self._ids)
        return every._in_order(every._marked(ends[ends >= 0]))

    @property
    def incoming(self) -> Selection:
        """The synapses that end in these neurons."""
        return self._synapses_where("target")

    @property
    def outgoing(self) -> Selection:
        """The synapses that start in these neurons."""
        return self._synapses_where("source")

    @property
    def gated(self) -> Selection:
        """The synapses that these neurons gate."""
        return self._synapses_where("gater")

    @property
    def sources(self) -> Selection:
        """The neurons in which these synapses start."""
        return self._neurons_at("source")

    @property
    def targets(self) -> Selection:
        """The neurons in which these synapses end."""
        return self._neurons_at("target")

    @property
    def gaters(self) -> Selection:
        """The neurons that gate these synapses."""
        return self._neurons_at("gater")

    # ------------------------------------------------------------ values

    def _columns(self) -> Columns:
        return Columns(self._root, self._kind, self._ids)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_"):
            raise AttributeError(name)
        columns = self._columns()
        if name not in columns.names:
            self._unknown(name)
        return _plain(columns.get(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._kind.columns:
            if name in (*Columns(self._root, self._kind, self._all[:0]).names, *vars(Selection)):
                raise AttributeError(f"{name!r} of a selection can be read, not set")
            self._unknown(name)
        if self._kind.columns[name].encode is None:
            raise AttributeError(f"{name!r} of a selection can be read, not set")
        assign(self._graph, self._kind, self._ids, name, value)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set a parameter or the user's own attribute `key`: one value, or a list of as many."""
        if key in self._kind.columns:
            setattr(self, key, value)
        else:
            assign(self._graph, self._kind, self._ids, key, value)

    def _unknown(self, name: str) -> NoReturn:
        what = "neurons" if self._neurons else "synapses"
        known = [*self._kind.columns, *(n for n in vars(Selection) if not n.startswith("_"))]
        raise AttributeError(
            f"a selection of {what} has no {name!r}.{suggest(name, known)} Your own attributes are"
            f" items: selection[{name!r}]"
        )

    # ------------------------------------------------------------ what one does with them

    def query(self, text: str, /, **given: Any) -> Selection:
        """Return those of which a condition is true.

        Parameters
        ----------
        text : str
            Columns, numbers, texts; ``+ - * / // % **``; ``== != < <= > >=``, chained too; ``in``
            and ``not in`` a list; ``and or not``; functions, see docs/queries.md. ``source.bias``
            is the bias of the neuron where a synapse starts; ``target.`` and ``gater.``
            likewise. Nothing is executed.
        **given
            What stands for ``@name`` in the text.

        Returns
        -------
        Selection

        Raises
        ------
        ParameterError
            The text is no condition, or names what is not there; the place is shown.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 3, 1, seed=0)
        >>> net.synapses.query("target == 'output.0' and 0 < weight < @most", most=9.0)
        <Selection of ... synapse...>
        >>> net.synapses.query("wieght > 0")
        Traceback (most recent call last):
        neurograph.errors.ParameterError: query: unknown column 'wieght'. Did you mean 'weight'?
          wieght > 0
          ^
        """
        ids, table = self._ids, self._table
        whole = len(ids) == table.live == table.rows
        if whole and not any(isinstance(value, (list, np.ndarray)) for value in given.values()):
            # In the order of rows nothing has to be gathered but the answer.
            true = chosen(Columns(self._root, self._kind), text, given).take(table.row_of[ids])
        else:
            true = chosen(self._columns(), text, given)
        return self._some(ids[np.flatnonzero(true)])

    def to_numpy(self) -> np.ndarray:
        """Return all columns as a structured array, a record for each element.

        Numbers keep their dtype; names, words and what is not there (None) are objects.
        """
        table = {str(name): array for name, array in self._columns().table_of_all().items()}
        found = np.empty(len(self), [(name, array.dtype) for name, array in table.items()])
        for name, array in table.items():
            found[name] = array
        return found

    def to_pandas(self) -> Any:
        """Return all columns as a pandas DataFrame, a row for each element (extra `pandas`).

        Raises
        ------
        ImportError
            pandas is not installed; `to_numpy` gives the same without it.

        Examples
        --------
        >>> import neurograph as ng
        >>> net = ng.perceptron(2, 1, seed=0)
        >>> net.synapses.to_pandas()[["source", "target", "grad"]]
            source    target  grad
        0  input.0  output.0   0.0
        1  input.1  output.0   0.0
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas: pip install 'neurograph[pandas]'; to_numpy gives the same"
                " as a structured array"
            ) from error
        return DataFrame(self._columns().table_of_all())

    def remove(self) -> None:
        """Remove them from the network; neurons with all their synapses.

        The handles keep the last values, and this selection raises `DetachedError` from now on.
        """
        graph = self._graph
        graph.require_own()
        store, ids = graph._store, self._ids
        if self._neurons:
            graph.remove_nodes_from([store.names[id] for id in ids.tolist()])
        else:
            ends = (store.synapses.values(end, ids).tolist() for end in ("source", "target"))
            names = store.names
            graph.remove_edges_from([(names[u], names[v]) for u, v in zip(*ends, strict=True)])


def _plain(column: np.ndarray | Labels) -> np.ndarray:
    return column.objects() if isinstance(column, Labels) else column


def _count(elements: Any, kind: type) -> str:
    n, what = len(elements), "neuron" if issubclass(kind, Neuron) else "synapse"
    return f"{n} {what}{'s' * (n != 1)}"
