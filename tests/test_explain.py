"""The laws of explanations: whatever the network, the numbers add up to what they explain."""

import json
from math import fsum

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.inspection import paths as searching
from neurograph.inspection.explain import Backward
from neurograph.inspection.explanation import Explanation, Part, Section, plain
from neurograph.inspection.paths import strongest_paths
from tests.strategies import close, networks, runs, sequences

ENGINES = st.sampled_from(["walker", "compiled"])


def total(parts):
    return fsum(part.value for part in parts)


def explained(run, engine="walker"):
    """The network of a run, with the gradient of a loss that has both derivatives."""
    net, X, d_outputs = run
    net.forward(X, engine=engine)
    if d_outputs[0, 0, 0] > 0:
        net.backward(gradient=d_outputs)
    else:
        net.backward(np.where(d_outputs > 1, np.nan, d_outputs), loss="matching")
    return net


def inner(net, synapse, **selection):
    recording = net._tape[0]
    found = Backward(net, recording, synapse, selection.get("sample"), selection.get("step"))
    return found.run, found.loss, found.fed


def every_path(run, loss, fed):
    """All paths one by one, by depth: what the search must never do."""
    found = []
    waiting = [(e, run.target(e), a, ()) for e, a in fed.items() if run.target(e) not in run.inputs]
    while waiting:
        if len(found) + len(waiting) > 2000:
            return None
        e, j, carried, hops = waiting.pop()
        if j in loss:
            value = float((carried * loss[j]).sum())
            found.append((value, e, hops))
        for hop in run.hops(j):
            moved = np.zeros_like(carried)
            if hop.shift < run.steps:
                moved[hop.shift :] = carried[: run.steps - hop.shift] * run.factor(j, hop)
                if sum(h.shift for h in hops) + hop.shift < run.steps:
                    waiting.append((e, hop.to, moved, (*hops, hop)))
    return found


@settings(max_examples=60)
@given(run=runs(), engine=ENGINES)
def test_every_split_adds_up_to_the_gradient(run, engine):
    net = explained(run, engine)
    for synapse in net.synapses:
        e = synapse.explain(terms=10**6)
        assert e.gradient == synapse.grad
        assert not [p for p in (*e.parts, *e.hops) if "remainder" in p.what or "other" in p.what]
        for parts in (e.parts, e.hops, e.paths):
            assert close(total(parts), e.gradient, 1e-12)
        assert close(e.by_step.sum(), e.gradient, 1e-12)
        assert close(e.by_sample.sum(), e.gradient, 1e-12)
        for part in (*e.parts, *e.hops):
            if part.numbers:
                assert close(np.prod(part.numbers), part.value, 1e-12)
        short = synapse.explain(terms=1, paths=1)
        assert max(map(len, (short.parts, short.hops, short.paths))) <= 2
        for parts in (short.parts, short.hops, short.paths):
            assert close(total(parts), e.gradient, 1e-12)


@settings(max_examples=60)
@given(run=runs(max_hidden=2), data=st.data())
def test_the_strongest_paths_are_the_strongest_and_all_of_them_are_the_gradient(run, data):
    net, (_, T, _) = explained(run), run[1].shape
    synapse = data.draw(st.sampled_from(list(net.synapses)))
    step = data.draw(st.none() | st.integers(0, T - 1))
    unrolled, loss, fed = inner(net, synapse, step=step)
    everything = every_path(unrolled, loss, fed)
    assume(everything is not None)
    k = data.draw(st.integers(1, 5))
    e = synapse.explain(paths=k, step=step)
    assert close(fsum(v for v, *_ in everything), e.gradient, 1e-12)
    strongest = sorted((abs(v) for v, *_ in everything if v), reverse=True)
    listed = [abs(p.value) for p in e.paths[:-1]]
    assert close(listed, strongest[:k], 1e-12)
    assert e.others_at_most >= max([0.0, *strongest[k:]]) - 1e-12
    possible = 0
    for _, begin, hops in everything:
        end = hops[-1].to if hops else unrolled.target(begin)
        after = sum(h.shift for h in hops)
        begins = range(T - after) if step is None else {step} & set(range(T - after))
        possible += any(loss[end][u + after].any() for u in begins)
    assert e.n_paths == possible


@settings(max_examples=30)
@given(run=runs(max_hidden=2), data=st.data())
def test_samples_and_steps_add_up(run, data):
    net, X, _ = run
    net = explained(run)
    synapse = data.draw(st.sampled_from(list(net.synapses)))
    samples, steps = range(len(X)), range(X.shape[1])
    cells = [[synapse.explain(sample=b, step=t) for t in steps] for b in samples]
    for row in cells:
        for e in row:
            for parts in (e.parts, e.hops, e.paths):
                assert close(total(parts), e.gradient, 1e-12)
            assert e.others_at_most <= min([np.inf, *(abs(p.value) for p in e.paths[:-1])]) + 1e-12
    values = np.array([[e.gradient for e in row] for row in cells])
    whole = synapse.explain()
    assert close(values.sum(), synapse.grad, 1e-12)
    assert close(values.sum(0), whole.by_step, 1e-12)
    assert close(values.sum(1), whole.by_sample, 1e-12)
    assert close(synapse.explain(sample=-1).gradient, whole.by_sample[-1], 1e-12)


@settings(max_examples=60)
@given(run=runs(), engine=ENGINES)
def test_the_terms_of_a_neuron_add_up_to_its_state(run, engine):
    net, X, _ = run
    recording = net.run(X, engine=engine)
    for neuron in net.neurons:
        for b, t in np.ndindex(X.shape[:2]):
            e = neuron.explain(sample=b, step=t, terms=10**6)
            assert e.state == recording[neuron.name].state[b, t]
            assert close(total(e.parts), e.state, 1e-12)
            assert close(e.output, recording[neuron.name].output[b, t], 1e-15)
            if neuron.role == "input":
                assert not e.parts
            else:
                f = ng.functions.get_activation(neuron.activation)
                assert close(
                    f(np.array([total(e.parts)])), [e.output], 1e-9
                ) or neuron.activation in (
                    "step",
                    "bipolar",
                )
            assert all(close(np.prod(p.numbers), p.value, 1e-12) for p in e.parts if p.numbers)
        last = neuron.explain()
        assert (last.state, last.output) == (neuron.state, neuron.output)


@settings(max_examples=40)
@given(net=networks(), data=st.data())
def test_a_step_of_activate_is_explained_until_its_weights_change(net, data):
    x = data.draw(sequences(net))[0]
    net.run(1 - x[None])  # another run, which is not what is shown any more
    for row in x:
        net.activate(row)
    for learned in False, True:
        if learned:
            net.propagate(0.1, np.full(len(net.outputs), 0.5))
        for neuron in net.neurons:
            e = neuron.explain()
            assert (e.state, e.output) == (neuron.state, neuron.output)
            assert close(total(e.parts), neuron.state, 1e-12)


def test_a_state_is_not_explained_with_other_weights():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.activate([1, 1])
    assert net.nodes["output.0"].explain().step is None
    net.propagate(0.5, [0])
    assert total(net.nodes["output.0"].explain().parts) == pytest.approx(
        net.nodes["output.0"].state
    )
    net.propagate(0.5, [0])
    with pytest.raises(ng.ParameterError, match="changed since neuron 'output.0' had this state"):
        net.nodes["output.0"].explain()
    net.reset_state()
    net.forward([1, 1])
    assert net.nodes["output.0"].explain().step == 0


def test_the_synaptic_rule_is_not_explained():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.rule = "synaptic"
    net.activate([1, 1])
    with pytest.raises(ng.ParameterError, match="visits neurons one after the other"):
        net.nodes["output.0"].explain()


@settings(max_examples=20)
@given(run=runs(dtype="float32"), engine=ENGINES)
def test_single_precision_adds_up_with_its_round_off(run, engine):
    net = explained(run, engine)
    for synapse in net.synapses:
        e = synapse.explain()
        for parts in (e.parts, e.hops, e.paths):
            assert close(total(parts), synapse.grad, 1e-12)
            off = [p.value for p in parts if p.what.startswith("round-off")]
            assert not off or abs(off[0]) <= 1e-4 * max(1, *(abs(p.value) for p in parts))
    for neuron in net.neurons:
        assert close(total(neuron.explain().parts), neuron.state, 1e-12)


def test_what_was_there_before_is_a_part():
    net = ng.perceptron(2, 2, 1, seed=0)
    synapse = net.edges["input.0", "hidden.0"]
    net.forward([[1, 0], [1, 1]])
    net.backward([[1], [0]])
    first = synapse.grad
    net.backward([[0], [1]], accumulate=True)
    e = synapse.explain()
    earlier = [p.value for p in e.parts if "earlier" in p.what]
    assert earlier == [pytest.approx(first, rel=1e-12)]
    for parts in (e.parts, e.hops, e.paths):
        assert total(parts) == pytest.approx(synapse.grad, rel=1e-12)


def test_explaining_changes_nothing():
    net = ng.lstm(1, 2, 1, seed=0)
    net.forward(np.ones((2, 3, 1)))
    net.backward(np.zeros((2, 3, 1)))
    before = [net.weights, net.gradients, net.rng.bit_generator.state["state"]]
    for synapse in net.synapses:
        synapse.explain()
    assert np.array_equal(before[0], net.weights) and np.array_equal(before[1], net.gradients)
    net.backward(np.zeros((2, 3, 1)))
    assert np.array_equal(before[1], net.gradients)


def test_a_gradient_of_ones_own_may_change_afterwards():
    net = ng.perceptron(1, 1, seed=0)
    net.forward([[1], [2]])
    given = np.ones((2, 1))
    net.backward(gradient=given)
    given[:] = 7
    synapse = net.edges["input.0", "output.0"]
    assert total(synapse.explain().hops) == pytest.approx(synapse.grad, rel=1e-12)


def test_thousands_of_layers_of_paths_are_not_enumerated():
    net = ng.Network(seed=0)
    before = net.add_layer("x", 4, role="input")
    for i in range(30):  # 4 ** 29 paths and more
        layer = net.add_layer(f"h{i}", 4, activation="tanh")
        before.project(layer)
        before = layer
    before.project(net.add_layer("y", 1, role="output", activation="identity"))
    net.initialize()
    net.forward([1, -1, 0.5, 0.2])
    net.backward([1])
    synapse = net.edges["x.0", "h0.0"]
    e = synapse.explain(paths=3)
    assert e.n_paths == 4**29
    assert close(total(e.paths), synapse.grad, 1e-12)
    assert e.others_at_most <= abs(e.paths[2].value)
    assert [s.target for s in e.paths[0].about["synapses"]] == e.paths[0].about["neurons"]


def test_a_search_that_ends_early_says_so(monkeypatch):
    net = ng.perceptron(3, 8, 8, 2, seed=0)
    rng = np.random.default_rng(0)
    net.forward(rng.normal(size=(5, 3)))
    net.backward(rng.normal(size=(5, 2)))
    synapse = net.edges["input.0", "hidden1.0"]
    run, loss, fed = inner(net, synapse)
    strongest = max(abs(v) for v, *_ in every_path(run, loss, fed))
    monkeypatch.setattr(searching, "MOST_HOPS", 3)
    found = strongest_paths(run, loss, fed.items(), 2)
    assert found.others_at_most >= strongest
    e = synapse.explain(paths=2)
    assert not e.paths[:-1] or "ended early" in str(e)
    assert close(total(e.paths), synapse.grad, 1e-12)


@settings(max_examples=30)
@given(run=runs(max_hidden=2))
def test_dicts_are_json_and_texts_have_the_numbers(run):
    net = explained(run)
    for synapse in net.synapses:
        e = synapse.explain()
        read = json.loads(json.dumps(e.to_dict(), allow_nan=False))
        assert read["gradient"] == e.gradient
        for name in ("parts", "hops", "paths"):
            assert close(sum(p["value"] for p in read[name]["parts"]), e.gradient, 1e-12)
        lines = str(e).splitlines()
        assert lines[0].startswith(f"∂L/∂w of {synapse}") and repr(e) == f"<{e.title}>"
        assert all(line == line.rstrip() for line in lines)
    for neuron in net.neurons:
        json.dumps(neuron.explain().to_dict(), allow_nan=False)


def test_names_are_escaped_in_notebooks():
    net = ng.Network(seed=0)
    evil = "<script>alert(1)</script>"
    net.add_neuron(evil, role="input")
    net.add_neuron("y", role="output")
    synapse = net.add_synapse(evil, "y")
    net.forward([1])
    net.backward([1])
    for found in (synapse.explain(), net.nodes["y"].explain()):
        html = found._repr_html_()
        assert "<script" not in html and "&lt;script&gt;" in html and html.count("<table>") >= 1


def trained():
    net = ng.perceptron(2, 2, 1, seed=0)
    return net, net.edges["input.0", "hidden.0"]


def test_explaining_before_a_run_or_a_backward_pass_says_what_to_do():
    net, synapse = trained()
    with pytest.raises(ng.ParameterError, match=r"no run to explain: net.forward\(X\)"):
        synapse.explain()
    with pytest.raises(ng.ParameterError, match=r"no run to explain: net.forward\(X\)"):
        net.nodes["hidden.0"].explain()
    net.forward([1, 1])
    net.nodes["hidden.0"].explain()
    with pytest.raises(ng.ParameterError, match=r"no backward pass to explain: net.forward"):
        synapse.explain()


def test_explaining_after_an_edit_says_what_to_do():
    net, synapse = trained()
    net.forward([1, 1])
    net.backward([1])
    synapse.weight = 3
    for handle in (synapse, net.nodes["hidden.0"]):
        with pytest.raises(ng.ParameterError, match="was edited .or learned. since its last run"):
            handle.explain()
    net.forward([1, 1])
    net.backward([1])
    synapse.explain()
    net._store.synapses.array("grad")[:] = 7
    with pytest.raises(ng.ParameterError, match="is 7 now, and the last backward pass made it"):
        synapse.explain()


def test_what_was_removed_is_not_explained():
    net, synapse = trained()
    neuron = net.nodes["hidden.0"]
    net.forward([1, 1])
    net.backward([1])
    net.remove_node("hidden.0")
    for handle in (synapse, neuron):
        with pytest.raises(ng.DetachedError, match="no longer part of a network"):
            handle.explain()


@pytest.mark.parametrize("options", [
    {"sample": 1}, {"sample": -2}, {"sample": 0.5}, {"step": 1}, {"step": "last"}, {"sample": False},
])  # fmt: skip
def test_samples_and_steps_that_are_not_there(options):
    net, synapse = trained()
    net.forward([1, 1])
    net.backward([1])
    for handle in (synapse, net.nodes["hidden.0"]):
        with pytest.raises(ng.ParameterError, match="must be a whole number from 0 to 0"):
            handle.explain(**options)


@pytest.mark.parametrize("options", [{"paths": -1}, {"terms": 0.5}])
def test_numbers_of_lines_that_cannot_be(options):
    net, synapse = trained()
    net.forward([1, 1])
    net.backward([1])
    with pytest.raises(ng.ParameterError, match="0 or more"):
        synapse.explain(**options)


def test_a_synapse_into_an_input_has_no_gradient():
    net = ng.Network([("a", "y"), ("y", "a", {"delay": 1})])
    net.inputs, net.outputs = ["a"], ["y"]
    net.forward([[[1.0], [1.0]]])
    net.backward([[[0.0], [0.0]]])
    e = net.edges["y", "a"].explain()
    assert e.gradient == 0 and e.n_paths == 0 and "is an input" in str(e)


def test_an_input_has_no_parts_and_keeps_the_letters_of_its_name():
    net = ng.Network([("X0", "y")], seed=0)
    net.inputs, net.outputs = ["X0"], ["y"]
    net.forward([1.294])
    e = net.nodes["X0"].explain()
    assert str(e).splitlines() == [
        "output of neuron 'X0' = 1.294",
        "Input 'X0' has no parts: its output is what X says, equation (4).",
    ]
    assert "<table>" not in e._repr_html_() and e.to_dict()["parts"]["parts"] == []
    net.forward([0])
    assert "what came in" in str(net.nodes["y"].explain())  # parts that are 0 are shown


def test_in_a_notebook_all_but_the_value_can_be_broken():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.forward([[0, 1], [1, 1]])
    net.backward([[1], [0]])
    page = net.edges["input.1", "hidden.0"].explain()._repr_html_()
    for row in page.split("<tr>")[1:]:
        *cells, value = row.split("<td ")[1:]
        assert cells and all("white-space:pre-wrap" in cell for cell in cells)
        assert "white-space:pre;" in value and "wrap" not in value
        assert not all(cell.split(">")[1].startswith("</td") for cell in cells)


@pytest.mark.parametrize("k", [1, 3, 40])
def test_a_search_that_ends_anywhere_has_true_paths_and_bounds_all_others(monkeypatch, k):
    net = ng.perceptron(3, 4, 3, 2, seed=0)
    rng = np.random.default_rng(0)
    net.forward(rng.normal(size=(5, 3)))
    net.backward(rng.normal(size=(5, 2)))
    run, loss, fed = inner(net, net.edges["input.0", "hidden1.0"])
    known = {(e, hops): v for v, e, hops in every_path(run, loss, fed)}
    counts = []
    for most in range(1, 40):
        monkeypatch.setattr(searching, "MOST_HOPS", most)
        paths, others_at_most = strongest_paths(run, loss, fed.items(), k)
        found = {(p.begin, p.hops): p.value for p in paths}
        assert len(found) == len(paths) <= k  # each only once
        assert close([found[key] for key in found], [known[key] for key in found], 1e-12)
        assert [abs(p.value) for p in paths] == sorted((abs(p.value) for p in paths), reverse=True)
        more = strongest_paths(run, loss, fed.items(), 40).paths
        assert [p.hops for p in paths] == [p.hops for p in more][:k]  # none of them is better
        others = [abs(v) for key, v in known.items() if key not in found]
        assert others_at_most >= max(others, default=0.0) - 1e-15
        counts.append(len(paths))
    assert counts[0] == 0 and counts[-1] == min(k, len(known))
    assert k < 40 or len(set(counts)) > 2  # some searches end with a part of them


def test_numbers_of_a_table_stand_below_each_other_and_signs_are_told():
    parts = (
        Part(-0.75, "a", "w · δ", (-0.5, 1.5)),
        Part(12.0, "longer", "w", (12.0,)),
        Part(0.0, "-"),
    )
    one = Explanation()
    one.title, one.sections = "t", (Section("parts", "by term", "(7)", parts, 11.25),)
    assert str(one).splitlines() == [
        "t",
        "",
        "by term, (7):",
        "  a       w · δ  = (-0.5) · 1.5  -0.75",
        "  longer  w      = 12             12",
        "  -                               0",
        "  sum                             11.25",
    ]
    assert Part(2.0, "a", numbers=(-1.0, -2.0, 0.0)).product == "(-1) · (-2) · 0"


def test_plain_values_are_those_of_json():
    about = {"a": 1, "b": True, "c": "x", "d": None, "e": 0.5, "f": [2, "y"], 3: ("p", 1)}
    wanted = {"a": 1, "b": True, "c": "x", "d": None, "e": 0.5, "f": [2, "y"], "3": "('p', 1)"}
    assert plain(about) == wanted
    assert json.loads(json.dumps(plain({"x": np.float64(0.25)}))) == {"x": 0.25}


def test_it_is_told_when_something_was_read_and_when_it_acts():
    net = ng.Network([("x", "h", {"weight": 0.5}), ("g", "y", {"weight": 0.5}), ("h", "z")])
    net.add_synapse("h", "y", weight=0.5, delay=2)
    net.add_synapse("h", "h", weight=0.5)
    net.gate("g", net.edges["h", "y"], delay=1)
    net.inputs, net.outputs = ["x", "g"], ["y", "z"]
    net.edges["g", "y"].tie = net.edges["x", "h"].tie = "t"
    net.forward(np.ones((1, 4, 2)))
    net.backward(np.ones((1, 4, 2)))

    def told(element):
        return [" ".join(line.split("  = ")[0].split()) for line in str(element).splitlines()]

    late = "δ of 'y' · γ of 'g' 1 step ago · output of 'h' 2 steps ago"
    assert f"sample 0, step 3 {late}" in told(net.edges["h", "y"].explain())
    own = told(net.edges["h", "h"].explain())
    assert "sample 0, step 3 δ of 'h' · state of 'h' 1 step ago" in own
    for hop in (
        "through 'h' -> 'z' x · f' · w · δ of 'z'",
        "through 'h' -> 'y' 2 steps later x · f' · γ · w · δ of 'y' 2 steps later",
        "through its own state 1 step later x · w · δ of 'h' 1 step later",
    ):
        assert any(line.rsplit(" ", 1)[0] == hop for line in own)
    at_once = ["δ of 'h' · output of 'x'", "δ of 'y' · output of 'g'"]
    for synapse, first in ((("x", "h"), 0), (("g", "y"), 1)):  # itself before those it is tied to
        ends = ["'x' -> 'h'", "'g' -> 'y'"]
        expected = [
            f"sample 0, step {t}, {ends[k]} {at_once[k]}"
            for k in (first, 1 - first)
            for t in range(4)
        ]
        lines = told(net.edges[synapse].explain())
        assert lines[3:11] == expected
    lines = told(net.nodes["y"].explain())
    assert "'g' -> 'y' w · output of 'g'" in lines
    assert "'h' -> 'y' γ of 'g' 1 step ago · w · output of 'h' 2 steps ago" in lines
