"""Cycles in a graph given as arrays: finding a shortest one, and breaking all of them."""

from __future__ import annotations

from collections import deque

import networkx as nx
import numpy as np

__all__ = ["feedback_arcs", "shortest_cycle"]

SEARCH_LIMIT = 5_000_000  # arcs looked at before the best cycle found so far will do


def _components(source: np.ndarray, target: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Return (nodes, arcs) of every strongly connected component that has an arc inside."""
    graph = nx.DiGraph()
    graph.add_edges_from(zip(source.tolist(), target.tolist(), strict=True))
    of: dict[int, int] = {}
    found: list[tuple[list[int], list[int]]] = []
    for number, nodes in enumerate(nx.strongly_connected_components(graph)):
        found.append((sorted(nodes), []))
        of.update(dict.fromkeys(nodes, number))
    for arc, (u, v) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        if of[u] == of[v]:
            found[of[u]][1].append(arc)
    return sorted((c for c in found if c[1]), key=lambda c: c[0][0])


def shortest_cycle(source: np.ndarray, target: np.ndarray) -> list[int]:
    """Return the arcs of a shortest directed cycle, in order; empty if there is none.

    Breadth-first from every node in turn, to no more than the best length so far; a node
    that has had its turn is left out, for every cycle through it has been seen. In a graph
    of many millions of arcs the search stops at a limit with the shortest found by then.

    Examples
    --------
    >>> shortest_cycle(np.array([0, 1, 2, 2]), np.array([1, 2, 0, 1]))
    [1, 3]
    """
    best: list[int] = []
    looked = 0
    for nodes, arcs in _components(source, target):
        leaving: dict[int, list[tuple[int, int]]] = {node: [] for node in nodes}
        for arc in arcs:
            leaving[int(source[arc])].append((int(target[arc]), arc))
        done: set[int] = set()
        for start in nodes:
            came: dict[int, tuple[int, int]] = {}  # node -> (node before, arc)
            queue = deque([(start, 0)])
            while queue and start not in came:
                node, depth = queue.popleft()
                if best and depth + 1 >= len(best):
                    break
                looked += len(leaving[node])
                for following, arc in leaving[node]:
                    if following not in came and following not in done:
                        came[following] = (node, arc)
                        queue.append((following, depth + 1))
            done.add(start)
            if start in came:
                best = _walk_back(start, came)
            if len(best) == 1 or (best and looked > SEARCH_LIMIT):
                return best
    return best


def _walk_back(start: int, came: dict[int, tuple[int, int]]) -> list[int]:
    node, arc = came[start]
    path = [arc]
    while node != start:
        node, arc = came[node]
        path.append(arc)
    return path[::-1]


def feedback_arcs(source: np.ndarray, target: np.ndarray, passes: int = 10) -> list[int]:
    """Return few arcs whose removal leaves no cycle.

    Inside every strongly connected component the nodes are put in an order by the greedy
    heuristic of Eades, Lin and Smyth ("A fast and effective heuristic for the feedback arc
    set problem", 1993), then each node is moved to its best place while that helps. The arcs
    that point backwards in the order are the answer. Ties go to the order of the nodes.

    Examples
    --------
    >>> feedback_arcs(np.array([0, 1, 2, 2]), np.array([1, 2, 0, 1]))
    [1]
    """
    found: list[int] = []
    for nodes, arcs in _components(source, target):
        inside = [(int(source[a]), int(target[a])) for a in arcs]
        place = {node: i for i, node in enumerate(_greedy_order(nodes, inside))}
        _improve(place, inside, passes)
        found += [a for a, (u, v) in zip(arcs, inside, strict=True) if place[u] >= place[v]]
    return sorted(found)


def _greedy_order(nodes: list[int], arcs: list[tuple[int, int]]) -> list[int]:
    """Sinks to the back, sources to the front, else the node with most arcs out over in."""
    leaving: dict[int, list[int]] = {n: [] for n in nodes}
    entering: dict[int, list[int]] = {n: [] for n in nodes}
    for u, v in arcs:
        if u != v:
            leaving[u].append(v)
            entering[v].append(u)
    n_out = {n: len(leaving[n]) for n in nodes}
    n_in = {n: len(entering[n]) for n in nodes}
    buckets: dict[int, dict[int, None]] = {}  # surplus -> nodes, in order
    surplus = {n: n_out[n] - n_in[n] for n in nodes}
    for n in nodes:
        buckets.setdefault(surplus[n], {})[n] = None
    front: list[int] = []
    back: list[int] = []
    sinks = [n for n in nodes if not n_out[n]]
    sources = [n for n in nodes if not n_in[n]]
    highest = max(buckets)

    def take(node: int) -> None:
        nonlocal highest
        del buckets[surplus.pop(node)][node]
        for others, count, ends, sign in (
            (leaving[node], n_in, sources, 1),
            (entering[node], n_out, sinks, -1),
        ):
            for other in others:
                if other in surplus:
                    del buckets[surplus[other]][other]
                    surplus[other] += sign
                    highest = max(highest, surplus[other])
                    buckets.setdefault(surplus[other], {})[other] = None
                    count[other] -= 1
                    if not count[other]:
                        ends.append(other)

    while surplus:
        if sinks:
            node = sinks.pop()
            if node in surplus:
                back.append(node)
                take(node)
        elif sources:
            node = sources.pop()
            if node in surplus:
                front.append(node)
                take(node)
        else:
            while not buckets.get(highest):
                highest -= 1
            node = next(iter(buckets[highest]))
            front.append(node)
            take(node)
    return front + back[::-1]


def _improve(place: dict[int, int], arcs: list[tuple[int, int]], passes: int) -> None:
    """Move single nodes to where fewest arcs point backwards, until no move helps."""
    neighbours: dict[int, list[tuple[int, int]]] = {n: [] for n in place}
    for u, v in arcs:
        if u != v:
            neighbours[u].append((v, 1))  # u should stand before v
            neighbours[v].append((u, -1))
    rank: dict[int, float] = dict(place)
    for _ in range(passes):
        moved = False
        for node in place:
            better = _best_rank(rank, neighbours[node], rank[node])
            if better is not None:
                rank[node], moved = better, True
        if not moved:
            break
        rank = {n: i for i, n in enumerate(sorted(rank, key=lambda n: (rank[n], place[n])))}
    place.update({n: i for i, n in enumerate(sorted(rank, key=lambda n: (rank[n], place[n])))})


def _best_rank(
    rank: dict[int, float], neighbours: list[tuple[int, int]], now: float
) -> float | None:
    """Return a rank with fewer backward arcs than the present one, or None."""
    at = sorted((rank[other], kind) for other, kind in neighbours)
    cost = sum(kind == -1 for _, kind in at)  # in front of all: every predecessor is behind
    ranks = [r for r, _ in at]
    best, best_slot, present = cost, 0, cost if not at or now < ranks[0] else None
    for slot, (r, kind) in enumerate(at, 1):
        cost += kind  # passing a successor costs one, passing a predecessor saves one
        if present is None and (slot == len(at) or now < ranks[slot]) and now >= r:
            present = cost
        if cost < best:
            best, best_slot = cost, slot
    if present is None or best >= present:
        return None
    low = ranks[best_slot - 1] if best_slot else ranks[0] - 1
    high = ranks[best_slot] if best_slot < len(ranks) else low + 1
    return (low + high) / 2
