"""Graphs of NIR as populations of neurons and bundles of synapses, of which a network is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from neurograph.errors import FormatError
from neurograph.io.nir_file import MAX_NUMBERS, Description, Node
from neurograph.values import MAX_ROWS

__all__ = ["Bundle", "Population", "PopulationGraph"]

MAPS = ("Linear", "Affine")
KEEPING = ("LI", "I")
OFF = 1e-6  # of a whole number of steps, relative


@dataclass(eq=False)
class Population:
    """Neurons of one kind.

    Attributes
    ----------
    role, activation : str
    gain, bias : (n,) arrays
        What arrives is multiplied by the gain.
    memory : (n,) array or None
        Weights of self-synapses that read the state.
    first : int
        Number of its first neuron.
    """

    name: str
    size: int
    role: str = "hidden"
    activation: str = "identity"
    gain: np.ndarray = field(default_factory=lambda: np.ones(1))
    bias: np.ndarray = field(default_factory=lambda: np.zeros(1))
    memory: np.ndarray | None = None
    first: int = 0

    def __post_init__(self) -> None:
        self.gain, self.bias = (
            np.array(np.broadcast_to(a, self.size)) for a in (self.gain, self.bias)
        )


@dataclass(eq=False)
class Bundle:
    """Synapses from one population to another: places in them, weights, delays."""

    source: Population
    target: Population
    rows: np.ndarray  # in the target
    columns: np.ndarray  # in the source
    weight: np.ndarray
    delay: np.ndarray


class PopulationGraph:
    """Says of every node whether it is a population or part of a bundle of synapses.

    Attributes
    ----------
    populations : list of Population
    overshooting : list of str
        Nodes with a time constant shorter than a step.
    """

    def __init__(self, found: Description, dt: float):
        self.dt, self.overshooting = dt, list[str]()
        self.nodes, self.before, self.after = _without_zeros(found)
        self.entry: dict[str, Population] = {}  # of a node that is one
        self.exit: dict[str, Population] = {}
        self.populations: list[Population] = []
        self.of_file = set(found.nodes)
        for name, node in sorted(self.nodes.items(), key=lambda item: item[1].kind not in KEEPING):
            if node.kind != "Output" and self._stands(name) and name not in self.exit:
                self._add(name, node)
        for name, node in self.nodes.items():
            if node.kind == "Output":
                self._add_output(name, node)
        self.populations.sort(key=lambda p: ("input", "hidden", "output").index(p.role))
        first = 0
        for population in self.populations:
            population.first, first = first, first + population.size

    def _stands(self, name: str) -> bool:
        """Whether a node is a population: a map is one if any other than a population follows it.

        An output that a single node leads to takes that one over; another one is a population.
        """
        kind, after = self.nodes[name].kind, self.after[name]
        if kind not in (*MAPS, "Delay"):
            return True
        not_into = (*MAPS, "Delay") if kind in MAPS else ("Delay",)
        return not after or any(
            self.nodes[n].kind in not_into
            or (self.nodes[n].kind == "Output" and len(self.before[n]) == 1)
            for n in after
        )

    def _add(self, name: str, node: Node) -> None:
        """Add the population of a node, or of a keeping node and the threshold behind it."""
        made = self._population(name, node)
        self.entry[name] = self.exit[name] = made
        if node.kind == "CubaLI":
            self.entry[name] = self._current(name, node)
        follower = self.after[name][0] if len(self.after[name]) == 1 else None
        if node.kind in KEEPING and follower is not None and self.before[follower] == [name]:
            threshold = self.nodes[follower]
            if threshold.kind == "Threshold" and not threshold.values["threshold"].any():
                made.name, made.activation = follower, "step"
                self.exit[follower] = made
        self.populations.append(made)

    def _population(self, name: str, node: Node) -> Population:
        values = node.values
        if node.kind == "Threshold":
            return Population(name, node.n_out, activation="step", bias=-values["threshold"])
        if node.kind == "Scale":
            return Population(name, node.n_out, gain=values["scale"])
        if node.kind == "I":
            return Population(
                name, node.n_out, gain=self.dt * values["r"], memory=np.ones(node.n_out)
            )
        if node.kind in ("LI", "CubaLI"):
            share = self._share(name, values["tau" if node.kind == "LI" else "tau_mem"])
            gain, bias = share * values["r"], share * values["v_leak"]
            return Population(name, node.n_out, gain=gain, bias=bias, memory=1 - share)
        if node.kind in MAPS:
            return Population(name, node.n_out, bias=values["bias"])
        return Population(name, node.n_out, role="input" if node.kind == "Input" else "hidden")

    def _current(self, name: str, node: Node) -> Population:
        """Add the population of the currents of a CubaLI, from which its neurons get theirs."""
        share = self._share(name, node.values["tau_syn"])
        called = f"{name}.current"
        while called in self.of_file:
            called += "_"
        gain = share * node.values["w_in"]
        self.populations.append(Population(called, node.n_out, gain=gain, memory=1 - share))
        return self.populations[-1]

    def _share(self, name: str, tau: np.ndarray) -> np.ndarray:
        """Return dt / τ, the share of the state that is lost in a step."""
        with np.errstate(divide="ignore"):
            share = self.dt / tau
        if not (tau > 0).all() or not np.isfinite(share).all():
            raise FormatError(f"nodes.{name}: a time constant must be more than 0")
        if (share > 1).any():
            self.overshooting.append(repr(name))
        return share

    def _add_output(self, name: str, node: Node) -> None:
        """Make an output of the one population that leads to it, or add one."""
        before = self.before[name]
        if len(before) == 1 and self.exit[before[0]].role == "hidden":
            made = self.exit[before[0]]
            made.name, made.role = name, "output"
        else:
            made = Population(name, node.n_out, role="output")
            self.entry[name] = made
            self.populations.append(made)

    # ------------------------------------------------------------ synapses

    def synapses(self) -> list[Bundle]:
        """Return all synapses but those that read a state, and add biases of maps."""
        made: list[Bundle] = []
        left = MAX_NUMBERS
        for bundle in self._bundles():
            left -= len(bundle.weight)
            if left < 0:
                raise FormatError(f"a graph of more than {MAX_NUMBERS:,} synapses")
            made.append(bundle)
        return made

    def _bundles(self) -> Iterator[Bundle]:
        for name, target in self.entry.items():
            node = self.nodes[name]
            if node.kind == "CubaLI":
                yield self._bundle(target, self.exit[name], np.ones(target.size), None)
            if node.kind in MAPS:
                yield from self._through(name, target)
            elif node.kind == "Delay":
                yield from self._late(name, target, np.ones(node.n_in))
            else:
                for x in self.before[name]:
                    yield from self._from(x, target)

    def _from(self, name: str, target: Population) -> Iterator[Bundle]:
        """Yield what comes from a node into a population."""
        node = self.nodes[name]
        if name in self.exit:
            yield self._bundle(self.exit[name], target, np.ones(target.size), None)
        elif node.kind in MAPS:
            target.bias += target.gain * node.values["bias"]
            yield from self._through(name, target)
        else:
            yield from self._late(name, target, np.ones(node.n_in))

    def _through(self, name: str, target: Population) -> Iterator[Bundle]:
        """Yield what comes through a matrix."""
        weight = self.nodes[name].values["weight"]
        for y in self.before[name]:
            if y in self.exit:
                yield self._bundle(self.exit[y], target, weight, None)
            else:
                yield from self._late(y, target, weight)

    def _late(self, name: str, target: Population, weight: np.ndarray) -> Iterator[Bundle]:
        """Yield what comes through a delay."""
        wanted = self.nodes[name].values["delay"] / self.dt
        steps = np.rint(wanted)
        off = np.abs(wanted - steps) > OFF * np.maximum(1, steps)
        if off.any() or not ((steps >= 0) & (steps <= MAX_ROWS)).all():
            raise FormatError(
                f"nodes.{name}.delay is no whole number of steps of {self.dt:g} s; give another dt="
            )
        for z in self.before[name]:
            yield self._bundle(self.exit[z], target, weight, steps.astype(int))

    def _bundle(
        self, source: Population, target: Population, weight: np.ndarray, steps: np.ndarray | None
    ) -> Bundle:
        """Return synapses for a matrix, or for the diagonal of one."""
        if weight.ndim == 2:
            rows, columns = np.nonzero(weight)
            weight = weight[rows, columns]
        else:
            rows = columns = np.arange(len(weight))
        weight = target.gain[rows] * weight
        delay = np.zeros(len(rows), int) if steps is None else steps[columns]
        return Bundle(source, target, rows, columns, weight, delay)


def _without_zeros(
    found: Description,
) -> tuple[dict[str, Node], dict[str, list[str]], dict[str, list[str]]]:
    """Return the nodes, what is before each and after each, without maps to 0."""
    nodes = {
        name: node
        for name, node in found.nodes.items()
        if node.kind not in MAPS or any(array.any() for array in node.values.values())
    }
    before: dict[str, list[str]] = {name: [] for name in nodes}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for u, v in found.edges:
        if u in nodes and v in nodes:
            before[v].append(u)
            after[u].append(v)
    return nodes, before, after
