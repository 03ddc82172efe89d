"""Ready-made topologies. Each is a function that returns an ordinary `Network`."""

from neurograph.architectures.associative import feed, hopfield, learn
from neurograph.architectures.feedforward import perceptron
from neurograph.architectures.memory import gru, lstm, narx
from neurograph.architectures.random_wiring import liquid, random_network
from neurograph.architectures.reservoirs import reservoir

__all__ = [
    "feed",
    "gru",
    "hopfield",
    "learn",
    "liquid",
    "lstm",
    "narx",
    "perceptron",
    "random_network",
    "reservoir",
]
