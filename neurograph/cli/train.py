"""`neurograph train`: a network for one's own data."""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from typing import Any

import numpy as np

from neurograph.architectures import perceptron
from neurograph.callbacks import EarlyStopping
from neurograph.cli.parsing import at_least, fraction, often, positive, sizes
from neurograph.cli.tables import Recipe, Table, read_table
from neurograph.errors import FormatError, NonFiniteError, ParameterError
from neurograph.history import History
from neurograph.io.checkpoint_reader import resume
from neurograph.io.native_reader import load
from neurograph.learning import optimizers
from neurograph.network import Network

__all__ = ["RECIPE", "add", "outputs_of", "score"]

RECIPE = "table"  # the attribute of the graph that holds a `Recipe`
OPTIMIZERS = {
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
    "sgd": optimizers.SGD,
    "momentum": optimizers.Momentum,
    "nesterov": optimizers.Nesterov,
    "rmsprop": optimizers.RMSprop,
    "rprop": optimizers.Rprop,
}
EPOCHS = 300
KEPT = "neurograph train"  # the attribute of the graph that says which rows were held out
FREE = ("command", "run", "default", "data", "resume", "checkpoint", "every", "epochs", "output")
RATES = {"adam": 0.01, "adamw": 0.01, "sgd": 0.1, "momentum": 0.03, "nesterov": 0.03,
         "rmsprop": 0.003, "rprop": 0.01}  # fmt: skip


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "train",
        help="train a network on your own data",
        description="Train on a CSV with a header, or an .npz with X and y (and lengths). Texts"
        " or a few whole numbers as the target make a classification, other numbers a regression.",
    )
    parser.add_argument("data", help="CSV or .npz")
    parser.add_argument("--target", help="column to predict (the last one; y in an .npz)")
    parser.add_argument("--network", help="a saved network to start from, instead of --hidden")
    parser.add_argument("--hidden", type=sizes, default=[16], help="sizes of layers (16)")
    parser.add_argument("--activation", default="tanh", help="of hidden neurons (%(default)s)")
    parser.add_argument("--skips", action="store_true", help="synapses to all later layers")
    parser.add_argument("--recurrent", action="store_true",
                        help="hidden layers read themselves; for sequences")  # fmt: skip
    parser.add_argument("--validation", type=fraction, default=0.2,
                        help="part of the rows that is held out (%(default)s)")  # fmt: skip
    parser.add_argument("--epochs", type=at_least(1), help=f"at most ({EPOCHS})")
    parser.add_argument("--patience", type=at_least(1), default=30,
                        help="epochs without a better validation loss (%(default)s)")  # fmt: skip
    parser.add_argument("--batch-size", type=at_least(1), default=32, help="rows (%(default)s)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="(%(default)s)")
    parser.add_argument("--rate", type=positive, help="learning rate (by optimizer; adam: 0.01)")
    parser.add_argument("--l2", type=float, default=0.0, help="penalty of weights (%(default)s)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="(%(default)s)")
    parser.add_argument("--output", default="network.ng", help="file to write (%(default)s)")
    parser.add_argument("--checkpoint", metavar="FILE",
                        help="write all of the training there, now and then")  # fmt: skip
    parser.add_argument("--every", type=often, metavar="N",
                        help="how often: epochs, or as 500batches, 30s, 10min (1min)")  # fmt: skip
    parser.add_argument("--resume", metavar="FILE",
                        help="go on from a checkpoint, on the same data")  # fmt: skip
    parser.set_defaults(run=run, default=parser.get_default)


def run(options: argparse.Namespace) -> int:
    """Train, print a report, save."""
    if options.resume:
        _take_over(options)
    elif options.every is not None and not options.checkpoint:
        raise ParameterError("--every says how often; say where, too: --checkpoint FILE")
    table = read_table(options.data, options.target)
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(table.X))
    n_held = round(options.validation * len(order))
    if not 0 < n_held < len(order) - 1:
        raise ParameterError(
            f"{len(order)} rows are too few to hold out {options.validation:g} of them"
        )
    train, held = _rows(table, order[n_held:]), _rows(table, order[:n_held])
    recipe = _recipe(table, train)
    try:
        net, history = _learn(options, recipe, table, train, held)
    except NonFiniteError as error:
        raise error.moved(prefix="training diverged, try a smaller --rate: ") from None
    if history.interrupted and options.checkpoint:
        print(f"to go on: neurograph train {options.data} --resume {options.checkpoint}",
              file=sys.stderr)  # fmt: skip
    if history.interrupted and not len(history):
        raise KeyboardInterrupt
    net.graph.pop(KEPT, None)
    net.graph[RECIPE] = recipe.to_dict()
    net.save(options.output)
    print("\n".join(_report(options, recipe, net, train, held, history)))
    return 0


def _take_over(options: argparse.Namespace) -> None:
    """Take from a checkpoint which rows were held out; how to train is there as well."""
    for name, value in vars(options).items():
        if name not in FREE and value != options.default(name):
            raise ParameterError(
                f"--{name.replace('_', '-')} is in the checkpoint: leave it out, or begin anew"
                " without --resume"
            )
    kept = load(options.resume).graph.get(KEPT)
    try:
        options.target, part, seed = kept["target"], kept["validation"], kept["seed"]
        options.validation, options.seed = fraction(str(part)), at_least(0)(str(seed))
        if not isinstance(options.target, (str, type(None))):
            raise TypeError
    except (TypeError, KeyError, argparse.ArgumentTypeError):
        raise FormatError(
            f"{options.resume} is no checkpoint that `neurograph train` has written"
        ) from None
    options.checkpoint = options.checkpoint or options.resume


def _rows(table: Table, rows: np.ndarray) -> Table:
    lengths = None if table.lengths is None else table.lengths[rows]
    return Table(table.X[rows], table.columns, table.known[rows], table.target, lengths)


def _recipe(table: Table, train: Table) -> Recipe:
    """Return scales of the rows that are learned from, and the classes of all rows."""
    whole, part = Recipe.of(table), Recipe.of(train)
    if whole.classes != part.classes:
        raise ParameterError(
            f"a class of {table.target!r} is only among the rows that are held out; take another"
            " --seed, or a smaller --validation"
        )
    return part


def _network(options: argparse.Namespace, recipe: Recipe, table: Table) -> Network:
    n_in = len(recipe.columns)
    n_out = 1 if recipe.classes is None else len(recipe.classes)
    if options.network:
        net = load(options.network)
        if (len(net.inputs), len(net.outputs)) != (n_in, n_out):
            raise ParameterError(
                f"{options.network} has {len(net.inputs)} inputs and {len(net.outputs)} outputs;"
                f" these data need {n_in} and {n_out}"
            )
        return net
    if options.recurrent and table.X.ndim == 2:
        raise ParameterError(
            "--recurrent is for sequences: an .npz with X of shape (samples, steps, columns)"
        )
    net = perceptron(
        n_in, *options.hidden, n_out, activation=options.activation,
        output_activation="identity", seed=options.seed,
    )  # fmt: skip
    layers = list(net.layers.values())
    if options.skips:
        for (i, first), (j, later) in combinations(enumerate(layers), 2):
            if j > i + 1:
                first.project(later)
    if options.recurrent:
        for layer in layers[1:-1]:
            layer.project(layer, delay=1, reads="output")
    net.initialize("glorot_uniform")
    return net


def _learn(
    options: argparse.Namespace, recipe: Recipe, table: Table, train: Table, held: Table
) -> tuple[Network, History]:
    """Return a network that has learned, and how that went."""
    X, Y = recipe.inputs(held), recipe.targets(held.known)
    data: dict[str, Any] = {
        "X": recipe.inputs(train),
        "Y": recipe.targets(train.known),
        "lengths": train.lengths,
        "validation": (X, Y) if held.lengths is None else (X, Y, held.lengths),
    }
    if options.resume:
        return resume(
            options.resume, **data, epochs=options.epochs, every=options.every,
            checkpoint=options.checkpoint,
        )  # fmt: skip
    net = _network(options, recipe, table)
    if options.checkpoint:
        net.graph[KEPT] = {
            name: getattr(options, name) for name in ("target", "validation", "seed")
        }
    rate = options.rate or RATES[options.optimizer]
    history = net.fit(
        **data,
        epochs=options.epochs or EPOCHS,
        batch_size=options.batch_size,
        optimizer=OPTIMIZERS[options.optimizer](rate, l2=options.l2, clip_norm=10.0),
        loss="squared_error" if recipe.classes is None else "categorical_cross_entropy",
        callbacks=[EarlyStopping(options.patience)],
        checkpoint=options.checkpoint,
        every=options.every,
    )
    return net, history


def outputs_of(net: Network, recipe: Recipe, table: Table) -> np.ndarray:
    """Return the outputs for rows, (rows, n_out); of a sequence those of its last step."""
    outputs = net.predict(recipe.inputs(table))
    if outputs.ndim == 2:
        return outputs
    last = table.lengths - 1 if table.lengths is not None else np.full(len(outputs), -1)
    return outputs[np.arange(len(outputs)), last]


def score(recipe: Recipe, answers: np.ndarray, y: np.ndarray) -> str:
    """Return how good answers are, in words."""
    if recipe.classes is not None:
        right = int((answers == y).sum())
        return f"{right / len(y):.1%} right ({right} of {len(y)})"
    error = answers - y
    variance = float(((y - y.mean()) ** 2).sum()) or 1.0
    r2 = 1 - float((error**2).sum()) / variance
    return f"R² {r2:.4f}, root mean square error {np.sqrt((error**2).mean()):.4g}"


def _report(
    options: argparse.Namespace,
    recipe: Recipe,
    net: Network,
    train: Table,
    held: Table,
    history: History,
) -> list[str]:
    kind = (
        f"regression of {recipe.target!r}"
        if recipe.classes is None
        else f"classification of {recipe.target!r}: {', '.join(map(str, recipe.classes))}"
    )
    answers = recipe.answers(outputs_of(net, recipe, held))
    lines = [
        f"data        {options.data}: {len(train.X) + len(held.X)} rows, {len(recipe.columns)}"
        " inputs",
        f"task        {kind}",
        f"network     {net!r}",
        f"training    {history}, {history.seconds:.1f} s",
        f"learned     {score(recipe, recipe.answers(outputs_of(net, recipe, train)), train.known)}",
        f"held out    {score(recipe, answers, held.known)}",
    ]
    if recipe.classes is not None:
        for name in recipe.classes:
            mine = held.known == name
            if mine.any():
                right = int((answers[mine] == name).sum())
                lines.append(f"  {name!s:<10}{right} of {int(mine.sum())}")
    return [*lines, f"saved       {options.output}"]
