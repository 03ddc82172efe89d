"""Ties: groups of synapses that share one weight."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from typing import ClassVar

__all__ = ["Ties"]


class Ties:
    """Groups of synapses that share one weight: synapse id -> group, an ordered list of ids.

    A group has a label, so that networkx can carry it from graph to graph as an attribute.
    A label that comes with a synapse of another network is translated on arrival, if it is
    taken, so that groups of two networks never merge by accident.
    """

    _fresh: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self) -> None:
        self.group: dict[int, Hashable] = {}
        self.ids: dict[Hashable, list[int]] = {}
        self._arrived: dict[tuple[int, Hashable], Hashable] = {}

    def members(self, id: int) -> list[int]:
        """Return the ids of the group of `id`, itself included."""
        return self.ids[self.group[id]]

    def new(self) -> Hashable:
        """Return the label of a new, empty group."""
        label = next(f"tie-{n}" for n in self._fresh if f"tie-{n}" not in self.ids)
        return self.local(label)

    def local(self, label: Hashable, origin: int | None = None) -> Hashable:
        """Return this network's label of a group, making the group if there is none.

        Parameters
        ----------
        label : hashable
            What it is called where it comes from.
        origin : int, optional
            Token of the store it comes from; this one unless given.
        """
        if origin is None:
            self.ids.setdefault(label, [])
            return label
        if (origin, label) not in self._arrived:
            found = self.new() if label in self.ids else self.local(label)
            self._arrived[origin, label] = found
        return self._arrived[origin, label]

    def join(self, id: int, label: Hashable) -> None:
        """Put synapse `id` into the group `label`, out of any other."""
        if self.group.get(id) != label:
            self.leave(id)
            self.group[id] = label
            self.ids[label].append(id)

    def leave(self, id: int) -> None:
        """Take synapse `id` out of its group, if it has one."""
        label = self.group.pop(id, None)
        if label is not None:
            self.ids[label].remove(id)

    def groups(self) -> list[list[int]]:
        """Return the groups that tie something: of two members or more."""
        return [ids for ids in self.ids.values() if len(ids) > 1]

    def __getstate__(self) -> dict:
        # Tokens of stores mean nothing in another process.
        return {**self.__dict__, "_arrived": {}}

    def copy(self) -> Ties:
        """Return the same groups for another network."""
        twin = Ties()
        twin.group = dict(self.group)
        twin.ids = {label: list(ids) for label, ids in self.ids.items()}
        return twin
