"""neurograph: every neuron and every synapse is an object in a `networkx.DiGraph`."""

from neurograph import io
from neurograph.architectures import perceptron
from neurograph.callbacks import EarlyStopping, Epoch
from neurograph.check import check
from neurograph.elements import Neuron, Synapse
from neurograph.engines.base import Recording, State, Trace
from neurograph.engines.pool import get_num_threads, set_num_threads
from neurograph.errors import (
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
from neurograph.io.native_reader import load
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
    "activation",
    "check",
    "get_num_threads",
    "io",
    "load",
    "loss",
    "pad",
    "perceptron",
    "plan",
    "schedules",
    "set_num_threads",
]
