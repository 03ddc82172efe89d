"""Files of other programs: one format a module, a reader and a writer each."""

from neurograph.io.synaptic import read_synaptic
from neurograph.io.synaptic_writer import write_synaptic

__all__ = ["read_synaptic", "write_synaptic"]
