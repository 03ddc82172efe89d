"""Neurons and synapses as objects: parameters, handles, errors, and nothing half done."""

import copy
import pickle

import numpy as np
import pytest

import neurograph as ng


def dump(net):
    """Everything there is to see of a network."""
    return (
        {n: dict(d) for n, d in net.nodes.items()},
        {e: dict(d) for e, d in net.edges.items()},
        list(net.edges),
        net.inputs,
        net.outputs,
        net.weights.tolist(),
        net.biases.tolist(),
        net.gradients.tolist(),
        str(net.rng.bit_generator.state),
    )


def small():
    net = ng.Network(seed=0)
    net.add_neuron("a", role="input")
    net.add_neuron("h", activation="tanh", bias=0.1)
    net.add_neuron("y", role="output")
    net.add_synapse("a", "h", weight=0.5)
    net.add_synapse("h", "y", weight=0.25)
    net.add_synapse("h", "h", weight=0.9)
    return net


BAD_EDITS = {
    "weight text": (
        lambda n: n.add_synapse("a", "y", weight="w"),
        "weight must be a finite number, got 'w'",
    ),
    "weight nan": (
        lambda n: n.add_edge("a", "y", weight=np.nan),
        "weight must be a finite number, got nan",
    ),
    "weight by attribute": (
        lambda n: setattr(n.edges["a", "h"], "weight", "w"),
        "synapse 'a' -> 'h': weight must",
    ),
    "weight by mapping": (
        lambda n: n["a"]["h"].__setitem__("weight", 1j),
        "weight must be a finite number",
    ),
    "weight deleted": (lambda n: n["a"]["h"].pop("weight"), "weight is always there"),
    "delay negative": (
        lambda n: n.add_synapse("a", "y", delay=-1),
        "delay must be a whole number of 0 or more, got -1",
    ),
    "delay fraction": (
        lambda n: n.add_edge("a", "new", delay=0.5),
        "delay must be a whole number .* got 0.5",
    ),
    "gate delay": (
        lambda n: n.gate("a", n.edges["h", "y"], delay=2),
        "gate_delay must be 0 or 1, got 2",
    ),
    "bias": (lambda n: n.add_neuron("new", bias="b"), "neuron 'new': bias must be a finite number"),
    "role": (
        lambda n: n.add_node("new", role="inputt"),
        "role must be one of .* Did you mean 'input'",
    ),
    "activation": (
        lambda n: n.add_neuron("new", activation="relo"),
        "unknown activation 'relo'. Did you mean 'relu'",
    ),
    "trainable": (
        lambda n: n.add_node("h", trainable="no"),
        "trainable must be True or False, got 'no'",
    ),
    "missing neuron": (
        lambda n: n.add_synapse("a", "hh"),
        "no neuron 'hh' in this network. Did you mean 'h'",
    ),
    "missing gater": (lambda n: n.gate("k", n.edges["a", "h"]), "no neuron 'k'"),
    "gate of no synapse": (lambda n: n.gate("a", ("a", "h")), "expected a synapse of this network"),
    "gate of another network": (
        lambda n: n.gate("a", small().edges["a", "h"]),
        "belongs to another network",
    ),
    "neuron of another network": (
        lambda n: n.add_synapse(small().nodes["a"], "y"),
        "belongs to another network",
    ),
    "state of another": (
        lambda n: n.add_synapse("a", "y", reads="state"),
        "only a self-synapse can read the state",
    ),
    "state with delay": (
        lambda n: setattr(n.edges["h", "h"], "delay", 2),
        "so its delay is 1, not 2.*reads='output'",
    ),
    "autapse without delay": (
        lambda n: n.add_synapse("y", "y", reads="output", delay=0),
        "at least 1, got 0",
    ),
    "one of many": (
        lambda n: n.add_edges_from([("a", "y"), ("a", "z", {"delay": "x"})]),
        "synapse 'a' -> 'z': delay",
    ),
    "one of many nodes": (
        lambda n: n.add_nodes_from(["p", ("q", {"bias": None, "role": 3})]),
        "role must be",
    ),
    "none": (lambda n: n.add_edge(None, "y"), "None cannot be a node"),
    "inputs": (lambda n: setattr(n, "inputs", ["a", "nobody"]), "no neuron 'nobody'"),
    "inputs twice": (lambda n: setattr(n, "inputs", ["a", "a"]), "'a' is named twice"),
    "input that is an output": (lambda n: setattr(n, "inputs", ["a", "y"]), "is an output already"),
    "weights length": (
        lambda n: setattr(n, "weights", [1, 2]),
        r"weights must have shape \(3,\).*got \(2,\)",
    ),
    "weights nan": (
        lambda n: setattr(n, "weights", [1, 2, np.inf]),
        r"weights must be finite numbers; number 2, of .* is given inf",
    ),
    "biases text": (
        lambda n: setattr(n, "biases", ["x"] * 3),
        "biases must be an array of real numbers",
    ),
    "tie of one": (lambda n: n.tie([n.edges["a", "h"]]), "at least two different synapses"),
    "relabel missing": (lambda n: n.relabel({"nobody": "b"}), "no neuron 'nobody'"),
    "relabel collision": (lambda n: n.relabel({"a": "h"}), "two neurons would get one name"),
    "tau": (lambda n: n.make_leaky("y", 0.5), "tau must be 1 step or more, got 0.5"),
    "leaky already": (lambda n: n.make_leaky("h", 2), "'h' has a self-synapse already"),
    "scheme": (lambda n: n.initialize("glorot"), "unknown scheme 'glorot'.* Did you mean 'glorot_"),
    "layer of nothing": (lambda n: n.add_layer("l", 0), "layer 'l' needs a neuron at least"),
    "input size": (lambda n: n.forward([1, 2]), r"X must have shape \(1,\), .* got \(2,\)"),
    "input nan": (
        lambda n: n.forward([[1], [np.nan]]),
        "X holds nan for input 'a' at step 0 of sample 1",
    ),
    "input text": (lambda n: n.forward(["x"]), "X must be an array of real numbers"),
    "input of 4 axes": (lambda n: n.forward(np.zeros((1, 1, 1, 1))), "X must have shape"),
    "no samples": (lambda n: n.forward(np.zeros((0, 1))), "at least one sample"),
    "backward too early": (lambda n: n.backward([1]), r"net.forward\(X\) first"),
    "engine": (lambda n: n.forward([1], engine="warp"), "engine must be one of 'auto', 'walker'"),
    "state": (lambda n: n.forward([1], state=3), "state must be the final_state of a recording"),
    "shuffle": (lambda n: n.fit([[1]], [[1]], shuffle="no"), "shuffle must be True or False"),
    "engine of the network": (lambda n: setattr(n, "engine", "warp"), "engine must be one of"),
    "optimizer": (
        lambda n: n.fit([[1]], [[1]], optimizer=0.1),
        r"as neurograph.SGD\(0.1\); got 0.1",
    ),
    "rate": (lambda n: n.fit([[1]], [[1]], optimizer=ng.SGD(-1)), "rate must be above 0, got -1"),
    "batch size": (lambda n: n.fit([[1]], [[1]], batch_size=0), "batch_size must be 1 or more"),
    "epochs": (lambda n: n.fit([[1]], [[1]], epochs=-1), "epochs must be a whole number"),
    "fit length": (
        lambda n: n.fit([[1], [2]], [[1]]),
        r"target must have shape \(2, 1\); got \(1, 1\)",
    ),
    "fit of one sample": (lambda n: n.fit([1], [1]), "fit takes many samples"),
    "fit of nothing asked": (lambda n: n.fit([[1]], [[np.nan]]), "every target is NaN"),
    "seed": (lambda n: ng.Network(seed=-1), "seed must be a whole number of 0 or more, got -1"),
    "dtype": (
        lambda n: ng.Network(dtype="int8"),
        "dtype must be 'float64' or 'float32', got 'int8'",
    ),
    "perceptron": (lambda n: ng.perceptron(3), "takes two sizes or more"),
    "perceptron size": (lambda n: ng.perceptron(3, 0, 1), "a layer needs a neuron at least"),
}


@pytest.mark.parametrize("case", BAD_EDITS)
def test_bad_input_is_a_clear_error_and_changes_nothing(case):
    edit, problem = BAD_EDITS[case]
    net = small()
    before = dump(net)
    with pytest.raises(ng.NeurographError, match=problem) as caught:
        edit(net)
    assert isinstance(caught.value, (ValueError, ArithmeticError))
    assert dump(net) == before


def test_keys_of_the_mapping_are_what_differs_from_the_default():
    net = small()
    assert dict(net.nodes["h"]) == {"bias": 0.1, "activation": "tanh"}
    assert dict(net.edges["h", "h"]) == {"weight": 0.9}
    s = net.add_synapse("y", "h", weight=1, delay=2, trainable=False, colour="red")
    net.gate("a", s, delay=1)
    assert dict(s) == {
        "weight": 1.0,
        "delay": 2,
        "gater": "a",
        "gate_delay": 1,
        "trainable": False,
        "colour": "red",
    }
    net.ungate(s)
    del s["delay"], s["trainable"], s["colour"]
    assert dict(s) == {"weight": 1.0}
    assert (s.delay, s.reads, s.trainable, s.gater, s.gain) == (0, "output", True, None, 1.0)
    autapse = net.add_synapse("y", "y", reads="output")
    assert (autapse.delay, net.edges["h", "h"].delay) == (1, 1)
    assert autapse["reads"] == "output"
    assert None not in [v for s in net.synapses for v in s.values()]


def test_none_means_not_given():
    net = small()
    s = net.add_synapse("a", "h", weight=None, delay=None)
    assert s.weight == 0.5
    net.add_edge("a", "h", weight=None)
    assert s.weight == 0.5
    s.delay = 3
    s.delay = None
    assert s.delay == 0


def test_zero_is_a_value():
    net = small()
    net.add_neuron("h", bias=0)
    assert net.nodes["h"].bias == 0
    assert net.add_synapse("a", "h", weight=0).weight == 0


def test_default_weight_is_drawn_from_the_generator_of_the_network():
    draw = [ng.Network([(i, i + 1) for i in range(50)], seed=s).weights for s in (1, 1, 2)]
    assert (draw[0] == draw[1]).all()
    assert (draw[0] != draw[2]).all()
    assert np.abs(draw[0]).max() < 0.1
    unseeded = ng.Network([("a", "b")])
    assert ng.Network([("a", "b")], seed=unseeded.seed).weights == unseeded.weights
    given = ng.Network([("a", "b")], seed=np.random.default_rng(7))
    assert given.weights == ng.Network([("a", "b")], seed=7).weights


def test_add_synapse_changes_what_is_given_and_returns_it():
    net = small()
    s = net.edges["a", "h"]
    assert net.add_synapse("a", "h", delay=2) is s
    assert (s.weight, s.delay) == (0.5, 2)
    assert net.add_synapse(net.nodes["a"], net.nodes["y"]) is net.edges["a", "y"]


def test_neuron_knows_its_synapses():
    net = small()
    net.gate("a", net.edges["h", "y"])
    h, a = net.nodes["h"], net.nodes["a"]
    assert h.incoming == [net.edges["a", "h"], net.edges["h", "h"]]
    assert h.outgoing == [net.edges["h", "y"], net.edges["h", "h"]]
    assert a.gated == [net.edges["h", "y"]]
    assert h.gated == []


def test_removed_handles():
    net = small()
    net.gate("h", net.add_synapse("a", "y", weight=2))
    net.forward([1])
    h, s = net.nodes["h"], net.edges["a", "h"]
    state, text = h.state, repr(s)
    net.remove_node("h")
    assert (h.name, h.bias, h.state, h.activation) == ("h", 0.1, state, "tanh")
    assert (s.source, s.target, s.weight, dict(s)) == ("a", "h", 0.5, {"weight": 0.5})
    assert repr(s) == text.replace("<", "<removed ")
    assert h.incoming == h.outgoing == h.gated == []
    for use in (
        lambda: setattr(s, "weight", 1),
        lambda: setattr(h, "bias", 1),
        lambda: h.update(bias=1),
        lambda: s.__setitem__("note", 1),
        lambda: net.gate("a", s),
        lambda: net.gate(h, net.edges["a", "y"]),
        lambda: net.tie([s, net.edges["a", "y"]]),
        lambda: net.untie(s),
        lambda: net.ungate(s),
        lambda: net.add_synapse("a", h),
    ):
        with pytest.raises(ng.DetachedError, match="no longer part of a network"):
            use()
    net.add_edge("a", "h", weight=7)  # another synapse of the same name
    assert s.weight == 0.5
    with pytest.raises(ng.DetachedError):
        s.weight = 1


def test_a_gater_that_was_removed_is_named():
    net = small()
    net.add_neuron("k")
    net.gate("k", net.edges["a", "h"])
    net.remove_node("k")
    assert net.edges["a", "h"].gater == "k"
    with pytest.raises(
        ng.ParameterError, match=r"'a' -> 'h' is gated by 'k', which is not in the graph"
    ) as e:
        net.forward([1])
    assert "net.ungate(net.edges['a', 'h'])" in str(e.value)
    assert "not ready: synapse 'a' -> 'h' is gated by 'k'" in repr(net)
    net.add_neuron("k")  # may mean another one, so it has to be said
    with pytest.raises(ng.ParameterError, match="'k' that was removed; the 'k' of now is another"):
        net.forward([1])
    net.edges["a", "h"].gater = "k"
    net.forward([1])
    assert net.nodes["k"].gated == [net.edges["a", "h"]]


def test_gater_may_be_named_before_it_is_there():
    net = ng.Network([("a", "b", {"gater": "k"})])
    net.add_edge("a", "k")
    net.plan()
    assert net.nodes["k"].gated == [net.edges["a", "b"]]


def test_relabel_keeps_everything():
    net = small()
    net.add_neuron("b", role="input")
    net.add_synapse("b", "h", weight=0.5)
    net.inputs = ["b", "a"]
    net.gate("a", net.edges["h", "y"])
    net.tie([net.edges["a", "h"], net.edges["b", "h"]])
    handles, before = list(net.synapses), net.forward([1, 2])
    net.relabel({"a": "b", "b": "a", "h": ("new", 1)})  # swaps two
    assert list(net.synapses) == handles
    assert net.inputs == ["a", "b"]
    assert list(net) == ["b", ("new", 1), "y", "a"]
    assert net.edges[("new", 1), "y"].gater == "b"
    assert net.edges["a", ("new", 1)].source == "a"
    assert (net.forward([1, 2]) == before).all()
    net.edges["a", ("new", 1)].weight = 4
    assert net.edges["b", ("new", 1)].weight == 4


def test_ties():
    net = ng.Network([(i, "y", {"weight": i}) for i in range(5)])
    s = list(net.synapses)
    net.tie(s[:2])
    net.tie(s[2:4])
    assert net.weights.tolist() == [0, 0, 2, 2, 4]
    net.tie([s[3], s[0]])  # groups that touch become one
    assert net.weights.tolist() == [2, 2, 2, 2, 4]
    s[1]["weight"] = 7
    assert [x.weight for x in s] == [7, 7, 7, 7, 4]
    s[0].trainable = False
    assert [x.trainable for x in s] == [False] * 4 + [True]
    with pytest.raises(ng.ParameterError, match="4 synapses are tied and share one weight"):
        net.weights = [1, 2, 1, 1, 1]
    net.weights = [3, 3, 3, 3, 1]
    net.untie(s[0])
    s[0].weight = 5
    assert net.weights.tolist() == [5, 3, 3, 3, 1]
    net.remove_edge(1, "y")
    net.untie(s[2])
    assert s[3].tie is None  # nothing left to share with
    assert "tie" not in s[3]


def test_a_label_given_by_hand_ties_too():
    net = ng.Network([("a", "y", {"weight": 1, "tie": "w"}), ("b", "y", {"tie": "w"})])
    assert net.weights.tolist() == [1, 1]
    net.add_edge("c", "y", tie="w", weight=3)
    assert net.weights.tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("how", "deep"),
    [
        (lambda net: net.copy(), False),
        (copy.copy, False),
        (copy.deepcopy, True),
        (lambda net: pickle.loads(pickle.dumps(net)), True),
    ],
)
def test_copies_are_lossless_and_independent(how, deep):
    net = small()
    net.layers["l"] = ng.Layer(net, "l", [net.nodes["h"]])
    net.tie([net.edges["a", "h"], net.edges["h", "y"]])
    net.nodes["h"]["list"] = [1]
    net.graph["title"] = "mine"
    net.engine = "walker"
    net.forward([1])
    net.backward([1])
    twin = how(net)
    assert type(twin) is ng.Network
    assert dump(net)[2:] == dump(twin)[2:]
    for old, new in zip(net.neurons, twin.neurons, strict=True):
        assert (old.state, old.output, old.delta, old.grad) == (
            new.state,
            new.output,
            new.delta,
            new.grad,
        )
    assert twin.graph == {"title": "mine"}
    assert twin.engine == "walker"
    assert twin.layers["l"].neurons[0] is twin.nodes["h"]
    assert twin.rng.random() == net.rng.random()
    twin.edges["a", "h"].weight = 9
    twin.add_synapse("a", "y")
    assert net.weights.tolist() == [0.5, 0.5, 0.9]
    twin.nodes["h"]["list"].append(2)
    assert net.nodes["h"]["list"] == ([1] if deep else [1, 2])


def test_edits_take_effect_in_the_very_next_run():
    net = small()
    first = net.forward([1])
    net.edges["a", "h"].weight = 2
    second = net.forward([1])
    net.nodes["h"].activation = "identity"
    third = net.forward([1])
    net["h"]["y"]["weight"] = 0
    assert len({first[0], second[0], third[0], 0.5}) == 4
    assert net.forward([1]) == 0.5


def test_backward_after_an_edit_is_refused():
    for edit in (
        lambda n: setattr(n.edges["a", "h"], "weight", 2),
        lambda n: setattr(n, "weights", n.weights),
        lambda n: n.add_synapse("a", "y"),
        lambda n: n.fit([[1]], [[1]]),
    ):
        net = small()
        net.forward([1])
        edit(net)
        with pytest.raises(
            ng.ParameterError, match=r"edited since the last run.*net.forward\(X\) again"
        ):
            net.backward([1])


def test_predict_leaves_no_trace():
    net = small()
    net.forward([1])
    state = net.nodes["h"].state
    net.predict([5])
    assert net.nodes["h"].state == state
    net.backward([1])


def test_no_inputs_no_outputs():
    net = ng.Network([("a", "b")])
    with pytest.raises(ng.ParameterError, match=r"no inputs; name some, e.g. net.inputs = "):
        net.run([1])
    assert "not ready: no inputs" in repr(net)
    net.inputs = ["a"]
    assert net.run([1])["b"].output.shape == (1, 1)
    for use in (lambda: net.forward([1]), lambda: net.predict([1]), lambda: net.fit([[1]], [[1]])):
        with pytest.raises(ng.ParameterError, match=r"no outputs; name some, e.g. net.outputs = "):
            use()


def test_overflow_names_the_neuron_and_the_step():
    net = ng.Network([("a", "h"), ("h", "h", {"weight": 1e200})])
    net.inputs, net.outputs = ["a"], ["h"]
    net.nodes["h"].activation = "identity"
    net.edges["a", "h"].weight = 1
    before = dump(net), net.nodes["h"].state
    with pytest.raises(
        ng.NonFiniteError, match="neuron 'h' has state inf .* at step 2 of sample 1"
    ):
        net.forward([[[0]] * 3, [[1]] * 3])
    assert (dump(net), net.nodes["h"].state) == before


def test_diverging_training_leaves_the_last_good_weights():
    net = ng.perceptron(1, 1, activation="identity", seed=0)
    with pytest.raises(ng.NonFiniteError):
        net.fit([[1e3]], [[1]], epochs=1000, optimizer=ng.SGD(1e3))
    assert np.isfinite(net.weights).all()
    assert np.isfinite(net.predict([1.0])).all()


def test_shapes_of_outputs():
    net = ng.perceptron(3, 2, seed=0)
    for shape in ((3,), (4, 3), (4, 5, 3)):
        X = np.ones(shape)
        assert net.forward(X).shape == (*shape[:-1], 2)
        net.backward(gradient=np.ones((*shape[:-1], 2)))
        assert net.input_gradient.shape == shape
        assert net.run(X)["output.0"].state.shape == {1: (1, 1), 2: (4, 1), 3: (4, 5)}[X.ndim]


def test_recording():
    net = small()
    rec = net.run([[[1], [2]], [[3], [4]]])
    assert rec["h"].delta is None
    assert net.nodes["h"].state == rec["h"].state[-1, -1]
    assert net.nodes["h"].output == rec["h"].output[-1, -1] == np.tanh(rec["h"].state[-1, -1])
    net.backward(np.zeros((2, 2, 1)))
    assert net.nodes["h"].delta == rec["h"].delta[-1, -1]
    assert rec["h"].delta.shape == (2, 2)
    with pytest.raises(
        ng.ParameterError, match="no neuron 'hh' in this recording. Did you mean 'h'"
    ):
        rec["hh"]
    other = ng.Network([("p", "q")])
    other.inputs = ["p"]
    with pytest.raises(ng.ShapeError, match="state= comes from a network with other neurons"):
        other.run([1], state=rec.final_state)
    with pytest.raises(ng.ShapeError, match="state= is of 2 samples, but X has 1"):
        net.run([1], state=rec.final_state)


def test_a_state_goes_on_after_a_delay_was_changed():
    """What the longer memory would have held is not known, so it is 0; the rest stays."""
    net = ng.Network([("x", "y", {"weight": 1, "delay": 1})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.nodes["y"].activation = "identity"
    state = net.run([[[3], [5]]]).final_state
    net.edges["x", "y"].delay = 2
    assert net.forward([[[7], [9], [0]]], state=state).ravel().tolist() == [0, 5, 7]
    state = net.run([[[3], [5]]]).final_state
    net.edges["x", "y"].delay = 1
    assert net.forward([[[7]]], state=state).ravel().tolist() == [5]


def test_gain_is_shown():
    net = small()
    net.gate("a", net.edges["h", "y"])
    net.gate("a", net.edges["a", "h"], delay=1)
    net.run([[[2], [3]]])
    assert net.edges["h", "y"].gain == 3
    assert net.edges["a", "h"].gain == 2
    assert net.edges["h", "h"].gain == 1
    net.run([5])
    assert net.edges["a", "h"].gain == 1
    net.reset_state()
    assert net.edges["h", "y"].gain == 1
    assert net.nodes["h"].state == net.nodes["h"].output == 0


def test_a_late_gate_is_open_in_the_first_step_only():
    net = ng.Network([("x", "y", {"weight": 1, "gater": "x", "gate_delay": 1})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.nodes["y"].activation = "identity"
    rec = net.run([[[3], [5], [7]]])
    assert rec.outputs.ravel().tolist() == [3, 3 * 5, 5 * 7]
    assert net.forward([[[2]]], state=rec.final_state).ravel() == [7 * 2]
    net.run([[[3], [5], [7]]])
    net.backward(gradient=[[[1], [1], [1]]])
    assert net.input_gradient.ravel().tolist() == [1 + 5, 3 + 7, 5]


def test_inputs_keep_their_columns():
    net = ng.Network()
    for n in "abc":
        net.add_neuron(n, role="input")
        net.add_edge(n, "y", weight=ord(n) - ord("a") + 1)
    net.outputs = ["y"]
    net.nodes["y"].activation = "identity"
    assert net.forward([1, 10, 100]) == 321
    net.inputs = ["c", "a", "b"]
    assert net.forward([1, 10, 100]) == 213
    net.nodes["a"].role = "hidden"
    net.nodes["a"].bias = -1e9  # logistic: 0
    assert net.inputs == ["c", "b"]
    net.nodes["a"].role = "input"
    assert net.inputs == ["c", "b", "a"]
    net.inputs = []
    assert "inputs, 1 output" in repr(net)


def test_removing_many_and_adding_again_keeps_the_order_of_networkx():
    net = ng.Network([(i, j) for i in range(5) for j in range(5) if i < j], seed=0)
    net.remove_edges_from([(0, 1), (2, 3), (9, 9)])
    net.remove_nodes_from([1, 77])
    net.add_edge(0, 1)
    net.add_edge(2, 3)
    net.plan()
    assert net.weights.tolist() == [d["weight"] for *_, d in net.edges(data=True)]
    net.clear()
    assert len(net) == len(net.weights) == len(net.biases) == 0
