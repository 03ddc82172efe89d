"""The rows of the table, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.lesions import lesion_map
from benchmarks.measure import Case
from benchmarks.mnist import mnist
from benchmarks.options import Options
from benchmarks.probes import probe
from benchmarks.recurrent import recurrent_step, recurrent_ten
from benchmarks.sparse import deep_dag, sparse_dag
from benchmarks.startup import start
from benchmarks.structure import memory, plan
from benchmarks.xor import xor_call, xor_online

__all__ = ["ROWS"]

ROWS: dict[str, Callable[[Options], Iterator[Case]]] = {
    "xor-online": xor_online,
    "xor-call": xor_call,
    "mnist": mnist,
    "sparse-dag": sparse_dag,
    "deep-dag": deep_dag,
    "recurrent-step": recurrent_step,
    "recurrent-10": recurrent_ten,
    "lesion-map": lesion_map,
    "probe": probe,
    "plan": plan,
    "memory": memory,
    "start": start,
}
