"""Neurons and synapses: what each one has, and which values it can take."""

from neurograph.encoding import not_given
from neurograph.neurons import HIDDEN, INPUT, OUTPUT, ROLES, Neuron
from neurograph.synapses import NO_GATER, READS_OUTPUT, READS_STATE, GaterId, Synapse

__all__ = [
    "HIDDEN",
    "INPUT",
    "NO_GATER",
    "OUTPUT",
    "READS_OUTPUT",
    "READS_STATE",
    "ROLES",
    "GaterId",
    "Neuron",
    "Synapse",
    "not_given",
]
