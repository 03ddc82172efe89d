"""Hypothesis strategies: networks of every kind, and what to feed them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import neurograph as ng

SMOOTH = [
    "logistic",
    "tanh",
    "identity",
    "softplus",
    "swish",
    "gelu",
    "gaussian",
    "sin",
    "bent_identity",
    "bipolar_logistic",
    "softsign",
    "inverse",
]
KINKS = {
    "relu": (0,),
    "leaky_relu": (0,),
    "selu": (0,),
    "step": (0,),
    "bipolar": (0,),
    "absolute": (0,),
    "hard_tanh": (-1, 1),
}
ALL = [*SMOOTH, *KINKS]
NAMES = st.one_of(
    st.integers(0, 99),
    st.text("abcλ€ ", min_size=1, max_size=3),
    st.tuples(st.integers(0, 9), st.sampled_from("xy")),
    st.frozensets(st.integers(0, 3), max_size=2),
)

# Off the round numbers, so that a state is rarely exactly at a kink.
numbers = st.integers(-11, 11).map(lambda i: i / 10 + 0.0137)


@st.composite
def networks(
    draw,
    *,
    recurrent: bool = True,
    gates: bool = True,
    ties: bool = True,
    activations: list[str] = ALL,
    output_activation: str | None = None,
    dtype: str = "float64",
    names: st.SearchStrategy = NAMES,
    max_hidden: int = 4,
) -> ng.Network:
    """A well-formed network: a DAG, or with delays, self-synapses, autapses, gates and ties."""
    n_in, n_out = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    n_hidden = draw(st.integers(0, max_hidden))
    n = n_in + n_hidden + n_out
    labels = draw(st.lists(names, min_size=n, max_size=n, unique=True))
    roles = ["input"] * n_in + draw(st.permutations(["hidden"] * n_hidden + ["output"] * n_out))
    net = ng.Network(seed=draw(st.integers(0, 9)), dtype=dtype)
    # Position in `labels` is a valid order; that of insertion is any.
    for i in draw(st.permutations(range(n))):
        f = draw(st.sampled_from(activations))
        if roles[i] == "output" and output_activation:
            f = output_activation
        net.add_neuron(labels[i], role=roles[i], activation=f, bias=draw(numbers))

    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    wanted = draw(st.lists(pairs, min_size=n - 1, max_size=2 * n + 2, unique=True))
    wanted += [(draw(st.integers(0, j - 1)), j) for j in range(n_in, n)]  # nobody is left out
    position = {}
    for i, j in dict.fromkeys(wanted):
        if i >= j and not recurrent:
            i, j = j, i
        if (i == j and not recurrent) or (labels[i], labels[j]) in position:
            continue
        given = {"weight": draw(numbers)}
        if i == j and draw(st.booleans()):
            given |= {"reads": "output", "delay": draw(st.integers(1, 3))}
        elif i != j and recurrent:
            given["delay"] = draw(st.integers(int(i > j), 3)) if i > j or draw(st.booleans()) else 0
        net.add_synapse(labels[i], labels[j], **given)
        position[labels[i], labels[j]] = j
    synapses = list(net.synapses)
    if gates:
        for s in draw(st.lists(st.sampled_from(synapses), max_size=4, unique=True)):
            k, j = draw(st.integers(0, n - 1)), position[s.source, s.target]
            late = int(k >= j) if recurrent else 0
            if k < j or recurrent:
                net.gate(labels[k], s, delay=late or (recurrent and draw(st.integers(0, 1))))
    if ties and len(synapses) > 1 and draw(st.booleans()):
        net.tie(draw(st.lists(st.sampled_from(synapses), min_size=2, max_size=3, unique=True)))
    return net


@st.composite
def late_gates(draw, net: ng.Network) -> None:
    """Gates of delay 1 on synapses without delay, which act in the first step; maybe none."""
    neurons, synapses = list(net), [s for s in net.synapses if not s.delay]
    for s in draw(st.lists(st.sampled_from(synapses), max_size=3)) if synapses else ():
        net.gate(draw(st.sampled_from(neurons)), s, delay=1)


@st.composite
def sequences(draw, net: ng.Network, max_steps: int = 4, max_samples: int = 3) -> np.ndarray:
    """Inputs (samples, steps, inputs) for a network."""
    shape = draw(st.integers(1, max_samples)), draw(st.integers(1, max_steps)), len(net.inputs)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.uniform(-1, 1, shape)


@st.composite
def runs(draw, **options) -> tuple[ng.Network, np.ndarray, np.ndarray]:
    """A network, inputs for it, and ∂L/∂Y of some loss."""
    net = draw(networks(**options))
    X = draw(sequences(net))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return net, X, rng.normal(size=(*X.shape[:2], len(net.outputs)))


def near_kink(net: ng.Network, X: np.ndarray, margin: float = 1e-3) -> bool:
    """Whether some neuron comes so close to a kink that differences mean nothing."""
    recording = net.run(X)
    return any(
        np.abs(recording[neuron.name].state - kink).min() < margin
        for neuron in net.neurons
        if neuron.role != "input"
        for kink in KINKS.get(neuron.activation, ())
    )


def ready_for(net, rule):
    """Whether the rule can handle the network; if so, it is set."""
    net.rule = rule
    try:
        net.gradient_status()
    except ng.ParameterError:
        assert rule == "synaptic"
        return False
    return True


def close(a, b, tolerance: float) -> bool:
    """The project's meaning of equal: |a - b| <= tolerance · max(1, largest |value|)."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    scale = max(1.0, np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return bool((np.abs(a - b) <= tolerance * scale).all())
