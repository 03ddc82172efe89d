"""The command line: choose rows, run them, print the table, write JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Entry, Result, run_case
from benchmarks.options import Options
from benchmarks.peers import Peers, machine
from benchmarks.report import as_json, markdown, table
from benchmarks.rows import ROWS

__all__ = ["main"]

FULL = {"repeats": 7, "budget": 15.0, "least": 0.1}  # see `run_case`
QUICK = {"repeats": 1, "budget": 0.0, "least": 0.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks; return 1 if a contender failed or disagreed, else 0."""
    given = _parser().parse_args(arguments)
    options = Options(given.quick, given.mnist, given.epochs, Peers(given.node_modules))
    results = list(_run(given, options))
    print(markdown(results) if given.markdown else table(results))
    absent = options.peers.absent
    for name, how in absent.items():
        print(f"not installed: {name}; to include it: {how}")
    if given.json:
        found = as_json(results, machine(options.peers), absent)
        given.json.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return int(any(result.problem for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="neurograph and its peers on the same work, in turns; "
        "ratio: a contender's median time by neurograph's.",
        epilog=f"rows: {', '.join(ROWS)}",
    )
    add = parser.add_argument
    add("--only", action="append", choices=ROWS, metavar="NAME", help="this row; repeatable")
    add(
        "--contender", action="append", metavar="TEXT", help="those whose name holds it; repeatable"
    )
    add("--quick", action="store_true", help="small sizes and few repeats: a smoke test")
    add("--repeats", type=int, metavar="N", help=f"measurements of each ({FULL['repeats']})")
    add("--json", type=Path, metavar="PATH", help="write all samples, and the machine")
    add("--markdown", action="store_true", help="print the table as Markdown")
    add("--mnist", type=Path, metavar="PATH", help="mnist.npz; else data of the same shape")
    add("--epochs", type=int, default=1, metavar="N", help="of mnist (%(default)s)")
    add("--node-modules", metavar="PATH", help="packages of Node.js (NODE_PATH, ./node_modules)")
    return parser


def _run(given: argparse.Namespace, options: Options) -> Iterator[Result]:
    effort = QUICK if given.quick else FULL
    if given.repeats:
        effort = {**effort, "repeats": given.repeats}

    def choose(entry: Entry) -> bool:
        names = given.contender
        wanted = names is None or any(name.lower() in entry.name.lower() for name in names)
        return wanted and (entry.needs is None or entry.needs in options.peers)

    for row in given.only or ROWS:
        for case in ROWS[row](options):
            print(f"{row} {case.label}".rstrip(), end=" …\n", file=sys.stderr, flush=True)
            yield from run_case(row, case, choose, **effort)
