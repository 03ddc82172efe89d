"""neurograph: every neuron and every synapse is an object in a `networkx.DiGraph`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurograph.architectures import (
    gru,
    hopfield,
    liquid,
    lstm,
    narx,
    perceptron,
    random_network,
    reservoir,
)
from neurograph.callbacks import EarlyStopping, Epoch
from neurograph.check import check
from neurograph.elements import Neuron, Synapse
from neurograph.engines.base import Recording, State, Trace
from neurograph.engines.pool import get_num_threads, set_num_threads
from neurograph.errors import (
    BusyError,
    CycleError,
    DetachedError,
    FormatError,
    GraphError,
    NeurographError,
    NeurographWarning,
    NonFiniteError,
    ParameterError,
    ShapeError,
)
from neurograph.functions import ACTIVATIONS, Activation, activation
from neurograph.history import History
from neurograph.inspection import watch
from neurograph.layers import Layer, Projection
from neurograph.learning import schedules
from neurograph.learning.losses import LOSSES, Loss, loss
from neurograph.learning.optimizers import (
    LBFGS,
    SGD,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    Rprop,
)
from neurograph.learning.rules import BPTT, LSTMG, RTRL, Rule, Synaptic
from neurograph.lessons import pad
from neurograph.network import Network
from neurograph.schedule import Plan, plan
from neurograph.trainer import Trainer

if TYPE_CHECKING:
    from neurograph import datasets, io, tasks
    from neurograph.io.checkpoint_reader import resume
    from neurograph.io.native_reader import load

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "BPTT",
    "LBFGS",
    "LOSSES",
    "LSTMG",
    "RTRL",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "BusyError",
    "CycleError",
    "DetachedError",
    "EarlyStopping",
    "Epoch",
    "FormatError",
    "GraphError",
    "History",
    "Layer",
    "Loss",
    "Momentum",
    "Nesterov",
    "Network",
    "NeurographError",
    "NeurographWarning",
    "Neuron",
    "NonFiniteError",
    "Optimizer",
    "ParameterError",
    "Plan",
    "Projection",
    "RMSprop",
    "Recording",
    "Rprop",
    "Rule",
    "ShapeError",
    "State",
    "Synapse",
    "Synaptic",
    "Trace",
    "Trainer",
    "activation",
    "check",
    "datasets",
    "get_num_threads",
    "gru",
    "hopfield",
    "io",
    "liquid",
    "load",
    "loss",
    "lstm",
    "narx",
    "pad",
    "perceptron",
    "plan",
    "random_network",
    "reservoir",
    "resume",
    "schedules",
    "set_num_threads",
    "tasks",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import what has to do with files when it is asked for: not everybody has some."""
    if name in ("datasets", "io", "tasks"):
        return import_module(f"neurograph.{name}")
    if name == "load":
        return import_module("neurograph.io.native_reader").load
    if name == "resume":
        return import_module("neurograph.io.checkpoint_reader").resume
    raise AttributeError(f"module 'neurograph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "datasets", "io", "load", "resume", "tasks"])
