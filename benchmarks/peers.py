"""Which peers are installed, how to install the others, and what this machine is."""

from __future__ import annotations

import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["INSTALL", "Peers", "machine"]

INSTALL = {
    "scipy": "pip install scipy",
    "torch": "pip install torch",
    "jax": "pip install jax",
    "neat": "pip install neat-python",
    "node": "install Node.js, https://nodejs.org",
    "synaptic": "npm install synaptic",
    "neataptic": "npm install neataptic",
    "brain.js": "npm install brain.js",
}
NODE_PACKAGES = ("synaptic", "neataptic", "brain.js")
LIBRARIES = ("neurograph", "numpy", "numba", "networkx", "scipy", "torch", "jax", "neat-python")


class Peers:
    """What of the peers is there; remembers what was asked for in vain.

    Parameters
    ----------
    node_modules : str, optional
        Folder of packages for Node.js; NODE_PATH or ./node_modules unless given.
    """

    def __init__(self, node_modules: str | None = None):
        given = node_modules or os.environ.get("NODE_PATH") or "node_modules"
        self.node_modules = Path(given).resolve()
        self.absent: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        missing = self._missing(name)
        if missing:
            self.absent[missing] = INSTALL[missing]
        return not missing

    def _missing(self, name: str) -> str:
        if name not in NODE_PACKAGES:
            return "" if find_spec(name) else name
        if shutil.which("node") is None:
            return "node"
        return "" if (self.node_modules / name / "package.json").is_file() else name

    def versions(self) -> dict[str, str]:
        """Return the versions of all libraries that are there."""
        found = {}
        for name in LIBRARIES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        for name in NODE_PACKAGES:
            path = self.node_modules / name / "package.json"
            if path.is_file():
                found[name] = json.loads(path.read_text(encoding="utf-8"))["version"]
        return found


def machine(peers: Peers) -> dict:
    """Return what the numbers depend on: processor, cores, system, versions."""
    import neurograph

    versions = {"python": platform.python_version(), **peers.versions()}
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {**versions, "neurograph": neurograph.__version__},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
