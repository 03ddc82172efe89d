"""Files of other programs: one format a module, a reader and a writer each."""

from neurograph.io.dot import write_dot
from neurograph.io.edge_list import read_edge_list
from neurograph.io.edge_list_writer import write_edge_list
from neurograph.io.endings import read, write
from neurograph.io.graphml import read_graphml, write_graphml
from neurograph.io.neataptic import read_neataptic
from neurograph.io.nir import read_nir
from neurograph.io.nir_writer import write_nir
from neurograph.io.node_link import read_node_link, write_node_link
from neurograph.io.standalone import write_standalone
from neurograph.io.synaptic import read_synaptic
from neurograph.io.synaptic_writer import write_synaptic

__all__ = [
    "read",
    "read_edge_list",
    "read_graphml",
    "read_neataptic",
    "read_nir",
    "read_node_link",
    "read_synaptic",
    "write",
    "write_dot",
    "write_edge_list",
    "write_graphml",
    "write_nir",
    "write_node_link",
    "write_standalone",
    "write_synaptic",
]
