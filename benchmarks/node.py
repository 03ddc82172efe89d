"""Peers in JavaScript: a process of Node.js that warms up, measures itself and prints JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.peers import Peers

__all__ = ["run_node"]

SCRIPTS = Path(__file__).parent / "node"


def run_node(peers: Peers, script: str, library: str, **given: Any) -> dict:
    """Run a script of benchmarks/node; `given` is its standard input, the answer its output."""
    done = subprocess.run(
        ["node", "--expose-gc", str(SCRIPTS / script), library],
        input=json.dumps(given),
        env={**os.environ, "NODE_PATH": str(peers.node_modules)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} {library}: {' '.join(done.stderr.split())}")
    return json.loads(done.stdout.splitlines()[-1])
