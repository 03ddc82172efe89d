"""`neurograph convert`: from one format of file to another, by their endings."""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import Any

from neurograph.errors import NeurographWarning
from neurograph.io.endings import READERS, WRITERS, read, write

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("convert", help="write a file of one format as one of another")
    parser.add_argument("source", help=f"file to read: {', '.join(READERS)}")
    parser.add_argument("target", help=f"file to write: {', '.join(WRITERS)}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert, and say what the other format cannot hold."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NeurographWarning)
        net = read(options.source)
        write(net, options.target)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    print(f"{options.source} -> {options.target}: {net!r}")
    return 0
