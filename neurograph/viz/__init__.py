"""Static pictures. Each module takes a network, or what inspection returned, as an argument."""
