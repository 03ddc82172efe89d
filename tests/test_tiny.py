"""Every pillar in a few lines: if this fails, look here first."""

import networkx as nx
import numpy as np
import pytest

import neurograph as ng


def test_the_seed_neuron():
    """1·7 + 0·3 - 2 = 5, and 1/(1 + e^-5) = 0.9933."""
    net = ng.Network()
    net.add_neuron("a", role="input")
    net.add_neuron("b", role="input")
    y = net.add_neuron("y", role="output", bias=-2)
    net.add_synapse("a", "y", weight=7)
    net.add_synapse("b", "y", weight=3)
    assert net.forward([1, 0]).round(4) == [0.9933]
    assert y.state == 5
    assert y.output == 1 / (1 + np.exp(-5))


def test_objects_are_networkx_mappings_and_rows_of_one_store():
    net = ng.Network(seed=0)
    h = net.add_neuron("h", bias=0.1)
    net.add_neuron("a", role="input")
    s = net.add_synapse("a", "h", weight=0.5)
    assert net.nodes["h"] is h
    assert net["a"]["h"] is net.edges["a", "h"] is s
    s["weight"] = 0.25
    assert s.weight == net.weights[0] == 0.25
    net.weights = [0.75]
    assert s["weight"] == nx.to_dict_of_dicts(net)["a"]["h"]["weight"] == 0.75


def test_gradient_by_hand():
    net = ng.Network([("x", "h", {"weight": 2}), ("h", "y", {"weight": 3})])
    net.inputs, net.outputs = ["x"], ["y"]
    for n in ("h", "y"):
        net.nodes[n].activation = "identity"
    assert net.forward([1]) == [6]
    assert net.backward([4]) == 2  # ½ (6 - 4)²
    assert net.edges["h", "y"].grad == 2 * 2  # δ_y · y_h
    assert net.edges["x", "h"].grad == 2 * 3  # δ_y · w · x
    assert net.input_gradient == [2 * 3 * 2]


def test_a_cycle_is_named_with_a_line_that_mends_it():
    net = ng.Network([("a", "b"), ("b", "c"), ("c", "a")])
    with pytest.raises(ng.CycleError, match=r"'a' -> 'b' -> 'c' -> 'a'") as caught:
        net.plan()
    assert "net.edges['c', 'a'].delay = 1" in str(caught.value)
    net.edges["c", "a"].delay = 1
    assert "'c' -> 'a': 1 step ago; it closes the cycle" in str(net.plan())


def test_xor():
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    net = ng.perceptron(2, 3, 1, seed=0)
    history = net.fit(
        X, Y, epochs=600, optimizer=ng.SGD(8.0), loss="binary_cross_entropy", shuffle=False
    )
    assert history.loss[-1] < history.loss[0]
    assert (net.predict(X).round() == Y).all()


def test_a_gated_memory_cell_through_time():
    net = ng.Network()
    net.inputs, net.outputs = (
        [net.add_neuron(n).name for n in ("x", "g")],
        [net.add_neuron("c", activation="identity").name],
    )
    net.add_synapse("x", "c", weight=1)
    net.gate("g", net.add_synapse("c", "c", weight=1))
    rec = net.run([[[1, 0], [0, 1], [0, 0.5]]])
    assert rec["c"].state.tolist() == [[1, 1, 0.5]]
    net.backward(gradient=[[[0], [0], [1]]])
    assert net.input_gradient[0].tolist() == [[0.5, 0], [0.5, 0.5], [1, 1]]
