"""Ready-made topologies. Each is a function that returns an ordinary `Network`."""

from neurograph.architectures.feedforward import perceptron
from neurograph.architectures.memory import gru, lstm

__all__ = ["gru", "lstm", "perceptron"]
