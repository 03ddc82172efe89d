"""Struct-of-arrays storage, and the dict-like handles onto its rows.

A `Table` keeps every number once, in columns; a `Handle` is what networkx holds as the
attribute mapping of a node or an edge. The handle knows a stable id, the table maps ids to
rows, so that rows can be brought into plan order without touching a handle.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from neurograph.errors import DetachedError, ParameterError, room_for
from neurograph.sweeps import taken
from neurograph.ties import Ties
from neurograph.values import MAX_ROWS

__all__ = ["FLOAT", "SLOT", "Column", "Handle", "Items", "SharedColumn", "Table"]

GONE = -1
FLOAT = "float"  # dtype of a column that takes the network's


# ---------------------------------------------------------------- columns


class Column:
    """One attribute of a handle, kept in one array of its table.

    `shared`: a tie group has one value of it.

    Parameters
    ----------
    default : number
        Stored value of a row that says nothing.
    dtype : dtype
        Of the array; `FLOAT` is the dtype of the network.
    encode : callable, optional
        (name, value given by the user) -> stored value, or a `ParameterError`. Without it
        the attribute is read-only.
    decode : callable, optional
        (store, stored value) -> what the user sees.
    key : bool
        Whether it is a parameter: a key of the mapping wherever it differs from the default.
    structural : bool
        Whether a change makes the plan stale.
    """

    shared = False

    def __init__(
        self,
        default: Any,
        dtype: Any = FLOAT,
        encode: Callable | None = None,
        decode: Callable | None = None,
        *,
        key: bool = True,
        structural: bool = False,
        doc: str = "",
    ):
        self.default, self.dtype = default, dtype
        self.encode, self.decode = encode, decode
        self.key, self.structural = key, structural
        self.shown = default if decode is None else decode(None, default)
        self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, handle: Handle | None, owner: type | None = None) -> Any:
        return self if handle is None else handle._home.read(handle._id, self)

    def __set__(self, handle: Handle, value: Any) -> None:
        if self.encode is None:
            raise AttributeError(f"{self.name!r} of {handle} can be read, not set")
        if value is None:
            del handle[self.name]  # None means "not given": back to the default
        else:
            handle.update({self.name: value})

    def load(self, table: Table, id: int) -> Any:
        """Return what the user sees."""
        array = table.arrays.get(self.name)
        stored = self.default if array is None else array[table.row_of[id]].item()
        return stored if self.decode is None else self.decode(table.store, stored)

    def save(self, table: Table, id: int, stored: Any) -> None:
        """Write an encoded value."""
        if self.name in table.arrays or stored != self.default:
            table.array(self.name)[table.row_of[id]] = stored


class SharedColumn(Column):
    """A column whose value is shared by the rows of a tie group."""

    shared = True

    def save(self, table: Table, id: int, stored: Any) -> None:
        """Write an encoded value to the whole group."""
        rows = table.row_of[table.ties.members(id)] if id in table.ties.group else table.row_of[id]
        if self.name in table.arrays or stored != self.default:
            table.array(self.name)[rows] = stored


# What an optimizer keeps of each parameter: columns that no handle shows.
SLOT = "optimizer "
_slot = Column(0.0, key=False)


# ---------------------------------------------------------------- tables


class Table:
    """Growable columns of equal length, and the row of every id.

    Columns that nobody has written are not allocated. `arrays[name]` is replaced when the
    table grows or is arranged anew: fetch it again after an edit.

    Attributes
    ----------
    arrays : dict of str to (capacity,) array
    row_of : (capacity,) int32
        Row of each id, `GONE` for one that was removed. Ids grow with time and are never
        used twice, so their order is the order of insertion.
    rows, live, ids : int
        Rows in use (gaps included), rows that are alive, ids given out.
    own : dict of int to dict
        The user's own attributes of the few ids that have some.
    """

    def __init__(self, store: Any, row_type: type[Handle]):
        self.store = store
        self.row_type = row_type
        self.arrays: dict[str, np.ndarray] = {}
        self.row_of = np.full(8, GONE, np.int32)
        self.capacity = 8
        self.rows = self.live = self.ids = 0
        self.ties = Ties()
        self.own: dict[int, dict] = {}

    @property
    def token(self) -> int:
        """Number of the store."""
        return self.store.token

    @property
    def schema(self) -> dict[str, Column]:
        """The columns that a row has, by name."""
        return self.row_type.columns

    def column(self, name: str) -> Column:
        """Return what a column of this name holds."""
        return _slot if name.startswith(SLOT) else self.schema[name]

    def read(self, id: int, column: Column) -> Any:
        """Return the value of one attribute as the user sees it."""
        return column.load(self, id)

    def array(self, name: str) -> np.ndarray:
        """Return the column `name`, a view on all rows in use; made if nobody had one."""
        if name not in self.arrays:
            column = self.column(name)
            dtype = np.dtype(self.store.dtype if column.dtype is FLOAT else column.dtype)
            with room_for(f"{self.capacity} rows of {name}", self.capacity * dtype.itemsize):
                self.arrays[name] = np.full(self.capacity, column.default, dtype)
        return self.arrays[name][: self.rows]

    def values(self, name: str, ids: np.ndarray) -> np.ndarray:
        """Return a snapshot of one column for many ids."""
        if name in self.arrays:
            return self.arrays[name][self.row_of[ids]]
        column = self.schema[name]
        dtype = self.store.dtype if column.dtype is FLOAT else column.dtype
        return np.full(len(ids), column.default, dtype)

    def append(self, n: int = 1) -> int:
        """Add `n` rows of defaults; return the first of their ids, which are consecutive."""
        if self.rows + n > self.capacity:
            self._grow(self.rows + n)
        first = self.burn(n)
        self.row_of[first : first + n] = np.arange(self.rows, self.rows + n, dtype=np.int32)
        self.rows += n
        self.live += n
        return first

    def _grow(self, n: int) -> None:
        if n > MAX_ROWS:
            raise ParameterError(f"a network holds at most {MAX_ROWS} synapses or neurons, not {n}")
        capacity = max(2 * self.capacity, n)
        size = capacity * sum(array.itemsize for array in self.arrays.values())
        with room_for(f"{capacity} rows of {', '.join(self.arrays)}", size):
            larger = {
                name: np.full(capacity, self.column(name).default, array.dtype)
                for name, array in self.arrays.items()
            }
        for name, array in self.arrays.items():
            larger[name][: self.rows] = array[: self.rows]
        self.arrays, self.capacity = larger, capacity

    def burn(self, n: int = 1) -> int:
        """Give out `n` ids that have no row."""
        first, needed = self.ids, self.ids + n
        if needed > MAX_ROWS:
            raise ParameterError(
                f"a network gives out at most {MAX_ROWS} ids, also to what was removed since;"
                " net.copy() keeps them, a new network made from its nodes and edges starts anew"
            )
        if needed > len(self.row_of):
            capacity = max(2 * len(self.row_of), needed)
            with room_for(f"{capacity} ids", 4 * capacity):
                larger = np.full(capacity, GONE, np.int32)
            larger[:first] = self.row_of[:first]
            self.row_of = larger
        self.ids = needed
        return first

    def slots(self) -> list[str]:
        """Return the names of the columns that an optimizer keeps."""
        return [name for name in self.arrays if name.startswith(SLOT)]

    def share_slots(self, id: int) -> None:
        """Give what an optimizer keeps of `id` to all that are tied to it."""
        rows = self.row_of[self.ties.members(id)]
        for slot in self.slots():
            self.array(slot)[rows] = self.array(slot)[self.row_of[id]]

    def release(self, id: int) -> None:
        """Forget the row of `id`; it stays a gap until the next `arrange`."""
        self.row_of[id] = GONE
        self.live -= 1
        self.ties.leave(id)
        self.own.pop(id, None)

    def alive(self) -> np.ndarray:
        """Return all ids that have a row, in order of insertion."""
        return np.flatnonzero(self.row_of[: self.ids] != GONE)

    def rows_alive(self) -> np.ndarray:
        """Return the rows of all ids that have one, in order of insertion."""
        rows = self.row_of[: self.ids]
        return rows if self.live == self.ids else rows[rows != GONE]

    def arrange(self, order: np.ndarray) -> None:
        """Bring the rows into an order, given by positions in `alive()`, without gaps."""
        ids = order if self.live == self.ids else self.alive()[order]
        rows = taken(self.row_of, ids)
        if len(rows) == self.rows and (rows[1:] > rows[:-1]).all():
            return  # they are all there, and in this order
        rows = rows.view(np.uint32)
        for name, array in self.arrays.items():  # one by one, so that each old one goes
            self.arrays[name] = taken(array, rows)
        self.row_of[ids] = np.arange(len(ids), dtype=np.int32)
        self.rows = self.capacity = len(ids)

    def copy(self, store: Any) -> Table:
        """Return the same rows and ids for another store."""
        twin = object.__new__(Table)
        twin.__dict__.update(self.__dict__)
        twin.store, twin.ties, twin.row_of = store, self.ties.copy(), self.row_of.copy()
        twin.arrays = {name: array.copy() for name, array in self.arrays.items()}
        twin.own = {}  # the graph that asks knows how deep to copy them
        return twin


class Removed:
    """What is left of a row: its last values, for reading only."""

    __slots__ = ("own", "token", "values", "what")

    def __init__(self, handle: Handle):
        self.what, self.token = str(handle), handle.token
        self.own = {handle._id: handle._own} if handle._own else {}
        self.values = {name: getattr(handle, name) for name in handle.columns}
        self.values |= {name: getattr(handle, name) for name in handle.remembered}

    def read(self, id: int, column: Column) -> Any:
        """Return the last value of one attribute."""
        return self.values[column.name]


# ---------------------------------------------------------------- handles


class Handle(MutableMapping):
    """One row of a table: a mutable mapping for networkx, with attributes for people.

    Keys are the parameters, where they differ from the default, and the user's own
    attributes. Two handles of one network are equal only if they are the same object, so
    that they can stand in lists; anything else compares by its items.
    """

    __slots__ = ("_home", "_id")  # a million synapses have a handle each: no third slot
    columns: ClassVar[dict[str, Column]] = {}
    keyed: ClassVar[dict[str, Column]] = {}
    remembered: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = {k: v for k, v in vars(cls).items() if isinstance(v, Column)}
        cls.columns = {**cls.columns, **own}
        cls.keyed = {k: v for k, v in cls.columns.items() if v.key}

    def __init__(self, home: Any, id: int):
        self._home, self._id = home, id

    @property
    def _own(self) -> dict:
        """The user's own attributes."""
        return self._home.own.get(self._id, {})

    @_own.setter
    def _own(self, attributes: dict) -> None:
        if attributes:
            self._home.own[self._id] = attributes
        else:
            self._home.own.pop(self._id, None)

    gater_id: ClassVar[Any] = None  # of a synapse

    @property
    def detached(self) -> bool:
        """Whether the neuron or synapse was removed from its network."""
        return isinstance(self._home, Removed)

    def require_attached(self) -> None:
        """Raise `DetachedError` if the neuron or synapse was removed."""
        if self.detached:
            raise DetachedError(
                f"{self._home.what} is no longer part of a network: its last values can be read,"
                " but not changed. Look it up again, or add it anew"
            )

    @property
    def token(self) -> int:
        """Number of the store, present or past, that no other store in this process has."""
        return self._home.token

    def detach(self) -> None:
        """Keep the last values and give the row back."""
        table, self._home = self._home, Removed(self)
        table.release(self._id)

    # -- to be filled in by Neuron and Synapse

    def default(self, column: Column) -> Any:
        """Return the value, as the user sees it, at which a parameter is not a key."""
        return column.shown

    def encoded(self, attributes: Mapping) -> tuple[dict[Column, Any], dict]:
        """Return stored values for the parameters among `attributes`, and the user's own."""
        raise NotImplementedError

    # -- the mapping

    def __getitem__(self, key: Any) -> Any:
        column = self.keyed.get(key)
        if column is None:
            return self._own[key]
        value = self._home.read(self._id, column)
        if column.name != self.always and value == self.default(column):
            raise KeyError(key)
        return value

    always: ClassVar[str] = ""  # the one parameter that is a key whatever its value

    def __iter__(self) -> Iterator:
        for name, column in self.keyed.items():
            if name == self.always or self._home.read(self._id, column) != self.default(column):
                yield name
        yield from self._own

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: Any) -> None:
        self.require_attached()
        column = self.keyed.get(key)
        if column is None:
            del self._own[key]
        else:
            self.update({key: None})

    def update(self, *mappings: Any, **attributes: Any) -> None:
        """Set many keys at once: all of them, or none if one is not valid."""
        merged = dict(*mappings, **attributes)
        if not merged:
            return
        self.require_attached()
        guard, me = self._home.store.guard, get_ident()
        outer = guard.user
        if outer and outer != me:
            outer = guard.refuse(me, f"{self} cannot change now")
        guard.user = me
        try:
            self.apply(*self.encoded(merged))
        finally:
            guard.user = outer

    def apply(self, values: dict[Column, Any], own: dict) -> None:
        """Write encoded values; nothing can go wrong any more."""
        table = self._home
        for column, stored in values.items():
            column.save(table, self._id, stored)
            table.store.touch(column)
        if own:
            self._own = {**self._own, **own}

    def clear(self) -> None:
        """Set every parameter back to its default and drop the user's own attributes."""
        self.require_attached()
        self.update({key: None for key in self if key in self.keyed and key != self.always})
        self._own = {}

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Handle) and other._home is self._home:
            return False
        return isinstance(other, Mapping) and dict(self) == dict(other)

    def copy(self) -> Items:
        """Return the items as a dict, ready for another network."""
        return Items(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict) -> Any:
        """Return the twin in a network that is being copied too, else the items."""
        graph = None if self.detached else self._home.store._graph()
        if id(graph) in memo:
            return self.twin(memo[id(graph)])
        return deepcopy(dict(self), memo)

    def twin(self, graph: Any) -> Handle:
        """Return the handle that stands in this one's place in a copy of its graph."""
        raise NotImplementedError


class Items(dict):
    """The items of a handle, and where they come from.

    Networkx renames neurons by copying items under new names; with their origin known, a
    gate still finds its gater (see `NeuronGraph.add_edges_from`).
    """

    def __init__(self, handle: Handle):
        super().__init__(handle)
        self.token, self.id, self.gater_id = handle.token, handle._id, handle.gater_id
        self.gater = self.get("gater")  # it is a dict: users may name another one
