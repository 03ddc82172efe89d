"""Files of Synaptic: against the JavaScript library itself where node has it, and without."""

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io import files
from neurograph.io.synaptic import SQUASH
from tests.strategies import close, networks, runs

HERE = Path(__file__).parent
PACKAGES = Path(os.environ.get("NEUROGRAPH_NODE_MODULES") or "node_modules").resolve()


# ---------------------------------------------------------------- the JavaScript library


def why_not():
    if shutil.which("node") is None:
        return "there is no node here"
    if not (PACKAGES / "synaptic" / "package.json").is_file():
        return f"npm's synaptic is not in {PACKAGES}; NEUROGRAPH_NODE_MODULES says where it is"
    return ""


@pytest.fixture(scope="module")
def javascript():
    if why_not():
        pytest.skip(why_not())
    command = ["node", str(HERE / "node" / "synaptic.js"), str(PACKAGES / "synaptic")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as node:

        def ask(**job):
            node.stdin.write(json.dumps(job) + "\n")
            found = json.loads(node.stdout.readline())
            assert "error" not in found, found
            return found

        yield ask
        node.stdin.close()


def lesson(n_in, n_out, n_steps=12, seed=0, rate=0.3):
    """Steps with and without a target."""
    rng = np.random.default_rng(seed)
    steps = []
    for t in range(n_steps):
        step = {"x": rng.uniform(-1, 1, n_in).tolist()}
        if rate and t % 3 != 1:
            step |= {"target": rng.uniform(0, 1, n_out).tolist(), "rate": rate}
        steps.append(step)
    return steps


def follow(net, steps):
    """Do here what the steps say."""
    outputs = []
    for step in steps:
        outputs.append(net.activate(step["x"]).tolist())
        if "target" in step:
            net.propagate(step["rate"], step["target"])
    return outputs


def require_same_numbers(net, text, tolerance=1e-12):
    """Weights, biases, states and outputs are those of a file."""
    other = ng.io.read_synaptic(json.loads(text))
    assert list(net.edges) == list(other.edges)
    learned = [not (s.loop and s.reads == "state") for s in net.synapses]
    assert close(net.weights[learned], other.weights[learned], tolerance)
    here = [n.role != "input" for n in net.neurons]
    assert close(net.biases[here], other.biases[here], tolerance)
    assert close(net._online.standing(net), other._online.standing(other), tolerance)


MADE = {
    "perceptron": (["perceptron", 2, 3, 1], 2, 1),
    "deep": (["perceptron", 3, 4, 4, 2], 3, 2),
    "hopfield": (["hopfield", 4], 4, 4),
    "recurrent": (["recurrent", 2, 3, 2], 2, 2),
    "lstm": (["lstm", 2, 3, 1], 2, 1),
    "lstm stacked": (["lstm", 2, 2, 2, 1], 2, 1),
    "lstm with all": (
        ["lstm", 2, 3, 2, {"hiddenToHidden": True, "outputToHidden": True, "outputToGates": True}],
        2,
        2,
    ),
    "liquid": (["liquid", 2, 8, 2, 12, 5], 2, 2),
}


@pytest.mark.parametrize("engine", ["walker", "compiled"])
@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_what_javascript_wrote_goes_on_here_as_there(javascript, made, engine):
    """From rest, and from the middle of a sequence: outputs, learning, and states."""
    kind, n_in, n_out = made
    for warm in (0, 7):
        written = javascript(make=kind, seed=3, steps=lesson(n_in, n_out, warm, 1))["after"]
        steps = lesson(n_in, n_out, 12, 2)
        there = javascript(load=written, steps=steps)
        net = ng.io.read_synaptic(json.loads(written))
        net.engine = engine
        assert (net._online.steps > 0) == (warm > 0)
        assert close(follow(net, steps), there["outputs"], 1e-12)
        require_same_numbers(net, there["after"])


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_there_and_back_again(javascript, made):
    """Read here, learned here, written here: the library goes on from there."""
    kind, n_in, n_out = made
    net = ng.io.read_synaptic(json.loads(javascript(make=kind, seed=4, steps=[])["before"]))
    follow(net, lesson(n_in, n_out, 9, 5))
    net.clear_traces()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the gains of gates")
        written = ng.io.write_synaptic(net)
    steps = lesson(n_in, n_out, 9, 6)
    there = javascript(load=json.dumps(written), steps=steps)
    twin = ng.io.read_synaptic(written)
    assert close(follow(twin, steps), there["outputs"], 1e-12)
    require_same_numbers(twin, there["after"])


def test_a_network_trained_here_runs_in_javascript(javascript, tmp_path):
    """In its default, optimised mode, from a file."""
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    net = ng.perceptron(2, 3, 1, seed=1)
    net.fit(X, Y, epochs=300, optimizer=ng.SGD(8.0), loss="binary_cross_entropy")
    ng.io.write_synaptic(net, tmp_path / "xor.json")
    text = (tmp_path / "xor.json").read_text()
    for optimize in (True, False):
        there = javascript(load=text, steps=[{"x": x} for x in X], optimize=optimize)
        assert close(there["outputs"], net.predict(X), 1e-14)
    assert close(ng.io.read_synaptic(json.loads(there["after"])).predict(X), net.predict(X), 0)


def test_self_connections_keep_the_weight_that_is_in_the_file(javascript):
    """Unlike in `fromJSON`: here a network goes on as the one that was written."""
    there = javascript(make=["recurrent", 2, 3, 2], seed=1, self=0.5, steps=lesson(2, 2))
    net = ng.io.read_synaptic(json.loads(there["before"]))
    assert close(follow(net, lesson(2, 2)), there["outputs"], 1e-12)
    forgetful = javascript(load=there["before"], steps=lesson(2, 2))
    assert not close(forgetful["outputs"], there["outputs"], 1e-6)
    memories = [s for s in net.synapses if s.loop]
    assert {s.weight for s in memories} == {0.5}
    assert {
        s["weight"] for s in json.loads(forgetful["after"])["connections"] if s["from"] == s["to"]
    } == {1}


def synaptic_networks(**options):
    """What Synaptic can hold, and does as we do: made by writing and reading any network."""

    def through_a_file(net):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ng.NeurographWarning)
            described = ng.io.write_synaptic(net)
            inputs = {n for n, d in enumerate(described["neurons"]) if d["layer"] == "input"}
            for c in described["connections"]:
                c["gater"] = None if c["gater"] in inputs else c["gater"]
                c["weight"] = 1.0 if c["from"] == c["to"] else c["weight"]
            return ng.io.read_synaptic(described)

    return networks(activations=[*SQUASH.values()], **options).map(through_a_file)


@given(net=synaptic_networks(), seed=st.integers(0, 99))
def test_what_is_written_here_runs_there(javascript, net, seed):
    """Any network that the format can hold: outputs and learning, with no warning but one."""
    n_in, n_out = len(net.inputs), len(net.outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ng.NeurographWarning)
        warnings.filterwarnings("ignore", "Synaptic's optimised mode")
        text = json.dumps(ng.io.write_synaptic(net))
    steps = lesson(n_in, n_out, 6, seed, rate=0.1)
    there = javascript(load=text, steps=steps)
    assert close(follow(net, steps), there["outputs"], 1e-12)
    require_same_numbers(net, there["after"])
    X = np.array([step["x"] for step in steps])
    there = javascript(load=text, steps=[{"x": x} for x in X.tolist()])
    assert close(ng.io.read_synaptic(json.loads(text)).forward(X[None])[0], there["outputs"], 1e-12)


# ---------------------------------------------------------------- laws of writing and reading


@given(net=synaptic_networks(), data=st.data())
def test_read_after_write_is_the_same_network(net, data):
    X = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(-1, 1, (2, 4, len(net.inputs)))
    dY = np.ones((2, 4, len(net.outputs)))
    if data.draw(st.booleans()):  # in the middle of a sequence, but without traces
        for x in X[0]:
            net.activate(x)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synaptic's optimised mode|the gains|traces start")
        described = ng.io.write_synaptic(net)
        assert ng.io.write_synaptic(net) == described
    twin = ng.io.read_synaptic(described)
    assert [dict(n) for n in net.neurons] == [dict(n) for n in twin.neurons]
    assert list(net.nodes) == list(twin.nodes)
    assert {(s.source, s.target): dict(s) for s in net.synapses} == {
        (s.source, s.target): dict(s) for s in twin.synapses
    }
    assert (net._online.standing(net) == twin._online.standing(twin)).all()
    for one in (net, twin):
        one.forward(X)
        one.backward(gradient=dY)
    assert (net.predict(X) == twin.predict(X)).all()
    assert (net.bias_gradients == twin.bias_gradients).all()
    assert {(s.source, s.target): s.grad for s in net.synapses} == {
        (s.source, s.target): s.grad for s in twin.synapses
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synaptic's optimised mode")
        again = ng.io.write_synaptic(twin)
    assert json.dumps(again) == json.dumps(described)


@given(case=runs(ties=False, activations=[*SQUASH.values()]))
def test_without_a_warning_nothing_is_lost(case):
    """Outputs of any network are those of the file, or a warning says why not."""
    net, X, _ = case
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        described = ng.io.write_synaptic(net)
    said = [str(w.message) for w in caught]
    # What changes outputs; weights of self-synapses are in the file, and gates by inputs too.
    changes = ("knows only", "autapses", "no such activation")
    twin = ng.io.read_synaptic(described) if not any("no input gate" in m for m in said) else None
    if twin is not None and not any(what in m for m in said for what in changes):
        assert close(twin.predict(X), net.predict(X), 1e-12)


def test_the_order_of_activation_makes_the_delays_where_it_can():
    net = ng.Network()
    for name in ("a", "b"):
        net.add_neuron(name)
    net.inputs, net.outputs = [net.add_neuron("x").name], [net.add_neuron("y").name]
    net.add_edges_from([("x", "a"), ("x", "b"), ("a", "y"), ("b", "y")], weight=0.5)
    net.add_synapse("a", "b", weight=1, delay=1)  # so b is activated first
    with pytest.warns(ng.NeurographWarning, match="names are lost.*'x' -> 'input.0', 'b' ->"):
        described = ng.io.write_synaptic(net)
    X = np.random.default_rng(0).uniform(-1, 1, (1, 5, 1))
    assert close(ng.io.read_synaptic(described).predict(X), net.predict(X), 1e-15)


# ---------------------------------------------------------------- what the format cannot hold


def gated_by_input(net):
    net.gate("input.0", net.edges["hidden.0", "output.0"])


def gates_late(net):
    net.gate("hidden.0", net.edges["hidden.1", "output.0"], delay=1)


def memory_in_the_middle(net):
    net.add_synapse("hidden.0", "hidden.0", weight=1)
    net.activate([1, 1])


def late_gate_in_the_middle(net):
    net.gate("output.0", net.edges["input.0", "hidden.0"], delay=1)
    net.activate([1, 1])


def remove(*pairs):
    return lambda net: net.remove_edges_from(pairs)


LOST = {
    "delay": (lambda n: n.edges["input.0", "hidden.0"].update(delay=2), "delays.*'input.0' -> 'hidden.0' has delay 2"),
    "gate delay": (gates_late, "gate delays.*the gate of 'hidden.0'.*'hidden.1' -> 'output.0' has 1"),
    "gate by an input": (gated_by_input, "no input gate.*'input.0' gates synapse 'hidden.0'"),
    "self weight": (lambda n: n.add_synapse("hidden.0", "hidden.0", weight=0.5), "weight 1.*'hidden.0' has 0.5"),
    "autapse": (lambda n: n.add_synapse("hidden.0", "hidden.0", reads="output"), "left out: synapse 'hidden.0'"),
    "activation": (lambda n: n.nodes["hidden.1"].update(activation="gelu"), "LOGISTIC.*'hidden.1' has 'gelu'"),
    "source": (remove(("input.0", "hidden.0"), ("input.1", "hidden.0")), "for inputs.*: neuron 'hidden.0'"),
    "sink": (remove(("hidden.0", "output.0")), "for outputs.*: neuron 'hidden.0'"),
    "names": (lambda n: n.relabel({"hidden.1": "H"}), "names are lost.*'H' -> 'hidden.1'"),
    "tie": (lambda n: n.tie(list(n.synapses)[:2]), "tied.*'input.0' -> 'hidden.0', synapse"),
    "frozen bias": (lambda n: n.nodes["hidden.2"].update(trainable=False), "frozen.*neuron 'hidden.2'"),
    "frozen weight": (lambda n: n.edges["hidden.2", "output.0"].update(trainable=False), "frozen.*'hidden.2' ->"),
    "attribute": (lambda n: n.nodes["hidden.0"].update(colour="red"), "own are lost: 'colour' of neuron 'hidden.0'"),
    "graph attribute": (lambda n: n.graph.update(name="me"), "own are lost: 'name'"),
    "traces": (memory_in_the_middle, "traces start at 0.*'input.0' -> 'hidden.0'"),
    "gains": (late_gate_in_the_middle, "gains of gates.*'input.0' -> 'hidden.0'"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), LOST.values(), ids=LOST)
def test_what_is_lost_is_named(change, said):
    net = ng.perceptron(2, 3, 1, seed=0)
    ng.io.write_synaptic(net)  # nothing to say
    change(net)
    with pytest.warns(ng.NeurographWarning, match=said) as caught:
        ng.io.write_synaptic(net)
    assert [w.filename for w in caught] == [__file__]


def test_float32_and_layers_are_lost_too():
    net = ng.perceptron(2, 3, 1, seed=0, dtype="float32")
    with pytest.warns(ng.NeurographWarning, match="float64: float32"):
        described = ng.io.write_synaptic(net)
    assert described["connections"][0]["weight"] == float(net.weights[0])
    net = ng.perceptron(1, 2, 2, 1, seed=0)
    net.layers["odd"] = ng.Layer(net, "odd", [net.nodes["hidden1.0"], net.nodes["hidden2.0"]])
    with pytest.warns(ng.NeurographWarning) as caught:
        ng.io.write_synaptic(net)
    assert "these layers are lost: 'hidden1', 'hidden2', 'odd'" in str(caught[1].message)


def test_many_are_counted():
    net = ng.perceptron(2, 9, 1, seed=0, activation="sin")
    with pytest.warns(ng.NeurographWarning, match="'hidden.2' has 'sin' and 7 more$"):
        ng.io.write_synaptic(net)


# ---------------------------------------------------------------- what is read


UNIT = {"bias": 0.25, "squash": "TANH"}
FILE = {
    "neurons": [
        {**UNIT, "layer": "input", "state": 0, "old": 0, "activation": 0.5, "trace": {"elegibility": {}, "extended": {}}},
        {**UNIT, "layer": 0, "state": 0.1, "old": 0.2, "activation": 0.3, "trace": {"elegibility": {}, "extended": {}}},
        {**UNIT, "layer": 1, "state": 0.1, "old": 0.2, "activation": 0.3, "trace": {"elegibility": {}, "extended": {}}},
        {**UNIT, "layer": "output", "state": 0.4, "old": 0.5, "activation": 0.6, "trace": {"elegibility": {}, "extended": {}}},
    ],
    "connections": [
        {"from": 0, "to": 1, "weight": 0.5, "gater": None},
        {"from": 1, "to": 2, "weight": -0.5, "gater": 3},
        {"from": 2, "to": 3, "weight": 1.5, "gater": 1},
        {"from": 2, "to": 2, "weight": 1, "gater": 2},
        {"from": 3, "to": 1, "weight": 0.7, "gater": None},
    ],
}  # fmt: skip


def test_roles_layers_delays_and_states():
    net = ng.io.read_synaptic(FILE)
    assert net.inputs == ["input.0"] and net.outputs == ["output.0"]
    assert {name: layer.names for name, layer in net.layers.items()} == {
        "input": ["input.0"],
        "hidden1": ["hidden1.0"],
        "hidden2": ["hidden2.0"],
        "output": ["output.0"],
    }
    told = {(s.source, s.target): (s.delay, s.gater, s.gate_delay) for s in net.synapses}
    assert told == {
        ("input.0", "hidden1.0"): (0, None, 0),
        ("hidden1.0", "hidden2.0"): (0, "output.0", 1),
        ("hidden2.0", "output.0"): (0, "hidden1.0", 0),
        ("output.0", "hidden1.0"): (1, None, 0),
        ("hidden2.0", "hidden2.0"): (1, "hidden2.0", 1),
    }
    assert [(n.state, n.output) for n in net.neurons] == [
        (0, 0.5),
        (0.1, 0.3),
        (0.1, 0.3),
        (0.4, 0.6),
    ]
    with pytest.raises(ng.ParameterError, match="reset_state"):
        net.rule = "lstm-g"
    assert ng.io.write_synaptic(net) == FILE


def test_as_older_releases_write_it():
    """Numbers as strings, in any order of layers; no states, no gaters."""
    neurons = [{**UNIT, "layer": layer} for layer in ("output", "12", "3", "input")]
    pairs = [("3", "2"), ("2", "1"), ("1", "0")]
    connections = [{"from": i, "to": j, "weight": 1} for i, j in pairs]
    net = ng.io.read_synaptic({"neurons": neurons, "connections": connections})
    assert list(net.nodes) == ["input.0", "hidden1.0", "hidden2.0", "output.0"]
    assert list(net.edges) == [
        ("input.0", "hidden1.0"),
        ("hidden1.0", "hidden2.0"),
        ("hidden2.0", "output.0"),
    ]
    assert not any(s.delay for s in net.synapses)
    net.rule = "lstm-g"  # at rest, so any rule will do


def test_a_class_of_ones_own_and_files(tmp_path):
    class Mine(ng.Network):
        pass

    path = tmp_path / "net.json"
    path.write_text("\ufeff" + json.dumps(FILE), encoding="utf-8")
    for source in (path, str(path), FILE):
        assert type(ng.io.read_synaptic(source, create_using=Mine)) is Mine
    with pytest.raises(ng.ParameterError, match="subclass of Network, got <class 'dict'>"):
        ng.io.read_synaptic(path, create_using=dict)
    with pytest.raises(ng.ParameterError, match="JSON itself"):
        ng.io.read_synaptic(json.dumps(FILE))
    with pytest.raises(ng.ParameterError, match="a path or a mapping, got 3"):
        ng.io.read_synaptic(3)
    with pytest.raises(FileNotFoundError):
        ng.io.read_synaptic(tmp_path / "none.json")
    with pytest.raises(ng.ParameterError, match="takes a Network, got 3"):
        ng.io.write_synaptic(3)


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    net, path = ng.perceptron(2, 1, seed=0), tmp_path / "net.json"
    path.write_text("before")
    path.chmod(0o640)

    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", fail)
        with pytest.raises(OSError, match="no space left"):
            ng.io.write_synaptic(net, path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    net.graph["name"] = "me"
    with pytest.raises(ng.NeurographWarning, match="'name'"):  # here warnings are errors
        ng.io.write_synaptic(net, path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    net.graph.clear()
    described = ng.io.write_synaptic(net, path)
    assert json.loads(path.read_text()) == described and list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o640


def edited(change):
    copy = json.loads(json.dumps(FILE))
    return change(copy) or copy


def test_what_is_ignored_is_named():
    with pytest.warns(ng.NeurographWarning, match=r"not read: connections\[0\].gatter, made"):
        ng.io.read_synaptic(
            edited(lambda f: f["connections"][0].update(gatter=1) or f.update(made="by me"))
        )
    with pytest.warns(ng.NeurographWarning, match=r"traces are not read.*neurons\[2\]"):
        ng.io.read_synaptic(
            edited(lambda f: f["neurons"][2]["trace"]["elegibility"].update({"7": 1}))
        )
    with pytest.warns(ng.NeurographWarning, match="forward.*An input gates: synapse 'output.0'"):
        ng.io.read_synaptic(edited(lambda f: f["connections"][4].update(gater=0)))


BAD = {
    "no neurons": (lambda f: f.pop("neurons") and None, "neurons must be a list, but there is none"),
    "connections": (lambda f: f.update(connections={}), "connections must be a list, got {}"),
    "neuron": (lambda f: f["neurons"].append(3), r"neurons\[4\] must be an object with 'bias'.*got 3"),
    "connection": (lambda f: f["connections"].append(None), r"connections\[5\] must be an object"),
    "no bias": (lambda f: f["neurons"][1].pop("bias") and None, r"neurons\[1\] has no 'bias'"),
    "no weight": (lambda f: f["connections"][1].pop("weight") and None, r"connections\[1\] has no 'weight'"),
    "null": (lambda f: f["neurons"][1].update(bias=None), r"neurons\[1\].bias must be a finite number.*NaN as null"),
    "text": (lambda f: f["neurons"][1].update(state="0"), r"neurons\[1\].state must be a finite number, got '0'"),
    "flag": (lambda f: f["connections"][0].update(weight=True), r"connections\[0\].weight must be .* got True"),
    "nan": (lambda f: f["connections"][0].update(weight=float("nan")), r"\.weight must be a finite number, got nan"),
    "huge": (lambda f: f["connections"][0].update(weight=10**400), r"\.weight must be a finite number"),
    "squash": (lambda f: f["neurons"][1].update(squash="LOGISTICS"), "squash must be.*Did you mean 'LOGISTIC'"),
    "own squash": (lambda f: f["neurons"][1].update(squash=None), "squash is null: a function of one's own"),
    "layer": (lambda f: f["neurons"][1].update(layer=-1), r"layer must be 'input', 'output' or .*, got -1"),
    "layer name": (lambda f: f["neurons"][1].update(layer="01"), "hidden layer, got '01'"),
    "from": (lambda f: f["connections"][2].update({"from": 4}), r"connections\[2\].from must be .* 0 to 3, got 4"),
    "to": (lambda f: f["connections"][2].update(to=-1), r"connections\[2\].to must be .* got -1"),
    "half": (lambda f: f["connections"][2].update(to=0.5), r"\.to must be a number of a neuron, 0 to 3, got 0.5"),
    "gater": (lambda f: f["connections"][2].update(gater=[1, 2]), r"\.gater must be .* got \[1, 2\]"),
    "gater of none": (lambda f: f["connections"][2].update(gater=99), r"\.gater must be .* got 99"),
    "twice": (lambda f: f["connections"].append({**f["connections"][1], "gater": 2}),
              r"connections\[5\] leads from 1 to 2 as connections\[1\] does"),
    "trace": (lambda f: f["neurons"][0].update(trace=3), r"neurons\[0\].trace must be an object"),
    "traces": (lambda f: f["neurons"][0]["trace"].update(extended=[1]), r"neurons\[0\].trace.extended must be an object"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_and_where(change, said):
    with pytest.raises(ng.FormatError, match=said):
        ng.io.read_synaptic(edited(change))


NOT_JSON = {
    "nan": ('{"neurons": [NaN]}', "not valid JSON: NaN is not a number"),
    "infinity": ("[-Infinity]", "not valid JSON: -Infinity is not a number"),
    "twice": ('{"neurons": [], "neurons": []}', "not valid JSON: .*key 'neurons' twice"),
    "deep": ("[" * 200_000, "nested too deeply"),
    "digits": ("1" * 5000, "not valid JSON"),
    "cut": ('{"neurons": [', "not valid JSON: Expecting value"),
    "empty": ("", "not valid JSON"),
    "a list": ("[]", r"net.json: a file of Synaptic must be an object .*got \[\]"),
}


@pytest.mark.parametrize(("text", "said"), NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_refused(tmp_path, text, said):
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(ng.FormatError, match=said):
        ng.io.read_synaptic(path)


def test_bytes_and_size(tmp_path, monkeypatch):
    path = tmp_path / "net.json"
    path.write_bytes(b'{"neurons": "\xff"}')
    with pytest.raises(ng.FormatError, match="net.json: not a text in UTF-8"):
        ng.io.read_synaptic(path)
    path.write_text(json.dumps(FILE))
    monkeypatch.setattr(files, "MAX_BYTES", path.stat().st_size)
    ng.io.read_synaptic(path)
    monkeypatch.setattr(files, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(ng.FormatError, match="more than .* bytes"):
        ng.io.read_synaptic(path)


def mutate(value, rng):
    """Change one thing somewhere inside a JSON value."""
    odd = [None, True, -1, 0, 1, 3, 99, 1e308, 0.5, "", "1", "input", "hidden", [], {}, [[]]]
    if isinstance(value, (dict, list)) and len(value) and rng.random() < 0.85:
        key = (
            list(value)[rng.integers(len(value))]
            if isinstance(value, dict)
            else rng.integers(len(value))
        )
        action = rng.random()
        if action < 0.15:
            del value[key]
        elif action < 0.25:  # swap with a neighbour
            other = next(iter(value)) if isinstance(value, dict) else 0
            value[key], value[other] = value[other], value[key]
        elif action < 0.3 and isinstance(value, list):
            value.append(value[key])
        else:
            value[key] = mutate(value[key], rng)
        return value
    return odd[rng.integers(len(odd))]


@given(seed=st.integers(0, 2**32 - 1))
def test_an_edited_file_is_refused_or_is_a_network(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        found = json.loads(json.dumps(FILE))
        for _ in range(rng.integers(1, 4)):
            found = mutate(found, rng)
        text = json.dumps(found)
        if rng.random() < 0.2:
            text = text[: rng.integers(len(text))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ng.NeurographWarning)
                net = ng.io.read_synaptic(files.parse_json(text)) if text[:1] == "{" else None
        except ng.FormatError:
            continue
        if net is not None:
            net.plan()
            if all(
                abs(w) < 1e300
                for w in (*net.weights, *net.biases, *net._online.standing(net).ravel())
            ):
                net.activate(np.zeros(len(net.inputs)))
