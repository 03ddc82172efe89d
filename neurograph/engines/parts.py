"""What a program consists of, by number, and the arrays of a run: what kernels read and write.

Arrays are flat. States, outputs and deltas are (steps, tiles, neurons, lanes): the samples of a
batch are cut into tiles of `lanes` samples, side by side in a vector.
"""

from __future__ import annotations

from typing import Any, NamedTuple

NONE = 2**32 - 1
ROWS = 64  # whose slopes are found at a time

# What a program begins with: sizes, then where each of its parts begins.
SIZES = (
    "neurons",
    "synapses",
    "history",
    "inputs",
    "outputs",
    "stages",
    "blocks",
    "gates",
    "memories",
    "ties",
    "lead",
    "reads_inputs",
)
PARTS = (
    "indptr",
    "source",
    "delay",
    "kind",
    "first",
    "last",
    "out_indptr",
    "out_rank",
    "out_synapse",
    "out_target",
    "out_kind",
    "memory",
    "gater",
    "late",
    "gated_indptr",
    "gated",
    "gated_target",
    "stage",
    "run_indptr",
    "run",
    "code",
    "port",
    "input",
    "output",
    "tie_indptr",
    "tie",
    "block_indptr",
    "block_row",
    "block_end",
    "block_source",
    "block_size",
    "block_delay",
    "block_column",
)
(NEURONS, SYNAPSES, HISTORY, N_INPUTS, N_OUTPUTS, STAGES, BLOCKS, GATES, MEMORIES, TIES, LEAD,
 READS_INPUTS) = range(len(SIZES))  # fmt: skip
(INDPTR, SOURCE, DELAY, KIND, FIRST, LAST, OUT_INDPTR, OUT_RANK, OUT_SYNAPSE, OUT_TARGET, OUT_KIND,
 MEMORY, GATER, LATE, GATED_INDPTR, GATED, GATED_TARGET, STAGE, RUN_INDPTR, RUN, CODE, PORT, INPUT,
 OUTPUT, TIE_INDPTR, TIE, BLOCK_INDPTR, BLOCK_ROW, BLOCK_END, BLOCK_SOURCE, BLOCK_SIZE, BLOCK_DELAY,
 BLOCK_COLUMN) = range(len(SIZES), len(SIZES) + len(PARTS))  # fmt: skip


class Run(NamedTuple):
    """The arrays of a run, flat; T steps after H of history, K tiles, N neurons, L lanes.

    s : (1+T, K, N, L), y : (H+T, K, N, L), delta : (T, K, N, L)
    d_output, d_state : (T, K, n_out, L), d_input : (T, K, n_in, L)
    eps : (N, L)            what blocks send back within a step
    slope : f'(s) of some rows, or of all N where L is 1; then room for as many
    out_w : (E,)            weights in the order in which they are read backwards
    pack, off : (L, largest block), (L,)    a block's sources, sample by sample
    x, row : inputs as users gave them, and which sample is in each lane; or empty
    """

    s: Any
    y: Any
    delta: Any
    d_output: Any
    d_state: Any
    d_input: Any
    eps: Any
    slope: Any
    out_w: Any
    pack: Any
    off: Any
    x: Any
    row: Any


class Span(NamedTuple):
    """Which part of a run: tile k of K, all T steps, samples in this tile, steps since rest."""

    k: int
    tiles: int
    steps: int
    valid: int
    since: int
