"""Learning: published numbers, one by one and in batches, and XOR from many seeds."""

import numpy as np
import pytest

import neurograph as ng

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([[0], [1], [1], [0]])


def mazur():
    """Matt Mazur, "A Step by Step Backpropagation Example": 2-2-2, biases not trained."""
    net = ng.Network()
    for name, role, bias in (
        ("i1", "input", 0),
        ("i2", "input", 0),
        ("h1", "hidden", 0.35),
        ("h2", "hidden", 0.35),
        ("o1", "output", 0.60),
        ("o2", "output", 0.60),
    ):
        net.add_neuron(name, role=role, bias=bias, trainable=False)
    weights = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    edges = "i1 h1, i2 h1, i1 h2, i2 h2, h1 o1, h2 o1, h1 o2, h2 o2".split(", ")
    for edge, w in zip(edges, weights, strict=True):
        net.add_synapse(*edge.split(), weight=w)
    return net, [tuple(e.split()) for e in edges]


def test_mazur_to_eight_digits():
    net, edges = mazur()
    x, t = [[0.05, 0.10]], [[0.01, 0.99]]
    assert net.forward(x).round(8).tolist() == [[0.75136507, 0.77292847]]
    assert round(net.backward(t), 9) == 0.298371109
    net.fit(x, t, optimizer=ng.SGD(0.5))
    assert [round(net.edges[e].weight, 8) for e in edges] == [
        0.14978072,
        0.19956143,
        0.24975114,
        0.29950229,
        0.35891648,
        0.40866619,
        0.51130127,
        0.56137012,
    ]
    net.forward(x)
    assert round(net.backward(t), 8) == 0.29102777
    assert set(net.biases.tolist()) == {0, 0.35, 0.6}


def test_mazur_after_ten_thousand_steps():
    net, _ = mazur()
    x, t = [[0.05, 0.10]], [[0.01, 0.99]]
    net.fit(x, t, epochs=10_000, optimizer=ng.SGD(0.5))
    assert net.forward(x).round(7).tolist() == [[0.0159136, 0.9840643]]
    assert round(net.backward(t), 7) == 0.0000351


def test_xor_is_learned_from_18_of_20_seeds():
    solved = 0
    for seed in range(20):
        net = ng.perceptron(2, 3, 1, seed=seed)
        net.fit(X, Y, epochs=700, optimizer=ng.SGD(8.0), loss="binary_cross_entropy")
        solved += bool(np.abs(net.predict(X) - Y).max() < 0.1)
    assert solved >= 18


def test_two_phases_a_step_is_gradient_then_update():
    net = ng.perceptron(2, 3, 1, seed=0)
    twin = net.copy()
    net.fit(X, Y, optimizer=ng.SGD(0.5), shuffle=False)
    twin.forward(X)
    twin.backward(Y)
    twin.weights = twin.weights - 0.5 * twin.gradients
    inputs = [n.role == "input" for n in twin.neurons]
    assert not twin.bias_gradients[inputs].any()
    twin.biases = twin.biases - 0.5 * twin.bias_gradients
    assert (net.weights == twin.weights).all()
    assert (net.biases == twin.biases).all()


def test_batches_and_single_samples():
    """Batches of 3 over 4 samples: 3 and 1; batch_size 1 is one by one, in order."""
    net = ng.perceptron(2, 3, 1, seed=0)
    by_hand = net.copy()
    net.fit(X, Y, batch_size=3, shuffle=False)
    for rows in (slice(0, 3), slice(3, 4)):
        by_hand.fit(X[rows], Y[rows], shuffle=False)
    assert (net.weights == by_hand.weights).all()
    net.fit(X, Y, batch_size=1, shuffle=False)
    for i in range(4):
        by_hand.fit(X[i : i + 1], Y[i : i + 1])
    assert (net.weights == by_hand.weights).all()


def test_shuffling_draws_from_the_generator_of_the_network():
    nets = [ng.perceptron(2, 3, 1, seed=s) for s in (1, 1, 2)]
    nets[2].weights = nets[0].weights
    kept = nets[0].copy()
    for net in nets:
        net.fit(X, Y, batch_size=1, epochs=3)
    kept.fit(X, Y, batch_size=1, epochs=3, shuffle=False)
    assert (nets[0].weights == nets[1].weights).all()
    assert (nets[0].weights != nets[2].weights).any()
    assert (nets[0].weights != kept.weights).any()


def test_history_is_the_mean_loss_of_each_epoch():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.forward(X)
    loss = net.backward(Y)
    history = net.fit(X, Y, epochs=3)
    assert len(history) == 3
    assert history.loss[0] == pytest.approx(loss, rel=1e-14)
    assert repr(history).startswith("<History of 3 epochs: loss 0.1")
    assert repr(net.fit(X, Y, epochs=0)) == "<History of 0 epochs>"


def test_one_column_may_be_left_out():
    net = ng.perceptron(2, 3, 1, seed=0)
    twin = net.copy()
    net.fit(X, Y)
    twin.fit(X, Y[:, 0])
    assert (net.weights == twin.weights).all()


def test_sequences_with_unasked_steps():
    """A network that has to remember its input for two steps."""
    net = ng.Network(seed=1)
    net.add_neuron("x", role="input")
    net.add_neuron("m", activation="identity")
    net.add_neuron("y", role="output", activation="identity")
    net.add_synapse("x", "m", weight=0.5)
    net.add_synapse("m", "m", weight=0.5)
    net.add_synapse("m", "y", weight=0.5)
    rng = np.random.default_rng(0)
    first = rng.choice([-1.0, 1.0], 16)
    inputs, targets = np.zeros((16, 3, 1)), np.full((16, 3, 1), np.nan)
    inputs[:, 0, 0] = targets[:, 2, 0] = first
    history = net.fit(inputs, targets, epochs=300, optimizer=ng.SGD(0.2))
    assert history.loss[-1] < 1e-6 < history.loss[0]


def test_an_edit_between_epochs_is_respected():
    """`fit` plans anew where the structure changes under it."""
    net = ng.perceptron(2, 3, 1, seed=0)
    net.fit(X, Y, epochs=2)
    net.remove_node("hidden.2")
    net.add_synapse("input.0", "output.0", weight=0.1)
    before = net.edges["input.0", "output.0"].weight
    net.fit(X, Y, epochs=2)
    assert net.edges["input.0", "output.0"].weight != before
