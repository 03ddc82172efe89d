"""Files of other programs: one format a module, a reader and a writer each."""

from neurograph.io.nir import read_nir
from neurograph.io.nir_writer import write_nir
from neurograph.io.standalone import write_standalone
from neurograph.io.synaptic import read_synaptic
from neurograph.io.synaptic_writer import write_synaptic

__all__ = ["read_nir", "read_synaptic", "write_nir", "write_standalone", "write_synaptic"]
