"""`neurograph predict`: what a trained network says of new rows."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from typing import Any

from neurograph.cli.tables import Recipe, read_table
from neurograph.cli.train import RECIPE, outputs_of, score
from neurograph.errors import FormatError, ParameterError
from neurograph.io.files import write_text
from neurograph.io.native_reader import load
from neurograph.learning.losses import softmax

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("predict", help="let a trained network predict")
    parser.add_argument("network", help="file that `neurograph train` has written")
    parser.add_argument("data", help="CSV or .npz with the same columns")
    parser.add_argument("--output", help="CSV to write; printed unless given")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Predict, and say how good it is where the target is known."""
    net = load(options.network)
    recipe = recipe_of(net, options.network)
    table = read_table(options.data, recipe.target, recipe.columns)
    if table.X.shape[-1] != len(recipe.columns):
        raise ParameterError(
            f"{options.data} has {table.X.shape[-1]} columns; the network needs"
            f" {len(recipe.columns)}"
        )
    outputs = outputs_of(net, recipe, table)
    answers = recipe.answers(outputs)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if recipe.classes is None:
        rows.writerow([recipe.target])
        rows.writerows([[f"{a:.10g}"] for a in answers.tolist()])
    else:
        rows.writerow([recipe.target, *(f"p({name})" for name in recipe.classes)])
        for answer, p in zip(answers.tolist(), softmax(outputs).tolist(), strict=True):
            rows.writerow([answer, *(f"{value:.6f}" for value in p)])
    if options.output:
        write_text(options.output, text.getvalue())
        print(f"{len(answers)} rows written to {options.output}")
    else:
        print(text.getvalue(), end="")
    if table.y is not None:
        print(score(recipe, answers, table.y), file=sys.stderr)
    return 0


def recipe_of(net: Any, name: str) -> Recipe:
    """Return how rows become inputs, as it was saved."""
    try:
        return Recipe(**net.graph[RECIPE])
    except KeyError:
        raise ParameterError(
            f"{name} does not say what its inputs are: only what `neurograph train` has written"
            " can predict here; ng.load(file).predict(X) takes any network"
        ) from None
    except TypeError as error:
        raise FormatError(f"{name}: what it says of its inputs is not complete: {error}") from None
