"""A network as a source file that needs nothing: one module a language, and what they share."""

from neurograph.io.standalone.writer import write_standalone

__all__ = ["write_standalone"]
