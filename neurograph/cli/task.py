"""`neurograph task NAME`: learn a task of known difficulty."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from neurograph.cli.parsing import at_least
from neurograph.tasks import TASKS, learn
from neurograph.training import progress_bar

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "task", help="learn a task of known difficulty, and say how it went"
    )
    tasks = parser.add_subparsers(dest="task", required=True, parser_class=type(parser))
    makers: dict[str, Any] = TASKS
    for name, make in makers.items():
        first = (make.__doc__ or "").splitlines()[0].removeprefix("Return ").rstrip(".:")
        one = tasks.add_parser(name, help=first)
        for option, parameter in inspect.signature(make).parameters.items():
            told: dict[str, Any] = {"type": at_least(1), "help": "(%(default)s)"}
            if isinstance(parameter.default, bool):
                told = {"action": "store_true", "help": "step by step, by rule lstm-g"}
            one.add_argument(f"--{option}", default=parameter.default, **told)
        one.add_argument("--sequences", type=at_least(1), help="at most")
        one.add_argument("--seed", type=at_least(0), default=1, help="(%(default)s)")
        one.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Learn, print the report; 0 if it is solved, else 1."""
    make: Any = TASKS[options.task]
    task = make(**{name: getattr(options, name) for name in inspect.signature(make).parameters})
    limit = options.sequences or task.limit
    with progress_bar(limit, None, " sequences") as progress:
        before = [0]

        def seen(sequences: int, score: Any) -> None:
            progress(sequences - before[0])
            before[0] = sequences

        report = learn(task, seed=options.seed, limit=limit, seen=seen)
    print(report)
    return 0 if report.success else 1
