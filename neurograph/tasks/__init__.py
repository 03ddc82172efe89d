"""Tasks of known difficulty: generators, networks that learn them, and success as papers say it."""

from __future__ import annotations

from neurograph.tasks.base import Report, Task, learn
from neurograph.tasks.memory import adding, copying
from neurograph.tasks.reber import reber_grammar
from neurograph.tasks.recall import distracted_recall
from neurograph.tasks.timing import timing
from neurograph.tasks.xor import xor

__all__ = [
    "TASKS",
    "Report",
    "Task",
    "adding",
    "copying",
    "distracted_recall",
    "learn",
    "reber_grammar",
    "timing",
    "xor",
]

# By the names of the command line: functions without required arguments that return a `Task`.
TASKS = {
    "xor": xor,
    "dsr": distracted_recall,
    "erg": reber_grammar,
    "timing": timing,
    "adding": adding,
    "copy": copying,
}
