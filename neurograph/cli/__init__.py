"""The command line: `neurograph COMMAND …`. A command is a module, and a name in `COMMANDS`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from neurograph.cli.parsing import Parser
from neurograph.errors import NeurographError

__all__ = ["main"]

# Modules with `add(commands)`, which adds a parser whose `run` takes the options; loaded as they
# are needed, for a command shall feel instant.
COMMANDS = ("xor", "task", "train", "predict", "show", "convert")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 1 if it did not succeed, 2 for bad input."""
    parser = Parser(prog="neurograph", description="Networks of neuron and synapse objects.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for name in COMMANDS:
        import_module(f"neurograph.cli.{name}").add(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except NeurographError as error:
        print(f"neurograph {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:  # a file that is not there, or cannot be written
        print(f"neurograph {options.command}: {error}", file=sys.stderr)
        return 2
