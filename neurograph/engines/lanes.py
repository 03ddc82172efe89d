"""The kernels of lesion maps: what is downstream of many lesions, lane by lane, in machine code.

A lane is a pair of a lesion and a sample; `WIDE` of them lie side by side in vectors and go
through all steps together, so that all they keep stays in the cache. The definition is
`neurograph.inspection.lanes`, which does the same with arrays of NumPy.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

from numba import njit

from neurograph.engines.kernels import CODE_OF as KERNELS
from neurograph.engines.kernels import digest
from neurograph.engines.parts import NONE
from neurograph.engines.updates import HELPER, INLINE, OPTIONS
from neurograph.engines.vectors import at, call, load, mad, put, splat, store

__all__ = ["WIDE", "Basis", "Room", "Site", "Ways", "kernels"]

WIDE = 32  # lanes side by side


class Ways(NamedTuple):
    """Who is visited, and along which synapses a change may arrive. All but weights uint32.

    neuron, activation, port : (n,) of each visit; port is NONE where nobody is asked
    remembers : (n,) whether the state is read
    plain : (n + 1,) where the synapses of each visit begin that have no gate and read an output
    row, delay, weight : their source, as a row of the visits, …
    special : (n + 1,) where the other synapses of each visit begin; behind them, those removed
    source, lag, gater, late, factor : what they read, NONE for the own state; gate; weight
    source_row, gater_row : the same as rows of the visits; NONE where nothing changes
    """

    neuron: Any
    activation: Any
    port: Any
    remembers: Any
    plain: Any
    row: Any
    delay: Any
    weight: Any
    special: Any
    source: Any
    lag: Any
    gater: Any
    late: Any
    factor: Any
    source_row: Any
    gater_row: Any


class Basis(NamedTuple):
    """The run to compare with, flat: arrays over (steps, neurons, samples).

    history, steps, neurons, samples : sizes
    outputs : (n_out,) neurons
    y, s : those of rest before the first step included
    asked : (T,) which of the steps that are asked it is, or NONE
    slope : f'(s)
    by_y, bent, by_s : ∂L/∂y, ∂L/∂y f''(s) and ∂L/∂s, with everything downstream
    """

    history: int
    steps: int
    neurons: int
    samples: int
    outputs: Any
    y: Any
    s: Any
    asked: Any
    slope: Any
    by_y: Any
    bent: Any
    by_s: Any


class Site(NamedTuple):
    """Where lesions act, for each lane.

    sample : which sample
    row : visit of the neuron
    removed : which of the special synapses is removed; NONE: the neuron is silent
    """

    sample: Any
    row: Any
    removed: Any


class Room(NamedTuple):
    """What lanes side by side keep, and what is found.

    slots : steps that they look back to, this one included
    past, live : (slots, n, WIDE) changes of outputs, and (slots, n) whether there are any
    states, stirred : (2, n, WIDE) changes of states that are read, and (2, n)
    sums, slope : (WIDE,)
    out_s, out_y : (steps that are asked, outputs, lanes) of the outputs; those of the base, or 0
        as derivatives, where nothing arrives
    one, two : (lanes,) first derivative of the loss, and second but for what the loss itself adds
    """

    slots: int
    past: Any
    live: Any
    states: Any
    stirred: Any
    sums: Any
    slope: Any
    out_s: Any
    out_y: Any
    one: Any
    two: Any


@njit(**INLINE)
def begin(ways, basis, site, room, first, lanes, tangent):
    """Forget the lanes before; set what outputs are if nothing arrives there.

    Who differs once differs at every later step, so this is enough for all steps.
    """
    n = len(ways.neuron)
    for i in range(room.slots * n):
        put(room.live, i, 0)
    for i in range(2 * n):
        put(room.stirred, i, 0)
    for lane in range(WIDE):
        put(room.one, first + lane, 0.0), put(room.two, first + lane, 0.0)
    size = basis.neurons * basis.samples
    for t in range(basis.steps):
        for o in range(len(basis.outputs) if at(basis.asked, t) != NONE else 0):
            place = (at(basis.asked, t) * len(basis.outputs) + o) * lanes + first
            here = t * size + at(basis.outputs, o) * basis.samples
            for lane in range(WIDE):
                s = here + size + at(site.sample, first + lane)
                y = here + basis.history * size + at(site.sample, first + lane)
                put(room.out_s, place + lane, 0.0 if tangent else at(basis.s, s))
                put(room.out_y, place + lane, 0.0 if tangent else at(basis.y, y))


@njit(**INLINE)
def arrived(ways, room, t, slot, i):
    """Sum what arrives at a visit by plain synapses into `room.sums`; return whether any does."""
    n, found, acc = len(ways.neuron), 0, splat(0.0, WIDE)
    for a in range(at(ways.plain, i), at(ways.plain, i + 1)):
        back = at(ways.delay, a)
        if back <= t:
            plane = slot - back
            row = (plane if plane >= 0 else plane + room.slots) * n + at(ways.row, a)
            if at(room.live, row):
                found = 1
                acc = mad(splat(at(ways.weight, a), WIDE), load(room.past, row * WIDE, WIDE), acc)
    store(room.sums, 0, acc)
    return found


@njit(**HELPER)
def moved(room, n, t, slot, back, row):
    """Return where it stands by how much the output of a visit differed `back` steps ago, or -1."""
    if row == NONE or back > t:
        return -1
    plane = slot - back
    place = (plane if plane >= 0 else plane + room.slots) * n + row
    return place * WIDE if at(room.live, place) else -1


@njit(**HELPER)
def places(ways, basis, room, a, i, t, slot):
    """Return where a special synapse finds its numbers; -1 where there is none.

    Its gain and the change of that, what it reads and the change of that; and whether that is
    the state of its own neuron.
    """
    n, size = len(ways.neuron), basis.neurons * basis.samples
    gain, gate, own = -1, -1, at(ways.source, a) == NONE
    if at(ways.gater, a) != NONE and at(ways.late, a) <= t:
        when = (basis.history + t - at(ways.late, a)) * size
        gain = when + at(ways.gater, a) * basis.samples
        gate = moved(room, n, t, slot, at(ways.late, a), at(ways.gater_row, a))
    if own:
        value = t * size + at(ways.neuron, i) * basis.samples
        before = (1 - t % 2) * n + i
        change = before * WIDE if t > 0 and at(room.stirred, before) else -1
    else:
        when = (basis.history + t - at(ways.lag, a)) * size
        value = when + at(ways.source, a) * basis.samples
        change = moved(room, n, t, slot, at(ways.lag, a), at(ways.source_row, a))
    return gain, gate, value, change, own


@njit(**HELPER)
def product(basis, room, place, lane, b, tangent):
    """Return γ y of a special synapse without any lesion, its change, and twice Δγ Δy."""
    gain, gate, value, change, own = place
    g = at(basis.y, gain + b) if gain >= 0 else 1.0
    by_gate = at(room.past, gate + lane) if gate >= 0 else 0.0
    y = at(basis.s, value + b) if own else at(basis.y, value + b)
    by_source = 0.0
    if change >= 0:
        by_source = at(room.states, change + lane) if own else at(room.past, change + lane)
    both = by_gate * by_source
    return g * y, g * by_source + by_gate * y + (0.0 if tangent else both), 2 * both


@njit(**INLINE)
def specially(ways, basis, site, room, first, t, slot, i, tangent):
    """Add what arrives by special synapses; return whether any does."""
    found, here = 0, (t * basis.neurons + at(ways.neuron, i)) * basis.samples
    for a in range(at(ways.special, i), at(ways.special, i + 1)):
        place, w = places(ways, basis, room, a, i, t, slot), at(ways.factor, a)
        if place[1] < 0 and place[3] < 0:
            continue
        found = 1
        for lane in range(WIDE):
            b = at(site.sample, first + lane)
            _, change, both = product(basis, room, place, lane, b, tangent)
            put(room.sums, lane, at(room.sums, lane) + w * change)
            if tangent:
                more = w * both * at(basis.by_s, here + b)
                put(room.two, first + lane, at(room.two, first + lane) + more)
    return found


@njit(**INLINE)
def cut(ways, basis, site, room, first, t, slot, i, tangent):
    """Take away what the removed synapses of a visit give; return whether all lanes are silent.

    As a tangent, add what they give: the weight is what is varied.
    """
    silent, here = 0, (t * basis.neurons + at(ways.neuron, i)) * basis.samples
    for lane in range(WIDE):
        if at(site.row, first + lane) != i:
            continue
        a, b = at(site.removed, first + lane), at(site.sample, first + lane)
        if a == NONE:
            silent += 1
            continue
        place = places(ways, basis, room, a, i, t, slot)
        usual, change, _ = product(basis, room, place, lane, b, tangent)
        if tangent:
            put(room.sums, lane, at(room.sums, lane) + usual)
            delta = at(basis.by_s, here + b)
            put(room.one, first + lane, at(room.one, first + lane) + usual * delta)
            put(room.two, first + lane, at(room.two, first + lane) + 2 * change * delta)
        else:
            gone = at(ways.factor, a) * (usual + change)
            put(room.sums, lane, at(room.sums, lane) - gone)
    return silent == WIDE


@njit(**INLINE)
def show(ways, basis, room, first, lanes, t, past, i):
    """Write state and output of an output where the loss is found."""
    port, where = at(ways.port, i), at(basis.asked, t)
    if port != NONE and where != NONE:
        place = (where * len(basis.outputs) + port) * lanes + first
        store(room.out_s, place, load(room.sums, 0, WIDE))
        store(room.out_y, place, load(room.past, past, WIDE))


@njit(**INLINE)
def without(ways, basis, site, room, table, first, lanes, t, here, i, acts, silent):
    """Find how the output of a visit differs, whose state differs by `room.sums`."""
    past, size = here * WIDE, basis.neurons * basis.samples
    base = t * size + at(ways.neuron, i) * basis.samples
    if not silent:
        s = base + size
        for lane in range(WIDE):
            b = at(site.sample, first + lane)
            put(room.sums, lane, at(basis.s, s + b) + at(room.sums, lane))
        call(at(table, 2 * at(ways.activation, i)), room.sums, 0, room.past, past, room.slope, 0,
             WIDE)  # fmt: skip
    if acts:
        for lane in range(WIDE):
            if at(site.row, first + lane) == i and at(site.removed, first + lane) == NONE:
                put(room.past, past + lane, 0.0)
    show(ways, basis, room, first, lanes, t, past, i)
    y = base + basis.history * size
    for lane in range(WIDE):
        b = at(site.sample, first + lane)
        put(room.past, past + lane, at(room.past, past + lane) - at(basis.y, y + b))


@njit(**INLINE)
def along(ways, basis, site, room, first, lanes, t, here, i, acts):
    """Find the derivative of the output of a visit, whose state has `room.sums` for its own."""
    past, size = here * WIDE, basis.neurons * basis.samples
    base = t * size + at(ways.neuron, i) * basis.samples
    for lane in range(WIDE):
        b, s = base + at(site.sample, first + lane), at(room.sums, lane)
        bent = at(basis.bent, b)
        more = bent * s * s if bent else 0.0  # s² may be infinite
        put(room.past, past + lane, at(basis.slope, b) * s)
        put(room.two, first + lane, at(room.two, first + lane) + more)
    if acts:  # y = a f(s) of a neuron whose strength a is varied, where it is 1
        y = basis.history * size
        for lane in range(WIDE):
            if at(site.row, first + lane) == i and at(site.removed, first + lane) == NONE:
                b, moved = base + at(site.sample, first + lane), at(room.past, past + lane)
                usual, by_y = at(basis.y, y + b), at(basis.by_y, b)
                put(room.one, first + lane, at(room.one, first + lane) + usual * by_y)
                put(room.two, first + lane, at(room.two, first + lane) + 2 * moved * by_y)
                put(room.past, past + lane, moved + usual)
    show(ways, basis, room, first, lanes, t, past, i)


def vary(ways, basis, site, room, table, tangent):
    """Run all lanes, `WIDE` at a time: without something, or along it where `tangent`."""
    n, lanes = len(ways.neuron), len(site.sample)
    for first in range(0, lanes, WIDE):
        begin(ways, basis, site, room, first, lanes, tangent)
        low, high = at(site.row, first), at(site.row, first)
        for lane in range(first, first + WIDE):
            low, high = min(low, at(site.row, lane)), max(high, at(site.row, lane))
        for t in range(basis.steps):
            slot = t % room.slots
            for i in range(n):
                acts, silent = low <= i <= high, False
                arrives = arrived(ways, room, t, slot, i)
                arrives += specially(ways, basis, site, room, first, t, slot, i, tangent)
                if acts:
                    silent = cut(ways, basis, site, room, first, t, slot, i, tangent)
                if not arrives and not acts:
                    continue
                if at(ways.remembers, i):
                    for lane in range(WIDE):
                        place = (t % 2 * n + i) * WIDE + lane
                        put(room.states, place, at(room.sums, lane))
                    put(room.stirred, t % 2 * n + i, 1)
                here = slot * n + i
                if tangent:
                    along(ways, basis, site, room, first, lanes, t, here, i, acts)
                else:
                    without(ways, basis, site, room, table, first, lanes, t, here, i, acts, silent)
                put(room.live, here, 1)


def pull(basis, source, delay, target, gater, late, weight):
    """Add to `basis.by_y` what comes from downstream: ∂L/∂s of whoever reads an output, times γ w.

    And of whoever's gain it is, times what that synapse reads. Arrays of all synapses, memories
    included, whose source is NONE.
    """
    size = basis.neurons * basis.samples
    for e in range(len(source)):
        for t in range(basis.steps):
            d = (t * basis.neurons + at(target, e)) * basis.samples
            gated = at(gater, e) != NONE and at(late, e) <= t
            y = (basis.history + t - at(delay, e)) * size + at(source, e) * basis.samples
            if at(source, e) == NONE:
                y = t * size + at(target, e) * basis.samples
            gate = (basis.history + t - at(late, e)) * size + at(gater, e) * basis.samples
            to = (t - at(delay, e)) * size + at(source, e) * basis.samples
            to_gate = (t - at(late, e)) * size + at(gater, e) * basis.samples
            for b in range(basis.samples):
                more = at(weight, e) * at(basis.by_s, d + b)
                if at(source, e) != NONE and at(delay, e) <= t:
                    gain = at(basis.y, gate + b) if gated else 1.0
                    put(basis.by_y, to + b, at(basis.by_y, to + b) + more * gain)
                if gated:
                    value = at(basis.s, y + b) if at(source, e) == NONE else at(basis.y, y + b)
                    put(basis.by_y, to_gate + b, at(basis.by_y, to_gate + b) + more * value)


class Kernels(NamedTuple):
    """The functions above, compiled."""

    vary: Any
    pull: Any


CODE_OF = ("lanes",)
CODE = digest(*CODE_OF, *KERNELS)  # now, as in `kernels`


@cache
def kernels() -> Kernels:
    """Return the kernels; numba keeps them on disk under the digest of all code in them."""
    made = []
    for name in Kernels._fields:
        kernel = FunctionType(globals()[name].__code__, globals(), name)
        kernel.__qualname__ = f"{name}_{CODE}"
        made.append(njit(cache=True, **OPTIONS)(kernel))
    return Kernels(*made)
