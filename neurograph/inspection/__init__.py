"""What one asks of neurons and synapses. Each module takes a network as an argument."""
