"""A plan as kernels read it: one array of indices, arranged for streaming.

What a plan says neuron by neuron is cut into stages, blocks and runs of one activation, and
edges are listed once more, backwards, in the order in which a backward pass meets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from neurograph.blocks import Blocks, find_blocks, row_delays, shared, stages
from neurograph.engines.parts import NONE, PARTS, SIZES
from neurograph.errors import ParameterError
from neurograph.schedule import Plan

__all__ = ["Program", "program"]


@dataclass(frozen=True, eq=False)
class Program:
    """A plan as kernels read it.

    Attributes
    ----------
    packed : uint32 array
        `SIZES`, where each of `PARTS` begins, then the parts.
    stages : (n + 1,) int64 array
        First neuron of each stage, and N.
    synapses : (n,) int64 array
        Synapses that end in each stage.
    n_out : int
        Entries of the backward list: synapses that are in no block.
    largest_block : int
        Sources of the largest block.
    plain : bool
        Whether every row has one delay, and nothing is gated or feeds back a state.
    """

    packed: np.ndarray
    stages: np.ndarray
    synapses: np.ndarray
    n_out: int
    largest_block: int
    plain: bool


_programs: WeakKeyDictionary[Plan, dict[bool, Program]] = WeakKeyDictionary()


def program(plan: Plan, dense: bool = True) -> Program:
    """Return the program of a plan; without `dense`, every synapse is visited singly."""
    made = _programs.setdefault(plan, {})
    if dense not in made:
        made[dense] = _program(plan, dense)
    return made[dense]


def _program(plan: Plan, dense: bool) -> Program:
    n, e = plan.n_neurons, plan.n_synapses
    begins = stages(plan)
    kind = row_delays(plan)
    blocks = find_blocks(plan, begins, kind if dense else np.full(n, NONE))
    parts: dict[str, np.ndarray] = {"indptr": plan.indptr, "source": plan.source, "kind": kind}
    has_blocks = bool(len(blocks.row))
    inside = np.zeros(0, bool)
    if has_blocks:
        parts |= {"first": blocks.first, "last": blocks.last}
        inside = _inside(blocks.first, blocks.last, e)
    parts |= _outgoing(plan, inside)
    if (kind == NONE).any() or (parts["out_kind"] == NONE).any():
        parts["delay"] = plan.delay
    if plan.n_memories:
        parts["memory"] = plan.memory
    if plan.gater.size:
        ends = np.concatenate([plan.target, plan.cell])
        parts |= {
            "gater": plan.gater,
            "late": plan.gate_delay,
            "gated_indptr": plan.gated_indptr,
            "gated": plan.gated_synapse,
            "gated_target": ends[plan.gated_synapse],
        }
    is_input = np.zeros(n, bool)
    is_input[plan.inputs] = True
    port = np.full(n, NONE)
    port[plan.inputs], port[plan.outputs] = range(len(plan.inputs)), range(len(plan.outputs))
    parts |= {"stage": begins, "port": port, "input": plan.inputs, "output": plan.outputs}
    parts |= _runs(plan, begins, is_input)
    parts |= {"tie_indptr": plan.tie_indptr, "tie": plan.tie_synapse}
    column = _columns(blocks.source, blocks.size, port, is_input)
    column[blocks.delay > 0] = NONE
    stage_of = np.searchsorted(begins, blocks.row, side="right") - 1
    parts |= {
        "block_indptr": np.searchsorted(stage_of, np.arange(len(begins))),
        "block_row": blocks.row,
        "block_end": blocks.row_end,
        "block_source": blocks.source,
        "block_size": blocks.size,
        "block_delay": blocks.delay,
        "block_column": column,
    }
    sizes = {
        "neurons": n,
        "synapses": e,
        "history": plan.history,
        "inputs": len(plan.inputs),
        "outputs": len(plan.outputs),
        "stages": len(begins) - 1,
        "blocks": len(blocks.row),
        "gates": bool(plan.gater.size),
        "memories": plan.n_memories,
        "ties": len(plan.tie_indptr) - 1,
        "lead": int(np.argmin(np.concatenate([is_input, [False]]))),
        "reads_inputs": _reads_inputs(plan, is_input, blocks, column),
    }
    ends_in = np.diff(plan.indptr[begins].astype(np.int64))
    plain = not (plan.n_memories or (kind == NONE).any())
    largest = int(blocks.size.max(initial=0))
    return Program(_pack(sizes, parts), begins, ends_in, len(parts["out_target"]), largest, plain)


def _pack(sizes: dict[str, int], parts: dict[str, np.ndarray]) -> np.ndarray:
    lengths = [len(parts.get(name, ())) for name in PARTS]
    head = len(SIZES) + len(PARTS)
    begin = head + np.concatenate([[0], np.cumsum(lengths)])
    if begin[-1] >= NONE:
        raise ParameterError(
            f"the program of this plan needs {begin[-1]} indices, the compiled engine holds fewer"
            f" than {NONE}; run it with engine='walker', or in parts"
        )
    packed = np.empty(begin[-1], np.uint32)
    packed[: len(SIZES)] = [sizes[name] for name in SIZES]
    packed[len(SIZES) : head] = begin[:-1]
    for name, a, b in zip(PARTS, begin[:-1], begin[1:], strict=True):
        if a < b:
            packed[a:b] = parts[name]
    packed.flags.writeable = False
    return packed


def _inside(first: np.ndarray, last: np.ndarray, e: int) -> np.ndarray:
    """Return which of e synapses are between first[j] and last[j] of some row j."""
    edges = np.zeros(e + 1, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last, -1)
    return np.cumsum(edges)[:-1] > 0


def _outgoing(plan: Plan, inside: np.ndarray) -> dict[str, np.ndarray]:
    """Return the synapses that leave each neuron, but for those in blocks, last neuron first."""
    out = plan.out_synapse[::-1]
    counts: np.ndarray = np.diff(plan.out_indptr.astype(np.int64))[::-1]
    if inside.any():
        free = ~inside[out]
        leaves = np.repeat(np.arange(plan.n_neurons), counts)[free]
        out, counts = out[free], np.bincount(leaves, minlength=plan.n_neurons)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    rank = np.full(plan.n_synapses, NONE, np.uint32)
    rank[out] = np.arange(len(out), dtype=np.uint32)
    kind = shared(plan.delay[out], indptr)
    if plan.gater.size:
        gated = np.concatenate([[0], np.cumsum(plan.gater[out] != NONE)])
        kind[gated[indptr[1:]] > gated[indptr[:-1]]] = NONE
    return {
        "out_indptr": indptr,
        "out_rank": rank,
        "out_synapse": out,
        "out_target": plan.target[out],
        "out_kind": kind,
    }


def _runs(plan: Plan, begins: np.ndarray, is_input: np.ndarray) -> dict[str, np.ndarray]:
    """Return runs of neighbours with one activation, in each stage; an input has none."""
    code = np.where(is_input, NONE, plan.activation.astype(np.int64))
    starts = np.zeros(plan.n_neurons + 1, bool)
    starts[begins] = True
    starts[1:-1] |= code[1:] != code[:-1]
    run = np.flatnonzero(starts)
    return {"run": run, "code": code[run[:-1]], "run_indptr": np.searchsorted(run, begins)}


def _columns(
    source: np.ndarray, size: np.ndarray, port: np.ndarray, is_input: np.ndarray
) -> np.ndarray:
    """Return for each block the column of x where its sources begin, or `NONE`."""
    column = np.full(len(source), NONE)
    for q, (i, n) in enumerate(zip(source.tolist(), size.tolist(), strict=True)):
        run = slice(i, i + n)
        if is_input[run].all() and (np.diff(port[run]) == 1).all():
            column[q] = port[i]
    return column


def _reads_inputs(plan: Plan, is_input: np.ndarray, blocks: Blocks, column: np.ndarray) -> bool:
    """Whether anything but a block that reads x itself reads an input neuron."""
    reads = is_input[plan.source]
    for q in np.flatnonzero(column != NONE):
        for j in range(blocks.row[q], blocks.row_end[q]):
            reads[blocks.first[j] : blocks.last[j]] = False
    gaters = plan.gater[plan.gated_synapse]
    return bool(reads.any() or is_input[gaters].any())
