"""neurograph: every neuron and every synapse is an object in a `networkx.DiGraph`."""

from neurograph.architectures import perceptron
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
from neurograph.layers import Layer, Projection
from neurograph.learning.losses import LOSSES, Loss, loss
from neurograph.learning.optimizers import SGD, Optimizer
from neurograph.learning.rules import BPTT, LSTMG, RTRL, Rule, Synaptic
from neurograph.network import Network
from neurograph.schedule import Plan, plan
from neurograph.trainer import Trainer
from neurograph.training import History

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "BPTT",
    "LOSSES",
    "LSTMG",
    "RTRL",
    "SGD",
    "Activation",
    "CycleError",
    "DetachedError",
    "FormatError",
    "GraphError",
    "History",
    "Layer",
    "Loss",
    "Network",
    "NeurographError",
    "NeurographWarning",
    "Neuron",
    "NonFiniteError",
    "Optimizer",
    "ParameterError",
    "Plan",
    "Projection",
    "Recording",
    "Rule",
    "ShapeError",
    "State",
    "Synapse",
    "Synaptic",
    "Trace",
    "Trainer",
    "activation",
    "check",
    "get_num_threads",
    "loss",
    "perceptron",
    "plan",
    "set_num_threads",
]
