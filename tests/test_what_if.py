"""What if: a lesion is a removal, a clamp is an input, and everything comes back bit for bit."""

import pickle
import re
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph import schedule
from neurograph.engines import natives
from tests.strategies import close, late_gates, networks, runs, sequences

PLAIN = natives.config.DISABLE_JIT
engines = pytest.mark.parametrize("engine", ["walker", "compiled"])
few = settings(max_examples=10 if PLAIN else 40)
SHOWN = {"state", "output", "delta", "gain", "grad", "eligibility"}  # what runs write


def passes(net, X, gradient, engine):
    """What a run and its gradient find, by name of neuron and by ends of synapse."""
    rec = net.run(X, engine=engine)
    net.backward(gradient=gradient)
    return {
        "output": {n: rec[n].output for n in net},
        "delta": {n: rec[n].delta for n in net},
        "weight gradient": {(s.source, s.target): s.grad for s in net.synapses},
        "bias gradient": {n.name: n.grad for n in net.neurons},
        "input gradient": dict(
            zip(net.inputs, np.moveaxis(net.input_gradient, -1, 0), strict=True)
        ),
    }


def assert_same_passes(wanted, found, but=()):
    """All that is in `wanted` is in `found`; scales are those of a whole kind."""
    for what, values in wanted.items():
        keys = [k for k in values if k not in but]
        if keys:
            a, b = (np.array([side[k] for k in keys]) for side in (values, found[what]))
            assert close(a, b, 1e-12), what


def choose(data, elements, least=1):
    """Some of the elements."""
    which = st.lists(st.integers(0, len(elements) - 1), min_size=least, max_size=3, unique=True)
    return [elements[i] for i in data.draw(which)]


def kept(net):
    """Everything that is no result of a run, by id."""
    store = net._store
    found = {}
    for side in ("neurons", "synapses"):
        table = getattr(store, side)
        for name in table.arrays:
            if name not in SHOWN:
                found[side, name] = table.values(name, table.alive()).tobytes()
        found[side, "columns"] = sorted(set(table.arrays) - SHOWN - {"bias"})
    ties = store.synapses.ties
    found["ties"] = {label: list(ids) for label, ids in ties.ids.items()}, dict(ties.group)
    found["activations"] = list(store.activations)
    return found


# ---------------------------------------------------------------- lesions


@engines
@few
@given(run=runs(), data=st.data())
def test_a_lesioned_synapse_is_a_removed_one(engine, run, data):
    net, X, gradient = run
    gone = choose(data, list(net.synapses))
    twin = net.copy()
    twin.remove_edges_from([(s.source, s.target) for s in gone])
    wanted = passes(twin, X, gradient, engine)
    with net.lesion(*gone):
        assert_same_passes(wanted, passes(net, X, gradient, engine))


@engines
@few
@given(run=runs(), data=st.data())
def test_a_lesioned_neuron_is_one_removed_with_all_that_it_gates(engine, run, data):
    net, X, gradient = run
    data.draw(late_gates(net))
    gone = choose(data, list(net.neurons))
    names = [n.name for n in gone]
    x, y = (
        [i for i, n in enumerate(ports) if n not in names] for ports in (net.inputs, net.outputs)
    )
    assume(x and y)
    gated = [s for n in gone for s in n.gated if not {s.source, s.target} & set(names)]
    late = [s for s in gated if s.gate_delay]  # they act in the first step
    if any(s.gater in net.inputs and not s.delay for s in late):
        with pytest.raises(ng.ParameterError, match="put 0 into its column of X"):
            net.lesion(*gone)
        return
    twin = net.copy()
    twin.add_neuron("nobody", activation="identity")
    for s in gated:
        if s in late and s.gater not in net.inputs:
            twin.gate("nobody", twin.edges[s.source, s.target], delay=1)
        else:
            twin.remove_edge(s.source, s.target)
    twin.remove_nodes_from(names)
    wanted = passes(twin, X[..., x], gradient[..., y], engine)
    with net.lesion(*gone):
        found = passes(net, X, gradient, engine)
        assert_same_passes(wanted, found, but=("nobody",))
        for neuron in gone:
            if neuron.role != "input":
                assert not found["output"][neuron.name].any() and neuron.output == 0
                assert not found["delta"][neuron.name].any() and neuron.grad == 0
            else:
                assert not found["input gradient"][neuron.name].any()
            for s in [*neuron.incoming, *neuron.outgoing]:
                assert s.weight == 0


@engines
@pytest.mark.parametrize("rule", ["lstm-g", "bptt", "rtrl"])
@settings(max_examples=5 if PLAIN else 12)
@given(net=networks(), data=st.data())
def test_a_lesion_is_a_removal_online(engine, rule, net, data):
    net.rule, net.engine = rule, engine
    X = data.draw(sequences(net))[0]
    gone = choose(data, list(net.synapses))
    twin = net.copy()
    twin.remove_edges_from([(s.source, s.target) for s in gone])
    with net.lesion(*gone):
        for x in X:
            assert close(net.activate(x), twin.activate(x), 1e-12)
            for one in (net, twin):
                one.propagate(0.01, np.zeros(len(net.outputs)), loss="squared_error")
            weights = [net.edges[e].weight for e in twin.edges]
            assert close(weights, twin.weights, 1e-12)
            assert close(net.biases, twin.biases, 1e-12)
        assert all(s.weight == 0 for s in gone)


OPTIMIZERS = [
    ng.SGD(0.1),
    ng.Momentum(0.1, l2=0.1),
    ng.AdamW(0.01, clip_norm=0.1),
    ng.Rprop(0.01),
]


@engines
@settings(max_examples=8 if PLAIN else 25)
@given(run=runs(), data=st.data(), optimizer=st.sampled_from(OPTIMIZERS))
def test_what_is_lesioned_does_not_learn_and_the_rest_does(engine, run, data, optimizer):
    net, X, gradient = run
    gone = choose(data, list(net.synapses))
    before = {s: s.weight for s in gone if s.tie is None}
    twin = net.copy()
    twin.remove_edges_from([(s.source, s.target) for s in gone])
    told = {"epochs": 3, "shuffle": False, "optimizer": optimizer, "engine": engine}
    twin.fit(X, gradient, **told)
    with net.lesion(*gone):
        net.fit(X, gradient, **told)
        assert all(s.weight == 0 for s in gone)
    assert close([net.edges[e].weight for e in twin.edges], twin.weights, 1e-10)
    assert close(net.biases, twin.biases, 1e-10)
    assert all(s.weight == w and s.trainable for s, w in before.items())
    for s in gone:  # what is tied has what the others have learned
        assert len({t.weight for t in net.synapses if s.tie is not None and t.tie == s.tie}) <= 1


# ---------------------------------------------------------------- clamps


@engines
@few
@given(run=runs(), data=st.data())
def test_a_clamped_neuron_is_an_input_of_that_value(engine, run, data):
    net, X, gradient = run
    held = choose(data, [n for n in net.neurons if n.role != "input"])
    names = [n.name for n in held]
    y = [i for i, n in enumerate(net.outputs) if n not in names]
    assume(y)
    values = [data.draw(st.floats(-1, 1)) for _ in held]
    twin = net.copy()
    for s in (s for n in held for s in n.incoming if s.tie is not None):
        twin.untie(twin.edges[s.source, s.target])  # outside of its tie, as long as it is
    twin.outputs = [net.outputs[i] for i in y]
    twin.inputs = [*net.inputs, *names]
    column = np.broadcast_to(values, (*X.shape[:2], len(values)))
    wanted = passes(twin, np.concatenate([X, column], -1), gradient[..., y], engine)
    for name in names:  # they are no inputs here
        del wanted["input gradient"][name]
    before = {n.name: n.activation for n in held}
    with net.clamp(held, values):
        found = passes(net, X, gradient, engine)
        assert_same_passes(wanted, found)
        for neuron, value in zip(held, values, strict=True):
            assert (found["output"][neuron.name] == value).all() and neuron.output == value
    assert {n.name: n.activation for n in held} == before


@engines
def test_a_clamp_holds_step_by_step_too(engine):
    net = ng.lstm(2, 2, 1, seed=0)
    net.engine = engine
    step = net.stepper(0.1)
    for x in ([0, 1], [1, 1]):
        step(x, [1])
    weights = net.weights
    name = next(n.name for n in net.neurons if n.gated)
    with net.clamp(name, 0.25):
        for x in ([1, 0], [0, 0]):
            step(x, [1])
            assert net.nodes[name].output == 0.25 and net.nodes[name].state == 0.25
            assert all(s.gain == 0.25 for s in net.nodes[name].gated)
        assert net.nodes[name].bias == 0.25 and not any(s.weight for s in net.nodes[name].incoming)
    step([1, 0], [1])
    incoming = net.nodes[name].incoming
    place = {(s.source, s.target): i for i, s in enumerate(net.synapses)}
    # They learned before and after, not while it was held.
    assert net.nodes[name].activation == "logistic" and len(incoming)
    assert all(s.weight for s in incoming) and not np.array_equal(net.weights, weights)
    assert len(place) == net.number_of_edges()


def test_learning_inside_a_clamp_leaves_what_is_held():
    net = ng.perceptron(2, 3, 1, seed=0)
    h = net.nodes["hidden.1"]
    before = [s.weight for s in h.incoming], h.bias
    out = net.edges["hidden.1", "output.0"]
    weight = out.weight
    with net.clamp("hidden.1", 0.3):
        for engine in ("walker", "compiled"):
            net.fit([[0, 1], [1, 0]], [[1], [0]], epochs=3, engine=engine)
        assert (net.predict([0, 1]) != 0).all() and h.bias == 0.3
    assert ([s.weight for s in h.incoming], h.bias) == before
    with net.clamp("output.0", 0.3):  # which the matching loss gives a δ
        net.activate([0, 1])
        net.propagate(0.5, [1])
        assert net.activate([0, 1]) == 0.3
    assert out.weight != weight  # it multiplies a constant, and learns


def driven(data, net, X, hidden):
    """Values (B, T), (B, 1), (1, T) or (1, 1) for each of some hidden neurons, and their twin."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    shape = [data.draw(st.sampled_from([1, n])) for n in X.shape[:2]]
    values = rng.uniform(-1, 1, (*shape, len(hidden)))
    twin = net.copy()
    for s in (s for n in hidden for s in n.incoming if s.tie is not None):
        twin.untie(twin.edges[s.source, s.target])
    twin.inputs = [*net.inputs, *(n.name for n in hidden)]
    columns = np.broadcast_to(values, (*X.shape[:2], len(hidden)))
    return values, twin, np.concatenate([X, columns], -1)


@engines
@few
@given(run=runs(), data=st.data())
def test_a_neuron_clamped_step_by_step_is_an_input_of_these_values(engine, run, data):
    net, X, gradient = run
    hidden = [n for n in net.neurons if n.role == "hidden"]
    assume(hidden)
    held = choose(data, hidden)
    values, twin, columns = driven(data, net, X, held)
    wanted = passes(twin, columns, gradient, engine)
    before, states = kept(net), net.copy().run(X, engine=engine).outputs
    with net.clamp(held, values):
        found = passes(net, X, gradient, engine)
        assert_same_passes(wanted, found)
        for i, neuron in enumerate(held):
            assert (found["output"][neuron.name] == values[..., i]).all()
        net.engine = engine
        assert close(net.predict(X), twin.run(columns).outputs, 1e-12)
        targets = np.zeros_like(gradient)
        for name in ("exact", "first_order", "obd"):
            one, other = (
                dict(zip(zip(m.source, m.target, strict=True), getattr(m, name), strict=True))
                for m in (net.lesion_map(X, targets), twin.lesion_map(columns, targets))
            )
            assert close([one[k] for k in one], [other[k] for k in one], 1e-12)
    assert kept(net) == before and net.inputs == twin.inputs[: len(net.inputs)]
    assert (net.run(X, engine=engine).outputs == states).all()


@engines
def test_samples_keep_their_clamped_values_when_they_are_shuffled(engine):
    net = ng.lstm(2, 2, 1, seed=0)
    net.engine = engine
    rng = np.random.default_rng(0)
    X, Y, values = (rng.normal(size=(7, 3, n)) for n in (2, 1, 1))
    twin = net.copy()
    twin.inputs = [*net.inputs, "cell.1"]
    twin_of = {(s.source, s.target): s for s in twin.synapses}
    optimizer = {"epochs": 3, "batch_size": 2, "loss": "squared_error"}
    losses = twin.fit(np.concatenate([X, values], -1), Y, **optimizer).loss
    with net.clamp("cell.1", values[..., 0]):
        assert np.allclose(net.fit(X, Y, **optimizer).loss, losses, rtol=1e-12)
        ends = [(s.source, s.target) for s in net.synapses if s.target != "cell.1"]
    assert close([net.edges[e].weight for e in ends], [twin_of[e].weight for e in ends], 1e-12)
    into = ng.lstm(2, 2, 1, seed=0).nodes["cell.1"].incoming
    assert [s.weight for s in net.nodes["cell.1"].incoming] == [s.weight for s in into]


def test_what_one_run_did_is_patched_into_another():
    net = ng.lstm(2, 2, 1, seed=0)
    net.remove_edges_from([("input.0", "output.0"), ("input.1", "output.0")])
    A, B = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    rec = net.run(A)
    cells = [n.name for n in net.neurons if n.role == "hidden"]
    whole = np.stack([rec[name].output for name in cells], -1)
    with net.clamp(cells, whole):
        assert close(net.predict(B), rec.outputs, 1e-14)
    with net.clamp("cell.0", rec["cell.0"].output):
        assert not close(net.predict(B), rec.outputs, 1e-6)
        copies = [net.copy(), pickle.loads(pickle.dumps(net))]
    for twin in copies:  # networks of their own, in which it is an input as any other
        assert twin.inputs[-1] == "cell.0" and twin.run(np.zeros((1, 3))).outputs.shape == (1, 1)


def test_what_cannot_be_clamped_step_by_step():
    net = ng.perceptron(2, 3, 1, seed=0)
    before = kept(net)
    for wrong, error in (
        (lambda: net.clamp("output.0", [[0.1, 0.2]]), "'output.0' is an output"),
        (lambda: net.clamp("input.0", [[0.1, 0.2]]), "its output is what X says"),
        (lambda: net.clamp("hidden.0", [[0.1, np.inf]]), "finite numbers.*one that is not"),
        (
            lambda: net.clamp("hidden.0", np.ones((0, 1))),
            r"one sample and step; got shape \(0, 1\)",
        ),
        (lambda: net.clamp("hidden.0", np.ones((2, 2, 2))), r"values \(samples, steps, 1\)"),
        (lambda: net.clamp("hidden.0", np.ones((1, 1, 1, 1))), "clamp takes a number"),
        (lambda: net.clamp(["hidden.0"] * 2, np.ones((1, 1))), "there twice"),
    ):
        with pytest.raises(ng.NeurographError, match=error):
            wrong()
    again = net.clamp("hidden.0", 0.5), net.clamp("hidden.0", np.ones((1, 2)))
    with net.clamp("hidden.0", np.ones((3, 2))):
        for block in again:
            with pytest.raises(ng.ParameterError, match="is an input"), block:
                pass
        for X in (np.ones((3, 2)), np.ones((2, 2, 2)), np.ones(2)):
            with pytest.raises(ng.ShapeError, match=r"'hidden.0' is clamped to .* \(3, 2\)"):
                net.run(X)
        with pytest.raises(ng.ShapeError, match=r"X must have shape \(2,\)"):
            net.run(np.ones((3, 2, 3)))
    assert kept(net) == before


# ---------------------------------------------------------------- patches


@given(net=networks(), data=st.data())
@settings(max_examples=30)
def test_a_patch_is_an_assignment(net, data):
    chosen = choose(data, [s for s in net.synapses if s.tie is None] or list(net.synapses)[:1])
    X = data.draw(sequences(net))
    twin, before = net.copy(), kept(net)
    weights = {s: data.draw(st.floats(-1, 1)) for s in chosen}
    for s, w in weights.items():
        twin.edges[s.source, s.target].weight = w
    with net.patch(weights) as patched:
        assert patched is net and (net.weights == twin.weights).all()
        assert (net.run(X, engine="walker").outputs == twin.run(X, engine="walker").outputs).all()
    assert kept(net) == before
    with net.patch({(s.source, s.target): w for s, w in weights.items()}):
        assert (net.weights == twin.weights).all()
    with net.patch(chosen, list(weights.values())):
        assert (net.weights == twin.weights).all()


def test_tied_synapses_are_patched_together():
    net = ng.Network([("a", "b", {"weight": 1}), ("b", "c", {"weight": 2}), ("c", "d")])
    s, t = net.edges["a", "b"], net.edges["b", "c"]
    net.tie([s, t])
    with net.patch({s: 5}):
        assert s.weight == t.weight == 5
    assert s.weight == t.weight == 1
    with pytest.raises(ng.ParameterError, match="tied share one value"):
        net.patch({s: 1, t: 2})


# ---------------------------------------------------------------- everything comes back


@st.composite
def blocks(draw, net):
    """Some block of this network."""
    kind = draw(st.sampled_from(["lesion", "lesion neuron", "clamp", "patch"]))
    synapse = draw(st.sampled_from(list(net.synapses)))
    neurons = list(net.neurons)
    if kind == "lesion":
        return net.lesion(synapse)
    if kind == "lesion neuron":
        return net.lesion(draw(st.sampled_from([n.name for n in neurons])))
    if kind == "patch":
        return net.patch({synapse: draw(st.floats(-1, 1))})
    held = draw(st.sampled_from([n for n in neurons if n.role != "input"]))
    value = draw(st.floats(-1, 1))
    return net.clamp(held, [[value]] if held.role == "hidden" and draw(st.booleans()) else value)


@settings(max_examples=100)
@given(net=networks(), data=st.data())
def test_blocks_come_and_go_in_any_order_and_nothing_is_left(net, data):
    X = data.draw(sequences(net))
    if data.draw(st.booleans()):
        net.plan()
    before, outputs = kept(net), net.copy().run(X, engine="walker").outputs
    used = []
    for _ in range(data.draw(st.integers(1, 8))):
        if used and data.draw(st.booleans()):
            used.pop(data.draw(st.integers(0, len(used) - 1))).__exit__(None, None, None)
        else:
            used.append(data.draw(blocks(net)))
            used[-1].__enter__()
        if data.draw(st.booleans()):
            net.run(X, engine="walker")
        assert_plan_is_right(net)
    while used:
        used.pop(data.draw(st.integers(0, len(used) - 1))).__exit__(None, None, None)
    after = kept(net)
    assert before == after
    assert (net.run(X, engine="walker").outputs == outputs).all()
    assert_plan_is_right(net)


def assert_plan_is_right(net):
    """The plan that is kept is the one that would be made."""
    kept_plan = net.__dict__.get("_plan")
    if kept_plan is None or kept_plan.version != net._store.version:
        return
    made = schedule.arrange(schedule.wiring(net))
    for name in ("activation", "tie_indptr", "tie_synapse", "source", "target", "synapse"):
        assert (getattr(kept_plan, name) == getattr(made, name)).all(), name
    assert kept_plan.activations == made.activations
    held = [net._store.id_of(kept_plan.name(kept_plan.inputs[i])) for i in kept_plan.held]
    assert set(held) == set(net.__dict__.get("_held", ()))


@settings(max_examples=30)
@given(net=networks(), data=st.data())
def test_an_exception_passes_and_everything_comes_back(net, data):
    before = kept(net)

    def goes_wrong():
        with ExitStack() as stack:
            for _ in range(data.draw(st.integers(1, 4))):
                stack.enter_context(data.draw(blocks(net)))
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        goes_wrong()
    assert kept(net) == before


def test_a_saved_file_does_not_tell_of_a_block(tmp_path):
    net = ng.lstm(2, 2, 1, seed=0)
    net.forward([[0, 1]])
    net.save(tmp_path / "before.ng")
    with net.lesion("output.0", next(iter(net.synapses))), net.clamp(net.neurons[-2].name, 1):
        pass
    net.save(tmp_path / "after.ng")
    assert (tmp_path / "before.ng").read_bytes() == (tmp_path / "after.ng").read_bytes()


def test_later_blocks_win_and_the_last_to_leave_puts_back():
    net = ng.Network([("a", "b", {"weight": 1})])
    s = net.edges["a", "b"]
    first, second, third = net.patch({s: 2}), net.lesion(s), net.patch({s: 4})
    first.__enter__()
    second.__enter__()
    assert s.weight == 0
    third.__enter__()
    second.__exit__(None, None, None)
    assert s.weight == 4 and s.trainable
    first.__exit__(None, None, None)
    assert s.weight == 4
    third.__exit__(None, None, None)
    assert s.weight == 1
    with first, pytest.raises(ng.ParameterError, match="in use already"):
        first.__enter__()
    assert s.weight == 1


def test_who_joins_a_patched_tie_again_is_put_back_with_it():
    net = ng.Network([("a", "b", {"weight": 1}), ("b", "c")])
    s, t = net.edges["a", "b"], net.edges["b", "c"]
    net.tie([s, t])
    lesion, patch, other = net.lesion(s), net.patch({t: 5}), net.lesion(t)
    lesion.__enter__()
    patch.__enter__()
    lesion.__exit__(None, None, None)
    assert s.weight == t.weight == 5
    other.__enter__()
    patch.__exit__(None, None, None)
    assert (s.weight, t.weight) == (1, 0)
    other.__exit__(None, None, None)
    assert s.weight == t.weight == 1 and s.tie == t.tie is not None


def test_a_patched_lesion_joins_its_tie_when_the_last_block_ends():
    net = ng.Network([("a", "b", {"weight": 1}), ("b", "c")])
    s, t = net.edges["a", "b"], net.edges["b", "c"]
    net.tie([s, t])
    lesion, patch = net.lesion(s), net.patch({s: 3})
    lesion.__enter__()
    assert (s.weight, t.weight, s.tie) == (0, 1, None)
    patch.__enter__()
    assert (s.weight, t.weight) == (3, 1)
    lesion.__exit__(None, None, None)
    assert (s.weight, t.weight) == (3, 1)
    patch.__exit__(None, None, None)
    assert s.weight == t.weight == 1 and s.tie == t.tie is not None


def test_what_is_changed_elsewhere_stays_and_what_is_held_comes_back():
    net = ng.perceptron(2, 3, 1, seed=0)
    s, t = net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.0"]
    before = s.weight
    with net.lesion(s):
        s.weight, t.weight = 3, 4  # one may bring it back, as long as the block lasts
        net.nodes["hidden.0"].bias = 5
        net.remove_node("hidden.2")
        net.add_synapse("input.0", "output.0", weight=6)
    assert (s.weight, t.weight, net.nodes["hidden.0"].bias) == (before, 4, 5)
    assert net.edges["input.0", "output.0"].weight == 6 and "hidden.2" not in net


def test_what_is_removed_inside_a_block_stays_removed():
    net = ng.Network([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d", {"weight": 7})])
    s, t = net.edges["a", "b"], net.edges["b", "c"]
    net.tie([s, t])
    with net.lesion(s, t), net.clamp("c", 1):
        net.remove_node("c")
    assert net.edges["a", "d"].weight == 7 and net.nodes["d"].activation == "logistic"
    assert "c" not in net and s.weight != 0 and s.trainable and t.detached
    assert net._store.synapses.ties.group == {s._id: s.tie}


def test_copies_made_inside_a_block_are_networks_of_their_own():
    net = ng.perceptron(2, 3, 1, seed=0)
    with net.lesion("hidden.0"):
        copies = [net.copy(), pickle.loads(pickle.dumps(net))]
        wanted = net.predict([0, 1])
    for twin in copies:
        with twin.patch(twin.synapses, 0):
            pass
        assert (twin.predict([0, 1]) == wanted).all()
    assert (net.predict([0, 1]) != wanted).all()


# ---------------------------------------------------------------- nothing is planned anew


def test_entering_and_leaving_plan_nothing_anew(monkeypatch):
    net = ng.lstm(2, 3, 1, seed=0)
    net.tie(list(net.synapses)[:2])
    plan = net.plan()
    with net.lesion(net.synapses[-1]), net.patch({net.synapses[-2]: 3}):
        assert net.plan() is plan
    assert net.plan() is plan
    monkeypatch.setattr(schedule, "arrange", None)
    X = np.ones((2, 3, 2))
    outputs = net.forward(X)
    with net.lesion(net.synapses[0]), net.clamp("output.0", 0.5), net.lesion("output.0"):
        assert not net.forward(X).any()
    assert (net.forward(X) == outputs).all()


def test_a_block_is_an_edit():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.forward([0, 1])
    with net.lesion(net.synapses[0]), pytest.raises(ng.ParameterError, match="edited since"):
        net.backward([1])
    with pytest.raises(ng.ParameterError, match="edited since"):
        net.backward([1])


@engines
def test_float32_is_held_at_what_it_can_be(engine):
    net = ng.perceptron(2, 3, 1, seed=0, dtype="float32")
    with net.clamp("hidden.1", 0.1):
        rec = net.run([[0, 1]], engine=engine)
        assert rec["hidden.1"].output == np.float32(0.1)


# ---------------------------------------------------------------- bad input


def test_what_cannot_be():
    net, other = ng.perceptron(2, 3, 1, seed=0), ng.perceptron(2, 3, 1, seed=0)
    s = net.edges["input.0", "hidden.0"]
    before = kept(net)
    for wrong, error in (
        (lambda: net.lesion(), "got nothing"),
        (lambda: net.lesion("hiden.0"), "Did you mean 'hidden.0'"),
        (lambda: net.lesion(["hidden.0", "nobody"]), "no neuron 'nobody'"),
        (lambda: net.lesion(("hidden.0", "hidden.1")), r"no neuron and no synapse .*in a list"),
        (lambda: net.lesion(("hidden.0", ["hidden.1"])), "no neuron and no synapse"),
        (lambda: net.lesion(other.synapses), "another network"),
        (lambda: net.lesion(other.synapses[0]), "another network"),
        (lambda: net.lesion(other.nodes["hidden.0"]), "another network"),
        (lambda: net.lesion(3), "no neuron 3"),
        (lambda: net.clamp("input.0", 1), "its output is what X says"),
        (lambda: net.clamp(s, 1), "clamp takes neurons"),
        (lambda: net.clamp(("input.0", "hidden.0"), 1), "clamp takes neurons"),
        (lambda: net.clamp("hidden.0", np.nan), "^value must be a finite number, got nan"),
        (lambda: net.clamp(["hidden.0"], [np.inf]), "'hidden.0': value must be a finite"),
        (lambda: net.clamp({"hidden.0": None}), "the value of 'hidden.0' must be .* got None"),
        (lambda: net.clamp({"hidden.0": [[1]]}), "the value of 'hidden.0' must be a finite"),
        (lambda: net.clamp({"hidden.0": 1}, 2), "clamp takes values by neuron"),
        (lambda: net.clamp({"input.0": 1}), "its output is what X says"),
        (lambda: net.clamp({s: 1}), "clamp takes neurons"),
        (lambda: net.clamp("hidden.0", "much"), "real numbers"),
        (lambda: net.clamp("hidden.0", None), r"net.clamp\('h', 0.5\)"),
        (lambda: net.clamp("hidden.0", [0.1, 0.2]), r"has shape \(samples, steps\)"),
        (lambda: net.clamp(["hidden.0", "hidden.0"], [1, 2]), "with two values"),
        (lambda: net.patch({s: np.inf}), "finite number"),
        (lambda: net.patch({s: None}), "the weight of synapse .*'hidden.0'.* got None"),
        (lambda: net.patch({s: 1, ("input.0", "hidden.0"): 1}), "there twice"),
        (lambda: net.patch({other.synapses[0]: 1}), "another network"),
        (lambda: net.patch({"hidden.0": 1}), "expected a synapse"),
        (lambda: net.patch(net.neurons, 1), "patch takes synapses"),
        (lambda: net.patch(s), "patch takes weights by synapse"),
        (lambda: net.patch({s: 1}, 2), "patch takes weights by synapse"),
        (lambda: net.patch(net.synapses, [1, 2]), "shape"),
        (lambda: net.subgraph(["hidden.0"]).lesion("hidden.0"), "read-only view"),
    ):
        with pytest.raises(ng.NeurographError, match=error):
            wrong()
    assert kept(net) == before


def test_pairs_are_synapses_unless_they_are_names():
    net = ng.Network([("a", "b"), ("b", "c"), (("a", "b"), "c")], seed=0)
    for gone in (("b", "c"), [("b", "c"), "a"]):
        with net.lesion(gone):
            assert net.edges["b", "c"].weight == 0 != net.edges[("a", "b"), "c"].weight
    with net.lesion(("a", "b")):  # this is a neuron
        assert net.edges["a", "b"].weight != 0 == net.edges[("a", "b"), "c"].weight
    with net.patch([("b", "c"), net.edges["a", "b"]], [3, 4]):
        assert (net.edges["b", "c"].weight, net.edges["a", "b"].weight) == (3, 4)


def test_a_clamp_takes_a_mapping():
    net = ng.perceptron(2, 3, 1, seed=0)
    values = {"hidden.2": 0.5, "hidden.0": -2}
    with net.clamp(["hidden.2", "hidden.0"], [0.5, -2]):
        wanted = net.run([[0, 1]])
    block = net.clamp(values)
    values.clear()
    with block:
        found = net.run([[0, 1]])
    assert (found.outputs == wanted.outputs).all()
    assert (found["hidden.2"].output, found["hidden.0"].output) == (0.5, -2)


def test_an_activation_of_that_name_is_noticed(monkeypatch):
    from neurograph import functions

    net = ng.perceptron(2, 3, 1, seed=0)
    monkeypatch.setitem(functions._registry, "held", functions.get_activation("tanh"))
    with pytest.raises(ng.ParameterError, match="'held' of your own"):
        net.clamp("hidden.0", 1)


def test_what_is_removed_before_a_block_begins_is_an_error():
    net = ng.perceptron(2, 3, 1, seed=0)
    s = net.edges["input.0", "hidden.0"]
    blocks = net.lesion(s), net.patch({s: 1}), net.lesion(net.synapses[:1])
    net.remove_edge("input.0", "hidden.0")
    before = kept(net)
    for block in blocks:
        with pytest.raises(ng.DetachedError, match="removed|no longer"), block:
            pass
    with pytest.raises(ng.DetachedError):
        net.lesion(s)
    assert kept(net) == before


@pytest.mark.parametrize("names", [["cell.2", "cell.0"], ["cell.0", "cell.1", "cell.2"]])
def test_a_copy_of_a_driven_network_takes_what_was_held_behind_its_inputs(names):
    net = ng.lstm(2, 3, 1, seed=0)
    rng = np.random.default_rng(0)
    X, values = rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, len(names)))
    with net.clamp(names, values):
        outputs, twin = net.run(X).outputs, net.copy()
    assert twin.inputs == [*net.inputs, *names]
    assert (twin.run(np.concatenate([X, values], -1)).outputs == outputs).all()


def test_what_a_block_changes_in_a_plan_cannot_be_written_either():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.tie(list(net.synapses)[:3])
    net.plan()
    with net.lesion(net.synapses[0]), net.clamp("hidden.1", 0.5):
        plan = net.plan()
    for inside in (plan, net.plan()):
        for name in ("tie_indptr", "tie_synapse", "activation"):
            array = getattr(inside, name)
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


@pytest.mark.parametrize("k", [0, 1, 2])
def test_who_joins_its_tie_again_has_what_the_optimizer_keeps_of_the_others(k):
    net = ng.perceptron(2, 3, 1, seed=0)
    group = list(net.synapses)[:3]
    net.tie(group)
    X, Y = np.eye(2), np.ones((2, 1))
    net.fit(X, Y, optimizer=ng.Adam(0.1))
    store = net._store.synapses

    def slots(synapses):
        rows = store.row_of[[s._id for s in synapses]]
        return [store.array(name)[rows].tolist() for name in store.slots()]

    with net.lesion(group[k]):
        net.fit(X, Y, optimizer=ng.Adam(0.1), epochs=3)
        learned = slots([s for s in group if s is not group[k]])
        assert any(len(set(values)) > 1 for values in slots(group))  # it has learned nothing
    assert [values[:2] for values in slots(group)] == learned
    assert all(len(set(values)) == 1 for values in slots(group))
    net.fit(X, Y, optimizer=ng.Adam(0.1), epochs=3)
    assert len({s.weight for s in group}) == 1


def test_a_tuple_that_names_nothing_is_told_as_a_name_that_is_missing():
    net = ng.perceptron(2, 2, 1, seed=0)
    for name in (("hidden.0",), ("input.0", "hidden.0", "output.0")):
        for block in (net.lesion, lambda name: net.clamp(name, 1)):
            with pytest.raises(ng.ParameterError, match=re.escape(f"no neuron {name!r}")):
                block(name)
    with pytest.raises(ng.ParameterError, match="net.patch gives synapses"):
        net.clamp(("input.0", "hidden.0"), 1)
