"""Sums over synapses, and dense blocks as products: two rows by five samples in registers."""

from __future__ import annotations

from numba import literally, njit

from neurograph.engines.parts import (
    BLOCK_COLUMN,
    BLOCK_DELAY,
    BLOCK_SIZE,
    BLOCK_SOURCE,
    FIRST,
    N_INPUTS,
    NONE,
)
from neurograph.engines.updates import HELPER, OPTIONS
from neurograph.engines.vectors import (
    add,
    at,
    cast,
    get,
    load,
    mad,
    put,
    splat,
    store,
    total,
)

# ---------------------------------------------------------------- sums over synapses


@njit(**HELPER)
def gather(p, part, w, x, plane, e0, e1, acc, lanes):
    """Add Σ w_e x[plane + i_e] over entries e0:e1 to `acc`; `part` is where the i_e begin."""
    lanes = literally(lanes)
    if lanes == 1:  # left to LLVM, which sums many at a time: a single sum waits for itself
        found = cast(x, 0)
        for e in range(e0, e1):
            found += at(w, e) * at(x, plane + at(p, part + e))
        return add(acc, splat(found, lanes))
    for e in range(e0, e1):
        acc = mad(splat(at(w, e), lanes), load(x, plane + at(p, part + e) * lanes, lanes), acc)
    return acc


@njit(**HELPER)
def dot(a, a0, x, x0, n, width):
    """Return Σ a[a0 + i] x[x0 + i] over n neighbours."""
    width = literally(width)
    acc = splat(cast(a, 0), width)
    whole = n - n % width
    for i in range(0, whole, width):
        acc = mad(load(a, a0 + i, width), load(x, x0 + i, width), acc)
    result = total(acc)
    for i in range(whole, n):
        result += at(a, a0 + i) * at(x, x0 + i)
    return result


@njit(**HELPER)
def axpy(c, a, a0, x, x0, n, width):
    """Add c a[a0 + i] to x[x0 + i] for n neighbours."""
    width = literally(width)
    many = splat(c, width)
    whole = n - n % width
    for i in range(0, whole, width):
        store(x, x0 + i, mad(many, load(a, a0 + i, width), load(x, x0 + i, width)))
    for i in range(whole, n):
        put(x, x0 + i, at(x, x0 + i) + c * at(a, a0 + i))


# ---------------------------------------------------------------- dense blocks


@njit(**OPTIONS)
def from_x(p, run, z, t, q):
    """Whether a block's sources are columns of x at this step; if so, set `off`."""
    column = get(p, BLOCK_COLUMN, q)
    if len(run.x) == 0 or column == NONE or get(p, BLOCK_DELAY, q) > 0:
        return False
    for lane in range(z.valid):
        put(run.off, lane, (at(run.row, lane) * z.steps + t) * at(p, N_INPUTS) + column)
    return True


@njit(**OPTIONS)
def transpose(p, run, z, q, plane, lanes):
    """Copy a block's sources, from y at `plane`, into `pack`, sample by sample; set `off`."""
    size = get(p, BLOCK_SIZE, q)
    begin = plane + get(p, BLOCK_SOURCE, q) * lanes
    for lane in range(z.valid):
        put(run.off, lane, lane * size)
    for i in range(size):
        for lane in range(z.valid):
            put(run.pack, lane * size + i, at(run.y, begin + i * lanes + lane))


@njit(**OPTIONS)
def products(p, w, r0, r1, q, x, run, z, plane, lanes, width):
    """Fill s[j, lane] = Σ_i w_ji x[off[lane] + i] for rows r0:r1 of a block, two rows at a time.

    Five samples stay in the first-level cache while all rows go by.
    """
    lanes, width = literally(lanes), literally(width)
    s, off, valid, size = run.s, run.off, z.valid, get(p, BLOCK_SIZE, q)
    whole = size - size % width
    zero = splat(cast(w, 0), width)
    many = valid - valid % 5
    for lane in range(0, many, 5):
        o0, o1, o2 = at(off, lane), at(off, lane + 1), at(off, lane + 2)
        o3, o4 = at(off, lane + 3), at(off, lane + 4)
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j), get(p, FIRST, k)
            a0 = a1 = a2 = a3 = a4 = b0 = b1 = b2 = b3 = b4 = zero
            for i in range(0, whole, width):
                u, v = load(w, e + i, width), load(w, f + i, width)
                x0, x1 = load(x, o0 + i, width), load(x, o1 + i, width)
                a0, b0, a1, b1 = mad(u, x0, a0), mad(v, x0, b0), mad(u, x1, a1), mad(v, x1, b1)
                x2, x3 = load(x, o2 + i, width), load(x, o3 + i, width)
                a2, b2, a3, b3 = mad(u, x2, a2), mad(v, x2, b2), mad(u, x3, a3), mad(v, x3, b3)
                x4 = load(x, o4 + i, width)
                a4, b4 = mad(u, x4, a4), mad(v, x4, b4)
            c0, c1, c2, c3, c4 = total(a0), total(a1), total(a2), total(a3), total(a4)
            g0, g1, g2, g3, g4 = total(b0), total(b1), total(b2), total(b3), total(b4)
            for i in range(whole, size):
                m, n = at(w, e + i), at(w, f + i)
                c0, g0 = c0 + m * at(x, o0 + i), g0 + n * at(x, o0 + i)
                c1, g1 = c1 + m * at(x, o1 + i), g1 + n * at(x, o1 + i)
                c2, g2 = c2 + m * at(x, o2 + i), g2 + n * at(x, o2 + i)
                c3, g3 = c3 + m * at(x, o3 + i), g3 + n * at(x, o3 + i)
                c4, g4 = c4 + m * at(x, o4 + i), g4 + n * at(x, o4 + i)
            sj, sk = plane + j * lanes + lane, plane + k * lanes + lane
            put(s, sj, c0), put(s, sj + 1, c1), put(s, sj + 2, c2)
            put(s, sj + 3, c3), put(s, sj + 4, c4)
            put(s, sk, g0), put(s, sk + 1, g1), put(s, sk + 2, g2)
            put(s, sk + 3, g3), put(s, sk + 4, g4)
    for lane in range(many, valid):
        o0 = at(off, lane)
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j), get(p, FIRST, k)
            a0 = b0 = zero
            for i in range(0, whole, width):
                x0 = load(x, o0 + i, width)
                a0, b0 = mad(load(w, e + i, width), x0, a0), mad(load(w, f + i, width), x0, b0)
            c0, g0 = total(a0), total(b0)
            for i in range(whole, size):
                c0 += at(w, e + i) * at(x, o0 + i)
                g0 += at(w, f + i) * at(x, o0 + i)
            put(s, plane + j * lanes + lane, c0), put(s, plane + k * lanes + lane, g0)
    for j in range(r0, r1):
        for lane in range(valid, lanes):  # no sample, but still numbers
            put(s, plane + j * lanes + lane, at(s, plane + j * lanes))


@njit(**OPTIONS)
def outer(p, gw, r0, r1, q, x, run, z, plane, more, lanes, width):
    """Fill (or add to) ∂L/∂w_ji = Σ_l δ[j, lane] x[off[lane] + i] for rows r0:r1 of a block.

    A strip of x, four vectors of every sample, stays in the first-level cache while all rows,
    two at a time, go by.
    """
    lanes, width = literally(lanes), literally(width)
    delta, off, valid, size = run.delta, run.off, z.valid, get(p, BLOCK_SIZE, q)
    quads = size - size % (4 * width)
    whole = size - size % width
    zero = splat(cast(gw, 0), width)
    none = cast(gw, 0)
    for i in range(0, quads, 4 * width):
        for j in range(r0, r1, 2):
            k = min(j + 1, r1 - 1)
            e, f = get(p, FIRST, j) + i, get(p, FIRST, k) + i
            dj, dk = plane + j * lanes, plane + k * lanes
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            if more:
                a0, a1 = load(gw, e, width), load(gw, e + width, width)
                a2, a3 = load(gw, e + 2 * width, width), load(gw, e + 3 * width, width)
                b0, b1 = load(gw, f, width), load(gw, f + width, width)
                b2, b3 = load(gw, f + 2 * width, width), load(gw, f + 3 * width, width)
            for lane in range(valid):
                o = at(off, lane) + i
                c, d = splat(at(delta, dj + lane), width), splat(at(delta, dk + lane), width)
                x0, x1 = load(x, o, width), load(x, o + width, width)
                a0, b0, a1, b1 = mad(c, x0, a0), mad(d, x0, b0), mad(c, x1, a1), mad(d, x1, b1)
                x2, x3 = load(x, o + 2 * width, width), load(x, o + 3 * width, width)
                a2, b2, a3, b3 = mad(c, x2, a2), mad(d, x2, b2), mad(c, x3, a3), mad(d, x3, b3)
            store(gw, e, a0), store(gw, e + width, a1)
            store(gw, e + 2 * width, a2), store(gw, e + 3 * width, a3)
            store(gw, f, b0), store(gw, f + width, b1)
            store(gw, f + 2 * width, b2), store(gw, f + 3 * width, b3)
    for j in range(r0, r1):
        e, dj = get(p, FIRST, j), plane + j * lanes
        for i in range(quads, whole, width):
            a0 = load(gw, e + i, width) if more else zero
            for lane in range(valid):
                a0 = mad(splat(at(delta, dj + lane), width), load(x, at(off, lane) + i, width), a0)
            store(gw, e + i, a0)
        for i in range(whole, size):
            c = at(gw, e + i) if more else none
            for lane in range(valid):
                c += at(delta, dj + lane) * at(x, at(off, lane) + i)
            put(gw, e + i, c)
