"""Ready-made topologies. Each is a function that returns an ordinary `Network`."""

from neurograph.architectures.feedforward import perceptron
from neurograph.architectures.memory import lstm

__all__ = ["lstm", "perceptron"]
