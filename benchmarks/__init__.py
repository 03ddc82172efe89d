"""How fast neurograph is, side by side with what one would otherwise use.

Run from a checkout as ``python -m benchmarks``; see docs/performance.md. Peers are optional:
what is not installed is left out, and the end of the table says how to install it.
"""
