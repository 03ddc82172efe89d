"""Networks that remember: LSTM, GRU and NARX."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from neurograph.architectures.building import delay_synapses_back, layer_sizes, numbered
from neurograph.layers import Layer
from neurograph.network import Network
from neurograph.values import choice, flag, natural, number

__all__ = ["gru", "lstm", "narx"]

PEEPHOLES = ("all_to_all", "one_to_one")
PARTS = ("input_gate", "forget_gate", "cell", "output_gate")


def lstm(
    *sizes: int,
    peepholes: str | bool | None = "all_to_all",
    hidden_to_hidden: bool = False,
    output_to_hidden: bool = False,
    output_to_gates: bool = False,
    input_to_output: bool = True,
    activation: str = "logistic",
    gate_activation: str = "logistic",
    output_activation: str | None = None,
    gate_bias: float = 1.0,
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a network of blocks of long short-term memory, wired and gated as Synaptic's.

    A block is four layers, visited in this order: "input_gate", "forget_gate", "cell" and
    "output_gate" ("input_gate1" … if there are several blocks). Inputs and the cells of the
    block before project to all four. Input gate k multiplies what cell k receives from them,
    forget gate k the self-synapse of cell k, and output gate k what cell k sends to the
    outputs; other blocks, other cells and peepholes read the cell ungated. The self-synapse,
    the carousel, has weight 1 and is frozen.

    What runs back in the order of visits is read one step later: delay 1.

    Parameters
    ----------
    *sizes : int
        Inputs, cells of each block, outputs: three at least.
    peepholes : {"all_to_all", "one_to_one"} or None
        From the cells to the gates of their block; None, or False: there are none.
    hidden_to_hidden : bool
        Each cell projects to the other cells of its block.
    output_to_hidden, output_to_gates : bool
        The outputs project back to the cells, or to the gates, of every block.
    input_to_output : bool
        The inputs project to the outputs too.
    activation : str
        Of the cells and the outputs.
    gate_activation, output_activation : str
        Of the gates; of the outputs, if it is another than that of the cells.
    gate_bias : float
        Initial bias of all gates; the other biases are 0.
    seed, dtype
        As in `Network`. Weights are drawn from uniform(-0.1, 0.1), as Synaptic does;
        `net.initialize(...)` draws them otherwise and leaves the carousel alone.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997);
    F. Gers, N. Schraudolph, J. Schmidhuber, JMLR 3 (2002), for peepholes; D. Monner, J.
    Reggia, Neural Networks 25 (2012), for LSTM as a network of gated synapses.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.lstm(2, 3, 1, seed=0)
    >>> net
    <Network: 15 neurons (2 inputs, 1 output), 59 synapses; ready>
    >>> carousel = net.edges["cell.0", "cell.0"]
    >>> carousel.weight, carousel.gater, carousel.trainable
    (1.0, 'forget_gate.0', False)
    >>> list(ng.lstm(2, 4, 4, 1, seed=0).layers)[:4]
    ['input', 'input_gate1', 'forget_gate1', 'cell1']
    """
    n_in, *blocks, n_out = layer_sizes("lstm", sizes, 3, "lstm(2, 3, 1)")
    peeping = (
        None if peepholes in (None, False) else PEEPHOLES[choice("peepholes", peepholes, PEEPHOLES)]
    )
    options = {
        "hidden_to_hidden": hidden_to_hidden,
        "output_to_hidden": output_to_hidden,
        "output_to_gates": output_to_gates,
        "input_to_output": input_to_output,
    }
    wanted = {name: flag(name, value) for name, value in options.items()}
    gate_bias = number("gate_bias", gate_bias)

    net = Network(seed=seed, dtype=dtype)
    inputs = net.add_layer("input", n_in, role="input")
    names = zip(*(numbered(part, len(blocks)) for part in PARTS), strict=True)
    layers = [
        [
            net.add_layer(name, size, activation=activation)
            if part == "cell"
            else net.add_layer(name, size, activation=gate_activation, bias=gate_bias)
            for part, name in zip(PARTS, block, strict=True)
        ]
        for block, size in zip(names, blocks, strict=True)
    ]
    outputs = net.add_layer(
        "output", n_out, role="output", activation=output_activation or activation
    )
    sources = [inputs]
    for block in layers:
        _wire_block(sources, block, outputs, peeping, wanted)
        sources = [inputs, block[PARTS.index("cell")]]
    if wanted["input_to_output"]:
        inputs.project(outputs)
    delay_synapses_back(net, list(net.synapses))
    return net


def _wire_block(
    sources: list[Layer],
    block: list[Layer],
    outputs: Layer,
    peepholes: str | None,
    wanted: dict[str, bool],
) -> None:
    """Project and gate in Synaptic's order."""
    input_gate, forget_gate, cell, output_gate = block
    for source in sources:
        received = source.project(cell)
        for gate in (input_gate, forget_gate, output_gate):
            source.project(gate)
        input_gate.gate(received, "input")
    output_gate.gate(cell.project(outputs), "output")
    carousel = cell.project(cell, "one_to_one", weight=1)
    for synapse in carousel:
        synapse.trainable = False
    forget_gate.gate(carousel, "one_to_one")
    if wanted["hidden_to_hidden"]:
        cell.project(cell, "all_to_else")
    if wanted["output_to_hidden"]:
        outputs.project(cell)
    if wanted["output_to_gates"]:
        for gate in (input_gate, output_gate, forget_gate):
            outputs.project(gate)
    if peepholes:
        for gate in (input_gate, forget_gate, output_gate):
            cell.project(gate, peepholes)


def gru(
    *sizes: int,
    activation: str = "tanh",
    gate_activation: str = "logistic",
    output_activation: str = "logistic",
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a network of gated recurrent units.

    With h' the hidden layer one step ago, in the convention of PyTorch, where the reset gate
    multiplies what the recurrent synapses deliver::

        r = σ(W_r x + U_r h' + b_r)            "reset_gate"
        z = σ(W_z x + U_z h' + b_z)            "update_gate"
        q = U h' + b_q                         "recurrence", identity
        n = tanh(W x + b + r q)                "candidate"
        h = (1 - z) n + z h'                   "hidden", identity

    All of it is neurons and gates: r gates q -> n; z gates the self-synapse of h, and 1 - z, a
    neuron of layer "complement" with activation `inverse`, gates n -> h. The synapses q -> n,
    n -> h, z -> 1 - z and h -> h have weight 1; they and the biases of 1 - z and h are frozen.
    Layers of several stacks are called "reset_gate1" …; each reads the hidden layer of the one
    before, and the outputs read the last.

    Parameters
    ----------
    *sizes : int
        Inputs, units of each hidden layer, outputs: three at least.
    activation, gate_activation, output_activation : str
        Of the candidates; of both gates; of the outputs.
    seed, dtype
        As in `Network`. Weights are drawn by `initialize("glorot_uniform")`, biases are 0.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP (2014); `torch.nn.GRU` for the place of r and of z.

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.gru(2, 3, 1, seed=0)
    >>> net.forward([[[0, 1], [1, 1], [1, 0]]]).shape           # a sequence of 3 steps
    (1, 3, 1)
    >>> net.edges["candidate.0", "hidden.0"].gater, net.edges["hidden.0", "hidden.0"].gater
    ('complement.0', 'update_gate.0')
    """
    n_in, *n_hidden, n_out = layer_sizes("gru", sizes, 3, "gru(2, 8, 1)")
    net = Network(seed=seed, dtype=dtype)
    source = net.add_layer("input", n_in, role="input")
    functions = {
        "reset_gate": gate_activation,
        "update_gate": gate_activation,
        "complement": "inverse",
        "recurrence": "identity",
        "candidate": activation,
        "hidden": "identity",
    }
    names = zip(*(numbered(part, len(n_hidden)) for part in functions), strict=True)
    for stack, size in zip(names, n_hidden, strict=True):
        layers = {
            part: net.add_layer(name, size, activation=function)
            for (part, function), name in zip(functions.items(), stack, strict=True)
        }
        _wire_units(source, **layers)
        source = layers["hidden"]
    source.project(net.add_layer("output", n_out, role="output", activation=output_activation))
    net.initialize("glorot_uniform")
    return net


def _wire_units(
    source: Layer,
    reset_gate: Layer,
    update_gate: Layer,
    complement: Layer,
    recurrence: Layer,
    candidate: Layer,
    hidden: Layer,
) -> None:
    for layer in (reset_gate, update_gate, candidate):
        source.project(layer)
    for layer in (reset_gate, update_gate, recurrence):
        hidden.project(layer, delay=1)
    negated = update_gate.project(complement, "one_to_one", weight=1)
    recalled = recurrence.project(candidate, "one_to_one", weight=1)
    renewed = candidate.project(hidden, "one_to_one", weight=1)
    kept = hidden.project(hidden, "one_to_one", weight=1)
    reset_gate.gate(recalled, "one_to_one")
    complement.gate(renewed, "one_to_one")
    update_gate.gate(kept, "one_to_one")
    for fixed in (*complement, *hidden, *negated, *recalled, *renewed, *kept):
        fixed.trainable = False


def narx(
    *sizes: int,
    input_memory: int = 3,
    output_memory: int = 3,
    activation: str = "logistic",
    output_activation: str | None = None,
    seed: Any = None,
    dtype: Any = "float64",
) -> Network:
    """Return a nonlinear autoregressive network with external inputs, as Neataptic's.

    A perceptron whose first hidden layer also receives the last inputs and the last outputs::

        y(t) = f(x(t), x(t-1) … x(t-p), y(t-1) … y(t-q))

    An ordered pair of neurons holds one synapse, so each step of memory is a layer of relays:
    layer "input_memory2" receives the inputs of two steps ago, one to one, by synapses of
    delay 2 and weight 1, and passes them on unchanged. Relays and their synapses are frozen.

    Parameters
    ----------
    *sizes : int
        Inputs, hidden layers, outputs: three at least.
    input_memory, output_memory : int
        p and q: how many steps of inputs, and of outputs, are remembered; 0 is none.
    activation, output_activation : str
        Of the hidden layers and the outputs; of the outputs, if it is another.
    seed, dtype
        As in `Network`. Weights are drawn by `initialize("glorot_uniform")`, biases are 0.

    References
    ----------
    T. Lin, B. Horne, P. Tiňo, C. L. Giles, "Learning long-term dependencies in NARX recurrent
    neural networks", IEEE Transactions on Neural Networks 7 (1996).

    Examples
    --------
    >>> import neurograph as ng
    >>> net = ng.narx(1, 4, 1, input_memory=2, output_memory=1, seed=0)
    >>> [(s.source, s.delay) for s in net.nodes["input_memory2.0"].incoming]
    [('input.0', 2)]
    >>> list(net.layers)
    ['input', 'input_memory1', 'input_memory2', 'output_memory1', 'hidden', 'output']
    """
    n_in, *n_hidden, n_out = layer_sizes("narx", sizes, 3, "narx(1, 5, 1)")
    steps = {
        "input": natural("input_memory", input_memory),
        "output": natural("output_memory", output_memory),
    }
    net = Network(seed=seed, dtype=dtype)
    layers = {"input": net.add_layer("input", n_in, role="input")}
    memories = [
        (origin, d, net.add_layer(f"{origin}_memory{d}", size, activation="identity"))
        for origin, size in (("input", n_in), ("output", n_out))
        for d in range(1, steps[origin] + 1)
    ]
    names = numbered("hidden", len(n_hidden))
    for name, size in zip(names, n_hidden, strict=True):
        layers[name] = net.add_layer(name, size, activation=activation)
    layers["output"] = net.add_layer(
        "output", n_out, role="output", activation=output_activation or activation
    )
    for source, target in pairwise(layers.values()):
        source.project(target)
    for origin, d, relays in memories:
        copied = layers[origin].project(relays, "one_to_one", delay=d, weight=1)
        relays.project(layers[names[0]])
        for fixed in (*relays, *copied):
            fixed.trainable = False
    net.initialize("glorot_uniform")
    return net
