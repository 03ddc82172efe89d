"""Parsers of options: one line for what is wrong, without the usage."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from neurograph.checkpoints import Every
from neurograph.errors import ParameterError

__all__ = ["Parser", "at_least", "fraction", "often", "positive", "sizes"]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit."""
        self.exit(2, f"{self.prog}: {message}\n")


def at_least(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"takes a whole number of {least} or more, not {text!r}"
            )
        return value

    return parse


def positive(text: str) -> float:
    """Parse a number above 0."""
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"takes a number above 0, not {text!r}")
    return value


def fraction(text: str) -> float:
    """Parse a number between 0 and 1."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"takes a number between 0 and 1, not {text!r}")
    return value


def often(text: str) -> Every:
    """Parse how often, as 5 (epochs), "500batches" or "10min"."""
    try:
        return Every.of(text)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def sizes(text: str) -> list[int]:
    """Parse sizes of layers, as "16,8"; "" or "0" for none."""
    parts = [part.strip() for part in text.split(",") if part.strip() not in ("", "0")]
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"takes sizes of layers, as 16,8; not {text!r}")
    return [int(part) for part in parts]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
